//! Actors that are put in messages without having been exported.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler};
use pyroxene::transport::Network;
use pyroxene::uri::Endpoint;
use pyroxene::{Daemon, Proxy, RemoteMessage, RemoteObject};
use serde::{Deserialize, Serialize};

use super::world::{Guest, GuestProxy, RoomProxy, World, config};
use crate::support::memory::MemoryNetwork;
use crate::support::pair::{client_over, settle};

/// An actor that can be called as a [`Guest`] is.
#[derive(RemoteObject)]
#[remote(methods(Hear))]
struct Listener {
    heard: Vec<String>,
}

#[derive(Serialize, Deserialize, actix::Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Hear {
    line: String,
}

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<Hear> for Listener {
    type Result = u64;

    fn handle(&mut self, Hear { line }: Hear, _: &mut Context<Self>) -> u64 {
        self.heard.push(line);
        self.heard.len() as u64
    }
}

fn listener() -> Addr<Listener> {
    Listener { heard: Vec::new() }.start()
}

async fn as_guest(addr: &Addr<Listener>) -> GuestProxy {
    Proxy::to(addr).await.unwrap().cast::<Guest>().into()
}

async fn pass(secs: u64) {
    tokio::time::sleep(Duration::from_secs(secs)).await;
    settle().await;
}

/// A room in a process that listens, as it were, and its proxy in one that only connects and has bound no daemon; that is made here.
async fn far_room() -> (World, RoomProxy) {
    tokio::time::pause();
    let network: Arc<dyn Network> = Arc::new(MemoryNetwork::default());
    let client = client_over(&network);
    client.install();
    let made = Daemon::current().await.unwrap();
    assert!(matches!(made.endpoint(), Endpoint::Unbound(_)));
    // From here on references are read by the client of the room.
    let world = World::over(Arc::clone(&network)).await;
    let room = world.room_for(&client).await;
    assert_eq!(Daemon::current().await.unwrap().endpoint(), made.endpoint());
    (world, room)
}

#[actix::test]
async fn an_actor_that_nobody_has_exported_is_called_back_and_withdrawn_when_it_is_let_go() {
    let (_world, room) = far_room().await;
    let addr = listener();
    room.enter(as_guest(&addr).await).await.unwrap();
    assert_eq!(room.say("hello".into()).await, Ok(vec![1]));
    let daemon = Daemon::current().await.unwrap();
    pass(100).await;
    assert_eq!(daemon.usage().objects, 1, "the room has it");
    assert_eq!(room.say("still here".into()).await, Ok(vec![2]));
    room.leave_all().await.unwrap();
    pass(100).await;
    assert_eq!(daemon.usage().objects, 0, "nobody has it");
    assert_eq!(addr.send(Hear { line: "to you".into() }).await.unwrap(), 3, "it does not notice");
    room.enter(as_guest(&addr).await).await.unwrap();
    assert_eq!(room.say("again".into()).await, Ok(vec![4]));
}

#[actix::test]
async fn however_often_an_actor_is_put_in_messages_it_is_exported_once() {
    let (_world, room) = far_room().await;
    let addr = listener();
    for _ in 0..10 {
        room.enter(as_guest(&addr).await).await.unwrap();
    }
    assert_eq!(Daemon::current().await.unwrap().usage().objects, 1);
    assert_eq!(as_guest(&addr).await.proxy(), as_guest(&addr).await.proxy());
    assert_eq!(room.say("hello".into()).await, Ok((1..=10).collect()));
}

#[actix::test]
async fn actors_that_are_passed_and_let_go_leave_nothing_behind() {
    let (_world, room) = far_room().await;
    for round in 0..50 {
        for _ in 0..20 {
            room.enter(as_guest(&listener()).await).await.unwrap();
        }
        assert_eq!(room.say("hello".into()).await, Ok(vec![1; 20]), "{round}");
        room.leave_all().await.unwrap();
    }
    pass(100).await;
    assert_eq!(Daemon::current().await.unwrap().usage(), pyroxene::Usage::default());
}

#[actix::test]
async fn one_that_a_daemon_knows_is_not_exported_once_more() {
    tokio::time::pause();
    let network: Arc<dyn Network> = Arc::new(MemoryNetwork::default());
    let client = client_over(&network);
    client.install();
    let daemon = Daemon::bind_with(config(), client, &"127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = listener();
    let exported = daemon.export("listener", &addr).unwrap();
    assert_eq!(Proxy::to(&addr).await.unwrap(), exported);
    let other = Proxy::to(&listener()).await.unwrap();
    assert_eq!((daemon.usage().objects, other.is_local()), (2, true), "the daemon that there is exports it");
}

#[actix::test]
async fn the_methods_of_an_object_have_its_daemon() {
    /// Asks for its daemon.
    #[derive(Default)]
    struct Asker;

    #[pyroxene::remote]
    impl Asker {
        pub async fn ask(&mut self) -> String {
            Daemon::current().await.unwrap().endpoint().to_string()
        }
    }

    tokio::time::pause();
    let network: Arc<dyn Network> = Arc::new(MemoryNetwork::default());
    let at = || "127.0.0.1:0".parse().unwrap();
    let first = Daemon::bind_with(config(), client_over(&network), &at()).await.unwrap();
    let second = Daemon::bind_with(config(), client_over(&network), &at()).await.unwrap();
    let asker = AskerProxy::from(second.supervise("asker", Asker::default).await.unwrap());
    assert_eq!(asker.ask().await.unwrap(), second.endpoint().to_string());
    assert_eq!(Daemon::current().await.unwrap().endpoint(), first.endpoint());
}
