//! Connections that look for more before they sleep.

use std::sync::Arc;

use pyroxene::client::client::ClientConfig;
use pyroxene::transport::Network;
use pyroxene::wire::{Frame, MessageType};
use pyroxene::{DaemonConfig, Proxy, Spin};

use crate::support::memory::MemoryNetwork;
use crate::support::pair::{Pair, Setup, client_with};
use crate::support::raw_peer::{RawPeer, SPOKEN, frame};
use crate::support::worker::{Worker, WorkerProxy};

/// The worker of this pair for a client that spins.
async fn worker(pair: &Pair, spin: Spin) -> WorkerProxy {
    let config = ClientConfig { network: Arc::clone(&pair.network), spin, ..ClientConfig::default() };
    WorkerProxy::from(Proxy::<Worker>::connect_with(&client_with(config), pair.uri()).await.unwrap())
}

#[actix::test]
async fn calls_end_as_they_do_without() {
    for spin in [Spin::On, Spin::Auto] {
        let pair = Pair::tcp().await;
        let worker = worker(&pair, spin).await;
        for id in 0..200 {
            worker.run(id).await.unwrap();
        }
        let refused = worker.refuse(200).await;
        assert!(refused.is_err(), "{refused:?}");
        assert_eq!(worker.weigh(201, vec![1; 3_000_000]).await, Ok(3_000_000));
        assert_eq!(pair.journal.read().len(), 202);
    }
}

#[actix::test]
async fn who_waits_long_sleeps() {
    let pair = Setup::memory().pair().await;
    let worker = worker(&pair, Spin::On).await;
    // The clock goes on only once everybody sleeps.
    let start = tokio::time::Instant::now();
    assert!(worker.hold(1).timeout_ms(5_000).await.is_err());
    assert!(start.elapsed().as_millis() >= 5_000);
}

/// What a peer made by hand offers.
struct Thing;

#[pyroxene::remote]
impl Thing {
    pub fn run(&self, id: u64) -> u64 {
        id
    }
}

/// Callers, and how often each calls.
const CALLERS: (usize, u64) = (32, 100);

#[actix::test]
async fn who_would_wait_for_the_replies_to_all_its_calls_takes_them_in_two_portions() {
    let network: Arc<dyn Network> = Arc::new(MemoryNetwork::default());
    let (uri, accepted) = RawPeer::offer(&*network, SPOKEN, &[("run", 0)]).await;
    let client = client_with(ClientConfig { network, spin: Spin::On, ..ClientConfig::default() });
    let connect = actix_rt::spawn(async move { Proxy::<Thing>::connect_with(&client, uri).await.unwrap() });
    let mut peer = accepted.await;
    let thing = ThingProxy::from(connect.await.unwrap());
    let callers: Vec<_> = (0..CALLERS.0)
        .map(|_| {
            let thing = thing.clone();
            actix_rt::spawn(async move {
                for id in 0..CALLERS.1 {
                    assert_eq!(thing.run(id).await, Ok(id));
                }
            })
        })
        .collect();
    let mut reads = 0;
    for _ in 0..CALLERS.1 {
        let mut calls = Vec::new();
        while calls.len() < CALLERS.0 {
            calls.extend(peer.read().await);
            reads += 1;
        }
        // It works, while the other end looks whether it is done.
        for _ in 0..12 {
            tokio::task::yield_now().await;
        }
        // The argument, one byte, which is the value as well.
        let reply = |call: &Frame| frame(MessageType::Result, call.header.seq, |out| out.extend(call.payload.last()));
        peer.send(&calls.iter().flat_map(reply).collect::<Vec<u8>>()).await;
    }
    // What has come is not lost with it, be it taken or not.
    drop(peer);
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(reads > CALLERS.1, "{reads} reads for {} times all the calls", CALLERS.1);
}

#[test]
fn it_is_off_unless_somebody_says_so() {
    assert_eq!((ClientConfig::default().spin, DaemonConfig::default().spin), (Spin::Off, Spin::Off));
}
