//! Objects of one name that are told apart by a key: active while they are used, passive in a store while they are not.

mod directory;
pub(crate) mod object;
mod passivation;
mod roster;
mod snapshot;
mod spawn;
mod store;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use actix::Recipient;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use crate::daemon::daemon::{Daemon, Inner};
use crate::daemon::entry::Entry;
use crate::daemon::instances::Family;
use crate::daemon::keyed::object::KeyedObject;
use crate::daemon::keyed::roster::Roster;
use crate::daemon::keyed::snapshot::TakeSnapshot;
use crate::daemon::objects::Placed;
use crate::daemon::own::Home;
use crate::daemon::restart::Restart;
use crate::daemon::state::State;
use crate::daemon::strategy::Strategy;
use crate::daemon::supervisor::{Begin, Forget, Start, Supervise};
use crate::object::local::LocalObject;
use crate::object::outcome::NotStarted;
use crate::object::panic;
use crate::uri::ObjectId;

pub use directory::DirectoryStore;
pub use snapshot::Snapshot;
pub use spawn::SpawnKeyed;
pub use store::{MemoryStore, SnapshotStore, StoreFuture};

/// After how long a caller that found no room may try again, milliseconds.
const RETRY_MS: u32 = 100;
/// Snapshots that are written at a time.
const SAVES: usize = 16;

/// The objects of one name.
pub(crate) struct Keyed {
    /// What all of them are called, who may call them, and whether there may be new ones. It has no actor.
    common: Arc<Entry>,
    settings: Settings,
    make: Make,
    /// None once there are to be no such objects any more.
    store: Mutex<Option<Arc<dyn SnapshotStore>>>,
    roster: Mutex<Roster<Arc<Active>>>,
    /// Something may be due earlier than was known.
    changed: Arc<Notify>,
    saves: Semaphore,
    daemon: Weak<Inner>,
    /// Where they are looked after.
    runtime: Handle,
    this: Weak<Keyed>,
}

/// What was said when they were hosted.
pub(crate) struct Settings {
    idle: Duration,
    save_within: Duration,
    /// How long calls get to end when there are to be no such objects any more.
    drain: Duration,
    at_most: usize,
    policy: Restart,
    keys: Option<Keys>,
}

type Keys = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// Makes the actor of an object of its snapshot, on the thread that this is called on.
type Make = Box<dyn Fn(&Arc<Active>, Option<Vec<u8>>) -> Result<(), String> + Send + Sync>;

/// One of the objects that are active.
pub(crate) struct Active {
    entry: Arc<Entry>,
    /// The part of its id behind the name.
    key: Box<str>,
    /// Where it runs, once it does.
    seat: AtomicUsize,
    /// One writes its snapshot at a time.
    saving: tokio::sync::Mutex<()>,
    /// Calls that were given to it and are not in its queue yet.
    coming: AtomicUsize,
    /// The actor that has its state.
    actor: Mutex<Option<Recipient<TakeSnapshot>>>,
}

/// An object that is about to be given a call, or several.
struct Coming(Arc<Active>);

impl Keyed {
    fn new(
        daemon: &Daemon,
        common: &Arc<Entry>,
        settings: Settings,
        store: Arc<dyn SnapshotStore>,
        make: Make,
    ) -> Arc<Keyed> {
        let keyed = Arc::new_cyclic(|this| Keyed {
            common: Arc::clone(common),
            roster: Mutex::new(Roster::new(settings.at_most)),
            settings,
            make,
            store: Mutex::new(Some(store)),
            changed: Arc::default(),
            saves: Semaphore::new(SAVES),
            daemon: Arc::downgrade(&daemon.0),
            runtime: daemon.0.runtime.clone(),
            this: Weak::clone(this),
        });
        keyed.runtime.spawn(passivation::look_after(Weak::clone(&keyed.this), Arc::clone(&keyed.changed)));
        keyed
    }

    /// The object with this key, as callers find it; `None` if there cannot be one.
    pub(crate) fn object(self: &Arc<Self>, key: &str) -> Option<Arc<KeyedObject>> {
        let id = ObjectId::new(&format!("{}.{key}", self.common.id())).ok()?;
        // What cannot be judged is none.
        let judge = |is_key: &Keys| panic::guard(|| is_key(key)).unwrap_or(false);
        let is_key = self.settings.keys.as_ref().is_none_or(judge);
        is_key.then(|| Arc::new(KeyedObject::new(Arc::clone(self), Arc::from(id.as_str()))))
    }

    /// What can be said of the object with this key now.
    pub(crate) fn place(self: &Arc<Self>, key: &str) -> Option<Placed> {
        let object = self.object(key)?;
        let active = self.lock().find(object.id()).cloned();
        let (entry, seat) = match active {
            Some(active) => (Arc::clone(&active.entry), active.seat.load(Ordering::Relaxed)),
            None => {
                let entry = self.entry(object.id())?;
                entry.rest();
                (entry, 0)
            }
        };
        Some(Placed { entry, seat, family: Some(Family::Key(object)), owner: None })
    }

    /// Where the object with this key runs, if it does.
    pub(crate) fn seat(&self, key: &str) -> Option<usize> {
        let id = format!("{}.{key}", self.common.id());
        self.lock().find(&id).map(|active| active.seat.load(Ordering::Relaxed))
    }

    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        self.lock().all().map(|(_, active)| Arc::clone(&active.entry)).collect()
    }

    /// The object with this id is called: it is active from now on.
    ///
    /// # Errors
    /// There is no room for it, or there are to be no new ones.
    fn called(&self, id: &Arc<str>) -> Result<Coming, NotStarted> {
        let now = Instant::now();
        let mut roster = self.lock();
        if let Some((active, earlier)) = roster.called(id, now) {
            let coming = Coming::new(active);
            drop(roster);
            if earlier {
                self.changed.notify_one();
            }
            return Ok(coming);
        }
        let gone = || NotStarted::Draining { what: self.common.label().to_string() };
        self.common.refuses().map_or(Ok(()), Err)?;
        let daemon = self.daemon.upgrade().ok_or_else(gone)?;
        let leaving = if roster.is_full() {
            let oldest = if roster.is_crowded() { None } else { roster.oldest(now, |active| active.is_idle()) };
            Some(oldest.ok_or_else(|| self.full())?)
        } else {
            None
        };
        let entry = self.entry(id).ok_or_else(gone)?;
        let key = id.get(self.common.id().len() + 1..).unwrap_or_default().into();
        let active = Arc::new(Active::new(entry, key));
        let coming = Coming::new(Arc::clone(&active));
        let runs = roster.insert(active.entry.id(), Arc::clone(&active), now);
        drop(roster);
        self.changed.notify_one();
        if runs {
            self.begin(&daemon, &active);
        }
        if let Some(id) = leaving {
            self.passivate_soon(id);
        }
        Ok(coming)
    }

    /// What stays of an object while its actors come and go.
    fn entry(&self, id: &Arc<str>) -> Option<Arc<Entry>> {
        let (daemon, home) = (Daemon(self.daemon.upgrade()?), ObjectId::new(id).ok()?);
        let entry =
            Entry::new(Arc::clone(id), None, self.common.what(), self.common.capacity(), Arc::clone(&daemon.0.on_loss));
        Some(Arc::new(entry.at(Home::new(&daemon, &home))))
    }

    /// Makes its actor. Calls wait in its queue meanwhile.
    fn begin(&self, daemon: &Inner, active: &Arc<Active>) {
        let (keyed, made) = (Weak::clone(&self.this), Arc::clone(active));
        let start: Start = Arc::new(move || {
            let (keyed, active) = (Weak::clone(&keyed), Arc::clone(&made));
            drop(actix_rt::spawn(async move {
                if let Some(keyed) = keyed.upgrade() {
                    keyed.activate(&active).await;
                }
            }));
            Ok(())
        });
        let seat = daemon.placement.choose();
        active.seat.store(seat, Ordering::Relaxed);
        let placed = Placed { entry: Arc::clone(&active.entry), seat, family: None, owner: None };
        let (policy, strategy) = (self.settings.policy.clone(), Strategy::OneForOne);
        daemon.supervisor.do_send(Supervise { placed, start: Some(start), policy, strategy });
        daemon.supervisor.do_send(Begin(Arc::clone(active.entry.id())));
    }

    /// Makes its actor of what the store has of it, on this thread.
    async fn activate(&self, active: &Arc<Active>) {
        let made = match self.load(active).await {
            Ok(kept) => (self.make)(active, kept),
            Err(problem) => Err(format!("its snapshot cannot be read: {problem}")),
        };
        if let Err(problem) = made {
            self.give_up(active, &problem);
        }
    }

    async fn load(&self, active: &Active) -> Result<Option<Vec<u8>>, String> {
        let store = self.store()?;
        store.load(active.entry.id()).await.map_err(|problem| problem.to_string())
    }

    /// It cannot be made. Those who wait are told, and the next call tries again.
    fn give_up(&self, active: &Active, problem: &str) {
        let id = active.entry.id();
        if let Some(daemon) = self.daemon.upgrade() {
            slog::warn!(daemon.config.log, "object cannot be activated"; "object" => &**id, "problem" => problem);
        }
        // There may be another one with its id since.
        let taken = self.lock().take(id, |other, _| **other == *active);
        active.entry.fail(problem);
        if taken.is_some() {
            self.left(active);
        }
    }

    /// It is not active any more: it is forgotten, and those have room who wait for it.
    fn left(&self, active: &Active) {
        self.forget(active);
        let Some(daemon) = self.daemon.upgrade() else { return };
        loop {
            let next = self.lock().next_waiting();
            match next {
                Some(active) => self.begin(&daemon, &active),
                None => return,
            }
        }
    }

    fn forget(&self, active: &Active) {
        active.end();
        if let Some(daemon) = self.daemon.upgrade() {
            daemon.supervisor.do_send(Forget(Arc::clone(&active.entry)));
        }
    }

    /// What is said when as many are in use as there may be.
    fn full(&self) -> NotStarted {
        NotStarted::Busy {
            what: format!("the room for active objects of {}", self.common.label()),
            retry_after_ms: RETRY_MS,
        }
    }

    fn store(&self) -> Result<Arc<dyn SnapshotStore>, String> {
        self.lock_store().clone().ok_or_else(|| "the daemon has ended".to_owned())
    }

    fn lock_store(&self) -> MutexGuard<'_, Option<Arc<dyn SnapshotStore>>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Roster<Arc<Active>>> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Keyed {
    fn drop(&mut self) {
        // Whoever looks after them finds nobody.
        self.changed.notify_one();
    }
}

impl Active {
    fn new(entry: Arc<Entry>, key: Box<str>) -> Active {
        let (seat, coming) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Active { entry, key, seat, saving: tokio::sync::Mutex::default(), coming, actor: Mutex::default() }
    }

    /// Nothing waits or runs, or is about to.
    fn is_settled(&self) -> bool {
        self.coming.load(Ordering::Acquire) == 0 && self.entry.is_idle()
    }

    /// The same, and nobody watches what it has.
    fn is_idle(&self) -> bool {
        self.is_settled() && !self.entry.is_observed()
    }

    /// Whether nothing would be lost with it. One that is about to start, or has failed and is judged, has to wait for that.
    fn may_leave(&self, is_saved: bool) -> bool {
        match self.entry.state() {
            State::Running | State::Draining => is_saved,
            State::Failed(_) => true,
            State::Starting | State::Gone | State::Passive => false,
        }
    }

    /// This actor has its state.
    fn begun(&self, actor: Recipient<TakeSnapshot>) {
        *self.lock() = Some(actor);
    }

    /// The actor that has its state; none while it has no state.
    fn actor(&self) -> Option<Recipient<TakeSnapshot>> {
        let has_state = matches!(self.entry.state(), State::Running | State::Draining);
        if has_state { self.lock().clone() } else { None }
    }

    /// Its actor ends.
    fn end(&self) {
        let actor = self.lock().take();
        drop(actor);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Recipient<TakeSnapshot>>> {
        self.actor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each is one of its own, whatever its id.
impl PartialEq for Active {
    fn eq(&self, other: &Active) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Coming {
    /// To be made while the roster is locked.
    fn new(active: Arc<Active>) -> Coming {
        active.coming.fetch_add(1, Ordering::AcqRel);
        Coming(active)
    }

    fn entry(&self) -> &Arc<Entry> {
        &self.0.entry
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.coming.fetch_sub(1, Ordering::AcqRel);
    }
}
