//! Watching objects until they are gone.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::daemon::introspection::{DaemonObject, Describe};
use pyroxene::transport::Network;
use pyroxene::{CallError, Daemon, Ended, Ending, Instances, NotStarted, Proxy, Restart};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::flaky::{Fault, Flaky, Plan};
use crate::support::pair::{Pair, Setup, brittle_client_over, settle};
use crate::support::worker::{Worker, WorkerProxy};

/// Watched from here, from afar and without types.
async fn watch_all(pair: &Pair) -> Vec<JoinHandle<Ended>> {
    let dynamic = pair.dynamic().await;
    let lazy = pair.worker_for(&pair.other_client());
    let watches = [pair.here.proxy().watch(), pair.worker.proxy().watch(), dynamic.watch(), lazy.proxy().watch()];
    let watching = watches.into_iter().map(actix_rt::spawn).collect();
    settle().await;
    watching
}

#[actix::test]
async fn a_watch_ends_when_the_object_is_stopped_and_says_since_when() {
    let pair = Pair::memory().await;
    let watching = watch_all(&pair).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!(watching.iter().all(|watch| !watch.is_finished()), "it lives");
    assert_eq!(pair.worker.run(1).await, Ok(1));
    let now = Instant::now();
    assert!(pair.daemon.stop("worker"));
    for watch in watching {
        let ended = watch.await.unwrap();
        assert_eq!(ended.why, Ending::Stopped);
        assert!(ended.since.duration_since(now) < Duration::from_millis(10));
    }
    assert_eq!(pair.here.proxy().watch().await.why, Ending::Stopped, "whoever comes later is told as well");
    assert_eq!(pair.worker_for(&pair.other_client()).proxy().watch().await.why, Ending::Missing);
}

#[actix::test]
async fn an_object_that_is_started_again_is_not_gone_and_one_that_stays_failed_is() {
    let restart = Restart::on_failure().at_most(2).within_secs(60).backoff_ms(1..10);
    let pair = Setup { restart, ..Setup::memory() }.pair().await;
    let watching = watch_all(&pair).await;
    for id in 0..2 {
        assert!(pair.worker.crash(id).await.is_err());
        assert_eq!(pair.worker.run(9).await, Ok(9));
    }
    assert!(watching.iter().all(|watch| !watch.is_finished()), "it was started again");
    assert!(pair.worker.crash(2).await.is_err());
    for watch in watching {
        let ended = watch.await.unwrap();
        assert_eq!(ended.why, Ending::Failed { problem: "call 2 crashes".into() });
    }
}

#[actix::test]
async fn a_failed_object_says_why_and_since_when() {
    let pair = Setup { restart: Restart::never(), ..Setup::memory() }.pair().await;
    assert!(pair.worker.crash(7).await.is_err());
    settle().await;
    tokio::time::sleep(Duration::from_secs(90)).await;
    let error = pair.worker.run(8).await.unwrap_err();
    let CallError::NotStarted(NotStarted::ObjectFailed { problem, .. }) = error else { panic!("{error:?}") };
    assert_eq!(problem, "call 7 crashes (90 s ago)");
    let uri = format!("PYRO://{}/Pyro.Daemon", pair.daemon.endpoint());
    let daemon = Proxy::<DaemonObject>::connect_with(&pair.client, uri).await.unwrap();
    let described = daemon.send(Describe { object: "worker".into() }).await.unwrap();
    assert_eq!(described.state, "failed 90 s ago: call 7 crashes");
    let ended = pair.worker.proxy().watch().await;
    assert_eq!(ended.to_string(), "it failed 90 s ago: call 7 crashes");
}

#[actix::test]
async fn an_orderly_end_of_the_daemon_does_not_wait_for_those_who_watch() {
    let pair = Pair::memory().await;
    let watching = watch_all(&pair).await;
    let start = Instant::now();
    pair.daemon.shutdown().await;
    for watch in watching {
        assert_eq!(watch.await.unwrap().why, Ending::Stopped);
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

/// The worker by way of a network with these fates, watched; and that network.
async fn watch_over(pair: &Pair, plans: impl IntoIterator<Item = Plan>) -> (JoinHandle<Ended>, Arc<Flaky>) {
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), plans));
    let worker = pair.worker_for(&brittle_client_over(&(Arc::clone(&flaky) as Arc<dyn Network>)));
    let watch = actix_rt::spawn(worker.proxy().watch());
    settle().await;
    (watch, flaky)
}

/// Its connection breaks with the first byte that comes once the worker is watched.
async fn breaks(pair: &Pair) -> Plan {
    let (_watch, sound) = watch_over(pair, []).await;
    Plan { back: Some((sound.traffic.back(), Fault::Break)), ..Plan::default() }
}

#[actix::test]
async fn a_watch_outlives_a_lost_connection() {
    let pair = Setup { restart: Restart::never(), ..Setup::memory() }.pair().await;
    let plan = breaks(&pair).await;
    let (watch, _) = watch_over(&pair, [plan]).await;
    assert!(pair.here.crash(1).await.is_err());
    assert_eq!(watch.await.unwrap().why, Ending::Failed { problem: "call 1 crashes".into() });
}

#[actix::test]
async fn a_watch_gives_up_when_the_daemon_cannot_be_reached_for_as_long_as_a_call_has_time() {
    let pair = Setup { restart: Restart::never(), ..Setup::memory() }.pair().await;
    let plan = breaks(&pair).await;
    let dead = Plan { out: Some((0, Fault::Break)), ..Plan::default() };
    let (watch, _) = watch_over(&pair, std::iter::once(plan).chain(std::iter::repeat_n(dead, 1_000))).await;
    let now = Instant::now();
    assert!(pair.here.crash(1).await.is_err());
    let ended = watch.await.unwrap();
    assert!(matches!(ended.why, Ending::Unreachable { .. }), "{ended:?}");
    assert!(now.elapsed() >= Duration::from_secs(30), "{:?}", now.elapsed());
    assert!(ended.since.duration_since(now) < Duration::from_secs(1), "since the connection was lost");
}

#[actix::test]
async fn a_watch_that_is_given_up_leaves_nothing_behind() {
    let pair = Pair::memory().await;
    for _ in 0..2_000 {
        let mut watch = pair.worker.proxy().watch();
        let _ = tokio::time::timeout(Duration::from_millis(5), &mut watch).await;
    }
    // More than one connection may have open at a time.
    let watch = actix_rt::spawn(pair.worker.proxy().watch());
    settle().await;
    pair.daemon.stop("worker");
    assert_eq!(watch.await.unwrap().why, Ending::Stopped);
}

#[actix::test]
async fn of_an_object_with_instances_the_whole_is_watched() {
    let pair = Pair::memory().await;
    let spawn = |daemon: &Daemon| daemon.object("mine", Worker::default).instances(Instances::PerSession);
    let here = spawn(&pair.daemon).restart(Restart::never()).spawn().await.unwrap();
    let there = WorkerProxy::from(Proxy::<Worker>::connect_with(&pair.client, here.uri()).await.unwrap());
    let watching = [actix_rt::spawn(here.watch()), actix_rt::spawn(there.proxy().watch())];
    assert!(there.crash(1).await.is_err());
    settle().await;
    assert!(watching.iter().all(|watch| !watch.is_finished()));
    pair.daemon.stop("mine");
    for watch in watching {
        assert_eq!(watch.await.unwrap().why, Ending::Stopped);
    }
}
