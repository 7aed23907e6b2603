//! What a daemon has at the moment, in numbers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::daemon::daemon::{Daemon, Inner};
use crate::daemon::instances::Family;
use crate::object::description::DAEMON_ID;

/// What a daemon has at the moment. Where nobody calls it any more, all but [`objects`](Usage::objects) go back to nothing, some of them after
/// half a minute in which their users may come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// Objects, without instances, and without the one that tells about the daemon.
    pub objects: u64,
    /// Instances of objects of which sessions or calls have their own, and active ones of those with keys.
    pub instances: u64,
    /// Calls that wait in the queues of all of these.
    pub waiting: u64,
    /// Connections, counted from the first byte on.
    pub connections: u64,
    /// Objects that connections have open, once for each of them.
    pub opened: u64,
    /// Sessions of clients that make calls which run once: those that are connected, and those whose replies are still kept.
    pub sessions: u64,
    /// Connections that have lost their streams and may go on over others.
    pub suspended: u64,
    /// Clients that host objects and are reached through this daemon.
    pub relayed: u64,
}

impl Daemon {
    /// What it has at the moment. `Pyro.Daemon` tells others, by its method `usage`.
    ///
    /// ```no_run
    /// # fn example(daemon: pyroxene::Daemon) {
    /// let usage = daemon.usage();
    /// println!("{} calls wait in the queues of {} objects", usage.waiting, usage.objects + usage.instances);
    /// # }
    /// ```
    pub fn usage(&self) -> Usage {
        self.0.usage()
    }
}

impl Inner {
    pub(crate) fn usage(&self) -> Usage {
        let placed: Vec<_> = self.objects().all().filter(|placed| **placed.entry.id() != *DAEMON_ID).cloned().collect();
        let instances: Vec<_> =
            placed.iter().filter_map(|placed| placed.family.as_ref()).flat_map(Family::entries).collect();
        let waiting =
            placed.iter().map(|placed| &placed.entry).chain(&instances).map(|entry| entry.waiting() as u64).sum();
        let now = Instant::now();
        Usage {
            objects: placed.len() as u64,
            instances: instances.len() as u64,
            waiting,
            connections: (self.config.limits.connections as usize).saturating_sub(self.places.available_permits())
                as u64,
            opened: Arc::strong_count(&self.opened).saturating_sub(1) as u64,
            sessions: self.sessions.tidy(now) as u64,
            suspended: self.sessions.tickets.suspended() as u64,
            relayed: self.relays.tidy(now) as u64,
        }
    }
}
