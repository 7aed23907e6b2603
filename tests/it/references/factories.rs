//! Objects that a method makes and returns, and how long they live.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::wire::{BindingTable, MessageType, Release, Target};
use pyroxene::{CallError, Client, Daemon, NotStarted, Proxy};

use super::world::config;
use crate::support::flaky::Flaky;
use crate::support::memory::MemoryNetwork;
use crate::support::pair::{brittle_client_over, client_over, settle};
use crate::support::raw_peer::RawPeer;

struct Account {
    balance: u64,
}

#[pyroxene::remote]
impl Account {
    pub fn deposit(&mut self, amount: u64) -> u64 {
        self.balance += amount;
        self.balance
    }
}

struct Bank {
    daemon: Daemon,
}

#[pyroxene::remote]
impl Bank {
    pub async fn open(&mut self, balance: u64) -> AccountProxy {
        self.daemon.host(move || Account { balance }).while_held().spawn().await.unwrap().into()
    }

    pub async fn open_for_good(&mut self) -> AccountProxy {
        self.daemon.host(|| Account { balance: 0 }).spawn().await.unwrap().into()
    }
}

struct World {
    flaky: Arc<Flaky>,
    daemon: Daemon,
    client: Client,
    bank: BankProxy,
}

impl World {
    async fn new() -> World {
        tokio::time::pause();
        let flaky = Arc::new(Flaky::new(Arc::new(MemoryNetwork::default()), []));
        let network = Arc::clone(&flaky) as _;
        let endpoint = "127.0.0.1:0".parse().unwrap();
        let daemon = Daemon::bind_with(config(), client_over(&network), &endpoint).await.unwrap();
        let made = daemon.clone();
        let here = daemon.supervise("bank", move || Bank { daemon: made.clone() }).await.unwrap();
        let client = brittle_client_over(&network);
        client.install();
        let bank = BankProxy::from(Proxy::<Bank>::connect_with(&client, here.uri()).await.unwrap());
        World { flaky, daemon, client, bank }
    }

    /// Whether the daemon still has the object.
    async fn has(&self, account: &AccountProxy) -> bool {
        let again = AccountProxy::from(Proxy::<Account>::lazy_with(&self.client, account.proxy().uri().clone()));
        match again.deposit(0).await {
            Ok(_) => true,
            Err(CallError::NotStarted(NotStarted::StaleReference { .. })) => false,
            Err(error) => panic!("{error:?}"),
        }
    }
}

async fn pass(secs: u64) {
    tokio::time::sleep(Duration::from_secs(secs)).await;
}

#[actix::test]
async fn an_object_lives_for_as_long_as_somebody_holds_it() {
    let world = World::new().await;
    let account = world.bank.open(5).await.unwrap();
    assert_eq!(account.deposit(1).await.unwrap(), 6);
    let again = account.clone();
    drop(account);
    pass(3_600).await;
    assert_eq!(again.deposit(1).await.unwrap(), 7, "a clone holds it");
    let uri = again.proxy().uri().clone();
    drop(again);
    pass(29).await;
    let late = AccountProxy::from(Proxy::<Account>::lazy_with(&world.client, uri));
    assert_eq!(late.deposit(1).await.unwrap(), 8, "its lease is not over");
    pass(3_600).await;
    assert!(world.has(&late).await);
    let forgotten = AccountProxy::from(Proxy::<Account>::lazy_with(&world.client, late.proxy().uri().clone()));
    drop(late);
    pass(31).await;
    assert!(!world.has(&forgotten).await);
}

#[actix::test]
async fn a_reference_that_nobody_ever_uses_is_let_go() {
    let world = World::new().await;
    let account = world.bank.open(5).await.unwrap();
    pass(31).await;
    assert!(!world.has(&account).await);
}

#[actix::test]
async fn whoever_loses_the_connection_has_time_to_come_back() {
    let world = World::new().await;
    let (account, other) = (world.bank.open(5).await.unwrap(), world.bank.open(6).await.unwrap());
    account.deposit(1).await.unwrap();
    other.deposit(1).await.unwrap();
    world.flaky.reset_all();
    pass(20).await;
    assert_eq!(account.deposit(1).await.unwrap(), 7);
    pass(20).await;
    assert_eq!(account.deposit(1).await.unwrap(), 8);
    assert!(!world.has(&other).await, "nobody came back for it");
}

#[actix::test]
async fn an_object_without_a_name_lives_until_it_is_ended() {
    let world = World::new().await;
    let account = world.bank.open_for_good().await.unwrap();
    account.deposit(1).await.unwrap();
    pass(3_600).await;
    assert_eq!(account.deposit(1).await.unwrap(), 2);
    assert!(world.daemon.end(account.proxy()));
    assert!(!world.daemon.end(account.proxy()));
    assert!(matches!(account.deposit(1).await, Err(CallError::NotStarted(_))));
}

/// `PYROXENE_REFERENCES` says how many; what is open on one connection at a time is far fewer.
#[actix::test]
async fn references_that_are_passed_and_dropped_leave_nothing_behind() {
    let many = std::env::var("PYROXENE_REFERENCES").ok().and_then(|text| text.parse().ok()).unwrap_or(5_000_u64);
    let world = World::new().await;
    let mut last = None;
    let monitor = world.daemon.uri(&"Pyro.Daemon".parse().unwrap());
    let monitor = pyroxene::DynProxy::connect_with(&world.client, monitor).await.unwrap();
    let objects = async || monitor.call("registered", pyroxene::args![]).await.unwrap().to_string();
    let before = objects().await;
    for n in 0..many {
        let account = world.bank.open(n).await.unwrap();
        assert_eq!(account.deposit(1).await.unwrap(), n + 1);
        if n % 1_000 == 0 {
            // Their leases are over long before the last one is opened.
            pass(31).await;
        }
        last = Some(account);
    }
    let account = last.unwrap();
    assert_ne!(objects().await, before);
    let forgotten = AccountProxy::from(Proxy::<Account>::lazy_with(&world.client, account.proxy().uri().clone()));
    drop(account);
    pass(31).await;
    assert!(!world.has(&forgotten).await);
    assert_eq!(objects().await, before, "nothing of {many} accounts is left");
}

#[actix::test]
async fn a_handle_that_was_let_go_names_the_next_object() {
    let world = World::new().await;
    let (one, two) = (world.daemon.host(|| Account { balance: 1 }), world.daemon.host(|| Account { balance: 2 }));
    let (one, two) = (one.id("one").spawn().await.unwrap(), two.id("two").spawn().await.unwrap());
    let (mut peer, _) = RawPeer::greet(&*world.flaky, world.daemon.endpoint(), "one").await;
    for (id, seq, handle) in [("one", 1, 0), ("two", 2, 1)] {
        assert_eq!(bind(&mut peer, id, seq).await.handle, handle);
    }
    // `one` was named twice.
    release(&mut peer, 0, 1).await;
    assert_eq!(bind(&mut peer, "bank", 3).await.handle, 2);
    release(&mut peer, 0, 7).await;
    release(&mut peer, 0, 1).await;
    release(&mut peer, 77, 1).await;
    release(&mut peer, u32::MAX, u32::MAX).await;
    assert_eq!(bind(&mut peer, "Pyro.Daemon", 4).await.handle, 0);
    settle().await;
    drop((one, two));
}

async fn bind(peer: &mut RawPeer, id: &str, seq: u16) -> BindingTable {
    let target = if id == "bank" { Target::Name(id.to_owned()) } else { Target::Id(id.to_owned()) };
    let bind = pyroxene::wire::Bind { target };
    peer.send(&crate::support::raw_peer::frame(MessageType::Bind, seq, |out| bind.encode(out).unwrap())).await;
    let bound = peer.frame().await.unwrap();
    assert_eq!((bound.header.kind, bound.header.seq), (MessageType::Bound, seq));
    BindingTable::decode(&bound.payload).unwrap()
}

async fn release(peer: &mut RawPeer, handle: u32, count: u32) {
    let release = Release { handle, count };
    peer.send(&crate::support::raw_peer::frame(MessageType::Release, 0, |out| release.encode(out).unwrap())).await;
}
