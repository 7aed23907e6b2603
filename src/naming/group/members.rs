//! The members of a group, and which of them is the next: plain bookkeeping, time handed in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::object::fnv::Fnv;

/// For how long a member that could not be reached is left out, the first time; it doubles.
const LEFT_OUT: Duration = Duration::from_millis(200);
/// It is left out no longer than that.
const LONGEST: Duration = Duration::from_secs(10);

/// How a member is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Choice {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one with the fewest calls under way.
    LeastInFlight,
    /// The same one for the same key, which has this hash.
    Key(u64),
}

/// One member of a group; `P` is how it is called.
pub(super) struct Member<P> {
    pub(super) name: String,
    pub(super) place: String,
    pub(super) proxy: P,
    hash: u64,
    in_flight: AtomicUsize,
    /// Failures in a row, and until when it is left out: milliseconds since the group was made.
    failures: AtomicU64,
    out_until: AtomicU64,
}

/// A call of a member is under way for as long as this lives.
pub(super) struct UnderWay<P>(Arc<Member<P>>);

impl<P> Member<P> {
    pub(super) fn new(name: &str, place: &str, proxy: P) -> Member<P> {
        let (name, place) = (name.to_owned(), place.to_owned());
        let hash = Fnv::of(name.as_bytes());
        let (in_flight, failures, out_until) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Member { name, place, proxy, hash, in_flight, failures, out_until }
    }

    pub(super) fn begin(self: &Arc<Self>) -> UnderWay<P> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// It took a call.
    pub(super) fn took(&self) {
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.out_until.store(0, Ordering::Relaxed);
        }
    }
}

impl<P> Drop for UnderWay<P> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The members of a group, by name.
pub(super) struct Members<P> {
    since: Instant,
    all: Vec<Arc<Member<P>>>,
}

impl<P> Members<P> {
    pub(super) fn new(now: Instant) -> Members<P> {
        Members { since: now, all: Vec::new() }
    }

    pub(super) fn all(&self) -> &[Arc<Member<P>>] {
        &self.all
    }

    /// These are the members now, each with its name and place. Those that were there are kept, with what is known of them; one at another
    /// place is another one.
    pub(super) fn set(&mut self, listed: &[(String, String)], make: impl Fn(usize) -> P) {
        let member = |(at, (name, place)): (usize, &(String, String))| {
            let known = self.all.iter().find(|member| member.name == *name && member.place == *place);
            known.map_or_else(|| Arc::new(Member::new(name, place, make(at))), Arc::clone)
        };
        let mut all: Vec<_> = listed.iter().enumerate().map(member).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        self.all = all;
    }

    /// The one to be called next, which is none of those that were tried: one that can be reached, as far as is known, or else any.
    pub(super) fn choose(
        &self,
        choice: Choice,
        turn: usize,
        tried: &[Arc<Member<P>>],
        now: Instant,
    ) -> Option<Arc<Member<P>>> {
        let now = self.millis(now);
        let untried = |member: &Arc<Member<P>>| !tried.iter().any(|tried| Arc::ptr_eq(tried, member));
        let is_out = |member: &Arc<Member<P>>| member.out_until.load(Ordering::Relaxed) > now;
        let count = self.all.len();
        let in_turn = || (0..count).map(|at| &self.all[(turn + at) % count]).filter(|member| untried(member));
        // In the order of `min_by_key` the first of equals is chosen, so turns break ties.
        let best = match choice {
            Choice::RoundRobin => {
                // Of those only that can be called, or the one behind another that is left out would have twice its share.
                let fit = || self.all.iter().filter(|member| untried(member) && !is_out(member));
                match fit().count() {
                    0 => in_turn().next(),
                    count => fit().nth(turn % count),
                }
            }
            Choice::LeastInFlight => {
                in_turn().min_by_key(|member| (is_out(member), member.in_flight.load(Ordering::Relaxed)))
            }
            Choice::Key(key) => in_turn().min_by_key(|member| (is_out(member), !mix(key ^ member.hash))),
        };
        best.cloned()
    }

    /// It could not be reached: it is left out for a while.
    pub(super) fn leave_out(&self, member: &Member<P>, now: Instant) {
        let failures = member.failures.fetch_add(1, Ordering::Relaxed).min(16) as u32;
        let pause = (LEFT_OUT * 2_u32.pow(failures)).min(LONGEST);
        member.out_until.store(self.millis(now + pause), Ordering::Relaxed);
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.since).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Spreads what differs in a few bits over all of them (the finalizer of SplitMix64).
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn members(names: &[String]) -> Members<()> {
        let mut members = Members::new(Instant::now());
        members.set(&listed(names), |_| ());
        members
    }

    fn listed(names: &[String]) -> Vec<(String, String)> {
        names.iter().map(|name| (name.clone(), "here".to_owned())).collect()
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|n| format!(":workers.w{n:02}")).collect()
    }

    fn of_key(members: &Members<()>, key: u32) -> String {
        let key = Choice::Key(Fnv::of(&key.to_be_bytes()));
        members.choose(key, 7, &[], Instant::now()).unwrap().name.clone()
    }

    #[test]
    fn each_has_its_turn_and_who_was_tried_has_none() {
        let members = members(&names(3));
        let now = Instant::now();
        let choose = |turn, tried: &[_]| members.choose(Choice::RoundRobin, turn, tried, now);
        let turns: Vec<String> = (0..4).map(|turn| choose(turn, &[]).unwrap().name.clone()).collect();
        assert_eq!(turns, [":workers.w00", ":workers.w01", ":workers.w02", ":workers.w00"]);
        let mut tried = vec![choose(1, &[]).unwrap()];
        tried.push(choose(1, &tried).unwrap());
        assert_eq!(tried[1].name, ":workers.w02");
        tried.push(choose(1, &tried).unwrap());
        assert!(choose(1, &tried).is_none());
    }

    #[test]
    fn the_one_with_the_fewest_calls_is_called_and_turns_break_ties() {
        let members = members(&names(3));
        let now = Instant::now();
        let choose = |turn| members.choose(Choice::LeastInFlight, turn, &[], now).unwrap();
        let busy = choose(0).begin();
        assert_eq!((choose(0).name.as_str(), choose(2).name.as_str()), (":workers.w01", ":workers.w02"));
        drop(busy);
        assert_eq!(choose(0).name, ":workers.w00");
    }

    #[test]
    fn one_that_cannot_be_reached_is_left_out_for_longer_and_longer() {
        let members = members(&names(2));
        let start = members.since;
        let first = Arc::clone(&members.all()[0]);
        let is_first = |now| Arc::ptr_eq(&members.choose(Choice::RoundRobin, 0, &[], now).unwrap(), &first);
        assert!(is_first(start));
        members.leave_out(&first, start);
        assert!(!is_first(start + LEFT_OUT / 2) && is_first(start + LEFT_OUT));
        members.leave_out(&first, start);
        assert!(!is_first(start + LEFT_OUT) && is_first(start + LEFT_OUT * 2));
        (0..100).for_each(|_| members.leave_out(&first, start));
        assert!(is_first(start + LONGEST));
        let other = Arc::clone(&members.all()[1]);
        members.leave_out(&other, start);
        assert!(members.choose(Choice::RoundRobin, 0, &[], start).is_some(), "any is better than none");
        first.took();
        assert!(is_first(start));
    }

    #[test]
    fn who_stays_is_kept_and_who_has_moved_is_another_one() {
        let mut members = members(&names(2));
        let before = members.all().to_vec();
        let mut now = listed(&names(3));
        now[1].1 = "elsewhere".to_owned();
        members.set(&now, |_| ());
        assert!(Arc::ptr_eq(&members.all()[0], &before[0]) && !Arc::ptr_eq(&members.all()[1], &before[1]));
        assert_eq!(members.all().len(), 3);
    }

    proptest! {
        /// When one comes, keys move to it only; when it goes, only its own move; and each has its share.
        #[test]
        fn keys_stay_where_they_are(count in 2_usize..12, comes in 0_usize..12) {
            let all = names(count + 1);
            let comes = comes % all.len();
            let mut without = all.clone();
            let new = without.remove(comes);
            let (before, after) = (members(&without), members(&all));
            let mut shares = BTreeMap::<String, usize>::new();
            for key in 0..2_000 {
                let (was, is) = (of_key(&before, key), of_key(&after, key));
                prop_assert!(was == is || is == new, "{key} moved from {was} to {is}");
                *shares.entry(is).or_default() += 1;
            }
            let fair = 2_000 / all.len();
            prop_assert_eq!(shares.len(), all.len());
            prop_assert!(shares.values().all(|share| (fair / 2..=fair * 2).contains(share)), "{shares:?}");
        }
    }
}
