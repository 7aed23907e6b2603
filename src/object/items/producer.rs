//! From an object's items to the frames of a connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::task::coop;

use crate::object::items::{ItemSource, unwritable};
use crate::object::outcome::{self, Failure, Unknown};
use crate::object::panic;
use crate::wire::{ItemBatch, SerializerId};

/// Bytes of items in one frame, but for one item that is larger: small calls are not to wait long behind it.
const BATCH_BYTES: usize = 16 * 1024;
/// Items in one frame; a fraction of what may be under way.
const BATCH_ITEMS: u32 = 1_024;
/// Frames that are made before others on the thread get their turn.
const TURN: u32 = 8;
/// What else stands in a frame: the number of the stream and the length of the item.
const OVERHEAD: usize = 16;

/// The writing end of a stream on a connection.
pub trait ItemSink: Send + Sync {
    /// What names the stream on the connection.
    fn stream(&self) -> u64;
    /// Sends so many items once its reader has room for them; `false` when it has given the stream up, or the connection is gone.
    fn poll_send(&self, cx: &mut Context<'_>, items: u32, batch: &[u8]) -> Poll<bool>;
    /// Whether the stream is still read; wakes when not any more.
    fn watch(&self, waker: &Waker) -> bool;
    /// Writes items for the peer.
    fn write(&self, write: &mut dyn FnMut()) {
        write();
    }
    /// The end of the stream.
    fn end(&self, failure: Option<Failure>);
    /// The largest frame the peer accepts, bytes.
    fn max_message(&self) -> u32;
    /// The object whose stream it is, for faults.
    fn object(&self) -> &str;
    /// The method whose stream it is, for faults.
    fn method(&self) -> &str;
}

/// Writes items for as long as there are any and somebody reads them. Dropped before that, it says that the stream was aborted.
pub(crate) struct Producer {
    source: Box<dyn ItemSource>,
    sink: Arc<dyn ItemSink>,
    serializer: SerializerId,
    batch: Vec<u8>,
    items: u32,
    /// One item, which did not fit into the last batch if it is `held`.
    item: Vec<u8>,
    held: bool,
    /// There are no more items, and why.
    ended: Option<Option<Failure>>,
    /// The reader knows, or does not want to.
    told: bool,
}

impl Producer {
    pub(crate) fn new(source: Box<dyn ItemSource>, sink: Arc<dyn ItemSink>, serializer: SerializerId) -> Producer {
        Producer {
            source,
            sink,
            serializer,
            batch: Vec::new(),
            items: 0,
            item: Vec::new(),
            held: false,
            ended: None,
            told: false,
        }
    }

    /// Runs it beside the object, on the object's thread.
    pub(crate) fn spawn(self) {
        // Without a runtime it is dropped, which tells the reader.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self);
        }
    }

    /// Makes a batch as large as it may be; pending when the next item is not there yet.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if !self.held {
                if self.ended.is_some() || self.items == BATCH_ITEMS || self.batch.len() >= BATCH_BYTES {
                    return Poll::Ready(());
                }
                self.item.clear();
                let (source, item, serializer) = (&mut self.source, &mut self.item, self.serializer);
                let next = match panic::guard(|| {
                    let mut polled = Poll::Pending;
                    self.sink.write(&mut || polled = source.poll_encoded(cx, serializer, item));
                    polled
                }) {
                    Ok(polled) => std::task::ready!(polled),
                    Err(report) => Some(Err(Failure::Failed(Box::new(outcome::panicked(report, "", ""))))),
                };
                match next {
                    Some(Ok(())) if self.item.len() + OVERHEAD > self.sink.max_message() as usize => {
                        let problem = format!("{} bytes are more than its reader takes", self.item.len());
                        self.ended = Some(Some(unwritable(&problem)));
                        continue;
                    }
                    Some(Ok(())) => {}
                    Some(Err(failure)) => {
                        self.ended = Some(Some(failure));
                        continue;
                    }
                    None => {
                        self.ended = Some(None);
                        continue;
                    }
                }
            }
            self.held = self.items > 0 && self.batch.len() + self.item.len() > BATCH_BYTES;
            if self.held {
                return Poll::Ready(());
            }
            ItemBatch::push(&self.item, &mut self.batch);
            self.items += 1;
        }
    }

    /// The fault says whose stream it was.
    fn named(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Failed(mut fault) if fault.object.is_empty() => {
                fault.object = self.sink.object().to_owned();
                fault.method = self.sink.method().to_owned();
                Failure::Failed(fault)
            }
            other => other,
        }
    }
}

impl Future for Producer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        for _ in 0..TURN {
            let filled = this.fill(cx);
            // What tokio lets a task take at a time is about a hundred items: others have their turn, but no frame is sent for that.
            if filled.is_pending() && this.items > 0 && !coop::has_budget_remaining() {
                break;
            }
            if this.items > 0 {
                if !std::task::ready!(this.sink.poll_send(cx, this.items, &this.batch)) {
                    this.told = true;
                    return Poll::Ready(());
                }
                this.batch.clear();
                this.items = 0;
            }
            if this.held {
                continue;
            }
            if let Some(end) = this.ended.take() {
                this.told = true;
                let end = end.map(|failure| this.named(failure));
                this.sink.end(end);
                return Poll::Ready(());
            }
            if filled.is_pending() {
                if this.sink.watch(cx.waker()) {
                    return Poll::Pending;
                }
                this.told = true;
                return Poll::Ready(());
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        if !self.told {
            let object = self.sink.object().to_owned();
            self.sink.end(Some(Failure::Unknown(Unknown::Aborted { object })));
        }
    }
}
