//! The objects of a daemon, by id and by name: a plain table.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch::Receiver;

use crate::daemon::entry::Entry;
use crate::daemon::instances::Family;
use crate::daemon::keyed::Keyed;
use crate::daemon::owners::Owners;
use crate::daemon::state::State;
use crate::object::ended::Ended;
use crate::object::local::LocalObject;
use crate::wire::Target;

/// One object and the seat it has.
#[derive(Clone)]
pub(crate) struct Placed {
    pub(crate) entry: Arc<Entry>,
    pub(crate) seat: usize,
    /// Where not all callers share one state.
    pub(crate) family: Option<Family>,
    /// The id of the object that it belongs to.
    pub(crate) owner: Option<Arc<str>>,
}

impl Placed {
    /// What runs its calls: itself, or its instances.
    pub(crate) fn lives(&self) -> Vec<Arc<Entry>> {
        let mut lives = self.family.as_ref().map(Family::entries).unwrap_or_default();
        lives.push(Arc::clone(&self.entry));
        lives
    }

    /// Whether it is neither gone nor failed for good.
    pub(crate) fn is_there(&self) -> bool {
        !matches!(self.entry.state(), State::Failed(_) | State::Gone)
    }

    /// As callers find it, where not all of them share one state.
    pub(crate) fn object(&self) -> Option<Arc<dyn LocalObject>> {
        self.family.as_ref().map(Family::object)
    }

    /// Its end, once it is gone or about to go.
    pub(crate) fn ended(&self) -> Receiver<Option<Ended>> {
        self.object().map_or_else(|| self.entry.ended(), |object| object.ended())
    }

    /// It is no more, nor are its instances.
    pub(crate) fn end(&self) {
        // The object first, so that there are no new instances.
        self.entry.remove();
        match &self.family {
            Some(Family::Keyed(keyed)) => keyed.end(),
            _ => self.lives().iter().for_each(|entry| entry.remove()),
        }
    }
}

#[derive(Default)]
pub(crate) struct Objects {
    by_id: BTreeMap<Arc<str>, Placed>,
    by_name: BTreeMap<Arc<str>, Arc<str>>,
    owners: Owners,
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
        if let Some(owner) = &placed.owner {
            self.owners.add(owner, &id);
        }
        self.by_id.insert(id, placed);
        Ok(())
    }

    /// Takes an object out, and before it all that belong to it; in the order in which they are to end.
    pub(crate) fn remove_all(&mut self, id: &Arc<str>) -> Vec<Placed> {
        let mut order = self.owners.under(id);
        order.push(Arc::clone(id));
        order.iter().filter_map(|id| self.remove(id)).collect()
    }

    fn remove(&mut self, id: &Arc<str>) -> Option<Placed> {
        let placed = self.by_id.remove(id)?;
        self.owners.remove(id);
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
            Target::None | Target::Connection { .. } => None,
        };
        placed.cloned()
    }

    /// What is meant by a name or id behind which a key is said.
    pub(crate) fn find_keyed<'a>(&self, target: &'a Target) -> Option<(Arc<Keyed>, &'a str)> {
        let (Target::Id(text) | Target::Name(text)) = target else { return None };
        text.rmatch_indices('.').find_map(|(dot, _)| {
            // They are called by their name, which is their id as well, and which may be written absolute.
            let name = text.get(..dot)?;
            let placed = self.by_id.get(name).or_else(|| self.by_id.get(name.strip_prefix(':')?))?;
            let Some(Family::Keyed(keyed)) = &placed.family else { return None };
            Some((Arc::clone(keyed), text.get(dot + 1..)?))
        })
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Placed> {
        self.by_id.values()
    }
}
