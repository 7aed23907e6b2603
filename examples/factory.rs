//! A factory: a method that makes an object ends with its proxy. The object has no name, only those know it who were given the reference; it
//! lives until it is told to end.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::sync::Arc;

use pyroxene::client::client::ClientConfig;
use pyroxene::naming::resolve::NameResolver;
use pyroxene::object::local::LocalDaemons;
use pyroxene::{CallError, Client, Daemon, NotStarted, Proxy};
use serde::{Deserialize, Serialize};

struct Account {
    balance: u64,
}

#[pyroxene::remote]
impl Account {
    pub fn deposit(&mut self, amount: u64) -> u64 {
        self.balance += amount;
        self.balance
    }
}

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("no account: {0}")]
struct NoAccount(String);

struct Bank {
    daemon: Daemon,
}

#[pyroxene::remote]
impl Bank {
    /// Opens an account.
    pub async fn open(&mut self, balance: u64) -> Result<AccountProxy, NoAccount> {
        let account = self.daemon.host(move || Account { balance }).spawn().await;
        account.map(AccountProxy::from).map_err(|error| NoAccount(error.to_string()))
    }

    /// Closes one.
    pub fn close(&mut self, account: AccountProxy) -> bool {
        self.daemon.end(account.proxy())
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let for_bank = daemon.clone();
    let here = daemon.supervise("bank", move || Bank { daemon: for_bank.clone() }).await?;
    // A client that does not know that the bank is in its own process, and so connects as another process would.
    let config = ClientConfig { local: LocalDaemons::default(), ..ClientConfig::default() };
    let elsewhere = Client::new(config, Arc::new(NameResolver::default()));
    elsewhere.install();
    let bank = BankProxy::from(Proxy::<Bank>::connect_with(&elsewhere, here.uri()).await?);

    let (alice, bob) = (bank.open(100).await?, bank.open(0).await?);
    println!("{} and {}", alice.proxy().uri(), bob.proxy().uri());
    assert_ne!(alice, bob);
    assert_eq!(alice.deposit(20).await?, 120);
    assert_eq!(bob.deposit(7).await?, 7);

    assert!(bank.close(alice.clone()).await?);
    let error = alice.deposit(1).await.expect_err("it is closed");
    println!("{error}");
    assert!(matches!(error, CallError::NotStarted(NotStarted::Draining { .. } | NotStarted::StaleReference { .. })));
    assert!(!bank.close(alice).await?, "it is closed already");
    assert_eq!(bob.deposit(1).await?, 8);
    daemon.shutdown().await;
    Ok(())
}
