//! The registry against a model that keeps no index and derives everything anew each time.

use proptest::prelude::*;

use super::*;

/// One thing somebody does with the registry.
#[derive(Debug, Clone)]
enum Step {
    Register(Caller, NewName),
    Renew(Caller),
    RenewName(Caller, Name, bool),
    Unregister(Caller, Name, Option<bool>),
    Withdraw(Caller),
    CreateGroup(Caller, Name),
    DeleteGroup(Caller, Name, bool),
    SetMetadata(Caller, Name, BTreeSet<Tag>),
    Pass(Duration),
}

#[derive(Debug, Default)]
struct Model {
    objects: BTreeMap<Name, Object>,
    kept: BTreeSet<Name>,
    last_generation: u64,
}

#[derive(Debug)]
struct Object {
    uri: Uri,
    owner: OwnerId,
    generation: u64,
    tags: BTreeSet<Tag>,
    /// How long it lives without being renewed, and when it dies.
    lease: Option<(Duration, Instant)>,
}

/// What a step came to: a number, the names it removed, or which error.
type Outcome = Result<(u64, Vec<Name>), String>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn the_registry_does_what_its_model_does(steps in prop::collection::vec(any_step(), 1..60)) {
        let (mut registry, mut model, mut now) = (Registry::new(Limits::default()), Model::default(), Instant::now());
        for step in steps {
            if let Step::Pass(time) = step {
                now += time;
            }
            let outcome = run(&mut registry, &step, now);
            prop_assert_eq!(outcome, model.run(&step, now), "{:?}", step);
            same_to_every_reader(&registry, &model)?;
        }
        prop_assert!(registry.expire(now + LONGEST_LEASE).len() == model.objects.values().filter(|o| o.lease.is_some()).count());
        prop_assert_eq!(registry.next_expiry(), None);
    }
}

fn run(registry: &mut Registry, step: &Step, now: Instant) -> Outcome {
    let generation = |registry: &Registry, name: &Name, current: bool| match registry.resolve(name) {
        Ok(entry) if current => entry.generation,
        _ => 0,
    };
    let outcome = match step {
        Step::Register(caller, new) => {
            registry.register(*caller, new.clone(), now).map(|generation| (generation, vec![]))
        }
        Step::Renew(caller) => Ok((registry.renew(caller.owner, now) as u64, vec![])),
        Step::RenewName(caller, name, current) => {
            let generation = generation(registry, name, *current);
            registry.renew_name(*caller, name, generation, now).map(|()| (0, vec![]))
        }
        Step::Unregister(caller, name, current) => {
            let generation = current.map(|current| generation(registry, name, current));
            registry.unregister(*caller, name, generation).map(|removed| removed_names(vec![removed]))
        }
        Step::Withdraw(caller) => Ok(removed_names(registry.withdraw(caller.owner))),
        Step::CreateGroup(caller, group) => registry.create_group(*caller, group).map(|()| (0, vec![])),
        Step::DeleteGroup(caller, group, recursive) => {
            registry.delete_group(*caller, group, *recursive).map(removed_names)
        }
        Step::SetMetadata(caller, name, tags) => {
            registry.set_metadata(*caller, name, tags.clone()).map(|()| (0, vec![]))
        }
        Step::Pass(_) => Ok(removed_names(registry.expire(now))),
    };
    outcome.map_err(|error| kind(&error))
}

fn removed_names(removed: Vec<Removed>) -> (u64, Vec<Name>) {
    let mut names: Vec<_> = removed.into_iter().map(|removed| removed.name).collect();
    names.sort();
    (0, names)
}

/// The error's variant.
fn kind(error: &NamingError) -> String {
    format!("{error:?}").chars().take_while(|character| character.is_alphanumeric()).collect()
}

impl Model {
    fn run(&mut self, step: &Step, now: Instant) -> Outcome {
        match step {
            Step::Register(caller, new) => self.register(*caller, new, now),
            Step::Renew(caller) => {
                let leases = self.objects.values_mut().filter(|object| object.owner == caller.owner);
                let leases = leases.filter_map(|object| object.lease.as_mut());
                Ok((leases.map(|(lease, dies)| *dies = now + *lease).count() as u64, vec![]))
            }
            Step::RenewName(caller, name, current) => {
                let object = self.changeable(*caller, name, Some(*current))?;
                if let Some((lease, dies)) = object.lease.as_mut() {
                    *dies = now + *lease;
                }
                Ok((0, vec![]))
            }
            Step::Unregister(caller, name, current) => {
                self.changeable(*caller, name, *current)?;
                self.objects.remove(name);
                Ok((0, vec![name.clone()]))
            }
            Step::Withdraw(caller) => {
                Ok(self.remove_if(|_, object| object.owner == caller.owner && object.lease.is_some()))
            }
            Step::CreateGroup(caller, group) => {
                let exists = group.is_root() || self.kept.contains(group);
                refuse(self.objects.contains_key(group), "NameTaken")?;
                refuse(exists, "GroupExists")?;
                refuse(reserved(*caller, group), "Reserved")?;
                refuse(self.is_below_an_object(group), "NotAGroup")?;
                self.kept.insert(group.clone());
                Ok((0, vec![]))
            }
            Step::DeleteGroup(caller, group, recursive) => {
                refuse(reserved(*caller, group), "Reserved")?;
                refuse(self.objects.contains_key(group), "NotAGroup")?;
                refuse(!self.is_group(group), "NoSuchGroup")?;
                refuse(group.is_root(), "Reserved")?;
                refuse(!recursive && !self.members(group).is_empty(), "GroupNotEmpty")?;
                for (name, object) in self.objects.iter().filter(|(name, _)| name.is_within(group)) {
                    refuse(reserved(*caller, name), "Reserved")?;
                    refuse(!may_change(*caller, object), "NotOwner")?;
                }
                self.kept.retain(|kept| !kept.is_within(group));
                Ok(self.remove_if(|name, _| name.is_within(group)))
            }
            Step::SetMetadata(caller, name, tags) => {
                self.changeable(*caller, name, None)?.tags = tags.clone();
                Ok((0, vec![]))
            }
            Step::Pass(_) => Ok(self.remove_if(|_, object| object.lease.is_some_and(|(_, dies)| dies <= now))),
        }
    }

    fn register(&mut self, caller: Caller, new: &NewName, now: Instant) -> Outcome {
        refuse(reserved(caller, &new.name), "Reserved")?;
        refuse(self.is_group(&new.name), "IsGroup")?;
        refuse(self.is_below_an_object(&new.name), "NotAGroup")?;
        let mut generation = self.last_generation + 1;
        if let Some(object) = self.objects.get(&new.name) {
            if object.owner == caller.owner && object.uri == new.uri {
                generation = object.generation;
            } else {
                refuse(!new.replace, "NameTaken")?;
                refuse(!may_change(caller, object), "NotOwner")?;
            }
        }
        self.last_generation = self.last_generation.max(generation);
        let lease = new.lease.map(|lease| (lease, now + lease));
        let object = Object { uri: new.uri.clone(), owner: caller.owner, generation, tags: new.tags.clone(), lease };
        self.objects.insert(new.name.clone(), object);
        Ok((generation, vec![]))
    }

    fn changeable(&mut self, caller: Caller, name: &Name, current: Option<bool>) -> Result<&mut Object, String> {
        refuse(self.is_group(name), "IsGroup")?;
        let object = self.objects.get_mut(name).ok_or("UnknownName")?;
        refuse(reserved(caller, name), "Reserved")?;
        refuse(!may_change(caller, object), "NotOwner")?;
        refuse(current == Some(false), "StaleGeneration")?;
        Ok(object)
    }

    fn remove_if(&mut self, condition: impl Fn(&Name, &Object) -> bool) -> (u64, Vec<Name>) {
        (0, self.objects.extract_if(.., |name, object| condition(name, object)).map(|(name, _)| name).collect())
    }

    fn is_group(&self, name: &Name) -> bool {
        name.is_root() || self.kept.contains(name) || !self.members(name).is_empty()
    }

    fn is_below_an_object(&self, name: &Name) -> bool {
        self.objects.keys().any(|object| name != object && name.is_within(object))
    }

    /// The groups and objects right in `group`.
    fn members(&self, group: &Name) -> BTreeSet<Name> {
        let all = self.objects.keys().chain(&self.kept);
        let with_groups = all.flat_map(|name| std::iter::successors(Some(name.clone()), Name::parent));
        with_groups.filter(|name| name.parent().as_ref() == Some(group)).collect()
    }

    fn carrying(&self, wanted: impl Fn(&BTreeSet<Tag>) -> bool) -> Vec<Name> {
        self.objects.iter().filter(|(_, object)| wanted(&object.tags)).map(|(name, _)| name.clone()).collect()
    }
}

fn refuse(condition: bool, error: &str) -> Result<(), String> {
    if condition { Err(error.to_owned()) } else { Ok(()) }
}

fn reserved(caller: Caller, name: &Name) -> bool {
    caller.rights != Rights::Pyroxene && name.is_reserved()
}

fn may_change(caller: Caller, object: &Object) -> bool {
    caller.rights != Rights::Own || caller.owner == object.owner
}

/// Whatever is asked of the registry, page by page, it answers what the model holds.
fn same_to_every_reader(registry: &Registry, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(registry.len(), model.objects.len());
    for (name, object) in &model.objects {
        let entry = registry.resolve(name).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!((&entry.uri, entry.owner, entry.generation), (&object.uri, object.owner, object.generation));
        prop_assert_eq!(&entry.tags, &object.tags);
    }
    for group in std::iter::once(Name::root()).chain(any_names()) {
        let listed = registry.list(&group, None, 99).ok().map(all_names);
        prop_assert_eq!(listed, model.is_group(&group).then(|| model.members(&group).into_iter().collect()));
        let tree = pages(|after| registry.tree(&group, after, 2)).ok();
        let below = || model.objects.keys().filter(|name| name.is_within(&group)).cloned().collect();
        prop_assert_eq!(tree, model.is_group(&group).then(below));
    }
    let both: Vec<_> = tags("red round").into_iter().collect();
    let all = pages(|after| Ok(registry.find(&both, Carrying::All, after, 2)));
    prop_assert_eq!(all, Ok(model.carrying(|tags| both.iter().all(|tag| tags.contains(tag)))));
    let any = pages(|after| Ok(registry.find(&both, Carrying::Any, after, 2)));
    prop_assert_eq!(any, Ok(model.carrying(|tags| both.iter().any(|tag| tags.contains(tag)))));
    let dies = model.objects.values().filter_map(|object| object.lease).map(|(_, dies)| dies).min();
    prop_assert!(
        dies.is_none() == registry.next_expiry().is_none() && registry.next_expiry() <= dies,
        "never too late"
    );
    Ok(())
}

/// All names of a listing that comes in pages.
fn pages(mut ask: impl FnMut(Option<&Name>) -> Result<Listing, NamingError>) -> Result<Vec<Name>, NamingError> {
    let mut names: Vec<Name> = Vec::new();
    loop {
        let page = ask(names.last())?;
        let more = page.more;
        names.extend(all_names(page));
        if !more {
            return Ok(names);
        }
    }
}

fn all_names(listing: Listing) -> Vec<Name> {
    listing.entries.into_iter().map(|entry| entry.name).collect()
}

/// Few names, so that steps meet; `a-` sorts between `a` and what is in it.
fn any_names() -> impl Iterator<Item = Name> {
    let texts = [":a", ":a-", ":Pyro", ":a.a", ":a.b", ":a-.a", ":Pyro.a", ":a.a.a", ":a.a.b", ":a.b.a", ":a-.a.a"];
    texts.into_iter().map(name)
}

fn any_name() -> impl Strategy<Value = Name> {
    prop::sample::select(any_names().collect::<Vec<_>>())
}

fn any_caller() -> impl Strategy<Value = Caller> {
    prop::sample::select(vec![ALICE, ALICE, BOB, BOB, ADMIN, PYROXENE])
}

fn any_tags() -> impl Strategy<Value = BTreeSet<Tag>> {
    prop::sample::select(vec!["", "red", "round", "red round"]).prop_map(tags)
}

fn any_new_name() -> impl Strategy<Value = NewName> {
    let lease = prop::option::of((1..6u32).prop_map(|seconds| seconds * SECOND));
    let uri = prop::sample::select(vec!["one", "two"]).prop_map(uri);
    (any_name(), uri, lease, any::<bool>(), any_tags()).prop_map(|(name, uri, lease, replace, tags)| NewName {
        name,
        uri,
        lease,
        replace,
        tags,
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let (caller, name) = (any_caller, any_name);
    prop_oneof![
        6 => (caller(), any_new_name()).prop_map(|(caller, new)| Step::Register(caller, new)),
        1 => caller().prop_map(Step::Renew),
        1 => (caller(), name(), any::<bool>()).prop_map(|(caller, name, current)| Step::RenewName(caller, name, current)),
        2 => (caller(), name(), any::<Option<bool>>()).prop_map(|(caller, name, current)| Step::Unregister(caller, name, current)),
        1 => caller().prop_map(Step::Withdraw),
        2 => (caller(), name()).prop_map(|(caller, group)| Step::CreateGroup(caller, group)),
        1 => (caller(), name(), any::<bool>()).prop_map(|(caller, group, recursive)| Step::DeleteGroup(caller, group, recursive)),
        1 => (caller(), name(), any_tags()).prop_map(|(caller, name, tags)| Step::SetMetadata(caller, name, tags)),
        3 => (0..4u32).prop_map(|seconds| Step::Pass(seconds * SECOND)),
    ]
}
