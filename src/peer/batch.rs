//! The way back for the calls of one batch: their outcomes are gathered, in the order of the calls, and leave in one frame.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use crate::codec::budget::Budget;
use crate::codec::fault::Fault;
use crate::object::context::Caller;
use crate::object::first_fault::FirstFault;
use crate::object::items::producer::ItemSink;
use crate::object::outcome::{Failure, NotStarted};
use crate::object::reply::ReplySink;
use crate::peer::bulk::Order;
use crate::peer::connection::{Shared, wake};
use crate::peer::lane::Lane;
use crate::wire::batch::varint;
use crate::wire::{BatchedResult, CorrelationId, Flags, FrameWriter, HEADER_LEN, Header, MessageType, SerializerId};

/// Memory that is taken for outcomes before there are any.
const EXPECTED: usize = 64 * 1024;

/// Where the replies of one batch go. Its calls have their places in the batch for sequence numbers.
pub(crate) struct BatchLane {
    shared: Arc<Shared>,
    lane: Arc<Lane>,
    terms: BatchTerms,
    first_fault: FirstFault,
    gathered: Mutex<Gathered>,
    /// Handlers under way that are to be stopped when the batch is given up, by the places of their calls.
    watching: Arc<Watching>,
}

/// What is said of a batch as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchTerms {
    pub(crate) seq: u16,
    pub(crate) correlation: CorrelationId,
    /// Nobody waits for the outcomes.
    pub(crate) oneway: bool,
    pub(crate) stop_at_fault: bool,
    pub(crate) calls: u16,
    /// Bytes that it holds.
    pub(crate) size: u32,
}

/// Outcomes, as far as they are known.
#[derive(Default)]
struct Gathered {
    /// Those of the first `next` calls.
    out: Vec<u8>,
    next: u16,
    /// Those that came before it was their turn.
    early: BTreeMap<u16, Vec<u8>>,
}

#[derive(Default)]
struct Watching(Mutex<BTreeMap<u16, Waker>>);

impl BatchLane {
    pub(crate) fn new(shared: Arc<Shared>, lane: Arc<Lane>, terms: BatchTerms) -> BatchLane {
        let out = if terms.oneway { Vec::new() } else { Vec::with_capacity((terms.size as usize).min(EXPECTED)) };
        BatchLane {
            shared,
            lane,
            terms,
            first_fault: FirstFault::default(),
            gathered: Mutex::new(Gathered { out, ..Gathered::default() }),
            watching: Arc::default(),
        }
    }

    /// The call at this place was skipped: a fault before it was the end of the batch, and nothing else was its own.
    fn is_skipped(&self, at: u16, flags: Flags, serializer: SerializerId, payload: &[u8]) -> bool {
        flags.contains(Flags::EXCEPTION)
            && self.terms.stop_at_fault
            && self.first_fault.is_before(at.into())
            && Fault::decode(serializer, payload, &Budget::default()).is_ok_and(|fault| {
                Failure::from_fault(fault, &Budget::default()) == Ok(Failure::NotStarted(NotStarted::Cancelled))
            })
    }

    /// Turns the reply that was written behind `start` into an outcome.
    fn settle(&self, at: u16, start: usize, out: &mut Vec<u8>) {
        let Some(Ok(Some(header))) = out.get(start..).map(Header::decode) else {
            out.truncate(start);
            self.first_fault.note(at.into());
            return BatchedResult::FaultTooLarge.encode(out);
        };
        let (flags, serializer) = (header.flags, header.serializer);
        // What a handler puts on the reply has no place in that of a batch.
        let payload = start + HEADER_LEN + header.annotations_len as usize;
        if self.is_skipped(at, flags, serializer, &out[payload..]) {
            out.truncate(start);
            return BatchedResult::Skipped.encode(out);
        }
        let fault = flags.contains(Flags::EXCEPTION);
        if fault {
            self.first_fault.note(at.into());
        }
        let len = out.len() - payload;
        let mut room = [0; 10];
        let length = varint(len as u64, &mut room);
        // It is shorter than the header that it takes the place of.
        out[start] = if fault { BatchedResult::FAULT } else { BatchedResult::VALUE };
        out[start + 1..start + 1 + length.len()].copy_from_slice(length);
        let begin = start + 1 + length.len();
        out.copy_within(payload.., begin);
        out.truncate(begin + len);
    }

    /// The outcome of the next call stands behind `start`.
    fn count(&self, gathered: &mut Gathered, start: usize) {
        gathered.next += 1;
        if self.terms.oneway {
            gathered.out.clear();
            return;
        }
        let left = usize::from(self.terms.calls - gathered.next);
        if gathered.out.len() + left > self.lane.max_message() as usize {
            // Its caller takes it for a failure.
            self.first_fault.note(u32::from(gathered.next) - 1);
            let fault = gathered.out.get(start) != Some(&BatchedResult::VALUE);
            gathered.out.truncate(start);
            let outcome = if fault { BatchedResult::FaultTooLarge } else { BatchedResult::ValueTooLarge };
            outcome.encode(&mut gathered.out);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything is known.
    fn finish(&self, outcomes: &[u8]) {
        let BatchTerms { seq, correlation, oneway, calls, size, .. } = self.terms;
        let mut state = self.shared.lock();
        state.watching.remove(&seq);
        state.answered += u64::from(calls);
        state.answered_bytes += u64::from(size);
        if state.closed.is_none() && !oneway {
            let start = state.out.len();
            let kind = MessageType::Result;
            let frame =
                FrameWriter::begin(&mut state.out, kind, SerializerId::POSTCARD, Flags::BATCH, seq, correlation);
            state.out.extend_from_slice(outcomes);
            // It was kept small enough.
            let _ = frame.finish(&mut state.out, self.lane.max_message());
            // Only calls are ever refused.
            let _ = self.shared.set_apart(&mut state, start, Vec::new(), Order::Free, None);
        }
        wake(state);
    }
}

impl ReplySink for BatchLane {
    fn answer(&self, at: u16, _: u32, write: &mut dyn FnMut(&mut Vec<u8>, u32)) {
        let mut gathered = self.lock();
        if at != gathered.next {
            let mut out = Vec::new();
            self.lane.write(write, &mut out);
            self.settle(at, 0, &mut out);
            gathered.early.insert(at, out);
            return;
        }
        let start = gathered.out.len();
        self.lane.write(write, &mut gathered.out);
        self.settle(at, start, &mut gathered.out);
        self.count(&mut gathered, start);
        while let Some((next, outcome)) = gathered.early.pop_first() {
            if next != gathered.next {
                gathered.early.insert(next, outcome);
                break;
            }
            let start = gathered.out.len();
            gathered.out.extend_from_slice(&outcome);
            self.count(&mut gathered, start);
        }
        if gathered.next == self.terms.calls {
            let outcomes = std::mem::take(&mut gathered.out);
            drop(gathered);
            self.finish(&outcomes);
        }
    }

    fn started(&self, at: u16) -> bool {
        self.lane.started(self.terms.seq);
        self.is_given_up(at)
    }

    fn withdrawn(&self) {
        self.lane.withdrawn();
    }

    fn is_given_up(&self, at: u16) -> bool {
        if !self.terms.oneway && self.shared.given_up.contains(self.terms.seq) {
            return true;
        }
        // What has begun is not stopped by the fault of another.
        self.terms.stop_at_fault && self.first_fault.is_before(at.into()) && !self.watching.lock().contains_key(&at)
    }

    fn watch(&self, at: u16, waker: &Waker) {
        self.watching.lock().insert(at, waker.clone());
        self.lane.watch(self.terms.seq, &Waker::from(Arc::clone(&self.watching)));
    }

    fn unwatch(&self, at: u16) {
        self.watching.lock().remove(&at);
    }

    fn open_stream(&self, method: u32, _: SerializerId) -> Result<Arc<dyn ItemSink>, String> {
        Err(format!("{} replies with a stream, which has no place in a batch", self.method(method)))
    }

    fn budget(&self) -> Budget {
        self.lane.budget()
    }

    fn caller(&self) -> &Arc<Caller> {
        self.lane.caller()
    }

    fn object(&self) -> &str {
        self.lane.object()
    }

    fn method(&self, index: u32) -> &'static str {
        self.lane.method(index)
    }
}

impl Watching {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u16, Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Watching {
    fn wake(self: Arc<Self>) {
        let watching: Vec<Waker> = self.lock().values().cloned().collect();
        watching.into_iter().for_each(Waker::wake);
    }
}
