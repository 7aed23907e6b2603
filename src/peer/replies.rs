//! The replies that are kept for a session: a plain table, no IO, time handed in.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::wire::Limits;

/// Calls with a key, by the sequence number in it. Whatever is forgotten, none of them is ever said to be new twice: below `floor` what is not
/// in the table is no longer known.
#[derive(Debug)]
pub(crate) struct Replies<W> {
    calls: BTreeMap<u64, Call<W>>,
    /// Those that have ended, and when; the first one first.
    kept: VecDeque<(u64, Instant)>,
    /// Bytes of their replies.
    bytes: usize,
    floor: u64,
    most: usize,
    most_bytes: usize,
    age: Duration,
}

#[derive(Debug)]
enum Call<W> {
    /// Waits in a queue or runs, and these wait for its end.
    Open(Vec<W>),
    Ended(Bytes),
}

/// What becomes of a call with a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission<W> {
    /// It is new.
    Run,
    /// It is on its way already: the one who waits now waits for that.
    Joined,
    /// It has ended so.
    Ended(Bytes, W),
    /// Nobody knows any more.
    Forgotten(W),
    /// Too many are on their way.
    Full(W),
}

impl<W> Replies<W> {
    pub(crate) fn new(limits: &Limits) -> Replies<W> {
        Replies {
            calls: BTreeMap::new(),
            kept: VecDeque::new(),
            bytes: 0,
            floor: 0,
            most: limits.session_replies as usize,
            most_bytes: limits.session_bytes as usize,
            age: Duration::from_millis(limits.session_ms.into()),
        }
    }

    /// A call has come whose caller needs nothing below `done` any more.
    pub(crate) fn begin(&mut self, sequence: u64, done: u64, waiter: W, now: Instant) -> Admission<W> {
        self.forget(done, now);
        let open = self.calls.len() - self.kept.len();
        match self.calls.get_mut(&sequence) {
            Some(Call::Open(waiters)) => {
                waiters.push(waiter);
                Admission::Joined
            }
            Some(Call::Ended(reply)) => Admission::Ended(reply.clone(), waiter),
            None if sequence < self.floor => Admission::Forgotten(waiter),
            None if open >= self.most => Admission::Full(waiter),
            None => {
                self.calls.insert(sequence, Call::Open(vec![waiter]));
                Admission::Run
            }
        }
    }

    /// A call has ended with this reply; without one it did not run, and may come again. Returns those who wait for it.
    pub(crate) fn end(&mut self, sequence: u64, reply: Option<Bytes>, now: Instant) -> Vec<W> {
        let Some(Call::Open(waiters)) = self.calls.get_mut(&sequence) else { return Vec::new() };
        let waiters = std::mem::take(waiters);
        self.calls.remove(&sequence);
        if let Some(reply) = reply
            && sequence >= self.floor
        {
            self.bytes += reply.len();
            self.calls.insert(sequence, Call::Ended(reply));
            self.kept.push_back((sequence, now));
            while self.kept.len() > self.most || self.bytes > self.most_bytes {
                self.forget_oldest();
            }
        }
        waiters
    }

    /// Whether one of those who wait for the call is such.
    pub(crate) fn is_awaited(&self, sequence: u64, by: impl FnMut(&W) -> bool) -> bool {
        match self.calls.get(&sequence) {
            Some(Call::Open(waiters)) => waiters.iter().any(by),
            _ => false,
        }
    }

    /// What its caller needs no more, and what is too old.
    fn forget(&mut self, done: u64, now: Instant) {
        if done > self.floor {
            self.floor = done;
            let (calls, bytes) = (&mut self.calls, &mut self.bytes);
            self.kept.retain(|(sequence, _)| {
                let keeps = *sequence >= done;
                if !keeps && let Some(Call::Ended(reply)) = calls.remove(sequence) {
                    *bytes -= reply.len();
                }
                keeps
            });
        }
        while self.kept.front().is_some_and(|(_, ended)| now.duration_since(*ended) >= self.age) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((sequence, _)) = self.kept.pop_front() {
            if let Some(Call::Ended(reply)) = self.calls.remove(&sequence) {
                self.bytes -= reply.len();
            }
            self.floor = self.floor.max(sequence.saturating_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replies(most: u32, most_bytes: u32) -> Replies<u8> {
        let limits = Limits { session_replies: most, session_bytes: most_bytes, ..Limits::default() };
        Replies::new(&limits)
    }

    fn reply(text: &'static str) -> Option<Bytes> {
        Some(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_repeat_joins_the_call_and_then_has_its_reply() {
        let (now, mut replies) = (Instant::now(), replies(8, 100));
        assert_eq!(replies.begin(1, 1, 10, now), Admission::Run);
        assert_eq!(replies.begin(1, 1, 11, now), Admission::Joined);
        assert!(replies.is_awaited(1, |waiter| *waiter == 11));
        assert_eq!(replies.end(1, reply("done"), now), [10, 11]);
        assert_eq!(replies.end(1, reply("again"), now), [0; 0]);
        assert_eq!(replies.begin(1, 1, 12, now), Admission::Ended("done".into(), 12));
    }

    #[test]
    fn what_did_not_run_may_come_again() {
        let (now, mut replies) = (Instant::now(), replies(8, 100));
        assert_eq!(replies.begin(1, 1, 10, now), Admission::Run);
        assert_eq!(replies.end(1, None, now), [10]);
        assert_eq!(replies.begin(1, 1, 11, now), Admission::Run);
    }

    #[test]
    fn what_its_caller_has_done_with_is_neither_kept_nor_new() {
        let (now, mut replies) = (Instant::now(), replies(8, 100));
        for sequence in [1, 2] {
            assert_eq!(replies.begin(sequence, 1, 0, now), Admission::Run);
        }
        replies.end(1, reply("one"), now);
        assert_eq!(replies.begin(3, 3, 0, now), Admission::Run);
        assert_eq!((replies.bytes, replies.kept.len()), (0, 0));
        assert_eq!(replies.begin(1, 1, 9, now), Admission::Forgotten(9));
        // One that runs goes on, and its reply is not kept.
        assert_eq!(replies.begin(2, 1, 8, now), Admission::Joined);
        assert_eq!(replies.end(2, reply("two"), now), [0, 8]);
        assert_eq!(replies.begin(2, 1, 9, now), Admission::Forgotten(9));
    }

    #[test]
    fn what_is_kept_has_limits_and_what_is_forgotten_never_runs_again() {
        let (now, mut replies) = (Instant::now(), replies(2, 10));
        for sequence in 1..=3 {
            assert_eq!(replies.begin(sequence, 0, 0, now), Admission::Run);
            replies.end(sequence, reply("four"), now);
        }
        assert_eq!(replies.begin(1, 0, 9, now), Admission::Forgotten(9), "there is room for two");
        assert_eq!(replies.begin(2, 0, 9, now), Admission::Ended("four".into(), 9));
        assert_eq!(replies.begin(4, 0, 0, now), Admission::Run);
        replies.end(4, reply("seven b"), now);
        assert_eq!(replies.begin(3, 0, 9, now), Admission::Forgotten(9), "there is room for ten bytes");
        assert_eq!(replies.begin(5, 0, 0, now), Admission::Run);
        replies.end(5, reply("more than all of it"), now);
        assert_eq!(replies.begin(5, 0, 9, now), Admission::Forgotten(9));
        assert_eq!((replies.bytes, replies.calls.len()), (0, 0));
    }

    #[test]
    fn what_is_kept_is_forgotten_in_time() {
        let (now, mut replies) = (Instant::now(), replies(8, 100));
        assert_eq!(replies.begin(1, 0, 0, now), Admission::Run);
        replies.end(1, reply("done"), now);
        let later = now + Duration::from_secs(599);
        assert_eq!(replies.begin(1, 0, 9, later), Admission::Ended("done".into(), 9));
        let later = now + Duration::from_secs(600);
        assert_eq!(replies.begin(1, 0, 9, later), Admission::Forgotten(9));
    }

    #[test]
    fn too_many_at_once_are_told_so() {
        let (now, mut replies) = (Instant::now(), replies(1, 100));
        assert_eq!(replies.begin(1, 0, 0, now), Admission::Run);
        assert_eq!(replies.begin(2, 0, 7, now), Admission::Full(7));
        replies.end(1, reply("done"), now);
        assert_eq!(replies.begin(2, 0, 7, now), Admission::Run);
    }

    /// Calls, repeats and ends in any order, with little room: however much is forgotten, no number runs once it has run.
    #[test]
    fn no_number_that_ran_is_ever_new() {
        use rand::{RngExt, SeedableRng};
        for seed in 0..200 {
            let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
            let (mut now, mut replies) = (Instant::now(), replies(3, 12));
            let (mut ran, mut open, mut done) = (std::collections::BTreeSet::new(), Vec::new(), 0);
            for _ in 0..500 {
                let sequence = done + rng.random_range(0..12);
                if replies.begin(sequence, done, 0, now) == Admission::Run {
                    assert!(!ran.contains(&sequence), "seed {seed}: {sequence} is new again");
                    open.push(sequence);
                }
                if !open.is_empty() && rng.random_range(0..3) > 0 {
                    let sequence = open.swap_remove(rng.random_range(0..open.len()));
                    let runs = rng.random_range(0..4) > 0;
                    if runs {
                        ran.insert(sequence);
                    }
                    replies.end(sequence, runs.then(|| Bytes::from(vec![0; rng.random_range(0..8)])), now);
                }
                done += rng.random_range(0..2);
                now += Duration::from_secs(rng.random_range(0..100));
                let kept: usize =
                    replies.calls.values().map(|call| if let Call::Ended(r) = call { r.len() } else { 0 }).sum();
                assert_eq!(
                    (replies.bytes, replies.calls.len()),
                    (kept, replies.kept.len() + open.len()),
                    "seed {seed}"
                );
                assert!(replies.kept.len() <= 3 && kept <= 12);
            }
        }
    }
}
