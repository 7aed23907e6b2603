//! Whether a call's time is over, asked before every call. What the system calls the coarse clock costs a fifth of the exact one, which is
//! a good part of what a small call costs altogether.

use std::time::Duration;

use tokio::time::Instant;

/// A deadline that is nearer than this is held against the exact clock. The coarse one stands still for some milliseconds at a time, and
/// for longer when the machine is taken away from us.
const NEAR: Duration = Duration::from_secs(1);

/// The time of one turn.
#[derive(Debug)]
pub(crate) struct TurnClock {
    /// As of `tick`.
    now: Instant,
    tick: Tick,
}

impl TurnClock {
    /// A turn begins.
    pub(crate) fn new() -> TurnClock {
        TurnClock { tick: Tick::now(), now: Instant::now() }
    }

    /// Whether this moment has passed.
    #[inline]
    pub(crate) fn is_past(&mut self, deadline: Instant) -> bool {
        if deadline > self.now + NEAR && self.tick.is_still() {
            return false;
        }
        *self = TurnClock::new();
        deadline <= self.now
    }
}

/// One step of the coarse clock. Where there is none, no step is like another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg(target_os = "linux")]
struct Tick(rustix::time::Timespec);

#[cfg(target_os = "linux")]
impl Tick {
    #[inline]
    fn now() -> Tick {
        Tick(rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse))
    }

    #[inline]
    fn is_still(self) -> bool {
        self == Tick::now()
    }
}

#[cfg(not(target_os = "linux"))]
#[derive(Clone, Copy, Debug)]
struct Tick;

#[cfg(not(target_os = "linux"))]
impl Tick {
    fn now() -> Tick {
        Tick
    }

    fn is_still(self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn near_and_far_deadlines_pass_when_their_time_comes() {
        let mut clock = TurnClock::new();
        let (near, far) = (Instant::now() + Duration::from_millis(5), Instant::now() + Duration::from_secs(30));
        assert!(!clock.is_past(near) && !clock.is_past(far));
        tokio::time::advance(Duration::from_millis(5)).await;
        assert!(clock.is_past(near));
        // Time that a test moves on passes between turns only.
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(TurnClock::new().is_past(far));
    }
}
