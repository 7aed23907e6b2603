//! An instance for each call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use crate::daemon::daemon::Inner;
use crate::daemon::entry::{Entry, Loss};
use crate::daemon::instances::Blueprint;
use crate::daemon::instances::table::Table;
use crate::daemon::supervisor::BeginOnce;
use crate::object::ended::Ended;
use crate::object::invocation::Invocation;
use crate::object::local::{LocalObject, Nameplate};
use crate::object::outcome::NotStarted;

/// An object of which each call has an instance. They are made one after the other on one thread, so calls start in their order.
pub(crate) struct PerCall {
    blueprint: Blueprint,
    /// That of the object, whose queue is as many as there may be instances.
    nameplate: Nameplate,
    table: Mutex<Table<Entry>>,
}

/// The place that an instance has as long as there is anything of it.
struct Place {
    family: Arc<PerCall>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.family.lock().leave(self.number.into(), self.number);
    }
}

impl PerCall {
    pub(super) fn new(blueprint: Blueprint) -> Arc<PerCall> {
        let table = Mutex::new(Table::new(blueprint.most));
        let nameplate = Nameplate { capacity: blueprint.most, ..blueprint.common.nameplate().clone() };
        Arc::new(PerCall { blueprint, nameplate, table })
    }

    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        self.lock().all()
    }

    /// A new instance.
    ///
    /// # Errors
    /// There are as many as there may be, or there are to be no new ones.
    fn instance(self: &Arc<Self>) -> Result<(Arc<Inner>, Arc<Entry>), NotStarted> {
        let daemon = self.blueprint.daemon()?;
        let mut table = self.lock();
        // No key is used twice, so any that is not there will do to ask for room.
        let number = table.number(0).ok_or_else(|| self.blueprint.full())?;
        let place = Place { family: Arc::clone(self), number };
        // It is not started again: who called it is told, and nobody else knows it. The place goes with the entry.
        let on_loss = Arc::new(move |_: Arc<str>, _: u64, _: Loss| {
            let _ = &place;
        });
        let entry = self.blueprint.entry(number, 1, on_loss);
        table.insert(number.into(), number, &entry);
        Ok((daemon, entry))
    }

    fn lock(&self) -> MutexGuard<'_, Table<Entry>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LocalObject for Arc<PerCall> {
    fn nameplate(&self) -> &Nameplate {
        &self.nameplate
    }

    fn ended(&self) -> Receiver<Option<Ended>> {
        self.blueprint.common.ended()
    }

    fn submit(&self, invocation: Invocation) {
        if let Some(why) = self.blueprint.common.denies(&invocation) {
            return invocation.turn_away(why);
        }
        match self.instance() {
            Ok((daemon, entry)) => {
                entry.push(invocation);
                let start = (self.blueprint.starter)(Arc::clone(&entry));
                daemon.supervisor.do_send(BeginOnce { entry, seat: self.blueprint.seat, start });
            }
            Err(why) => invocation.turn_away(why),
        }
    }

    fn sweep(&self) -> Option<Instant> {
        let entries = self.entries();
        let now = Instant::now();
        entries.iter().filter_map(|entry| Entry::sweep(entry, now)).min()
    }
}
