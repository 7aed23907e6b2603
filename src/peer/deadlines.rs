//! The deadlines of the calls in flight: plain bookkeeping, time handed in.
//!
//! Most calls are answered long before their time is over, so keeping all deadlines in order would be in vain. After a look at all calls, the
//! next few are, and of the others it is known before when none of them is.

use tokio::time::Instant;

/// Deadlines that a look at all calls puts in order: so many, or an eighth of all.
const ORDERED: usize = 64;
const PART: usize = 8;

/// Which calls may be out of time next. A call costs one comparison here.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    /// The next ones, the latest of them first. Their calls may have ended since.
    next: Vec<(Instant, u16)>,
    /// How many they were after the last look; they may become twice as many.
    ordered: usize,
    /// No other call has an earlier one, and none of these has a later one.
    others: Option<Instant>,
}

impl Deadlines {
    /// The call at this place has time until then.
    #[inline]
    pub(crate) fn add(&mut self, at: Instant, seq: u16) {
        if self.others.is_none_or(|others| at < others) {
            self.keep(at, seq);
        }
    }

    #[cold]
    fn keep(&mut self, at: Instant, seq: u16) {
        if self.next.is_empty() {
            // It stands for all that come, which have more time as a rule.
            self.others = Some(at);
            return;
        }
        let place = self.next.partition_point(|(other, _)| *other > at);
        self.next.insert(place, (at, seq));
        if self.next.len() > 2 * self.ordered.max(ORDERED) {
            self.others = Some(self.next.remove(0).0);
        }
    }

    /// When the next call may be out of time.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.next.last().map(|(at, _)| *at).or(self.others)
    }

    /// A call whose time is over now, if it still waits and this is its deadline.
    pub(crate) fn due(&mut self, now: Instant) -> Option<(Instant, u16)> {
        self.next.pop_if(|(at, _)| *at <= now)
    }

    /// Whether all calls have to be looked at.
    pub(crate) fn are_unknown(&self, now: Instant) -> bool {
        self.next.is_empty() && self.others.is_some_and(|others| others <= now)
    }

    /// These are the deadlines of all calls that wait.
    pub(crate) fn know(&mut self, mut all: Vec<(Instant, u16)>) {
        self.others = None;
        let most = (all.len() / PART).max(ORDERED);
        if all.len() > most {
            let (_, first_other, _) = all.select_nth_unstable(most);
            self.others = Some(first_other.0);
            all.truncate(most);
        }
        self.ordered = all.len();
        all.sort_unstable_by(|one, other| other.cmp(one));
        self.next = all;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// Calls that wait, and how often all of them were looked at.
    struct Calls {
        start: Instant,
        waiting: BTreeMap<u16, Instant>,
        deadlines: Deadlines,
        looks: usize,
    }

    impl Calls {
        fn new() -> Calls {
            Calls { start: Instant::now(), waiting: BTreeMap::new(), deadlines: Deadlines::default(), looks: 0 }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn begin(&mut self, seq: u16, ms: u64) {
            let at = self.at(ms);
            self.waiting.insert(seq, at);
            self.deadlines.add(at, seq);
        }

        /// Those whose time is over.
        fn expire(&mut self, now: Instant) -> Vec<u16> {
            let mut over = Vec::new();
            while let Some((at, seq)) = self.deadlines.due(now) {
                if self.waiting.get(&seq) == Some(&at) {
                    self.waiting.remove(&seq);
                    over.push(seq);
                }
            }
            if self.deadlines.are_unknown(now) {
                self.looks += 1;
                over.extend(self.waiting.iter().filter(|(_, at)| **at <= now).map(|(seq, _)| *seq));
                self.waiting.retain(|_, at| *at > now);
                self.deadlines.know(self.waiting.iter().map(|(seq, at)| (*at, *seq)).collect());
            }
            over.sort_unstable();
            over
        }
    }

    #[test]
    fn many_deadlines_that_differ_take_few_looks_at_all_calls() {
        let mut calls = Calls::new();
        for seq in 0..10_000 {
            calls.begin(seq, (u64::from(seq) * 7_919) % 10_000 + 1);
        }
        let mut over = 0;
        while let Some(at) = calls.deadlines.next() {
            over += calls.expire(at).len();
        }
        assert_eq!(over, 10_000);
        assert!(calls.looks <= 60, "{} looks", calls.looks);
    }

    #[test]
    fn calls_of_which_each_has_as_much_time_are_looked_at_once_in_that_time() {
        let mut calls = Calls::new();
        for ms in 0..60_000_u64 {
            // Each is answered at once.
            calls.begin((ms % 8) as u16, ms + 30_000);
            calls.waiting.clear();
            let now = calls.at(ms);
            if calls.deadlines.next().is_some_and(|next| next <= now) {
                assert!(calls.expire(now).is_empty());
            }
        }
        assert!(calls.looks <= 2, "{} looks", calls.looks);
    }

    proptest! {
        /// Whatever calls begin and end in between, each that waits is told at its deadline, and no earlier.
        #[test]
        fn each_call_is_told_when_its_time_is_over(
            steps in prop::collection::vec((0..40_u16, 1..500_u64, any::<bool>(), 0..20_u64), 1..600),
        ) {
            let mut calls = Calls::new();
            let mut ms = 0;
            for (seq, time, ends, pause) in steps {
                if ends {
                    calls.waiting.remove(&seq);
                } else if !calls.waiting.contains_key(&seq) {
                    calls.begin(seq, ms + time);
                }
                for _ in 0..pause {
                    ms += 1;
                    let now = calls.at(ms);
                    let due: Vec<u16> =
                        calls.waiting.iter().filter(|(_, at)| **at <= now).map(|(seq, _)| *seq).collect();
                    if calls.deadlines.next().is_none_or(|next| next > now) {
                        prop_assert!(due.is_empty(), "nobody looks, and {due:?} are over");
                        continue;
                    }
                    prop_assert_eq!(calls.expire(now), due);
                }
            }
        }
    }
}
