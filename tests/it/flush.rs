//! What became of messages for whose end nobody waited.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::daemon::placement::Here;
use pyroxene::transport::Network;
use pyroxene::wire::{Features, MessageType};
use pyroxene::{CallError, Daemon, DaemonConfig, DynProxy, Oneways, Value, args};

use crate::support::flaky::Flaky;
use crate::support::pair::{Pair, Setup, brittle_client_over, client_over, poll_once, settle};
use crate::support::raw_peer::{RawPeer, SPOKEN, connect_speaking, invoke_oneway};
use crate::support::relay::Relay;
use crate::support::worker::{Worker, WorkerProxy};

fn executed(executed: u64) -> Oneways {
    Oneways { executed, ..Oneways::default() }
}

async fn flushed(worker: &WorkerProxy) -> Oneways {
    worker.proxy().flush().await.unwrap()
}

#[actix::test]
async fn it_waits_for_all_that_were_sent_and_counts_them() {
    let pair = Pair::memory().await;
    for worker in [&pair.worker, &pair.here] {
        assert_eq!(flushed(worker).await, Oneways::default());
        let before = pair.journal.read().len();
        for id in 0..100 {
            worker.note(id);
        }
        assert_eq!(flushed(worker).await, executed(100));
        assert_eq!(pair.journal.read().len(), before + 100, "they have run by then");
        worker.note(100);
        worker.clone().note(101);
        assert_eq!(flushed(worker).await, executed(102), "since the proxy was made, with its clones");
    }
}

#[actix::test]
async fn what_fails_and_what_does_not_run_is_told_apart() {
    let pair = Setup { mailbox: 8, ..Setup::memory() }.pair().await;
    // In this process, by its daemon's own client.
    let client = client_over(&pair.network);
    let config = DaemonConfig { placement: Some(Arc::new(Here)), ..DaemonConfig::default() };
    let daemon = Daemon::bind_with(config, client.clone(), &"127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (journal, gate) = (pair.journal.clone(), pair.gate.clone());
    let here = daemon.object("worker", move || Worker::new(&journal, &gate)).mailbox(8).spawn().await.unwrap();
    let here = (DynProxy::connect_with(&client, here.uri()).await.unwrap(), WorkerProxy::from(here));
    for (any, worker) in [(pair.dynamic().await, pair.here.clone()), here] {
        any.do_call("run", args! { id: 1 });
        any.do_call("refuse", args! { id: 2 });
        any.do_call("crash", args! { id: 3 });
        any.do_call("no_such", args! {});
        assert_eq!(any.flush().await, Ok(Oneways { executed: 1, failed: 2, dropped: 1, unknown: 0 }));
        let held = actix_rt::spawn(worker.hold(4));
        settle().await;
        // A connection has half of the queue, this process all of it.
        for id in 0..20 {
            any.do_call("note", args! { id: id });
        }
        settle().await;
        pair.gate.open(1);
        assert_eq!(held.await.unwrap(), Ok(4));
        let counts = any.flush().await.unwrap();
        assert_eq!((counts.failed, counts.executed + counts.dropped), (2, 22), "{counts:?}");
        assert!(counts.executed > 4 && counts.dropped > 11, "{counts:?}");
    }
}

#[actix::test]
async fn it_waits_no_longer_than_a_call_and_can_be_asked_again() {
    let pair = Pair::memory().await;
    let any = pair.dynamic().await;
    any.do_call("hold", args! { id: 1 });
    for _ in 0..3 {
        let late = any.flush().await;
        assert!(matches!(late, Err(CallError::Unknown(_) | CallError::NotStarted(_))), "{late:?}");
    }
    for _ in 0..40 {
        let mut given_up = Box::pin(any.flush());
        assert!(poll_once(&mut given_up).await.is_pending());
    }
    any.do_call("note", args! { id: 2 });
    pair.gate.open(1);
    assert_eq!(any.flush().await, Ok(executed(2)));
    assert_eq!(any.call("run", args! { id: 3 }).await, Ok(Value::from(3)), "the connection is as it was");
}

#[actix::test]
async fn what_was_on_a_lost_connection_is_unknown_and_what_was_resent_is_not() {
    let pair = Pair::memory().await;
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), []));
    let network = Arc::clone(&flaky) as Arc<dyn Network>;
    let (brittle, steady) = (pair.worker_for(&brittle_client_over(&network)), pair.worker_for(&client_over(&network)));
    for worker in [&brittle, &steady] {
        assert_eq!(worker.run(0).await, Ok(0));
        for id in 1..=5 {
            worker.note(id);
        }
    }
    flaky.reset_all();
    settle().await;
    for worker in [&brittle, &steady] {
        worker.note(6);
    }
    assert_eq!(flushed(&brittle).await, Oneways { executed: 1, unknown: 5, ..Oneways::default() });
    assert_eq!(flushed(&steady).await, executed(6));
}

#[actix::test]
async fn what_could_not_be_sent_over_a_lost_connection_is_counted_where_it_was_sent_then() {
    let pair = Pair::memory().await;
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), []));
    let worker = pair.worker_for(&brittle_client_over(&(Arc::clone(&flaky) as Arc<dyn Network>)));
    assert_eq!(worker.run(0).await, Ok(0));
    for id in 1..=4 {
        // The account is opened, or not, and the next one goes over another connection, whose accounts have the same numbers.
        flaky.reset_all();
        settle().await;
        worker.note(id);
        settle().await;
    }
    assert_eq!(flushed(&worker).await, Oneways { executed: 1, unknown: 3, ..Oneways::default() });
    assert_eq!(pair.journal.read(), [0, 1, 2, 3, 4]);
}

#[actix::test]
async fn what_nobody_takes_is_dropped() {
    let pair = Pair::memory().await;
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), []));
    let worker = pair.worker_for(&client_over(&(Arc::clone(&flaky) as Arc<dyn Network>)));
    flaky.refuse();
    worker.note(1);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(flushed(&worker).await, Oneways { dropped: 1, ..Oneways::default() });
}

#[actix::test]
async fn a_peer_that_does_not_count_says_nothing() {
    let pair = Pair::memory().await;
    let relay = Relay::new(&pair.network, Features::FLUSH);
    let worker = pair.worker_for(&client_over(&(Arc::clone(&relay) as Arc<dyn Network>)));
    assert_eq!(worker.run(1).await, Ok(1));
    worker.note(2);
    assert_eq!(flushed(&worker).await, Oneways { unknown: 1, ..Oneways::default() });
    assert!(!relay.passed().out.contains(&MessageType::Flush));
}

#[actix::test]
async fn numbers_of_peers_that_do_not_speak_of_it_mean_nothing() {
    let pair = Pair::memory().await;
    let mut peer = RawPeer::connect(&*pair.network, pair.daemon.endpoint()).await;
    peer.send(&connect_speaking("worker", SPOKEN.without(Features::FLUSH))).await;
    let places = peer.places().await;
    for number in 0..3_000 {
        peer.send(&invoke_oneway(number, places.of("note"), &1_u64)).await;
    }
    settle().await;
    assert_eq!(pair.journal.read().len(), 3_000);
}
