//! All that a name server knows: [`Registry`]. A plain struct: whoever calls it says who they are and what time it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Unbounded},
    time::Instant,
};

use pyroxene::{
    naming::{
        Name, NamingError,
        name_server::{Carrying, EntryKind, KEYED, ListEntry, Listing, Registered},
    },
    uri::Tag,
};

use super::{
    groups::Groups,
    lease::LeaseQueue,
    nearest::nearest,
    tag_index::{TagIndex, later},
};

pub use super::{
    caller::{Caller, OwnerId, Rights},
    entry::{Entry, NewName, Removed},
    lease::LONGEST_LEASE,
};

/// How much a registry may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many names and groups there may be.
    pub total: u32,
    /// How many names one owner may have, groups made by hand included.
    pub per_owner: u32,
    /// How many tags one name may carry.
    pub tags: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { total: 1 << 20, per_owner: 10_000, tags: 64 }
    }
}

/// How many leases [`Registry::expire`] looks at in one go, so that nobody waits long behind it.
const EXPIRY_BATCH: usize = 4_096;

/// Among how many neighbours, before and after it, the name nearest to an unknown one is looked for.
const NEIGHBOURS: usize = 64;

/// The tree of names: what each stands for, whose it is, and how long it lives.
///
/// ```
/// use std::time::{Duration, Instant};
/// use pyroxene_actors::name_server::registry::{Caller, Limits, NewName, OwnerId, Registry, Rights};
///
/// let (mut names, now) = (Registry::new(Limits::default()), Instant::now());
/// let caller = Caller { owner: OwnerId(7), rights: Rights::Own };
/// let alice = NewName {
///     name: ":bank.alice".parse()?,
///     uri: "PYRO://localhost:7766/alice".parse()?,
///     lease: Some(Duration::from_secs(15)),
///     replace: false,
///     tags: Default::default(),
/// };
/// names.register(caller, alice.clone(), now)?;
/// assert_eq!(names.resolve(&alice.name)?.uri, alice.uri);
///
/// names.expire(now + Duration::from_secs(15));
/// assert!(names.resolve(&alice.name).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Registry {
    limits: Limits,
    last_generation: u64,
    objects: BTreeMap<Name, Entry>,
    groups: Groups,
    tags: TagIndex,
    owners: BTreeMap<OwnerId, Owner>,
    leases: LeaseQueue,
}

/// What one owner has. It is there as long as they have anything.
#[derive(Debug, Default)]
struct Owner {
    names: BTreeSet<Name>,
    leased: usize,
    renewed: Option<Instant>,
}

impl Registry {
    /// A registry without any names.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            last_generation: 0,
            objects: BTreeMap::new(),
            groups: Groups::new(),
            tags: TagIndex::default(),
            owners: BTreeMap::new(),
            leases: LeaseQueue::default(),
        }
    }

    /// The generations it hands out are greater than this one.
    pub fn starting_after(mut self, generation: u64) -> Self {
        self.last_generation = self.last_generation.max(generation);
        self
    }

    /// Registers a name and says which generation it is. The groups the name is in come into being.
    ///
    /// A caller that registers the same URI under the same name again changes lease and tags; the generation stays.
    ///
    /// # Errors
    /// The name is taken, a group, below an object, reserved, or one too many; or there are too many tags.
    pub fn register(&mut self, caller: Caller, new: NewName, now: Instant) -> Result<u64, NamingError> {
        let NewName { name, uri, lease, replace, tags } = new;
        self.check_tags(&tags)?;
        caller.check_reserved(&name)?;
        if self.groups.contains(&name) {
            return Err(NamingError::IsGroup { name });
        }
        let known = match self.objects.get(&name) {
            Some(entry) if entry.owner == caller.owner && entry.uri == uri => Some(entry.generation),
            Some(entry) if !replace => return Err(NamingError::NameTaken { name, by: entry.uri.clone() }),
            Some(entry) => {
                caller.check_may_change(&name, entry.owner)?;
                if entry.owner != caller.owner {
                    self.check_quota(caller.owner)?;
                }
                None
            }
            None => {
                self.check_new(caller, &name)?;
                None
            }
        };
        let generation = known.unwrap_or_else(|| self.next_generation());
        self.take(&name);
        let lease = lease.map(|duration| self.leases.begin(&name, duration, now));
        self.put(name, Entry { uri, generation, owner: caller.owner, tags, lease });
        Ok(generation)
    }

    /// All leases of `owner` start anew. Says how many there are, whatever their number in constant time.
    pub fn renew(&mut self, owner: OwnerId, now: Instant) -> usize {
        let Some(owner) = self.owners.get_mut(&owner) else { return 0 };
        owner.renewed = owner.renewed.max(Some(now));
        owner.leased
    }

    /// The lease of one registration starts anew, if it has one.
    ///
    /// # Errors
    /// The name is unknown, not the caller's, or has been registered anew since.
    pub fn renew_name(
        &mut self,
        caller: Caller,
        name: &Name,
        generation: u64,
        now: Instant,
    ) -> Result<(), NamingError> {
        self.check_current(caller, name, Some(generation))?;
        if let Some(lease) = self.objects.get_mut(name).and_then(|entry| entry.lease.as_mut()) {
            lease.renew(now);
        }
        Ok(())
    }

    /// Removes a name; if a generation is given, only that registration of it.
    ///
    /// # Errors
    /// The name is unknown, a group, not the caller's, or has been registered anew since.
    pub fn unregister(&mut self, caller: Caller, name: &Name, generation: Option<u64>) -> Result<Removed, NamingError> {
        self.check_current(caller, name, generation)?;
        self.take(name).ok_or_else(|| self.unknown(name))
    }

    /// Removes all names that `owner` holds under a lease, because they end in good order.
    pub fn withdraw(&mut self, owner: OwnerId) -> Vec<Removed> {
        let Some(owner) = self.owners.get(&owner) else { return Vec::new() };
        let is_leased = |name: &&Name| self.objects.get(*name).is_some_and(|entry| entry.lease.is_some());
        let leased: Vec<_> = owner.names.iter().filter(is_leased).cloned().collect();
        leased.iter().filter_map(|name| self.take(name)).collect()
    }

    /// What a name stands for.
    ///
    /// # Errors
    /// The name is unknown (a similar one may be suggested) or a group.
    pub fn resolve(&self, name: &Name) -> Result<&Entry, NamingError> {
        self.objects.get(name).ok_or_else(|| self.unknown(name))
    }

    /// Which object is meant by a name: the one it stands for, or, behind a name with the tag [`KEYED`], the one with this key.
    ///
    /// # Errors
    /// The name is unknown (a similar one may be suggested) or a group.
    pub fn lookup(&self, name: &Name) -> Result<Registered, NamingError> {
        match self.objects.get(name) {
            Some(entry) => Ok(entry.into()),
            None => self.keyed(name).ok_or_else(|| self.unknown(name)),
        }
    }

    fn keyed(&self, name: &Name) -> Option<Registered> {
        let mut above = name.parent()?;
        // Below an object there are no other names, so there is one at most.
        let entry = loop {
            match self.objects.get(&above) {
                Some(entry) => break entry,
                None => above = above.parent()?,
            }
        };
        let is_keyed = entry.tags.iter().any(|tag| tag.as_str() == KEYED);
        let key = name.as_str().strip_prefix(above.as_str())?.strip_prefix('.').filter(|_| is_keyed)?;
        Some(Registered { uri: entry.uri.key(key).ok()?, ..entry.into() })
    }

    /// At most `limit` of the groups and objects right in `group`, those `after` a name, sorted.
    ///
    /// # Errors
    /// There is no such group.
    pub fn list(&self, group: &Name, after: Option<&Name>, limit: usize) -> Result<Listing, NamingError> {
        let members = self.groups.members(group).ok_or_else(|| self.no_group(group))?;
        Ok(self.page(later(members, after), limit))
    }

    /// At most `limit` of the objects in `group` at any depth, those `after` a name, sorted by their absolute names.
    ///
    /// # Errors
    /// There is no such group.
    pub fn tree(&self, group: &Name, after: Option<&Name>, limit: usize) -> Result<Listing, NamingError> {
        if !self.groups.contains(group) {
            return Err(self.no_group(group));
        }
        Ok(self.page(self.below(group, after), limit))
    }

    /// At most `limit` of the objects that carry `tags`, those `after` a name, sorted.
    pub fn find(&self, tags: &[Tag], carrying: Carrying, after: Option<&Name>, limit: usize) -> Listing {
        let names = match carrying {
            Carrying::All => self.tags.all(tags, after, limit.saturating_add(1)),
            Carrying::Any => self.tags.any(tags, after, limit.saturating_add(1)),
        };
        self.page(names.into_iter(), limit)
    }

    /// Makes a group that stays when it is empty. One that exists only because of what is in it stays from now on.
    ///
    /// # Errors
    /// The group was made already, is an object or below one, reserved, or one too many.
    pub fn create_group(&mut self, caller: Caller, group: &Name) -> Result<(), NamingError> {
        if let Some(entry) = self.objects.get(group) {
            return Err(NamingError::NameTaken { name: group.clone(), by: entry.uri.clone() });
        }
        if group.is_root() || self.groups.kept_by(group).is_some() {
            return Err(NamingError::GroupExists { name: group.clone() });
        }
        self.check_new(caller, group)?;
        self.groups.keep(group, caller.owner);
        self.owners.entry(caller.owner).or_default().names.insert(group.clone());
        Ok(())
    }

    /// Deletes a group: if `recursive`, with everything in it, else only if nothing is.
    ///
    /// # Errors
    /// There is no such group, it is not empty, it is reserved, or there is a name in it that is not the caller's; then nothing
    /// is removed.
    pub fn delete_group(&mut self, caller: Caller, group: &Name, recursive: bool) -> Result<Vec<Removed>, NamingError> {
        caller.check_reserved(group)?;
        let members = self.groups.members(group).ok_or_else(|| self.no_group(group))?;
        if group.is_root() {
            return Err(NamingError::Reserved { name: group.clone() });
        }
        if !recursive && !members.is_empty() {
            return Err(NamingError::GroupNotEmpty { name: group.clone() });
        }
        let names: Vec<_> = self.below(group, None).cloned().collect();
        for name in &names {
            caller.check_may_change(name, self.resolve(name)?.owner)?;
        }
        for group in self.groups.within(group).iter().rev() {
            self.release_group(group);
        }
        Ok(names.iter().filter_map(|name| self.take(name)).collect())
    }

    /// The tags of a name are these from now on.
    ///
    /// # Errors
    /// The name is unknown, a group, or not the caller's; or there are too many tags.
    pub fn set_metadata(&mut self, caller: Caller, name: &Name, tags: BTreeSet<Tag>) -> Result<(), NamingError> {
        self.check_tags(&tags)?;
        self.check_current(caller, name, None)?;
        if let Some(entry) = self.objects.get_mut(name) {
            self.tags.remove(name, &entry.tags);
            self.tags.add(name, &tags);
            entry.tags = tags;
        }
        Ok(())
    }

    /// Removes names whose lease has ended, some thousands at a time: to be called again at [`Registry::next_expiry`].
    pub fn expire(&mut self, now: Instant) -> Vec<Removed> {
        let mut expired = Vec::new();
        for _ in 0..EXPIRY_BATCH {
            let Some(name) = self.leases.pop_due(now) else { break };
            if self.has_expired(&name, now) {
                expired.extend(self.take(&name));
            }
        }
        expired
    }

    /// When [`Registry::expire`] may have something to do: never too late, but too early if leases have been renewed.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.leases.next_due()
    }

    /// How many objects have names.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether no object has a name.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    fn check_tags(&self, tags: &BTreeSet<Tag>) -> Result<(), NamingError> {
        let limit = self.limits.tags;
        if tags.len() > limit as usize { Err(NamingError::TooManyTags { limit }) } else { Ok(()) }
    }

    /// `name` is registered, is that generation if one is meant, and the caller may change it.
    fn check_current(&self, caller: Caller, name: &Name, generation: Option<u64>) -> Result<(), NamingError> {
        let entry = self.resolve(name)?;
        caller.check_may_change(name, entry.owner)?;
        match generation {
            Some(given) if given != entry.generation => {
                Err(NamingError::StaleGeneration { name: name.clone(), given, current: entry.generation })
            }
            _ => Ok(()),
        }
    }

    /// There may be a `name` where there is no object, and there is room for it and for the groups it needs.
    fn check_new(&self, caller: Caller, name: &Name) -> Result<(), NamingError> {
        caller.check_reserved(name)?;
        let mut total = self.objects.len() + self.groups.len() + 1;
        for group in self.groups.missing(name) {
            if self.objects.contains_key(&group) {
                return Err(NamingError::NotAGroup { name: group });
            }
            total += 1;
        }
        let limit = self.limits.total;
        if total > limit as usize {
            return Err(NamingError::Full { limit });
        }
        self.check_quota(caller.owner)
    }

    /// `owner` may have one name more.
    fn check_quota(&self, owner: OwnerId) -> Result<(), NamingError> {
        let limit = self.limits.per_owner;
        let names = self.owners.get(&owner).map_or(0, |owner| owner.names.len());
        if names >= limit as usize { Err(NamingError::TooMany { limit }) } else { Ok(()) }
    }

    fn next_generation(&mut self) -> u64 {
        self.last_generation += 1;
        self.last_generation
    }

    /// Enters a name that is not there.
    fn put(&mut self, name: Name, entry: Entry) {
        let owner = self.owners.entry(entry.owner).or_default();
        owner.names.insert(name.clone());
        owner.leased += usize::from(entry.lease.is_some());
        self.groups.enter(&name);
        self.tags.add(&name, &entry.tags);
        self.objects.insert(name, entry);
    }

    /// Takes a name out, if it is there.
    fn take(&mut self, name: &Name) -> Option<Removed> {
        let Entry { uri, generation, owner, tags, lease } = self.objects.remove(name)?;
        if let Some(lease) = &lease {
            self.leases.end(name, lease);
        }
        self.tags.remove(name, &tags);
        self.groups.leave(name);
        self.disown(owner, name, lease.is_some());
        Some(Removed { name: name.clone(), uri, generation })
    }

    /// Nobody keeps the group any more.
    fn release_group(&mut self, group: &Name) {
        if let Some(owner) = self.groups.kept_by(group) {
            self.disown(owner, group, false);
        }
        self.groups.release(group);
    }

    /// `owner` does not have `name` any more.
    fn disown(&mut self, owner: OwnerId, name: &Name, leased: bool) {
        let Some(holdings) = self.owners.get_mut(&owner) else { return };
        holdings.names.remove(name);
        holdings.leased -= usize::from(leased);
        if holdings.names.is_empty() {
            self.owners.remove(&owner);
        }
    }

    /// Whether a lease that was due has ended; it goes on if it was renewed.
    fn has_expired(&mut self, name: &Name, now: Instant) -> bool {
        let Some(entry) = self.objects.get_mut(name) else { return false };
        let Some(lease) = &mut entry.lease else { return false };
        let owner_renewed = self.owners.get(&entry.owner).and_then(|owner| owner.renewed);
        self.leases.has_ended(name, lease, owner_renewed, now)
    }

    /// The objects in `group` at any depth, those `after` a name, sorted.
    fn below(&self, group: &Name, after: Option<&Name>) -> impl Iterator<Item = &Name> {
        // `.` ends the group's own name, so everything below it is in one run that begins here.
        let first = if group.is_root() { group.to_string() } else { format!("{group}.") };
        let after = after.map_or("", Name::as_str).max(&first);
        let names = self.objects.range::<str, _>((Excluded(after), Unbounded)).map(|(name, _)| name);
        names.take_while(move |name| name.is_within(group))
    }

    fn page<'a>(&self, names: impl Iterator<Item = &'a Name>, limit: usize) -> Listing {
        let mut entries: Vec<_> = names.take(limit.saturating_add(1)).map(|name| self.list_entry(name)).collect();
        let more = entries.len() > limit;
        entries.truncate(limit);
        Listing { entries, more }
    }

    fn list_entry(&self, name: &Name) -> ListEntry {
        let object = self.objects.get(name).map(|entry| EntryKind::Object(entry.uri.clone()));
        ListEntry { name: name.clone(), kind: object.unwrap_or(EntryKind::Group) }
    }

    fn no_group(&self, name: &Name) -> NamingError {
        match self.objects.contains_key(name) {
            true => NamingError::NotAGroup { name: name.clone() },
            false => NamingError::NoSuchGroup { name: name.clone() },
        }
    }

    /// Why there is no object with this name.
    fn unknown(&self, name: &Name) -> NamingError {
        if self.groups.contains(name) {
            return NamingError::IsGroup { name: name.clone() };
        }
        let siblings = name.parent().and_then(|group| self.groups.members(&group));
        let nearest = siblings.and_then(|siblings| {
            let before = siblings.range::<Name, _>(..name).rev().take(NEIGHBOURS);
            nearest(name, before.chain(siblings.range::<Name, _>(name..).take(NEIGHBOURS)))
        });
        NamingError::UnknownName { name: name.clone(), nearest: nearest.cloned() }
    }
}

#[cfg(test)]
mod tests;
