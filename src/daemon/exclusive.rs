//! Handlers that have their object to themselves: which of them is under way, so that a call that comes back to it is noticed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

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
    /// It shares the object with the reentrant methods that its calls come back to.
    open: AtomicBool,
    /// Hears that calls have come while it does.
    waker: Mutex<Option<Waker>>,
}

impl Exclusive {
    pub(crate) fn new() -> Exclusive {
        Exclusive {
            object: rand::random(),
            handler: AtomicU64::new(0),
            open: AtomicBool::new(false),
            waker: Mutex::default(),
        }
    }

    /// Whether the handler under way is one that waits for a call with this chain; then who waits, from this object to itself.
    pub(crate) fn waits_for(&self, chain: &Chain) -> Option<Vec<String>> {
        let handler = self.handler.load(Ordering::Acquire);
        if handler.is_multiple_of(2) { None } else { chain.back_to(self.object, handler) }
    }

    /// Whether the handler under way shares the object with reentrant methods.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// The handler under way does so from now on.
    pub(crate) fn open(&self, waker: &Waker) {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner).replace(waker.clone());
        self.open.store(true, Ordering::Release);
    }

    /// It does so no more.
    pub(crate) fn close(&self) {
        self.open.store(false, Ordering::Release);
    }

    /// Calls have come.
    #[inline]
    pub(crate) fn wake(&self) {
        if self.is_open()
            && let Some(waker) = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            waker.wake();
        }
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
    fn calls_wake_a_handler_while_it_shares_the_object() {
        struct Woken(AtomicU64);
        impl std::task::Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (object, woken) = (Exclusive::new(), Arc::new(Woken(AtomicU64::new(0))));
        let waker = Waker::from(Arc::clone(&woken));
        object.wake();
        object.open(&waker);
        object.wake();
        object.wake();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "it looks at all of them");
        object.open(&waker);
        object.close();
        object.wake();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "it does so no more");
    }

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
