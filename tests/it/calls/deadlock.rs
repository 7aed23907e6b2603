//! A call that comes back to an object that waits for it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use pyroxene::{Any, CallError, Daemon, NotStarted, Proxy, RemoteMessage, RemoteObject};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::support::pair::{Pair, Setup, settle};
use crate::support::worker::Journal;

/// Calls the next one, which is known only when all are there.
#[derive(Clone, Default)]
struct Seat {
    journal: Journal,
    next: Arc<Mutex<Option<SeatProxy>>>,
}

impl Seat {
    fn next(&self) -> SeatProxy {
        self.next.lock().unwrap().clone().unwrap()
    }
}

#[pyroxene::remote]
impl Seat {
    /// Goes round for so many hops; how the last call ended, if not well.
    pub async fn pass(&mut self, hops: u64) -> Option<String> {
        self.journal.write(hops);
        if hops == 0 {
            return None;
        }
        match self.next().pass(hops - 1).await {
            Ok(told) => told,
            Err(CallError::NotStarted(NotStarted::Deadlock { chain })) => Some(chain.join(" ")),
            Err(error) => Some(format!("{error:?}")),
        }
    }

    /// The same, in a way that may be stopped.
    #[remote(cancellable)]
    pub async fn pass_gently(&self, hops: u64) -> Option<String> {
        match self.next().pass(hops - 1).await {
            Ok(told) => told,
            Err(error) => Some(error.to_string()),
        }
    }

    /// Tells the next one to go on, and does not wait for that.
    pub async fn tell(&mut self, hops: u64) {
        self.journal.write(100 + hops);
        self.next().hear(hops);
    }

    #[remote(oneway)]
    pub async fn hear(&mut self, hops: u64) {
        self.journal.write(200 + hops);
        if hops > 0 {
            drop(self.next().pass(hops - 1).await);
        }
    }

    /// Gives the call back to itself up, and ends.
    pub async fn lose_patience(&mut self) -> bool {
        let next = self.next();
        tokio::time::timeout(Duration::from_millis(50), next.linger()).await.is_err()
    }

    /// Calls back when whoever called this has lost patience.
    pub async fn linger(&mut self) -> u64 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let called = self.next().count().await;
        self.journal.write(if called.is_ok() { 300 } else { 400 });
        0
    }

    pub fn count(&self) -> u64 {
        0
    }

    /// Asks the next one for its count, and keeps the object to itself meanwhile.
    pub async fn ask(&mut self) -> bool {
        self.next().count().await.is_ok()
    }
}

/// So many seats in a ring: here, or over connections, each in a daemon of its own.
async fn ring(setup: &Setup, names: &[&str], here: bool) -> (Vec<Seat>, Vec<SeatProxy>, Vec<Daemon>) {
    let (mut seats, mut proxies, mut daemons) = (Vec::new(), Vec::new(), Vec::new());
    let one = setup.daemon().await;
    for name in names {
        let seat = Seat::default();
        let daemon = if here { one.clone() } else { setup.daemon().await };
        let made = seat.clone();
        let proxy = daemon.supervise(name, move || made.clone()).await.unwrap();
        let client = crate::support::pair::client_over(&setup.network);
        let there = Proxy::<Seat>::lazy_with(&client, proxy.uri().clone());
        proxies.push(SeatProxy::from(if here { proxy } else { there }));
        seats.push(seat);
        daemons.push(daemon);
    }
    for (at, seat) in seats.iter().enumerate() {
        *seat.next.lock().unwrap() = Some(proxies[(at + 1) % proxies.len()].clone());
    }
    (seats, proxies, daemons)
}

#[actix::test]
async fn a_call_that_comes_back_to_an_object_that_waits_for_it_ends_at_once_with_the_way_round() {
    let setup = Setup::memory();
    for here in [true, false] {
        for (names, told) in [
            (&["a"][..], "a a"),
            (&["a", "b"], "a b a"),
            (&["a", "b", "c"], "a b c a"),
            (&["a", "b", "c", "d", "e"], "a b c d e a"),
        ] {
            let (seats, proxies, daemons) = ring(&setup, names, here).await;
            let start = Instant::now();
            assert_eq!(proxies[0].pass(20).await.unwrap().as_deref(), Some(told), "here: {here}");
            assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
            for (at, seat) in seats.iter().enumerate() {
                assert_eq!(seat.journal.read(), [20 - at as u64], "each ran once");
            }
            drop(daemons);
        }
    }
}

#[actix::test]
async fn calls_that_do_not_come_back_are_not_taken_for_such() {
    let setup = Setup::memory();
    for here in [true, false] {
        let (_, proxies, _daemons) = ring(&setup, &["a", "b", "c"], here).await;
        for proxy in proxies.iter().cycle().take(6) {
            assert_eq!(proxy.pass(2).await, Ok(None));
        }
    }
}

#[actix::test]
async fn a_handler_that_may_be_stopped_waits_like_any_other() {
    let setup = Setup::memory();
    for here in [true, false] {
        let (_, proxies, _daemons) = ring(&setup, &["a", "b"], here).await;
        let told = proxies[0].pass_gently(20).await.unwrap().unwrap();
        assert_eq!(told, "a b a", "here: {here}");
    }
}

#[actix::test]
async fn the_error_tells_what_to_do() {
    let setup = Setup::memory();
    let (_, proxies, _daemons) = ring(&setup, &["a"], true).await;
    let told = proxies[0].pass_gently(20).await.unwrap().unwrap();
    assert_eq!(
        told,
        "did not run: it would wait for itself: a → a; call back after the first handler has ended, or without waiting, \
         by a oneway"
    );
}

#[actix::test]
async fn nobody_waits_for_a_oneway_so_it_may_come_back() {
    let setup = Setup::memory();
    for here in [true, false] {
        let (seats, proxies, _daemons) = ring(&setup, &["a", "b"], here).await;
        // `a` tells `b`, which calls `a`, which calls `b`: there it is a deadlock, of `b` with itself.
        proxies[0].tell(2).await.unwrap();
        settle().await;
        assert_eq!(seats[0].journal.read(), [102, 1], "here: {here}");
        assert_eq!(seats[1].journal.read(), [202]);
    }
}

#[actix::test]
async fn an_object_does_not_wait_for_a_call_of_a_handler_that_has_ended() {
    let setup = Setup::memory();
    for here in [true, false] {
        let (seats, proxies, _daemons) = ring(&setup, &["a", "b"], here).await;
        assert_eq!(proxies[0].lose_patience().await, Ok(true));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(seats[1].journal.read(), [300], "here: {here}");
    }
}

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Descend(u64);

/// An actor whose handlers overlap: it waits for nothing.
#[derive(RemoteObject)]
#[remote(methods(Descend))]
struct Diver {
    own: Arc<Mutex<Option<Proxy<Any>>>>,
}

impl Actor for Diver {
    type Context = Context<Self>;
}

impl Handler<Descend> for Diver {
    type Result = ResponseFuture<u64>;

    fn handle(&mut self, Descend(depth): Descend, _: &mut Context<Self>) -> Self::Result {
        let own = self.own.lock().unwrap().clone().unwrap();
        Box::pin(async move { if depth == 0 { 0 } else { 1 + own.send(Descend(depth - 1)).await.unwrap() } })
    }
}

#[actix::test]
async fn an_actor_whose_handlers_overlap_may_call_itself() {
    let pair = Pair::memory().await;
    let own = Arc::new(Mutex::new(None));
    let factory = {
        let own = Arc::clone(&own);
        move || Diver { own: Arc::clone(&own) }
    };
    let there = pair.host("diver", factory).await;
    *own.lock().unwrap() = Some(Proxy::<Any>::lazy_with(&pair.client, there.uri().clone()));
    assert_eq!(there.send(Descend(30)).await, Ok(30));
}

/// Each holds itself and waits for the other, now and then both at once: no call comes back to where it began, so only time can tell. The one
/// that has less of it goes first, and frees the other.
#[actix::test]
async fn two_objects_that_call_each_other_under_load_for_an_hour_never_hang() {
    let setup = Setup::memory();
    for here in [true, false] {
        let (_, proxies, _daemons) = ring(&setup, &["a", "b"], here).await;
        let start = Instant::now();
        let hour = Duration::from_secs(3_600);
        let callers = (0..6_u64).map(|number| {
            let proxy = proxies[number as usize % 2].clone();
            actix_rt::spawn(async move {
                let mut rng = StdRng::seed_from_u64(number);
                // For each minute, how many went well and how many did not.
                let mut ended = vec![(0_u32, 0_u32); 60];
                while start.elapsed() < hour {
                    let asked = Instant::now();
                    let outcome = proxy.ask().timeout_ms(rng.random_range(500..3_000)).await;
                    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}: {outcome:?}", asked.elapsed());
                    let minute = &mut ended[(asked - start).as_secs() as usize / 60];
                    let ended = if outcome == Ok(true) { &mut minute.0 } else { &mut minute.1 };
                    *ended += 1;
                    tokio::time::sleep(Duration::from_millis(rng.random_range(0..400))).await;
                }
                ended
            })
        });
        let mut all = vec![(0, 0); 60];
        for caller in callers.collect::<Vec<_>>() {
            for (minute, (well, badly)) in all.iter_mut().zip(caller.await.unwrap()) {
                *minute = (minute.0 + well, minute.1 + badly);
            }
        }
        assert!(all.iter().all(|(well, _)| *well > 0), "here: {here}: it went on all the time: {all:?}");
        assert!(all.iter().any(|(_, badly)| *badly > 0), "here: {here}: they never met: {all:?}");
        for proxy in &proxies {
            assert_eq!(proxy.ask().await, Ok(true), "nothing is left of it");
        }
    }
}
