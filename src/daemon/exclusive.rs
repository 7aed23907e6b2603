//! Handlers that have their object to themselves: which of them is under way, so that a call that comes back to it is noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::daemon::entry::Entry;
use crate::object::context::{CallContext, Waiting};
use crate::wire::Chain;

/// Which exclusive handler of an object is under way. At most one is.
#[derive(Debug)]
pub(crate) struct Exclusive {
    /// No other object anywhere has this number.
    object: u64,
    /// Odd while one is under way, whose number it is.
    handler: AtomicU64,
}

impl Exclusive {
    pub(crate) fn new() -> Exclusive {
        Exclusive { object: rand::random(), handler: AtomicU64::new(0) }
    }

    /// Whether the handler under way is one that waits for a call with this chain; then who waits, from this object to itself.
    pub(crate) fn waits_for(&self, chain: &Chain) -> Option<Vec<String>> {
        let handler = self.handler.load(Ordering::Acquire);
        if handler.is_multiple_of(2) { None } else { chain.back_to(self.object, handler) }
    }

    /// The number of a handler that begins.
    fn begin(&self) -> u64 {
        let next = |handler: u64| handler.wrapping_add(1) | 1;
        let before = self.handler.fetch_update(Ordering::AcqRel, Ordering::Acquire, |handler| Some(next(handler)));
        next(before.unwrap_or_else(|handler| handler))
    }

    /// The handler ends, unless another one has begun since.
    fn end(&self, handler: u64) {
        let _ = self.handler.compare_exchange(handler, handler.wrapping_add(1), Ordering::AcqRel, Ordering::Acquire);
    }
}

/// Ends the handler when it is dropped, however that came.
pub(crate) struct UnderWay {
    entry: Arc<Entry>,
    handler: u64,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.entry.exclusive().end(self.handler);
    }
}

/// An exclusive handler of `entry` begins: the context for the calls it makes, and what to keep until it ends.
pub(crate) fn begin(entry: &Arc<Entry>, call: CallContext) -> (CallContext, UnderWay) {
    let handler = entry.exclusive().begin();
    let waiting = Waiting { object: entry.exclusive().object, handler, name: Arc::clone(entry.label()) };
    (call.waiting(waiting), UnderWay { entry: Arc::clone(entry), handler })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ChainLink;

    #[test]
    fn an_object_waits_for_the_calls_of_the_handler_that_is_under_way() {
        let (object, other) = (Exclusive::new(), Exclusive::new());
        let handler = object.begin();
        let chain = Chain::default().with(ChainLink { object: object.object, handler, name: "first".into() });
        assert_eq!(object.waits_for(&chain), Some(vec!["first".into(), "first".into()]));
        assert_eq!(object.waits_for(&Chain::default()), None);
        other.begin();
        assert_eq!(other.waits_for(&chain), None);
        object.end(handler);
        assert_eq!(object.waits_for(&chain), None, "it has ended");
        let next = object.begin();
        assert_eq!(object.waits_for(&chain), None, "it is another one");
        object.end(handler);
        assert_eq!(object.begin(), next + 2, "the end of an earlier one came late");
    }
}
