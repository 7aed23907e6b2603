//! One type, `Proxy`, refers to an object wherever it is: in this process its messages go straight into the queue, elsewhere they travel.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::sync::Arc;

use pyroxene::client::client::ClientConfig;
use pyroxene::naming::resolve::NameResolver;
use pyroxene::object::local::LocalDaemons;
use pyroxene::{CallError, Client, Daemon, Proxy};

#[derive(Default)]
struct Counter {
    count: u64,
}

#[pyroxene::remote]
impl Counter {
    /// Counts on, and says how far.
    pub fn count(&mut self, by: u64) -> u64 {
        self.count += by;
        self.count
    }
}

/// Does not care where the counter is.
async fn count_to(counter: &CounterProxy, goal: u64) -> Result<u64, CallError> {
    loop {
        let reached = counter.count(1).await?;
        if reached >= goal {
            return Ok(reached);
        }
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let here = daemon.supervise("counter", Counter::default).await?;

    // A client that does not know that the daemon is in its own process, and so connects as another process would.
    let config = ClientConfig { local: LocalDaemons::default(), ..ClientConfig::default() };
    let elsewhere = Client::new(config, Arc::new(NameResolver::default()));
    let there: Proxy<Counter> = Proxy::connect_with(&elsewhere, here.uri()).await?;

    assert!(here.is_local() && !there.is_local());
    for (proxy, goal) in [(here, 1_000), (there, 2_000)] {
        let (how, start) = (if proxy.is_local() { "in this process" } else { "over TCP" }, std::time::Instant::now());
        let counter = CounterProxy::from(proxy);
        assert_eq!(count_to(&counter, goal).await?, goal);
        println!("1000 calls {how}: {:?}", start.elapsed());
    }
    daemon.shutdown().await;
    Ok(())
}
