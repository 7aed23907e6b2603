//! The objects of a daemon, by id and by name: a plain table.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::daemon::entry::Entry;
use crate::daemon::instances::Family;
use crate::wire::Target;

/// One object and the seat it has.
#[derive(Clone)]
pub(crate) struct Placed {
    pub(crate) entry: Arc<Entry>,
    pub(crate) seat: usize,
    /// Where not all callers share one state.
    pub(crate) family: Option<Family>,
}

impl Placed {
    /// What runs its calls: itself, or its instances.
    pub(crate) fn lives(&self) -> Vec<Arc<Entry>> {
        let mut lives = self.family.as_ref().map(Family::entries).unwrap_or_default();
        lives.push(Arc::clone(&self.entry));
        lives
    }

    /// It is no more, nor are its instances.
    pub(crate) fn end(&self) {
        // The object first, so that there are no new instances.
        self.entry.remove();
        self.lives().iter().for_each(|entry| entry.remove());
    }
}

#[derive(Default)]
pub(crate) struct Objects {
    by_id: BTreeMap<Arc<str>, Placed>,
    by_name: BTreeMap<Arc<str>, Arc<str>>,
}

impl Objects {
    /// Adds an object.
    ///
    /// # Errors
    /// The id or name that is taken.
    pub(crate) fn insert(&mut self, placed: Placed) -> Result<(), String> {
        let id = Arc::clone(placed.entry.id());
        if self.by_id.contains_key(&id) {
            return Err(id.to_string());
        }
        if let Some(name) = placed.entry.name() {
            if self.by_name.contains_key(name) {
                return Err(name.to_string());
            }
            self.by_name.insert(Arc::clone(name), Arc::clone(&id));
        }
        self.by_id.insert(id, placed);
        Ok(())
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Placed> {
        let placed = self.by_id.remove(id)?;
        if let Some(name) = placed.entry.name() {
            self.by_name.remove(name);
        }
        Some(placed)
    }

    pub(crate) fn find(&self, target: &Target) -> Option<Placed> {
        let placed = match target {
            Target::Id(id) => self.by_id.get(id.as_str()),
            // What is asked for by name may be written absolute.
            Target::Name(name) => {
                let id = self.by_name.get(name.as_str()).or_else(|| self.by_name.get(name.strip_prefix(':')?));
                id.and_then(|id| self.by_id.get(id))
            }
            Target::None => None,
        };
        placed.cloned()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Placed> {
        self.by_id.values()
    }
}
