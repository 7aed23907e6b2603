//! Calls of the peer that end with a reference, and the calls that wait for it: plain bookkeeping.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use crate::codec::call::NamedCall;
use crate::object::facts::Facts;
use crate::object::reply::WireReply;

/// Promises that one connection may have: those whose call is under way, and the latest of those that were kept or broken.
const MAX_PROMISES: usize = 256;
/// Calls of one connection that may wait for promises. They are in no object's queue.
const MAX_WAITING: usize = 256;

/// The promises of one connection, by the sequence numbers of their calls.
#[derive(Default)]
pub(crate) struct Promises {
    by_seq: BTreeMap<u16, Promise>,
    /// Those that are over, the oldest first.
    over: VecDeque<u16>,
    waiting: usize,
}

enum Promise {
    Open(Vec<Waiting>),
    Over(Outcome),
}

/// What came of a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The reference is to the object with this id, which is one of this daemon.
    Kept(String),
    /// The reference is to an object that is not of this daemon.
    Elsewhere,
    /// There is no reference.
    Broken(String),
}

/// A call that waits for a reference.
pub(crate) struct Waiting {
    pub(crate) call: NamedCall,
    pub(crate) deadline: Instant,
    pub(crate) reply: WireReply,
    pub(crate) facts: Option<Arc<Facts>>,
}

/// Where a call on a promise goes.
pub(crate) enum Parked {
    /// It waits.
    Waits,
    /// There is no room for it to wait.
    Full(Waiting),
    /// It need not wait.
    Over(Waiting, Outcome),
}

impl Promises {
    /// A call that ends with a reference has come. Without room for it, calls on it are made elsewhere.
    pub(crate) fn begin(&mut self, seq: u16) {
        self.over.retain(|over| *over != seq);
        if self.by_seq.len() >= MAX_PROMISES
            && !self.by_seq.contains_key(&seq)
            && let Some(oldest) = self.over.pop_front()
        {
            self.by_seq.remove(&oldest);
        }
        if self.by_seq.len() < MAX_PROMISES || self.by_seq.contains_key(&seq) {
            self.by_seq.insert(seq, Promise::Open(Vec::new()));
        }
    }

    /// A call on the promise of `seq` has come.
    pub(crate) fn park(&mut self, seq: u16, waiting: Waiting) -> Parked {
        match self.by_seq.get_mut(&seq) {
            Some(Promise::Open(_)) if self.waiting >= MAX_WAITING => Parked::Full(waiting),
            Some(Promise::Open(all)) => {
                all.push(waiting);
                self.waiting += 1;
                Parked::Waits
            }
            Some(Promise::Over(outcome)) => Parked::Over(waiting, outcome.clone()),
            None => Parked::Over(waiting, Outcome::Elsewhere),
        }
    }

    /// The call of `seq` has ended; the calls that waited for that, in the order in which they came.
    pub(crate) fn end(&mut self, seq: u16, outcome: Outcome) -> Vec<Waiting> {
        let Some(promise) = self.by_seq.get_mut(&seq) else { return Vec::new() };
        let Promise::Open(all) = std::mem::replace(promise, Promise::Over(outcome)) else { return Vec::new() };
        self.over.push_back(seq);
        self.waiting -= all.len();
        all
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::object::context::Caller;
    use crate::peer::connection::Shared;
    use crate::peer::lane::Lane;
    use crate::wire::{CorrelationId, Features, Limits, PeerLimits, SerializerId};

    fn waiting(seq: u16) -> Waiting {
        let limits = PeerLimits { max_message: 100, in_flight: 1 };
        let log = slog::Logger::root(slog::Discard, slog::o!());
        let shared = Shared::new(Limits::default(), limits, Features::default(), Arc::new(Caller::default()), log);
        let call = NamedCall { object: String::new(), method: "run".into(), args: Default::default() };
        let reply = WireReply {
            sink: Arc::new(Lane::new(shared, Arc::from(""), &[])),
            seq,
            serializer: SerializerId::MESSAGE_PACK,
            correlation: CorrelationId::NONE,
            oneway: false,
            size: 0,
            method: 0,
        };
        Waiting { call, deadline: Instant::now(), reply, facts: None }
    }

    #[tokio::test]
    async fn calls_wait_until_the_promise_is_over_and_then_no_more() {
        let mut promises = Promises::default();
        promises.begin(7);
        assert!(matches!(promises.park(7, waiting(1)), Parked::Waits));
        assert!(matches!(promises.park(7, waiting(2)), Parked::Waits));
        assert!(matches!(promises.park(8, waiting(3)), Parked::Over(_, Outcome::Elsewhere)));
        let waited: Vec<u16> = promises.end(7, Outcome::Kept("account".into())).iter().map(|w| w.reply.seq).collect();
        assert_eq!(waited, [1, 2]);
        let Parked::Over(_, outcome) = promises.park(7, waiting(4)) else { panic!("it waits for nothing") };
        assert_eq!(outcome, Outcome::Kept("account".into()));
        promises.begin(7);
        assert!(matches!(promises.park(7, waiting(5)), Parked::Waits), "the number belongs to a new call");
    }

    #[tokio::test]
    async fn neither_promises_nor_calls_on_them_are_kept_without_bound() {
        let mut promises = Promises::default();
        for seq in 0..1_000 {
            promises.begin(seq);
            promises.end(seq, Outcome::Elsewhere);
        }
        assert_eq!((promises.by_seq.len(), promises.over.len()), (MAX_PROMISES, MAX_PROMISES));
        (1_000..2_000).for_each(|seq| promises.begin(seq));
        assert_eq!((promises.by_seq.len(), promises.over.len()), (MAX_PROMISES, 0));
        assert!(
            matches!(promises.park(1_999, waiting(0)), Parked::Over(_, Outcome::Elsewhere)),
            "there was no room for it"
        );
        for _ in 0..MAX_WAITING {
            assert!(matches!(promises.park(1_000, waiting(0)), Parked::Waits));
        }
        assert!(matches!(promises.park(1_001, waiting(0)), Parked::Full(_)));
        assert_eq!(promises.end(1_000, Outcome::Elsewhere).len(), MAX_WAITING);
        assert!(matches!(promises.park(1_001, waiting(0)), Parked::Waits));
    }
}
