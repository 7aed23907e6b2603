//! Full queues answer at once.

use std::sync::Arc;

use pyroxene::transport::network::BoxFuture;
use pyroxene::transport::{Listener, Network, Stream};
use pyroxene::uri::Endpoint;
use pyroxene::wire::Limits;
use pyroxene::{CallError, NotStarted};
use tokio::time::Instant;

use crate::support::bystander::Bystander;
use crate::support::memory::MemoryNetwork;
use crate::support::pair::{Pair, Setup, settle};
use crate::support::raw_peer::invoke;

fn is_busy<T, E>(ended: &Result<T, CallError<E>>) -> bool {
    matches!(ended, Err(CallError::NotStarted(NotStarted::Busy { .. })))
}

#[actix::test]
async fn one_connection_fills_at_most_half_of_a_mailbox() {
    let pair = Setup { mailbox: 16, ..Setup::memory() }.pair().await;
    let held = actix_rt::spawn(pair.worker.hold(0));
    settle().await;
    let start = Instant::now();
    let calls: Vec<_> = (1..=30).map(|id| actix_rt::spawn(pair.worker.run(id))).collect();
    settle().await;
    let other = pair.worker_for(&pair.other_client());
    let others: Vec<_> = (101..=130).map(|id| actix_rt::spawn(other.run(id))).collect();
    settle().await;
    let third = actix_rt::spawn(pair.worker_for(&pair.other_client()).run(200));
    settle().await;
    assert!(third.is_finished(), "a full mailbox answers at once");
    let error = third.await.unwrap().unwrap_err();
    assert!(matches!(&error, CallError::NotStarted(NotStarted::Busy { .. })), "{error:?}");
    assert!(error.retry_after().is_some());
    assert!(start.elapsed().as_millis() < 10, "{:?}", start.elapsed());
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(0));
    for calls in [calls, others] {
        let mut admitted = 0;
        for call in calls {
            let ended = call.await.unwrap();
            assert!(ended.is_ok() || is_busy(&ended), "{ended:?}");
            admitted += usize::from(ended.is_ok());
        }
        assert_eq!(admitted, 8, "each connection has half of 16");
    }
    let expected: Vec<u64> = std::iter::once(0).chain(1..=8).chain(101..=108).collect();
    assert_eq!(pair.journal.read(), expected, "those that came first, and only those");
}

#[actix::test]
async fn callers_in_the_process_are_told_as_well() {
    let pair = Setup { mailbox: 4, ..Setup::memory() }.pair().await;
    let held = actix_rt::spawn(pair.here.hold(0));
    settle().await;
    let calls: Vec<_> = (1..=10).map(|id| actix_rt::spawn(pair.here.run(id))).collect();
    settle().await;
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(0));
    let mut busy = 0;
    for call in calls {
        busy += usize::from(is_busy(&call.await.unwrap()));
    }
    assert_eq!(busy, 6);
    assert_eq!(pair.journal.read(), [0, 1, 2, 3, 4]);
}

#[actix::test]
async fn a_queue_has_its_places_back_after_a_flood() {
    let pair = Setup { mailbox: 16, ..Setup::memory() }.pair().await;
    for round in 0..20 {
        let calls: Vec<_> = (0..50).map(|id| actix_rt::spawn(pair.worker.run(round * 100 + id))).collect();
        for call in calls {
            let ended = call.await.unwrap();
            assert!(ended.is_ok() || is_busy(&ended), "{ended:?}");
        }
        let calls: Vec<_> = (0..8).map(|id| actix_rt::spawn(pair.worker.run(round * 100 + 50 + id))).collect();
        for call in calls {
            assert!(call.await.unwrap().is_ok(), "round {round}");
        }
    }
}

#[actix::test]
async fn calls_that_found_a_mailbox_full_of_others_cost_their_connection_nothing() {
    let pair = Setup { mailbox: 8, ..Setup::memory() }.pair().await;
    let held = actix_rt::spawn(pair.here.hold(0));
    settle().await;
    let waiting: Vec<_> = (1..=8).map(|id| actix_rt::spawn(pair.here.run(id))).collect();
    settle().await;
    for id in 100..150 {
        let ended = pair.worker.run(id).await;
        assert!(is_busy(&ended), "{ended:?}");
    }
    pair.gate.open(1);
    held.await.unwrap().unwrap();
    for call in waiting {
        call.await.unwrap().unwrap();
    }
    assert_eq!(pair.worker.run(200).await, Ok(200));
}

#[actix::test]
async fn a_flood_of_one_object_is_nothing_to_another() {
    let pair = Setup { mailbox: 256, ..Setup::tcp() }.pair().await;
    let bystander = Bystander::beside(&pair).await;
    let floods: Vec<_> = (0..8)
        .map(|_| {
            let worker = pair.worker_for(&pair.other_client());
            actix_rt::spawn(async move {
                for round in 0..20 {
                    let calls: Vec<_> = (0..200).map(|id| actix_rt::spawn(worker.run(round * 200 + id))).collect();
                    for call in calls {
                        let ended = call.await.unwrap();
                        assert!(ended.is_ok() || is_busy(&ended), "{ended:?}");
                    }
                }
            })
        })
        .collect();
    for flood in floods {
        flood.await.unwrap();
    }
    bystander.noticed_nothing().await;
}

#[actix::test]
async fn a_flood_of_oneways_is_bounded_and_what_ran_ran_once() {
    let pair = Setup { mailbox: 64, ..Setup::memory() }.pair().await;
    let held = actix_rt::spawn(pair.worker.hold(0));
    settle().await;
    for id in 1..=10_000 {
        pair.worker.note(id);
    }
    settle().await;
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(0));
    assert_eq!(pair.worker.run(20_000).await, Ok(20_000));
    let ran = pair.journal.read();
    assert!(ran.is_sorted_by(|earlier, later| earlier < later), "{ran:?}");
    assert!(ran.len() <= 2 + 32, "half of a mailbox of 64: {}", ran.len());
}

#[actix::test]
async fn calls_in_flight_on_a_connection_are_counted_at_both_ends() {
    let limits = Limits { in_flight: 10, ..Limits::default() };
    let pair = Setup { limits, ..Setup::memory() }.pair().await;
    let calls: Vec<_> = (0..15).map(|id| actix_rt::spawn(pair.worker.hold(id))).collect();
    settle().await;
    let busy = calls.iter().filter(|call| call.is_finished()).count();
    assert_eq!(busy, 5, "the client knows the daemon's limit, and does not even send them");
    let (mut peer, places) = pair.raw().await;
    for seq in 0..15 {
        peer.send(&invoke(seq, places.of("run"), &u64::from(seq))).await;
    }
    for _ in 0..5 {
        assert_eq!(peer.fault().await.class, "Pyroxene.Busy", "nor does the daemon believe that everybody knows");
    }
    pair.gate.open(10);
    for call in calls {
        let ended = call.await.unwrap();
        assert!(ended.is_ok() || is_busy(&ended), "{ended:?}");
    }
    for _ in 0..10 {
        assert!(peer.frame().await.is_some());
    }
    peer.send(&invoke(1, places.of("run"), &99u64)).await;
    assert!(!peer.frame().await.unwrap().header.flags.contains(pyroxene::wire::Flags::EXCEPTION));
}

#[actix::test]
async fn bytes_in_flight_on_a_connection_are_counted() {
    let limits = Limits { in_flight_bytes: 100_000, ..Limits::default() };
    let pair = Setup { limits, ..Setup::memory() }.pair().await;
    let held = actix_rt::spawn(pair.worker.hold(0));
    settle().await;
    let calls: Vec<_> = (1..=5).map(|id| actix_rt::spawn(pair.worker.weigh(id, vec![1; 40_000]))).collect();
    settle().await;
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(0));
    let mut ended = Vec::new();
    for call in calls {
        ended.push(call.await.unwrap());
    }
    assert_eq!(ended.iter().filter(|ended| ended.is_ok()).count(), 2, "{ended:?}");
    assert!(ended.iter().all(|ended| ended.is_ok() || is_busy(ended)), "{ended:?}");
    assert_eq!(pair.worker.weigh(9, vec![1; 90_000]).await, Ok(90_000), "answered calls hold nothing");
}

#[actix::test]
async fn connections_beyond_the_limit_are_refused_and_their_places_come_back() {
    let limits = Limits { connections: 3, ..Limits::default() };
    let pair = Setup { limits, ..Setup::memory() }.pair().await;
    let others: Vec<_> = (0..2).map(|_| pair.other_client()).collect();
    for other in &others {
        assert_eq!(pair.worker_for(other).run(1).await, Ok(1));
    }
    // Without a proxy nothing would hold the connections.
    let kept: Vec<_> = others.iter().map(|other| pair.worker_for(other)).collect();
    for worker in &kept {
        assert_eq!(worker.run(2).await, Ok(2));
    }
    let late = pair.worker_for(&pair.other_client());
    let error = late.run(3).await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(NotStarted::Unreachable { .. })), "{error:?}");
    assert!(error.to_string().contains("too many connections"), "{error}");
    drop((kept, others));
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(late.run(4).await, Ok(4));
    assert_eq!(pair.worker.run(5).await, Ok(5));
}

/// Its first attempts to accept fail, as those of a process without free descriptors do.
struct Exhausted {
    inner: MemoryNetwork,
    failures: usize,
}

struct ExhaustedListener {
    inner: Box<dyn Listener>,
    failures: usize,
}

impl Network for Exhausted {
    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, std::io::Result<Stream>> {
        self.inner.connect(endpoint)
    }

    fn listen<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, std::io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let inner = self.inner.listen(endpoint).await?;
            Ok(Box::new(ExhaustedListener { inner, failures: self.failures }) as Box<dyn Listener>)
        })
    }
}

impl Listener for ExhaustedListener {
    fn accept(&mut self) -> BoxFuture<'_, std::io::Result<Stream>> {
        if self.failures > 0 {
            self.failures -= 1;
            return Box::pin(async { Err(std::io::Error::other("too many open files")) });
        }
        self.inner.accept()
    }

    fn endpoint(&self) -> Endpoint {
        self.inner.endpoint()
    }
}

#[actix::test]
async fn a_daemon_that_cannot_accept_tries_again_and_does_not_spin() {
    tokio::time::pause();
    let start = Instant::now();
    let pair = Setup::over(Arc::new(Exhausted { inner: MemoryNetwork::default(), failures: 10 })).pair().await;
    // 10, 20, 40, 80, 160, 320, 640 ms, and then a second each.
    assert_eq!(start.elapsed().as_secs(), 4);
    assert_eq!(pair.worker.run(1).await, Ok(1));
}

#[actix::test]
async fn after_three_hundred_connections_the_daemon_serves_on() {
    let pair = Pair::tcp().await;
    let bystander = Bystander::beside(&pair).await;
    let mut workers = Vec::new();
    for id in 0..300 {
        let worker = pair.worker_for(&pair.other_client());
        assert_eq!(worker.run(id).await, Ok(id));
        workers.push(worker);
    }
    for (worker, id) in workers.iter().zip(300..) {
        assert_eq!(worker.run(id).await, Ok(id));
    }
    drop(workers);
    let worker = pair.worker_for(&pair.other_client());
    assert_eq!(worker.run(1_000).await, Ok(1_000));
    bystander.noticed_nothing().await;
}
