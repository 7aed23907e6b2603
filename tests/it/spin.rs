//! Connections that look for more before they sleep.

use std::sync::Arc;

use pyroxene::client::client::ClientConfig;
use pyroxene::{DaemonConfig, Proxy, Spin};

use crate::support::pair::{Pair, Setup, client_with};
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

#[test]
fn it_is_off_unless_somebody_says_so() {
    assert_eq!((ClientConfig::default().spin, DaemonConfig::default().spin), (Spin::Off, Spin::Off));
}
