//! An instance for each session.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use crate::daemon::entry::Entry;
use crate::daemon::instances::Blueprint;
use crate::daemon::instances::table::Table;
use crate::daemon::objects::Placed;
use crate::daemon::strategy::Strategy;
use crate::daemon::supervisor::{Begin, Forget, Supervise};
use crate::object::ended::Ended;
use crate::object::interface::MethodFlags;
use crate::object::invocation::Invocation;
use crate::object::local::{LocalObject, Nameplate};
use crate::object::outcome::NotStarted;
use crate::wire::Chain;

/// An object of which each session has an instance.
pub(crate) struct PerSession {
    blueprint: Blueprint,
    table: Mutex<Table<Instance>>,
}

/// The instance of one session. Whoever calls it, a connection or a proxy, holds it; with the last of them it ends.
struct Instance {
    family: Arc<PerSession>,
    entry: Arc<Entry>,
    key: u128,
    number: u64,
    begun: AtomicBool,
}

impl PerSession {
    pub(super) fn new(blueprint: Blueprint) -> Arc<PerSession> {
        let table = Mutex::new(Table::new(blueprint.most));
        Arc::new(PerSession { blueprint, table })
    }

    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        // Whoever drops the last of an instance takes the lock.
        let all = self.lock().all();
        all.iter().map(|instance| Arc::clone(&instance.entry)).collect()
    }

    /// The instance of a session, which has nothing but its place until it is called.
    ///
    /// # Errors
    /// There are as many as there may be, or there are to be no new ones.
    fn instance(self: &Arc<Self>, session: u128) -> Result<Arc<Instance>, NotStarted> {
        let daemon = self.blueprint.daemon()?;
        // Who does not say which session it is, is known by its connection only.
        let key = if session == 0 { rand::random() } else { session };
        let mut table = self.lock();
        if let Some(instance) = table.find(key) {
            return Ok(instance);
        }
        let number = table.number(key).ok_or_else(|| self.blueprint.full())?;
        let entry = self.blueprint.entry(number, self.blueprint.common.capacity(), Arc::clone(&daemon.on_loss));
        let begun = AtomicBool::new(false);
        let instance = Arc::new(Instance { family: Arc::clone(self), entry, key, number, begun });
        table.insert(key, number, &instance);
        Ok(instance)
    }

    fn lock(&self) -> MutexGuard<'_, Table<Instance>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Instance {
    /// Makes its actor, at the first call. Calls wait in its queue meanwhile.
    fn begin(&self) {
        if self.begun.load(Ordering::Relaxed) || self.begun.swap(true, Ordering::Relaxed) {
            return;
        }
        let blueprint = &self.family.blueprint;
        // A daemon that has ended has ended its objects as well.
        let Some(daemon) = blueprint.daemon.upgrade() else { return };
        let (entry, policy) = (Arc::clone(&self.entry), blueprint.policy.clone());
        let start = Some((blueprint.starter)(Arc::clone(&entry)));
        let seat = daemon.placement.choose();
        let placed = Placed { entry, seat, family: None, owner: None };
        daemon.supervisor.do_send(Supervise { placed, start, policy, strategy: Strategy::OneForOne });
        daemon.supervisor.do_send(Begin(Arc::clone(self.entry.id())));
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.entry.remove();
        if let Some(daemon) = self.family.blueprint.daemon.upgrade() {
            daemon.supervisor.do_send(Forget(Arc::clone(&self.entry)));
        }
        self.family.lock().leave(self.key, self.number);
    }
}

/// What callers find before it is known whose instance they mean.
impl LocalObject for Arc<PerSession> {
    fn nameplate(&self) -> &Nameplate {
        self.blueprint.common.nameplate()
    }

    fn is_per_session(&self) -> bool {
        true
    }

    fn of_session(&self, session: u128) -> Option<Result<Arc<dyn LocalObject>, NotStarted>> {
        Some(self.instance(session).map(|instance| instance as Arc<dyn LocalObject>))
    }

    fn ended(&self) -> Receiver<Option<Ended>> {
        self.blueprint.common.ended()
    }

    fn submit(&self, invocation: Invocation) {
        invocation.turn_away(NotStarted::Elsewhere);
    }
}

impl LocalObject for Instance {
    /// That of the object: its callers know no other.
    fn nameplate(&self) -> &Nameplate {
        self.family.blueprint.common.nameplate()
    }

    fn ended(&self) -> Receiver<Option<Ended>> {
        self.family.blueprint.common.ended()
    }

    fn submit(&self, invocation: Invocation) {
        if let Some(why) = self.family.blueprint.common.denies(&invocation) {
            return invocation.turn_away(why);
        }
        self.begin();
        self.entry.push(invocation);
    }

    fn submit_all(&self, invocations: &mut VecDeque<Invocation>) {
        self.family.blueprint.common.turn_away_strangers(invocations);
        if !invocations.is_empty() {
            self.begin();
        }
        self.entry.push_all(invocations);
    }

    fn waits_for(&self, chain: &Chain, method: MethodFlags) -> Option<Vec<String>> {
        self.entry.waits_for(chain, method)
    }

    fn sweep(&self) -> Option<Instant> {
        Entry::sweep(&self.entry, Instant::now())
    }
}
