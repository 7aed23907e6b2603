//! Which calls of the peer its callers have given up.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Sequence numbers that there are.
const NUMBERS: usize = 1 << 16;

/// A bit for each call that was given up. As long as none was, asking costs a glance at one flag, and nothing is kept.
#[derive(Debug, Default)]
pub(crate) struct GivenUp {
    any: AtomicBool,
    /// The connection has ended, and all calls with it.
    all: AtomicBool,
    bits: OnceLock<Box<[AtomicU64]>>,
}

impl GivenUp {
    /// The caller of `seq` waits no more.
    pub(crate) fn insert(&self, seq: u16) {
        let bits = self.bits.get_or_init(|| (0..NUMBERS / 64).map(|_| AtomicU64::new(0)).collect());
        let (word, bit) = place(seq);
        bits[word].fetch_or(bit, Ordering::Release);
        self.any.store(true, Ordering::Release);
    }

    /// Nobody waits any more.
    pub(crate) fn insert_all(&self) {
        self.all.store(true, Ordering::Release);
        self.any.store(true, Ordering::Release);
    }

    /// All but those that were given up one by one are waited for again.
    pub(crate) fn remove_all(&self) {
        self.all.store(false, Ordering::Release);
    }

    /// The number belongs to a new call.
    pub(crate) fn remove(&self, seq: u16) {
        if let Some(bits) = self.bits.get() {
            let (word, bit) = place(seq);
            bits[word].fetch_and(!bit, Ordering::Release);
        }
    }

    /// Whether nobody waits for the reply to `seq`.
    #[inline]
    pub(crate) fn contains(&self, seq: u16) -> bool {
        self.any.load(Ordering::Acquire) && self.look(seq)
    }

    #[cold]
    fn look(&self, seq: u16) -> bool {
        let (word, bit) = place(seq);
        self.all.load(Ordering::Acquire)
            || self.bits.get().is_some_and(|bits| bits[word].load(Ordering::Acquire) & bit != 0)
    }
}

fn place(seq: u16) -> (usize, u64) {
    (usize::from(seq / 64), 1 << (seq % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_given_up_until_it_belongs_to_a_new_call() {
        let given_up = GivenUp::default();
        assert!(!given_up.contains(0));
        for seq in [0, 63, 64, u16::MAX] {
            given_up.insert(seq);
            assert!(given_up.contains(seq));
            assert!(!given_up.contains(seq ^ 1));
            given_up.remove(seq);
            assert!(!given_up.contains(seq));
        }
    }

    #[test]
    fn with_its_connection_every_call_is_given_up() {
        let given_up = GivenUp::default();
        given_up.insert_all();
        given_up.remove(7);
        assert!(given_up.contains(7));
    }
}
