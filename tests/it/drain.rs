//! Daemons that end under load: every call is taken and answered, or was not taken and says so.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use bytes::BytesMut;
use pyroxene::client::client::{Client, ClientConfig, Resolver};
use pyroxene::object::local::LocalDaemons;
use pyroxene::object::outcome::NotStarted;
use pyroxene::transport::Network;
use pyroxene::transport::network::BoxFuture;
use pyroxene::uri::Endpoint;
use pyroxene::wire::{Frame, GoAway, MessageType, SerializerId};
use pyroxene::{CallError, Proxy, Unknown, Uri};

use crate::support::claim::Claim;
use crate::support::flaky::{Fault, Flaky, Plan};
use crate::support::pair::{Pair, Setup, client_over, hello_bytes, seeded_client_over, settle};
use crate::support::raw_peer::{RawPeer, connect, frame, invoke};
use crate::support::worker::{Journal, Worker, WorkerProxy};

/// A client whose calls are lost on the way behind the first one, which is `hold`.
async fn deaf_behind_the_first_call(pair: &Pair) -> Client {
    let (_, places) = pair.raw().await;
    let first = invoke(0, places.of("hold"), &1u64).len() as u64;
    let plan = Plan { out: Some((hello_bytes(pair).await + first, Fault::Lose)), ..Plan::default() };
    let network: Arc<dyn Network> = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
    seeded_client_over(&network)
}

#[actix::test]
async fn calls_that_were_written_and_not_taken_did_not_run_and_their_callers_know() {
    let pair = Pair::memory().await;
    let worker = pair.worker_for(&deaf_behind_the_first_call(&pair).await);
    let taken = actix_rt::spawn(worker.hold(1));
    settle().await;
    let lost = actix_rt::spawn(worker.run(2));
    settle().await;
    let daemon = pair.daemon.clone();
    let shutdown = actix_rt::spawn(async move { daemon.shutdown().await });
    settle().await;
    pair.gate.open(1);
    assert_eq!(taken.await.unwrap(), Ok(1));
    let lost = lost.await.unwrap();
    assert!(matches!(lost, Err(CallError::NotStarted(NotStarted::Draining { .. }))), "{lost:?}");
    shutdown.await.unwrap();
    assert_eq!(pair.journal.read(), [1]);
}

#[actix::test]
async fn only_what_was_taken_and_did_not_end_is_unknown() {
    let pair = Setup { drain_ms: 500, ..Setup::memory() }.pair().await;
    let worker = pair.worker_for(&deaf_behind_the_first_call(&pair).await);
    let taken = actix_rt::spawn(worker.hold(1));
    settle().await;
    let lost = actix_rt::spawn(worker.run(2));
    settle().await;
    pair.daemon.shutdown().await;
    let taken = taken.await.unwrap();
    assert!(matches!(taken, Err(CallError::Unknown(Unknown::Disconnected { .. }))), "{taken:?}");
    let lost = lost.await.unwrap();
    assert!(matches!(lost, Err(CallError::NotStarted(NotStarted::Draining { .. }))), "{lost:?}");
}

#[actix::test]
async fn goaway_says_what_was_taken() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    let first = invoke(1, places.of("hold"), &1u64);
    peer.send(&first).await;
    // Half a call is none.
    peer.send(&invoke(2, places.of("run"), &2u64)[..20]).await;
    settle().await;
    let daemon = pair.daemon.clone();
    let shutdown = actix_rt::spawn(async move { daemon.shutdown().await });
    let away = peer.frame().await.unwrap();
    assert_eq!(away.header.kind, MessageType::GoAway);
    assert_eq!(GoAway::decode(&away.payload).unwrap().taken, first.len() as u64);
    peer.send(&invoke(2, places.of("run"), &2u64)[20..]).await;
    assert_eq!(peer.fault().await.class, "Pyroxene.Draining");
    pair.gate.open(1);
    assert_eq!(peer.until_closed().await.unwrap().header.seq, 1);
    shutdown.await.unwrap();
    assert_eq!(pair.journal.read(), [1]);
}

#[actix::test]
async fn whoever_does_not_speak_goaway_hears_none() {
    let pair = Pair::memory().await;
    let mut peer = RawPeer::connect(&*pair.network, pair.daemon.endpoint()).await;
    let json = br#"{"handshake": "hello", "object": "worker"}"#;
    let mut greeting = frame(MessageType::Connect, 0, |out| out.extend_from_slice(json));
    greeting[7] = SerializerId::JSON.0;
    peer.send(&greeting).await;
    assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::ConnectOk);
    pair.daemon.shutdown().await;
    assert!(peer.frame().await.is_none());
}

#[actix::test]
async fn whoever_comes_while_the_daemon_ends_is_told_as_well() {
    let pair = Pair::memory().await;
    let mut peer = RawPeer::connect(&*pair.network, pair.daemon.endpoint()).await;
    settle().await;
    let held = actix_rt::spawn(pair.worker.hold(1));
    settle().await;
    let daemon = pair.daemon.clone();
    let shutdown = actix_rt::spawn(async move { daemon.shutdown().await });
    settle().await;
    peer.send(&connect("worker")).await;
    assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::ConnectOk);
    let away = peer.frame().await.unwrap();
    assert_eq!(GoAway::decode(&away.payload).unwrap().taken, 0);
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(1));
    assert!(peer.frame().await.is_none());
    shutdown.await.unwrap();
}

/// Says where a name is: wherever the test says.
struct Names(Mutex<Uri>);

impl Resolver for Names {
    fn resolve<'a>(&'a self, _: &'a Client, _: &'a Uri) -> BoxFuture<'a, Result<Uri, NotStarted>> {
        let uri = self.0.lock().unwrap().clone();
        Box::pin(async move { Ok(uri) })
    }
}

#[actix::test]
async fn a_call_by_name_that_was_not_taken_runs_at_the_next_daemon() {
    let setup = Setup::memory();
    let (old, new) = (setup.clone().pair().await, setup.pair().await);
    let names = Arc::new(Names(Mutex::new(old.uri())));
    let config =
        ClientConfig { network: Arc::clone(&old.network), local: LocalDaemons::default(), ..ClientConfig::default() };
    let client = Client::new(config, Arc::clone(&names) as Arc<dyn Resolver>);
    let worker = WorkerProxy::from(Proxy::<Worker>::connect_with(&client, "PYRONAME://worker").await.unwrap());
    let held = actix_rt::spawn(worker.hold(0));
    settle().await;
    *names.0.lock().unwrap() = new.uri();
    // On their way before the daemon begins to end, and after that.
    let before: Vec<_> = (1..50).map(|id| actix_rt::spawn(worker.run(id))).collect();
    let daemon = old.daemon.clone();
    let shutdown = actix_rt::spawn(async move { daemon.shutdown().await });
    let after: Vec<_> = (50..100).map(|id| actix_rt::spawn(worker.run(id))).collect();
    settle().await;
    old.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(0));
    for (id, call) in (1..).zip(before.into_iter().chain(after)) {
        assert_eq!(call.await.unwrap(), Ok(id));
        assert_eq!(old.journal.count(id) + new.journal.count(id), 1, "call {id}");
    }
    shutdown.await.unwrap();
    assert_eq!(new.journal.count(99), 1, "the last one came too late for the old daemon");
}

/// Clients that call until the daemon is gone, which ends in the midst of it.
async fn under_load(setup: Setup, calls: u64) {
    const CLIENTS: u64 = 8;
    const EACH: u64 = 16;
    let pair = setup.pair().await;
    let ended = Arc::new(Mutex::new(HashMap::new()));
    let mut tasks = Vec::new();
    for client in 0..CLIENTS {
        let crumbs = Plan { crumbs: Some(client), ..Plan::default() };
        let flaky = Flaky::new(Arc::clone(&pair.network), [if client % 2 == 0 { Plan::default() } else { crumbs }]);
        let worker = pair.worker_for(&client_over(&(Arc::new(flaky) as Arc<dyn Network>)));
        for task in 0..EACH {
            let (worker, ended) = (worker.clone(), Arc::clone(&ended));
            tasks.push(actix_rt::spawn(async move {
                for id in (client * EACH + task..).step_by((CLIENTS * EACH) as usize) {
                    let outcome = worker.run(id).await;
                    let over = outcome.is_err();
                    ended.lock().unwrap().insert(id, outcome);
                    if over {
                        return;
                    }
                }
            }));
        }
    }
    while pair.journal.read().len() < calls as usize {
        tokio::task::yield_now().await;
    }
    pair.daemon.shutdown().await;
    for task in tasks {
        task.await.unwrap();
    }
    let ended = std::mem::take(&mut *ended.lock().unwrap());
    let mut ran = HashMap::<u64, usize>::new();
    pair.journal.read().into_iter().for_each(|id| *ran.entry(id).or_default() += 1);
    for (id, outcome) in &ended {
        let claim = Claim::of(outcome);
        let ran = ran.remove(id).unwrap_or_default();
        assert!(claim.is_true(ran), "call {id} ran {ran} times, and its caller heard {outcome:?}");
        assert_ne!(claim, Claim::MayHaveRun, "call {id} had time enough: {outcome:?}");
    }
    assert!(ran.is_empty(), "nobody heard of {ran:?}");
    assert_eq!(ended.values().filter(|outcome| outcome.is_err()).count() as u64, CLIENTS * EACH);
}

#[actix::test]
async fn under_load_nothing_is_lost() {
    under_load(Setup::memory(), 2_000).await;
    tokio::time::resume();
    under_load(Setup::tcp(), 2_000).await;
}

/// Blocks its thread in its first call, as no object should.
struct Slow {
    journal: Journal,
    begun: mpsc::Sender<()>,
    go_on: Arc<Mutex<mpsc::Receiver<()>>>,
}

#[pyroxene::remote]
impl Slow {
    pub fn work(&mut self, id: u64) -> u64 {
        self.journal.write(id);
        if id == 0 {
            self.begun.send(()).unwrap();
            self.go_on.lock().unwrap().recv().unwrap();
        }
        id
    }
}

#[actix::test]
async fn an_object_that_is_over_runs_none_of_what_it_had_taken_out_of_its_queue() {
    let pair = Pair::memory().await;
    let journal = Journal::default();
    let ((begun, has_begun), (go, go_on)) = (mpsc::channel(), mpsc::channel());
    let factory = {
        let (journal, go_on) = (journal.clone(), Arc::new(Mutex::new(go_on)));
        move || Slow { journal: journal.clone(), begun: begun.clone(), go_on: Arc::clone(&go_on) }
    };
    let slow = SlowProxy::from(pair.host("slow", factory).await);
    let daemon = pair.daemon.clone();
    let stopper = std::thread::spawn(move || {
        has_begun.recv().unwrap();
        assert!(daemon.stop("slow"));
        go.send(()).unwrap();
    });
    let calls: Vec<_> = (0..10).map(|id| actix_rt::spawn(slow.work(id))).collect();
    for (id, call) in (0..).zip(calls) {
        match call.await.unwrap() {
            Ok(0) if id == 0 => {}
            Err(CallError::NotStarted(NotStarted::Draining { .. })) if id > 0 => {}
            other => panic!("call {id}: {other:?}"),
        }
    }
    stopper.join().unwrap();
    assert_eq!(journal.read(), [0]);
}

#[actix::test]
async fn a_peer_that_goes_on_calling_reads_to_the_end_and_meets_no_reset() {
    let pair = Setup { drain_ms: 500, ..Setup::tcp() }.pair().await;
    let (_, places) = pair.raw().await;
    let Endpoint::Tcp { host, port } = pair.daemon.endpoint().clone() else { panic!("it listens elsewhere") };
    let (hold, run) = (invoke(1, places.of("hold"), &1u64), invoke(2, places.of("run"), &2u64));
    // Threads, so that something unread always lies in the daemon's socket.
    let caller = std::thread::spawn(move || {
        let mut stream = TcpStream::connect((host.as_str(), port)).unwrap();
        stream.write_all(&connect("worker")).unwrap();
        stream.write_all(&hold).unwrap();
        let mut calls = stream.try_clone().unwrap();
        let caller = std::thread::spawn(move || while calls.write_all(&run).is_ok() {});
        let mut bytes = Vec::new();
        let end = stream.read_to_end(&mut bytes);
        stream.shutdown(Shutdown::Both).ok();
        caller.join().unwrap();
        (bytes, end)
    });
    while pair.journal.count(1) == 0 {
        tokio::task::yield_now().await;
    }
    pair.gate.open(1);
    pair.daemon.shutdown().await;
    let (bytes, end) = caller.join().unwrap();
    assert!(end.is_ok(), "{end:?}");
    let mut bytes = BytesMut::from(&bytes[..]);
    let frames: Vec<_> = std::iter::from_fn(|| Frame::decode(&mut bytes, u32::MAX).unwrap()).collect();
    assert!(frames.iter().any(|frame| frame.header.kind == MessageType::GoAway));
    assert!(frames.iter().any(|frame| frame.header.kind == MessageType::Result && frame.header.seq == 1));
    assert!(bytes.is_empty(), "the last frame is whole");
}

#[actix::test]
async fn a_peer_that_does_not_hang_up_keeps_nobody_waiting() {
    let pair = Pair::memory().await;
    let (_peer, _) = pair.raw().await;
    let begun = tokio::time::Instant::now();
    pair.daemon.shutdown().await;
    assert!(begun.elapsed() <= Duration::from_secs(2), "{:?}", begun.elapsed());
}
