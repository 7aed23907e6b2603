//! Calls that carry streams in every shape: actix messages, other signatures, large arguments, through what breaks.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use pyroxene::transport::Network;
use pyroxene::{CallError, Items, NotStarted, Proxy, RemoteMessage, RemoteObject, Unknown};
use serde::{Deserialize, Serialize};

use super::scribe::Desk;
use crate::support::flaky::{Fault, Flaky, Plan};
use crate::support::pair::{Pair, poll_once, seeded_client_over, settle};

/// How an actor takes a stream: as a field of its message.
#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Load {
    title: String,
    numbers: Items<u64>,
}

#[derive(Default, RemoteObject)]
#[remote(methods(Load))]
struct Loader;

impl Actor for Loader {
    type Context = Context<Self>;
}

impl Handler<Load> for Loader {
    type Result = ResponseFuture<u64>;

    fn handle(&mut self, message: Load, _: &mut Context<Self>) -> Self::Result {
        let Load { title, mut numbers } = message;
        Box::pin(async move {
            let mut sum = title.len() as u64;
            while let Some(Ok(number)) = numbers.next().await {
                sum += number;
            }
            sum
        })
    }
}

#[actix::test]
async fn an_actor_takes_a_stream_in_its_message() {
    let pair = Pair::memory().await;
    let there = pair.host("loader", Loader::default).await;
    assert!(!there.is_local());
    let load = |bytes: usize| Load { title: "t".repeat(bytes), numbers: Items::of([1, 2, 3]) };
    assert_eq!(there.send(load(5)).await, Ok(11));
    // The call itself goes in chunks.
    assert_eq!(there.send(load(1_000_000)).await, Ok(1_000_006));
    let other = there.clone();
    let calls: Vec<_> = (0..10_usize)
        .map(|n| {
            let other = other.clone();
            actix_rt::spawn(async move {
                other.send(Load { title: "t".repeat(n * 50_000), numbers: Items::of(0..1_000) }).await
            })
        })
        .collect();
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap(), Ok(n as u64 * 50_000 + 499_500));
    }
}

/// The scribe as those know it who have another signature of its methods.
#[derive(Default)]
struct Otherwise;

#[pyroxene::remote]
impl Otherwise {
    pub async fn sum(&self, numbers: Items<u32>) -> u64 {
        drop(numbers);
        0
    }

    pub fn keep(&mut self, numbers: Vec<u64>) -> u64 {
        numbers.len() as u64
    }

    pub fn ping(&self, n: Items<u64>) -> u64 {
        drop(n);
        0
    }
}

#[actix::test]
async fn streams_pass_between_ends_that_know_the_method_otherwise() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    let uri = desk.here.proxy().uri().clone();
    let otherwise = OtherwiseProxy::from(Proxy::<Otherwise>::connect_with(&pair.client, uri).await.unwrap());
    // By name, since the signatures differ.
    assert_eq!(otherwise.sum(Items::of(0..10_000_u32)).await, Ok(49_995_000));
    assert_eq!(desk.ends.take(), [None]);
    // A list for a stream is all of its items.
    assert_eq!(otherwise.keep(vec![3, 4]).await, Ok(1));
    settle().await;
    assert_eq!(desk.ends.take(), [None]);
    // A stream for a number is none.
    let ended = otherwise.ping(desk.numbers(3)).await;
    assert!(matches!(ended, Err(CallError::NotStarted(NotStarted::WrongArguments { .. }))), "{ended:?}");
    settle().await;
    assert_eq!((desk.meter.made(), desk.meter.alive()), (0, 0));
}

#[actix::test]
async fn wherever_the_connection_breaks_the_ends_of_call_and_stream_are_true() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    let hello = crate::support::pair::hello_bytes(&pair).await;
    let uri = desk.here.proxy().uri().clone();
    let n = 5_000_u64;
    for cut in (0..200).step_by(7).chain([1_000, 5_000, 9_000, 15_000]) {
        for plan in [
            Plan { out: Some((hello + cut, Fault::Break)), ..Plan::default() },
            Plan { back: Some((cut + 60, Fault::Break)), ..Plan::default() },
        ] {
            let flaky: Arc<dyn Network> = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan; 4]));
            let there = Proxy::<super::scribe::Scribe>::lazy_with(&seeded_client_over(&flaky), uri.clone());
            let scribe = super::scribe::ScribeProxy::from(there);
            let made = desk.meter.made();
            let ended = scribe.sum(desk.numbers(n)).await;
            settle().await;
            let (ends, made) = (desk.ends.take(), desk.meter.made() - made);
            match &ended {
                Ok(sum) => assert_eq!((*sum, &ends[..]), (n * (n - 1) / 2, &[None][..])),
                Err(CallError::NotStarted(_)) => assert_eq!((ends.len(), made), (0, 0), "{plan:?}"),
                Err(CallError::Unknown(Unknown::Disconnected { .. })) => {
                    assert!(ends.len() <= 1 && (ends != [None] || made == n), "{ends:?} after {plan:?}");
                }
                other => panic!("{other:?} after {plan:?}"),
            }
            assert_eq!(desk.meter.alive(), 0, "{plan:?}");
        }
    }
}

#[actix::test]
async fn a_large_call_that_is_given_up_half_sent_takes_its_streams_along() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    let hello = crate::support::pair::hello_bytes(&pair).await;
    let there = pair.host("loader", Loader::default).await;
    let plan = Plan { out: Some((hello + 100_000, Fault::Stall)), ..Plan::default() };
    let flaky: Arc<dyn Network> = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
    let stalled = Proxy::<Loader>::connect_with(&seeded_client_over(&flaky), there.uri().clone()).await.unwrap();
    for late in [false, true] {
        let load = Load { title: "t".repeat(1_000_000), numbers: desk.numbers(3) };
        let mut call = stalled.send(load).timeout_ms(1_000);
        assert!(poll_once(&mut call).await.is_pending());
        settle().await;
        assert_eq!((desk.meter.made(), desk.meter.alive()), (0, 1));
        if late {
            let ended = call.await;
            assert!(matches!(ended, Err(CallError::NotStarted(NotStarted::OutOfTime { .. }))), "{ended:?}");
        } else {
            drop(call);
        }
        settle().await;
        assert_eq!(desk.meter.alive(), 0);
    }
    assert_eq!(there.send(Load { title: String::new(), numbers: Items::of([1]) }).await, Ok(1));
}
