//! Streams that a caller gives to an object: they pass in order, as fast as they are read, and end with the truth.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::transport::Network;
use pyroxene::wire::stream::WINDOW_ITEMS;
use pyroxene::{CallError, Items, NotStarted, Proxy, Unknown, Value, args};

use super::scribe::{Desk, Scribe, ScribeProxy, Torn};
use crate::support::flaky::{Fault, Flaky, Plan};
use crate::support::pair::{Pair, Setup, brittle_client_over, poll_once, settle};

/// Items that a source may be ahead of its reader: those under way, and the frame that is made next.
const AHEAD: u64 = WINDOW_ITEMS as u64 + 1_024 + 1;

fn sum(n: u64) -> u64 {
    n * n.saturating_sub(1) / 2
}

#[actix::test]
async fn an_object_reads_what_its_caller_gives_it_wherever_it_is() {
    for setup in [Setup::memory(), Setup::tcp()] {
        let pair = setup.pair().await;
        let desk = Desk::of(&pair).await;
        for scribe in [&desk.there, &desk.here] {
            for n in [0, 1, 3, 50_000] {
                assert_eq!(scribe.sum(desk.numbers(n)).await, Ok(sum(n)));
            }
            assert_eq!(scribe.first(3, desk.numbers(u64::MAX)).await, Ok(vec![0, 1, 2]));
            let merged = scribe.merge(desk.numbers(3), "both".into(), Items::of([7, 8, 9])).await;
            assert_eq!(merged, Ok(vec![0, 7, 1, 8, 2, 9]));
        }
        settle().await;
        assert_eq!(desk.meter.alive(), 0, "every source has ended");
        assert_eq!(desk.ends.take(), vec![None; 8]);
    }
}

#[actix::test]
async fn both_directions_go_on_at_once() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    for scribe in [&desk.there, &desk.here] {
        let mut doubled = scribe.double(desk.numbers(20_000)).await.unwrap();
        for n in 0..20_000 {
            assert_eq!(doubled.next().await, Some(Ok(2 * n)));
        }
        assert_eq!(doubled.next().await, None);
    }
    let doubled = desk.there.double(desk.numbers(u64::MAX)).await.unwrap();
    settle().await;
    assert!(desk.meter.made() < 40_000 + 3 * AHEAD, "whoever is not read does not read");
    drop(doubled);
    settle().await;
    assert_eq!(desk.meter.alive(), 0);
}

#[actix::test]
async fn a_source_is_asked_for_nothing_before_its_reader_begins() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    let mut call = desk.there.weigh(desk.pages(100));
    assert!(poll_once(&mut call).await.is_pending());
    settle().await;
    assert_eq!((desk.meter.made(), desk.meter.alive()), (0, 1));
    drop(call);
    settle().await;
    assert_eq!(desk.meter.alive(), 0);
}

#[actix::test]
async fn an_object_that_reads_slowly_slows_its_caller_down_and_nobody_else() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    // It reads one item, and then no more than that.
    let doubled = desk.there.double(desk.numbers(u64::MAX)).await.unwrap();
    settle().await;
    let made = desk.meter.made();
    assert!((1..=AHEAD + WINDOW_ITEMS as u64 + 1_024 + 4).contains(&made), "{made}");
    for n in 0..1_000 {
        assert_eq!(desk.there.ping(n).await, Ok(n));
    }
    assert_eq!(desk.there.sum(Items::of(0..10_000)).await, Ok(sum(10_000)));
    assert_eq!(desk.meter.made(), made, "nothing more was made for one that is not read");
    drop(doubled);
}

#[actix::test]
async fn a_source_that_fails_is_an_error_for_its_reader() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    for scribe in [&desk.there, &desk.here] {
        let jam = Items::of_results((0..5_u64).map(|n| if n == 3 { Err(Torn { read: 9 }) } else { Ok(n) }));
        assert_eq!(scribe.sum(jam).await, Err(CallError::Raised(Torn { read: 3 })));
        let burn = Items::of((0..5_u64).map(|n| if n == 3 { panic!("it burns") } else { n }));
        assert_eq!(scribe.sum(burn).await, Err(CallError::Raised(Torn { read: 3 })));
        let ends = desk.ends.take();
        for (end, class, message) in
            [(&ends[0], "Torn", "it is torn after 9"), (&ends[1], "Pyroxene.Panicked", "it burns")]
        {
            let Some(CallError::Failed(fault)) = end else { panic!("{end:?}") };
            assert_eq!((fault.class.as_str(), fault.message.as_str()), (class, message));
        }
        assert_eq!(scribe.ping(1).await, Ok(1));
    }
}

#[actix::test]
async fn an_object_that_fails_stops_the_source() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    for scribe in [&desk.there, &desk.here] {
        let ended = scribe.blot(desk.numbers(u64::MAX)).await;
        assert!(matches!(&ended, Err(CallError::Failed(fault)) if fault.class == "Pyroxene.Panicked"), "{ended:?}");
        settle().await;
        assert_eq!(desk.meter.alive(), 0);
    }
}

#[actix::test]
async fn who_gives_the_call_up_is_no_complete_stream() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    let (sender, numbers) = Items::channel(1);
    let mut call = desk.there.sum(numbers);
    assert!(poll_once(&mut call).await.is_pending());
    sender.send(1).await.unwrap();
    settle().await;
    drop(call);
    sender.closed().await;
    settle().await;
    let ends = desk.ends.take();
    assert!(matches!(ends[..], [Some(CallError::Unknown(Unknown::Aborted { .. }))]), "{ends:?}");

    // The same with a call whose time is over.
    let (sender, numbers) = Items::channel(1);
    let ended = desk.there.sum(numbers).timeout_ms(100).await;
    assert!(matches!(ended, Err(CallError::Unknown(Unknown::OutOfTime { .. }))), "{ended:?}");
    sender.closed().await;
    settle().await;
    let ends = desk.ends.take();
    assert!(matches!(ends[..], [Some(CallError::Unknown(Unknown::Aborted { .. }))]), "{ends:?}");
    assert_eq!(desk.there.ping(1).await, Ok(1));
}

#[actix::test]
async fn a_lost_connection_is_no_complete_stream() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    let plan = Plan { out: Some((100_000, Fault::Break)), ..Plan::default() };
    let flaky: Arc<dyn Network> = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
    let there =
        Proxy::<Scribe>::connect_with(&brittle_client_over(&flaky), desk.here.proxy().uri().clone()).await.unwrap();
    let ended = ScribeProxy::from(there).sum(desk.numbers(u64::MAX)).await;
    assert!(matches!(ended, Err(CallError::Unknown(Unknown::Disconnected { .. }))), "{ended:?}");
    settle().await;
    let ends = desk.ends.take();
    assert!(matches!(ends[..], [Some(CallError::Unknown(Unknown::Disconnected { .. }))]), "{ends:?}");
    assert_eq!(desk.meter.alive(), 0);
}

#[actix::test]
async fn an_object_may_answer_and_read_on() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    for scribe in [&desk.there, &desk.here] {
        let (sender, numbers) = Items::channel(1);
        assert_eq!(scribe.keep(numbers).await, Ok(1));
        for n in 0..1_000 {
            sender.send(n).await.unwrap();
        }
        assert_eq!(desk.ends.take(), []);
        drop(sender);
        settle().await;
        assert_eq!(desk.ends.take(), [None]);
    }
}

#[actix::test]
async fn a_call_that_did_not_run_has_lost_no_item() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    let hello = crate::support::pair::hello_bytes(&pair).await;
    // The connection breaks within the call, which is sent again.
    let plan = Plan { out: Some((hello + 20, Fault::Break)), ..Plan::default() };
    let flaky: Arc<dyn Network> = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan, plan]));
    let client = crate::support::pair::seeded_client_over(&flaky);
    let scribe = ScribeProxy::from(Proxy::<Scribe>::lazy_with(&client, desk.here.proxy().uri().clone()));
    assert_eq!(scribe.sum(desk.numbers(1_000)).await, Ok(sum(1_000)));
    assert_eq!(desk.meter.made(), 1_000);
}

#[actix::test]
async fn a_call_that_is_refused_stops_its_sources_untouched() {
    let mut setup = Setup::memory();
    setup.limits.streams = 2;
    let pair = setup.pair().await;
    let desk = Desk::of(&pair).await;
    let mut held: Vec<_> = (0..2).map(|_| desk.there.weigh(desk.pages(10))).collect();
    for call in &mut held {
        assert!(poll_once(call).await.is_pending());
    }
    settle().await;
    let refused = desk.there.sum(desk.numbers(3)).await;
    assert!(matches!(refused, Err(CallError::NotStarted(NotStarted::Busy { .. }))), "{refused:?}");
    settle().await;
    assert_eq!((desk.meter.made(), desk.meter.alive()), (0, 2));
    drop(held);
    desk.gate.open(2);
    settle().await;
    assert_eq!(desk.meter.alive(), 0);
    assert_eq!(desk.there.sum(desk.numbers(3)).await, Ok(3));
}

#[actix::test]
async fn items_of_every_size_pass_to_an_object() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    desk.gate.open(100);
    for bytes in [0, 1, 100, 16_385, 100_000, 131_072, 262_144, 300_000] {
        let pages = Items::of((0..5).map(move |_| vec![1_u8; bytes]));
        assert_eq!(desk.there.weigh(pages).await, Ok(5 * bytes as u64));
    }
}

#[actix::test]
async fn who_calls_by_name_gives_a_list() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    let scribe = pyroxene::DynProxy::connect_with(&pair.client, desk.here.proxy().uri().clone()).await.unwrap();
    let list = Value::from_serialize(&[3, 4]).unwrap();
    assert_eq!(scribe.call("sum", args! { numbers: list }).await, Ok(Value::Int(7)));
}

#[actix::test]
async fn a_oneway_carries_no_stream() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    desk.there.note(desk.numbers(3));
    settle().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((desk.meter.alive(), desk.meter.made()), (0, 0));
}

#[actix::test]
async fn a_stream_is_sent_once() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    let mut numbers = desk.numbers(3);
    assert_eq!(numbers.next().await, Some(Ok(0)));
    assert_eq!(desk.there.sum(numbers).await, Ok(3), "what was read of it before is not sent");
    let mut read = Items::of([1_u64]);
    while read.next().await.is_some() {}
    let ended = desk.there.sum(read).await;
    assert!(matches!(ended, Err(CallError::NotStarted(NotStarted::NotSent { .. }))), "{ended:?}");
}
