//! When to look for calls of the peer whose time is over while they wait in a queue: plain bookkeeping, time handed in.

use std::time::Duration;

use tokio::time::Instant;

/// Two looks are so far apart: each goes through whole queues, and no caller shall say how often.
const PACE: Duration = Duration::from_millis(5);

/// A call costs one comparison here. Most are answered long before their time is over, so that with equal timeouts there is one look in
/// that time.
#[derive(Debug, Default)]
pub(crate) struct Expiry {
    /// No call that waits in a queue has an earlier deadline; it may be earlier than all of them.
    earliest: Option<Instant>,
    /// When the next look may be.
    not_before: Option<Instant>,
}

impl Expiry {
    /// A call was taken that has until then.
    #[inline]
    pub(crate) fn add(&mut self, deadline: Instant) {
        if self.earliest.is_none_or(|earliest| deadline < earliest) {
            self.earliest = Some(deadline);
        }
    }

    /// When the next look is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.earliest.max(self.earliest.and(self.not_before))
    }

    /// It was looked; of the calls that still wait none has an earlier deadline than `earliest`.
    pub(crate) fn looked(&mut self, now: Instant, earliest: Option<Instant>) {
        self.earliest = earliest;
        self.not_before = Some(now + PACE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_deadline_says_when_to_look() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut expiry = Expiry::default();
        assert_eq!(expiry.next(), None);
        expiry.add(now + 2 * second);
        expiry.add(now + second);
        expiry.add(now + 3 * second);
        assert_eq!(expiry.next(), Some(now + second));
        expiry.looked(now + second, Some(now + 3 * second));
        assert_eq!(expiry.next(), Some(now + 3 * second));
        expiry.looked(now + 3 * second, None);
        assert_eq!(expiry.next(), None, "nothing waits");
    }

    #[test]
    fn short_timeouts_do_not_make_it_look_more_often() {
        let now = Instant::now();
        let mut expiry = Expiry::default();
        expiry.looked(now, None);
        assert_eq!(expiry.next(), None);
        expiry.add(now);
        assert_eq!(expiry.next(), Some(now + PACE));
    }
}
