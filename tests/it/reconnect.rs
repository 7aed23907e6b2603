//! Daemons that go and come back.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::transport::Network;
use pyroxene::{CallError, Daemon, NotStarted, Proxy};
use tokio::time::Instant;

use crate::support::flaky::Flaky;
use crate::support::memory::MemoryNetwork;
use crate::support::pair::{Pair, Setup, client_over};
use crate::support::worker::{Gate, Journal, Worker, WorkerProxy};

/// A daemon in the place of one that has ended.
async fn successor(pair: &Pair) -> Daemon {
    let setup = Setup::over(Arc::clone(&pair.network));
    Setup { endpoint: pair.daemon.endpoint().clone(), ..setup }.daemon().await
}

async fn replaced(setup: Setup) {
    let pair = setup.pair().await;
    assert_eq!(pair.worker.run(1).await, Ok(1));
    pair.daemon.shutdown().await;
    let error = pair.worker.run(2).await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(_)), "{error:?}");
    let daemon = successor(&pair).await;
    let (journal, gate) = (pair.journal.clone(), pair.gate.clone());
    daemon.object("worker", move || Worker::new(&journal, &gate)).id("worker").spawn().await.unwrap();
    assert_eq!(pair.worker.run(3).await, Ok(3), "the same proxy goes on");
    assert_eq!(pair.journal.read(), [1, 3]);
}

#[actix::test]
async fn a_chosen_id_outlives_its_daemon() {
    replaced(Setup::tcp()).await;
    replaced(Setup::memory()).await;
}

#[actix::test]
async fn the_address_of_a_daemon_that_has_ended_is_free() {
    for setup in [Setup::memory(), Setup::tcp()] {
        let daemon = setup.daemon().await;
        let endpoint = daemon.endpoint().clone();
        let again = Setup { endpoint, ..setup };
        daemon.shutdown().await;
        for _ in 0..3 {
            again.daemon().await.shutdown().await;
        }
    }
}

#[actix::test]
async fn a_proxy_to_an_earlier_incarnation_never_reaches_another_object() {
    let pair = Pair::memory().await;
    let old = WorkerProxy::from(pair.host("old", Worker::default).await);
    assert_eq!(old.run(1).await, Ok(1));
    pair.daemon.shutdown().await;
    let daemon = successor(&pair).await;
    let (journal, gate) = (Journal::default(), Gate::default());
    let new = {
        let journal = journal.clone();
        daemon.supervise("old", move || Worker::new(&journal, &gate)).await.unwrap()
    };
    assert_ne!(new.uri(), old.proxy().uri(), "its id is another one");
    let error = old.run(2).await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(NotStarted::StaleReference { .. })), "{error:?}");
    assert_eq!(journal.read(), [0; 0]);
}

#[actix::test]
async fn a_proxy_by_name_finds_the_new_incarnation() {
    let pair = Pair::memory().await;
    let uri = format!("PYROLOC://{}/worker", pair.daemon.endpoint());
    let worker = WorkerProxy::from(Proxy::<Worker>::connect_with(&pair.client, uri).await.unwrap());
    assert_eq!(worker.run(1).await, Ok(1));
    pair.daemon.shutdown().await;
    let daemon = successor(&pair).await;
    let (journal, gate) = (pair.journal.clone(), pair.gate.clone());
    daemon.supervise("worker", move || Worker::new(&journal, &gate)).await.unwrap();
    assert_eq!(worker.run(2).await, Ok(2));
    assert_eq!(pair.journal.read(), [1, 2]);
}

#[actix::test]
async fn waiting_for_a_daemon_that_is_not_there_yet_makes_start_order_irrelevant() {
    tokio::time::pause();
    let network: Arc<dyn Network> = Arc::new(MemoryNetwork::default());
    let client = client_over(&network);
    let connecting = actix_rt::spawn(async move {
        Proxy::<Worker>::connect_with(&client, "PYROLOC://127.0.0.1:77/worker").wait_secs(30).await
    });
    tokio::time::sleep(Duration::from_secs(10)).await;
    let endpoint = "127.0.0.1:77".parse().unwrap();
    let daemon = Setup { endpoint, ..Setup::over(network) }.daemon().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    daemon.supervise("worker", Worker::default).await.unwrap();
    let worker = WorkerProxy::from(connecting.await.unwrap().unwrap());
    assert_eq!(worker.run(1).await, Ok(1));
}

#[actix::test]
async fn waiting_ends_when_its_time_is_over() {
    tokio::time::pause();
    let network: Arc<dyn Network> = Arc::new(MemoryNetwork::default());
    let start = Instant::now();
    let uri = "PYROLOC://127.0.0.1:77/worker";
    let error = Proxy::<Worker>::connect_with(&client_over(&network), uri).wait_secs(3).await.unwrap_err();
    assert!(matches!(error.why, NotStarted::Unreachable { .. }), "{error:?}");
    // The last attempt may have begun just in time, and waited for its pause.
    assert!((3..=5).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[actix::test]
async fn a_daemon_that_is_away_is_not_hammered() {
    let pair = Pair::memory().await;
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), []));
    let network = Arc::clone(&flaky) as Arc<dyn Network>;
    let client = client_over(&network);
    let worker = pair.worker_for(&client);
    pair.daemon.shutdown().await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        let calls = (0..20).map(|id| actix_rt::spawn(worker.run(id).timeout_ms(1_000))).collect::<Vec<_>>();
        for call in calls {
            let ended = call.await.unwrap();
            assert!(matches!(ended, Err(CallError::NotStarted(_))), "{ended:?}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let attempts = flaky.attempts();
    assert!((10..=120).contains(&attempts), "{attempts} attempts in a minute");
}
