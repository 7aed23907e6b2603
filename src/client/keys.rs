//! The keys of calls that are to run once: plain numbers, and which of them are still needed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::wire::OnceKey;

/// Gives each call of a client a number of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(Arc<Mutex<Numbers>>);

#[derive(Debug, Default)]
struct Numbers {
    last: u64,
    needed: BTreeSet<u64>,
}

/// The number of one call, needed until it is dropped.
#[derive(Debug)]
pub(crate) struct Key {
    keys: Keys,
    sequence: u64,
}

impl Keys {
    pub(crate) fn take(&self) -> Key {
        let mut numbers = self.lock();
        numbers.last += 1;
        let sequence = numbers.last;
        numbers.needed.insert(sequence);
        Key { keys: self.clone(), sequence }
    }

    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    /// As it travels, with the number below which none is needed any more.
    pub(crate) fn wire(&self) -> OnceKey {
        let done = self.keys.lock().needed.first().copied().unwrap_or(self.sequence);
        OnceKey { sequence: self.sequence, done }
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.keys.lock().needed.remove(&self.sequence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_given_once_and_what_is_below_all_that_are_needed_is_done() {
        let keys = Keys::default();
        let (first, second, third) = (keys.take(), keys.take(), keys.take());
        assert_eq!(third.wire(), OnceKey { sequence: 3, done: 1 });
        drop(second);
        assert_eq!(third.wire(), OnceKey { sequence: 3, done: 1 });
        drop(first);
        assert_eq!(third.wire(), OnceKey { sequence: 3, done: 3 });
        drop(third);
        assert_eq!(keys.take().wire(), OnceKey { sequence: 4, done: 4 });
    }
}
