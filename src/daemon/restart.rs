//! When a failed object is started again: plain bookkeeping, time handed in.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use tokio::time::Instant;

/// What happens to an object that fails.
///
/// ```
/// use pyroxene::Restart;
///
/// let patient = Restart::on_failure().at_most(10).within_secs(60).backoff_ms(50..5_000);
/// let never = Restart::never();
/// assert_ne!(patient, never);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    at_most: u32,
    within: Duration,
    backoff: Range<u32>,
    pub(crate) escalates: bool,
}

impl Default for Restart {
    fn default() -> Self {
        Restart::on_failure()
    }
}

impl Restart {
    /// It is started again after a panic: at most 3 times in 5 seconds, with a pause of 100 ms that doubles up to 30 s.
    pub fn on_failure() -> Restart {
        Restart { at_most: 3, within: Duration::from_secs(5), backoff: 100..30_000, escalates: false }
    }

    /// It stays failed.
    pub fn never() -> Restart {
        Restart { at_most: 0, ..Restart::on_failure() }
    }

    /// How many failures within the period are forgiven.
    pub fn at_most(mut self, failures: u32) -> Restart {
        self.at_most = failures;
        self
    }

    /// The period, seconds.
    pub fn within_secs(mut self, secs: u32) -> Restart {
        self.within = Duration::from_secs(secs.into());
        self
    }

    /// When it has failed more often than that, it does not stay failed, but fails the object that it
    /// [belongs to](crate::daemon::spawn::Spawn::owner): that one is started again by its own policy, with all that belongs to it, or stays failed,
    /// or fails its own owner. An owner that nobody can start again, such as an actor that was exported, is spared.
    pub fn escalate(mut self) -> Restart {
        self.escalates = true;
        self
    }

    /// The pause before the first restart, and the longest one; it doubles in between. Milliseconds.
    pub fn backoff_ms(mut self, range: Range<u32>) -> Restart {
        self.backoff = range;
        self
    }
}

/// The failures of one object.
#[derive(Debug, Default)]
pub(crate) struct History(VecDeque<Instant>);

impl History {
    /// The object has failed: the pause before it is started again; `None` when it is not.
    pub(crate) fn failed(&mut self, policy: &Restart, now: Instant) -> Option<Duration> {
        self.0.retain(|then| now.saturating_duration_since(*then) < policy.within);
        if self.0.len() >= policy.at_most as usize {
            return None;
        }
        let doubled = u64::from(policy.backoff.start) << self.0.len().min(20);
        self.0.push_back(now);
        Some(Duration::from_millis(doubled.min(policy.backoff.end.max(policy.backoff.start).into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_five_seconds_are_forgiven_and_a_fourth_is_not() {
        let (policy, mut history, now) = (Restart::on_failure(), History::default(), Instant::now());
        assert_eq!(history.failed(&policy, now), Some(Duration::from_millis(100)));
        assert_eq!(history.failed(&policy, now), Some(Duration::from_millis(200)));
        assert_eq!(history.failed(&policy, now), Some(Duration::from_millis(400)));
        assert_eq!(history.failed(&policy, now), None);
    }

    #[test]
    fn old_failures_are_forgotten() {
        let (policy, mut history, now) = (Restart::on_failure().at_most(1), History::default(), Instant::now());
        assert!(history.failed(&policy, now).is_some());
        assert!(history.failed(&policy, now + Duration::from_secs(4)).is_none());
        assert!(history.failed(&policy, now + Duration::from_secs(5)).is_some());
    }

    #[test]
    fn the_pause_has_an_upper_end() {
        let policy = Restart::on_failure().at_most(100).backoff_ms(100..1_000);
        let mut history = History::default();
        let longest = (0..100).filter_map(|_| history.failed(&policy, Instant::now())).max();
        assert_eq!(longest, Some(Duration::from_secs(1)));
    }
}
