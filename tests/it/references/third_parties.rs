//! Objects behind a connection, called by whoever was passed a reference, through the daemon at its other end.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::{CallError, Client, DynProxy, NotStarted, Proxy, Unknown, args};

use super::world::{Guest, GuestProxy, Visitor, World};
use crate::support::flaky::Flaky;
use crate::support::pair::{brittle_client_over, client_over, settle};

/// The one guest of the room, for a client that reaches the room's daemon over a connection only.
async fn passed_on(world: &World) -> (Client, GuestProxy) {
    let client = client_over(&world.network);
    let guest = passed_on_to(&client, world).await;
    (client, guest)
}

/// The same for this client.
async fn passed_on_to(client: &Client, world: &World) -> GuestProxy {
    let room = world.room_for(client).await;
    let uri = room.guests().await.unwrap().remove(0).proxy().uri().clone();
    GuestProxy::from(Proxy::<Guest>::connect_with(client, uri).await.unwrap())
}

/// A room with one guest.
async fn room_of_eve() -> (World, Visitor) {
    let world = World::new().await;
    let eve = world.visitor().await;
    eve.room.enter(eve.guest.clone()).await.unwrap();
    (world, eve)
}

#[actix::test]
async fn a_third_party_calls_an_object_behind_the_connection_of_another() {
    let (world, _eve) = room_of_eve().await;
    let (client, guest) = passed_on(&world).await;
    assert!(!guest.proxy().is_local());
    assert_eq!(guest.hear("hello".to_owned()).await.unwrap(), 1);
    guest.overhear("psst".to_owned());
    assert_eq!(guest.hear("x".repeat(300_000)).await.unwrap(), 3, "large messages as well, in their order");
    let anybody = DynProxy::connect_with(&client, guest.proxy().uri()).await.unwrap();
    assert_eq!(anybody.call("hear", args!["by name"]).await.unwrap(), 4_u64.into());
    assert!(matches!(guest.fail().await, Err(CallError::Failed(fault)) if fault.message.contains("enough")));
    assert_eq!(guest.hear("again".to_owned()).await.unwrap(), 5);
}

#[actix::test]
async fn guests_of_one_room_call_each_other() {
    let world = World::new().await;
    let (eve, bob) = (world.visitor().await, world.visitor().await);
    eve.room.enter(eve.guest.clone()).await.unwrap();
    let (_client, eves) = passed_on(&world).await;
    // Bob is behind a connection himself, and so is whom he is told to.
    let told = GuestProxy::from(Proxy::<Guest>::connect_with(&bob.client, eves.proxy().uri()).await.unwrap());
    told.befriend(bob.guest.clone()).await.unwrap();
    let friend = eve.guest.friend().await.unwrap().unwrap();
    assert_eq!(friend.hear("from eve to bob".to_owned()).await.unwrap(), 1);
    assert_eq!(bob.heard.all(), ["from eve to bob"]);
}

#[actix::test]
async fn many_calls_are_passed_on_at_once_and_given_up_one_by_one() {
    let (world, _eve) = room_of_eve().await;
    let (_client, guest) = passed_on(&world).await;
    let calls: Vec<_> = (0..200).map(|n| tokio::spawn(guest.hear(n.to_string()))).collect();
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap().unwrap(), n as u64 + 1, "in the order in which they were made");
    }
    let never = tokio::spawn(guest.never());
    settle().await;
    never.abort();
    settle().await;
    // Whoever has the object to itself was stopped, or nobody else would be heard.
    assert_eq!(guest.hear("free".to_owned()).await.unwrap(), 201);
}

#[actix::test]
async fn when_the_connection_in_between_is_lost_third_parties_are_told_the_truth_at_once() {
    let world = World::new().await;
    let flaky = Arc::new(Flaky::new(Arc::clone(&world.network), []));
    let network = Arc::clone(&flaky) as _;
    let eve = world.visitor_of(brittle_client_over(&network)).await;
    eve.room.enter(eve.guest.clone()).await.unwrap();
    let (_client, guest) = passed_on(&world).await;
    let call = tokio::spawn(guest.never());
    settle().await;
    flaky.reset_all();
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Unknown(Unknown::Aborted { .. })), "it was under way: {error:?}");
    let error = guest.hear("hello".to_owned()).await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(NotStarted::Unreachable { .. })), "{error:?}");

    eve.room.guests().await.unwrap();
    assert_eq!(guest.hear("hello".to_owned()).await.unwrap(), 1, "whoever comes back is called again");
}

#[actix::test]
async fn the_calls_of_a_batch_are_passed_on_one_by_one() {
    let (world, eve) = room_of_eve().await;
    let (_client, guest) = passed_on(&world).await;
    let lines = ["one", "two", "three"].map(|line| guest.hear(line.to_owned()));
    let heard = guest.proxy().batch().add_all(lines).send().await;
    assert_eq!(heard, [Ok(1), Ok(2), Ok(3)]);
    let transfer = guest.proxy().batch().stop_at_fault();
    let (failed, skipped) = transfer.add(guest.fail()).add(guest.hear("four".to_owned())).send().await;
    assert!(matches!(failed, Err(CallError::Failed(_))), "{failed:?}");
    assert!(matches!(skipped, Err(CallError::NotStarted(NotStarted::Skipped))), "{skipped:?}");
    assert_eq!(eve.heard.all(), ["one", "two", "three"]);
}

#[actix::test]
async fn a_call_that_runs_once_is_passed_on_once_however_often_its_caller_comes_back() {
    let (world, eve) = room_of_eve().await;
    let flaky = Arc::new(Flaky::new(Arc::clone(&world.network), []));
    let client = brittle_client_over(&(Arc::clone(&flaky) as _));
    let guest = passed_on_to(&client, &world).await;
    let call = tokio::spawn(guest.hear_slowly("once".to_owned()).once());
    for _ in 0..3 {
        settle().await;
        flaky.reset_all();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(!call.is_finished());
    assert_eq!(call.await.unwrap(), Ok(1));
    assert!(flaky.attempts() > 3, "{}", flaky.attempts());
    assert_eq!(guest.hear("and again".to_owned()).once().await, Ok(2));
    assert_eq!(eve.heard.all(), ["once", "and again"]);
}

#[actix::test]
async fn what_cannot_be_passed_on_is_refused_and_never_runs() {
    let (world, eve) = room_of_eve().await;
    let (client, guest) = passed_on(&world).await;
    let unsupported = |error: &NotStarted| matches!(error, NotStarted::Unsupported { .. });
    assert!(matches!(guest.count(3).await, Err(CallError::NotStarted(why)) if unsupported(&why)));
    let uri = guest.proxy().uri().to_string();
    // Another number is nobody's.
    let last = uri.rfind('~').unwrap() - 1;
    let other = if uri.as_bytes()[last] == b'0' { "1" } else { "0" };
    let stranger = format!("{}{other}{}", &uri[..last], &uri[last + 1..]);
    let error = DynProxy::connect_with(&client, stranger).await.err().unwrap();
    assert!(matches!(error.why, NotStarted::StaleReference { .. }), "{error:?}");
    assert_eq!(eve.heard.all(), [] as [String; 0]);
}
