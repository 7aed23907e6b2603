//! Which names carry a tag: [`TagIndex`].

use std::{
    collections::{BTreeMap, BTreeSet, btree_set},
    ops::Bound::{Excluded, Unbounded},
};

use pyroxene::{naming::Name, uri::Tag};

/// The names that carry each tag.
#[derive(Debug, Default)]
pub(super) struct TagIndex {
    names: BTreeMap<Tag, BTreeSet<Name>>,
}

impl TagIndex {
    /// `name` carries `tags` from now on.
    pub(super) fn add<'a>(&mut self, name: &Name, tags: impl IntoIterator<Item = &'a Tag>) {
        for tag in tags {
            self.names.entry(tag.clone()).or_default().insert(name.clone());
        }
    }

    /// `name` does not carry `tags` any more.
    pub(super) fn remove<'a>(&mut self, name: &Name, tags: impl IntoIterator<Item = &'a Tag>) {
        for tag in tags {
            let Some(names) = self.names.get_mut(tag) else { continue };
            names.remove(name);
            if names.is_empty() {
                self.names.remove(tag);
            }
        }
    }

    /// The first `limit` names `after` one that carry every tag, sorted. Costs what the rarest of the tags is carried by.
    pub(super) fn all(&self, tags: &[Tag], after: Option<&Name>, limit: usize) -> Vec<&Name> {
        let carrying: Option<Vec<_>> = tags.iter().map(|tag| self.names.get(tag)).collect();
        let carrying = carrying.unwrap_or_default();
        let Some(rarest) = carrying.iter().min_by_key(|names| names.len()) else { return Vec::new() };
        let carries_all = |name: &&Name| carrying.iter().all(|names| names.contains(*name));
        later(rarest, after).filter(carries_all).take(limit).collect()
    }

    /// The first `limit` names `after` one that carry at least one of the tags, sorted.
    pub(super) fn any(&self, tags: &[Tag], after: Option<&Name>, limit: usize) -> Vec<&Name> {
        let carrying = tags.iter().filter_map(|tag| self.names.get(tag));
        let found: BTreeSet<_> = carrying.flat_map(|names| later(names, after).take(limit)).collect();
        found.into_iter().take(limit).collect()
    }
}

/// The names later than `after`; all of them if it is `None`.
pub(super) fn later<'a>(names: &'a BTreeSet<Name>, after: Option<&Name>) -> btree_set::Range<'a, Name> {
    names.range::<Name, _>((after.map_or(Unbounded, Excluded), Unbounded))
}
