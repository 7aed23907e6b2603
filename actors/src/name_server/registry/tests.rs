use std::time::Duration;

use pyroxene::uri::Uri;

use super::*;

mod model;

const SECOND: Duration = Duration::from_secs(1);
const ALICE: Caller = Caller { owner: OwnerId(1), rights: Rights::Own };
const BOB: Caller = Caller { owner: OwnerId(2), rights: Rights::Own };
const ADMIN: Caller = Caller { owner: OwnerId(3), rights: Rights::Admin };
const PYROXENE: Caller = Caller { owner: OwnerId(0), rights: Rights::Pyroxene };

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn uri(id: &str) -> Uri {
    format!("PYRO://localhost:7766/{id}").parse().unwrap()
}

fn tags(text: &str) -> BTreeSet<Tag> {
    text.split_whitespace().map(|tag| Tag::new(tag).unwrap()).collect()
}

fn new(text: &str) -> NewName {
    NewName { name: name(text), uri: uri("object"), lease: None, replace: false, tags: BTreeSet::new() }
}

fn leased(text: &str, lease: Duration) -> NewName {
    NewName { lease: Some(lease), ..new(text) }
}

fn names(entries: &[ListEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.name.as_str()).collect()
}

/// A registry in which Alice registered these names, and the time at which she did.
fn with(limits: Limits, known: &[&str]) -> (Registry, Instant) {
    let (mut registry, now) = (Registry::new(limits), Instant::now());
    for known in known {
        registry.register(ALICE, new(known), now).unwrap();
    }
    (registry, now)
}

fn holding(known: &[&str]) -> (Registry, Instant) {
    with(Limits::default(), known)
}

#[test]
fn a_name_has_one_owner() {
    let (mut registry, now) = holding(&[":bank"]);
    let taken = NamingError::NameTaken { name: name(":bank"), by: uri("object") };
    let not_owner = NamingError::NotOwner { name: name(":bank") };
    let other = NewName { uri: uri("other"), ..new(":bank") };
    let instead = NewName { replace: true, ..other.clone() };
    assert_eq!(registry.register(BOB, other.clone(), now), Err(taken.clone()));
    assert_eq!(registry.register(BOB, instead.clone(), now), Err(not_owner.clone()));
    assert_eq!(registry.unregister(BOB, &name(":bank"), None), Err(not_owner.clone()));
    assert_eq!(registry.set_metadata(BOB, &name(":bank"), BTreeSet::new()), Err(not_owner.clone()));
    assert_eq!(registry.renew_name(BOB, &name(":bank"), 1, now), Err(not_owner));
    assert_eq!(registry.register(ALICE, other, now), Err(taken));
    assert_eq!(registry.resolve(&name(":bank")).unwrap().uri, uri("object"));
    assert_eq!(registry.register(ALICE, instead.clone(), now), Ok(2));
    assert_eq!(registry.resolve(&name(":bank")).unwrap().uri, uri("other"));
    assert_eq!(registry.unregister(ADMIN, &name(":bank"), None).unwrap().uri, uri("other"));
    assert_eq!(registry.register(BOB, instead, now), Ok(3), "whose name it was does not matter any more");
}

#[test]
fn behind_a_name_with_many_objects_each_is_found_by_its_key_and_behind_others_none() {
    let (mut registry, now) = holding(&[]);
    for (text, tag) in [(":bank.accounts", "keyed"), (":bank.till", "open")] {
        registry.register(ALICE, NewName { tags: tags(tag), ..new(text) }, now).unwrap();
    }
    let found = registry.lookup(&name(":bank.accounts.bob.savings")).unwrap();
    assert_eq!(found.uri, uri("object.bob.savings"));
    assert_eq!(registry.lookup(&name(":bank.accounts")).unwrap().uri, uri("object"));
    for unknown in [":bank.till.bob", ":bank.account.bob", ":bob"] {
        assert!(matches!(registry.lookup(&name(unknown)), Err(NamingError::UnknownName { .. })), "{unknown}");
    }
    assert!(registry.resolve(&name(":bank.accounts.bob")).is_err(), "nobody has registered it");
}

#[test]
fn registering_the_same_again_changes_lease_and_tags_only() {
    let (mut registry, now) = holding(&[":bank"]);
    let again = NewName { tags: tags("open"), ..leased(":bank", SECOND) };
    assert_eq!(registry.register(ALICE, again, now), Ok(1));
    assert_eq!(registry.resolve(&name(":bank")).unwrap().tags, tags("open"));
    assert_eq!(registry.renew(ALICE.owner, now), 1);
    assert_eq!(registry.expire(now + SECOND).len(), 1);
}

#[test]
fn a_late_word_about_an_old_registration_does_nothing_to_the_new_one() {
    let (mut registry, now) = holding(&[":bank"]);
    let other = NewName { uri: uri("other"), replace: true, ..new(":bank") };
    assert_eq!(registry.register(ALICE, other, now), Ok(2));
    let stale = NamingError::StaleGeneration { name: name(":bank"), given: 1, current: 2 };
    assert_eq!(registry.unregister(ALICE, &name(":bank"), Some(1)), Err(stale.clone()));
    assert_eq!(registry.renew_name(ALICE, &name(":bank"), 1, now), Err(stale));
    assert_eq!(registry.unregister(ALICE, &name(":bank"), Some(2)).unwrap().generation, 2);
}

#[test]
fn what_is_reserved_is_for_pyroxene_alone() {
    let (mut registry, now) = holding(&[]);
    let server = || new(":Pyro.NameServer");
    let reserved = |text| NamingError::Reserved { name: name(text) };
    for caller in [ALICE, ADMIN] {
        assert_eq!(registry.register(caller, server(), now), Err(reserved(":Pyro.NameServer")));
        assert_eq!(registry.create_group(caller, &name(":Pyro")), Err(reserved(":Pyro")));
    }
    registry.register(PYROXENE, server(), now).unwrap();
    for caller in [ALICE, ADMIN] {
        let instead = NewName { replace: true, uri: uri("other"), ..server() };
        assert_eq!(registry.register(caller, instead, now), Err(reserved(":Pyro.NameServer")));
        assert_eq!(registry.unregister(caller, &name(":Pyro.NameServer"), None), Err(reserved(":Pyro.NameServer")));
        assert_eq!(registry.delete_group(caller, &name(":Pyro"), true), Err(reserved(":Pyro")));
        assert_eq!(registry.delete_group(caller, &Name::root(), true), Err(reserved(":")));
    }
    assert!(registry.resolve(&server().name).is_ok());
}

#[test]
fn groups_and_objects_do_not_take_each_others_place() {
    let (mut registry, now) = holding(&[":bank.alice"]);
    let is_group = NamingError::IsGroup { name: name(":bank") };
    let not_a_group = NamingError::NotAGroup { name: name(":bank.alice") };
    assert_eq!(registry.register(BOB, new(":bank"), now), Err(is_group.clone()));
    assert_eq!(registry.register(BOB, new(":"), now), Err(NamingError::IsGroup { name: Name::root() }));
    assert_eq!(registry.resolve(&name(":bank")).unwrap_err(), is_group);
    assert_eq!(registry.unregister(ALICE, &name(":bank"), None), Err(is_group));
    assert_eq!(registry.register(BOB, new(":bank.alice.x.y"), now), Err(not_a_group.clone()));
    assert_eq!(registry.create_group(BOB, &name(":bank.alice.x")), Err(not_a_group.clone()));
    assert_eq!(registry.list(&name(":bank.alice"), None, 9).unwrap_err(), not_a_group);
    assert!(matches!(registry.create_group(BOB, &name(":bank.alice")), Err(NamingError::NameTaken { .. })));
    assert_eq!(registry.tree(&name(":b"), None, 9).unwrap_err(), NamingError::NoSuchGroup { name: name(":b") });
}

#[test]
fn a_group_nobody_made_goes_with_the_last_name_in_it() {
    let (mut registry, _) = holding(&[":bank.north.alice", ":bank.south.bob"]);
    registry.create_group(BOB, &name(":bank.south")).unwrap();
    for text in [":bank.north.alice", ":bank.south.bob"] {
        registry.unregister(ALICE, &name(text), None).unwrap();
    }
    assert_eq!(names(&registry.list(&name(":bank"), None, 9).unwrap().entries), [":bank.south"]);
    assert_eq!(
        registry.create_group(BOB, &name(":bank.south")).unwrap_err(),
        NamingError::GroupExists { name: name(":bank.south") }
    );
    registry.delete_group(ALICE, &name(":bank.south"), false).unwrap();
    assert_eq!(registry.list(&Name::root(), None, 9).unwrap(), Listing::default());
    assert!(registry.owners.is_empty());
}

#[test]
fn deleting_a_group_is_all_or_nothing() {
    let (mut registry, now) = holding(&[":bank.north.alice", ":bank.zoe", ":bank-2.alice"]);
    registry.register(BOB, new(":bank.bob"), now).unwrap();
    registry.create_group(BOB, &name(":bank.empty.inner")).unwrap();
    let not_empty = NamingError::GroupNotEmpty { name: name(":bank") };
    assert_eq!(registry.delete_group(ALICE, &name(":bank"), false), Err(not_empty));
    let not_owner = NamingError::NotOwner { name: name(":bank.bob") };
    assert_eq!(registry.delete_group(ALICE, &name(":bank"), true), Err(not_owner));
    assert_eq!(registry.len(), 4);
    let removed = registry.delete_group(ADMIN, &name(":bank"), true).unwrap();
    let removed: Vec<_> = removed.iter().map(|removed| removed.name.as_str()).collect();
    assert_eq!(removed, [":bank.bob", ":bank.north.alice", ":bank.zoe"]);
    assert_eq!(names(&registry.list(&Name::root(), None, 9).unwrap().entries), [":bank-2"]);
}

#[test]
fn a_lease_ends_unless_it_is_renewed() {
    let (mut registry, now) = holding(&[":permanent"]);
    for text in [":a", ":b"] {
        registry.register(ALICE, leased(text, 15 * SECOND), now).unwrap();
    }
    registry.register(BOB, leased(":c", 15 * SECOND), now).unwrap();
    assert_eq!(registry.next_expiry(), Some(now + 15 * SECOND));
    assert_eq!(registry.renew(BOB.owner, now + 10 * SECOND), 1);
    registry.renew_name(ALICE, &name(":b"), 3, now + 5 * SECOND).unwrap();
    assert_eq!(registry.expire(now + 14 * SECOND), []);
    let mut expired_at = |seconds: u32| -> Vec<_> {
        registry.expire(now + seconds * SECOND).into_iter().map(|removed| removed.name.to_string()).collect()
    };
    assert_eq!(expired_at(15), [":a"]);
    assert_eq!(expired_at(19), [""; 0]);
    assert_eq!(expired_at(20), [":b"]);
    assert_eq!(expired_at(25), [":c"]);
    assert_eq!(names(&registry.tree(&Name::root(), None, 9).unwrap().entries), [":permanent"]);
    assert_eq!((registry.next_expiry(), registry.renew(BOB.owner, now)), (None, 0));
}

#[test]
fn a_lease_is_never_longer_than_the_longest() {
    let (mut registry, now) = holding(&[]);
    registry.register(ALICE, leased(":a", Duration::MAX), now).unwrap();
    assert_eq!(registry.next_expiry(), Some(now + LONGEST_LEASE));
}

#[test]
fn leases_end_in_batches() {
    let (mut registry, now) = holding(&[]);
    for number in 0..EXPIRY_BATCH + 1 {
        registry.register(PYROXENE, leased(&format!(":n{number}"), SECOND), now).unwrap();
    }
    assert_eq!(registry.expire(now + SECOND).len(), EXPIRY_BATCH);
    assert!(registry.next_expiry() <= Some(now + SECOND), "there is more to do at once");
    assert_eq!(registry.expire(now + SECOND).len(), 1);
}

#[test]
fn an_owner_that_ends_takes_its_leased_names_along() {
    let (mut registry, now) = holding(&[":permanent"]);
    registry.create_group(ALICE, &name(":group")).unwrap();
    registry.register(ALICE, leased(":a", SECOND), now).unwrap();
    registry.register(BOB, leased(":b", SECOND), now).unwrap();
    let removed = registry.withdraw(ALICE.owner);
    assert_eq!(removed, [Removed { name: name(":a"), uri: uri("object"), generation: 2 }]);
    assert_eq!(names(&registry.list(&Name::root(), None, 9).unwrap().entries), [":b", ":group", ":permanent"]);
    assert_eq!(registry.withdraw(OwnerId(99)), []);
}

#[test]
fn listings_come_in_pages() {
    let (registry, _) = holding(&[":bank.a", ":bank.b.x", ":bank.b.y", ":bank.c", ":bank-2", ":z"]);
    let list = |group, after: Option<&str>| registry.list(&name(group), after.map(name).as_ref(), 2).unwrap();
    let first = list(":bank", None);
    assert_eq!((names(&first.entries), first.more), (vec![":bank.a", ":bank.b"], true));
    assert_eq!(first.entries[1].kind, EntryKind::Group);
    assert_eq!(first.entries[0].kind, EntryKind::Object(uri("object")));
    let second = list(":bank", Some(":bank.b"));
    assert_eq!((names(&second.entries), second.more), (vec![":bank.c"], false));
    let tree = |after: Option<&str>| registry.tree(&name(":bank"), after.map(name).as_ref(), 3).unwrap();
    assert_eq!((names(&tree(None).entries), tree(None).more), (vec![":bank.a", ":bank.b.x", ":bank.b.y"], true));
    assert_eq!(names(&tree(Some(":bank.b.y")).entries), [":bank.c"]);
    for beyond in [":bank.zz", ":zz"] {
        assert_eq!((tree(Some(beyond)), list(":bank", Some(beyond))), Default::default(), "{beyond}");
    }
    assert_eq!(names(&registry.tree(&Name::root(), None, 9).unwrap().entries).len(), 6);
}

#[test]
fn objects_are_found_by_their_tags() {
    let (mut registry, now) = holding(&[]);
    for (text, carried) in [(":a", "red round"), (":b", "red"), (":c", "round"), (":d", "")] {
        registry.register(ALICE, NewName { tags: tags(carried), ..new(text) }, now).unwrap();
    }
    registry.set_metadata(ALICE, &name(":d"), tags("red flat")).unwrap();
    let find = |wanted: &str, carrying, after: Option<&str>, limit| {
        let wanted: Vec<_> = tags(wanted).into_iter().collect();
        let found = registry.find(&wanted, carrying, after.map(name).as_ref(), limit);
        (found.entries.into_iter().map(|entry| entry.name.to_string()).collect::<Vec<_>>().join(" "), found.more)
    };
    assert_eq!(find("red round", Carrying::All, None, 9), (":a".into(), false));
    assert_eq!(find("red", Carrying::All, None, 2), (":a :b".into(), true));
    assert_eq!(find("red", Carrying::All, Some(":b"), 2), (":d".into(), false));
    assert_eq!(find("red blue", Carrying::All, None, 9), (String::new(), false));
    assert_eq!(find("flat round blue", Carrying::Any, None, 9), (":a :c :d".into(), false));
    assert_eq!(find("flat round", Carrying::Any, None, 2), (":a :c".into(), true));
    assert_eq!(find("flat round", Carrying::Any, Some(":c"), 2), (":d".into(), false));
    assert_eq!(find("", Carrying::All, None, 9), (String::new(), false));
    assert_eq!(find("", Carrying::Any, None, 9), (String::new(), false));
}

#[test]
fn limits_hold_and_what_is_removed_makes_room() {
    let limits = Limits { total: 6, per_owner: 2, tags: 1 };
    let (mut registry, now) = with(limits, &[":a"]);
    registry.create_group(ALICE, &name(":g")).unwrap();
    assert_eq!(registry.register(ALICE, new(":b"), now), Err(NamingError::TooMany { limit: 2 }));
    assert_eq!(registry.create_group(ALICE, &name(":h")), Err(NamingError::TooMany { limit: 2 }));
    assert_eq!(registry.register(BOB, new(":x.y.z.w"), now), Err(NamingError::Full { limit: 6 }), "groups count");
    registry.register(BOB, new(":x.y.z"), now).unwrap();
    assert_eq!(registry.register(BOB, new(":c"), now), Err(NamingError::Full { limit: 6 }));
    registry.delete_group(ALICE, &name(":g"), false).unwrap();
    registry.register(ALICE, new(":b"), now).unwrap();
    let adopted = NewName { uri: uri("other"), replace: true, ..new(":a") };
    registry.register(ADMIN, adopted, now).unwrap();
    assert_eq!(registry.resolve(&name(":a")).unwrap().owner, ADMIN.owner);
    let tagged = NewName { tags: tags("one two"), ..new(":a") };
    assert_eq!(registry.register(ADMIN, tagged, now), Err(NamingError::TooManyTags { limit: 1 }));
    assert_eq!(registry.set_metadata(ADMIN, &name(":a"), tags("one two")), Err(NamingError::TooManyTags { limit: 1 }));
}

#[test]
fn an_unknown_name_suggests_a_known_one() {
    let (registry, _) = holding(&[":bank.alice", ":bank.bob", ":alice"]);
    let nearest = |text: &str| match registry.resolve(&name(text)) {
        Err(NamingError::UnknownName { nearest, .. }) => nearest.map(|name| name.to_string()),
        other => panic!("{other:?}"),
    };
    assert_eq!(nearest(":bank.alcie").as_deref(), Some(":bank.alice"));
    assert_eq!(nearest(":bank.carol"), None);
    assert_eq!(nearest(":shop.alice"), None);
}
