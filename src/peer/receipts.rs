//! When the other end is told how much of what it has sent was taken: plain counts.

/// Bytes that are taken until the other end hears of it, together with what is sent to it anyway; and until it hears of it alone. So much
/// is kept at either end of a connection that has fallen silent.
const TOGETHER: u64 = 8 * 1024;
const ALONE: u64 = 64 * 1024;

/// What the other end knows.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    /// Bytes that it knows were taken.
    known: u64,
    /// It keeps much memory for few bytes until it hears of them.
    prompt: bool,
}

impl Receipts {
    /// It knows of so many bytes.
    pub(crate) fn until(known: u64) -> Receipts {
        Receipts { known, prompt: false }
    }

    /// It is to hear of what was taken as soon as can be.
    pub(crate) fn hurry(&mut self) {
        self.prompt = true;
    }

    /// How many bytes were taken, if it is time to say so; `alone` if nothing else is sent.
    #[inline]
    pub(crate) fn due(&mut self, taken: u64, alone: bool) -> Option<u64> {
        let enough = if alone { ALONE } else { TOGETHER };
        if taken - self.known < enough && !self.prompt {
            return None;
        }
        *self = Receipts::until(taken);
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_said_alone() {
        let mut receipts = Receipts::default();
        assert_eq!(receipts.due(TOGETHER - 1, false), None);
        assert_eq!(receipts.due(TOGETHER, true), None);
        assert_eq!(receipts.due(TOGETHER, false), Some(TOGETHER));
        assert_eq!(receipts.due(TOGETHER + ALONE - 1, true), None);
        assert_eq!(receipts.due(TOGETHER + ALONE, true), Some(TOGETHER + ALONE));
    }

    #[test]
    fn what_holds_much_memory_for_few_bytes_is_said_at_once_and_only_once() {
        let mut receipts = Receipts::until(100);
        receipts.hurry();
        assert_eq!(receipts.due(101, true), Some(101));
        assert_eq!(receipts.due(102, true), None);
    }
}
