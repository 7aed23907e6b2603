//! Objects that fail, and what becomes of their callers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, ResponseFuture};
use pyroxene::daemon::introspection::{DaemonObject, Describe};
use pyroxene::{CallError, NotStarted, Proxy, RemoteMessage, RemoteObject, Restart, SpawnError, Unknown};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::support::memory::MemoryNetwork;
use crate::support::pair::{Pair, Setup, settle};
use crate::support::worker::{Worker, WorkerProxy};

#[actix::test]
async fn after_a_panic_the_calls_that_wait_go_on_to_the_new_state_in_order() {
    let pair = Pair::memory().await;
    for worker in [&pair.worker, &pair.here] {
        assert_eq!(worker.run(1).await, Ok(1));
        let held = actix_rt::spawn(worker.hold(2));
        settle().await;
        let crash = actix_rt::spawn(worker.crash(3));
        let behind: Vec<_> = (4..20).map(|id| actix_rt::spawn(worker.run(id))).collect();
        let runs = actix_rt::spawn(worker.runs());
        settle().await;
        pair.gate.open(1);
        assert_eq!(held.await.unwrap(), Ok(2));
        assert!(matches!(crash.await.unwrap(), Err(CallError::Failed(_))));
        for (call, id) in behind.into_iter().zip(4..) {
            assert_eq!(call.await.unwrap(), Ok(id));
        }
        assert_eq!(runs.await.unwrap(), Ok(16), "the state is a new one");
    }
    let once: Vec<u64> = (1..20).collect();
    assert_eq!(pair.journal.read(), [once.clone(), once].concat());
}

#[actix::test]
async fn a_call_made_while_the_object_restarts_waits_for_it() {
    let pair = Pair::memory().await;
    let start = Instant::now();
    assert!(pair.worker.crash(1).await.is_err());
    assert_eq!(pair.worker.run(2).await, Ok(2));
    assert!(start.elapsed() >= Duration::from_millis(100), "the pause before a restart");
    assert_eq!(pair.worker.runs().await, Ok(1));
}

#[actix::test]
async fn a_call_that_finds_no_room_while_the_object_restarts_is_told_when_to_try_again() {
    let restart = Restart::on_failure().backoff_ms(700..5_000);
    let pair = Setup { restart, mailbox: 4, ..Setup::memory() }.pair().await;
    assert!(pair.here.crash(1).await.is_err());
    let waiting: Vec<_> = (2..6).map(|id| actix_rt::spawn(pair.here.run(id))).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    for worker in [&pair.worker, &pair.here] {
        let error = worker.run(9).await.unwrap_err();
        let CallError::NotStarted(NotStarted::Restarting { object, retry_after_ms }) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(object, "worker");
        assert!((590..=600).contains(retry_after_ms), "{retry_after_ms} ms");
        assert_eq!((error.may_have_run(), error.retry_after()), (false, Some(*retry_after_ms)));
    }
    for (id, call) in (2..).zip(waiting) {
        assert_eq!(call.await.unwrap(), Ok(id));
    }
    assert_eq!(pair.worker.run(9).await, Ok(9));
    assert_eq!(pair.journal.read(), [1, 2, 3, 4, 5, 9]);
}

#[actix::test]
async fn an_object_that_fails_too_often_stays_failed_and_everybody_is_told_at_once() {
    let restart = Restart::on_failure().at_most(2).within_secs(60).backoff_ms(1..10);
    let pair = Setup { restart, ..Setup::memory() }.pair().await;
    for id in 0..2 {
        assert!(matches!(pair.worker.crash(id).await, Err(CallError::Failed(_))));
    }
    let last = actix_rt::spawn(pair.worker.crash(2));
    let waiting: Vec<_> = (3..8).map(|id| actix_rt::spawn(pair.worker.run(id))).collect();
    assert!(matches!(last.await.unwrap(), Err(CallError::Failed(_))));
    let start = Instant::now();
    for call in waiting {
        let error = call.await.unwrap().unwrap_err();
        let CallError::NotStarted(NotStarted::ObjectFailed { object, problem }) = error else { panic!("{error:?}") };
        assert_eq!((object.as_str(), problem.as_str()), ("worker", "call 2 crashes"));
    }
    for worker in [&pair.worker, &pair.here] {
        let error = worker.run(9).await.unwrap_err();
        assert!(matches!(error, CallError::NotStarted(NotStarted::ObjectFailed { .. })), "{error:?}");
        assert_eq!(error.retry_after(), None, "trying again does not help");
    }
    assert!(start.elapsed() < Duration::from_millis(10), "at once: {:?}", start.elapsed());
    assert_eq!(pair.journal.read(), [0, 1, 2]);
}

#[actix::test]
async fn failures_that_are_long_past_are_forgiven() {
    let restart = Restart::on_failure().at_most(1).within_secs(5);
    let pair = Setup { restart, ..Setup::memory() }.pair().await;
    for id in 0..5 {
        assert!(matches!(pair.worker.crash(id).await, Err(CallError::Failed(_))));
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    assert_eq!(pair.worker.run(9).await, Ok(9));
}

#[actix::test]
async fn a_factory_that_panics_at_first_is_an_error_and_leaves_nothing_behind() {
    let pair = Pair::memory().await;
    let error = pair.daemon.supervise("broken", || -> Worker { panic!("no vault") }).await.unwrap_err();
    let SpawnError::Factory { name, problem } = &error else { panic!("{error:?}") };
    assert_eq!(name, "broken");
    assert!(problem.contains("no vault") && problem.contains("supervision.rs"), "{problem}");
    let second = WorkerProxy::from(pair.host("broken", Worker::default).await);
    assert_eq!(second.run(1).await, Ok(1), "the name is free");
}

#[actix::test]
async fn a_factory_that_panics_later_is_tried_again_by_the_policy() {
    let pair = Pair::memory().await;
    let broken = Arc::new(AtomicBool::new(false));
    let built = Arc::new(AtomicU64::new(0));
    let factory = {
        let (broken, built) = (Arc::clone(&broken), Arc::clone(&built));
        move || {
            built.fetch_add(1, Ordering::Relaxed);
            assert!(!broken.load(Ordering::Relaxed), "the vault is locked");
            Worker::default()
        }
    };
    let here = pair.daemon.object("moody", factory).restart(Restart::on_failure().at_most(5)).spawn().await.unwrap();
    let there = WorkerProxy::from(Proxy::<Worker>::connect_with(&pair.client, here.uri()).await.unwrap());
    broken.store(true, Ordering::Relaxed);
    assert!(there.crash(1).await.is_err());
    let waiting = actix_rt::spawn(there.run(2));
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(built.load(Ordering::Relaxed) >= 3);
    broken.store(false, Ordering::Relaxed);
    assert_eq!(waiting.await.unwrap(), Ok(2));
    broken.store(true, Ordering::Relaxed);
    assert!(there.crash(3).await.is_err());
    let error = there.run(4).await.unwrap_err();
    let CallError::NotStarted(NotStarted::ObjectFailed { problem, .. }) = error else { panic!("{error:?}") };
    assert!(problem.contains("its factory panicked: the vault is locked"), "{problem}");
}

#[actix::test]
async fn the_generation_counts_how_often_the_state_was_built() {
    let pair = Pair::memory().await;
    let uri = format!("PYRO://{}/Pyro.Daemon", pair.daemon.endpoint());
    let daemon = Proxy::<DaemonObject>::connect_with(&pair.client, uri).await.unwrap();
    let describe = async || daemon.send(Describe { object: "worker".into() }).await.unwrap();
    let first = describe().await;
    assert!(pair.worker.crash(1).await.is_err());
    settle().await;
    assert_eq!(describe().await.state, "starting");
    assert_eq!(pair.worker.run(2).await, Ok(2));
    let second = describe().await;
    assert_eq!(second.state, "running");
    assert!(second.generation > first.generation, "{} then {}", first.generation, second.generation);
}

#[actix::test]
async fn a_panic_of_one_object_is_nothing_to_its_neighbours() {
    let pair = Pair::memory().await;
    let neighbour = WorkerProxy::from(pair.host("neighbour", Worker::default).await);
    let held = actix_rt::spawn(pair.worker.crash_later(1));
    settle().await;
    let before = neighbour.run(2).await;
    pair.gate.open(1);
    assert!(matches!(held.await.unwrap(), Err(CallError::Failed(_))));
    let after = neighbour.run(3).await;
    assert_eq!((before, after, neighbour.runs().await), (Ok(2), Ok(3), Ok(2)));
}

/// An actor of the user's own, with many ways to end.
#[derive(RemoteObject)]
#[remote(methods(Slow, Die, Boom, Count))]
struct Fragile {
    calls: u64,
}

impl Actor for Fragile {
    type Context = Context<Self>;
}

/// Takes a while, during which other calls run.
#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Slow {
    ms: u64,
}

/// Stops the actor.
#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "()")]
struct Die;

/// The actor panics after its reply.
#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "()")]
struct Boom;

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Count;

impl Handler<Slow> for Fragile {
    type Result = ResponseFuture<u64>;
    fn handle(&mut self, slow: Slow, _: &mut Context<Self>) -> Self::Result {
        self.calls += 1;
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(slow.ms)).await;
            assert_ne!(slow.ms, 13, "unlucky");
            slow.ms
        })
    }
}

impl Handler<Die> for Fragile {
    type Result = ();
    fn handle(&mut self, _: Die, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

impl Handler<Boom> for Fragile {
    type Result = ();
    fn handle(&mut self, _: Boom, ctx: &mut Context<Self>) {
        ctx.run_later(Duration::from_millis(5), |_, _| panic!("outside of a call"));
    }
}

impl Handler<Count> for Fragile {
    type Result = u64;
    fn handle(&mut self, _: Count, _: &mut Context<Self>) -> u64 {
        self.calls += 1;
        self.calls
    }
}

#[actix::test]
async fn a_panic_while_other_calls_of_the_actor_run_leaves_them_unknown() {
    let pair = Pair::memory().await;
    let fragile = pair.host("fragile", || Fragile { calls: 0 }).await;
    let running = actix_rt::spawn(fragile.send(Slow { ms: 50 }));
    let unlucky = fragile.send(Slow { ms: 13 }).await.unwrap_err();
    let CallError::Failed(fault) = unlucky else { panic!("{unlucky:?}") };
    assert!(fault.message.contains("unlucky"), "{fault:?}");
    let running = running.await.unwrap();
    assert!(matches!(running, Err(CallError::Unknown(Unknown::Aborted { .. }))), "{running:?}");
    assert_eq!(fragile.send(Count).await, Ok(1), "a new state");
}

#[actix::test]
async fn an_actor_that_panics_outside_of_a_call_is_started_again_with_the_next_one() {
    let pair = Pair::memory().await;
    let fragile = pair.host("fragile", || Fragile { calls: 0 }).await;
    assert_eq!(fragile.send(Count).await, Ok(1));
    assert_eq!(fragile.send(Boom).await, Ok(()));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(fragile.send(Count).await, Ok(1), "a new state");
}

#[actix::test]
async fn an_actor_that_stops_itself_is_gone_and_its_callers_are_told() {
    let pair = Pair::memory().await;
    let fragile = pair.host("fragile", || Fragile { calls: 0 }).await;
    let die = actix_rt::spawn(fragile.send(Die));
    let behind = actix_rt::spawn(fragile.send(Count));
    assert_eq!(die.await.unwrap(), Ok(()));
    let behind = behind.await.unwrap();
    assert!(matches!(behind, Err(CallError::NotStarted(_))), "{behind:?}");
    let error = fragile.send(Count).await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(_)), "{error:?}");
}

#[actix::test]
async fn an_object_that_is_stopped_tells_those_who_wait_and_its_name_is_free() {
    let pair = Pair::memory().await;
    let held = actix_rt::spawn(pair.worker.hold(1));
    settle().await;
    let waiting = actix_rt::spawn(pair.worker.run(2));
    settle().await;
    assert!(pair.daemon.stop("worker"));
    let waiting = waiting.await.unwrap();
    assert!(matches!(waiting, Err(CallError::NotStarted(_))), "{waiting:?}");
    pair.gate.open(1);
    let held = held.await.unwrap();
    assert!(matches!(held, Ok(1) | Err(CallError::Unknown(_))), "it ran: {held:?}");
    assert!(!pair.daemon.stop("worker"));
    let journal = pair.journal.clone();
    let gate = pair.gate.clone();
    pair.daemon.object("worker", move || Worker::new(&journal, &gate)).id("worker").spawn().await.unwrap();
    let again = pair.worker_for(&pair.other_client());
    assert_eq!(again.run(3).await, Ok(3));
    assert_eq!(pair.journal.read(), [1, 3]);
}

#[actix::test]
async fn a_name_that_is_taken_is_refused() {
    let pair = Pair::memory().await;
    let error = pair.daemon.supervise("worker", Worker::default).await.unwrap_err();
    assert!(matches!(error, SpawnError::Taken { .. }), "{error:?}");
    let error = pair.daemon.supervise("two words", Worker::default).await.unwrap_err();
    assert!(matches!(error, SpawnError::BadName { .. }), "{error:?}");
    assert_eq!(pair.worker.run(1).await, Ok(1));
}

/// Whatever can panic in an object's life, panics.
struct Clumsy {
    lives: Arc<AtomicU64>,
    drops_badly: bool,
}

impl Drop for Clumsy {
    fn drop(&mut self) {
        assert!(!self.drops_badly || std::thread::panicking(), "dropped");
    }
}

#[pyroxene::remote]
impl Clumsy {
    pub fn throw_text(&self) {
        panic!("{}", "formatted".to_owned());
    }

    pub fn throw_number(&self) {
        std::panic::panic_any(7);
    }

    pub fn throw_overflow(&self, big: u8) -> u8 {
        let bigger = std::hint::black_box(big);
        [1, 2, 3][usize::from(bigger)]
    }

    pub fn life(&self) -> u64 {
        self.lives.load(Ordering::Relaxed)
    }
}

#[actix::test]
async fn whatever_is_thrown_becomes_a_fault() {
    for drops_badly in [false, true] {
        let pair = Setup::over(Arc::new(MemoryNetwork::default())).pair().await;
        let lives = Arc::new(AtomicU64::new(0));
        let factory = move || {
            lives.fetch_add(1, Ordering::Relaxed);
            Clumsy { lives: Arc::clone(&lives), drops_badly }
        };
        let restart = Restart::on_failure().at_most(100).backoff_ms(1..2);
        let here = pair.daemon.object("clumsy", factory).restart(restart).spawn().await.unwrap();
        let clumsy = ClumsyProxy::from(Proxy::<Clumsy>::connect_with(&pair.client, here.uri()).await.unwrap());
        for (ended, says) in [
            (clumsy.throw_text().await.map(drop), "formatted"),
            (clumsy.throw_number().await.map(drop), "a panic without text"),
            (clumsy.throw_overflow(7).await.map(drop), "index out of bounds"),
        ] {
            let CallError::Failed(fault) = ended.unwrap_err() else { panic!() };
            assert!(fault.message.contains(says), "{fault:?}");
        }
        assert_eq!(clumsy.life().await, Ok(4));
        assert_eq!(pair.worker.run(1).await, Ok(1));
    }
}

/// An actor that panics before its first call.
#[derive(RemoteObject)]
#[remote(methods(Count))]
struct StillBorn {
    tries: Arc<AtomicU64>,
}

impl Actor for StillBorn {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Context<Self>) {
        assert!(self.tries.fetch_add(1, Ordering::Relaxed) >= 2, "not yet");
    }
}

impl Handler<Count> for StillBorn {
    type Result = u64;
    fn handle(&mut self, _: Count, _: &mut Context<Self>) -> u64 {
        self.tries.load(Ordering::Relaxed)
    }
}

#[actix::test]
async fn an_actor_that_panics_as_it_starts_is_started_again() {
    let pair = Pair::memory().await;
    let tries = Arc::new(AtomicU64::new(0));
    let born = pair.host("born", move || StillBorn { tries: Arc::clone(&tries) }).await;
    assert_eq!(born.send(Count).await, Ok(3));
}
