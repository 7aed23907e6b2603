//! Objects that belong to others, and end with them.

use std::sync::{Arc, Mutex};

use pyroxene::{CallError, Daemon, Ending, NotStarted, Proxy, Restart, SpawnError};

use crate::support::pair::{Pair, settle, spawn_under};

/// Writes down when it is dropped.
struct Part {
    name: &'static str,
    dropped: Arc<Mutex<Vec<&'static str>>>,
}

impl Drop for Part {
    fn drop(&mut self) {
        self.dropped.lock().unwrap().push(self.name);
    }
}

#[pyroxene::remote]
impl Part {
    /// What it is called.
    pub fn name(&self) -> String {
        self.name.to_owned()
    }

    /// Ends with a panic.
    pub fn crash(&mut self) {
        panic!("{} crashes", self.name);
    }
}

struct Shop {
    pair: Pair,
    dropped: Arc<Mutex<Vec<&'static str>>>,
}

impl Shop {
    /// A shop with a till, in which there is a drawer, and a store.
    async fn open() -> Shop {
        let shop = Shop { pair: Pair::memory().await, dropped: Arc::default() };
        shop.host("shop", None).await.unwrap();
        shop.host("till", Some("shop")).await.unwrap();
        shop.host("store", Some("shop")).await.unwrap();
        shop.host("drawer", Some("till")).await.unwrap();
        shop
    }

    fn daemon(&self) -> &Daemon {
        &self.pair.daemon
    }

    async fn host(&self, name: &'static str, owner: Option<&str>) -> Result<Proxy<Part>, SpawnError> {
        let dropped = Arc::clone(&self.dropped);
        let factory = move || Part { name, dropped: Arc::clone(&dropped) };
        let policy = Restart::on_failure().at_most(1).within_secs(60).backoff_ms(1..10);
        let spawn = self.daemon().object(name, factory).restart(policy);
        spawn_under(owner, spawn).await
    }

    async fn part(&self, name: &str) -> PartProxy {
        PartProxy::from(self.pair.there::<Part>(name).await)
    }

    /// Those that were dropped since it was last asked. Each is where it lives, so the order is another one each time.
    fn dropped(&self) -> Vec<&'static str> {
        let mut dropped = std::mem::take(&mut *self.dropped.lock().unwrap());
        dropped.sort_unstable();
        dropped
    }
}

#[actix::test]
async fn what_belongs_to_an_object_is_stopped_with_it() {
    let shop = Shop::open().await;
    let watching = actix_rt::spawn(shop.part("drawer").await.proxy().watch());
    settle().await;
    assert!(shop.daemon().stop("shop"));
    settle().await;
    assert_eq!(shop.dropped(), ["drawer", "shop", "store", "till"]);
    assert_eq!(watching.await.unwrap().why, Ending::Stopped);
    shop.host("till", None).await.unwrap();
    assert_eq!(shop.part("till").await.name().await, Ok("till".into()), "its name is free");
}

#[actix::test]
async fn stopping_a_part_leaves_its_owner_and_the_others() {
    let shop = Shop::open().await;
    assert!(shop.daemon().stop("till"));
    settle().await;
    assert_eq!(shop.dropped(), ["drawer", "till"]);
    assert_eq!(shop.part("shop").await.name().await, Ok("shop".into()));
    assert_eq!(shop.part("store").await.name().await, Ok("store".into()));
}

#[actix::test]
async fn an_owner_that_is_started_again_keeps_them_and_one_that_stays_failed_takes_them_along() {
    let shop = Shop::open().await;
    let (owner, drawer) = (shop.part("shop").await, shop.part("drawer").await);
    let watching = actix_rt::spawn(drawer.proxy().watch());
    assert!(owner.crash().await.is_err());
    assert_eq!(owner.name().await, Ok("shop".into()));
    assert_eq!(shop.dropped(), ["shop"]);
    assert_eq!(drawer.name().await, Ok("drawer".into()));
    assert!(owner.crash().await.is_err());
    assert_eq!(watching.await.unwrap().why, Ending::Stopped);
    settle().await;
    assert_eq!(shop.dropped(), ["drawer", "shop", "store", "till"]);
    let error = drawer.name().await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(NotStarted::Draining { .. })), "{error:?}");
    let error = shop.host("window", Some("shop")).await.unwrap_err();
    assert_eq!(error, SpawnError::NoOwner { owner: "shop".into() });
}

#[actix::test]
async fn a_part_that_fails_is_nothing_to_its_owner() {
    let shop = Shop::open().await;
    let till = shop.part("till").await;
    assert!(till.crash().await.is_err());
    assert!(till.crash().await.is_err());
    settle().await;
    assert!(matches!(till.name().await, Err(CallError::NotStarted(NotStarted::ObjectFailed { .. }))));
    assert!(shop.part("drawer").await.name().await.is_err(), "it belonged to the till");
    assert_eq!(shop.part("shop").await.name().await, Ok("shop".into()));
    assert_eq!(shop.part("store").await.name().await, Ok("store".into()));
}

#[actix::test]
async fn an_owner_that_is_not_there_is_an_error() {
    let shop = Shop::open().await;
    let error = shop.host("shelf", Some("cellar")).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no object \"cellar\" here that it could belong to; host that one first");
    shop.host("shelf", Some("store")).await.unwrap();
}
