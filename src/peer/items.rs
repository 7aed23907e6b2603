//! The two ends of a stream on a connection.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::codec::budget::Budget;
use crate::codec::fault::Fault;
use crate::object::address;
use crate::object::items::Incoming;
use crate::object::items::producer::ItemSink;
use crate::object::outcome::{Failure, Unknown};
use crate::peer::bulk::Order;
use crate::peer::connection::{Connection, Shared, State, wake};
use crate::peer::credit::{Allowance, Used};
use crate::peer::in_flight::Answer;
use crate::peer::stream::{End, Streams};
use crate::wire::stream::{WINDOW_BYTES, WINDOW_ITEMS};
use crate::wire::{CorrelationId, Credit, Flags, FrameWriter, ItemBatch, MessageType, SerializerId};

/// The end that writes.
pub(crate) struct Outlet {
    shared: Arc<Shared>,
    stream: u64,
    object: Arc<str>,
    method: Cow<'static, str>,
}

/// The end that reads.
pub(crate) struct Inlet {
    shared: Arc<Shared>,
    /// Kept open for the stream, by the end that opened it.
    _connection: Option<Connection>,
    stream: u64,
    /// Nothing has been asked for yet.
    fresh: bool,
    serializer: SerializerId,
    used: Used,
    /// Its end has been read.
    ended: bool,
}

impl Outlet {
    /// Opens a stream.
    ///
    /// # Errors
    /// No further one can be opened.
    pub(crate) fn open(
        shared: &Arc<Shared>,
        object: &Arc<str>,
        method: &'static str,
        serializer: SerializerId,
    ) -> Result<Outlet, String> {
        let mut state = shared.lock();
        if let Some(problem) = &state.closed {
            return Err(problem.to_string());
        }
        if state.streams.outgoing.len() >= usize::from(shared.limits.streams) {
            return Err(full(shared));
        }
        let stream = state.streams.open(serializer, object);
        Ok(Outlet { shared: Arc::clone(shared), stream, object: Arc::clone(object), method: Cow::Borrowed(method) })
    }

    /// The writing end of a stream that a call to this object carries.
    pub(crate) fn carried(shared: &Arc<Shared>, stream: u64, object: &Arc<str>, method: &str) -> Outlet {
        let method = Cow::Owned(method.to_owned());
        Outlet { shared: Arc::clone(shared), stream, object: Arc::clone(object), method }
    }

    /// Ready once the reader asks for items; `false` when there is none any more.
    pub(crate) fn poll_begun(&self, cx: &mut Context<'_>) -> Poll<bool> {
        match self.shared.lock().streams.is_begun(self.stream, cx.waker()) {
            Some(false) => Poll::Pending,
            begun => Poll::Ready(begun.is_some()),
        }
    }
}

/// What a caller is told when too many streams are open.
pub(crate) fn full(shared: &Shared) -> String {
    format!("the table of streams of this connection, which has {} places,", shared.limits.streams)
}

impl ItemSink for Outlet {
    fn stream(&self) -> u64 {
        self.stream
    }

    fn poll_send(&self, cx: &mut Context<'_>, items: u32, batch: &[u8]) -> Poll<bool> {
        let mut state = self.shared.lock();
        match state.streams.spend(self.stream, batch.len(), items, cx.waker()) {
            None => return Poll::Ready(false),
            Some(false) => return Poll::Pending,
            Some(true) => {}
        }
        let serializer = state.streams.outgoing.get(&self.stream).map_or(SerializerId::POSTCARD, |out| out.serializer);
        item(&self.shared, &mut state, self.stream, serializer, Flags::default(), |out| out.extend_from_slice(batch));
        wake(state);
        Poll::Ready(true)
    }

    fn watch(&self, waker: &Waker) -> bool {
        self.shared.lock().streams.watch(self.stream, waker)
    }

    fn write(&self, write: &mut dyn FnMut()) {
        address::within(self.shared.address.get(), write);
    }

    fn end(&self, failure: Option<Failure>) {
        let mut state = self.shared.lock();
        end(&self.shared, &mut state, self.stream, &self.method, failure);
        wake(state);
    }

    fn max_message(&self) -> u32 {
        self.shared.peer_limits.max_message
    }

    fn object(&self) -> &str {
        &self.object
    }

    fn method(&self) -> &str {
        &self.method
    }
}

/// Ends a stream that this end writes, if it has not ended; whoever writes it is to be woken.
pub(super) fn end(
    shared: &Shared,
    state: &mut State,
    stream: u64,
    method: &str,
    failure: Option<Failure>,
) -> Option<Waker> {
    let outgoing = state.streams.outgoing.remove(&stream)?;
    let serializer = outgoing.serializer;
    let flags = if failure.is_some() { Flags::EXCEPTION } else { Flags::default() };
    item(shared, state, stream, serializer, flags, |out| {
        if let Some(failure) = failure {
            // A fault can always be written: its parts are cut to size.
            let _ = failure.to_fault(serializer, &outgoing.object, method).encode(serializer, out);
        }
    });
    outgoing.into_writer()
}

/// Ends every stream that this end writes: its object is no more.
pub(crate) fn abort_all(shared: &Shared, state: &mut State) -> Vec<Waker> {
    let streams: Vec<(u64, Arc<str>)> =
        state.streams.outgoing.iter().map(|(stream, outgoing)| (*stream, Arc::clone(&outgoing.object))).collect();
    let aborted = |object: &Arc<str>| Some(Failure::Unknown(Unknown::Aborted { object: object.to_string() }));
    streams.iter().filter_map(|(stream, object)| end(shared, state, *stream, "", aborted(object))).collect()
}

/// The reader of a stream of the peer is gone.
pub(crate) fn give_up(state: &mut State, stream: u64) {
    let given_up = state.streams.incoming.remove(&stream);
    if given_up.is_some_and(|incoming| incoming.end.is_none()) && state.closed.is_none() {
        credit(state, Credit::give_up(stream));
    }
}

/// A reply that opens a stream, and that nobody waits for.
pub(crate) fn give_up_reply(state: &mut State, answer: &Answer) {
    if let Some(stream) = Streams::opened_by(answer.serializer, &answer.payload) {
        give_up(state, stream);
    }
}

/// A frame of a stream that this end writes. It stays behind those before it.
fn item(
    shared: &Shared,
    state: &mut State,
    stream: u64,
    serializer: SerializerId,
    flags: Flags,
    payload: impl FnOnce(&mut Vec<u8>),
) {
    let start = state.out.len();
    write(state, MessageType::Item, serializer, flags, |out| {
        ItemBatch::begin(stream, out);
        payload(out);
    });
    // Only calls are ever refused: the credit of a stream bounds it.
    let _ = shared.set_apart(state, start, Vec::new(), Order::Stream(stream), None);
}

fn credit(state: &mut State, credit: Credit) {
    write(state, MessageType::Credit, SerializerId::POSTCARD, Flags::default(), |out| credit.encode(out));
}

fn write(
    state: &mut State,
    kind: MessageType,
    serializer: SerializerId,
    flags: Flags,
    payload: impl FnOnce(&mut Vec<u8>),
) {
    let out = &mut state.out;
    let frame = FrameWriter::begin(out, kind, serializer, flags, 0, CorrelationId::NONE);
    payload(out);
    // Batches are made to fit, and everything else is small.
    let _ = frame.finish(out, u32::MAX);
}

impl Inlet {
    /// The reader of the stream that a reply has opened.
    pub(crate) fn new(connection: &Connection, answer: &Answer) -> Option<Inlet> {
        let stream = Streams::opened_by(answer.serializer, &answer.payload)?;
        let shared = Arc::clone(connection.shared());
        let connection = Some(connection.clone());
        let (used, serializer) = (Used::default(), answer.serializer);
        Some(Inlet { shared, _connection: connection, stream, fresh: false, serializer, used, ended: false })
    }

    /// The reader of a stream that a call of the peer carries.
    pub(crate) fn carried(shared: &Arc<Shared>, stream: u64, serializer: SerializerId) -> Inlet {
        let (shared, used) = (Arc::clone(shared), Used::default());
        Inlet { shared, _connection: None, stream, fresh: true, serializer, used, ended: false }
    }

    fn failure(&self, end: &End, problem: Option<String>) -> Option<Failure> {
        let lost = |problem: String| {
            let peer = self.shared.caller.address.clone();
            Failure::Unknown(Unknown::Disconnected { peer, problem })
        };
        match end {
            End::Complete => None,
            End::Lost => Some(lost(problem.unwrap_or_default())),
            End::Fault(serializer, bytes) => {
                let budget = self.shared.budget();
                Some(match Fault::decode(*serializer, bytes, &budget) {
                    Ok(fault) => {
                        Failure::from_fault(fault, &budget).unwrap_or_else(|raised| Failure::Failed(Box::new(raised)))
                    }
                    Err(problem) => lost(format!("the stream ended with a fault that cannot be read: {problem}")),
                })
            }
        }
    }
}

impl Incoming for Inlet {
    fn poll_batch(&mut self, cx: &mut Context<'_>, batch: &mut Vec<u8>) -> Poll<Option<Result<(), Failure>>> {
        let mut state = self.shared.lock();
        let Some(incoming) = state.streams.incoming.get_mut(&self.stream) else { return Poll::Ready(None) };
        if std::mem::take(&mut self.fresh) && incoming.end.is_none() {
            incoming.allowance = Allowance::default();
            incoming.reader = Some(cx.waker().clone());
            credit(&mut state, Credit { stream: self.stream, bytes: WINDOW_BYTES, items: WINDOW_ITEMS });
            wake(state);
            return Poll::Pending;
        }
        if !incoming.items.is_empty() {
            std::mem::swap(&mut incoming.items, batch);
            return Poll::Ready(Some(Ok(())));
        }
        let Some(end) = incoming.end.take() else {
            incoming.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        state.streams.incoming.remove(&self.stream);
        let problem = state.closed.as_deref().map(str::to_owned);
        drop(state);
        let failure = self.failure(&end, problem);
        self.ended = true;
        Poll::Ready(failure.map(Err))
    }

    fn taken(&mut self, bytes: usize) {
        let Some((bytes, items)) = self.used.take(bytes) else { return };
        let mut state = self.shared.lock();
        let Some(incoming) = state.streams.incoming.get_mut(&self.stream) else { return };
        // The same count as at the other end; this end never gives more than it got.
        let counted = incoming.allowance.grant(bytes, items);
        if counted && incoming.end.is_none() && state.closed.is_none() {
            credit(&mut state, Credit { stream: self.stream, bytes, items });
            wake(state);
        }
    }

    fn serializer(&self) -> SerializerId {
        self.serializer
    }

    fn budget(&self) -> Budget {
        self.shared.budget()
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        if !self.ended {
            let mut state = self.shared.lock();
            give_up(&mut state, self.stream);
            wake(state);
        }
    }
}
