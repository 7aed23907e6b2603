//! Which objects of one name are active, and when each was used: a plain table, time handed in.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// Objects that are looked at, at most, for one that can make room.
const LOOKS: usize = 64;

/// The active objects by their ids. A call costs one look into it; in order is only what a look at the oldest needs.
pub(super) struct Roster<T> {
    /// So many may run at a time.
    most: usize,
    running: usize,
    slots: HashMap<Arc<str>, Slot<T>>,
    /// Each object once. It has not been used before that time, and maybe since.
    order: BTreeSet<(Instant, Arc<str>)>,
    /// Objects that are called and for which there is no room yet; no more than may run.
    waiting: VecDeque<Arc<str>>,
    /// When objects were called that had nothing to save; out of date where they have been saved since.
    unsaved: VecDeque<(Instant, Arc<str>)>,
}

struct Slot<T> {
    object: T,
    runs: bool,
    /// Calls that it was given.
    calls: u64,
    /// Of these, so many have ended whose effect is saved.
    saved: u64,
    /// Since when it has something to save.
    unsaved: Option<Instant>,
    is_saving: bool,
    used: Instant,
    /// What the order has.
    ordered: Instant,
}

/// What is to be done now, and when to look again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// They have not been used for long.
    pub(super) idle: Vec<Arc<str>>,
    /// They have had something to save for long.
    pub(super) unsaved: Vec<Arc<str>>,
    pub(super) next: Option<Instant>,
}

impl<T: Clone + PartialEq> Roster<T> {
    pub(super) fn new(most: usize) -> Roster<T> {
        Roster {
            most: most.max(1),
            running: 0,
            slots: HashMap::new(),
            order: BTreeSet::new(),
            waiting: VecDeque::new(),
            unsaved: VecDeque::new(),
        }
    }

    /// The object is called, if it is active. Says also whether there is an earlier time than before at which something is due.
    pub(super) fn called(&mut self, id: &str, now: Instant) -> Option<(T, bool)> {
        let slot = self.slots.get_mut(id)?;
        slot.calls += 1;
        slot.used = now;
        let object = slot.object.clone();
        if slot.unsaved.is_some() {
            return Some((object, false));
        }
        slot.unsaved = Some(now);
        let id = self.slots.get_key_value(id).map(|(id, _)| Arc::clone(id))?;
        Some((object, self.has_unsaved(now, id)))
    }

    /// An object that was not active is called. Says whether it is to run at once; else it waits for room.
    pub(super) fn insert(&mut self, id: &Arc<str>, object: T, now: Instant) -> bool {
        let runs = self.running < self.most;
        let slot =
            Slot { object, runs, calls: 1, saved: 0, unsaved: Some(now), is_saving: false, used: now, ordered: now };
        if runs {
            self.running += 1;
        } else {
            self.waiting.push_back(Arc::clone(id));
        }
        self.order.insert((now, Arc::clone(id)));
        self.slots.insert(Arc::clone(id), slot);
        self.has_unsaved(now, Arc::clone(id));
        runs
    }

    /// Whether one more would have to wait for room.
    pub(super) fn is_full(&self) -> bool {
        self.running >= self.most
    }

    /// Whether as many wait for room as may.
    pub(super) fn is_crowded(&self) -> bool {
        self.waiting.len() >= self.most
    }

    /// The first that waits, if there is room now; it runs.
    pub(super) fn next_waiting(&mut self) -> Option<T> {
        while !self.is_full() {
            let id = self.waiting.pop_front()?;
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.runs = true;
                self.running += 1;
                return Some(slot.object.clone());
            }
        }
        None
    }

    /// The first that waits leaves again.
    pub(super) fn turn_away(&mut self) -> Option<T> {
        while let Some(id) = self.waiting.front().cloned() {
            if let Some(object) = self.remove(&id) {
                return Some(object);
            }
        }
        None
    }

    /// How many wait for room.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The object that can make room and was not used for the longest time, as far as a short look shows.
    pub(super) fn oldest(&mut self, now: Instant, is_idle: impl Fn(&T) -> bool) -> Option<Arc<str>> {
        let mut oldest: Option<(Instant, Arc<str>)> = None;
        let looked_at: Vec<_> = self.order.iter().take(LOOKS).cloned().collect();
        for (at, id) in looked_at {
            // All that follow were used later than that.
            if oldest.as_ref().is_some_and(|(used, _)| *used <= at) {
                break;
            }
            let Some(slot) = self.slots.get(&id) else { continue };
            let used = slot.used;
            if !slot.runs || slot.is_saving || !is_idle(&slot.object) {
                self.reorder(&id, now);
                continue;
            }
            self.reorder(&id, used.max(at));
            if oldest.as_ref().is_none_or(|(other, _)| used < *other) {
                oldest = Some((used, id));
            }
        }
        let (_, id) = oldest?;
        // It is about to go. If it stays after all, it is no longer the first that is asked.
        self.reorder(&id, now);
        Some(id)
    }

    /// Objects that have not been used for `idle`, and those that have had something to save for `unsaved`; at most `most` are looked at of each.
    pub(super) fn due(&mut self, now: Instant, idle: Duration, unsaved: Duration, most: usize) -> Due {
        let mut due = Due::default();
        // Each once: what is put behind the others may be due again at once.
        let first = self.order.iter().take_while(|(at, _)| *at + idle <= now).take(most);
        for (at, id) in first.cloned().collect::<Vec<_>>() {
            let Some(slot) = self.slots.get(&id) else { continue };
            let (used, can) = (slot.used, slot.runs && !slot.is_saving);
            if used > at && used + idle > now {
                self.reorder(&id, used);
                continue;
            }
            self.reorder(&id, now);
            if can {
                due.idle.push(id);
            }
        }
        for _ in 0..most.min(self.unsaved.len()) {
            let Some((at, id)) = self.unsaved.pop_front_if(|(at, _)| *at + unsaved <= now) else { break };
            let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.unsaved == Some(at)) else { continue };
            // Looked at again, if it is not saved by then.
            slot.unsaved = Some(now);
            let can = slot.runs && !slot.is_saving;
            self.unsaved.push_back((now, Arc::clone(&id)));
            if can {
                due.unsaved.push(id);
            }
        }
        let first_unsaved = self.unsaved.front().map(|(at, _)| *at + unsaved);
        due.next = self.order.first().map(|(at, _)| *at + idle).into_iter().chain(first_unsaved).min();
        due
    }

    /// The state of this object is about to be saved: how many calls it was given. Nothing, if there is nothing new, or if it has left and
    /// another one has its id.
    pub(super) fn begin_save(&mut self, id: &str, object: &T) -> Option<u64> {
        let slot =
            self.slots.get_mut(id).filter(|slot| slot.object == *object && slot.runs && slot.saved < slot.calls)?;
        slot.is_saving = true;
        Some(slot.calls)
    }

    /// That has ended; the effect of so many calls is saved, if it is known. Until then it cannot leave.
    pub(super) fn end_save(&mut self, id: &str, saved: Option<u64>) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        slot.is_saving = false;
        slot.saved = saved.unwrap_or(slot.saved);
        if slot.saved == slot.calls {
            slot.unsaved = None;
        }
    }

    /// Takes an object out that need not be active, if `can` says so too, of it and of whether everything is saved.
    pub(super) fn take(&mut self, id: &str, can: impl FnOnce(&T, bool) -> bool) -> Option<T> {
        let slot = self.slots.get(id)?;
        let can = !slot.is_saving && can(&slot.object, slot.saved == slot.calls);
        if can { self.remove(id) } else { None }
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<T> {
        let (id, slot) = self.slots.remove_entry(id)?;
        if slot.runs {
            self.running -= 1;
        } else {
            self.waiting.retain(|other| *other != id);
        }
        self.order.remove(&(slot.ordered, id));
        Some(slot.object)
    }

    pub(super) fn find(&self, id: &str) -> Option<&T> {
        self.slots.get(id).map(|slot| &slot.object)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&Arc<str>, &T)> {
        self.slots.iter().map(|(id, slot)| (id, &slot.object))
    }

    /// An object has something to save from now on. Says whether it is the only one.
    fn has_unsaved(&mut self, now: Instant, id: Arc<str>) -> bool {
        // What is out of date must not pile up.
        if self.unsaved.len() > 2 * self.slots.len() + LOOKS {
            let slots = &self.slots;
            self.unsaved.retain(|(at, id)| slots.get(id).is_some_and(|slot| slot.unsaved == Some(*at)));
        }
        self.unsaved.push_back((now, id));
        self.unsaved.len() == 1
    }

    fn reorder(&mut self, id: &Arc<str>, at: Instant) {
        if let Some(slot) = self.slots.get_mut(id) {
            self.order.remove(&(slot.ordered, Arc::clone(id)));
            slot.ordered = at;
            self.order.insert((at, Arc::clone(id)));
        }
    }
}

#[cfg(test)]
mod tests;
