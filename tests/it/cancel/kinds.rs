//! What may be stopped is stopped alike, however its handler is written.

use actix::fut::{ActorFutureExt, WrapFuture};
use actix::{Actor, Context, Handler, Message, ResponseActFuture};
use pyroxene::{CallError, Proxy, RemoteMessage, RemoteObject, Unknown};
use serde::{Deserialize, Serialize};

use super::stopped::Guard;
use crate::support::pair::{Pair, settle};
use crate::support::worker::{Gate, Journal};

#[pyroxene::remote]
trait Waits {
    #[remote(cancellable)]
    async fn wait(&mut self, id: u64) -> u64;

    #[remote(cancellable)]
    async fn look(&self, id: u64) -> u64;

    fn begun(&self) -> u64;
}

struct Guest {
    journal: Journal,
    gate: Gate,
    begun: u64,
}

#[pyroxene::remote]
impl Waits for Guest {
    async fn wait(&mut self, id: u64) -> u64 {
        self.begun += 1;
        self.look(id).await
    }

    async fn look(&self, id: u64) -> u64 {
        let _guard = Guard(self.journal.clone());
        self.journal.write(id);
        self.gate.pass().await;
        id
    }

    fn begun(&self) -> u64 {
        self.begun
    }
}

#[actix::test]
async fn methods_of_a_shared_trait() {
    let pair = Pair::memory().await;
    let (journal, gate) = (pair.journal.clone(), pair.gate.clone());
    let factory = move || Guest { journal: journal.clone(), gate: gate.clone(), begun: 0 };
    let here = pair.daemon.supervise("guest", factory).await.unwrap();
    let there = Proxy::<Guest>::connect_with(&pair.client, here.uri()).await.unwrap();
    let mut begun = 0;
    for guest in [WaitsProxy::from(there), WaitsProxy::from(here)] {
        for call in [guest.wait(1), guest.wait(1)] {
            let dropped = actix_rt::spawn(call);
            settle().await;
            dropped.abort();
            begun += 1;
            assert_eq!(guest.begun().await, Ok(begun), "it was stopped, and kept its state");
        }
        let dropped = actix_rt::spawn(guest.look(2));
        settle().await;
        dropped.abort();
        let late = guest.look(3).timeout_ms(50).await;
        assert!(matches!(late, Err(CallError::Unknown(Unknown::OutOfTime { .. }))), "{late:?}");
        pair.gate.open(1);
        assert_eq!(guest.look(4).await, Ok(4));
    }
    let once = [1, 99, 1, 99, 2, 99, 3, 99, 4, 99];
    assert_eq!(pair.journal.read(), [once, once].concat());
}

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
#[remote(cancellable)]
struct Work(u64);

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Done;

/// Its future has the actor at hand when it ends.
#[derive(RemoteObject)]
#[remote(methods(Work, Done))]
struct Workshop {
    journal: Journal,
    gate: Gate,
    done: u64,
}

impl Actor for Workshop {
    type Context = Context<Self>;
}

impl Handler<Work> for Workshop {
    type Result = ResponseActFuture<Self, u64>;

    fn handle(&mut self, Work(id): Work, _: &mut Context<Self>) -> Self::Result {
        let (journal, gate) = (self.journal.clone(), self.gate.clone());
        let work = async move {
            let _guard = Guard(journal.clone());
            journal.write(id);
            gate.pass().await;
            id
        };
        Box::pin(work.into_actor(self).map(|id, workshop, _| {
            workshop.done += 1;
            id
        }))
    }
}

impl Handler<Done> for Workshop {
    type Result = u64;

    fn handle(&mut self, _: Done, _: &mut Context<Self>) -> u64 {
        self.done
    }
}

#[actix::test]
async fn a_future_with_its_actor() {
    let pair = Pair::memory().await;
    let (journal, gate) = (pair.journal.clone(), pair.gate.clone());
    let factory = move || Workshop { journal: journal.clone(), gate: gate.clone(), done: 0 };
    let here = pair.daemon.supervise("workshop", factory).await.unwrap();
    let there = Proxy::<Workshop>::connect_with(&pair.client, here.uri()).await.unwrap();
    for (round, workshop) in (1..).zip([there, here]) {
        let dropped = actix_rt::spawn(workshop.send(Work(1)));
        settle().await;
        dropped.abort();
        settle().await;
        let late = workshop.send(Work(2)).timeout_ms(50).await;
        assert!(matches!(late, Err(CallError::Unknown(Unknown::OutOfTime { .. }))), "{late:?}");
        pair.gate.open(1);
        assert_eq!(workshop.send(Work(3)).await, Ok(3));
        assert_eq!(workshop.send(Done).await, Ok(round), "what was stopped did not come to its end");
    }
    let once = [1, 99, 2, 99, 3, 99];
    assert_eq!(pair.journal.read(), [once, once].concat());
}
