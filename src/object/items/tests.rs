use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use super::producer::{ItemSink, Producer};
use super::*;
use crate::object::outcome::Unknown;

fn now<T>(items: &mut Items<T>) -> Poll<Option<Result<T, Failure>>> {
    items.poll_item(&mut Context::from_waker(Waker::noop()))
}

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("the page is torn")]
struct Torn;

#[test]
fn a_stream_ends_once() {
    let mut items = Items::of_results([Ok(1), Err(Torn), Ok(2)]);
    assert_eq!(now(&mut items), Poll::Ready(Some(Ok(1))));
    let Poll::Ready(Some(Err(Failure::Failed(fault)))) = now(&mut items) else { panic!("it goes on") };
    assert_eq!((fault.class.as_str(), fault.message.as_str()), ("Torn", "the page is torn"));
    assert_eq!(now(&mut items), Poll::Ready(None));
    assert_eq!(now(&mut items), Poll::Ready(None));
}

#[test]
fn a_panic_of_the_producer_is_the_end() {
    panic::install();
    let mut items = Items::of((0..3).map(|n| 10 / (1 - n)));
    assert_eq!(now(&mut items), Poll::Ready(Some(Ok(10))));
    assert!(matches!(now(&mut items), Poll::Ready(Some(Err(Failure::Failed(_))))));
    assert_eq!(now(&mut items), Poll::Ready(None));
}

#[test]
fn a_sender_that_panics_tells_its_reader() {
    panic::install();
    let (sender, mut items) = Items::channel(1);
    sender.try_send(1).unwrap();
    assert_eq!(sender.try_send(2), Err(2), "it is full");
    let _ = panic::guard(move || {
        let _sender = sender;
        panic!("the printer burns");
    });
    assert_eq!(now(&mut items), Poll::Ready(Some(Ok(1))));
    let Poll::Ready(Some(Err(Failure::Failed(fault)))) = now(&mut items) else { panic!("it goes on") };
    assert_eq!(fault.message, "the printer burns");
}

#[test]
fn a_sender_hears_that_nobody_reads() {
    let (sender, items) = Items::channel(1);
    drop(items);
    assert!(sender.is_closed());
    assert_eq!(sender.try_send(1), Err(1));
}

/// Takes so many frames, and then none.
#[derive(Default)]
struct Sink {
    room: AtomicUsize,
    frames: Mutex<Vec<(u32, usize)>>,
    ends: Mutex<Vec<Option<Failure>>>,
    gone: bool,
}

impl ItemSink for Sink {
    fn stream(&self) -> u64 {
        1
    }
    fn poll_send(&self, _: &mut Context<'_>, items: u32, batch: &[u8]) -> Poll<bool> {
        if self.gone {
            return Poll::Ready(false);
        }
        if self.room.load(Ordering::Relaxed) == 0 {
            return Poll::Pending;
        }
        self.room.fetch_sub(1, Ordering::Relaxed);
        self.frames.lock().unwrap().push((items, batch.len()));
        Poll::Ready(true)
    }
    fn watch(&self, _: &Waker) -> bool {
        !self.gone
    }
    fn end(&self, failure: Option<Failure>) {
        self.ends.lock().unwrap().push(failure);
    }
    fn max_message(&self) -> u32 {
        1_000_000
    }
    fn object(&self) -> &str {
        "account"
    }
    fn method(&self) -> &str {
        "history"
    }
}

fn produce(producer: &mut Producer) -> Poll<()> {
    Pin::new(producer).poll(&mut Context::from_waker(Waker::noop()))
}

fn producer<T: Serialize + 'static>(items: Items<T>, sink: &Arc<Sink>) -> Producer {
    Producer::new(Box::new(items), Arc::clone(sink) as Arc<dyn ItemSink>, SerializerId::POSTCARD)
}

#[test]
fn items_go_out_together_and_only_as_far_as_there_is_room() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let items = Items::of((0..3_000_u32).inspect(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let sink = Arc::new(Sink { room: 1.into(), ..Sink::default() });
    let mut producer = producer(items, &sink);
    assert!(produce(&mut producer).is_pending());
    assert_eq!(asked.load(Ordering::Relaxed), 2_048, "no further than one frame ahead");
    sink.room.store(9, Ordering::Relaxed);
    assert!(produce(&mut producer).is_ready());
    drop(producer);
    let sizes: Vec<u32> = sink.frames.lock().unwrap().iter().map(|frame| frame.0).collect();
    assert_eq!((sizes, &*sink.ends.lock().unwrap()), (vec![1_024, 1_024, 952], &vec![None]));
}

#[tokio::test]
async fn a_frame_is_filled_over_several_turns_of_the_runtime() {
    let (sender, items) = Items::channel(1_000);
    for number in 0..1_000_u32 {
        sender.try_send(number).unwrap();
    }
    drop(sender);
    let sink = Arc::new(Sink { room: 9.into(), ..Sink::default() });
    tokio::spawn(producer(items, &sink)).await.unwrap();
    let sizes: Vec<u32> = sink.frames.lock().unwrap().iter().map(|frame| frame.0).collect();
    assert_eq!((sizes, &*sink.ends.lock().unwrap()), (vec![1_000], &vec![None]));
}

#[test]
fn large_items_go_alone() {
    let sink = Arc::new(Sink { room: 9.into(), ..Sink::default() });
    let items = Items::of([vec![1_u8; 10], vec![2; 100_000], vec![3; 10], vec![4; 2_000_000]]);
    let mut producer = producer(items, &sink);
    assert!(produce(&mut producer).is_ready());
    let sizes: Vec<u32> = sink.frames.lock().unwrap().iter().map(|frame| frame.0).collect();
    assert_eq!(sizes, [1, 1, 1]);
    let ends = sink.ends.lock().unwrap();
    let [Some(Failure::Failed(fault))] = &ends[..] else { panic!("{ends:?}") };
    assert_eq!(
        (fault.class.as_str(), fault.method.as_str()),
        (outcome::UNWRITABLE, "history"),
        "too large for a frame"
    );
}

#[test]
fn a_producer_that_is_dropped_says_so_and_one_that_nobody_reads_is_silent() {
    let sink = Arc::new(Sink::default());
    drop(producer(Items::of([1]), &sink));
    let aborted = Failure::Unknown(Unknown::Aborted { object: "account".into() });
    assert_eq!(*sink.ends.lock().unwrap(), [Some(aborted)]);
    let sink = Arc::new(Sink { gone: true, ..Sink::default() });
    for items in [Items::of([1]), Items::channel(1).1] {
        assert!(produce(&mut producer(items, &sink)).is_ready());
    }
    assert!(sink.ends.lock().unwrap().len() <= 1);
}
