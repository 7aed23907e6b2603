//! Objects that are started again together.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pyroxene::{CallError, Daemon, NotStarted, Proxy, Restart, SpawnError, Strategy};
use tokio::sync::Semaphore;

use crate::support::pair::{Pair, poll_once, settle, spawn_under};

/// What happens in a shop.
#[derive(Clone, Default)]
struct Book {
    made: Arc<Mutex<Vec<&'static str>>>,
    /// How often the factory of the store is still to fail.
    broken: Arc<AtomicU32>,
    gate: Arc<Gate>,
}

struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Gate {
        Gate(Semaphore::new(0))
    }
}

impl Book {
    fn made(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.made.lock().unwrap())
    }
}

/// A part of a shop, which writes down that it is made.
struct Part {
    name: &'static str,
    book: Book,
    calls: u64,
}

impl Part {
    fn new(name: &'static str, book: &Book) -> Part {
        book.made.lock().unwrap().push(name);
        let fails = name == "store"
            && book.broken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        assert!(!fails, "no shelves");
        Part { name, book: book.clone(), calls: 0 }
    }
}

#[pyroxene::remote]
impl Part {
    /// How many calls this state has seen.
    pub fn count(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    /// The same, as soon as the gate is opened.
    pub async fn wait(&mut self) -> u64 {
        self.book.gate.0.acquire().await.unwrap().forget();
        self.count()
    }

    /// Ends with a panic.
    pub fn crash(&mut self) {
        panic!("{} crashes", self.name);
    }
}

struct Shop {
    pair: Pair,
    book: Book,
}

fn often() -> Restart {
    Restart::on_failure().at_most(2).within_secs(60).backoff_ms(50..100)
}

impl Shop {
    /// A shop with a till, in which there is a drawer, a store and a printer; the store fails its owner in the end.
    async fn open(strategy: Strategy) -> Shop {
        let shop = Shop { pair: Pair::memory().await, book: Book::default() };
        shop.host("shop", None, often(), strategy).await.unwrap();
        shop.host("till", Some("shop"), often(), Strategy::OneForOne).await.unwrap();
        shop.host("drawer", Some("till"), often(), Strategy::OneForOne).await.unwrap();
        shop.host("store", Some("shop"), often().escalate(), Strategy::OneForOne).await.unwrap();
        shop.host("printer", Some("shop"), often(), Strategy::OneForOne).await.unwrap();
        assert_eq!(shop.book.made(), ["shop", "till", "drawer", "store", "printer"]);
        shop
    }

    fn daemon(&self) -> &Daemon {
        &self.pair.daemon
    }

    async fn host(
        &self,
        name: &'static str,
        owner: Option<&str>,
        restart: Restart,
        strategy: Strategy,
    ) -> Result<Proxy<Part>, SpawnError> {
        let book = self.book.clone();
        let spawn = self.daemon().object(name, move || Part::new(name, &book)).restart(restart).strategy(strategy);
        spawn_under(owner, spawn).await
    }

    async fn part(&self, name: &str) -> PartProxy {
        PartProxy::from(self.pair.there::<Part>(name).await)
    }

    async fn crash(&self, name: &str) {
        let crashed = self.part(name).await.crash().await;
        assert!(matches!(crashed, Err(CallError::Failed(_))), "{crashed:?}");
    }

    async fn state(&self, name: &str) -> String {
        self.pair.there::<Part>(name).await.describe().await.unwrap().state.clone()
    }
}

/// Longer than any pause.
async fn later() {
    tokio::time::sleep(Duration::from_secs(1)).await;
    settle().await;
}

#[actix::test]
async fn who_belongs_together_is_started_again_in_the_order_of_hosting() {
    for (strategy, failed, made) in [
        (Strategy::OneForOne, "store", &["store"][..]),
        (Strategy::OneForOne, "till", &["till"]),
        (Strategy::RestForOne, "store", &["store", "printer"]),
        (Strategy::RestForOne, "till", &["till", "drawer", "store", "printer"]),
        (Strategy::RestForOne, "printer", &["printer"]),
        (Strategy::OneForAll, "printer", &["till", "drawer", "store", "printer"]),
        (Strategy::OneForAll, "drawer", &["drawer"]),
        (Strategy::OneForAll, "shop", &["shop"]),
    ] {
        let shop = Shop::open(strategy).await;
        for name in ["shop", "till", "drawer", "store", "printer"] {
            assert_eq!(shop.part(name).await.count().await, Ok(1));
        }
        shop.crash(failed).await;
        later().await;
        assert_eq!(shop.book.made(), made, "{strategy:?} when {failed} fails");
        for name in ["shop", "till", "drawer", "store", "printer"] {
            let count = if made.contains(&name) { 1 } else { 2 };
            assert_eq!(shop.part(name).await.count().await, Ok(count), "{name}, {strategy:?} when {failed} fails");
        }
        // The next shop has a clock of its own.
        tokio::time::resume();
    }
}

#[actix::test]
async fn what_runs_comes_to_its_end_and_what_waits_goes_on_to_the_new_state_in_order() {
    let shop = Shop::open(Strategy::OneForAll).await;
    let till = shop.part("till").await;
    assert_eq!(till.count().await, Ok(1));
    let runs = actix_rt::spawn(till.wait());
    settle().await;
    let mut waits: Vec<_> = (0..10).map(|_| till.count()).collect();
    for call in &mut waits {
        assert!(poll_once(call).await.is_pending());
    }
    settle().await;
    shop.crash("printer").await;
    later().await;
    // A new state is there, whatever the one before it still does.
    assert_eq!(shop.book.made(), ["till", "drawer", "store", "printer"]);
    shop.book.gate.0.add_permits(1);
    assert_eq!(runs.await.unwrap(), Ok(2), "on the state that it began on");
    for (call, count) in waits.into_iter().zip(1..) {
        assert_eq!(call.await, Ok(count), "on the new one, in their order");
    }
}

#[actix::test]
async fn one_that_cannot_be_made_holds_back_those_that_follow() {
    let shop = Shop::open(Strategy::RestForOne).await;
    shop.book.broken.store(1, Ordering::SeqCst);
    let printer = shop.part("printer").await;
    shop.crash("till").await;
    later().await;
    assert_eq!(shop.book.made(), ["till", "drawer", "store", "store", "printer"]);
    assert_eq!(printer.count().await, Ok(1));
}

#[actix::test]
async fn one_that_fails_too_often_fails_its_owner_and_all_begin_anew() {
    let shop = Shop::open(Strategy::OneForOne).await;
    let watched = actix_rt::spawn(shop.part("till").await.proxy().watch());
    for _ in 0..2 {
        shop.crash("store").await;
        later().await;
    }
    assert_eq!(shop.book.made(), ["store", "store"]);
    shop.crash("store").await;
    later().await;
    assert_eq!(shop.book.made(), ["shop", "till", "drawer", "store", "printer"]);
    assert!(!watched.is_finished(), "whoever is started again is not gone");
    // It begins anew in this, too.
    shop.crash("store").await;
    later().await;
    assert_eq!((shop.book.made(), shop.state("shop").await), (vec!["store"], "running".to_owned()));
    assert_eq!(shop.part("drawer").await.proxy().describe().await.unwrap().owner.as_deref(), Some("till"));
}

#[actix::test]
async fn an_owner_that_is_failed_too_often_stays_failed_with_all_that_belongs_to_it() {
    let shop = Shop::open(Strategy::OneForAll).await;
    let (till, store) = (shop.part("till").await, shop.part("store").await);
    for failures in 1.. {
        if store.crash().await.is_err_and(|error| matches!(error, CallError::NotStarted(_))) {
            // Three times the store, each time until its owner has enough of it.
            assert_eq!(failures, 10);
            break;
        }
        later().await;
    }
    let state = shop.state("shop").await;
    assert!(state.starts_with("failed") && state.contains("store failed too often: store crashes"), "{state}");
    for part in [till, store] {
        assert!(matches!(
            part.count().await,
            Err(CallError::NotStarted(
                NotStarted::Draining { .. } | NotStarted::NoSuchObject { .. } | NotStarted::StaleReference { .. }
            ))
        ));
    }
}

#[actix::test]
async fn a_factory_that_fails_at_each_start_comes_to_an_end_as_well() {
    let shop = Shop::open(Strategy::OneForAll).await;
    shop.book.broken.store(u32::MAX, Ordering::SeqCst);
    shop.crash("printer").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let state = shop.state("shop").await;
    assert!(state.starts_with("failed") && state.contains("no shelves"), "{state}");
    let made = shop.book.made();
    assert_eq!(made.iter().filter(|name| **name == "shop").count(), 2, "as often as its policy says");
    assert_eq!(made.iter().filter(|name| **name == "store").count(), 9);
}

#[actix::test]
async fn a_daemon_that_ends_waits_for_those_that_are_started_again() {
    let shop = Shop::open(Strategy::OneForAll).await;
    let till = shop.part("till").await;
    shop.crash("printer").await;
    let waits: Vec<_> = (0..5).map(|_| actix_rt::spawn(till.count())).collect();
    settle().await;
    shop.daemon().shutdown().await;
    for (call, count) in waits.into_iter().zip(1..) {
        assert_eq!(call.await.unwrap(), Ok(count));
    }
}
