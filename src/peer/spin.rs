//! Whether a connection that has nothing to do looks again at once, instead of sleeping until the system wakes it. Plain, time handed in.
//!
//! To wake a thread on another core costs the system more than a small call does. A connection that looks for a while finds the
//! answer of a quick peer without being woken; on a core that others need it only keeps them from running. So it learns from whether it
//! paid.
//!
//! Two ends that look have a core each, so both should work at the same time. Where one finds that it waits while the other works, it
//! takes what comes in two portions.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How long it looks. Several times what a wake-up costs: many calls together take the peer as long, and a wait that ends too soon makes both
/// ends sleep in turn.
const TIME: Duration = Duration::from_micros(200);
/// How often at most it sleeps at once, one time after the other, before it tries again whether looking pays.
const MOST: u32 = 4096;

/// Replies that are worth a read and a write of their own.
const WORTH: usize = 8;
/// Of so many waits it is judged whether this end has nothing else to do while the peer works.
const WAITS: u32 = 16;
/// It has not if it looks for nothing so often in a wait, on average. Where it has, as with several connections, others run between two looks.
const IDLE: u32 = 6;
/// So much counts one wait at most: a peer that rests once shows nothing.
const LONG: u32 = 16;
/// So many portions are taken then, before it is found out anew.
const PORTIONS: u32 = 1024;

/// Whether a connection looks for more for up to 200 µs before it sleeps. Others on its thread run meanwhile.
///
/// Where both ends of a conversation have a core to themselves, calls that wait for each other become several times as fast. The price is a
/// core that is busy as long as the conversation goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spin {
    /// It sleeps at once.
    #[default]
    Off,
    /// It always looks.
    On,
    /// It looks as long as that pays, which it finds out: not where the peer answers late, nor where both share a core.
    Auto,
}

/// Looks, or sleeps.
#[derive(Debug, Default)]
pub(crate) struct Spinner {
    spin: Spin,
    /// It looks until then.
    until: Option<Instant>,
    /// Since it began to, it has looked for nothing so often. What was there at the first look would have woken it at once.
    looked: u32,
    /// Waits since it was judged last whether this end is idle in them, and how often it has looked for nothing in all of them.
    waits: u32,
    looked_in_all: u32,
    /// So many more portions are taken.
    portions: u32,
    /// So often it sleeps at once.
    asleep: u32,
    /// So often it did when looking did not pay last.
    pause: u32,
    moved: Moved,
}

/// What has happened since it was asked last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moved {
    #[default]
    Nothing,
    /// Bytes have left.
    Out,
    /// Bytes have come.
    In,
}

impl Spinner {
    pub(crate) fn new(spin: Spin) -> Spinner {
        Spinner { spin, ..Spinner::default() }
    }

    #[inline]
    pub(crate) fn note(&mut self, moved: Moved) {
        self.moved = self.moved.max(moved);
    }

    /// How many replies are taken until their callers run, of so many calls in flight. Usually all of them; but if this end has waited for
    /// the peer, half of them, so that the peer has calls again while the callers of the others run. Where all are taken at once, all come
    /// at once, and each end waits while the other works.
    #[inline]
    pub(crate) fn portion(&mut self, in_flight: impl FnOnce() -> usize) -> usize {
        if self.until.is_none() || self.portions == 0 {
            return usize::MAX;
        }
        self.portions -= 1;
        let half = in_flight().div_ceil(2);
        if half < WORTH { usize::MAX } else { half }
    }

    /// There is nothing to do: whether to look again at once.
    #[inline]
    pub(crate) fn looks(&mut self, now: impl FnOnce() -> Instant) -> bool {
        self.spin != Spin::Off && self.decide(now)
    }

    fn decide(&mut self, now: impl FnOnce() -> Instant) -> bool {
        let moved = std::mem::replace(&mut self.moved, Moved::Nothing);
        if moved == Moved::Nothing {
            let Some(until) = self.until else { return false };
            if now() < until {
                self.looked += 1;
                return true;
            }
            self.until = None;
            if self.spin == Spin::Auto {
                self.pause = (2 * self.pause).clamp(1, MOST);
                self.asleep = self.pause;
            }
            return false;
        }
        if moved == Moved::In && self.until.is_some() {
            self.learn();
        }
        if self.asleep > 0 {
            self.asleep -= 1;
            self.until = None;
            return false;
        }
        (self.until, self.looked) = (Some(now() + TIME), 0);
        true
    }

    /// What it has looked for has come.
    fn learn(&mut self) {
        if self.looked > 0 {
            self.pause /= 2;
        }
        self.waits += 1;
        self.looked_in_all += self.looked.min(LONG);
        if self.waits == WAITS {
            if self.looked_in_all >= WAITS * IDLE {
                self.portions = PORTIONS;
            }
            (self.waits, self.looked_in_all) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something moves, and then nothing for this long, or until bytes come; how often it looked.
    fn wait(spinner: &mut Spinner, now: &mut Instant, micros: u64) -> u32 {
        let end = *now + Duration::from_micros(micros);
        spinner.note(Moved::Out);
        let mut looked = 0;
        while *now < end && spinner.looks(|| *now) {
            *now += Duration::from_micros(1);
            looked += 1;
        }
        *now = end;
        spinner.note(Moved::In);
        looked
    }

    #[test]
    fn it_looks_for_an_answer_that_comes_soon() {
        let (mut spinner, mut now) = (Spinner::new(Spin::Auto), Instant::now());
        // One call, and the calls of many callers together.
        for micros in [20, 150] {
            for _ in 0..100 {
                assert_eq!(wait(&mut spinner, &mut now, micros), micros as u32);
            }
        }
    }

    #[test]
    fn it_stops_where_answers_come_late_and_finds_out_when_they_do_not_any_more() {
        let (mut spinner, mut now) = (Spinner::new(Spin::Auto), Instant::now());
        let looked: u32 = (0..10_000).map(|_| wait(&mut spinner, &mut now, 1_000)).sum();
        assert!((1_000..5_000).contains(&looked), "{looked} µs of 10 s");
        let until_it_pays = (0..10_000).take_while(|_| wait(&mut spinner, &mut now, 20) < 20).count();
        assert!(until_it_pays <= MOST as usize, "{until_it_pays}");
        let looked: u32 = (0..10_000).map(|_| wait(&mut spinner, &mut now, 20)).sum();
        assert!(looked > 190_000, "{looked}");
    }

    #[test]
    fn what_was_there_at_once_does_not_show_that_it_pays() {
        let (mut spinner, mut now) = (Spinner::new(Spin::Auto), Instant::now());
        // As on a core that both share: the peer has answered before anybody looked, or cannot while one looks.
        let looked: u32 = (0..10_000).map(|n| wait(&mut spinner, &mut now, if n % 2 == 0 { 0 } else { 1_000 })).sum();
        assert!(looked < 5_000, "{looked} µs of 5 s");
    }

    #[test]
    fn it_does_what_it_is_told() {
        let (mut on, mut off, mut now) = (Spinner::new(Spin::On), Spinner::new(Spin::Off), Instant::now());
        for _ in 0..100 {
            assert_eq!(wait(&mut on, &mut now, 1_000), TIME.as_micros() as u32);
            assert_eq!(wait(&mut off, &mut now, 1_000), 0);
        }
    }

    /// How many replies are taken of so many when they come together after a wait.
    fn portion(spinner: &mut Spinner, now: &mut Instant, micros: u64, in_flight: usize) -> usize {
        wait(spinner, now, micros);
        let taken = spinner.portion(|| in_flight).min(in_flight);
        spinner.looks(|| *now);
        taken
    }

    #[test]
    fn who_waits_for_all_of_many_calls_takes_their_replies_in_two_portions() {
        let (mut spinner, mut now) = (Spinner::new(Spin::On), Instant::now());
        for _ in 0..WAITS {
            assert_eq!(portion(&mut spinner, &mut now, 20, 64), 64, "it may have something else to do");
        }
        for _ in 0..PORTIONS / 2 {
            assert_eq!(portion(&mut spinner, &mut now, 0, 64), 32);
            assert_eq!(portion(&mut spinner, &mut now, 0, 9), 9, "two writes would cost more than they bring");
        }
        assert_eq!(portion(&mut spinner, &mut now, 0, 64), 64, "it is found out anew");
    }

    #[test]
    fn who_has_something_else_to_do_takes_all_replies_at_once() {
        let (mut spinner, mut now) = (Spinner::new(Spin::On), Instant::now());
        for n in 0..1_000 {
            // Now and then the peer rests.
            let micros = if n % 8 == 0 { 100 } else { 2 };
            assert_eq!(portion(&mut spinner, &mut now, micros, 64), 64);
        }
    }

    #[test]
    fn who_sleeps_takes_all_replies_at_once() {
        let (mut spinner, mut now) = (Spinner::new(Spin::Off), Instant::now());
        for _ in 0..100 {
            assert_eq!(portion(&mut spinner, &mut now, 20, 64), 64);
        }
    }

    #[test]
    fn who_has_never_moved_sleeps() {
        assert!(!Spinner::new(Spin::On).looks(Instant::now));
    }
}
