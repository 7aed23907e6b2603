//! Objects of a process that only connects to others.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::{CallError, DynProxy, NotStarted, args};

use super::world::{Deaf, GuestProxy, Visitor, World};
use crate::support::flaky::Flaky;
use crate::support::pair::{brittle_client_over, settle};

#[actix::test]
async fn whoever_only_connects_can_be_called_back_long_after_its_call() {
    let world = World::new().await;
    let eve = world.visitor().await;
    eve.room.enter(eve.guest.clone()).await.unwrap();
    tokio::time::advance(Duration::from_secs(3_600)).await;
    assert_eq!(world.room.say("hello".to_owned()).await.unwrap(), [1]);
    assert_eq!(eve.room.say("and I".to_owned()).await.unwrap(), [2], "while its own call is under way");
    assert_eq!(eve.heard.all(), ["hello", "and I"]);
}

#[actix::test]
async fn the_connection_stays_for_as_long_as_the_objects_that_are_called_over_it() {
    let world = World::new().await;
    let eve = world.visitor().await;
    eve.room.enter(eve.guest.clone()).await.unwrap();
    let Visitor { client, daemon, room, guest, heard } = eve;
    drop((client, room, guest));
    settle().await;
    assert_eq!(world.room.say("nobody of here calls".to_owned()).await.unwrap(), [1]);
    drop(daemon);
    settle().await;
    let Err(CallError::Raised(Deaf(problem, false))) = world.room.say("gone".to_owned()).await else {
        panic!("nobody hears")
    };
    assert!(problem.contains("not connected"), "{problem}");
    assert_eq!(heard.all().len(), 1);
}

#[actix::test]
async fn every_kind_of_call_goes_back_over_the_connection() {
    let world = World::new().await;
    let eve = world.visitor().await;
    eve.room.enter(eve.guest.clone()).await.unwrap();
    let guest = world.room.guests().await.unwrap().remove(0);
    assert!(!guest.proxy().is_local());
    guest.overhear("psst".to_owned());
    assert_eq!(guest.hear("a".to_owned()).await.unwrap(), 2, "behind the oneway");
    let mut items = guest.count(300).await.unwrap();
    let mut sum = 0;
    while let Some(item) = items.next().await {
        sum += item.unwrap();
    }
    assert_eq!(sum, 300 * 299 / 2);
    let error = guest.never().timeout_ms(50).await.unwrap_err();
    assert!(matches!(error, CallError::Unknown(_)), "{error:?}");
    let error = guest.fail().await.unwrap_err();
    assert!(matches!(error, CallError::Failed(_)), "{error:?}");
    assert_eq!(guest.hear("again".to_owned()).await.unwrap(), 3, "its state is built again, and it is the same object");
    let anybody = DynProxy::connect_with(&eve.client, guest.proxy().uri()).await.unwrap();
    assert_eq!(anybody.call("hear", args!["by name"]).await.unwrap(), 4_u64.into());
}

#[actix::test]
async fn a_call_back_ends_at_once_and_truthfully_when_the_connection_is_lost() {
    let world = World::new().await;
    let flaky = Arc::new(Flaky::new(Arc::clone(&world.network), []));
    let network = Arc::clone(&flaky) as _;
    let eve = world.visitor_of(brittle_client_over(&network)).await;
    eve.room.enter(eve.guest.clone()).await.unwrap();
    let guest = world.room.guests().await.unwrap().remove(0);
    let mut call = tokio::spawn(async move { guest.never().await });
    settle().await;
    assert!(!call.is_finished());
    flaky.reset_all();
    let error = (&mut call).await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Unknown(_)), "it was under way: {error:?}");
    let Err(CallError::Raised(Deaf(problem, may_have_run))) = world.room.say("hello".to_owned()).await else {
        panic!("nobody hears")
    };
    assert!(!may_have_run && problem.contains("not connected"), "{problem}");

    eve.room.guests().await.unwrap();
    assert_eq!(world.room.say("hello".to_owned()).await.unwrap(), [1], "whoever comes back is called again");
}

#[actix::test]
async fn whoever_hosts_objects_comes_back_by_itself_when_its_stream_is_lost() {
    let world = World::new().await;
    let flaky = Arc::new(Flaky::new(Arc::clone(&world.network), []));
    let network = Arc::clone(&flaky) as _;
    let eve = world.visitor_over(&network).await;
    eve.room.enter(eve.guest.clone()).await.unwrap();
    settle().await;
    for said in 1..=3 {
        // Nobody of this process calls, or waits for anything.
        flaky.reset_all();
        settle().await;
        assert_eq!(world.room.say("are you there?".to_owned()).await.unwrap(), [said]);
    }
    let guest = world.room.guests().await.unwrap().remove(0);
    let call = tokio::spawn(async move { guest.hear("in between".to_owned()).await });
    flaky.reset_all();
    assert_eq!(call.await.unwrap().unwrap(), 4);
    assert_eq!(eve.heard.all().len(), 4);
}

#[actix::test]
async fn an_object_that_is_gone_is_told_so() {
    let world = World::new().await;
    let eve = world.visitor().await;
    eve.room.enter(eve.guest.clone()).await.unwrap();
    let guest = world.room.guests().await.unwrap().remove(0);
    eve.daemon.stop("guest");
    let error = guest.hear("hello".to_owned()).await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(NotStarted::StaleReference { .. })), "{error:?}");
}

#[actix::test]
async fn a_reference_without_an_address_is_not_sent_to_whoever_cannot_call_back() {
    let world = World::new().await;
    let eve = world.visitor().await;
    let uri = eve.guest.proxy().uri().to_string();
    assert!(uri.starts_with("PYRO://~"), "{uri}");
    assert_eq!(serde_json::to_string(&eve.guest).unwrap(), format!("{uri:?}"));
    // As text it means nothing to others, who say so.
    let stranger: GuestProxy = serde_json::from_str(&format!("{uri:?}")).unwrap();
    let error = stranger.hear("hello".to_owned()).await.unwrap_err();
    let CallError::NotStarted(NotStarted::Unreachable { problem, .. }) = error else { panic!("{error:?}") };
    assert!(problem.contains("pass the proxy itself"), "{problem}");
}
