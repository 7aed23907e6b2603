//! Calls on a reference that has not arrived: sent at once, made as soon as the object is known, and true about what they depend on.

use std::sync::Arc;

use pyroxene::codec::budget::Budget;
use pyroxene::codec::call::NamedCall;
use pyroxene::object::outcome::{Failure, NotStarted};
use pyroxene::transport::Network;
use pyroxene::wire::{Features, Flags, FrameWriter, MessageType, Pipeline, SerializerId};
use pyroxene::{CallError, Daemon, Promise, Proxy, Unknown, args};

use crate::support::flaky::{Fault, Flaky, Plan};
use crate::support::pair::{Pair, Setup, client_over, hello_bytes, poll_once, seeded_client_over, settle};
use crate::support::raw_peer::{RawPeer, frame};
use crate::support::relay::Relay;
use crate::support::worker::{Gate, Journal, Refused, Worker, WorkerProxy};

/// Bytes of a letter that travels in pieces.
const LETTER: usize = 1_000_000;

/// Opens accounts, which are workers.
struct Bank {
    daemon: Daemon,
    journal: Journal,
    gate: Gate,
    elsewhere: Option<WorkerProxy>,
}

#[pyroxene::remote]
impl Bank {
    /// At once.
    pub async fn open(&mut self, id: u64) -> Result<WorkerProxy, Refused> {
        self.journal.write(1_000 + id);
        let (journal, gate) = (self.journal.clone(), self.gate.clone());
        let account = self.daemon.supervise(&format!("account.{id}"), move || Worker::new(&journal, &gate)).await;
        account.map(WorkerProxy::from).map_err(|_| Refused { id })
    }

    /// At once, by somebody who has much to say.
    pub async fn open_by(&mut self, id: u64, letter: String) -> Result<WorkerProxy, Refused> {
        assert_eq!(letter.len(), LETTER);
        self.open(id).await
    }

    /// When the gate is opened.
    pub async fn open_later(&mut self, id: u64) -> Result<WorkerProxy, Refused> {
        self.gate.pass().await;
        self.open(id).await
    }

    pub async fn refuse(&mut self, id: u64) -> Result<WorkerProxy, Refused> {
        self.gate.pass().await;
        Err(Refused { id })
    }

    pub async fn crash(&mut self) -> WorkerProxy {
        self.gate.pass().await;
        panic!("the bank is broke");
    }

    /// One of another daemon.
    pub async fn refer(&mut self) -> WorkerProxy {
        self.gate.pass().await;
        self.elsewhere.clone().unwrap()
    }
}

/// The bank over a connection, and in this process. References that arrive are used by the client of the pair.
async fn bank(pair: &Pair) -> (BankProxy, BankProxy) {
    pair.client.install();
    let (journal, gate, daemon) = (pair.journal.clone(), pair.gate.clone(), pair.daemon.clone());
    let other = Setup::over(Arc::clone(&pair.network)).daemon().await;
    let (theirs, their_gate) = (journal.clone(), gate.clone());
    let elsewhere = other.supervise("elsewhere", move || Worker::new(&theirs, &their_gate)).await.unwrap();
    let make = move || Bank {
        daemon: daemon.clone(),
        journal: journal.clone(),
        gate: gate.clone(),
        elsewhere: Some(WorkerProxy::from(elsewhere.clone())),
    };
    // It ends with the test.
    std::mem::forget(other);
    let here = pair.daemon.object("bank", make).id("bank").spawn().await.unwrap();
    let there = Proxy::<Bank>::connect_with(&pair.client, here.uri()).await.unwrap();
    (BankProxy::from(there), BankProxy::from(here))
}

fn bank_by(network: &Arc<dyn Network>, bank: &BankProxy) -> BankProxy {
    BankProxy::from(Proxy::<Bank>::lazy_with(&client_over(network), bank.proxy().uri().clone()))
}

#[actix::test]
async fn calls_leave_before_the_reference_has_arrived_and_run_in_their_order() {
    let pair = Pair::memory().await;
    let (bank, _) = bank(&pair).await;
    let relay = Relay::new(&pair.network, Features::default());
    let bank = bank_by(&(Arc::clone(&relay) as Arc<dyn Network>), &bank);
    assert!(bank.open(0).await.is_ok());
    relay.passed();
    let account = bank.open_later(1).pipelined();
    let mut calls: Vec<_> = (1..=20).map(|id| account.call(|account| account.run(id))).collect();
    for call in &mut calls {
        assert!(poll_once(call).await.is_pending());
    }
    settle().await;
    let passed = relay.passed();
    assert_eq!(
        (passed.out, passed.back.len()),
        (vec![MessageType::Pipeline; 21], 0),
        "all have left, and no reply has come"
    );
    pair.gate.open(1);
    for (id, call) in (1..).zip(calls) {
        assert_eq!(call.await, Ok(id));
    }
    assert_eq!(relay.passed().out.len(), 0, "nothing else was to be sent");
    // Now it is known, and called as any object is.
    let arrived = WorkerProxy::from(account.proxy().await.unwrap());
    assert_eq!(arrived.run(21).await, Ok(21));
    assert_eq!(account.call(|account| account.run(22)).await, Ok(22));
    let ran: Vec<u64> = [1_000, 1_001].into_iter().chain(1..=22).collect();
    assert_eq!(pair.journal.read(), ran);
}

#[actix::test]
async fn they_end_alike_where_they_have_to_wait_for_the_reference() {
    let pair = Pair::memory().await;
    let (there, here) = bank(&pair).await;
    let older = Relay::new(&pair.network, Features::PIPELINES);
    let older = bank_by(&(older as Arc<dyn Network>), &there);
    let lazy = bank_by(&pair.network, &there);
    for (number, bank) in (1..).zip([there, here, older, lazy]) {
        let before = pair.journal.read().len();
        let account = bank.open(number).pipelined();
        let calls: Vec<_> = (1..=10).map(|id| actix_rt::spawn(account.call(|account| account.run(id)))).collect();
        let refused = actix_rt::spawn(account.call(|account| account.refuse(11)));
        for (id, call) in (1..).zip(calls) {
            assert_eq!(call.await.unwrap(), Ok(id), "bank {number}");
        }
        assert_eq!(refused.await.unwrap(), Err(CallError::Raised(Refused { id: 11 })));
        let ran: Vec<u64> = [1_000 + number].into_iter().chain(1..=11).collect();
        assert_eq!(pair.journal.read()[before..], ran, "bank {number}");
    }
}

#[actix::test]
async fn what_depends_on_a_call_that_fails_has_not_run_and_says_why() {
    let pair = Pair::memory().await;
    let (there, here) = bank(&pair).await;
    let older = Relay::new(&pair.network, Features::PIPELINES);
    let older = bank_by(&(older as Arc<dyn Network>), &there);
    for bank in [there, here, older] {
        let promise = bank.refuse(7).pipelined();
        let (first, second) = (promise.call(|account| account.run(1)), promise.call(|account| account.run(2)));
        let (first, second) = (actix_rt::spawn(first), actix_rt::spawn(second));
        settle().await;
        pair.gate.open(1);
        for outcome in [first.await.unwrap(), second.await.unwrap(), promise.call(|account| account.run(3)).await] {
            let why = NotStarted::DependencyFailed { problem: "call 7 is refused".into() };
            assert_eq!(outcome, Err(CallError::NotStarted(why)));
        }
        assert_eq!(*promise.proxy().await.unwrap_err(), CallError::Raised(Refused { id: 7 }));

        let promise = bank.crash().pipelined();
        let call = actix_rt::spawn(promise.call(|account| account.run(4)));
        settle().await;
        pair.gate.open(1);
        let error = call.await.unwrap().unwrap_err();
        assert!(!error.may_have_run() && error.to_string().contains("the bank is broke"), "{error}");
    }
    assert!(pair.journal.read().is_empty());
}

#[actix::test]
async fn an_object_of_another_daemon_is_called_when_the_reference_has_arrived() {
    let pair = Pair::memory().await;
    let (bank, _) = bank(&pair).await;
    let account = bank.refer().pipelined();
    let call = actix_rt::spawn(account.call(|account| account.run(5)));
    settle().await;
    pair.gate.open(1);
    assert_eq!(call.await.unwrap(), Ok(5));
    assert_eq!(pair.journal.read(), [5]);
}

#[actix::test]
async fn what_is_wrong_with_a_call_is_told_as_ever() {
    let pair = Pair::memory().await;
    let (bank, _) = bank(&pair).await;
    let account = bank.open_later(1).pipelined();
    let crash = actix_rt::spawn(account.call(|account| account.crash(1)));
    let weigh = actix_rt::spawn(account.call(|account| account.weigh(2, vec![1, 2, 3])));
    settle().await;
    pair.gate.open(1);
    assert!(matches!(crash.await.unwrap(), Err(CallError::Failed(fault)) if fault.message == "call 1 crashes"));
    assert_eq!(weigh.await.unwrap(), Ok(3));
}

#[actix::test]
async fn a_call_whose_time_is_over_does_not_run_when_the_reference_comes() {
    let pair = Pair::memory().await;
    let (there, here) = bank(&pair).await;
    for (id, bank) in [(1, there), (2, here)] {
        let account = bank.open_later(id).pipelined();
        let late = account.call(|account| account.run(1)).timeout_ms(50).await.unwrap_err();
        let out_of_time = match &late {
            CallError::Unknown(Unknown::OutOfTime { method, timeout_ms: 50 }) => method == "run",
            CallError::NotStarted(NotStarted::OutOfTime { method, .. }) => method == "run",
            _ => false,
        };
        assert!(out_of_time, "{late:?}");
        pair.gate.open(1);
        assert_eq!(account.call(|account| account.run(2)).await, Ok(2));
    }
    assert_eq!(pair.journal.read(), [1_001, 2, 1_002, 2]);
}

#[actix::test]
async fn what_is_given_up_does_not_run() {
    let pair = Pair::memory().await;
    let (there, here) = bank(&pair).await;
    for (id, bank) in [(1, there), (2, here)] {
        let account = bank.open_later(id).pipelined();
        let behind = bank.open(10 + id).pipelined();
        let mut call = account.call(|account| account.run(1));
        assert!(poll_once(&mut call).await.is_pending());
        settle().await;
        drop(call);
        // Nobody wants the other account at all.
        drop(behind);
        settle().await;
        pair.gate.open(1);
        assert_eq!(account.call(|account| account.run(2)).await, Ok(2));
        settle().await;
    }
    assert_eq!(pair.journal.read(), [1_001, 2, 1_002, 2]);
}

#[actix::test]
async fn calls_that_wait_for_references_are_bounded() {
    let pair = Pair::memory().await;
    let (bank, _) = bank(&pair).await;
    let account = bank.open_later(1).pipelined();
    let mut calls: Vec<_> = (0..256).map(|id| account.call(|account| account.run(id))).collect();
    for call in &mut calls {
        assert!(poll_once(call).await.is_pending());
    }
    let error = account.call(|account| account.run(256)).await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(NotStarted::Busy { .. })), "{error:?}");
    pair.gate.open(1);
    for call in calls {
        assert!(call.await.is_ok());
    }
}

#[actix::test]
async fn a_connection_that_breaks_ends_them_truthfully() {
    let pair = Pair::memory().await;
    let (bank, _) = bank(&pair).await;
    let hello = hello_bytes(&pair).await;
    let mut broken = 0;
    // The hello to the bank is a little shorter.
    for at in (hello - 4..hello + 300).step_by(3) {
        let before = pair.journal.read().len();
        let plan = Plan { out: Some((at, Fault::Break)), ..Plan::default() };
        let flaky: Arc<dyn Network> = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
        let lazy = Proxy::<Bank>::lazy_with(&seeded_client_over(&flaky), bank.proxy().uri().clone());
        let account = BankProxy::from(lazy).open(at).pipelined();
        let calls: Vec<_> = (1..=3).map(|id| actix_rt::spawn(account.call(|account| account.run(id)))).collect();
        for (id, call) in (1..).zip(calls) {
            let ended = call.await.unwrap();
            let ran = pair.journal.read()[before..].iter().filter(|ran| **ran == id).count();
            match ended {
                Ok(_) => assert_eq!(ran, 1, "broken at {at}"),
                Err(error) if error.may_have_run() => {
                    broken += 1;
                    assert!(ran <= 1, "broken at {at}: {error}");
                }
                Err(error) => assert_eq!(ran, 0, "broken at {at}: {error}"),
            }
        }
    }
    assert!(broken > 20, "only {broken} calls have met with it");
}

#[test]
fn promises_can_be_shared_by_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<Promise<Open, Worker>>();
}

/// A message of one's own that ends with a reference.
#[derive(serde::Serialize, serde::Deserialize, actix::Message, pyroxene::RemoteMessage)]
#[rtype(result = "Result<WorkerProxy, Refused>")]
struct Open {
    id: u64,
}

fn on(seq: u16, promise: u16, call: &NamedCall) -> Vec<u8> {
    let (mut out, kind) = (Vec::new(), MessageType::Pipeline);
    let none = pyroxene::wire::CorrelationId::NONE;
    let writer = FrameWriter::begin(&mut out, kind, SerializerId::MESSAGE_PACK, Flags::default(), seq, none);
    Pipeline::On(promise).encode(&mut out);
    call.encode(SerializerId::MESSAGE_PACK, &mut out).unwrap();
    writer.finish(&mut out, u32::MAX).unwrap();
    out
}

fn promise(seq: u16, method: u8, id: u8) -> Vec<u8> {
    frame(MessageType::Pipeline, seq, |out| {
        Pipeline::Promise.encode(out);
        out.extend_from_slice(&[0, method, id]);
    })
}

async fn refused(peer: &mut RawPeer) -> NotStarted {
    match Failure::from_fault(peer.fault().await, &Budget::default()) {
        Ok(Failure::NotStarted(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[actix::test]
async fn a_peer_may_say_what_it_likes_and_is_answered_or_disconnected() {
    let pair = Pair::memory().await;
    let (bank, _) = bank(&pair).await;
    let (mut peer, welcome) = RawPeer::greet(&*pair.network, pair.daemon.endpoint(), "bank").await;
    let methods = welcome.binding.unwrap().methods;
    let place = |name: &str| methods.iter().position(|method| method.name == name).unwrap() as u8;
    let run = |id: u64| NamedCall { object: String::new(), method: "run".into(), args: args! { id: id } };
    // On nothing, on a call that is none of this kind, and on itself.
    peer.send(&on(1, 500, &run(1))).await;
    assert_eq!(refused(&mut peer).await, NotStarted::Elsewhere);
    peer.send(&on(2, 2, &run(1))).await;
    assert_eq!(refused(&mut peer).await, NotStarted::Elsewhere);
    // A promise that is broken at once, by what does not exist.
    for (seq, method, handle) in [(3, 200, 0), (4, 0, 9)] {
        peer.send(&frame(MessageType::Pipeline, seq, |out| out.extend_from_slice(&[0, handle, method, 1]))).await;
        peer.send(&on(5, seq, &run(1))).await;
        refused(&mut peer).await;
        let why = refused(&mut peer).await;
        assert!(matches!(why, NotStarted::DependencyFailed { .. }), "{why:?}");
    }
    // One that is kept, and calls on it before, and after, that are wrong in themselves.
    peer.send(&promise(6, place("open_later"), 1)).await;
    let wrong = NamedCall { object: String::new(), method: "rum".into(), args: args![] };
    peer.send(&on(7, 6, &wrong)).await;
    peer.send(&on(8, 6, &run(8))).await;
    settle().await;
    pair.gate.open(1);
    let why = refused(&mut peer).await;
    assert!(matches!(&why, NotStarted::NoSuchMethod { nearest, .. } if nearest.as_deref() == Some("run")), "{why:?}");
    assert_eq!(peer.frame().await.unwrap().header.seq, 6);
    assert_eq!(peer.frame().await.unwrap().header.seq, 8);
    peer.send(&on(9, 6, &wrong)).await;
    assert!(matches!(refused(&mut peer).await, NotStarted::NoSuchMethod { .. }));
    peer.send(&on(10, 6, &run(10))).await;
    assert_eq!(peer.frame().await.unwrap().header.seq, 10);
    assert_eq!(pair.journal.read(), [1_001, 8, 10]);
    // What says nothing at all is the last that is read.
    peer.send(&frame(MessageType::Pipeline, 11, |out| out.push(7))).await;
    assert!(peer.until_closed().await.is_none());
    assert!(bank.open(2).await.is_ok(), "nobody else has noticed");
}

#[actix::test]
async fn large_calls_travel_in_pieces_and_keep_the_order() {
    let pair = Pair::memory().await;
    let (there, here) = bank(&pair).await;
    for (bank, id) in [(&there, 1), (&here, 2)] {
        // What was said of an earlier call with the same number is of no account.
        let earlier = bank.open(10 + id).pipelined();
        assert_eq!(earlier.call(|account| account.run(1)).await, Ok(1));
        drop(earlier);
        let account = bank.open_by(id, "x".repeat(LETTER)).pipelined();
        let mut calls: Vec<_> = (2..=5).map(|id| account.call(|account| account.run(id))).collect();
        let mut large = account.call(|account| account.weigh(6, vec![1; LETTER]));
        let mut last = account.call(|account| account.run(7));
        for call in &mut calls {
            assert!(poll_once(call).await.is_pending());
        }
        assert!(poll_once(&mut large).await.is_pending());
        assert!(poll_once(&mut last).await.is_pending());
        for (id, call) in (2..).zip(calls) {
            assert_eq!(call.await, Ok(id));
        }
        assert_eq!((large.await, last.await), (Ok(LETTER as u64), Ok(7)));
        let ran = pair.journal.read();
        assert_eq!(ran[ran.len() - 8..], [1, 1_000 + id, 2, 3, 4, 5, 6, 7]);
    }
}
