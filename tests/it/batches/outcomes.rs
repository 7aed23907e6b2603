//! Each call of a batch ends as it would by itself, in the order in which it was added.

use std::sync::Arc;

use pyroxene::transport::Network;
use pyroxene::wire::{Features, MessageType};
use pyroxene::{CallError, NotStarted, Proxy, args};
use serde::{Deserialize, Serialize};

use crate::support::pair::{Pair, client_over, poll_once};
use crate::support::relay::Relay;
use crate::support::worker::{Refused, Worker, WorkerProxy};

/// The worker by way of a relay, with a daemon that does not speak what is hidden.
async fn relayed(pair: &Pair, hidden: Features) -> (Arc<Relay>, WorkerProxy) {
    let relay = Relay::new(&pair.network, hidden);
    let client = client_over(&(Arc::clone(&relay) as Arc<dyn Network>));
    let worker = WorkerProxy::from(Proxy::<Worker>::connect_with(&client, pair.uri()).await.unwrap());
    relay.passed();
    (relay, worker)
}

#[actix::test]
async fn every_call_has_an_ending_of_its_own_wherever_the_object_is() {
    let pair = Pair::memory().await;
    let (_, older) = relayed(&pair, Features::BATCHES).await;
    for worker in [&pair.worker, &pair.here, &older] {
        let before = pair.journal.read().len();
        let batch = worker.proxy().batch();
        let batch = batch.add(worker.run(1)).add(worker.refuse(2)).add(worker.crash(3)).add(worker.runs());
        let (ran, refused, crashed, runs) = batch.send().await;
        assert_eq!(ran, Ok(1));
        assert_eq!(refused, Err(CallError::Raised(Refused { id: 2 })));
        let Err(CallError::Failed(fault)) = crashed else { panic!("{crashed:?}") };
        assert_eq!((fault.class.as_str(), fault.message.as_str()), ("Pyroxene.Panicked", "call 3 crashes"));
        assert_eq!(runs, Ok(0), "the call behind the panic has the new state");
        assert_eq!(pair.journal.read()[before..], [1, 2, 3]);
    }
}

#[actix::test]
async fn a_batch_is_one_frame_each_way() {
    let pair = Pair::memory().await;
    let (relay, worker) = relayed(&pair, Features::default()).await;
    let outcomes = worker.proxy().batch().add_all((0..300).map(|id| worker.run(id))).send().await;
    assert_eq!(outcomes, (0..300).map(Ok).collect::<Vec<_>>());
    let passed = relay.passed();
    assert_eq!((passed.out, passed.back), (vec![MessageType::Batch], vec![MessageType::Result]));
    assert_eq!(pair.journal.read(), (0..300).collect::<Vec<u64>>());
}

#[actix::test]
async fn a_peer_without_batches_gets_the_calls_one_by_one_in_their_order() {
    let pair = Pair::memory().await;
    let (relay, worker) = relayed(&pair, Features::BATCHES).await;
    let outcomes = worker.proxy().batch().add_all((0..50).map(|id| worker.run(id))).send().await;
    assert_eq!(outcomes, (0..50).map(Ok).collect::<Vec<_>>());
    assert_eq!(relay.passed().out, vec![MessageType::Invoke; 50]);
    worker.proxy().batch().add_all((50..60).map(|id| worker.run(id))).do_send();
    assert_eq!(worker.run(60).await, Ok(60));
    assert_eq!(pair.journal.read(), (0..=60).collect::<Vec<u64>>());
}

#[actix::test]
async fn a_batch_keeps_its_place_among_the_calls_of_its_proxy() {
    let pair = Pair::memory().await;
    let lazy = pair.worker_for(&pair.other_client());
    for worker in [&pair.worker, &pair.here, &lazy] {
        let before = pair.journal.read().len();
        let mut first = worker.run(0);
        let mut batch = worker.proxy().batch().add(worker.run(1)).add(worker.run(2)).send();
        let mut last = worker.run(3);
        assert!(poll_once(&mut first).await.is_pending());
        assert!(poll_once(&mut batch).await.is_pending());
        worker.proxy().batch().add(worker.run(9)).add(worker.run(10)).do_send();
        assert!(poll_once(&mut last).await.is_pending());
        assert_eq!((first.await, batch.await, last.await), (Ok(0), (Ok(1), Ok(2)), Ok(3)));
        assert_eq!(pair.journal.read()[before..], [0, 1, 2, 9, 10, 3]);
    }
}

#[actix::test]
async fn a_batch_without_types_ends_in_values() {
    let pair = Pair::memory().await;
    let worker = pair.dynamic().await;
    let batch =
        worker.batch().add("run", args! { id: 7 }).add("refuse", args![8]).add("rum", args![9]).add("run", args!["x"]);
    let outcomes = batch.send().await;
    assert_eq!(outcomes[0], Ok(7_u64.into()));
    assert!(matches!(&outcomes[1], Err(CallError::Failed(fault)) if fault.class == "Refused"), "{outcomes:?}");
    let Err(CallError::NotStarted(NotStarted::NoSuchMethod { nearest, .. })) = &outcomes[2] else {
        panic!("{outcomes:?}")
    };
    assert_eq!(nearest.as_deref(), Some("run"));
    assert!(matches!(&outcomes[3], Err(CallError::NotStarted(NotStarted::WrongArguments { .. }))), "{outcomes:?}");
    assert_eq!(outcomes.len(), 4);
    assert!(worker.batch().send().await.is_empty());
    assert_eq!(pair.journal.read(), [7, 8]);
}

/// What a client built later knows of the worker.
#[derive(Serialize, Deserialize, actix::Message, pyroxene::RemoteMessage)]
#[rtype(result = "u64")]
struct Run {
    id: u32,
    note: Option<String>,
}

#[actix::test]
async fn messages_of_another_version_travel_with_the_names_of_their_fields() {
    let pair = Pair::memory().await;
    let worker = pair.worker.proxy().cast::<pyroxene::Any>();
    let batch = worker
        .batch()
        .add(Run { id: 1, note: None })
        .add(Run { id: 2, note: Some("more".into()) })
        .add(pair.worker.run(3));
    let (first, second, third) = batch.send().await;
    assert_eq!((first, third), (Ok(1), Ok(3)));
    let Err(CallError::NotStarted(NotStarted::WrongArguments { caller, .. })) = second else { panic!("{second:?}") };
    assert!(caller.is_some_and(|signature| signature.contains("note")), "both signatures are told");
    assert_eq!(pair.journal.read(), [1, 3]);
}

#[actix::test]
async fn a_call_of_another_object_is_not_sent_to_this_one() {
    let pair = Pair::memory().await;
    let other = WorkerProxy::from(pair.host("other", Worker::default).await);
    let (ours, theirs) = pair.worker.proxy().batch().add(pair.worker.run(1)).add(other.run(2)).send().await;
    for outcome in [ours, theirs] {
        assert!(matches!(outcome, Err(CallError::NotStarted(NotStarted::NotSent { .. }))), "{outcome:?}");
    }
    assert!(pair.journal.read().is_empty());
}

#[actix::test]
async fn a_oneway_batch_runs_in_order_and_answers_nothing() {
    let pair = Pair::memory().await;
    let (relay, worker) = relayed(&pair, Features::default()).await;
    worker.proxy().batch().add_all((0..20).map(|id| worker.refuse(id))).do_send();
    assert_eq!(worker.run(20).await, Ok(20));
    assert_eq!(pair.journal.read(), (0..=20).collect::<Vec<u64>>());
    let passed = relay.passed();
    assert_eq!((passed.out, passed.back), (vec![MessageType::Batch, MessageType::Invoke], vec![MessageType::Result]));
}
