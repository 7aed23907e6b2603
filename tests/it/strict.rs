//! Strict proxies: each call waits for the end of the one before, whatever that is.

use std::sync::Arc;

use pyroxene::transport::Network;
use pyroxene::wire::{Features, MessageType};
use pyroxene::{CallError, NotStarted, Proxy, Unknown, args};

use crate::support::flaky::{Fault, Flaky, Plan};
use crate::support::pair::{Pair, client_over, hello_bytes, poll_once, seeded_client_over, settle};
use crate::support::relay::Relay;
use crate::support::worker::{Refused, Worker, WorkerProxy};

fn strict(worker: &WorkerProxy) -> WorkerProxy {
    WorkerProxy::from(worker.proxy().strict())
}

#[actix::test]
async fn a_call_is_not_sent_before_the_one_before_has_ended() {
    let pair = Pair::memory().await;
    let relay = Relay::new(&pair.network, Features::default());
    let client = client_over(&(Arc::clone(&relay) as Arc<dyn Network>));
    let far = Proxy::<Worker>::connect_with(&client, pair.uri()).await.unwrap();
    relay.passed();
    let far = WorkerProxy::from(far.strict());
    let held = actix_rt::spawn(far.hold(1));
    let waiting = actix_rt::spawn(far.clone().run(2));
    settle().await;
    assert_eq!(relay.passed().out, [MessageType::Invoke], "the second is not even sent");
    pair.gate.open(1);
    assert_eq!((held.await.unwrap(), waiting.await.unwrap()), (Ok(1), Ok(2)));
    assert_eq!(relay.passed().out, [MessageType::Invoke]);

    let here = strict(&pair.here);
    let held = actix_rt::spawn(here.hold(3));
    let waiting = actix_rt::spawn(here.clone().run(4));
    settle().await;
    assert_eq!(pair.here.proxy().is_local(), here.proxy().is_local());
    assert_eq!(pair.journal.read(), [1, 2, 3]);
    pair.gate.open(1);
    assert_eq!((held.await.unwrap(), waiting.await.unwrap()), (Ok(3), Ok(4)));
}

#[actix::test]
async fn other_proxies_to_the_object_do_not_wait() {
    let pair = Pair::memory().await;
    let strict = pair.dynamic().await.strict();
    let mut held = strict.call("hold", args![1]);
    assert!(poll_once(&mut held).await.is_pending());
    settle().await;
    let mut other = pair.worker.run(2);
    assert!(poll_once(&mut other).await.is_pending());
    settle().await;
    pair.gate.open(1);
    assert_eq!(other.await, Ok(2), "it waited in the object's queue, and for nobody's proxy");
    assert_eq!(held.await, Ok(1_u64.into()));
}

#[actix::test]
async fn a_call_that_fails_is_no_hindrance() {
    let pair = Pair::memory().await;
    for worker in [strict(&pair.worker), strict(&pair.here)] {
        let before = pair.journal.read().len();
        let (mut refused, mut crashed) = (worker.refuse(1), worker.crash(2));
        assert!(poll_once(&mut refused).await.is_pending() && poll_once(&mut crashed).await.is_pending());
        worker.note(3);
        let mut batch = worker.proxy().batch().add(worker.run(4)).add(worker.refuse(5)).send();
        assert!(poll_once(&mut batch).await.is_pending());
        let mut ran = worker.run(6);
        assert!(poll_once(&mut ran).await.is_pending());
        assert_eq!(refused.await, Err(CallError::Raised(Refused { id: 1 })));
        assert!(matches!(crashed.await, Err(CallError::Failed(_))));
        assert_eq!(batch.await, (Ok(4), Err(CallError::Raised(Refused { id: 5 }))));
        assert_eq!(ran.await, Ok(6));
        assert_eq!(pair.journal.read()[before..], [1, 2, 3, 4, 5, 6]);
    }
}

#[actix::test]
async fn the_time_that_a_call_waits_for_its_turn_is_its_own() {
    let pair = Pair::memory().await;
    let worker = strict(&pair.worker);
    let held = actix_rt::spawn(worker.hold(1));
    settle().await;
    let late = worker.run(2).timeout_ms(50).await;
    assert_eq!(
        late,
        Err(CallError::NotStarted(NotStarted::OutOfTime {
            method: "run".into(),
            waiting_for: Some("the calls before it".into())
        }))
    );
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(1));
    assert_eq!(worker.run(3).await, Ok(3));
    assert_eq!(pair.journal.read(), [1, 3]);
}

#[actix::test]
async fn a_call_that_is_given_up_gives_its_turn_away() {
    let pair = Pair::memory().await;
    for worker in [strict(&pair.worker), strict(&pair.here)] {
        let before = pair.journal.read().len();
        let held = actix_rt::spawn(worker.hold(1));
        settle().await;
        let mut waiting = worker.run(2);
        assert!(poll_once(&mut waiting).await.is_pending());
        let last = actix_rt::spawn(worker.run(3));
        settle().await;
        drop(waiting);
        held.abort();
        settle().await;
        pair.gate.open(1);
        assert_eq!(last.await.unwrap(), Ok(3));
        assert_eq!(pair.journal.read()[before..], [1, 3]);
    }
}

#[actix::test]
async fn the_end_is_known_before_the_next_begins_wherever_the_link_breaks() {
    let pair = Pair::memory().await;
    let hello = hello_bytes(&pair).await;
    // From the first byte of the first call to beyond the last one of the third.
    for at in hello + 1..hello + 140 {
        let before = pair.journal.read().len();
        let plan = Plan { out: Some((at, Fault::Break)), ..Plan::default() };
        let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
        let worker = strict(&pair.worker_for(&seeded_client_over(&(flaky as Arc<dyn Network>))));
        let calls: Vec<_> = (1..=3).map(|id| actix_rt::spawn(worker.run(id))).collect();
        let mut ran = Vec::new();
        for (id, call) in (1..).zip(calls) {
            match call.await.unwrap() {
                Ok(id) => ran.push(id),
                Err(CallError::Unknown(Unknown::Disconnected { .. }))
                    if pair.journal.read()[before..].contains(&id) =>
                {
                    ran.push(id);
                }
                Err(CallError::Unknown(Unknown::Disconnected { .. })) => {}
                Err(error) => panic!("broken at {at}: {error}"),
            }
        }
        assert_eq!(pair.journal.read()[before..], ran, "broken at {at}");
        assert!(ran.len() >= 2, "broken at {at}: only {ran:?}");
    }
}
