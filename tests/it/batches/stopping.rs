//! Batches that stop at the first fault, that are out of time, that are given up.

use pyroxene::wire::Features;
use pyroxene::{CallError, NotStarted, Unknown};

use crate::support::pair::{Pair, client_over, poll_once, settle};
use crate::support::relay::Relay;
use crate::support::worker::{Refused, WorkerProxy};

const SKIPPED: CallError = CallError::NotStarted(NotStarted::Skipped);

/// The worker over a connection, in this process, and behind a daemon that speaks no batches.
async fn everywhere(pair: &Pair) -> [WorkerProxy; 3] {
    let older = Relay::new(&pair.network, Features::BATCHES);
    [pair.worker.clone(), pair.here.clone(), pair.worker_for(&client_over(&(older as _)))]
}

#[actix::test]
async fn nothing_begins_after_the_first_fault() {
    let pair = Pair::memory().await;
    for worker in everywhere(&pair).await {
        let before = pair.journal.read().len();
        let batch = worker.proxy().batch().stop_at_fault();
        let batch = batch.add(worker.run(1)).add(worker.refuse(2)).add(worker.run(3)).add(worker.refuse(4));
        let (ran, refused, third, fourth) = batch.send().await;
        assert_eq!((ran, refused), (Ok(1), Err(CallError::Raised(Refused { id: 2 }))));
        assert_eq!(third, Err(SKIPPED));
        assert!(matches!(fourth, Err(CallError::NotStarted(NotStarted::Skipped))), "{fourth:?}");
        let (crashed, behind) =
            worker.proxy().batch().add(worker.crash(5)).add(worker.run(6)).stop_at_fault().send().await;
        assert!(matches!(crashed, Err(CallError::Failed(_))), "{crashed:?}");
        assert_eq!(behind, Err(SKIPPED));
        assert_eq!(worker.run(7).await, Ok(7), "calls that are not of the batch run as ever");
        assert_eq!(pair.journal.read()[before..], [1, 2, 5, 7]);
    }
}

#[actix::test]
async fn a_oneway_batch_stops_as_well() {
    let pair = Pair::memory().await;
    for worker in everywhere(&pair).await {
        assert_eq!(worker.run(0).await, Ok(0));
        let before = pair.journal.read().len();
        worker.proxy().batch().stop_at_fault().add(worker.run(1)).add(worker.refuse(2)).add(worker.run(3)).do_send();
        settle().await;
        assert_eq!(pair.journal.read()[before..], [1, 2]);
    }
}

#[actix::test]
async fn a_handler_that_takes_its_time_is_waited_for() {
    let pair = Pair::memory().await;
    for worker in everywhere(&pair).await {
        let before = pair.journal.read().len();
        let batch = worker.proxy().batch().stop_at_fault().add(worker.hold(1)).add(worker.refuse(2)).add(worker.run(3));
        let batch = actix_rt::spawn(batch.send());
        settle().await;
        assert_eq!(pair.journal.read()[before..], [1]);
        pair.gate.open(1);
        let (held, refused, skipped) = batch.await.unwrap();
        assert_eq!((held, refused, skipped), (Ok(1), Err(CallError::Raised(Refused { id: 2 })), Err(SKIPPED)));
        assert_eq!(pair.journal.read()[before..], [1, 2]);
    }
}

#[actix::test]
async fn what_waits_when_the_time_of_the_batch_is_over_does_not_run() {
    let pair = Pair::memory().await;
    for worker in [&pair.worker, &pair.here] {
        let before = pair.journal.read().len();
        let batch = worker.proxy().batch().add(worker.hold(1)).add(worker.run(2)).timeout_ms(50);
        let (held, waiting) = batch.send().await;
        for (outcome, method) in [(held, "hold"), (waiting, "run")] {
            let late = Unknown::OutOfTime { method: method.into(), timeout_ms: 50 };
            assert_eq!(outcome, Err(CallError::Unknown(late)));
        }
        pair.gate.open(1);
        assert_eq!(worker.run(3).await, Ok(3));
        assert_eq!(pair.journal.read()[before..], [1, 3]);
    }
}

#[actix::test]
async fn a_batch_that_is_given_up_does_not_run_what_waits() {
    let pair = Pair::memory().await;
    for worker in [&pair.worker, &pair.here] {
        let before = pair.journal.read().len();
        let mut batch = worker.proxy().batch().add(worker.hold(1)).add(worker.run(2)).add(worker.run(3)).send();
        assert!(poll_once(&mut batch).await.is_pending());
        settle().await;
        drop(batch);
        settle().await;
        pair.gate.open(1);
        assert_eq!(worker.run(4).await, Ok(4));
        assert_eq!(pair.journal.read()[before..], [1, 4]);
    }
}
