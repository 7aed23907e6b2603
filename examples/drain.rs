//! A server that is replaced under load: the old daemon ends in order, the new one takes its name, and of the money that is paid in
//! meanwhile nothing is lost and nothing counted twice.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pyroxene::client::client::ClientConfig;
use pyroxene::naming::locate::LocateConfig;
use pyroxene::naming::resolve::NameResolver;
use pyroxene::object::local::LocalDaemons;
use pyroxene::{CallError, Client, Daemon, NameServer, Proxy};
use pyroxene_actors::name_server;

/// The money is elsewhere, where both daemons reach it; in a larger program that is a database.
#[derive(Clone, Default)]
struct Till(Arc<AtomicU64>);

struct Account {
    till: Till,
}

#[pyroxene::remote]
impl Account {
    /// Puts money in; says how much there is.
    pub async fn deposit(&mut self, amount: u64) -> u64 {
        // As if it asked a database: others come in meanwhile, and wait.
        tokio::task::yield_now().await;
        self.till.0.fetch_add(amount, Ordering::Relaxed) + amount
    }
}

/// A program is a process of its own, with its own client; here they are all in one.
fn client(names: &Daemon) -> Client {
    let locate = LocateConfig { server: Some(names.endpoint().clone()), ..LocateConfig::default() };
    let resolver = NameResolver { locate, ..NameResolver::default() };
    Client::new(ClientConfig { local: LocalDaemons::default(), ..ClientConfig::default() }, Arc::new(resolver))
}

/// What a server does, up to the moment where it would wait for SIGTERM by `daemon.run().await`.
async fn serve(names: &Daemon, till: &Till) -> Result<Daemon, Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let till = till.clone();
    daemon.supervise("bank.alice", move || Account { till: till.clone() }).await?;
    daemon.announce(NameServer::at(&client(names), names.endpoint())?).await?;
    Ok(daemon)
}

/// Pays in so often, one at a time. What surely did not run is tried again, and nothing else.
async fn payer(account: AccountProxy, deposits: u32) -> Result<u32, CallError> {
    let mut refused = 0;
    for _ in 0..deposits {
        while let Err(error) = account.deposit(1).await {
            match error.retry_after() {
                Some(ms) => tokio::time::sleep(std::time::Duration::from_millis(ms.into())).await,
                // For a moment nobody has the name.
                None if !error.may_have_run() => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
                None => return Err(error),
            }
            refused += 1;
        }
    }
    Ok(refused)
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    const PAYERS: u32 = 20;
    const EACH: u32 = 200;
    let names = Daemon::bind("127.0.0.1:0").await?;
    name_server::start(&names).await?;
    let till = Till::default();
    let old = serve(&names, &till).await?;

    let mut payers = Vec::new();
    for _ in 0..PAYERS {
        let account = Proxy::<Account>::connect_with(&client(&names), "PYRONAME://bank.alice").await?;
        payers.push(tokio::spawn(payer(account.into(), EACH)));
    }
    while till.0.load(Ordering::Relaxed) < u64::from(PAYERS * EACH / 2) {
        tokio::task::yield_now().await;
    }

    // This is what SIGTERM does to a daemon that is `run`: the name goes, no new calls are taken, those that were are finished, and each
    // connection hears which was the last of them.
    old.shutdown().await;
    println!("the old daemon has ended, with {} of {} paid in", till.0.load(Ordering::Relaxed), PAYERS * EACH);
    let new = serve(&names, &till).await?;

    let mut refused = 0;
    for payer in payers {
        refused += payer.await??;
    }
    let paid = till.0.load(Ordering::Relaxed);
    println!("{paid} paid in; {refused} calls did not run at first, and were made again");
    assert_eq!(paid, u64::from(PAYERS * EACH), "nothing is lost, and nothing counted twice");
    new.shutdown().await;
    names.shutdown().await;
    Ok(())
}
