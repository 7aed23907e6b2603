//! The hosts that serve: a ledger that writes down what it runs, and a name server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pyroxene::daemon::placement::Here;
use pyroxene::wire::Limits;
use pyroxene::{Client, Daemon, DaemonConfig, NameServer, Restart};
use tokio::sync::Notify;

use super::history::{Event, History};
use super::mutant::Mutant;
use super::network::SimulatedNetwork;
use crate::support::pair::impatient_client;
use crate::support::worker::Refused;

/// Calls that the ledger's queue holds.
pub(super) const MAILBOX: usize = 16;

/// The object that everybody calls.
pub(super) struct Ledger {
    history: History,
    mutant: Option<Mutant>,
}

impl Ledger {
    fn begin(&self, call: u64) {
        self.history.write(Event::Began { call });
    }
}

#[pyroxene::remote]
impl Ledger {
    pub fn run(&mut self, call: u64) -> u64 {
        self.begin(call);
        call
    }

    pub fn refuse(&mut self, call: u64) -> Result<u64, Refused> {
        self.begin(call);
        Err(Refused { id: call })
    }

    pub async fn linger(&mut self, call: u64, ms: u64) -> u64 {
        self.begin(call);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        if self.mutant == Some(Mutant::NeverEndsACall) && call.is_multiple_of(10) {
            std::future::pending::<()>().await;
        }
        call
    }

    /// Stops when its caller gives it up.
    #[remote(cancellable)]
    pub async fn ponder(&mut self, call: u64, ms: u64) -> u64 {
        self.begin(call);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        call
    }

    pub fn crash(&mut self, call: u64) {
        self.begin(call);
        panic!("call {call} crashes");
    }

    #[remote(oneway)]
    pub fn note(&mut self, call: u64) {
        self.begin(call);
    }
}

/// What the server's host has besides its code; it outlives crashes.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) seed: u64,
    pub(super) history: History,
    pub(super) mutant: Option<Mutant>,
    /// Asks for an orderly restart.
    pub(super) restart: Arc<Notify>,
    pub(super) starts: Arc<AtomicU64>,
}

impl Server {
    /// Serves the ledger for ever, with orderly restarts when asked for.
    pub(super) async fn run(self) -> turmoil::Result {
        loop {
            let start = self.starts.fetch_add(1, Ordering::Relaxed);
            let deaf = self.mutant == Some(Mutant::DeafAfterRestart) && start > 0;
            let client =
                client(self.seed.wrapping_add(start), SimulatedNetwork { deaf, ..SimulatedNetwork::default() });
            let daemon = daemon(client.clone(), "server:7000").await?;
            let (history, mutant) = (self.history.clone(), self.mutant);
            let factory = move || Ledger { history: history.clone(), mutant };
            let restart = Restart::on_failure().at_most(u32::MAX).backoff_ms(1..100);
            daemon.object("ledger", factory).id("ledger").mailbox(MAILBOX).restart(restart).spawn().await?;
            let names = NameServer::at(&client, &"names:9090".parse()?)?;
            // A name server that cannot be reached is asked again.
            let announced = async {
                while daemon.announce(names.clone()).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                biased;
                () = self.restart.notified() => {}
                () = announced => {}
            }
            daemon.shutdown().await;
        }
    }
}

/// A name server, for ever.
pub(super) async fn names(seed: u64) -> turmoil::Result {
    let client = client(seed, SimulatedNetwork::default());
    // What it starts belongs to the client of its runtime.
    client.install();
    let daemon = daemon(client.clone(), "names:9090").await?;
    pyroxene_actors::name_server::start(&daemon).await?;
    std::future::pending().await
}

async fn daemon(client: Client, endpoint: &str) -> Result<Daemon, Box<dyn std::error::Error>> {
    let config = DaemonConfig {
        placement: Some(Arc::new(Here)),
        // Only simulated machines can reach it.
        insecure: true,
        drain_ms: 500,
        ..DaemonConfig::default()
    };
    Ok(Daemon::bind_with(config, client, &endpoint.parse()?).await?)
}

/// A client of a simulated host.
pub(super) fn client(seed: u64, network: SimulatedNetwork) -> Client {
    impatient_client(Arc::new(network), Some(seed), Limits::default())
}
