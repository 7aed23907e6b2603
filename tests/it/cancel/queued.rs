//! A call that is given up before it began is never run, and what it held is free at once.

use std::sync::Arc;

use pyroxene::transport::Network;
use pyroxene::wire::MessageType;
use pyroxene::{CallError, DynProxy, NotStarted, args};

use crate::support::flaky::{Fault, Flaky, Plan};
use crate::support::pair::{Pair, Setup, brittle_client_over, poll_once, settle};
use crate::support::raw_peer::{frame, invoke};

fn cancel(seq: u16) -> Vec<u8> {
    frame(MessageType::Cancel, seq, |_| {})
}

/// What the worker's queue holds.
async fn waiting(pair: &Pair) -> usize {
    settle().await;
    let root = DynProxy::connect_with(&pair.client, format!("PYRO://{}/Pyro.Daemon", pair.daemon.endpoint()).as_str());
    let told = root.await.unwrap().call("describe", args! { object: "worker" }).await.unwrap();
    let text = format!("{told:?}");
    let at = text.find("\"waiting\"").unwrap();
    let digits = text[at..].chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit);
    digits.collect::<String>().parse().unwrap()
}

#[actix::test]
async fn a_call_that_is_dropped_in_the_queue_is_not_run() {
    let pair = Pair::memory().await;
    for worker in [&pair.worker, &pair.here] {
        let held = actix_rt::spawn(worker.hold(1));
        settle().await;
        let dropped = actix_rt::spawn(worker.run(2));
        settle().await;
        assert_eq!(waiting(&pair).await, 1);
        dropped.abort();
        assert_eq!(waiting(&pair).await, 0, "it has left the queue while the object is still busy");
        pair.gate.open(1);
        assert_eq!(held.await.unwrap(), Ok(1));
        assert_eq!(worker.run(3).await, Ok(3));
    }
    assert_eq!(pair.journal.read(), [1, 3, 1, 3]);
}

#[actix::test]
async fn a_call_that_is_dropped_while_it_runs_goes_on() {
    let pair = Pair::memory().await;
    let mut dropped = Box::pin(pair.worker.hold(1));
    assert!(poll_once(&mut dropped).await.is_pending());
    settle().await;
    drop(dropped);
    pair.gate.open(1);
    assert_eq!(pair.worker.runs().await, Ok(1));
    assert_eq!(pair.journal.read(), [1]);
}

#[actix::test]
async fn a_call_is_dropped_before_it_is_sent() {
    let pair = Pair::memory().await;
    let held = actix_rt::spawn(pair.worker.hold(1));
    settle().await;
    // Both frames leave together.
    let mut dropped = Box::pin(pair.worker.run(2));
    assert!(poll_once(&mut dropped).await.is_pending());
    drop(dropped);
    let next = actix_rt::spawn(pair.worker.run(3));
    settle().await;
    pair.gate.open(1);
    assert_eq!((held.await.unwrap(), next.await.unwrap()), (Ok(1), Ok(3)));
    assert_eq!(pair.journal.read(), [1, 3]);
}

#[actix::test]
async fn the_daemon_says_that_a_call_given_up_in_the_queue_did_not_run() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    peer.send(&invoke(1, places.of("hold"), &1u64)).await;
    peer.send(&invoke(2, places.of("run"), &2u64)).await;
    settle().await;
    peer.send(&cancel(2)).await;
    assert_eq!(peer.fault().await.class, "Pyroxene.Cancelled");
    // Its number is free again.
    peer.send(&invoke(2, places.of("run"), &3u64)).await;
    settle().await;
    pair.gate.open(1);
    assert_eq!(peer.frame().await.unwrap().header.seq, 1);
    assert_eq!(peer.frame().await.unwrap().header.seq, 2);
    assert_eq!(pair.journal.read(), [1, 3]);
}

#[actix::test]
async fn a_call_with_the_number_of_one_that_was_given_up_too_late_is_run() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    for round in 0..3u64 {
        peer.send(&invoke(0, places.of("run"), &round)).await;
        peer.frame().await.unwrap();
        // It crossed the reply.
        peer.send(&cancel(0)).await;
    }
    assert_eq!(pair.journal.read(), [0, 1, 2]);
}

#[actix::test]
async fn places_of_calls_that_were_given_up_are_free_at_once() {
    let pair = Setup { mailbox: 8, ..Setup::memory() }.pair().await;
    let held = actix_rt::spawn(pair.worker.hold(1));
    settle().await;
    for round in 0..50 {
        // Four are this connection's half of the queue.
        let calls: Vec<_> = (0..4).map(|_| actix_rt::spawn(pair.worker.run(2))).collect();
        settle().await;
        assert!(calls.iter().all(|call| !call.is_finished()), "round {round}");
        assert!(matches!(pair.worker.run(2).await, Err(CallError::NotStarted(NotStarted::Busy { .. }))));
        calls.iter().for_each(|call| call.abort());
        settle().await;
    }
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(1));
    assert_eq!(pair.worker.run(3).await, Ok(3));
    assert_eq!(pair.journal.read(), [1, 3]);
}

#[actix::test]
async fn those_behind_a_call_that_was_given_up_keep_their_order() {
    let pair = Pair::memory().await;
    let held = actix_rt::spawn(pair.worker.hold(0));
    settle().await;
    let calls: Vec<_> = (1..40).map(|id| (id, actix_rt::spawn(pair.worker.run(id)))).collect();
    settle().await;
    calls.iter().filter(|(id, _)| id % 3 == 0).for_each(|(_, call)| call.abort());
    settle().await;
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(0));
    for (id, call) in calls.into_iter().filter(|(id, _)| id % 3 != 0) {
        assert_eq!(call.await.unwrap(), Ok(id));
    }
    let expected: Vec<u64> = (0..40).filter(|id| *id == 0 || id % 3 != 0).collect();
    assert_eq!(pair.journal.read(), expected);
}

#[actix::test]
async fn with_its_connection_a_caller_has_given_up_what_waits_but_not_its_oneways() {
    let pair = Pair::memory().await;
    let held = actix_rt::spawn(pair.here.hold(1));
    settle().await;
    let (mut peer, places) = pair.raw().await;
    peer.send(&invoke(1, places.of("run"), &2u64)).await;
    let mut oneway = invoke(0, places.of("note"), &3u64);
    oneway[9] |= 0x04;
    peer.send(&oneway).await;
    assert_eq!(waiting(&pair).await, 2);
    drop(peer);
    assert_eq!(waiting(&pair).await, 1);
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(1));
    assert_eq!(pair.here.run(4).await, Ok(4));
    assert_eq!(pair.journal.read(), [1, 3, 4]);
}

#[actix::test]
async fn a_connection_that_breaks_has_given_up_what_waits() {
    let pair = Pair::memory().await;
    let held = actix_rt::spawn(pair.here.hold(1));
    settle().await;
    let sent = crate::support::pair::hello_bytes(&pair).await;
    let plan = Plan { out: Some((sent + 500, Fault::Break)), ..Plan::default() };
    let network: Arc<dyn Network> = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
    let worker = pair.worker_for(&brittle_client_over(&network));
    let calls: Vec<_> = (2..40).map(|_| actix_rt::spawn(worker.run(2).timeout_ms(1_000))).collect();
    let mut unknown = 0;
    for call in calls {
        unknown += usize::from(matches!(call.await.unwrap(), Err(CallError::Unknown(_))));
    }
    assert!(unknown > 0, "some were on their way");
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(1));
    assert_eq!(pair.here.run(3).await, Ok(3));
    assert_eq!(pair.journal.read(), [1, 3]);
}

#[actix::test]
async fn who_gives_up_more_calls_than_it_made_breaks_the_protocol() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    // Of unknown numbers a few are nothing.
    for seq in 0..10 {
        peer.send(&cancel(seq * 1_000)).await;
    }
    peer.send(&invoke(1, places.of("run"), &1u64)).await;
    assert_eq!(peer.frame().await.unwrap().header.seq, 1);
    for seq in 0..20 {
        peer.send(&cancel(seq)).await;
    }
    assert!(peer.until_closed().await.is_none());
    assert_eq!(pair.worker.run(2).await, Ok(2), "nobody else notices");
}

#[actix::test]
async fn a_daemon_drains_when_calls_were_given_up() {
    let pair = Pair::memory().await;
    let held = actix_rt::spawn(pair.worker.hold(1));
    settle().await;
    let dropped: Vec<_> = (0..10).map(|_| actix_rt::spawn(pair.worker.run(2))).collect();
    settle().await;
    dropped.iter().for_each(|call| call.abort());
    settle().await;
    pair.gate.open(1);
    let start = tokio::time::Instant::now();
    pair.daemon.shutdown().await;
    assert!(start.elapsed().as_secs() < 1, "every call has its answer");
    assert_eq!(held.await.unwrap(), Ok(1));
    assert_eq!(pair.journal.read(), [1]);
}
