//! A call on the result of another, which costs no round trip of its own: a bank opens an account, and money is paid in before anybody has the
//! account in hands.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::sync::Arc;

use pyroxene::client::client::ClientConfig;
use pyroxene::naming::resolve::NameResolver;
use pyroxene::object::local::LocalDaemons;
use pyroxene::{CallError, Client, Daemon, NotStarted, Proxy};
use serde::{Deserialize, Serialize};

#[derive(Default)]
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

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{owner} is not welcome here")]
struct Unwelcome {
    owner: String,
}

struct Bank {
    daemon: Daemon,
}

#[pyroxene::remote]
impl Bank {
    /// Makes an account, and ends with a reference to it.
    pub async fn open(&mut self, owner: String) -> Result<AccountProxy, Unwelcome> {
        if owner == "mallory" {
            return Err(Unwelcome { owner });
        }
        let account = self.daemon.supervise(&format!("bank.{owner}"), Account::default).await;
        account.map(AccountProxy::from).map_err(|_| Unwelcome { owner })
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let for_bank = daemon.clone();
    let here = daemon.supervise("bank", move || Bank { daemon: for_bank.clone() }).await?;
    // A client that does not know that the bank is in its own process, and calls it over a connection.
    let config = ClientConfig { local: LocalDaemons::default(), ..ClientConfig::default() };
    let client = Client::new(config, Arc::new(NameResolver::default()));
    client.install();
    let bank = BankProxy::from(Proxy::<Bank>::connect_with(&client, here.uri()).await?);

    // The account is promised. The bank has not even heard of it yet, and the deposits are on their way: four calls, one round trip.
    let alice = bank.open("alice".to_owned()).pipelined();
    let deposits: Vec<_> =
        [10, 20, 30].map(|amount| tokio::spawn(alice.call(|account| account.deposit(amount)))).into();
    let mut balance = 0;
    for deposit in deposits {
        balance = deposit.await??;
        println!("alice has {balance}");
    }
    assert_eq!(balance, 60);

    // The reference arrives as any other result does, and is an ordinary proxy.
    let account = AccountProxy::from(alice.proxy().await?);
    assert_eq!(account.deposit(40).await?, 100);

    // Where there is no account, nothing was paid in: the deposit did not run, and says what it depended on.
    let mallory = bank.open("mallory".to_owned()).pipelined();
    let error = mallory.call(|account| account.deposit(1_000_000)).await.expect_err("there is no such account");
    println!("{error}");
    assert!(!error.may_have_run());
    assert!(
        matches!(&error, CallError::NotStarted(NotStarted::DependencyFailed { problem }) if problem.contains("not welcome"))
    );

    daemon.shutdown().await;
    Ok(())
}
