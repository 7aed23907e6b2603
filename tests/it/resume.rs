//! A connection that loses its stream goes on over another one, and nobody above notices.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::client::client::{Client, ClientConfig};
use pyroxene::object::outcome::{NotStarted, Unknown};
use pyroxene::transport::Network;
use pyroxene::wire::handshake::HANDSHAKE_VERSION;
use pyroxene::wire::{Features, Hello, Limits, MessageType, PeerLimits, Taken, Target, Ticket, Welcome};
use pyroxene::{CallError, Items, Proxy};
use tokio::task::JoinHandle;

use crate::support::claim::Claim;
use crate::support::flaky::{Fault, Flaky, Plan};
use crate::support::pair::{Pair, Setup, client_over, client_with, settle};
use crate::support::raw_peer::{RawPeer, frame, invoke};
use crate::support::worker::{Gate, Journal, Worker, WorkerProxy};

/// A network like that of the pair, which does what it is told to.
fn flaky(pair: &Pair, plans: impl IntoIterator<Item = Plan>) -> Arc<Flaky> {
    Arc::new(Flaky::new(Arc::clone(&pair.network), plans))
}

/// The worker over that network, alike in every byte that it sends but for its tickets.
fn worker_over(pair: &Pair, flaky: &Arc<Flaky>) -> WorkerProxy {
    pair.worker_for(&steady_client_over(&(Arc::clone(flaky) as Arc<dyn Network>)))
}

fn steady_client_over(network: &Arc<dyn Network>) -> Client {
    client_with(ClientConfig { network: Arc::clone(network), seed: Some(7), ..ClientConfig::default() })
}

/// A call that runs, over a network that does what it is told to.
struct Held {
    pair: Pair,
    flaky: Arc<Flaky>,
    worker: WorkerProxy,
    held: JoinHandle<Result<u64, CallError>>,
}

async fn held() -> Held {
    let pair = Pair::memory().await;
    let flaky = flaky(&pair, []);
    let worker = worker_over(&pair, &flaky);
    let held = actix_rt::spawn(worker.hold(1));
    settle().await;
    Held { pair, flaky, worker, held }
}

#[actix::test]
async fn a_call_that_runs_when_its_stream_is_lost_ends_with_its_reply() {
    let Held { pair, flaky, worker, held } = held().await;
    flaky.reset_all();
    settle().await;
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(1));
    assert_eq!(worker.run(2).await, Ok(2), "as if nothing had been");
    assert_eq!((pair.journal.read(), flaky.attempts()), (vec![1, 2], 2));
}

#[actix::test]
async fn a_reply_that_was_lost_on_its_way_is_fetched() {
    let Held { pair, flaky, held, .. } = held().await;
    // Replied while nobody is connected.
    pair.gate.open(1);
    flaky.reset_all();
    assert_eq!(held.await.unwrap(), Ok(1));
    assert_eq!(pair.journal.read(), [1]);
}

/// The calls of one conversation: one by one, together, a large one, oneways in between.
async fn converse(worker: &WorkerProxy, first: u64) -> Vec<Claim> {
    let ms = 20_000;
    let mut claims = vec![Claim::of(&worker.run(first).timeout_ms(ms).await)];
    worker.note(first + 1);
    let (one, two) = tokio::join!(worker.run(first + 2).timeout_ms(ms), worker.refuse(first + 3).timeout_ms(ms));
    worker.note(first + 4);
    let load = worker.weigh(first + 5, vec![7; 900]).timeout_ms(ms).await;
    let last = worker.run(first + 6).timeout_ms(ms).await;
    claims.extend([Claim::MayHaveRun, Claim::of(&one), Claim::of(&two), Claim::MayHaveRun]);
    claims.extend([Claim::of(&load), Claim::of(&last)]);
    claims
}

/// Has the conversation with each of these fates of its first connection: every call and every oneway runs once, in order.
async fn survives(pair: &Pair, plans: impl Iterator<Item = Plan>) -> usize {
    let (mut conversations, mut broken) = (0, 0);
    for plan in plans {
        let first = 1_000 + 7 * conversations;
        let flaky = flaky(pair, [plan]);
        let worker = worker_over(pair, &flaky);
        let claims = converse(&worker, first).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let claimed = claims.iter().filter(|claim| **claim == Claim::Ran).count();
        let expected: Vec<_> = (first..first + 7).collect();
        assert_eq!((claimed, pair.journal.since(first)), (5, expected), "{plan:?}: {claims:?}");
        broken += usize::from(flaky.attempts() > 1);
        conversations += 1;
    }
    broken
}

#[actix::test]
async fn a_conversation_whose_stream_breaks_at_any_byte_goes_on_as_if_it_had_not() {
    let pair = Pair::memory().await;
    let sound = flaky(&pair, []);
    let worker = worker_over(&pair, &sound);
    // Before that there is no connection yet.
    assert_eq!(worker.runs().await, Ok(0));
    let (hello, welcome) = (sound.traffic.out(), sound.traffic.back());
    assert_eq!(converse(&worker, 0).await.len(), 7);
    let (out, back) = (sound.traffic.out(), sound.traffic.back());
    let breaks = |at| Some((at, Fault::Break));
    let there = (hello..=out).map(|at| Plan { out: breaks(at), ..Plan::default() });
    let here = (welcome..=back).map(|at| Plan { back: breaks(at), ..Plan::default() });
    assert!(survives(&pair, there.chain(here)).await > 1_000);
}

#[actix::test]
async fn it_may_break_again_and_again() {
    let pair = Pair::memory().await;
    // The handshake of each is through, and then some.
    let plans =
        (0..200).map(|at| Plan { back: Some((1_000 + at % 97, Fault::Break)), crumbs: None, ..Plan::default() });
    let flaky = flaky(&pair, plans);
    let worker = worker_over(&pair, &flaky);
    for id in 0..2_000 {
        assert_eq!(worker.run(id).await, Ok(id));
    }
    assert_eq!(pair.journal.read(), (0..2_000).collect::<Vec<_>>());
    assert!(flaky.attempts() > 80, "{}", flaky.attempts());
}

struct Counter;

#[pyroxene::remote]
impl Counter {
    pub fn count(&self, to: u64) -> Items<u64> {
        Items::of(0..to)
    }
}

#[actix::test]
async fn a_stream_of_items_loses_none_and_repeats_none() {
    let pair = Pair::memory().await;
    let here = pair.daemon.supervise("counter", || Counter).await.unwrap();
    let plans = (0..50).map(|at| Plan { back: Some((2_000 + 3_001 * at, Fault::Break)), ..Plan::default() });
    let flaky = flaky(&pair, plans);
    let client = client_over(&(Arc::clone(&flaky) as Arc<dyn Network>));
    let there = Proxy::<Counter>::connect_with(&client, here.uri()).await.unwrap();
    let mut items = CounterProxy::from(there).count(300_000).await.unwrap();
    let mut read = 0;
    while let Some(item) = items.next().await {
        assert_eq!(item, Ok(read));
        read += 1;
    }
    assert_eq!(read, 300_000);
    assert!(flaky.attempts() > 10, "{}", flaky.attempts());
}

#[actix::test]
async fn a_large_message_that_was_cut_arrives_whole() {
    let pair = Pair::memory().await;
    let plans = [40_000, 300_000, 70_000].map(|at| Plan { out: Some((at, Fault::Break)), ..Plan::default() });
    let flaky = flaky(&pair, plans);
    let worker = worker_over(&pair, &flaky);
    assert_eq!(worker.weigh(1, vec![7; 3_000_000]).await, Ok(3_000_000));
    assert_eq!(worker.fill(2_000_000).await.map(|reply| reply.len()), Ok(2_000_000));
    assert_eq!(pair.journal.read(), [1]);
    assert!(flaky.attempts() >= 4, "{}", flaky.attempts());
}

#[actix::test]
async fn a_stream_that_breaks_within_a_large_message_costs_no_call_anything() {
    let pair = Pair::memory().await;
    let (journal, gate) = (Journal::default(), Gate::default());
    let other = {
        let (journal, gate) = (journal.clone(), gate.clone());
        pair.daemon.supervise("other", move || Worker::new(&journal, &gate)).await.unwrap().uri().clone()
    };
    // As large as what is kept for another stream allows.
    let cuts = [3_000, 64_000, 65_700, 66_000, 131_100, 400_000, 700_001];
    let plans = cuts.map(|at| {
        let (out, back) = (Some((at, Fault::Break)), Some((at, Fault::Break)));
        [Plan { out, ..Plan::default() }, Plan { back, ..Plan::default() }]
    });
    for (id, plan) in (1..).zip(plans.into_iter().flatten()) {
        let flaky = flaky(&pair, [plan]);
        let client = steady_client_over(&(Arc::clone(&flaky) as Arc<dyn Network>));
        let worker = pair.worker_for(&client);
        // It does not survive its connection, and cannot be made over another one unnoticed.
        let held = WorkerProxy::from(Proxy::<Worker>::lazy_with(&client, other.clone()));
        let held = tokio::spawn(held.hold(id));
        settle().await;
        assert_eq!(worker.weigh(id, vec![7; 900_000]).await, Ok(900_000), "{plan:?}");
        let reply = worker.fill(900_000).await.unwrap_or_else(|problem| panic!("{plan:?}: {problem}"));
        assert!(reply.len() == 900_000 && reply.iter().all(|byte| *byte == 7), "{plan:?}");
        gate.open(1);
        assert_eq!(held.await.unwrap(), Ok(id), "{plan:?}");
        assert_eq!(flaky.attempts(), 2, "{plan:?}");
    }
    assert_eq!(pair.journal.read(), journal.read());
}

#[actix::test]
async fn the_time_that_a_large_message_has_does_not_run_without_a_stream() {
    let limits = Limits { frame_ms: 2_000, ..Limits::default() };
    let pair = Setup { limits, ..Setup::memory() }.pair().await;
    let flaky = flaky(&pair, [Plan { out: Some((400_000, Fault::Break)), ..Plan::default() }]);
    let worker = worker_over(&pair, &flaky);
    // It does not survive its connection.
    let held = actix_rt::spawn(worker.hold(1));
    settle().await;
    flaky.pause();
    let weighed = actix_rt::spawn(worker.weigh(2, vec![7; 900_000]));
    tokio::time::sleep(Duration::from_secs(10)).await;
    flaky.go_on();
    settle().await;
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(1));
    assert_eq!(weighed.await.unwrap(), Ok(900_000));
}

#[actix::test]
async fn what_waits_in_a_queue_meanwhile_is_not_run_and_told_so_unless_it_was_told_to_try_again() {
    let pair = Pair::memory().await;
    let flaky = flaky(&pair, []);
    let (worker, patient) = (worker_over(&pair, &flaky), worker_over(&pair, &flaky));
    let held = actix_rt::spawn(pair.here.hold(1));
    settle().await;
    let first = actix_rt::spawn(worker.run(2));
    let second = actix_rt::spawn(worker.run(3));
    let retried = actix_rt::spawn(patient.run(4).retry());
    settle().await;
    flaky.reset_all();
    settle().await;
    assert_eq!(first.await.unwrap(), Err(CallError::NotStarted(NotStarted::Cancelled)));
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(1));
    // Nothing was sent behind it, so that it may go once more.
    assert_eq!(second.await.unwrap(), Ok(3));
    assert_eq!(retried.await.unwrap(), Ok(4));
    let ran = pair.journal.read();
    assert!(!ran.contains(&2) && ran.len() == 3, "{ran:?}");
}

#[actix::test]
async fn a_call_whose_time_is_over_meanwhile_does_not_run_later() {
    let Held { pair, flaky, worker, held } = held().await;
    flaky.pause();
    flaky.reset_all();
    settle().await;
    let late = worker.run(2).timeout_ms(500).await;
    assert!(matches!(late, Err(CallError::Unknown(Unknown::OutOfTime { .. }))), "{late:?}");
    flaky.go_on();
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(1));
    assert_eq!(worker.run(3).await, Ok(3));
    assert_eq!(pair.journal.read(), [1, 3]);
}

#[actix::test]
async fn calls_made_meanwhile_wait_and_run_in_order() {
    let Held { pair, flaky, worker, held } = held().await;
    flaky.pause();
    flaky.reset_all();
    settle().await;
    let calls: Vec<_> = (2..50).map(|id| actix_rt::spawn(worker.run(id))).collect();
    settle().await;
    flaky.go_on();
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(1));
    for (id, call) in (2..).zip(calls) {
        assert_eq!(call.await.unwrap(), Ok(id));
    }
    assert!(pair.journal.read().is_sorted());
}

#[actix::test]
async fn when_nobody_is_there_any_more_its_callers_are_told_at_once() {
    let Held { flaky, held, .. } = held().await;
    flaky.refuse();
    flaky.reset_all();
    let before = tokio::time::Instant::now();
    let lost = held.await.unwrap();
    assert!(matches!(lost, Err(CallError::Unknown(Unknown::Disconnected { .. }))), "{lost:?}");
    assert!(before.elapsed() < Duration::from_millis(10), "time stands still, and nothing had to wait for it");
}

#[actix::test]
async fn another_incarnation_of_the_daemon_knows_nothing_of_it() {
    let setup = Setup::memory();
    let pair = setup.clone().pair().await;
    let flaky = flaky(&pair, []);
    let worker = worker_over(&pair, &flaky);
    let held = actix_rt::spawn(worker.hold(1));
    settle().await;
    flaky.pause();
    flaky.reset_all();
    settle().await;
    let endpoint = pair.daemon.endpoint().clone();
    pair.gate.open(1);
    pair.daemon.shutdown().await;
    let next = Setup { endpoint, ..setup }.pair().await;
    flaky.go_on();
    let lost = held.await.unwrap();
    assert!(matches!(lost, Err(CallError::Unknown(Unknown::Disconnected { .. }))), "{lost:?}");
    assert_eq!(next.journal.read(), [0; 0]);
    assert_eq!(worker.run(2).await, Ok(2), "a new connection");
}

#[actix::test]
async fn who_does_not_come_back_in_time_is_forgotten() {
    let pair = Pair::memory().await;
    let (mut peer, ticket) = known(&pair, 5).await;
    peer.send(&invoke(0, pair.raw().await.1.of("hold"), &1_u64)).await;
    settle().await;
    drop(peer);
    tokio::time::sleep(Duration::from_millis(29_900)).await;
    let mut peer = come_back(&pair, ticket, 5, 0).await;
    assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::Resumed, "it may come back");
    drop(peer);
    tokio::time::sleep(Duration::from_millis(30_100)).await;
    let mut peer = come_back(&pair, ticket, 5, 0).await;
    assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::ConnectFail);
}

#[actix::test]
async fn nobody_else_can_take_it_over() {
    let pair = Pair::memory().await;
    let (mut peer, ticket) = known(&pair, 5).await;
    peer.send(&invoke(0, pair.raw().await.1.of("run"), &1_u64)).await;
    assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::Result);
    // Another client, another ticket, and bytes that were never sent.
    for (ticket, session, taken) in [(ticket, 6, 0), ([7; 16], 5, 0)] {
        let mut stranger = come_back(&pair, ticket, session, taken).await;
        assert_eq!(stranger.frame().await.unwrap().header.kind, MessageType::ConnectFail);
    }
    peer.send(&invoke(1, pair.raw().await.1.of("run"), &2_u64)).await;
    assert_eq!(peer.frame().await.unwrap().header.seq, 1, "it has noticed nothing");
    let mut confused = come_back(&pair, ticket, 5, 1_000_000).await;
    assert_eq!(confused.frame().await.unwrap().header.kind, MessageType::ConnectFail);
}

#[actix::test]
async fn a_peer_that_comes_back_before_its_loss_is_known_goes_on_over_the_new_stream() {
    let pair = Pair::memory().await;
    let (mut old, ticket) = known(&pair, 5).await;
    old.send(&invoke(0, pair.raw().await.1.of("run"), &1_u64)).await;
    assert_eq!(old.frame().await.unwrap().header.kind, MessageType::Result);
    let mut new = come_back(&pair, ticket, 5, 0).await;
    let resumed = new.frame().await.unwrap();
    assert_eq!(resumed.header.kind, MessageType::Resumed);
    assert!(Taken::decode(&resumed.payload).unwrap().taken > 40, "the call was taken");
    assert!(old.until_closed().await.is_none());
    // All that was ever sent comes again: it said that it had taken nothing.
    assert_eq!(new.frame().await.unwrap().header.kind, MessageType::Ticket);
    assert_eq!(new.frame().await.unwrap().header.kind, MessageType::Result);
}

#[actix::test]
async fn only_so_many_wait_at_a_time() {
    let limits = Limits { suspended: 2, ..Limits::default() };
    let pair = Setup { limits, ..Setup::memory() }.pair().await;
    let mut tickets = Vec::new();
    for session in 1..=3 {
        let (mut peer, ticket) = known(&pair, session).await;
        peer.send(&invoke(0, pair.raw().await.1.of("run"), &1_u64)).await;
        assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::Result);
        tickets.push((ticket, session));
        drop(peer);
        settle().await;
    }
    let answers = [MessageType::ConnectFail, MessageType::Resumed, MessageType::Resumed];
    for ((ticket, session), answer) in tickets.into_iter().zip(answers) {
        let mut peer = come_back(&pair, ticket, session, 0).await;
        assert_eq!(peer.frame().await.unwrap().header.kind, answer, "{session}");
    }
}

#[actix::test]
async fn a_client_that_says_goodbye_is_not_waited_for() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let pair = Setup { limits, ..Setup::memory() }.pair().await;
    for id in 1..10 {
        // Each takes the last place.
        let worker = pair.worker_for(&pair.other_client());
        assert_eq!(worker.run(id).await, Ok(id));
        drop(worker);
        settle().await;
    }
}

/// A peer that speaks of resuming, the client with this id; and the ticket of its connection.
async fn known(pair: &Pair, session: u128) -> (RawPeer, [u8; 16]) {
    let mut peer = RawPeer::connect(&*pair.network, pair.daemon.endpoint()).await;
    peer.send(&connect(Target::Name("worker".into()), session)).await;
    let welcome = Welcome::decode(&peer.frame().await.unwrap().payload).unwrap();
    assert!(welcome.features.contains(Features::RESUME));
    let ticket = peer.frame().await.unwrap();
    assert_eq!(ticket.header.kind, MessageType::Ticket);
    (peer, Ticket::decode(&ticket.payload).unwrap().ticket)
}

async fn come_back(pair: &Pair, ticket: [u8; 16], session: u128, taken: u64) -> RawPeer {
    let mut peer = RawPeer::connect(&*pair.network, pair.daemon.endpoint()).await;
    peer.send(&connect(Target::Connection { ticket, taken }, session)).await;
    peer
}

fn connect(target: Target, session: u128) -> Vec<u8> {
    let hello = Hello {
        version: HANDSHAKE_VERSION,
        target,
        features: Features::OURS,
        session,
        timeout_ms: 100_000,
        limits: PeerLimits { max_message: 1024 * 1024, in_flight: 16 },
    };
    frame(MessageType::Connect, 0, |out| hello.encode(out).unwrap())
}
