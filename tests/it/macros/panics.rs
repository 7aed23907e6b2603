//! A handler that panics, of every kind: its caller is told what and where, and the next call reaches state that the factory made anew.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::{
    Actor, ActorFutureExt, AtomicResponse, Context, Handler, Message, MessageResult, ResponseActFuture, ResponseFuture,
    WrapFuture,
};
use pyroxene::{Call, CallError, RemoteMessage, RemoteObject, remote};
use serde::{Deserialize, Serialize};

use super::both;

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Built;

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct AtOnce;

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Vec<u64>")]
struct Wrapped;

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Later;

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct LaterWithActor;

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct LaterAlone;

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "()")]
#[remote(oneway)]
struct Unheard;

#[derive(RemoteObject)]
#[remote(methods(Built, AtOnce, Wrapped, Later, LaterWithActor, LaterAlone, Unheard))]
struct Fragile {
    built: u64,
}

impl Actor for Fragile {
    type Context = Context<Self>;
}

impl Handler<Built> for Fragile {
    type Result = u64;
    fn handle(&mut self, _: Built, _: &mut Context<Self>) -> u64 {
        self.built
    }
}

impl Handler<AtOnce> for Fragile {
    type Result = u64;
    fn handle(&mut self, _: AtOnce, _: &mut Context<Self>) -> u64 {
        panic!("at line {}", line!())
    }
}

impl Handler<Wrapped> for Fragile {
    type Result = MessageResult<Wrapped>;
    fn handle(&mut self, _: Wrapped, _: &mut Context<Self>) -> Self::Result {
        panic!("at line {}", line!())
    }
}

impl Handler<Later> for Fragile {
    type Result = ResponseFuture<u64>;
    fn handle(&mut self, _: Later, _: &mut Context<Self>) -> Self::Result {
        Box::pin(async {
            tokio::task::yield_now().await;
            panic!("at line {}", line!())
        })
    }
}

impl Handler<LaterWithActor> for Fragile {
    type Result = ResponseActFuture<Self, u64>;
    fn handle(&mut self, _: LaterWithActor, _: &mut Context<Self>) -> Self::Result {
        let later = tokio::task::yield_now().into_actor(self);
        Box::pin(later.map(|(), _, _| panic!("at line {}", line!())))
    }
}

impl Handler<LaterAlone> for Fragile {
    type Result = AtomicResponse<Self, u64>;
    fn handle(&mut self, _: LaterAlone, _: &mut Context<Self>) -> Self::Result {
        let later = tokio::task::yield_now().into_actor(self);
        AtomicResponse::new(Box::pin(later.map(|(), _, _| panic!("at line {}", line!()))))
    }
}

impl Handler<Unheard> for Fragile {
    type Result = ();
    fn handle(&mut self, _: Unheard, _: &mut Context<Self>) {
        panic!("nobody waits for this")
    }
}

struct Plain {
    built: u64,
}

#[remote]
impl Plain {
    pub fn built(&self) -> u64 {
        self.built
    }

    pub fn at_once(&mut self) -> u64 {
        panic!("at line {}", line!())
    }

    pub async fn later(&self) -> u64 {
        tokio::task::yield_now().await;
        panic!("at line {}", line!())
    }

    pub async fn later_and_alone(&mut self) -> u64 {
        self.built = 0;
        tokio::task::yield_now().await;
        panic!("at line {}", line!())
    }

    #[remote(oneway)]
    pub async fn unheard(&mut self) {
        panic!("nobody waits for this")
    }
}

#[actix::test]
async fn a_panic_in_a_handler_is_told_and_its_actor_made_anew() {
    let (_daemon, proxies) = both(numbered(|built| Fragile { built })).await;
    let mut built = 1;
    for fragile in proxies {
        let next = async || fragile.send(Built).await;
        fails(fragile.send(AtOnce), &next, &mut built).await;
        fails(fragile.send(Wrapped), &next, &mut built).await;
        fails(fragile.send(Later), &next, &mut built).await;
        fails(fragile.send(LaterWithActor), &next, &mut built).await;
        fails(fragile.send(LaterAlone), &next, &mut built).await;
        fragile.do_send(Unheard);
        built += 1;
        assert_eq!(next().await, Ok(built));
    }
}

#[actix::test]
async fn a_panic_in_a_method_is_told_and_its_object_made_anew() {
    let (_daemon, proxies) = both(numbered(|built| Plain { built })).await;
    let mut built = 1;
    for plain in proxies.map(PlainProxy::from) {
        let next = async || plain.built().await;
        fails(plain.at_once(), &next, &mut built).await;
        fails(plain.later(), &next, &mut built).await;
        fails(plain.later_and_alone(), &next, &mut built).await;
        plain.unheard();
        built += 1;
        assert_eq!(next().await, Ok(built));
    }
}

#[actix::test]
async fn calls_behind_a_panic_reach_the_new_state() {
    let (_daemon, proxies) = both(numbered(|built| Plain { built })).await;
    let mut built = 1;
    for plain in proxies.map(PlainProxy::from) {
        let (_, behind, last) = tokio::join!(told(plain.later_and_alone()), plain.built(), plain.built());
        built += 1;
        assert_eq!((behind, last), (Ok(built), Ok(built)));
    }
}

/// A factory that tells each state how many were made.
fn numbered<O>(make: impl Fn(u64) -> O + Send + 'static) -> impl Fn() -> O + Send + 'static {
    let count = AtomicU64::new(0);
    move || make(count.fetch_add(1, Ordering::Relaxed) + 1)
}

/// Makes a call whose handler panics, and then one that finds the next state.
async fn fails<M: RemoteMessage<Reply: Debug>>(
    call: Call<M>,
    next: &impl AsyncFn() -> Result<u64, CallError>,
    built: &mut u64,
) {
    told(call).await;
    *built += 1;
    assert_eq!(next().await, Ok(*built), "after {}", M::METHOD);
}

/// Makes a call whose handler panics, and checks what it is told.
async fn told<M: RemoteMessage<Reply: Debug>>(call: Call<M>) {
    let error = call.await.unwrap_err();
    let traceback = error.remote_traceback().to_vec();
    let CallError::Failed(fault) = error else { panic!("{} is not told of its panic: {error:?}", M::METHOD) };
    assert_eq!((&*fault.class, &*fault.object, &*fault.method), ("Pyroxene.Panicked", "object", M::METHOD));
    let place = format!("{}:{}:", file!(), fault.message.strip_prefix("at line ").unwrap());
    assert!(traceback[0].contains(&place) && traceback[1].contains(&place), "{traceback:#?}");
    let below = ["pyroxene::daemon::", "tokio::runtime", "actix::context"];
    assert!(!traceback.iter().any(|line| below.iter().any(|part| line.contains(part))), "{traceback:#?}");
}
