//! When leases run out: [`LeaseQueue`].
//!
//! A renewal does not move a lease in the queue; it is looked at when it would have ended without one, and put back if it was
//! renewed. So renewing all leases of a daemon costs nothing per name, and each lease is touched once in its duration.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use pyroxene::naming::Name;

/// How long a lease may be; longer ones are cut to this.
pub const LONGEST_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a name lives without being renewed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    duration: Duration,
    renewed: Instant,
    due: Instant,
}

impl Lease {
    /// The lease starts anew.
    pub(super) fn renew(&mut self, now: Instant) {
        self.renewed = self.renewed.max(now);
    }

    /// When the lease ends, if the owner last renewed all of its leases at `owner_renewed`.
    fn ends(&self, owner_renewed: Option<Instant>) -> Instant {
        self.renewed.max(owner_renewed.unwrap_or(self.renewed)) + self.duration
    }
}

/// The leases by the time they have to be looked at. Whoever holds a [`Lease`] gives it back, or has it taken by `pop_due`.
#[derive(Debug, Default)]
pub(super) struct LeaseQueue {
    due: BTreeSet<(Instant, Name)>,
}

impl LeaseQueue {
    /// A lease that begins now.
    pub(super) fn begin(&mut self, name: &Name, duration: Duration, now: Instant) -> Lease {
        let duration = duration.min(LONGEST_LEASE);
        let lease = Lease { duration, renewed: now, due: now + duration };
        self.due.insert((lease.due, name.clone()));
        lease
    }

    /// The lease is over because its name is.
    pub(super) fn end(&mut self, name: &Name, lease: &Lease) {
        self.due.remove(&(lease.due, name.clone()));
    }

    /// Takes a name whose lease has to be looked at by now; [`LeaseQueue::has_ended`] does so.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Name> {
        match self.due.first() {
            Some((due, _)) if *due <= now => self.due.pop_first().map(|(_, name)| name),
            _ => None,
        }
    }

    /// Whether a lease that was due has ended; if it was renewed in the meantime, it is back in the queue.
    pub(super) fn has_ended(
        &mut self,
        name: &Name,
        lease: &mut Lease,
        owner_renewed: Option<Instant>,
        now: Instant,
    ) -> bool {
        lease.due = lease.ends(owner_renewed);
        let ended = lease.due <= now;
        if !ended {
            self.due.insert((lease.due, name.clone()));
        }
        ended
    }

    /// When the next lease has to be looked at; it may turn out to have been renewed.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }
}
