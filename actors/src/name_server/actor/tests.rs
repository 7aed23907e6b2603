use std::sync::Arc;

use pyroxene::client::client::{Client, ClientConfig};
use pyroxene::naming::resolve::NameResolver;
use pyroxene::object::local::LocalDaemons;
use pyroxene::{CallError, Daemon, NameServer};

use super::*;
use crate::name_server;

/// A client that reaches the name server as one in another process would.
fn stranger() -> Client {
    let config = ClientConfig { local: LocalDaemons::default(), ..ClientConfig::default() };
    Client::new(config, Arc::new(NameResolver::default()))
}

async fn started() -> (Daemon, NameServer) {
    let daemon = Daemon::bind("127.0.0.1:0").await.unwrap();
    let server = name_server::start(&daemon).await.unwrap();
    (daemon, server)
}

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

#[actix::test]
async fn it_knows_itself() {
    let (_daemon, server) = started().await;
    assert_eq!(server.resolve(":Pyro.NameServer").await.unwrap(), *server.uri());
    assert_eq!(server.count().await, Ok(1));
}

#[actix::test]
async fn a_name_belongs_to_the_session_that_registered_it() {
    let (_daemon, server) = started().await;
    let (one, other) = (stranger(), stranger());
    let mine = NameServer::with_uri(&one, server.uri().clone());
    let theirs = NameServer::with_uri(&other, server.uri().clone());
    mine.register("bank.alice", &uri("PYRO://localhost:7766/alice")).await.unwrap();
    let refused = theirs.unregister("bank.alice").await;
    assert!(matches!(refused, Err(CallError::Raised(NamingError::NotOwner { .. }))), "{refused:?}");
    let refused = theirs.register("bank.alice", &uri("PYRO://localhost:7766/eve")).replace(true).await;
    assert!(matches!(refused, Err(CallError::Raised(NamingError::NotOwner { .. }))), "{refused:?}");
    mine.unregister("bank.alice").await.unwrap();
    assert!(mine.resolve("bank.alice").await.is_err());
}

#[actix::test]
async fn what_is_reserved_is_for_this_process() {
    let (_daemon, server) = started().await;
    let stranger = stranger();
    let theirs = NameServer::with_uri(&stranger, server.uri().clone());
    let refused = theirs.register(":Pyro.Events", &uri("PYRO://localhost:7766/events")).await;
    assert!(matches!(refused, Err(CallError::Raised(NamingError::Reserved { .. }))), "{refused:?}");
    server.register(":Pyro.Events", &uri("PYRO://localhost:7766/events")).await.unwrap();
    assert!(theirs.unregister(":Pyro.NameServer").await.is_err());
}

#[actix::test]
async fn generations_go_on_rising_over_restarts() {
    let (_first, before) = started().await;
    let earlier = before.register("a", &uri("PYRO://localhost:7766/a")).await.unwrap();
    let (_second, after) = started().await;
    let later = after.register("a", &uri("PYRO://localhost:7766/a")).await.unwrap();
    assert!(later.generation > earlier.generation);
}

#[actix::test]
async fn a_listing_comes_page_by_page() {
    let (_daemon, server) = started().await;
    for number in 0..=PAGE_ENTRIES {
        server.register(&format!("many.n{number:04}"), &uri("PYRO://localhost:7766/a")).await.unwrap();
    }
    assert_eq!(server.list("many").await.unwrap().len(), PAGE_ENTRIES + 1);
    assert_eq!(server.delete_group("many", true).await, Ok(counted(PAGE_ENTRIES) + 1));
}

#[actix::test]
async fn the_alarm_rings_when_a_lease_ends_and_not_when_it_is_renewed() {
    tokio::time::pause();
    let mut server = NameServerActor::new(&uri("PYRO://localhost:1/Pyro.NameServer"), &Config::default());
    let lease = |name: &str, lease_ms| Register {
        name: name.to_owned(),
        uri: uri("PYRO://localhost:7766/a"),
        lease_ms: Some(lease_ms),
        replace: false,
        metadata: Vec::new(),
    };
    server.register(lease("long", 60_000)).unwrap();
    server.register(lease("short", 1_000)).unwrap();
    let server = server.start();
    // Its first alarm is set by a registration.
    server.send(lease("other", 60_000)).await.unwrap().unwrap();
    assert_eq!(count_after(1_100, &server).await, 3, "itself, long and other");
    count_after(30_000, &server).await;
    server.send(Renew).await.unwrap().unwrap();
    assert_eq!(count_after(40_000, &server).await, 3);
    assert_eq!(count_after(30_000, &server).await, 1);
}

async fn count_after(ms: u64, server: &actix::Addr<NameServerActor>) -> u64 {
    tokio::time::advance(Duration::from_millis(ms)).await;
    // An actor hears its mailbox before its alarm.
    server.send(Ping).await.unwrap().unwrap();
    server.send(Count).await.unwrap().unwrap()
}
