//! Objects that are told apart by a key, active while they are used and passive while they are not.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use pyroxene::daemon::keyed::{SpawnKeyed, StoreFuture};
use pyroxene::daemon::placement::Arbiters;
use pyroxene::transport::Network;
use pyroxene::{
    CallError, Daemon, DirectoryStore, MemoryStore, NameServer, NotStarted, Proxy, Restart, Snapshot, SnapshotStore,
};

use crate::support::pair::{Setup, client_over, settle};

/// Who has counted so far cannot be saved.
const UNLUCKY: u64 = 65_535;

/// Counts its calls, and in numbers of the test how many of it there are and were made.
struct Tally {
    count: u64,
    #[expect(dead_code, reason = "it counts")]
    there: There,
}

struct There(Arc<Numbers>);

#[derive(Default)]
struct Numbers {
    there: AtomicU64,
    most: AtomicU64,
    made: AtomicU64,
}

impl There {
    fn new(numbers: &Arc<Numbers>) -> There {
        let there = numbers.there.fetch_add(1, Ordering::SeqCst) + 1;
        numbers.most.fetch_max(there, Ordering::SeqCst);
        numbers.made.fetch_add(1, Ordering::SeqCst);
        There(Arc::clone(numbers))
    }
}

impl Drop for There {
    fn drop(&mut self) {
        self.0.there.fetch_sub(1, Ordering::SeqCst);
    }
}

#[pyroxene::remote]
impl Tally {
    #[remote(attr)]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// One more; how many there are now.
    pub fn add(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// The same after a while.
    pub async fn add_slowly(&mut self) -> u64 {
        tokio::time::sleep(Duration::from_secs(5)).await;
        self.count += 1;
        self.count
    }

    /// Nothing is left.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Ends with a panic.
    pub fn spoil(&mut self) {
        panic!("lost count");
    }
}

impl Snapshot for Tally {
    type Kept = u64;

    fn snapshot(&self) -> Option<u64> {
        assert_ne!(self.count, UNLUCKY);
        (self.count > 0).then_some(self.count)
    }
}

/// A store that can be out of order.
#[derive(Clone, Default)]
struct Store {
    kept: MemoryStore,
    refuses_to_load: Arc<AtomicBool>,
    refuses_to_save: Arc<AtomicBool>,
    /// Each thing it is asked for takes so long, milliseconds.
    takes_ms: Arc<AtomicU64>,
    saved: Arc<AtomicU64>,
    /// What is being done for an id.
    busy: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Store {
    async fn work<T>(
        &self,
        id: &str,
        refuses: &AtomicBool,
        work: StoreFuture<'_, T>,
    ) -> Result<T, Box<dyn std::error::Error + Send + Sync>> {
        let at_once = std::mem::replace(self.busy.lock().unwrap().entry(id.to_owned()).or_default(), 1);
        assert_eq!(at_once, 0, "one thing at a time for {id}");
        tokio::time::sleep(Duration::from_millis(self.takes_ms.load(Ordering::SeqCst))).await;
        self.busy.lock().unwrap().remove(id);
        if refuses.load(Ordering::SeqCst) { Err("the disk is gone".into()) } else { work.await }
    }
}

impl SnapshotStore for Store {
    fn load<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<Vec<u8>>> {
        Box::pin(self.work(id, &self.refuses_to_load, self.kept.load(id)))
    }

    fn save<'a>(&'a self, id: &'a str, snapshot: Vec<u8>) -> StoreFuture<'a, ()> {
        self.saved.fetch_add(1, Ordering::SeqCst);
        Box::pin(self.work(id, &self.refuses_to_save, self.kept.save(id, snapshot)))
    }

    fn remove<'a>(&'a self, id: &'a str) -> StoreFuture<'a, ()> {
        Box::pin(self.work(id, &self.refuses_to_save, self.kept.remove(id)))
    }
}

struct Office {
    setup: Setup,
    daemon: Daemon,
    store: Store,
    numbers: Arc<Numbers>,
    /// In this process.
    here: Proxy<Tally>,
    /// Over a connection.
    tallies: Proxy<Tally>,
}

impl Office {
    async fn open(set: impl FnOnce(SpawnKeyed<Tally>) -> SpawnKeyed<Tally>) -> Office {
        Office::with(Setup::memory(), Store::default(), set).await
    }

    async fn with(setup: Setup, store: Store, set: impl FnOnce(SpawnKeyed<Tally>) -> SpawnKeyed<Tally>) -> Office {
        let (daemon, numbers) = (setup.daemon().await, Arc::<Numbers>::default());
        let spawn = daemon.keyed("tallies", tallies(&numbers)).store(store.clone());
        let here = set(spawn).spawn().await.unwrap();
        let tallies = Proxy::connect_with(&client_over(&setup.network), here.uri()).await.unwrap();
        Office { setup, daemon, store, numbers, here, tallies }
    }

    fn tally(&self, key: &str) -> TallyProxy {
        TallyProxy::from(self.tallies.key(key).unwrap())
    }

    fn there(&self) -> u64 {
        self.numbers.there.load(Ordering::SeqCst)
    }

    fn made(&self) -> u64 {
        self.numbers.made.load(Ordering::SeqCst)
    }
}

fn tallies(numbers: &Arc<Numbers>) -> impl Fn(&str, Option<u64>) -> Tally + Send + use<> {
    let numbers = Arc::clone(numbers);
    move |key, kept| {
        assert_ne!(key, "cursed");
        Tally { count: kept.unwrap_or(0), there: There::new(&numbers) }
    }
}

async fn seconds(secs: u64) {
    tokio::time::sleep(Duration::from_secs(secs)).await;
    settle().await;
}

#[actix::test]
async fn one_is_made_when_it_is_called_and_let_go_when_nobody_calls_it_and_comes_back_as_it_was() {
    let office = Office::open(|spawn| spawn.idle_secs(60)).await;
    let (ann, bob) = (office.tally("ann"), office.tally("bob"));
    assert_eq!(office.made(), 0, "nothing is made before it is called");
    assert_eq!((ann.add().await, ann.add().await, bob.add().await), (Ok(1), Ok(2), Ok(1)));
    assert_eq!(office.there(), 2);
    seconds(40).await;
    assert_eq!(bob.add().await, Ok(2));
    seconds(30).await;
    assert_eq!(office.there(), 1, "nobody called ann for 70 seconds");
    seconds(60).await;
    assert_eq!(office.there(), 0);
    let here = TallyProxy::from(office.here.key("ann").unwrap());
    assert_eq!((ann.add().await, bob.add().await, here.add().await), (Ok(3), Ok(3), Ok(4)));
    assert!(here.proxy().is_local());
    assert_eq!(office.made(), 4);
}

#[actix::test]
async fn one_that_is_in_use_stays() {
    let office = Office::open(|spawn| spawn.idle_secs(2)).await;
    let (ann, bob) = (office.tally("ann"), office.tally("bob"));
    assert_eq!(ann.add_slowly().await, Ok(1), "it took longer than one may be idle");
    let mut changes = bob.proxy().changes::<u64>("count").await.unwrap();
    assert_eq!(changes.next().await, Some(Ok(0)));
    seconds(10).await;
    assert_eq!((office.there(), office.made()), (1, 2), "bob is watched, and ann is not");
    assert_eq!(bob.add().await, Ok(1));
    assert_eq!(changes.next().await, Some(Ok(1)));
    drop(changes);
    seconds(10).await;
    assert_eq!(office.there(), 0);
}

#[actix::test]
async fn the_one_that_was_not_called_for_the_longest_time_makes_room() {
    let office = Office::open(|spawn| spawn.at_most(2)).await;
    let all = ["ann", "bob", "cid"].map(|key| office.tally(key));
    for tally in &all {
        settle().await;
        assert_eq!(tally.add().await, Ok(1));
    }
    assert_eq!((office.there(), office.made()), (2, 3));
    assert_eq!(all[1].add().await, Ok(2), "bob is still there");
    assert_eq!(office.made(), 3);
    assert_eq!(all[0].add().await, Ok(2), "ann is made of what was saved of her");
    assert_eq!((office.made(), office.numbers.most.load(Ordering::SeqCst)), (4, 2));
}

#[actix::test]
async fn when_all_are_in_use_others_are_told_to_come_back() {
    let office = Office::open(|spawn| spawn.at_most(1)).await;
    let (ann, bob) = (office.tally("ann"), office.tally("bob"));
    let slow = actix_rt::spawn(ann.add_slowly());
    settle().await;
    let error = bob.add().await.unwrap_err();
    let CallError::NotStarted(NotStarted::Busy { what, .. }) = &error else { panic!("{error:?}") };
    assert_eq!(what, "the room for active objects of tallies");
    assert!(error.retry_after().is_some());
    assert_eq!(slow.await.unwrap(), Ok(1));
    assert_eq!(bob.add().await, Ok(1));
}

#[actix::test]
async fn one_that_is_called_while_it_is_about_to_go_stays_and_who_waits_for_its_room_is_told() {
    let office = Office::open(|spawn| spawn.at_most(1)).await;
    let (ann, bob) = (office.tally("ann"), office.tally("bob"));
    assert_eq!(ann.add().await, Ok(1));
    office.store.takes_ms.store(1_000, Ordering::SeqCst);
    let waiting = actix_rt::spawn(bob.add());
    settle().await;
    assert_eq!(ann.add().await, Ok(2), "at once, although it is being saved");
    let slow = actix_rt::spawn(ann.add_slowly());
    assert!(matches!(waiting.await.unwrap(), Err(CallError::NotStarted(NotStarted::Busy { .. }))));
    assert_eq!(slow.await.unwrap(), Ok(3));
    assert_eq!(bob.add().await, Ok(1));
    assert_eq!(office.numbers.most.load(Ordering::SeqCst), 1);
}

#[actix::test]
async fn what_has_changed_is_saved_in_time_and_a_panic_takes_no_more_than_that() {
    let office = Office::open(|spawn| spawn.save_within_secs(10)).await;
    let ann = office.tally("ann");
    for count in 1..=5 {
        assert_eq!(ann.add().await, Ok(count));
        seconds(4).await;
    }
    let saves = office.store.saved.load(Ordering::SeqCst);
    assert_eq!(saves, 1, "after ten seconds, and not with each call");
    assert!(matches!(ann.spoil().await, Err(CallError::Failed(_))));
    assert_eq!(ann.add().await, Ok(4), "three were saved");
    assert_eq!(office.made(), 2);
    seconds(100).await;
    let saves = office.store.saved.load(Ordering::SeqCst);
    seconds(1_000).await;
    assert_eq!(office.store.saved.load(Ordering::SeqCst), saves, "nothing new, nothing to save");
}

#[actix::test]
async fn a_store_that_cannot_save_costs_nothing_but_memory() {
    let office = Office::open(|spawn| spawn.at_most(1).idle_secs(10)).await;
    let (ann, bob) = (office.tally("ann"), office.tally("bob"));
    assert_eq!(ann.add().await, Ok(1));
    office.store.refuses_to_save.store(true, Ordering::SeqCst);
    assert!(matches!(bob.add().await, Err(CallError::NotStarted(NotStarted::Busy { .. }))));
    seconds(100).await;
    assert_eq!((office.there(), ann.add().await), (1, Ok(2)), "it stays");
    office.store.refuses_to_save.store(false, Ordering::SeqCst);
    assert_eq!((bob.add().await, ann.add().await), (Ok(1), Ok(3)));
}

#[actix::test]
async fn one_whose_snapshot_cannot_be_read_takes_no_calls_and_is_tried_again() {
    let office = Office::open(|spawn| spawn.idle_secs(1)).await;
    let (ann, bob) = (office.tally("ann"), office.tally("bob"));
    assert_eq!(ann.add().await, Ok(1));
    seconds(5).await;
    office.store.refuses_to_load.store(true, Ordering::SeqCst);
    let error = ann.add().await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(NotStarted::ObjectFailed { .. })), "{error:?}");
    assert_eq!(
        error.to_string(),
        "did not run: tallies.ann has failed and takes no calls: its snapshot cannot be read: the disk is gone"
    );
    office.store.refuses_to_load.store(false, Ordering::SeqCst);
    assert_eq!(ann.add().await, Ok(2));
    office.store.kept.save("tallies.bob", b"\x04nonsense".to_vec()).await.unwrap();
    let error = bob.add().await.unwrap_err().to_string();
    assert!(error.contains("its snapshot does not fit its type"), "{error}");
    assert_eq!(ann.add().await, Ok(3), "nobody else is disturbed");
}

#[actix::test]
async fn one_that_fails_too_often_stays_failed_until_it_has_been_left_alone() {
    let office = Office::open(|spawn| spawn.idle_secs(60).restart(Restart::on_failure().at_most(1))).await;
    let (ann, cursed) = (office.tally("ann"), office.tally("cursed"));
    assert_eq!(ann.add().await, Ok(1));
    seconds(15).await;
    for _ in 0..2 {
        assert!(matches!(ann.spoil().await, Err(CallError::Failed(_))));
        seconds(1).await;
    }
    let is_failed = |outcome| matches!(outcome, Err(CallError::NotStarted(NotStarted::ObjectFailed { .. })));
    assert!(is_failed(ann.add().await));
    assert!(is_failed(cursed.add().await), "its factory panics");
    seconds(70).await;
    assert_eq!(ann.add().await, Ok(2));
    assert!(is_failed(cursed.add().await));
}

#[actix::test]
async fn a_snapshot_that_panics_is_tried_again() {
    let office = Office::open(|spawn| spawn.idle_secs(5)).await;
    office.store.kept.save("tallies.ann", vec![4, 0xcd, 0xff, 0xfe]).await.unwrap();
    let ann = office.tally("ann");
    assert_eq!(ann.add().await, Ok(UNLUCKY));
    seconds(100).await;
    assert_eq!((office.there(), ann.add().await), (1, Ok(UNLUCKY + 1)));
    seconds(100).await;
    assert_eq!((office.there(), ann.add().await, office.made()), (0, Ok(UNLUCKY + 2), 2));
}

#[actix::test]
async fn nothing_is_kept_of_one_that_has_nothing_to_keep() {
    let office = Office::open(|spawn| spawn.idle_secs(1)).await;
    let ann = office.tally("ann");
    ann.add().await.unwrap();
    seconds(5).await;
    assert_eq!(office.store.kept.len(), 1);
    ann.clear().await.unwrap();
    seconds(5).await;
    assert!(office.store.kept.is_empty());
    assert_eq!(ann.add().await, Ok(1));
}

#[actix::test]
async fn a_daemon_that_ends_saves_everything_and_the_next_one_has_it_under_the_same_references() {
    let place = std::env::temp_dir().join(format!("pyroxene-{}-{:?}", std::process::id(), std::thread::current().id()));
    let mut setup = Setup::memory();
    let uri = {
        let daemon = setup.daemon().await;
        let spawn = daemon.keyed("tallies", tallies(&Arc::default())).store(DirectoryStore::open(&place).unwrap());
        let here = spawn.spawn().await.unwrap();
        let there = Proxy::<Tally>::lazy_with(&client_over(&setup.network), here.uri().clone());
        let ann = TallyProxy::from(there.key("Ann~Ünal").unwrap());
        assert_eq!((ann.add().await, ann.add().await), (Ok(1), Ok(2)));
        let slow = actix_rt::spawn(ann.add_slowly());
        settle().await;
        daemon.shutdown().await;
        assert_eq!(slow.await.unwrap(), Ok(3), "running calls get their time");
        setup.endpoint = daemon.endpoint().clone();
        ann.proxy().uri().clone()
    };
    let daemon = setup.daemon().await;
    let spawn = daemon.keyed("tallies", tallies(&Arc::default())).store(DirectoryStore::open(&place).unwrap());
    spawn.spawn().await.unwrap();
    let ann = TallyProxy::from(Proxy::<Tally>::connect_with(&client_over(&setup.network), uri).await.unwrap());
    assert_eq!(ann.add().await, Ok(4));
    daemon.shutdown().await;
    std::fs::remove_dir_all(&place).unwrap();
}

#[actix::test]
async fn when_there_are_to_be_none_any_more_they_are_saved_and_watchers_are_told() {
    let office = Office::open(|spawn| spawn.idle_secs(10)).await;
    let ann = office.tally("ann");
    assert_eq!(ann.add().await, Ok(1));
    let watch = actix_rt::spawn(ann.proxy().watch());
    seconds(30).await;
    assert!(!watch.is_finished(), "to be passive is not the end");
    assert_eq!(ann.add().await, Ok(2));
    assert!(office.daemon.stop("tallies"));
    assert_eq!(watch.await.unwrap().why, pyroxene::Ending::Stopped);
    settle().await;
    assert_eq!((office.there(), office.store.kept.load("tallies.ann").await.unwrap()), (0, Some(vec![4, 2])));
    assert!(matches!(
        ann.add().await,
        Err(CallError::NotStarted(NotStarted::Draining { .. } | NotStarted::NoSuchObject { .. }))
    ));
    assert!(!office.daemon.stop("tallies.ann"));
}

#[actix::test]
async fn there_are_those_keys_only_that_are_said_to_be_ones() {
    let judge = |key: &str| match key.len() {
        0..5 => key.len() == 3,
        _ => panic!("too long to count"),
    };
    let office = Office::open(|spawn| spawn.keys(judge)).await;
    assert_eq!(office.tally("ann").add().await, Ok(1));
    for none in ["anna", "annabel"] {
        let error = office.tally(none).add().await.unwrap_err();
        assert!(matches!(error, CallError::NotStarted(NotStarted::NoSuchObject { .. })), "{error:?}");
    }
    for bad in ["", "a b", "a/b", &"x".repeat(300)] {
        assert!(office.tallies.key(bad).is_err(), "{bad}");
    }
    let error = TallyProxy::from(office.tallies.clone()).add().await.unwrap_err().to_string();
    assert!(error.contains("say which one is meant by its key, as in `tallies.KEY`"), "{error}");
    assert_eq!(office.made(), 1);
}

#[actix::test]
async fn a_name_server_knows_the_objects_of_a_name_by_their_keys() {
    let office = Office::open(|spawn| spawn).await;
    let names = office.setup.daemon().await;
    pyroxene_actors::name_server::start(&names).await.unwrap();
    let config = pyroxene::ClientConfig {
        network: Arc::clone(&office.setup.network),
        local: pyroxene::object::local::LocalDaemons::default(),
        ..Default::default()
    };
    let client = pyroxene::Client::new(config, Arc::new(pyroxene::naming::resolve::NameResolver::default()));
    office.daemon.announce(NameServer::at(&client, names.endpoint()).unwrap()).await.unwrap();
    let uri = format!("PYRONAME://{}/tallies", names.endpoint());
    let tallies = Proxy::<Tally>::connect_with(&client, &uri).await.unwrap();
    let ann = TallyProxy::from(tallies.key("ann").unwrap());
    assert_eq!((ann.add().await, office.tally("ann").add().await), (Ok(1), Ok(2)));
    let unknown = Proxy::<Tally>::connect_with(&client, format!("PYRONAME://{}/tally.ann", names.endpoint())).await;
    assert!(unknown.is_err());
}

#[actix::test]
async fn one_says_of_itself_whether_it_is_passive() {
    let office = Office::open(|spawn| spawn.idle_secs(10)).await;
    let ann = office.tally("ann");
    let described = ann.proxy().describe().await.unwrap();
    assert_eq!((described.id.as_str(), described.state.as_str(), described.generation), ("tallies.ann", "passive", 0));
    assert_eq!(office.made(), 0, "to ask about it is not to call it");
    ann.add().await.unwrap();
    assert_eq!(ann.proxy().describe().await.unwrap().state, "running");
    let all = office.tallies.describe().await.unwrap();
    assert_eq!(all.instances.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["tallies.ann"]);
}

/// `PYROXENE_KEYS` says how many.
#[actix::test]
async fn so_many_take_the_room_of_those_in_use() {
    let keys: usize = std::env::var("PYROXENE_KEYS").map_or(3_000, |keys| keys.parse().unwrap());
    let most = keys / 100;
    let office = Office::open(|spawn| spawn.at_most(most)).await;
    for round in 1..=2 {
        for key in 0..keys {
            let tally = TallyProxy::from(office.here.key(&key.to_string()).unwrap());
            assert_eq!(tally.add().await, Ok(round), "{key}");
        }
    }
    assert!(office.numbers.most.load(Ordering::SeqCst) <= most as u64);
    assert!(office.store.kept.len() >= keys - most);
    office.daemon.shutdown().await;
    assert_eq!((office.store.kept.len(), office.there()), (keys, 0));
}

#[actix::test]
async fn no_more_wait_for_room_than_may_be_active() {
    let office = Office::open(|spawn| spawn.at_most(2)).await;
    for key in ["ann", "bob"] {
        assert_eq!(office.tally(key).add().await, Ok(1));
    }
    settle().await;
    office.store.takes_ms.store(1_000, Ordering::SeqCst);
    let calls: Vec<_> = (0..50).map(|key| actix_rt::spawn(office.tally(&format!("new{key}")).add())).collect();
    settle().await;
    assert_eq!(office.daemon.usage().instances, 4);
    let mut ran = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(1) => ran += 1,
            Err(CallError::NotStarted(NotStarted::Busy { .. })) => {}
            outcome => panic!("{outcome:?}"),
        }
    }
    assert_eq!(ran, 2);
}

#[derive(Clone, Debug)]
enum Step {
    Add(u8),
    AddSlowly(u8),
    Pause(u64),
    Break(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..6_u8).prop_map(Step::Add),
        1 => (0..6_u8).prop_map(Step::AddSlowly),
        3 => (1..20_000_u64).prop_map(Step::Pause),
        1 => any::<bool>().prop_map(Step::Break),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// However they are called while they come and go, and while the store works or does not: each has counted the calls that ran.
    #[test]
    fn no_call_is_forgotten_and_none_counts_twice(steps in steps(), most in 1..4_usize, takes_ms in 0..3_000_u64) {
        let system = actix_rt::System::new();
        system.block_on(async {
            let office = Office::open(|spawn| spawn.at_most(most).idle_secs(8).save_within_secs(3)).await;
            office.store.takes_ms.store(takes_ms, Ordering::SeqCst);
            let (mut counts, mut slow) = (BTreeMap::<u8, u64>::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Add(key) => {
                        let outcome = office.tally(&key.to_string()).add().await;
                        if outcome.is_ok() {
                            *counts.entry(key).or_default() += 1;
                        } else {
                            assert!(matches!(outcome, Err(CallError::NotStarted(_))), "{outcome:?}");
                        }
                    }
                    Step::AddSlowly(key) => slow.push((key, actix_rt::spawn(office.tally(&key.to_string()).add_slowly()))),
                    Step::Pause(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                    Step::Break(broken) => office.store.refuses_to_save.store(broken, Ordering::SeqCst),
                }
            }
            for (key, call) in slow {
                match call.await.unwrap() {
                    Ok(_) => *counts.entry(key).or_default() += 1,
                    Err(CallError::NotStarted(_)) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
            office.store.refuses_to_save.store(false, Ordering::SeqCst);
            office.daemon.shutdown().await;
            for (key, count) in counts {
                let kept = office.store.kept.load(&format!("tallies.{key}")).await.unwrap();
                // One byte says which serializer it is, and so small a number is one.
                assert_eq!(kept, Some(vec![4, count as u8]), "{key}");
            }
            assert!(office.numbers.most.load(Ordering::SeqCst) <= most as u64);
            assert_eq!(office.there(), 0);
        });
    }
}

/// Callers on several threads, objects on others, and all of them about to go all the time.
#[test]
fn on_many_threads_no_call_is_forgotten_either() {
    const CALLERS: u64 = 4;
    const CALLS: u64 = 1_500;
    const KEYS: u64 = 6;
    let system = actix_rt::System::new();
    let kept = MemoryStore::default();
    let sums = system.block_on(async {
        let config = pyroxene::DaemonConfig { placement: Some(Arc::new(Arbiters::start(3))), ..Default::default() };
        let endpoint = "127.0.0.1:0".parse().unwrap();
        let client = client_over(&(Arc::new(pyroxene::transport::SystemNetwork) as Arc<dyn Network>));
        let daemon = Daemon::bind_with(config, client, &endpoint).await.unwrap();
        let spawn = daemon.keyed("tallies", tallies(&Arc::default())).store(kept.clone()).idle_secs(0).at_most(3);
        let here = spawn.spawn().await.unwrap();
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let here = here.clone();
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(call_many(&here, caller, CALLS, KEYS))
                })
            })
            .collect();
        let sums: Vec<Vec<u64>> =
            tokio::task::spawn_blocking(|| callers.into_iter().map(|caller| caller.join().unwrap()).collect())
                .await
                .unwrap();
        daemon.shutdown().await;
        sums
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for key in 0..KEYS {
        let count: u64 = sums.iter().map(|sums| sums[key as usize]).sum();
        let kept = runtime.block_on(kept.load(&format!("tallies.{key}"))).unwrap().unwrap();
        // MessagePack: numbers from 256 on are a mark and two bytes.
        assert_eq!(kept, [&[4, 0xcd][..], &(count as u16).to_be_bytes()].concat(), "{key}");
    }
}

/// How many calls of each key ran.
async fn call_many(tallies: &Proxy<Tally>, caller: u64, calls: u64, keys: u64) -> Vec<u64> {
    let all: Vec<_> = (0..keys).map(|key| TallyProxy::from(tallies.key(&key.to_string()).unwrap())).collect();
    let mut ran = vec![0; keys as usize];
    for call in 0..calls {
        let key = ((call * 7 + caller * 3 + call / 11) % keys) as usize;
        loop {
            match all[key].add().await {
                Ok(_) => break ran[key] += 1,
                Err(CallError::NotStarted(NotStarted::Busy { .. })) => tokio::task::yield_now().await,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    ran
}
