//! How many questions are answered: [`RateLimit`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Answers to one asker in a second.
pub(super) const PER_SOURCE: u32 = 10;
/// Answers to all askers in a second. It bounds the table as well.
pub(super) const TOTAL: u32 = 200;

const SECOND: Duration = Duration::from_secs(1);

/// Counts the answers of the current second. A plain struct: whoever asks it says what time it is.
#[derive(Debug)]
pub(super) struct RateLimit {
    since: Instant,
    total: u32,
    by_source: BTreeMap<SocketAddr, u32>,
}

impl RateLimit {
    pub(super) fn new(now: Instant) -> RateLimit {
        RateLimit { since: now, total: 0, by_source: BTreeMap::new() }
    }

    /// Whether an answer may be sent to `source`; if so, it is counted.
    pub(super) fn admits(&mut self, source: SocketAddr, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= SECOND {
            *self = RateLimit::new(now);
        }
        if self.total >= TOTAL {
            return false;
        }
        let answered = self.by_source.entry(asker(source)).or_default();
        if *answered >= PER_SOURCE {
            return false;
        }
        *answered += 1;
        self.total += 1;
        true
    }
}

/// Of this machine each socket asks for itself, elsewhere each machine: what comes from there may be forged to flood somebody.
fn asker(mut source: SocketAddr) -> SocketAddr {
    if !source.ip().is_loopback() {
        source.set_port(0);
    }
    source
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn admitted(limit: &mut RateLimit, from: &str, now: Instant) -> usize {
        (0..1_000).filter(|_| limit.admits(source(from), now)).count()
    }

    #[test]
    fn one_machine_gets_its_share_and_no_more() {
        let now = Instant::now();
        let mut limit = RateLimit::new(now);
        assert_eq!(admitted(&mut limit, "192.0.2.1:1000", now), 10);
        assert_eq!(admitted(&mut limit, "192.0.2.1:2000", now), 0, "another port is the same machine");
        assert_eq!(admitted(&mut limit, "192.0.2.2:1000", now), 10);
        assert_eq!(admitted(&mut limit, "192.0.2.1:1000", now + SECOND), 10);
    }

    #[test]
    fn programs_of_this_machine_do_not_share() {
        let now = Instant::now();
        let mut limit = RateLimit::new(now);
        assert_eq!(admitted(&mut limit, "127.0.0.1:1000", now), 10);
        assert_eq!(admitted(&mut limit, "127.0.0.1:2000", now), 10);
    }

    #[test]
    fn many_sources_get_no_more_than_all_may_and_the_table_stays_small() {
        let now = Instant::now();
        let mut limit = RateLimit::new(now);
        let sources = (0..=255).flat_map(|a| (0..=255).map(move |b| SocketAddr::from(([10, 0, a, b], 9))));
        assert_eq!(sources.filter(|source| limit.admits(*source, now)).count(), 200);
        assert!(limit.by_source.len() <= 200);
        assert!(!limit.admits(source("192.0.2.1:1"), now + SECOND / 2));
        assert!(limit.admits(source("192.0.2.1:1"), now + SECOND));
    }
}
