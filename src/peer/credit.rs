//! How much of a stream may be under way: a plain count, kept alike at both ends.

use crate::wire::stream::{WINDOW_BYTES, WINDOW_ITEMS};

/// More credit than this is never given: a peer that does so would have the count run over.
const MOST: i64 = u32::MAX as i64;

/// What may still be sent on one stream. The sender counts it down, and its reader keeps the same count to see that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    bytes: i64,
    items: i64,
}

/// What the reader has used, and not given back yet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    bytes: u32,
    items: u32,
}

impl Default for Allowance {
    /// What every stream begins with.
    fn default() -> Self {
        Allowance { bytes: WINDOW_BYTES.into(), items: WINDOW_ITEMS.into() }
    }
}

impl Allowance {
    /// What the stream of a call begins with: nothing, until its reader wants it.
    pub(crate) const NONE: Allowance = Allowance { bytes: 0, items: 0 };

    /// Whether a frame with so many items may be sent. An item that is larger than what is left goes alone, once half of the window is free:
    /// the reader gives half of it back at a time, so it always comes to that.
    pub(crate) fn admits(&self, bytes: usize, items: u32) -> bool {
        let fits = i64::try_from(bytes).is_ok_and(|bytes| bytes <= self.bytes) && i64::from(items) <= self.items;
        fits || (items == 1 && self.items >= 1 && self.bytes >= i64::from(WINDOW_BYTES / 2))
    }

    /// Takes it, if it may be sent.
    pub(crate) fn spend(&mut self, bytes: usize, items: u32) -> bool {
        let admitted = self.admits(bytes, items);
        if admitted {
            self.bytes -= bytes as i64;
            self.items -= i64::from(items);
        }
        admitted
    }

    /// More may be sent. Whether that is within reason.
    #[must_use]
    pub(crate) fn grant(&mut self, bytes: u32, items: u32) -> bool {
        self.bytes += i64::from(bytes);
        self.items += i64::from(items);
        self.bytes <= MOST && self.items <= MOST
    }
}

impl Used {
    /// An item of so many bytes has been taken; what is to be given back now, bytes and items.
    pub(crate) fn take(&mut self, bytes: usize) -> Option<(u32, u32)> {
        self.bytes = self.bytes.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.items += 1;
        if self.bytes < WINDOW_BYTES / 2 && self.items < WINDOW_ITEMS / 2 {
            return None;
        }
        let Used { bytes, items } = std::mem::take(self);
        Some((bytes, items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_sent_than_was_allowed() {
        let mut allowance = Allowance::default();
        assert!(allowance.spend(WINDOW_BYTES as usize - 10, 3));
        assert!(!allowance.spend(11, 1));
        assert!(allowance.spend(10, 1));
        assert!(!allowance.spend(1, 1));
        assert!(allowance.grant(1, 1));
        assert!(allowance.spend(1, 1));
    }

    #[test]
    fn items_without_bytes_are_counted() {
        let mut allowance = Allowance::default();
        assert!(allowance.spend(0, WINDOW_ITEMS));
        assert!(!allowance.spend(0, 1));
    }

    #[test]
    fn a_large_item_goes_alone() {
        let large = WINDOW_BYTES as usize * 4;
        let mut allowance = Allowance::default();
        assert!(!allowance.admits(large, 2));
        assert!(allowance.spend(large, 1));
        assert!(!allowance.admits(1, 1), "and nothing behind it");
        assert!(allowance.grant(large as u32, 1));
        assert!(allowance.spend(1, 1));
    }

    #[test]
    fn whatever_their_size_the_items_of_a_stream_never_get_stuck() {
        for size in [0, 1, 100, 4096, 60_000, WINDOW_BYTES as usize / 2 + 1, WINDOW_BYTES as usize, 1_000_000] {
            let (mut allowance, mut used) = (Allowance::default(), Used::default());
            for sent in 0..20_000 {
                assert!(allowance.spend(size, 1), "stuck after {sent} items of {size} bytes");
                // The reader takes each at once; what is left of its credit is at least half.
                if let Some((bytes, items)) = used.take(size) {
                    assert!(allowance.grant(bytes, items));
                }
            }
        }
    }

    #[test]
    fn credit_does_not_run_over() {
        let mut allowance = Allowance::default();
        assert!(!allowance.grant(u32::MAX, 1));
    }
}
