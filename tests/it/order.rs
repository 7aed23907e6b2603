//! Calls and oneways of one proxy and its clones start in the order in which they were made: gaps, never reordering.

use std::sync::Arc;

use pyroxene::transport::Network;
use pyroxene::{CallError, NotStarted};

use crate::support::flaky::{Fault, Flaky, Plan};
use crate::support::memory::MemoryNetwork;
use crate::support::pair::{Pair, Setup, client_over, hello_bytes, poll_once, seeded_client_over, settle};
use crate::support::worker::WorkerProxy;

/// Makes calls, oneways between them, through a proxy and a clone of it; waits for none. Each call is then awaited by a task of its own.
async fn make(worker: &WorkerProxy, ids: std::ops::Range<u64>) -> Vec<actix_rt::task::JoinHandle<bool>> {
    let clone = worker.clone();
    let mut tasks = Vec::new();
    for id in ids {
        let by = if id % 2 == 0 { worker } else { &clone };
        if id % 3 == 0 {
            by.note(id);
        } else {
            let mut call = Box::pin(by.run(id).timeout_ms(5_000));
            assert!(poll_once(&mut call).await.is_pending());
            tasks.push(actix_rt::spawn(async move { call.await.is_ok() }));
        }
    }
    tasks
}

async fn all_end_well(tasks: Vec<actix_rt::task::JoinHandle<bool>>) {
    for task in tasks {
        assert!(task.await.unwrap());
    }
}

#[actix::test]
async fn calls_and_oneways_start_in_the_order_they_were_made() {
    for setup in [Setup::tcp(), Setup::memory()] {
        let pair = setup.pair().await;
        for worker in [&pair.worker, &pair.here] {
            all_end_well(make(worker, 0..300).await).await;
        }
        let twice: Vec<u64> = (0..300).chain(0..300).collect();
        assert_eq!(pair.journal.read(), twice);
    }
}

#[actix::test]
async fn the_order_holds_while_the_proxy_connects() {
    let pair = Pair::memory().await;
    let worker = pair.worker_for(&pair.other_client());
    all_end_well(make(&worker, 0..100).await).await;
    assert_eq!(pair.journal.read(), (0..100).collect::<Vec<u64>>());
}

#[actix::test]
async fn the_order_holds_when_bytes_come_in_crumbs() {
    let pair = Pair::memory().await;
    let crumbs = Plan { crumbs: Some(1), ..Plan::default() };
    let network: Arc<dyn Network> = Arc::new(Flaky::new(Arc::clone(&pair.network), [crumbs]));
    let worker = pair.worker_for(&client_over(&network));
    all_end_well(make(&worker, 0..100).await).await;
    assert_eq!(pair.journal.read(), (0..100).collect::<Vec<u64>>());
}

#[actix::test]
async fn the_order_holds_over_a_reconnect_wherever_the_link_breaks() {
    tokio::time::pause();
    let (before, after) = broken_at(None).await;
    for at in (before + 1..after).step_by(7) {
        broken_at(Some(at)).await;
    }
}

/// A conversation whose link breaks after so many bytes. Returns how many bytes were sent until calls were made in a row, and after.
async fn broken_at(at: Option<u64>) -> (u64, u64) {
    let pair = Setup::over(Arc::new(MemoryNetwork::default())).pair().await;
    let plan = Plan { out: at.map(|at| (at, Fault::Break)), ..Plan::default() };
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
    let traffic = Arc::clone(&flaky.traffic);
    let worker = pair.worker_for(&seeded_client_over(&(flaky as Arc<dyn Network>)));
    // Afterwards the places of calls in flight are given out in another order than that of the calls.
    all_end_well(make(&worker, 0..20).await).await;
    let before = traffic.out();
    let first = make(&worker, 20..40).await;
    settle().await;
    let second = make(&worker, 40..50).await;
    for task in first.into_iter().chain(second) {
        task.await.unwrap();
    }
    let ran = pair.journal.read();
    assert!(ran.is_sorted_by(|earlier, later| earlier < later), "broken at {at:?}: {ran:?}");
    assert!(ran.len() >= 30, "broken at {at:?}: only {ran:?}");
    (before, traffic.out())
}

#[actix::test]
async fn a_call_that_could_not_be_sent_does_not_overtake_one_that_was_made_later() {
    let pair = Pair::memory().await;
    let hello = hello_bytes(&pair).await;
    // The first byte of a call passes, no more.
    let plan = Plan { out: Some((hello + 1, Fault::Break)), ..Plan::default() };
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
    let worker = pair.worker_for(&seeded_client_over(&(flaky as Arc<dyn Network>)));
    let mut first = Box::pin(worker.run(1));
    let mut second = Box::pin(worker.run(2));
    assert!(poll_once(&mut first).await.is_pending());
    settle().await;
    assert!(poll_once(&mut first).await.is_pending());
    assert!(poll_once(&mut second).await.is_pending());
    settle().await;
    assert_eq!(second.await, Ok(2), "it was not sent either, and nothing that came later was");
    let error = first.await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(NotStarted::Unreachable { .. })), "{error:?}");
    assert!(error.to_string().contains("a later call"), "{error}");
    assert_eq!(pair.journal.read(), [2]);
}
