//! Clients whose connections break at a bad moment.

use std::sync::Arc;

use pyroxene::transport::Network;
use pyroxene::{Client, DynProxy};

use super::flaky::{Fault, Flaky, Plan};
use super::pair::{Pair, hello_bytes, seeded_client_over};

/// A client whose connections have these fates once the handshake is through; those after the last are sound.
pub(crate) async fn over(pair: &Pair, plans: &[Plan]) -> (Client, Arc<Flaky>) {
    let hello = hello_bytes(pair).await;
    let plans = plans.iter().map(|plan| Plan { out: plan.out.map(|(at, fault)| (hello + at, fault)), ..*plan });
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), plans));
    (seeded_client_over(&(Arc::clone(&flaky) as Arc<dyn Network>)), flaky)
}

/// A client to whose first calls, over so many connections, no reply comes: each of these breaks at the first byte of one.
pub(crate) async fn loses_replies(pair: &Pair, connections: usize) -> Client {
    let back = answer_bytes(pair).await;
    // At its first byte: when there is none left to come, the connection breaks before the request is sent.
    let plan = Plan { back: Some((back + 1, Fault::Break)), ..Plan::default() };
    over(pair, &vec![plan; connections]).await.0
}

/// Bytes that come back before the first reply.
pub(crate) async fn answer_bytes(pair: &Pair) -> u64 {
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), []));
    let network = Arc::clone(&flaky) as Arc<dyn Network>;
    DynProxy::connect_with(&seeded_client_over(&network), pair.uri()).await.unwrap();
    flaky.traffic.back()
}
