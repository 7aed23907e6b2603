//! Which object owns which: plain bookkeeping.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects that belong to others, by their ids. Each has one owner, which was there before it; so there are no circles.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    /// In the order in which they came.
    owned: BTreeMap<Arc<str>, Vec<Arc<str>>>,
    owner: BTreeMap<Arc<str>, Arc<str>>,
}

impl Owners {
    /// `id` belongs to `owner`.
    pub(crate) fn add(&mut self, owner: &Arc<str>, id: &Arc<str>) {
        self.owned.entry(Arc::clone(owner)).or_default().push(Arc::clone(id));
        self.owner.insert(Arc::clone(id), Arc::clone(owner));
    }

    /// All that belong to `id`, and to these, in the order in which they are to end: the latest first, each after those that belong to it.
    pub(crate) fn under(&self, id: &Arc<str>) -> Vec<Arc<str>> {
        let (mut under, mut next) = (Vec::new(), vec![Arc::clone(id)]);
        while let Some(id) = next.pop() {
            next.extend(self.owned.get(&id).into_iter().flatten().rev().cloned());
            under.push(id);
        }
        under.reverse();
        // The last is `id` itself.
        under.pop();
        under
    }

    /// `id` is no more. What belongs to it has gone before.
    pub(crate) fn remove(&mut self, id: &Arc<str>) {
        self.owned.remove(id);
        let Some(owner) = self.owner.remove(id) else { return };
        if let Some(owned) = self.owned.get_mut(&owner) {
            owned.retain(|other| other != id);
            if owned.is_empty() {
                self.owned.remove(&owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Arc<str> {
        Arc::from(text)
    }

    #[test]
    fn the_latest_ends_first_and_owners_after_what_they_own() {
        let mut owners = Owners::default();
        for (owner, owned) in
            [("shop", "till"), ("shop", "store"), ("till", "drawer"), ("till", "printer"), ("store", "shelf")]
        {
            owners.add(&id(owner), &id(owned));
        }
        let under: Vec<String> = owners.under(&id("shop")).iter().map(ToString::to_string).collect();
        assert_eq!(under, ["shelf", "store", "printer", "drawer", "till"]);
        assert_eq!(owners.under(&id("shelf")).len(), 0);
        assert_eq!(owners.under(&id("nobody")).len(), 0);
    }

    #[test]
    fn what_is_gone_leaves_nothing() {
        let mut owners = Owners::default();
        owners.add(&id("shop"), &id("till"));
        owners.add(&id("till"), &id("drawer"));
        for gone in ["drawer", "till", "shop"] {
            owners.remove(&id(gone));
        }
        assert!(owners.owned.is_empty() && owners.owner.is_empty());
    }
}
