//! A handler that may be stopped is stopped where it waits, once nobody waits for it.

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use pyroxene::{CallError, DynProxy, Proxy, RemoteMessage, RemoteObject, Unknown, args};
use serde::{Deserialize, Serialize};

use crate::support::pair::{Pair, settle};
use crate::support::raw_peer::{RawPeer, invoke};
use crate::support::worker::{Gate, Journal};

/// Writes down when a future of it is dropped.
pub(super) struct Guard(pub(super) Journal);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.write(99);
    }
}

struct Patient {
    journal: Journal,
    gate: Gate,
    steps: u64,
}

#[pyroxene::remote]
impl Patient {
    /// Waits for the gate.
    #[remote(cancellable)]
    pub async fn wait(&mut self, id: u64) -> u64 {
        let _guard = Guard(self.journal.clone());
        self.journal.write(id);
        self.steps += 1;
        self.gate.pass().await;
        self.steps += 100;
        id
    }

    /// The same without changing anything.
    #[remote(cancellable, idempotent)]
    pub async fn look(&self) -> u64 {
        self.gate.pass().await;
        self.steps
    }

    /// Panics when it is stopped.
    #[remote(cancellable)]
    pub async fn explode(&mut self) {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("it was stopped");
            }
        }
        let _bomb = Bomb;
        self.gate.pass().await;
    }

    pub fn steps(&self) -> u64 {
        self.steps
    }
}

async fn host(pair: &Pair) -> [PatientProxy; 2] {
    let (journal, gate) = (pair.journal.clone(), pair.gate.clone());
    let factory = move || Patient { journal: journal.clone(), gate: gate.clone(), steps: 0 };
    let here = pair.daemon.supervise("patient", factory).await.unwrap();
    let there = Proxy::<Patient>::connect_with(&pair.client, here.uri()).await.unwrap();
    [there.into(), here.into()]
}

#[actix::test]
async fn it_is_stopped_when_its_call_is_dropped_and_keeps_its_state() {
    let pair = Pair::memory().await;
    for (round, patient) in (1..).zip(&host(&pair).await) {
        let dropped = actix_rt::spawn(patient.wait(1));
        settle().await;
        let next = actix_rt::spawn(patient.steps());
        settle().await;
        assert!(!next.is_finished());
        dropped.abort();
        assert_eq!(next.await.unwrap(), Ok(round), "the object was not restarted");
    }
    assert_eq!(pair.journal.read(), [1, 99, 1, 99]);
}

#[actix::test]
async fn it_is_stopped_when_its_time_is_over() {
    let pair = Pair::memory().await;
    for patient in &host(&pair).await {
        let late = patient.wait(1).timeout_ms(50).await;
        assert!(matches!(late, Err(CallError::Unknown(Unknown::OutOfTime { timeout_ms: 50, .. }))), "{late:?}");
        settle().await;
        assert!(patient.steps().await.unwrap() > 0);
    }
    assert_eq!(pair.journal.read(), [1, 99, 1, 99]);
}

#[actix::test]
async fn it_is_stopped_when_the_connection_of_its_caller_ends() {
    let pair = Pair::memory().await;
    let [_, here] = host(&pair).await;
    let id = here.proxy().uri().to_string();
    let id = id.rsplit('/').next().unwrap();
    let (mut peer, welcome) = RawPeer::greet(&*pair.network, pair.daemon.endpoint(), id).await;
    let wait = welcome.binding.unwrap().methods.iter().position(|method| method.name == "wait").unwrap();
    peer.send(&invoke(1, wait as u8, &1u64)).await;
    settle().await;
    assert_eq!(pair.journal.read(), [1]);
    drop(peer);
    assert_eq!(here.steps().await, Ok(1));
    assert_eq!(pair.journal.read(), [1, 99]);
}

#[actix::test]
async fn it_ends_as_any_other_when_somebody_waits() {
    let pair = Pair::memory().await;
    for patient in &host(&pair).await {
        pair.gate.open(2);
        assert_eq!(patient.wait(7).await, Ok(7));
        assert!(patient.look().await.unwrap() >= 101);
    }
}

#[actix::test]
async fn a_panic_while_it_is_stopped_costs_the_state() {
    let pair = Pair::memory().await;
    let [there, here] = host(&pair).await;
    pair.gate.open(1);
    assert_eq!(there.wait(1).await, Ok(1));
    let dropped = actix_rt::spawn(there.explode());
    settle().await;
    dropped.abort();
    settle().await;
    assert_eq!(here.steps().await, Ok(0), "the factory built it anew");
}

#[actix::test]
async fn describe_tells_who_may_be_stopped() {
    let pair = Pair::memory().await;
    host(&pair).await;
    let root = DynProxy::connect_with(&pair.client, format!("PYRO://{}/Pyro.Daemon", pair.daemon.endpoint()).as_str());
    let told = root.await.unwrap().call("describe", args! { object: "patient" }).await.unwrap();
    let text = format!("{told:?}");
    assert_eq!(text.matches("cancellable").count(), 4, "{text}");
}

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
#[remote(cancellable)]
struct Later(u64);

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Now;

#[derive(RemoteObject)]
#[remote(methods(Later, Now))]
struct Clerk {
    journal: Journal,
    gate: Gate,
}

impl Actor for Clerk {
    type Context = Context<Self>;
}

impl Handler<Later> for Clerk {
    type Result = ResponseFuture<u64>;

    fn handle(&mut self, later: Later, _: &mut Context<Self>) -> Self::Result {
        let (guard, gate) = (Guard(self.journal.clone()), self.gate.clone());
        self.journal.write(later.0);
        Box::pin(async move {
            let _guard = guard;
            gate.pass().await;
            later.0
        })
    }
}

impl Handler<Now> for Clerk {
    type Result = u64;

    fn handle(&mut self, _: Now, _: &mut Context<Self>) -> u64 {
        1
    }
}

#[actix::test]
async fn so_is_a_future_that_an_actor_returned() {
    let pair = Pair::memory().await;
    let (journal, gate) = (pair.journal.clone(), pair.gate.clone());
    let clerk = pair.host("clerk", move || Clerk { journal: journal.clone(), gate: gate.clone() }).await;
    let dropped = actix_rt::spawn(clerk.send(Later(1)));
    settle().await;
    dropped.abort();
    settle().await;
    assert_eq!(pair.journal.read(), [1, 99]);
    assert_eq!(clerk.send(Now).await, Ok(1));
    pair.gate.open(1);
    assert_eq!(clerk.send(Later(2)).await, Ok(2));
}
