//! Which object owns which: plain bookkeeping.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::daemon::strategy::Strategy;

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

    /// The one that `id` belongs to.
    pub(crate) fn owner(&self, id: &str) -> Option<&Arc<str>> {
        self.owner.get(id)
    }

    /// All that belong to `id`, and to these, in the order in which they are to end: the latest first, each after those that belong to it.
    pub(crate) fn under(&self, id: &Arc<str>) -> Vec<Arc<str>> {
        let mut under = self.with_all(id);
        under.reverse();
        // The last is `id` itself.
        under.pop();
        under
    }

    /// `id`, and all that belong to it, and to these, in the order in which they are to start: each before those that belong to it.
    pub(crate) fn with_all(&self, id: &Arc<str>) -> Vec<Arc<str>> {
        let (mut all, mut next) = (Vec::new(), vec![Arc::clone(id)]);
        while let Some(id) = next.pop() {
            next.extend(self.owned.get(&id).into_iter().flatten().rev().cloned());
            all.push(id);
        }
        all
    }

    /// Those that are started again when `id` is, in that order, if its owner has this strategy.
    pub(crate) fn together(&self, id: &Arc<str>, strategy: Strategy) -> Vec<Arc<str>> {
        let siblings = self.owner(id).and_then(|owner| self.owned.get(owner)).map_or(&[][..], Vec::as_slice);
        let first = match strategy {
            Strategy::OneForOne => None,
            Strategy::OneForAll => Some(0),
            Strategy::RestForOne => siblings.iter().position(|sibling| sibling == id),
        };
        match first {
            Some(first) if !siblings.is_empty() => {
                siblings[first..].iter().flat_map(|sibling| self.with_all(sibling)).collect()
            }
            _ => vec![Arc::clone(id)],
        }
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
    use proptest::prelude::*;

    use super::*;
    use crate::daemon::strategy::Strategy;

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
    fn who_starts_together_starts_in_the_order_of_hosting() {
        let mut owners = Owners::default();
        for (owner, owned) in
            [("shop", "till"), ("shop", "store"), ("till", "drawer"), ("shop", "printer"), ("store", "shelf")]
        {
            owners.add(&id(owner), &id(owned));
        }
        let together = |of: &str, strategy| {
            owners.together(&id(of), strategy).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(together("store", Strategy::OneForOne), "store");
        assert_eq!(together("store", Strategy::OneForAll), "till drawer store shelf printer");
        assert_eq!(together("store", Strategy::RestForOne), "store shelf printer");
        assert_eq!(together("shop", Strategy::OneForAll), "shop", "it belongs to nobody");
    }

    proptest! {
        /// Whatever the tree: what a path of owners says of two objects is what is done with them.
        #[test]
        fn a_naive_look_at_the_tree_finds_the_same(parents in prop::collection::vec(any::<prop::sample::Index>(), 1..12), of in any::<prop::sample::Index>()) {
            // The object `n` belongs to one before it; 0 is the root.
            let parent: Vec<usize> = parents.iter().enumerate().map(|(n, index)| index.index(n + 1)).collect();
            let mut owners = Owners::default();
            for (n, parent) in parent.iter().enumerate() {
                owners.add(&id(&parent.to_string()), &id(&(n + 1).to_string()));
            }
            let failed = of.index(parent.len()) + 1;
            let is_under = |mut one: usize, other: usize| loop {
                if one == other { break true }
                if one == 0 { break false }
                one = parent[one - 1];
            };
            let siblings = || (1..=parent.len()).filter(|n| parent[n - 1] == parent[failed - 1]);
            for (strategy, first) in [(Strategy::OneForAll, 0), (Strategy::RestForOne, failed)] {
                let mut expected: Vec<String> = (1..=parent.len())
                    .filter(|n| siblings().filter(|sibling| *sibling >= first).any(|sibling| is_under(*n, sibling)))
                    .map(|n| n.to_string())
                    .collect();
                let together = owners.together(&id(&failed.to_string()), strategy);
                for (at, one) in together.iter().enumerate() {
                    let owner = owners.owner(one).unwrap();
                    prop_assert!(!together[at..].contains(owner), "each before what belongs to it");
                }
                let mut found: Vec<String> = together.iter().map(ToString::to_string).collect();
                expected.sort();
                found.sort();
                prop_assert_eq!(found, expected);
            }
        }
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
