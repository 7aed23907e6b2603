//! Daemons that end: in order, late, or without a word.

use std::time::Duration;

use pyroxene::wire::{GoAway, MessageType};
use pyroxene::{CallError, NotStarted, SpawnError, Unknown};
use tokio::time::Instant;

use crate::support::pair::{Pair, Setup, settle};
use crate::support::raw_peer::invoke;
use crate::support::worker::Worker;

#[actix::test]
async fn running_and_waiting_calls_finish_and_new_ones_are_refused() {
    for setup in [Setup::memory(), Setup::tcp()] {
        let pair = setup.pair().await;
        for worker in [&pair.worker, &pair.here] {
            assert_eq!(worker.run(0).await, Ok(0));
        }
        let held = actix_rt::spawn(pair.worker.hold(1));
        tokio::time::sleep(Duration::from_millis(20)).await;
        let waiting = actix_rt::spawn(pair.worker.run(2));
        tokio::time::sleep(Duration::from_millis(20)).await;
        let daemon = pair.daemon.clone();
        let shutdown = actix_rt::spawn(async move { daemon.shutdown().await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        for worker in [&pair.worker, &pair.here] {
            let refused = worker.run(3).await;
            assert!(matches!(refused, Err(CallError::NotStarted(NotStarted::Draining { .. }))), "{refused:?}");
        }
        let refused = pair.worker_for(&pair.other_client()).run(4).await;
        assert!(matches!(refused, Err(CallError::NotStarted(_))), "{refused:?}");
        let refused = pair.daemon.supervise("late", Worker::default).await;
        assert!(matches!(refused, Err(SpawnError::Draining)));
        pair.gate.open(1);
        assert_eq!(held.await.unwrap(), Ok(1));
        assert_eq!(waiting.await.unwrap(), Ok(2));
        shutdown.await.unwrap();
        assert_eq!(pair.journal.read(), [0, 0, 1, 2]);
    }
}

#[actix::test]
async fn calls_that_do_not_finish_in_time_are_told_the_truth() {
    let pair = Setup { drain_ms: 500, ..Setup::memory() }.pair().await;
    let held = actix_rt::spawn(pair.worker.hold(1));
    settle().await;
    let waiting_here = actix_rt::spawn(pair.here.run(2));
    let waiting = actix_rt::spawn(pair.worker.run(3));
    settle().await;
    let start = Instant::now();
    pair.daemon.shutdown().await;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let held = held.await.unwrap();
    assert!(matches!(held, Err(CallError::Unknown(_))), "{held:?}");
    let waiting = waiting.await.unwrap();
    assert!(matches!(waiting, Err(CallError::NotStarted(_))), "{waiting:?}");
    let waiting_here = waiting_here.await.unwrap();
    assert!(matches!(waiting_here, Err(CallError::NotStarted(_))), "{waiting_here:?}");
    assert_eq!(pair.journal.read(), [1]);
}

#[actix::test]
async fn an_idle_daemon_ends_at_once() {
    let pair = Pair::memory().await;
    let start = Instant::now();
    pair.daemon.shutdown().await;
    assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
}

#[actix::test]
async fn every_connection_is_told_with_goaway() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    peer.send(&invoke(1, places.of("hold"), &1u64)).await;
    settle().await;
    let daemon = pair.daemon.clone();
    let shutdown = actix_rt::spawn(async move { daemon.shutdown().await });
    let away = peer.frame().await.unwrap();
    assert_eq!(away.header.kind, MessageType::GoAway);
    assert_eq!(GoAway::decode(&away.payload).unwrap().reason, "the daemon is ending");
    peer.send(&invoke(2, places.of("run"), &2u64)).await;
    assert_eq!(peer.fault().await.class, "Pyroxene.Draining");
    pair.gate.open(1);
    let reply = peer.frame().await.unwrap();
    assert_eq!((reply.header.kind, reply.header.seq), (MessageType::Result, 1));
    assert!(peer.frame().await.is_none(), "then the connection ends");
    shutdown.await.unwrap();
    assert_eq!(pair.journal.read(), [1]);
}

#[actix::test]
async fn a_daemon_that_is_dropped_tells_its_callers() {
    let pair = Pair::memory().await;
    let held = actix_rt::spawn(pair.worker.hold(1));
    settle().await;
    let waiting = actix_rt::spawn(pair.worker.run(2));
    settle().await;
    let Pair { daemon, worker, journal, gate, .. } = pair;
    drop(daemon);
    let waiting = waiting.await.unwrap();
    assert!(matches!(waiting, Err(CallError::NotStarted(_))), "{waiting:?}");
    let held = held.await.unwrap();
    assert!(
        matches!(held, Err(CallError::Unknown(Unknown::Aborted { .. } | Unknown::Disconnected { .. }))),
        "{held:?}"
    );
    let after = worker.run(3).await;
    assert!(matches!(after, Err(CallError::NotStarted(_))), "{after:?}");
    drop(gate);
    assert_eq!(journal.read(), [1]);
}

#[actix::test]
async fn shutting_down_twice_is_once() {
    let pair = Pair::memory().await;
    pair.daemon.shutdown().await;
    pair.daemon.shutdown().await;
    assert!(pair.worker.run(1).await.is_err());
}
