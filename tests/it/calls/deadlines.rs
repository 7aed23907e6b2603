//! The time that calls have.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::transport::network::BoxFuture;
use pyroxene::transport::{Listener, Network, Stream};
use pyroxene::uri::Endpoint;
use pyroxene::wire::CorrelationId;
use pyroxene::{CallContext, CallError, NotStarted, Proxy, Unknown};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::support::pair::{Pair, client_over, settle};
use crate::support::raw_peer::{invoke, invoke_within};
use crate::support::worker::WorkerProxy;

#[actix::test]
async fn a_call_out_of_time_in_the_queue_is_not_run() {
    let pair = Pair::memory().await;
    for worker in [&pair.worker, &pair.here] {
        let held = actix_rt::spawn(worker.hold(1));
        settle().await;
        let start = Instant::now();
        let late = worker.run(2).timeout_ms(50).await;
        assert_eq!(late, Err(CallError::NotStarted(NotStarted::OutOfTime { method: "run".into(), waiting_for: None })));
        // Told when its time is over, not when the one before it ends.
        assert!(start.elapsed() <= Duration::from_millis(60), "{:?}", start.elapsed());
        assert!(!held.is_finished());
        pair.gate.open(1);
        assert_eq!(held.await.unwrap(), Ok(1));
        assert_eq!(worker.run(3).await, Ok(3));
    }
    assert_eq!(pair.journal.read(), [1, 3, 1, 3]);
}

#[actix::test]
async fn each_call_in_the_queue_is_told_when_its_own_time_is_over() {
    let pair = Pair::memory().await;
    for worker in [&pair.worker, &pair.here] {
        let held = actix_rt::spawn(worker.hold(1));
        settle().await;
        let calls: Vec<_> = [900, 100, 500, 101, 30_000]
            .map(|ms| {
                let call = worker.run(u64::from(ms)).timeout_ms(ms);
                actix_rt::spawn(async move { (call.await, Instant::now()) })
            })
            .into();
        let start = Instant::now();
        settle().await;
        for (call, ms) in calls.into_iter().zip([900, 100, 500, 101, 30_000]) {
            if ms == 30_000 {
                pair.gate.open(1);
                assert_eq!(call.await.unwrap().0, Ok(ms));
                continue;
            }
            let (ended, at) = call.await.unwrap();
            assert!(matches!(ended, Err(CallError::NotStarted(NotStarted::OutOfTime { .. }))), "{ms}: {ended:?}");
            let after = at.duration_since(start).as_millis() as u64;
            assert!((ms..=ms + 15).contains(&after), "{ms}: told after {after} ms");
        }
        assert_eq!(held.await.unwrap(), Ok(1));
    }
    assert_eq!(pair.journal.read(), [1, 30_000, 1, 30_000]);
}

#[actix::test]
async fn a_call_that_runs_when_its_time_is_over_may_have_run() {
    let pair = Pair::memory().await;
    for worker in [&pair.worker, &pair.here] {
        let late = worker.hold(1).timeout_ms(400).await;
        assert_eq!(late, Err(CallError::Unknown(Unknown::OutOfTime { method: "hold".into(), timeout_ms: 400 })));
        pair.gate.open(1);
        assert_eq!(worker.run(2).await, Ok(2));
    }
    assert_eq!(pair.journal.read(), [1, 2, 1, 2]);
}

#[actix::test]
async fn a_reply_that_is_hardly_late_is_still_heard() {
    let pair = Pair::memory().await;
    for worker in [&pair.worker, &pair.here] {
        let late = actix_rt::spawn(worker.hold(1).timeout_ms(400));
        tokio::time::sleep(Duration::from_millis(430)).await;
        pair.gate.open(1);
        assert_eq!(late.await.unwrap(), Ok(1));
    }
}

#[actix::test]
async fn a_daemon_that_says_nothing_is_waited_for_a_little_longer_than_the_call_has_time() {
    let pair = Pair::memory().await;
    for (timeout_ms, grace_ms) in [(40, 20), (800, 100), (60_000, 1_000)] {
        let start = Instant::now();
        let late = pair.worker.hold(1).timeout_ms(timeout_ms).await;
        assert!(matches!(late, Err(CallError::Unknown(Unknown::OutOfTime { .. }))), "{late:?}");
        let after = start.elapsed().as_millis() as u32;
        assert!((timeout_ms + grace_ms..=timeout_ms + grace_ms + 5).contains(&after), "{timeout_ms}: {after}");
        pair.gate.open(1);
        settle().await;
    }
}

#[actix::test]
async fn a_call_without_time_is_not_sent() {
    let pair = Pair::memory().await;
    for worker in [&pair.worker, &pair.here] {
        let none = worker.run(1).timeout_ms(0).await;
        assert!(matches!(none, Err(CallError::NotStarted(NotStarted::OutOfTime { .. }))), "{none:?}");
    }
    assert_eq!(pair.journal.read(), [0; 0]);
}

/// Passes a call on, and tells what came of it.
struct Hop {
    next: Option<Box<HopProxy>>,
    worker: WorkerProxy,
}

#[pyroxene::remote]
impl Hop {
    pub async fn pass(&self, id: u64) -> String {
        match &self.next {
            Some(next) => next.pass(id).await.unwrap_or_else(|error| format!("a hop: {error:?}")),
            None => match self.worker.run(id).await {
                Ok(id) => format!("ran {id}"),
                Err(error) => format!("{error:?}"),
            },
        }
    }
}

#[actix::test]
async fn through_three_hops_the_time_is_one_and_every_end_is_true() {
    let pair = Pair::memory().await;
    for worker in [&pair.worker, &pair.here] {
        let (one, two, three) = {
            let worker = worker.clone();
            let three = pair.host("three", move || Hop { next: None, worker: worker.clone() }).await;
            let (worker, next) = (pair.worker.clone(), HopProxy::from(three.clone()));
            let two =
                pair.host("two", move || Hop { next: Some(Box::new(next.clone())), worker: worker.clone() }).await;
            let (worker, next) = (pair.worker.clone(), HopProxy::from(two.clone()));
            let one =
                pair.host("one", move || Hop { next: Some(Box::new(next.clone())), worker: worker.clone() }).await;
            (HopProxy::from(one), two, three)
        };
        assert_eq!(one.pass(1).timeout_ms(200).await.unwrap(), "ran 1");
        let held = actix_rt::spawn(worker.hold(2));
        settle().await;
        let start = Instant::now();
        // The innermost call waits in the queue of an object that is busy.
        assert_eq!(
            one.pass(3).timeout_ms(200).await.unwrap(),
            "NotStarted(OutOfTime { method: \"run\", waiting_for: None })"
        );
        assert!(start.elapsed() <= Duration::from_millis(225), "{:?}", start.elapsed());
        pair.gate.open(1);
        assert_eq!(held.await.unwrap(), Ok(2));
        assert_eq!(pair.journal.count(3), 0);
        for name in ["one", "two", "three"] {
            assert!(pair.daemon.stop(name));
        }
        drop((two, three));
    }
}

#[actix::test]
async fn the_daemon_says_that_a_call_out_of_time_in_the_queue_did_not_run() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    peer.send(&invoke(1, places.of("hold"), &1u64)).await;
    peer.send(&invoke_within(2, places.of("run"), &2u64, 50)).await;
    assert_eq!(peer.fault().await.class, "Pyroxene.OutOfTime", "while the other one runs");
    pair.gate.open(1);
    assert_eq!(peer.frame().await.unwrap().header.seq, 1);
    assert_eq!(pair.journal.read(), [1]);
}

/// Blocks its thread, as handlers should not and do.
struct Sleeper {
    journal: crate::support::worker::Journal,
}

#[pyroxene::remote]
impl Sleeper {
    pub fn sleep(&mut self, id: u64, ms: u64) {
        self.journal.write(id);
        std::thread::sleep(Duration::from_millis(ms));
    }
}

#[actix::test]
async fn a_call_whose_time_passes_while_another_blocks_the_thread_is_not_run() {
    let pair = Pair::tcp().await;
    let journal = pair.journal.clone();
    let sleeper = SleeperProxy::from(pair.host("sleeper", move || Sleeper { journal: journal.clone() }).await);
    let (first, second) = tokio::join!(sleeper.sleep(1, 120), sleeper.sleep(2, 0).timeout_ms(40));
    assert_eq!(first, Ok(()));
    let second = second.unwrap_err();
    assert!(matches!(second, CallError::NotStarted(_) | CallError::Unknown(Unknown::OutOfTime { .. })), "{second:?}");
    assert_eq!(sleeper.sleep(3, 0).await, Ok(()));
    assert_eq!(pair.journal.read(), [1, 3]);
}

#[actix::test]
async fn a_late_reply_reaches_nobody_else() {
    let pair = Pair::memory().await;
    let late = pair.worker.hold(1).timeout_ms(50).await.unwrap_err();
    assert!(matches!(late, CallError::Unknown(Unknown::OutOfTime { .. })));
    pair.gate.open(1);
    for id in 2..50 {
        assert_eq!(pair.worker.run(id).await, Ok(id));
    }
}

#[actix::test]
async fn a_call_that_waits_for_its_connection_ends_in_time() {
    let pair = Pair::memory().await;
    let nowhere = "PYRO://127.0.0.1:999/worker";
    let worker = WorkerProxy::from(Proxy::lazy_with(&pair.client, nowhere.parse().unwrap()));
    let start = Instant::now();
    for ms in [700, 1] {
        // The second one has no time to find out for itself.
        let error = worker.run(1).timeout_ms(ms).await.unwrap_err();
        let CallError::NotStarted(NotStarted::Unreachable { problem, .. }) = &error else { panic!("{error:?}") };
        assert!(problem.contains("is the daemon running?"), "{problem}");
    }
    assert!(start.elapsed() <= Duration::from_millis(702));
}

/// Connecting over it takes a while.
struct Slow(Arc<dyn Network>, Duration);

impl Network for Slow {
    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, std::io::Result<Stream>> {
        Box::pin(async move {
            tokio::time::sleep(self.1).await;
            self.0.connect(endpoint).await
        })
    }

    fn listen<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, std::io::Result<Box<dyn Listener>>> {
        self.0.listen(endpoint)
    }
}

#[actix::test]
async fn a_call_behind_others_that_wait_for_a_connection_ends_in_its_own_time() {
    let pair = Pair::memory().await;
    let network: Arc<dyn Network> = Arc::new(Slow(Arc::clone(&pair.network), Duration::from_secs(3)));
    let worker = pair.worker_for(&client_over(&network));
    let patient = actix_rt::spawn(worker.run(1).timeout_ms(10_000));
    settle().await;
    let start = Instant::now();
    let CallError::NotStarted(why) = worker.run(2).timeout_ms(1_000).await.unwrap_err() else { panic!() };
    assert!(matches!(why, NotStarted::OutOfTime { .. }), "{why:?}");
    let uri = worker.proxy().uri();
    let expected = format!("the time for run was over before it began: it waited for a connection to {uri}");
    assert_eq!(why.to_string(), expected);
    assert_eq!(start.elapsed().as_millis() / 10, 100);
    assert_eq!(patient.await.unwrap(), Ok(1));
    assert_eq!(worker.run(3).await, Ok(3));
    assert_eq!(pair.journal.read(), [1, 3]);
}

#[actix::test]
async fn the_time_that_connecting_took_is_not_given_to_the_handler_again() {
    let pair = Pair::memory().await;
    let network: Arc<dyn Network> = Arc::new(Slow(Arc::clone(&pair.network), Duration::from_secs(3)));
    let here = pair.daemon.supervise("inner", || Inner).await.unwrap();
    let inner = InnerProxy::from(Proxy::<Inner>::lazy_with(&client_over(&network), here.uri().clone()));
    let seen = inner.look().timeout_ms(5_000).await.unwrap();
    assert!((1_900..=2_000).contains(&seen.left_ms), "{} ms left", seen.left_ms);
    let seen = inner.look().timeout_ms(5_000).await.unwrap();
    assert!((4_900..=5_000).contains(&seen.left_ms), "{} ms left", seen.left_ms);
}

/// What a handler knows of its call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Seen {
    correlation: [u8; 16],
    left_ms: u64,
}

fn seen() -> Seen {
    let call = CallContext::current().unwrap();
    let left = call.deadline.saturating_duration_since(Instant::now());
    Seen { correlation: call.correlation.to_bytes(), left_ms: left.as_millis() as u64 }
}

struct Inner;

#[pyroxene::remote]
impl Inner {
    pub fn look(&self) -> Seen {
        seen()
    }
}

struct Outer {
    inner: InnerProxy,
}

#[pyroxene::remote]
impl Outer {
    pub async fn look_through(&self) -> (Seen, Seen) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let outer = seen();
        (outer, self.inner.look().await.unwrap())
    }
}

#[actix::test]
async fn a_nested_call_inherits_deadline_and_correlation() {
    let pair = Pair::memory().await;
    let inner = InnerProxy::from(pair.host("inner", || Inner).await);
    let outer = OuterProxy::from(pair.host("outer", move || Outer { inner: inner.clone() }).await);
    let (first, second) = outer.look_through().timeout_ms(5_000).await.unwrap();
    assert_eq!(first.correlation, second.correlation);
    assert_ne!(CorrelationId::from_bytes(first.correlation), CorrelationId::NONE);
    for left in [first.left_ms, second.left_ms] {
        assert!((4_800..=4_900).contains(&left), "{left} ms left");
    }
    let (other, _) = outer.look_through().await.unwrap();
    assert_ne!(other.correlation, first.correlation, "another call is another story");
    assert!((29_800..=29_900).contains(&other.left_ms));
}
