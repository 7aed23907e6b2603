//! Calls that were told to try again.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::client::client::ClientConfig;
use pyroxene::{CallError, DynProxy, NotStarted, Proxy, Unknown, args};
use tokio::time::Instant;

use crate::support::broken::{loses_replies, over};
use crate::support::flaky::{Fault, Plan};
use crate::support::pair::{Pair, Setup, client_with, settle};
use crate::support::worker::{Worker, WorkerProxy};

fn is_busy<T, E>(ended: &Result<T, CallError<E>>) -> bool {
    matches!(ended, Err(CallError::NotStarted(NotStarted::Busy { .. })))
}

#[actix::test]
async fn a_full_queue_is_tried_again_until_there_is_room() {
    let pair = Setup { mailbox: 8, ..Setup::memory() }.pair().await;
    for worker in [&pair.worker, &pair.here] {
        let held = actix_rt::spawn(worker.hold(0));
        settle().await;
        let calls: Vec<_> = (1..=30).map(|id| actix_rt::spawn(worker.retrying().run(id))).collect();
        let refused = actix_rt::spawn(worker.run(99));
        settle().await;
        assert!(is_busy(&refused.await.unwrap()), "who was not told so hears of it at once");
        tokio::time::sleep(Duration::from_secs(3)).await;
        pair.gate.open(1);
        assert_eq!(held.await.unwrap(), Ok(0));
        for (id, call) in (1..).zip(calls) {
            assert_eq!(call.await.unwrap(), Ok(id));
        }
        assert_eq!(pair.journal.count(99), 0);
    }
    assert!((1..=30).all(|id| pair.journal.count(id) == 2), "once here and once there");
}

#[actix::test]
async fn calls_by_name_are_tried_again_as_well() {
    let pair = Setup { mailbox: 2, ..Setup::memory() }.pair().await;
    let there = DynProxy::connect_with(&pair.client, pair.uri()).await.unwrap();
    let held = actix_rt::spawn(pair.here.hold(0));
    settle().await;
    let call = |id: u64| there.call("run", args![id]).retry();
    let calls: Vec<_> = (1..=5).map(|id| actix_rt::spawn(call(id))).collect();
    settle().await;
    pair.gate.open(1);
    held.await.unwrap().unwrap();
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
}

#[actix::test]
async fn a_call_in_vain_ends_in_time_and_says_what_came_of_its_attempts() {
    let pair = Setup { mailbox: 2, ..Setup::memory() }.pair().await;
    let _held = actix_rt::spawn(pair.here.hold(0));
    settle().await;
    let _waits = actix_rt::spawn(pair.worker.run(1));
    settle().await;
    let start = Instant::now();
    let error = pair.worker.run(2).retry().timeout_ms(1_000).await.unwrap_err();
    assert!(start.elapsed() < Duration::from_millis(1_000), "{:?}", start.elapsed());
    let CallError::NotStarted(why) = &error else { panic!("{error:?}") };
    assert!(matches!(why.last(), NotStarted::Busy { .. }), "{why:?}");
    let attempts = error.attempts();
    assert!((4..=40).contains(&attempts), "{attempts} attempts");
    let report = pyroxene::report(&error);
    let busy = "this connection's half of the mailbox of worker is full; try again in 10 ms";
    let expected = format!(
        "did not run: {busy}; it was tried {attempts} times\n  before, {} times: did not run: {busy}\n",
        attempts - 1
    );
    assert_eq!(report, expected);
    assert_eq!(pair.journal.count(2), 0);
}

#[actix::test]
async fn no_attempt_is_made_when_there_is_no_time_left_for_it() {
    let pair = Setup { mailbox: 2, ..Setup::memory() }.pair().await;
    let _held = actix_rt::spawn(pair.here.hold(0).timeout_ms(3_600_000));
    settle().await;
    let _fill = [1, 2].map(|id| actix_rt::spawn(pair.here.run(id).timeout_ms(3_600_000)));
    settle().await;
    // Pauses differ by chance; with some of these seeds one ends within the call's last millisecond.
    for seed in 0..500 {
        let network = Arc::clone(&pair.network);
        let client = client_with(ClientConfig { network, seed: Some(seed), ..ClientConfig::default() });
        let worker = WorkerProxy::from(Proxy::<Worker>::connect_with(&client, pair.uri()).await.unwrap());
        let start = Instant::now();
        let error = worker.run(2).retry().timeout_ms(300).await.unwrap_err();
        assert!(start.elapsed() < Duration::from_millis(300), "{seed}: {:?}", start.elapsed());
        assert!(error.attempts() > 1, "{seed}: {error:?}");
    }
}

#[actix::test]
async fn pauses_differ_by_chance_and_not_between_runs() {
    let pair = Setup { mailbox: 2, ..Setup::memory() }.pair().await;
    let _held = actix_rt::spawn(pair.here.hold(0));
    settle().await;
    let _fill = [1, 2].map(|id| actix_rt::spawn(pair.here.run(id)));
    settle().await;
    let mut ends = Vec::new();
    for seed in [1, 2, 1] {
        let network = Arc::clone(&pair.network);
        let client = client_with(ClientConfig { network, seed: Some(seed), ..ClientConfig::default() });
        let start = Instant::now();
        pair.worker_for(&client).run(3).retry().timeout_ms(5_000).await.unwrap_err();
        ends.push(start.elapsed());
    }
    assert_eq!(ends[0], ends[2]);
    assert_ne!(ends[0], ends[1]);
}

#[actix::test]
async fn a_call_whose_reply_was_lost_is_tried_again_only_if_twice_is_as_good_as_once() {
    let pair = Pair::memory().await;
    let worker = pair.worker_for(&loses_replies(&pair, 1).await);
    assert_eq!(worker.look(1).retry().await, Ok(1));
    assert_eq!(pair.journal.count(1), 2);
    let worker = pair.worker_for(&loses_replies(&pair, 1).await);
    let error = worker.run(2).retry().await.unwrap_err();
    assert!(matches!(error, CallError::Unknown(Unknown::Disconnected { .. })), "{error:?}");
    assert_eq!(pair.journal.count(2), 1);
    let worker = pair.worker_for(&loses_replies(&pair, 1).await);
    let error = worker.look(3).await.unwrap_err();
    assert!(matches!(error, CallError::Unknown(Unknown::Disconnected { .. })), "nobody told it: {error:?}");
    assert_eq!(pair.journal.count(3), 1);
}

#[actix::test]
async fn a_call_that_may_have_run_once_is_never_said_to_have_not() {
    let pair = Pair::memory().await;
    let worker = pair.worker_for(&loses_replies(&pair, 1).await);
    let call = actix_rt::spawn(worker.look(1).retry().timeout_ms(2_000));
    settle().await;
    pair.daemon.shutdown().await;
    let error = call.await.unwrap().unwrap_err();
    assert!(error.may_have_run(), "{error:?}");
    let CallError::Unknown(why) = &error else { panic!("{error:?}") };
    assert!(matches!(why.last(), Unknown::Disconnected { .. }), "{why:?}");
    let report = pyroxene::report(&error);
    assert!(report.contains("  before: may have run: ") && report.contains("did not run: "), "{report}");
    assert_eq!(pair.journal.count(1), 1);
}

#[actix::test]
async fn a_request_that_was_lost_on_its_way_out_is_sent_again() {
    let pair = Pair::memory().await;
    let plan = Plan { out: Some((0, Fault::Break)), ..Plan::default() };
    let (client, flaky) = over(&pair, &[plan; 6]).await;
    // More often than a call that was not told so would try.
    assert_eq!(pair.worker_for(&client).look(1).retry().await, Ok(1));
    assert_eq!(flaky.attempts(), 7);
    assert_eq!(pair.journal.count(1), 1);
}

#[actix::test]
async fn what_ran_is_not_tried_again() {
    let pair = Pair::memory().await;
    for worker in [&pair.worker, &pair.here] {
        assert!(matches!(worker.refuse(1).retry().await, Err(CallError::Raised(_))));
        assert!(matches!(worker.crash(2).retry().await, Err(CallError::Failed(_))));
    }
    assert_eq!((pair.journal.count(1), pair.journal.count(2)), (2, 2));
}

#[actix::test]
async fn a_daemon_that_is_replaced_is_waited_for() {
    let pair = Pair::memory().await;
    let uri = format!("PYROLOC://{}/worker", pair.daemon.endpoint());
    let worker = WorkerProxy::from(Proxy::<Worker>::connect_with(&pair.client, uri).await.unwrap()).retrying();
    assert_eq!(worker.run(1).await, Ok(1));
    pair.daemon.shutdown().await;
    let call = actix_rt::spawn(worker.run(2));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let setup = Setup::over(Arc::clone(&pair.network));
    let daemon = Setup { endpoint: pair.daemon.endpoint().clone(), ..setup }.daemon().await;
    // For a while it does not have the object yet.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (journal, gate) = (pair.journal.clone(), pair.gate.clone());
    daemon.supervise("worker", move || Worker::new(&journal, &gate)).await.unwrap();
    assert_eq!(call.await.unwrap(), Ok(2));
    assert_eq!(pair.journal.read(), [1, 2]);
}

#[actix::test]
async fn a_mistake_is_not_tried_again() {
    let pair = Pair::memory().await;
    let there = DynProxy::connect_with(&pair.client, pair.uri()).await.unwrap();
    let start = Instant::now();
    let error = there.call("rum", args![1]).retry().await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(NotStarted::NoSuchMethod { .. })), "{error:?}");
    assert_eq!(start.elapsed(), Duration::ZERO);
}
