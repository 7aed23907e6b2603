//! Calls that run once, however often they are tried.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::transport::Network;
use pyroxene::wire::{
    AnnotationId, CorrelationId, Features, Flags, FrameWriter, Limits, MessageType, OnceKey, SerializerId,
    SessionOpened,
};
use pyroxene::{CallError, Client, DynProxy, Items, NotStarted, Unknown, args};
use tokio::time::Instant;

use crate::support::broken::answer_bytes;
use crate::support::flaky::{Fault, Flaky, Plan};
use crate::support::memory::MemoryNetwork;
use crate::support::pair::{Pair, Setup, brittle_client_over, client_over, poll_once, seeded_client_over, settle};
use crate::support::raw_peer::{RawPeer, frame, invoke};
use crate::support::relay::Relay;
use crate::support::worker::{Refused, Worker};

/// Bytes of OPENED, which comes before the first reply.
const OPENED: u64 = 41;

/// A client whose first connections break at the first byte of a reply to a call with a key.
async fn loses_replies(pair: &Pair, connections: usize) -> (Client, Arc<Flaky>) {
    let plan = Plan { back: Some((answer_bytes(pair).await + OPENED + 1, Fault::Break)), ..Plan::default() };
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), vec![plan; connections]));
    (brittle_client_over(&(Arc::clone(&flaky) as Arc<dyn Network>)), flaky)
}

/// An INVOKE with a key.
fn invoke_once(seq: u16, method: u8, message: &impl serde::Serialize, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (kind, id, flags) = (MessageType::Invoke, SerializerId::POSTCARD, Flags::default());
    let mut writer = FrameWriter::begin(&mut out, kind, id, flags, seq, CorrelationId::NONE);
    writer.annotate(&mut out, AnnotationId::ONCE, key);
    out.extend_from_slice(&[0, method]);
    pyroxene::codec::encode(id, message, &mut out).unwrap();
    writer.finish(&mut out, u32::MAX).unwrap();
    out
}

fn key(sequence: u64, done: u64) -> [u8; 16] {
    OnceKey { sequence, done }.encode()
}

/// Opens the session of a peer made by hand; its number.
async fn open_session(peer: &mut RawPeer) -> u64 {
    peer.send(&frame(MessageType::Session, 0, |_| {})).await;
    let opened = peer.frame().await.unwrap();
    assert_eq!(opened.header.kind, MessageType::Opened);
    SessionOpened::decode(&opened.payload).unwrap().number
}

#[actix::test]
async fn a_call_whose_reply_was_lost_gets_it_over_the_next_connection() {
    let pair = Pair::memory().await;
    for losses in [1, 5] {
        let (client, flaky) = loses_replies(&pair, losses).await;
        assert_eq!(pair.worker_for(&client).run(losses as u64).once().await, Ok(losses as u64));
        assert_eq!(flaky.attempts(), losses as u64 + 1);
        assert_eq!(pair.journal.count(losses as u64), 1);
    }
}

#[actix::test]
async fn whatever_ends_a_call_is_its_end() {
    let pair = Pair::memory().await;
    let (client, _) = loses_replies(&pair, 2).await;
    assert_eq!(pair.worker_for(&client).refuse(1).once().await, Err(CallError::Raised(Refused { id: 1 })));
    let (client, _) = loses_replies(&pair, 2).await;
    let error = pair.worker_for(&client).crash(2).once().await.unwrap_err();
    let CallError::Failed(fault) = &error else { panic!("{error:?}") };
    assert_eq!(fault.message, "call 2 crashes");
    let (client, _) = loses_replies(&pair, 2).await;
    let by_name = DynProxy::connect_with(&client, pair.uri());
    assert!(by_name.await.unwrap().call("run", args![3]).once().await.is_ok());
    assert_eq!(pair.journal.read(), [1, 2, 3]);
}

#[actix::test]
async fn a_call_that_still_runs_is_joined() {
    let pair = Pair::memory().await;
    let (client, flaky) = loses_replies(&pair, 0).await;
    let worker = pair.worker_for(&client);
    let call = actix_rt::spawn(worker.hold(1).once());
    settle().await;
    assert_eq!(pair.journal.read(), [1]);
    // What waits behind it goes with the connection, and comes back.
    let behind = actix_rt::spawn(worker.run(2).once());
    settle().await;
    flaky.reset_all();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(flaky.attempts() > 1, "{}", flaky.attempts());
    assert!(!call.is_finished());
    pair.gate.open(1);
    assert_eq!(call.await.unwrap(), Ok(1));
    assert_eq!(behind.await.unwrap(), Ok(2));
    assert_eq!(pair.journal.read(), [1, 2]);
}

#[actix::test]
async fn a_request_that_was_lost_runs_once_it_arrives() {
    let pair = Pair::memory().await;
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), []));
    let client = seeded_client_over(&(Arc::clone(&flaky) as Arc<dyn Network>));
    let worker = pair.worker_for(&client);
    assert_eq!(worker.run(1).once().await, Ok(1));
    let sent = flaky.traffic.out();
    // The same client for another daemon, over a connection that takes the second request, and loses it.
    let pair = Setup::over(Arc::new(MemoryNetwork::default())).pair().await;
    let plan = Plan { out: Some((sent, Fault::Lose)), ..Plan::default() };
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
    let client = seeded_client_over(&(Arc::clone(&flaky) as Arc<dyn Network>));
    let worker = pair.worker_for(&client);
    assert_eq!(worker.run(2).once().await, Ok(2));
    let call = actix_rt::spawn(worker.run(3).once());
    tokio::time::sleep(Duration::from_secs(1)).await;
    flaky.reset_all();
    assert_eq!(call.await.unwrap(), Ok(3));
    assert_eq!(pair.journal.read(), [2, 3]);
}

#[actix::test]
async fn a_full_queue_is_tried_again() {
    let pair = Setup { mailbox: 8, ..Setup::memory() }.pair().await;
    let held = actix_rt::spawn(pair.here.hold(0));
    settle().await;
    let calls: Vec<_> = (1..=30).map(|id| actix_rt::spawn(pair.worker.run(id).once())).collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    pair.gate.open(1);
    held.await.unwrap().unwrap();
    for (id, call) in (1..).zip(calls) {
        assert_eq!(call.await.unwrap(), Ok(id));
        assert_eq!(pair.journal.count(id), 1);
    }
}

#[actix::test]
async fn a_daemon_that_was_started_anew_does_not_run_it_again() {
    let pair = Pair::memory().await;
    let (client, flaky) = loses_replies(&pair, 0).await;
    let call = actix_rt::spawn(pair.worker_for(&client).hold(1).once());
    settle().await;
    // Ends without having heard of the end.
    flaky.reset_all();
    let endpoint = pair.daemon.endpoint().clone();
    let setup = Setup { endpoint, drain_ms: 0, ..Setup::over(Arc::clone(&pair.network)) };
    let shutdown = actix_rt::spawn({
        let daemon = pair.daemon.clone();
        async move { daemon.shutdown().await }
    });
    settle().await;
    let next = setup.daemon().await;
    let (journal, gate) = (pair.journal.clone(), pair.gate.clone());
    next.object("worker", move || Worker::new(&journal, &gate)).id("worker").spawn().await.unwrap();
    let error = call.await.unwrap().unwrap_err();
    let CallError::Unknown(why) = &error else { panic!("{error:?}") };
    assert!(matches!(why.last(), Unknown::SessionLost { .. }), "{why:?}");
    assert!(error.attempts() > 1 && pyroxene::report(&error).contains("before: may have run"), "{error:?}");
    assert_eq!(pair.journal.read(), [1]);
    pair.gate.open(1);
    shutdown.await.unwrap();
}

#[actix::test]
async fn a_call_that_was_surely_not_sent_goes_to_the_next_incarnation() {
    let pair = Pair::memory().await;
    assert_eq!(pair.worker.run(1).once().await, Ok(1));
    pair.daemon.shutdown().await;
    let call = actix_rt::spawn(pair.worker.run(2).once());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let endpoint = pair.daemon.endpoint().clone();
    let next = Setup { endpoint, ..Setup::over(Arc::clone(&pair.network)) }.daemon().await;
    let (journal, gate) = (pair.journal.clone(), pair.gate.clone());
    next.object("worker", move || Worker::new(&journal, &gate)).id("worker").spawn().await.unwrap();
    assert_eq!(call.await.unwrap(), Ok(2));
    assert_eq!(pair.journal.read(), [1, 2]);
}

#[actix::test]
async fn it_ends_in_time_and_nobody_says_that_it_did_not_run() {
    let pair = Pair::memory().await;
    let (client, _) = loses_replies(&pair, 1_000).await;
    let start = Instant::now();
    let error = pair.worker_for(&client).run(1).once().timeout_ms(2_000).await.unwrap_err();
    assert!(start.elapsed() <= Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(error.may_have_run() && error.attempts() > 2, "{error:?}");
    assert_eq!(pair.journal.count(1), 1);
}

#[actix::test]
async fn a_call_that_is_given_up_in_the_queue_is_not_run() {
    let pair = Pair::memory().await;
    let held = actix_rt::spawn(pair.worker.hold(0));
    settle().await;
    let mut given_up = Box::pin(pair.worker.run(1).once());
    assert!(poll_once(&mut given_up).await.is_pending());
    settle().await;
    assert!(poll_once(&mut given_up).await.is_pending());
    settle().await;
    drop(given_up);
    settle().await;
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(0));
    assert_eq!(pair.worker.run(2).once().await, Ok(2));
    assert_eq!(pair.journal.read(), [0, 2]);
}

#[actix::test]
async fn in_this_process_it_is_an_ordinary_call_that_is_tried_again() {
    let pair = Setup { mailbox: 1, ..Setup::memory() }.pair().await;
    let held = actix_rt::spawn(pair.here.hold(0));
    settle().await;
    let calls: Vec<_> = (1..=5).map(|id| actix_rt::spawn(pair.here.run(id).once())).collect();
    settle().await;
    pair.gate.open(1);
    held.await.unwrap().unwrap();
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
    assert!((1..=5).all(|id| pair.journal.count(id) == 1));
}

#[actix::test]
async fn a_repeat_over_another_connection_has_the_same_reply_and_what_is_forgotten_is_not_run() {
    let limits = Limits { session_replies: 2, ..Limits::default() };
    let pair = Setup { limits, ..Setup::memory() }.pair().await;
    let ((mut first, places), (mut second, _)) = (pair.raw().await, pair.raw().await);
    assert_eq!(open_session(&mut first).await, open_session(&mut second).await, "they are of one client");
    let run = places.of("run");
    first.send(&invoke_once(7, run, &(1_u64,), &key(1, 1))).await;
    let reply = first.frame().await.unwrap();
    assert_eq!((reply.header.kind, reply.header.seq), (MessageType::Result, 7));
    second.send(&invoke_once(9, run, &(1_u64,), &key(1, 1))).await;
    let again = second.frame().await.unwrap();
    assert_eq!((again.header.seq, &again.payload), (9, &reply.payload));
    for (seq, sequence) in [(1, 2_u64), (2, 3)] {
        first.send(&invoke_once(seq, run, &(sequence,), &key(sequence, 1))).await;
        first.frame().await.unwrap();
    }
    second.send(&invoke_once(3, run, &(1_u64,), &key(1, 1))).await;
    let fault = second.fault().await;
    assert_eq!(fault.class, "Pyroxene.SessionLost", "only two replies are kept: {fault:?}");
    second.send(&invoke_once(4, run, &(9_u64,), &key(2, 3))).await;
    assert_eq!(second.fault().await.class, "Pyroxene.SessionLost", "its caller said it was done with");
    assert_eq!(pair.journal.read(), [1, 2, 3]);
}

#[actix::test]
async fn a_daemon_that_keeps_no_replies_is_not_sent_what_is_to_run_once() {
    let pair = Pair::memory().await;
    let older = Relay::new(&pair.network, Features::SESSIONS);
    let worker = pair.worker_for(&client_over(&(Arc::clone(&older) as Arc<dyn Network>)));
    // Known beforehand, and found out when it connects.
    for id in 1..=2 {
        let CallError::NotStarted(why) = worker.run(id).once().await.unwrap_err() else { panic!() };
        let NotStarted::Unsupported { method, problem } = &why else { panic!("{why:?}") };
        assert_eq!(method, "run");
        assert!(problem.contains("keeps no replies"), "{problem}");
    }
    assert_eq!(worker.run(3).await, Ok(3), "anything else goes on");
    let later = pair.worker_for(&client_over(&pair.network));
    assert_eq!(later.run(4).once().await, Ok(4), "and so does another client");
    assert_eq!(pair.journal.read(), [3, 4]);
}

#[actix::test]
async fn a_key_without_a_session_or_that_is_not_one_is_refused() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    let run = places.of("run");
    peer.send(&invoke_once(1, run, &(1_u64,), &key(1, 1))).await;
    let fault = peer.fault().await;
    assert_eq!(fault.class, "Pyroxene.Unsupported");
    assert!(fault.message.contains("no session is open"), "{fault}");
    open_session(&mut peer).await;
    peer.send(&invoke_once(2, run, &(2_u64,), b"short")).await;
    let fault = peer.fault().await;
    assert_eq!(fault.class, "Pyroxene.Unsupported");
    peer.send(&invoke(3, run, &3_u64)).await;
    assert_eq!(peer.frame().await.unwrap().header.seq, 3, "the connection goes on");
    assert_eq!(pair.journal.read(), [3]);
}

/// Replies with a stream.
#[derive(Default)]
struct Counter;

#[pyroxene::remote]
impl Counter {
    pub fn count(&self, to: u64) -> Items<u64> {
        Items::of(0..to)
    }
}

#[actix::test]
async fn a_stream_is_not_promised_to_run_once() {
    let pair = Pair::memory().await;
    let counter = CounterProxy::from(pair.host("counter", Counter::default).await);
    let error = counter.count(3).once().await.err().unwrap();
    assert!(matches!(error, CallError::NotStarted(NotStarted::Unsupported { .. })), "{error:?}");
    assert!(counter.count(3).retry().await.is_ok());
}

#[actix::test]
async fn sessions_are_limited_and_those_in_use_are_kept() {
    let limits = Limits { sessions: 1, ..Limits::default() };
    let pair = Setup { limits, ..Setup::memory() }.pair().await;
    assert_eq!(pair.worker.run(1).once().await, Ok(1));
    let other = pair.worker_for(&pair.other_client());
    let error = other.run(2).once().timeout_ms(1_500).await.unwrap_err();
    let CallError::NotStarted(why) = &error else { panic!("{error:?}") };
    assert!(matches!(why.last(), NotStarted::Busy { .. }), "{why:?}");
    pair.client.close();
    assert_eq!(other.run(3).await, Ok(3), "calls without a key need none");
}

#[test]
fn sessions_are_announced() {
    assert!(Features::OURS.contains(Features::SESSIONS));
}
