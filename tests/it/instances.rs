//! Objects of which each session, or each call, has its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pyroxene::client::client::Client;
use pyroxene::{CallError, Instances, NotStarted, Proxy};

use crate::support::pair::{Pair, settle};
use crate::support::raw_peer::RawPeer;

/// Counts its calls, and in a number of the test how many of it there are.
struct Basket {
    items: u64,
    there: Arc<AtomicU64>,
}

impl Drop for Basket {
    fn drop(&mut self) {
        self.there.fetch_sub(1, Ordering::SeqCst);
    }
}

#[pyroxene::remote]
impl Basket {
    /// One more; how many there are now.
    pub fn add(&mut self) -> u64 {
        self.items += 1;
        self.items
    }

    /// The same after a while.
    pub async fn add_slowly(&mut self) -> u64 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.items += 1;
        self.items
    }

    /// Ends with a panic.
    pub fn tear(&mut self) {
        panic!("the bottom fell out");
    }
}

struct Shop {
    pair: Pair,
    here: BasketProxy,
    there: Arc<AtomicU64>,
    built: Arc<AtomicU64>,
}

impl Shop {
    async fn open(instances: Instances, most: usize) -> Shop {
        let pair = Pair::memory().await;
        let (there, built) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let factory = {
            let (there, built) = (Arc::clone(&there), Arc::clone(&built));
            move || {
                assert_ne!(built.fetch_add(1, Ordering::SeqCst), 99, "out of baskets");
                there.fetch_add(1, Ordering::SeqCst);
                Basket { items: 0, there: Arc::clone(&there) }
            }
        };
        let spawn = pair.daemon.object("basket", factory).id("basket").instances(instances).max_instances(most);
        let here = BasketProxy::from(spawn.spawn().await.unwrap());
        Shop { pair, here, there, built }
    }

    fn basket(&self, client: &Client) -> BasketProxy {
        BasketProxy::from(Proxy::<Basket>::lazy_with(client, self.here.proxy().uri().clone()))
    }

    fn there(&self) -> u64 {
        self.there.load(Ordering::SeqCst)
    }
}

#[actix::test]
async fn each_session_has_its_own_and_takes_it_along_when_it_ends() {
    let shop = Shop::open(Instances::PerSession, 8).await;
    let (first, second) = (shop.pair.other_client(), shop.pair.other_client());
    let (one, two, again) = (shop.basket(&first), shop.basket(&second), shop.basket(&first));
    assert_eq!(shop.there(), 0, "nothing is made before it is called");
    assert_eq!((one.add().await, two.add().await, again.add().await), (Ok(1), Ok(1), Ok(2)));
    assert_eq!((shop.here.add().await, shop.here.add().await), (Ok(1), Ok(2)), "in this process as well");
    assert_eq!(shop.there(), 3);
    drop((one, again));
    first.close();
    settle().await;
    assert_eq!(shop.there(), 2, "the basket has gone with its session");
    assert_eq!(shop.basket(&first).add().await, Ok(1), "a new connection, a new basket");
    assert_eq!(two.add().await, Ok(2), "nobody else noticed");
    drop(shop.here.clone());
    assert_eq!(shop.here.add().await, Ok(3));
}

#[actix::test]
async fn connections_of_one_session_share_one_that_goes_with_the_last_of_them() {
    let shop = Shop::open(Instances::PerSession, 1).await;
    let daemon = &shop.pair.daemon;
    let (first, _) = RawPeer::greet(&*shop.pair.network, daemon.endpoint(), "basket").await;
    let (second, _) = RawPeer::greet(&*shop.pair.network, daemon.endpoint(), "basket").await;
    assert!(matches!(shop.here.add().await, Err(CallError::NotStarted(NotStarted::Busy { .. }))));
    drop(first);
    settle().await;
    assert!(matches!(shop.here.add().await, Err(CallError::NotStarted(NotStarted::Busy { .. }))));
    drop(second);
    settle().await;
    assert_eq!(shop.here.add().await, Ok(1));
}

#[actix::test]
async fn more_than_there_may_be_are_refused_until_one_goes() {
    let shop = Shop::open(Instances::PerSession, 1).await;
    let (first, second) = (shop.pair.other_client(), shop.pair.other_client());
    let basket = shop.basket(&first);
    assert_eq!(basket.add().await, Ok(1));
    let error = shop.basket(&second).add().await.unwrap_err();
    let CallError::NotStarted(NotStarted::Busy { what, .. }) = &error else { panic!("{error:?}") };
    assert_eq!(what, "the instances of basket");
    assert!(error.retry_after().is_some());
    drop(basket);
    first.close();
    settle().await;
    assert_eq!(shop.basket(&second).add().await, Ok(1));
}

#[actix::test]
async fn a_panic_of_one_instance_is_nothing_to_the_others() {
    let shop = Shop::open(Instances::PerSession, 8).await;
    let other = shop.pair.other_client();
    let (mine, yours) = (shop.basket(&shop.pair.client), shop.basket(&other));
    assert_eq!((mine.add().await, yours.add().await), (Ok(1), Ok(1)));
    assert!(matches!(mine.tear().await, Err(CallError::Failed(_))));
    assert_eq!(yours.add().await, Ok(2));
    assert_eq!(mine.add().await, Ok(1), "it was started again");
    for _ in 0..3 {
        assert!(mine.tear().await.is_err());
    }
    assert!(matches!(mine.add().await, Err(CallError::NotStarted(NotStarted::ObjectFailed { .. }))));
    assert_eq!(yours.add().await, Ok(3));
}

#[actix::test]
async fn calls_of_one_session_run_in_order_while_those_of_others_go_on() {
    let shop = Shop::open(Instances::PerSession, 8).await;
    let other = shop.pair.other_client();
    let (mine, yours) = (shop.basket(&shop.pair.client), shop.basket(&other));
    let slow = actix_rt::spawn(mine.add_slowly());
    let behind: Vec<_> = (0..10).map(|_| actix_rt::spawn(mine.add())).collect();
    settle().await;
    assert_eq!(yours.add().await, Ok(1));
    assert!(!slow.is_finished());
    assert_eq!(slow.await.unwrap(), Ok(1));
    for (at, call) in (2..).zip(behind) {
        assert_eq!(call.await.unwrap(), Ok(at));
    }
}

#[actix::test]
async fn stopping_the_object_stops_all_of_them() {
    let shop = Shop::open(Instances::PerSession, 8).await;
    let mine = shop.basket(&shop.pair.client);
    assert_eq!((mine.add().await, shop.here.add().await), (Ok(1), Ok(1)));
    assert!(shop.pair.daemon.stop("basket"));
    settle().await;
    assert_eq!(shop.there(), 0);
    assert!(matches!(mine.add().await, Err(CallError::NotStarted(_))));
}

#[actix::test]
async fn an_orderly_end_waits_for_what_runs_in_them() {
    let shop = Shop::open(Instances::PerSession, 8).await;
    let mine = shop.basket(&shop.pair.client);
    let slow = actix_rt::spawn(mine.add_slowly());
    settle().await;
    shop.pair.daemon.shutdown().await;
    assert_eq!(slow.await.unwrap(), Ok(1));
    settle().await;
    assert_eq!(shop.there(), 0);
}

#[actix::test]
async fn each_call_has_its_own_and_they_overlap() {
    let shop = Shop::open(Instances::PerCall, 16).await;
    let mine = shop.basket(&shop.pair.client);
    for basket in [&mine, &shop.here] {
        let slow: Vec<_> = (0..4).map(|_| actix_rt::spawn(basket.add_slowly())).collect();
        settle().await;
        assert_eq!(shop.there(), 4);
        assert_eq!(basket.add().await, Ok(1), "it waits for none of them");
        assert!(matches!(basket.tear().await, Err(CallError::Failed(_))));
        for call in slow {
            assert_eq!(call.await.unwrap(), Ok(1));
        }
        settle().await;
        assert_eq!(shop.there(), 0, "each is gone with its call");
    }
}

#[actix::test]
async fn calls_beyond_the_instances_are_refused_and_their_places_are_free_again() {
    let shop = Shop::open(Instances::PerCall, 4).await;
    for _ in 0..3 {
        let slow: Vec<_> = (0..4).map(|_| actix_rt::spawn(shop.here.add_slowly())).collect();
        settle().await;
        let error = shop.here.add().await.unwrap_err();
        let CallError::NotStarted(NotStarted::Busy { what, .. }) = error else { panic!("{error:?}") };
        assert_eq!(what, "the instances of basket");
        for call in slow {
            assert_eq!(call.await.unwrap(), Ok(1));
        }
        settle().await;
    }
}

#[actix::test]
async fn a_call_whose_instance_cannot_be_made_is_told_so() {
    let shop = Shop::open(Instances::PerCall, 4).await;
    shop.built.store(99, Ordering::SeqCst);
    let error = shop.here.add().await.unwrap_err();
    let CallError::NotStarted(NotStarted::ObjectFailed { object, problem }) = error else { panic!("{error:?}") };
    assert_eq!(object, "basket");
    assert!(problem.contains("out of baskets"), "{problem}");
    assert_eq!(shop.here.add().await, Ok(1), "the next one is another one");
}
