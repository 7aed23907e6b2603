//! Saving what objects have to save, and letting those go that nobody uses.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::daemon::drain::LOOK;
use crate::daemon::keyed::snapshot::TakeSnapshot;
use crate::daemon::keyed::{Active, Keyed};

/// Objects that are looked at at a time.
const AT_A_TIME: usize = 64;
/// Two looks are at least so far apart.
const PAUSE: Duration = Duration::from_millis(5);
/// How long a snapshot waits for a call that has the object to itself; then it is tried again later.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is in the store of an object.
#[derive(PartialEq, Eq)]
enum Saved {
    /// What it is now.
    All,
    /// What it was a moment ago.
    Some,
    /// Nothing new.
    Not,
}

/// Does what is due, for as long as there are such objects.
pub(super) async fn look_after(keyed: Weak<Keyed>, changed: Arc<Notify>) {
    loop {
        let next = {
            let Some(keyed) = keyed.upgrade() else { return };
            let (idle, save_within) = (keyed.settings.idle, keyed.settings.save_within);
            let due = keyed.lock().due(Instant::now(), idle, save_within, AT_A_TIME);
            due.idle.into_iter().for_each(|id| keyed.passivate_soon(id));
            due.unsaved.into_iter().for_each(|id| keyed.save_soon(id));
            due.next
        };
        let due = async {
            match next {
                // Where nothing may be idle or unsaved at all, something always is.
                Some(next) => sleep_until(next.max(Instant::now() + PAUSE)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = changed.notified() => {}
        }
    }
}

impl Keyed {
    pub(super) fn passivate_soon(&self, id: Arc<str>) {
        if let Some(keyed) = self.this.upgrade() {
            self.runtime.spawn(async move { keyed.passivate(&id).await });
        }
    }

    fn save_soon(&self, id: Arc<str>) {
        if let Some(keyed) = self.this.upgrade() {
            self.runtime.spawn(async move { keyed.save(&id).await });
        }
    }

    /// Lets an object go, once its state is saved, unless somebody has called it since.
    async fn passivate(&self, id: &Arc<str>) {
        let saved = self.save(id).await;
        // In this order: what is idle does not change by itself.
        let can = |active: &Arc<Active>, is_saved: bool| active.is_idle() && active.may_leave(is_saved);
        let taken = self.lock().take(id, can);
        if let Some(active) = taken {
            active.entry.remove();
            return self.left(&active);
        }
        self.find_other_room(saved != Saved::Not);
    }

    /// It stays, and somebody may have waited for its room. Another one may have to go, if that is worth trying.
    fn find_other_room(&self, retry: bool) {
        let (leaving, refused) = {
            let mut roster = self.lock();
            if roster.waiting() == 0 || !roster.is_full() {
                return;
            }
            match roster.oldest(Instant::now(), |active| retry && active.is_idle()) {
                Some(id) => (Some(id), None),
                None => (None, roster.turn_away()),
            }
        };
        if let Some(id) = leaving {
            self.passivate_soon(id);
        }
        if let Some(active) = refused {
            active.entry.turn_all_away(&self.full());
        }
    }

    /// Writes what an object has to save to the store.
    async fn save(&self, id: &Arc<str>) -> Saved {
        let active = self.lock().find(id).cloned();
        let Some(active) = active else { return Saved::All };
        // One after the other, or the store might end up with the earlier one.
        let _turn = active.saving.lock().await;
        let Ok(_place) = self.saves.acquire().await else { return Saved::Not };
        let begun = self.lock().begin_save(id, &active);
        let Some(calls) = begun else { return Saved::All };
        // What is in the queue now may run before or after the snapshot is taken.
        let is_settled = active.is_settled();
        let written = self.write(&active).await;
        self.lock().end_save(id, (written.is_ok() && is_settled).then_some(calls));
        match written {
            Ok(()) if is_settled => Saved::All,
            Ok(()) => Saved::Some,
            Err(problem) => {
                if let Some(daemon) = self.daemon.upgrade() {
                    let log = &daemon.config.log;
                    slog::warn!(log, "the state of an object is not saved"; "object" => &**id, "problem" => problem);
                }
                Saved::Not
            }
        }
    }

    async fn write(&self, active: &Active) -> Result<(), String> {
        // What has no state has nothing to save.
        let Some(actor) = active.actor() else { return Ok(()) };
        let taken = timeout(PATIENCE, actor.send(TakeSnapshot)).await;
        let taken = taken.map_err(|_| "a call has it to itself; it is tried again later".to_owned())?;
        let (store, id) = (self.store()?, active.entry.id());
        match taken.map_err(|_| "its actor has ended".to_owned())?? {
            Some(snapshot) => store.save(id, snapshot).await,
            None => store.remove(id).await,
        }
        .map_err(|problem| problem.to_string())
    }

    /// Saves everything, at the end of the daemon. The ids of those that could not be saved.
    pub(crate) async fn save_all(self: &Arc<Self>) -> Vec<Arc<str>> {
        let mut saving = JoinSet::new();
        let all: Vec<Arc<str>> = self.lock().all().map(|(id, _)| Arc::clone(id)).collect();
        for id in all {
            let keyed = Arc::clone(self);
            saving.spawn_on(async move { (keyed.save(&id).await, id) }, &self.runtime);
        }
        let mut unsaved = Vec::new();
        while let Some(saved) = saving.join_next().await {
            unsaved.extend(saved.ok().and_then(|(saved, id)| (saved != Saved::All).then_some(id)));
        }
        unsaved
    }

    /// There are to be no such objects any more: each ends when its calls have ended, or their time is over, and its state is saved.
    pub(crate) fn end(&self) {
        self.entries().iter().for_each(|entry| entry.drain());
        let Some(keyed) = self.this.upgrade() else { return };
        self.runtime.spawn(async move {
            let deadline = Instant::now() + keyed.settings.drain;
            while Instant::now() < deadline && !keyed.entries().iter().all(|entry| entry.is_idle()) {
                tokio::time::sleep(LOOK).await;
            }
            keyed.save_all().await;
            keyed.close();
        });
    }

    /// Whatever there still is ends now, and the store is let go of.
    pub(crate) fn close(&self) {
        let all: Vec<Arc<Active>> = self.lock().all().map(|(_, active)| Arc::clone(active)).collect();
        for active in all {
            self.lock().remove(active.entry.id());
            active.entry.remove();
            self.forget(&active);
        }
        let store = self.lock_store().take();
        drop(store);
    }
}
