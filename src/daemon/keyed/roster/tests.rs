use proptest::prelude::*;

use super::*;

fn id(text: &str) -> Arc<str> {
    Arc::from(text)
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_one_that_was_not_used_for_the_longest_time_makes_room() {
    let (mut roster, start) = (Roster::new(3), Instant::now());
    for (n, key) in ["a", "b", "c"].into_iter().enumerate() {
        assert!(roster.insert(&id(key), key, start + SECOND * n as u32));
    }
    assert!(roster.is_full());
    roster.called("a", start + SECOND * 5).unwrap();
    let now = start + SECOND * 6;
    assert_eq!(roster.oldest(now, |key| *key != "b"), Some(id("c")), "that one is in use");
    assert_eq!(roster.oldest(now, |_| true), Some(id("a")), "the others are about to go, or were in use just now");
    assert!(!roster.insert(&id("d"), "d", now), "it waits");
    assert_eq!(roster.next_waiting(), None);
    roster.remove("a");
    assert_eq!(roster.next_waiting(), Some("d"));
    assert_eq!(roster.next_waiting(), None);
}

#[test]
fn one_that_waits_for_room_can_be_turned_away_and_no_other() {
    let (mut roster, now) = (Roster::new(1), Instant::now());
    roster.insert(&id("a"), "a", now);
    assert_eq!(roster.turn_away(), None);
    roster.insert(&id("b"), "b", now);
    roster.insert(&id("c"), "c", now);
    assert_eq!((roster.turn_away(), roster.waiting()), (Some("b"), 1));
    roster.remove("c");
    assert_eq!((roster.turn_away(), roster.waiting()), (None, 0));
    assert!(roster.find("a").is_some());
}

#[test]
fn what_is_saved_need_not_be_saved_again_until_it_is_called() {
    let (mut roster, now) = (Roster::new(1), Instant::now());
    roster.insert(&id("a"), "a", now);
    assert_eq!(roster.begin_save("a", &"a"), Some(1));
    assert_eq!(roster.take("a", |_, _| true), None, "not while it is being saved");
    roster.called("a", now);
    roster.end_save("a", Some(1));
    assert_eq!(roster.take("a", |_, is_saved| is_saved), None, "it was called since");
    assert_eq!(roster.begin_save("a", &"a"), Some(2));
    roster.end_save("a", None);
    assert_eq!(roster.take("a", |_, is_saved| is_saved), None, "that went wrong");
    assert_eq!(roster.begin_save("a", &"a"), Some(2));
    roster.end_save("a", Some(2));
    assert_eq!(roster.begin_save("a", &"a"), None);
    roster.called("a", now);
    assert_eq!(roster.begin_save("a", &"one before"), None, "that one has left");
    assert_eq!(roster.begin_save("a", &"a"), Some(3));
    roster.end_save("a", Some(3));
    assert_eq!(roster.take("a", |_, is_saved| is_saved), Some("a"));
}

#[test]
fn each_is_due_when_it_has_been_idle_and_when_it_was_not_saved_for_long() {
    let (mut roster, start) = (Roster::new(8), Instant::now());
    let due =
        |roster: &mut Roster<&'static str>, secs: u32| roster.due(start + SECOND * secs, SECOND * 60, SECOND * 10, 8);
    assert_eq!(due(&mut roster, 0), Due::default());
    roster.insert(&id("a"), "a", start);
    roster.insert(&id("b"), "b", start + SECOND);
    assert_eq!(due(&mut roster, 9).next, Some(start + SECOND * 10));
    let first = due(&mut roster, 10);
    assert_eq!((first.idle.len(), first.unsaved), (0, vec![id("a")]));
    let calls = roster.begin_save("a", &"a");
    roster.end_save("a", calls);
    roster.called("b", start + SECOND * 30);
    // Nobody has saved b, so it comes again.
    assert_eq!(due(&mut roster, 30).unsaved, [id("b")]);
    assert_eq!(due(&mut roster, 60).idle, [id("a")]);
    assert_eq!(due(&mut roster, 89).idle, [] as [Arc<str>; 0]);
    assert_eq!(due(&mut roster, 90).idle, [id("b")]);
}

#[test]
fn where_nothing_may_be_idle_everything_is_due_once() {
    let (mut roster, now) = (Roster::new(8), Instant::now());
    roster.insert(&id("a"), "a", now);
    roster.insert(&id("b"), "b", now);
    roster.begin_save("b", &"b");
    let due = roster.due(now, Duration::ZERO, Duration::ZERO, 8);
    assert_eq!((due.idle, due.unsaved, due.next), (vec![id("a")], vec![id("a")], Some(now)));
}

/// As simple as can be: all of them, and what is true of each.
#[derive(Default)]
struct Model {
    /// When each was used, what it was given, and what of that is saved.
    active: Vec<(u8, Instant, u64, u64)>,
}

proptest! {
    /// However they are called, saved and let go: nobody leaves with anything unsaved, everybody is due who is idle, and no other.
    #[test]
    fn nobody_leaves_with_anything_unsaved_and_everybody_who_is_idle_is_due(
        steps in prop::collection::vec((0..6_u8, 0..8_u8, 1..40_u64), 1..300),
    ) {
        let (idle, within) = (Duration::from_millis(100), Duration::from_millis(30));
        let (mut roster, mut model, mut now) = (Roster::new(100), Model::default(), Instant::now());
        for (action, key, pause) in steps {
            let name = id(&key.to_string());
            match action {
                0..=2 => {
                    if roster.called(&name, now).is_none() {
                        prop_assert!(roster.insert(&name, key, now));
                        model.active.push((key, now, 0, 0));
                    }
                    let one = model.active.iter_mut().find(|one| one.0 == key).unwrap();
                    (one.1, one.2) = (now, one.2 + 1);
                }
                3 => {
                    let calls = roster.begin_save(&name, &key);
                    roster.end_save(&name, calls);
                    if let Some(one) = model.active.iter_mut().find(|one| one.0 == key) {
                        prop_assert_eq!(calls, (one.3 < one.2).then_some(one.2));
                        one.3 = one.2;
                    }
                }
                4 => {
                    let taken = roster.take(&name, |_, is_saved| is_saved);
                    let before = model.active.len();
                    model.active.retain(|one| one.0 != key || one.2 != one.3);
                    prop_assert_eq!(taken.is_some(), before != model.active.len());
                }
                _ => {
                    now += Duration::from_millis(pause);
                    let due = roster.due(now, idle, within, 100);
                    for one in &model.active {
                        let told = due.idle.contains(&id(&one.0.to_string()));
                        if told {
                            prop_assert!(one.1 + idle <= now, "{} was used", one.0);
                        }
                        if due.unsaved.contains(&id(&one.0.to_string())) {
                            prop_assert!(one.3 < one.2, "{} is saved", one.0);
                        }
                    }
                    // Each that was told of stays in the order as used now, so the next look is later.
                    prop_assert_eq!(due.next.is_some(), !model.active.is_empty() || due.next.is_some());
                    prop_assert!(due.next.is_none_or(|next| next > now));
                }
            }
            prop_assert_eq!(roster.all().count(), model.active.len());
        }
        // Whatever was, after a long pause all are due.
        now += idle * 3;
        let due = roster.due(now, idle, within, 100);
        let mut told: Vec<_> = due.idle.iter().map(|id| id.parse::<u8>().unwrap()).collect();
        let mut all: Vec<_> = model.active.iter().map(|one| one.0).collect();
        told.sort_unstable();
        all.sort_unstable();
        prop_assert_eq!(told, all);
        let mut unsaved: Vec<_> = due.unsaved.iter().map(|id| id.parse::<u8>().unwrap()).collect();
        let mut dirty: Vec<_> = model.active.iter().filter(|one| one.3 < one.2).map(|one| one.0).collect();
        unsaved.sort_unstable();
        dirty.sort_unstable();
        prop_assert_eq!(unsaved, dirty);
    }
}
