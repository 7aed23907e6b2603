//! Many calls in one frame: a till that books a whole day at once, and a transfer that stops at the first fault.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::sync::Arc;

use pyroxene::client::client::ClientConfig;
use pyroxene::naming::resolve::NameResolver;
use pyroxene::object::local::LocalDaemons;
use pyroxene::{CallError, Client, Daemon, NotStarted, Proxy};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{short} short")]
struct Overdrawn {
    short: u64,
}

#[derive(Default)]
struct Till {
    coins: u64,
    receipts: u64,
}

#[pyroxene::remote]
impl Till {
    /// Puts coins in; how many there are now.
    pub fn put(&mut self, coins: u64) -> u64 {
        self.coins += coins;
        self.coins
    }

    /// Takes coins out; how many are left.
    pub fn take(&mut self, coins: u64) -> Result<u64, Overdrawn> {
        self.coins = self.coins.checked_sub(coins).ok_or(Overdrawn { short: coins - self.coins })?;
        Ok(self.coins)
    }

    /// The number of the next receipt.
    pub fn receipt(&mut self) -> u64 {
        self.receipts += 1;
        self.receipts
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let here = daemon.supervise("shop.till", Till::default).await?;
    // A client that does not know that the till is in its own process, and calls it over a connection.
    let config = ClientConfig { local: LocalDaemons::default(), ..ClientConfig::default() };
    let client = Client::new(config, Arc::new(NameResolver::default()));
    let till = TillProxy::from(Proxy::<Till>::connect_with(&client, here.uri()).await?);

    // A day's sales: five hundred calls, one frame there and one back.
    let sums = till.proxy().batch().add_all((1..=500).map(|coins| till.put(coins))).send().await;
    println!("{} sales were booked, and there are {:?} coins", sums.len(), sums.last());
    assert_eq!(sums.len(), 500);
    assert_eq!(sums.last(), Some(&Ok(125_250)));

    // Calls of different methods, each with an outcome of its own type. One that fails is no end to the others.
    let (taken, receipt) = till.proxy().batch().add(till.take(1_000_000)).add(till.receipt()).send().await;
    println!("{taken:?}, and receipt {receipt:?} all the same");
    assert_eq!(taken, Err(CallError::Raised(Overdrawn { short: 874_750 })));
    assert_eq!(receipt, Ok(1));

    // Here it is to be the end: no coins, no receipt.
    let transfer = till.proxy().batch().stop_at_fault();
    let (taken, receipt) = transfer.add(till.take(1_000_000)).add(till.receipt()).send().await;
    println!("{taken:?}, and then {receipt:?}");
    assert!(taken.is_err());
    assert_eq!(receipt, Err(CallError::NotStarted(NotStarted::Skipped)));
    assert_eq!(till.receipt().await?, 2, "the one that was skipped has no number");

    daemon.shutdown().await;
    Ok(())
}
