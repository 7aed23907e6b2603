//! The tree that names form: [`Groups`].

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Unbounded},
};

use pyroxene::naming::Name;

use super::caller::OwnerId;

/// Every group and what is right in it. A group is there as long as it holds something or somebody keeps it; the root always is.
#[derive(Debug)]
pub(super) struct Groups {
    groups: BTreeMap<Name, Group>,
}

#[derive(Debug, Default)]
struct Group {
    /// Who made it by hand, so that it stays when it is empty.
    kept_by: Option<OwnerId>,
    /// The groups and objects right in it.
    members: BTreeSet<Name>,
}

impl Groups {
    pub(super) fn new() -> Self {
        Self { groups: BTreeMap::from([(Name::root(), Group::default())]) }
    }

    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn contains(&self, group: &Name) -> bool {
        self.groups.contains_key(group)
    }

    /// The groups and objects right in `group`, if there is such a group.
    pub(super) fn members(&self, group: &Name) -> Option<&BTreeSet<Name>> {
        self.groups.get(group).map(|group| &group.members)
    }

    /// The groups that [`Groups::enter`] would have to make for `name`, innermost first.
    pub(super) fn missing(&self, name: &Name) -> impl Iterator<Item = Name> {
        std::iter::successors(name.parent(), Name::parent).take_while(|group| !self.contains(group))
    }

    /// `name` exists from now on, and with it all groups it is in.
    pub(super) fn enter(&mut self, name: &Name) {
        let mut member = name.clone();
        while let Some(parent) = member.parent() {
            let known = self.contains(&parent);
            self.groups.entry(parent.clone()).or_default().members.insert(member);
            if known {
                return;
            }
            member = parent;
        }
    }

    /// `name` does not exist any more, and with it the groups that are left empty and that nobody keeps.
    pub(super) fn leave(&mut self, name: &Name) {
        let mut member = name.clone();
        while let Some(parent) = member.parent() {
            let Some(group) = self.groups.get_mut(&parent) else { return };
            group.members.remove(&member);
            if parent.is_root() || group.kept_by.is_some() || !group.members.is_empty() {
                return;
            }
            self.groups.remove(&parent);
            member = parent;
        }
    }

    /// Who keeps `group`.
    pub(super) fn kept_by(&self, group: &Name) -> Option<OwnerId> {
        self.groups.get(group).and_then(|group| group.kept_by)
    }

    /// `group` exists and stays when it is empty.
    pub(super) fn keep(&mut self, group: &Name, owner: OwnerId) {
        self.enter(group);
        self.groups.entry(group.clone()).or_default().kept_by = Some(owner);
    }

    /// Nobody keeps `group` any more: it goes with the last of its members, at once if it has none.
    pub(super) fn release(&mut self, group: &Name) {
        let Some(released) = self.groups.get_mut(group) else { return };
        released.kept_by = None;
        if released.members.is_empty() {
            self.groups.remove(group);
            self.leave(group);
        }
    }

    /// `group` and all groups in it, at any depth, sorted. Not for the root.
    pub(super) fn within(&self, group: &Name) -> Vec<Name> {
        // `.` ends the group's own name, so everything below it is in one run that begins here.
        let first = format!("{group}.");
        let below = self.groups.range::<str, _>((Excluded(first.as_str()), Unbounded)).map(|(name, _)| name);
        std::iter::once(group).chain(below.take_while(|name| name.is_within(group))).cloned().collect()
    }
}
