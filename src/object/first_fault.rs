//! Calls that run one after another, of which none is to begin after one has failed.

use std::sync::atomic::{AtomicU32, Ordering};

/// Where among the calls of a batch the first fault was.
#[derive(Debug)]
pub(crate) struct FirstFault(AtomicU32);

impl Default for FirstFault {
    fn default() -> Self {
        FirstFault(AtomicU32::new(u32::MAX))
    }
}

impl FirstFault {
    /// The call at this place has failed.
    pub(crate) fn note(&self, at: u32) {
        self.0.fetch_min(at, Ordering::Release);
    }

    /// Whether the call at this place is not to begin any more. Those before the fault still are.
    #[inline]
    pub(crate) fn is_before(&self, at: u32) -> bool {
        self.0.load(Ordering::Acquire) < at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_stops_what_comes_after_it_and_nothing_before() {
        let first = FirstFault::default();
        assert!(!first.is_before(u32::from(u16::MAX)));
        first.note(5);
        first.note(9);
        assert!(!first.is_before(4) && !first.is_before(5) && first.is_before(6));
        first.note(2);
        assert!(first.is_before(3));
    }
}
