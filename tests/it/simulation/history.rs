//! What happened in a run, seen from outside of everything that can crash, and whether that is as promised.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::AddAssign;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::claim::Claim;

/// Names a call of the run.
pub(super) type CallId = u64;

/// Something that happened.
#[derive(Clone, Debug, Hash)]
pub(super) enum Event {
    /// A call was made through a proxy, with so much time.
    Made { call: CallId, proxy: u64, timeout_ms: u64 },
    /// It began to run.
    Began { call: CallId },
    /// It ended for its caller.
    Ended { call: CallId, claim: Claim },
    /// A oneway was sent through a proxy.
    Told { call: CallId, proxy: u64 },
    /// What became of all of them that were.
    Flushed { proxy: u64, oneways: [u64; 4] },
    /// It did not end in time.
    Overdue { call: CallId },
    /// Something was done to the network or the server.
    Fault(String),
    /// After all faults: what was found.
    Left(String),
    /// After all faults: a fresh call did not succeed in time.
    Lost(String),
}

/// The events of one run. Clones are the same history.
#[derive(Clone, Debug, Default)]
pub(super) struct History(Arc<Mutex<Vec<(Duration, Event)>>>);

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invariant {
    NeverTwice,
    NotStartedNeverRan,
    DoneRanOnce,
    InOrder,
    EndsInTime,
    OnewaysAddUp,
    NothingLeft,
    Recovers,
}

/// What did not hold.
#[derive(Debug)]
pub(super) struct Violation {
    pub(super) invariant: Invariant,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} does not hold: {}", self.invariant, self.what)
    }
}

/// How calls ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Summary {
    ran: u64,
    did_not_run: u64,
    may_have_run: u64,
    /// Oneways of which it is known what became of them, and those of which it is not.
    accounted: u64,
    unaccounted: u64,
    faults: u64,
}

impl Summary {
    /// Whether there were enough of each kind to speak of a check.
    pub(super) fn is_broad(&self) -> bool {
        self.ran > 500 && self.did_not_run > 50 && self.may_have_run > 50 && self.accounted > 50 && self.unaccounted > 5
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { ran, did_not_run, may_have_run, accounted, unaccounted, faults } = self;
        let calls = ran + did_not_run + may_have_run;
        write!(f, "{calls} calls: {ran} ran, {did_not_run} did not, {may_have_run} may have; ")?;
        write!(f, "oneways: {accounted} accounted for, {unaccounted} not; {faults} faults")
    }
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Summary) {
        self.ran += other.ran;
        self.did_not_run += other.did_not_run;
        self.may_have_run += other.may_have_run;
        self.accounted += other.accounted;
        self.unaccounted += other.unaccounted;
        self.faults += other.faults;
    }
}

impl History {
    pub(super) fn write(&self, event: Event) {
        let at = turmoil::sim_elapsed().unwrap_or_default();
        self.write_at(at, event);
    }

    /// From outside of the simulation.
    pub(super) fn write_at(&self, at: Duration, event: Event) {
        self.0.lock().unwrap().push((at, event));
    }

    pub(super) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.lock().unwrap().hash(&mut hasher);
        hasher.finish()
    }

    pub(super) fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for (_, event) in self.0.lock().unwrap().iter() {
            match event {
                Event::Ended { claim: Claim::Ran, .. } => summary.ran += 1,
                Event::Ended { claim: Claim::DidNotRun, .. } => summary.did_not_run += 1,
                Event::Ended { claim: Claim::MayHaveRun, .. } => summary.may_have_run += 1,
                Event::Flushed { oneways: [executed, failed, dropped, unknown], .. } => {
                    summary.accounted += executed + failed + dropped;
                    summary.unaccounted += unknown;
                }
                Event::Fault(_) => summary.faults += 1,
                _ => {}
            }
        }
        summary
    }

    /// # Errors
    /// The first invariant that does not hold.
    pub(super) fn check(&self) -> Result<(), Violation> {
        let events = self.0.lock().unwrap();
        let mut calls: BTreeMap<CallId, Call> = BTreeMap::new();
        let (mut began, mut told, mut flushed) = (Vec::new(), Vec::new(), Vec::new());
        let fail = |invariant, what: String| Err(Violation { invariant, what });
        for (at, event) in events.iter() {
            match event {
                Event::Made { call, proxy, timeout_ms } => {
                    let due = *at + Duration::from_millis(*timeout_ms) + Duration::from_secs(1);
                    let place = calls.len();
                    calls.insert(*call, Call { proxy: *proxy, place, due, runs: 0, claim: None, ended: None });
                }
                Event::Began { call } => {
                    began.push(*call);
                    if let Some(call) = calls.get_mut(call) {
                        call.runs += 1;
                    }
                }
                Event::Ended { call, claim } => {
                    if let Some(call) = calls.get_mut(call) {
                        (call.claim, call.ended) = (Some(*claim), Some(*at));
                    }
                }
                Event::Told { call, proxy } => told.push((*call, *proxy)),
                Event::Flushed { proxy, oneways } => flushed.push((*proxy, *oneways)),
                Event::Overdue { .. } | Event::Fault(_) | Event::Left(_) | Event::Lost(_) => {}
            }
        }
        for (id, call) in &calls {
            if call.runs > 1 {
                return fail(Invariant::NeverTwice, format!("call {id} ran {} times", call.runs));
            }
            let invariant = match call.claim {
                Some(Claim::DidNotRun) => Invariant::NotStartedNeverRan,
                _ => Invariant::DoneRanOnce,
            };
            if let Some(claim) = call.claim
                && !claim.is_true(call.runs)
            {
                return fail(invariant, format!("call {id} claims {claim:?} and ran {} times", call.runs));
            }
        }
        let mut last: BTreeMap<u64, (usize, CallId)> = BTreeMap::new();
        for id in began {
            let Some(call) = calls.get(&id) else { continue };
            if let Some((place, before)) = last.insert(call.proxy, (call.place, id))
                && place > call.place
            {
                return fail(Invariant::InOrder, format!("call {id} was made before {before} and began after it"));
            }
        }
        for (id, call) in &calls {
            match call.ended {
                Some(at) if at <= call.due => {}
                Some(at) => {
                    return fail(Invariant::EndsInTime, format!("call {id} ended at {at:?}, due at {:?}", call.due));
                }
                None => return fail(Invariant::EndsInTime, format!("call {id} never ended")),
            }
        }
        for (proxy, [executed, failed, dropped, unknown]) in flushed {
            let own = || told.iter().filter(|(_, by)| *by == proxy);
            let sent = own().count() as u64;
            let ran = own().filter(|(id, _)| calls.get(id).is_some_and(|call| call.runs > 0)).count() as u64;
            let known = executed + failed;
            if known + dropped + unknown != sent || !(known..=known + unknown).contains(&ran) {
                let said = format!("{executed} executed, {failed} failed, {dropped} dropped, {unknown} unknown");
                return fail(
                    Invariant::OnewaysAddUp,
                    format!("proxy {proxy}: {ran} of {sent} oneways ran, and {said}"),
                );
            }
        }
        for (_, event) in events.iter() {
            match event {
                Event::Left(what) => return fail(Invariant::NothingLeft, what.clone()),
                Event::Lost(what) => return fail(Invariant::Recovers, what.clone()),
                _ => {}
            }
        }
        Ok(())
    }
}

struct Call {
    proxy: u64,
    /// Its place among all calls made.
    place: usize,
    due: Duration,
    runs: usize,
    claim: Option<Claim>,
    ended: Option<Duration>,
}

/// An event a line.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, event) in self.0.lock().unwrap().iter() {
            writeln!(f, "{:>6} ms  {event:?}", at.as_millis())?;
        }
        Ok(())
    }
}
