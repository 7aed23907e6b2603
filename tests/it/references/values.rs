//! Proxies in messages, results, collections and files.

use std::collections::{BTreeMap, HashSet};

use pyroxene::codec::{self, budget::Budget};
use pyroxene::wire::SerializerId;

use super::world::{GuestProxy, World};

#[actix::test]
async fn a_proxy_arrives_as_one_by_any_serializer_in_any_collection() {
    let world = World::new().await;
    let eve = world.visitor().await;
    let rooms = BTreeMap::from([("room", (Some(world.room.clone()), 7_u8))]);
    for serializer in [SerializerId::JSON, SerializerId::MESSAGE_PACK, SerializerId::POSTCARD] {
        let mut bytes = Vec::new();
        codec::encode(serializer, &rooms, &mut bytes).unwrap();
        assert!(bytes.len() < 150, "an address and an id, and nothing that lets anybody in");
        let read: BTreeMap<String, (Option<super::world::RoomProxy>, u8)> =
            codec::decode(serializer, &bytes, &Budget::default()).unwrap();
        let room = read["room"].0.clone().unwrap();
        assert!(!room.proxy().is_local(), "nothing is opened yet");
        assert_eq!(room.guests().await.unwrap(), []);
        assert!(room.proxy().is_local(), "it has come home");
    }
    let guests = BTreeMap::from([("eve".to_owned(), (Some(eve.guest.clone()), 1)), ("nobody".to_owned(), (None, 2))]);
    eve.room.enter_all(guests).await.unwrap();
    assert_eq!(world.room.say("hello".to_owned()).await.unwrap(), [1]);
}

#[actix::test]
async fn proxies_are_equal_if_their_objects_are() {
    let world = World::new().await;
    let (eve, bob) = (world.visitor().await, world.visitor().await);
    for guest in [&eve, &bob, &eve] {
        guest.room.enter(guest.guest.clone()).await.unwrap();
    }
    let guests = world.room.guests().await.unwrap();
    assert_eq!(guests[0], guests[2]);
    assert_ne!(guests[0], guests[1]);
    assert_eq!(guests[0], eve.guest, "under another address");
    let different: HashSet<GuestProxy> = guests.into_iter().collect();
    assert_eq!(different.len(), 2);
    let room = world.room_for(&eve.client).await;
    assert_eq!(room, world.room);
}

#[actix::test]
async fn back_home_a_proxy_is_local_again() {
    let world = World::new().await;
    let eve = world.visitor().await;
    eve.room.enter(eve.guest.clone()).await.unwrap();
    let there = world.room.guests().await.unwrap().remove(0);
    assert!(there.hear("over the connection".to_owned()).await.is_ok() && !there.proxy().is_local());
    // Eve's own client is the one that reads now.
    eve.client.install();
    let back = eve.room.guests().await.unwrap().remove(0);
    assert_eq!(back.proxy().uri(), there.proxy().uri());
    assert_eq!(back.hear("at home".to_owned()).await.unwrap(), 2);
    assert!(back.proxy().is_local());
}
