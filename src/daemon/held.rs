//! Objects that live for as long as somebody holds them: a proxy of this process that has been connected, or a connection that has opened them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use crate::daemon::daemon::{Daemon, Inner};
use crate::daemon::entry::Entry;
use crate::object::ended::Ended;
use crate::object::interface::MethodFlags;
use crate::object::invocation::Invocation;
use crate::object::local::{LocalObject, Nameplate};
use crate::wire::Chain;

/// Such objects of one daemon, by id.
pub(crate) struct HeldObjects {
    /// How long an object lives that nobody holds: references to it may be on their way, and a connection that is lost is made anew.
    lease: Duration,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    objects: BTreeMap<Arc<str>, Place>,
    /// A task looks for those whose lease is over.
    swept: bool,
}

struct Place {
    held: Weak<Held>,
    /// Since when nobody holds it.
    since: Instant,
}

/// The hold that all share who hold one object.
struct Held {
    entry: Arc<Entry>,
    daemon: Weak<Inner>,
}

impl HeldObjects {
    pub(crate) fn new(lease: Duration) -> HeldObjects {
        HeldObjects { lease, table: Mutex::default() }
    }

    /// The object with this id lives from now on only for as long as somebody holds it.
    pub(crate) fn insert(&self, id: &Arc<str>) {
        let place = Place { held: Weak::new(), since: Instant::now() };
        self.lock().objects.insert(Arc::clone(id), place);
    }

    /// It is no more.
    pub(crate) fn remove(&self, id: &str) {
        self.lock().objects.remove(id);
    }

    /// An object, held if that is what it lives by.
    pub(crate) fn object(&self, entry: Arc<Entry>, daemon: &Arc<Inner>) -> Arc<dyn LocalObject> {
        let mut table = self.lock();
        let Some(place) = table.objects.get_mut(entry.id()) else { return Arc::new(entry) };
        if let Some(held) = place.held.upgrade() {
            return held;
        }
        let held = Arc::new(Held { entry, daemon: Arc::downgrade(daemon) });
        place.held = Arc::downgrade(&held);
        held
    }

    /// Nobody holds the object any more; says whether somebody has to look later whether that is still so.
    fn let_go(&self, id: &str, now: Instant) -> bool {
        let mut table = self.lock();
        match table.objects.get_mut(id) {
            Some(place) if place.held.strong_count() == 0 => place.since = now,
            _ => return false,
        }
        !std::mem::replace(&mut table.swept, true)
    }

    /// Those whose lease is over, and when to look again, if ever.
    fn sweep(&self, now: Instant) -> (Vec<Arc<str>>, Option<Instant>) {
        let mut table = self.lock();
        let (mut over, mut next) = (Vec::new(), None);
        for (id, place) in table.objects.iter().filter(|(_, place)| place.held.strong_count() == 0) {
            let end = place.since + self.lease;
            if end <= now {
                over.push(Arc::clone(id));
            } else {
                next = Some(next.map_or(end, |next: Instant| next.min(end)));
            }
        }
        over.iter().for_each(|id| drop(table.objects.remove(id)));
        table.swept = next.is_some();
        (over, next)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends objects whose lease is over, until there are none that nobody holds. It does not keep the daemon.
async fn sweep(daemon: Weak<Inner>) {
    loop {
        let next = {
            let Some(inner) = daemon.upgrade() else { return };
            let (over, next) = inner.held.sweep(Instant::now());
            let daemon = Daemon(inner);
            for id in &over {
                daemon.stop(id);
            }
            next
        };
        match next {
            Some(next) => tokio::time::sleep_until(next).await,
            None => return,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(inner) = self.daemon.upgrade() else { return };
        if inner.held.let_go(self.entry.id(), Instant::now()) {
            // Whatever thread this is.
            inner.runtime.spawn(sweep(Weak::clone(&self.daemon)));
        }
    }
}

impl LocalObject for Held {
    fn nameplate(&self) -> &Nameplate {
        self.entry.nameplate()
    }

    fn submit(&self, invocation: Invocation) {
        self.entry.submit(invocation);
    }

    fn submit_all(&self, invocations: &mut VecDeque<Invocation>) {
        self.entry.submit_all(invocations);
    }

    fn waits_for(&self, chain: &Chain, method: MethodFlags) -> Option<Vec<String>> {
        self.entry.waits_for(chain, method)
    }

    fn sweep(&self) -> Option<Instant> {
        LocalObject::sweep(&self.entry)
    }

    fn ended(&self) -> Receiver<Option<Ended>> {
        LocalObject::ended(&self.entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn an_object_that_nobody_holds_has_its_lease_and_no_longer() {
        let held = HeldObjects::new(LEASE);
        let id: Arc<str> = Arc::from("a");
        let start = Instant::now();
        held.insert(&id);
        assert!(held.let_go("a", start), "somebody has to look");
        assert!(!held.let_go("a", start), "once");
        assert_eq!(held.sweep(start), (vec![], Some(start + LEASE)));
        held.let_go("a", start + LEASE / 2);
        assert_eq!(held.sweep(start + LEASE), (vec![], Some(start + LEASE + LEASE / 2)), "it was held in between");
        assert_eq!(held.sweep(start + LEASE * 2), (vec![id], None));
        assert!(!held.let_go("a", start), "it is no more");
    }
}
