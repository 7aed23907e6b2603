//! Objects that call each other in a circle: A calls B, B calls C, and C calls A, which still waits. An object that has itself to itself until a
//! handler ends cannot answer, and the call ends at once with the way round; an actor whose handlers overlap answers.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::sync::{Arc, OnceLock};

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use pyroxene::{CallError, Daemon, NotStarted, Proxy, RemoteMessage, RemoteObject};
use serde::{Deserialize, Serialize};

/// Whom to call next; known when all are there.
type Next<P> = Arc<OnceLock<P>>;

/// A plain struct: an `async fn` of it has it to itself until it ends.
struct Clerk {
    next: Next<ClerkProxy>,
}

#[pyroxene::remote]
impl Clerk {
    /// Passes a form on so often; through how many hands it went, or which clerks wait for each other.
    pub async fn pass(&mut self, hops: u32) -> Result<u32, Stuck> {
        let Some(next) = self.next.get().filter(|_| hops > 0) else { return Ok(1) };
        match next.pass(hops - 1).await {
            Ok(hands) => Ok(hands + 1),
            Err(CallError::Raised(stuck)) => Err(stuck),
            Err(CallError::NotStarted(NotStarted::Deadlock { chain })) => Err(Stuck(chain)),
            Err(error) => Err(Stuck(vec![error.to_string()])),
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("they wait for each other: {0:?}")]
struct Stuck(Vec<String>);

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Result<u32, Stuck>")]
struct Pass {
    hops: u32,
}

/// An actor that returns futures: while one of them waits, it takes the next call.
#[derive(RemoteObject)]
#[remote(methods(Pass))]
struct Runner {
    next: Next<Proxy<Runner>>,
}

impl Actor for Runner {
    type Context = Context<Self>;
}

impl Handler<Pass> for Runner {
    type Result = ResponseFuture<Result<u32, Stuck>>;

    fn handle(&mut self, Pass { hops }: Pass, _: &mut Context<Self>) -> Self::Result {
        let next = self.next.get().filter(|_| hops > 0).cloned();
        Box::pin(async move {
            let Some(next) = next else { return Ok(1) };
            match next.send(Pass { hops: hops - 1 }).await {
                Ok(hands) => Ok(hands + 1),
                Err(error) => Err(Stuck(vec![error.to_string()])),
            }
        })
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let names = ["a", "b", "c"];

    let ring = names.map(|_| Next::<ClerkProxy>::default());
    let mut clerks = Vec::new();
    for (name, next) in names.into_iter().zip(&ring) {
        let next = Arc::clone(next);
        let clerk = daemon.supervise(name, move || Clerk { next: Arc::clone(&next) }).await?;
        clerks.push(ClerkProxy::from(clerk));
    }
    for (at, next) in ring.iter().enumerate() {
        let _ = next.set(clerks[(at + 1) % clerks.len()].clone());
    }
    assert_eq!(clerks[0].pass(2).await?, 3, "A to B to C is no circle");
    let error = clerks[0].pass(3).await.expect_err("C calls A, which waits for B, which waits for C");
    println!("{error}");
    assert_eq!(error, CallError::Raised(Stuck(["a", "b", "c", "a"].map(str::to_owned).into())));
    assert_eq!(clerks[0].pass(1).await?, 2, "nobody is stuck");

    let ring = names.map(|_| Next::<Proxy<Runner>>::default());
    let mut runners = Vec::new();
    for (name, next) in names.into_iter().zip(&ring) {
        let next = Arc::clone(next);
        runners.push(daemon.supervise(&format!("runner.{name}"), move || Runner { next: Arc::clone(&next) }).await?);
    }
    for (at, next) in ring.iter().enumerate() {
        let _ = next.set(runners[(at + 1) % runners.len()].clone());
    }
    let hands = runners[0].send(Pass { hops: 30 }).await?;
    println!("{hands} hands, ten times round");
    assert_eq!(hands, 31);

    daemon.shutdown().await;
    Ok(())
}
