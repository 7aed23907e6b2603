//! Objects of a group of names that are called as one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pyroxene::client::client::{Client, ClientConfig};
use pyroxene::naming::resolve::NameResolver;
use pyroxene::object::local::LocalDaemons;
use pyroxene::transport::Network;
use pyroxene::transport::network::BoxFuture;
use pyroxene::transport::{Listener, Stream};
use pyroxene::uri::Endpoint;
use pyroxene::{CallError, Daemon, DynProxy, Group, NameServer, NotStarted, Proxy, Restart, Value, args};

use crate::support::claim::Claim;
use crate::support::pair::{Setup, settle};
use crate::support::worker::{Gate, Journal, Refused, Worker, WorkerProxy};

/// A client that asks name servers.
fn client(network: &Arc<dyn Network>) -> Client {
    let config =
        ClientConfig { network: Arc::clone(network), local: LocalDaemons::default(), ..ClientConfig::default() };
    Client::new(config, Arc::new(NameResolver::default()))
}

/// A name server, and workers in daemons of their own.
struct Site {
    setup: Setup,
    names: Daemon,
    workers: BTreeMap<String, Workplace>,
}

struct Workplace {
    daemon: Daemon,
    journal: Journal,
    gate: Gate,
}

impl Site {
    async fn open(workers: &[&str]) -> Site {
        let setup = Setup::memory();
        let names = setup.daemon().await;
        pyroxene_actors::name_server::start(&names).await.unwrap();
        let mut site = Site { setup, names, workers: BTreeMap::new() };
        for name in workers {
            site.comes(name).await;
        }
        site
    }

    async fn comes(&mut self, name: &str) {
        let daemon = self.setup.daemon().await;
        let (journal, gate) = (Journal::default(), Gate::default());
        let factory = {
            let (journal, gate) = (journal.clone(), gate.clone());
            move || Worker::new(&journal, &gate)
        };
        let restart = Restart::never();
        daemon.object(name, factory).mailbox(8).restart(restart).spawn().await.unwrap();
        let server = NameServer::at(&client(&self.setup.network), self.names.endpoint()).unwrap();
        daemon.announce(server).await.unwrap();
        self.workers.insert(name.to_owned(), Workplace { daemon, journal, gate });
    }

    /// Without a farewell.
    fn crashes(&mut self, name: &str) -> Journal {
        self.workers.remove(name).unwrap().journal
    }

    async fn group(&self) -> Group<Worker> {
        self.group_with(&client(&self.setup.network)).await
    }

    async fn group_with(&self, client: &Client) -> Group<Worker> {
        let uri = format!("PYRONAME://{}/workers", self.names.endpoint());
        Group::connect_with(client, uri).await.unwrap()
    }

    fn ran(&self, name: &str) -> Vec<u64> {
        self.workers[name].journal.read()
    }
}

async fn run(group: &Group<Worker>, id: u64) -> Result<u64, CallError> {
    group.call(|worker: &WorkerProxy| worker.run(id)).await
}

#[actix::test]
async fn each_member_has_its_turn() {
    let site = Site::open(&["workers.a", "workers.b", "workers.c"]).await;
    let group = site.group().await;
    assert_eq!(group.members(), [":workers.a", ":workers.b", ":workers.c"]);
    for id in 0..9 {
        assert_eq!(run(&group, id).await, Ok(id));
    }
    assert_eq!((site.ran("workers.a"), site.ran("workers.b")), (vec![0, 3, 6], vec![1, 4, 7]));
    // By name, and what the object says no to is its answer.
    let by_name = group.call(|worker: &Proxy<Worker>| worker.untyped().call("run", args![9])).await;
    assert_eq!(by_name, Ok(Value::from(9)));
    let refused = group.call(|worker: &WorkerProxy| worker.refuse(10)).await;
    assert_eq!(refused, Err(CallError::Raised(Refused { id: 10 })));
    assert_eq!(site.ran("workers.b"), [1, 4, 7, 10]);
    // What needs one object.
    let one = WorkerProxy::from(group.choose().unwrap());
    for id in 11..14 {
        assert_eq!(one.run(id).await, Ok(id));
    }
    assert_eq!(site.ran("workers.c"), [2, 5, 8, 11, 12, 13]);
}

#[actix::test]
async fn those_with_a_tag_are_a_group_as_well() {
    let site = Site::open(&["workers.a", "elsewhere.b", "workers.c"]).await;
    let by_names = client(&site.setup.network);
    let server = NameServer::at(&by_names, site.names.endpoint()).unwrap();
    for name in ["workers.a", "elsewhere.b"] {
        let at = server.resolve(name).await.unwrap();
        server.register(&format!("tagged.{name}"), &at).metadata(["fast"]).await.unwrap();
    }
    let uri = format!("PYROMETA:fast@{}", site.names.endpoint());
    let group = Group::<Worker>::connect_with(&by_names, uri).await.unwrap();
    for id in 0..4 {
        assert_eq!(run(&group, id).await, Ok(id));
    }
    let ran = ["workers.a", "elsewhere.b", "workers.c"].map(|name| site.ran(name).len());
    assert_eq!(ran, [2, 2, 0]);
}

#[actix::test]
async fn the_one_with_the_least_to_do_is_called() {
    let site = Site::open(&["workers.a", "workers.b"]).await;
    let group = site.group().await.least_in_flight();
    let held = actix_rt::spawn({
        let group = group.clone();
        async move { group.call(|worker: &WorkerProxy| worker.hold(1)).await }
    });
    settle().await;
    for id in 2..6 {
        assert_eq!(run(&group, id).await, Ok(id));
    }
    let (a, b) = (site.ran("workers.a"), site.ran("workers.b"));
    assert!([&a, &b].iter().any(|ran| ***ran == [1]), "{a:?} {b:?}");
    site.workers.values().for_each(|place| place.gate.open(1));
    assert_eq!(held.await.unwrap(), Ok(1));
}

#[actix::test]
async fn a_key_stays_with_its_member_whoever_calls() {
    let site = Site::open(&["workers.a", "workers.b", "workers.c"]).await;
    let (one, other) = (site.group().await, site.group().await);
    for key in 0..30_u64 {
        for (group, id) in [(&one, key), (&other, key + 100), (&one, key + 200)] {
            assert_eq!(run(&group.by_key(key.to_string()), id).await, Ok(id));
        }
    }
    for name in site.workers.keys() {
        let ran = site.ran(name);
        let keys: BTreeSet<u64> = ran.iter().map(|id| id % 100).collect();
        assert!(!keys.is_empty() && ran.len() == keys.len() * 3, "{name}: {ran:?}");
    }
}

#[actix::test]
async fn all_are_called_and_each_answers_for_itself() {
    let mut site = Site::open(&["workers.a", "workers.b", "workers.c"]).await;
    let group = site.group().await;
    site.crashes("workers.b");
    let ended = group.all(|worker: &WorkerProxy| worker.run(1)).await;
    let names: Vec<&str> = ended.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [":workers.a", ":workers.b", ":workers.c"]);
    assert_eq!((&ended[0].1, &ended[2].1), (&Ok(1), &Ok(1)));
    assert!(matches!(&ended[1].1, Err(CallError::NotStarted(NotStarted::Unreachable { .. }))), "{:?}", ended[1].1);
}

#[actix::test]
async fn a_call_goes_on_to_the_next_when_one_cannot_take_it() {
    let mut site = Site::open(&["workers.a", "workers.b", "workers.c"]).await;
    let group = site.group().await;
    // One is full, two connections have half of its queue each; one has failed, one is gone.
    let mut full = Vec::new();
    for connection in 0..2 {
        let uri = format!("PYRONAME://{}/workers.a", site.names.endpoint());
        let by_names = client(&site.setup.network);
        let a = WorkerProxy::from(Proxy::<Worker>::connect_with(&by_names, uri).await.unwrap());
        for id in 0..5 - connection {
            full.push(actix_rt::spawn(a.hold(100 + id)));
            settle().await;
        }
    }
    let uri = format!("PYRONAME://{}/workers.b", site.names.endpoint());
    let b = DynProxy::connect_with(&client(&site.setup.network), uri).await.unwrap();
    assert!(b.call("crash", args![1]).await.is_err());
    for id in 2..8 {
        assert_eq!(run(&group, id).await, Ok(id));
    }
    assert_eq!(site.ran("workers.c"), [2, 3, 4, 5, 6, 7]);
    site.crashes("workers.c");
    let error = run(&group, 9).await.unwrap_err();
    assert!(!error.may_have_run(), "{error}");
    assert_eq!(error.attempts(), 3, "{error}");
    site.workers["workers.a"].gate.open(9);
    for call in full {
        assert!(call.await.unwrap().is_ok());
    }
    assert_eq!(run(&group, 10).await, Ok(10), "who was full is not left out");
}

#[actix::test]
async fn what_may_have_run_goes_nowhere_else() {
    let mut site = Site::open(&["workers.a", "workers.b"]).await;
    let group = site.group().await;
    let held = actix_rt::spawn({
        let group = group.clone();
        async move { group.call(|worker: &WorkerProxy| worker.hold(1)).await }
    });
    settle().await;
    let holds = if site.ran("workers.a") == [1] { "workers.a" } else { "workers.b" };
    let journal = site.crashes(holds);
    let ended = held.await.unwrap();
    assert!(ended.as_ref().is_err_and(CallError::may_have_run), "{ended:?}");
    let others: Vec<u64> = site.workers.keys().flat_map(|name| site.ran(name)).collect();
    assert_eq!((journal.read(), others), (vec![1], vec![]));
}

#[actix::test]
async fn under_load_members_come_and_go_and_every_claim_is_true() {
    let mut site = Site::open(&["workers.a", "workers.b", "workers.c"]).await;
    let group = site.group().await;
    let mut journals = Vec::new();
    let mut calls = Vec::new();
    for id in 0..2_000_u64 {
        let group = if id % 2 == 0 { group.clone() } else { group.least_in_flight() };
        calls.push(actix_rt::spawn(async move { (id, run(&group, id).await) }));
        if id % 8 == 7 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        match id {
            500 => journals.push(site.crashes("workers.b")),
            900 => site.comes("workers.d").await,
            1_300 => {
                let place = site.workers.remove("workers.a").unwrap();
                place.daemon.shutdown().await;
                journals.push(place.journal);
            }
            1_500 => site.comes("workers.b").await,
            _ => {}
        }
    }
    let mut ran = BTreeMap::<u64, usize>::new();
    let mut failed = 0;
    let mut outcomes = Vec::new();
    for call in calls {
        outcomes.push(call.await.unwrap());
    }
    journals.extend(site.workers.values().map(|place| place.journal.clone()));
    for id in journals.iter().flat_map(Journal::read) {
        *ran.entry(id).or_default() += 1;
    }
    for (id, ended) in outcomes {
        let times = ran.remove(&id).unwrap_or_default();
        assert!(Claim::of(&ended).is_true(times), "call {id} ran {times} times, and its caller heard {ended:?}");
        failed += usize::from(ended.is_err());
    }
    // Only what was running where one crashed.
    assert!(failed <= 16, "{failed} calls failed");
    assert!(site.ran("workers.d").len() > 100, "who comes has its share");
    assert_eq!(group.members(), [":workers.b", ":workers.c", ":workers.d"]);
}

/// Counts the connections' bytes to the name server: how often it is asked.
struct Counting(Arc<dyn Network>, Endpoint, Arc<AtomicU64>);

impl Network for Counting {
    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, std::io::Result<Stream>> {
        if *endpoint == self.1 {
            self.2.fetch_add(1, Ordering::Relaxed);
        }
        self.0.connect(endpoint)
    }

    fn listen<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, std::io::Result<Box<dyn Listener>>> {
        self.0.listen(endpoint)
    }
}

#[actix::test]
async fn the_name_server_is_asked_seldom_and_may_be_away() {
    let site = Site::open(&["workers.a", "workers.b"]).await;
    let asked = Arc::new(AtomicU64::new(0));
    let network = Counting(Arc::clone(&site.setup.network), site.names.endpoint().clone(), Arc::clone(&asked));
    let group = site.group_with(&client(&(Arc::new(network) as Arc<dyn Network>))).await;
    site.names.shutdown().await;
    let before = asked.load(Ordering::Relaxed);
    for id in 0..10_000 {
        assert_eq!(run(&group, id).await, Ok(id));
        if id % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    // It is tried every five seconds, with a pause after each failure.
    let asked = asked.load(Ordering::Relaxed) - before;
    assert!((1..=10).contains(&asked), "asked {asked} times in twenty seconds");
}

#[actix::test]
async fn a_group_without_members_is_waited_for_or_an_error_that_says_so() {
    let mut site = Site::open(&[]).await;
    let before = tokio::time::Instant::now();
    let by_names = client(&site.setup.network);
    let uri = format!("PYRONAME://{}/workers", site.names.endpoint());
    let error = Group::<Worker>::connect_with(&by_names, &uri).await.unwrap_err();
    assert!(matches!(error.why, NotStarted::Unresolved { .. }) && error.to_string().contains("workers"), "{error}");
    // Waiting would be of no use.
    let object = Group::<Worker>::connect_with(&by_names, "PYRO://127.0.0.1:1/worker").wait_secs(60).await.unwrap_err();
    assert_eq!(tokio::time::Instant::now(), before);
    assert!(object.to_string().contains("is one object, and no group"), "{object}");
    let waits = actix_rt::spawn(async move { Group::<Worker>::connect_with(&by_names, &uri).wait_secs(60).await });
    tokio::time::sleep(Duration::from_secs(10)).await;
    site.comes("workers.a").await;
    let group = waits.await.unwrap().unwrap();
    assert_eq!(run(&group, 1).await, Ok(1));
}

#[test]
fn a_group_may_go_to_any_thread() {
    fn goes_anywhere<T: Clone + Send + Sync + 'static>() {}
    goes_anywhere::<Group<Worker>>();
    goes_anywhere::<Group>();
}
