//! How long to wait before the next attempt.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::{RngExt, SeedableRng};

/// Pauses that grow with each failure, and differ by chance: those who failed together do not come back together.
pub(crate) struct Backoff(Mutex<rand::rngs::StdRng>);

impl Backoff {
    pub(crate) fn new(seed: u64) -> Backoff {
        Backoff(Mutex::new(rand::rngs::StdRng::seed_from_u64(seed)))
    }

    /// The pause after so many failures: doubled with each, from the first to the most (milliseconds). Half of it is chance.
    pub(crate) fn pause(&self, (first, most): (u32, u32), failures: u32) -> Duration {
        let full = u64::from(first).saturating_mul(1 << failures.saturating_sub(1).min(16)).min(most.into());
        let random: f64 = self.0.lock().unwrap_or_else(PoisonError::into_inner).random();
        Duration::from_micros((full as f64 * (0.5 + random / 2.0) * 1000.0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_their_limit_and_differ() {
        let backoff = Backoff::new(7);
        for (failures, full) in [(1, 10), (2, 20), (5, 160), (8, 1_000), (u32::MAX, 1_000)] {
            let pause = backoff.pause((10, 1_000), failures);
            assert!((full / 2..=full).contains(&(pause.as_millis() as u64)), "{failures}: {pause:?}");
        }
        assert_ne!(backoff.pause((10, 1_000), 8), backoff.pause((10, 1_000), 8));
    }
}
