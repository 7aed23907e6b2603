//! An actor and messages as any actix program has them, made callable from afar: `RemoteMessage` on each message (which serde must be able to
//! write and read), `RemoteObject` on the actor. Nothing else changes.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use pyroxene::{Daemon, Proxy, RemoteMessage, RemoteObject};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Result<u64, Overdrawn>")]
struct Withdraw {
    amount: u64,
}

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
#[remote(idempotent)]
struct Balance;

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{short} short")]
struct Overdrawn {
    short: u64,
}

/// Not for others: a message that is not listed cannot be sent from afar.
#[derive(Message)]
#[rtype(result = "()")]
struct PayInterest;

#[derive(RemoteObject)]
#[remote(methods(Withdraw, Balance))]
struct Account {
    balance: u64,
}

impl Actor for Account {
    type Context = Context<Self>;
}

impl Handler<Withdraw> for Account {
    type Result = Result<u64, Overdrawn>;

    fn handle(&mut self, Withdraw { amount }: Withdraw, _: &mut Context<Self>) -> Self::Result {
        let short = amount.saturating_sub(self.balance);
        self.balance = self.balance.checked_sub(amount).ok_or(Overdrawn { short })?;
        Ok(self.balance)
    }
}

impl Handler<Balance> for Account {
    // Every kind of reply that actix has works from afar too.
    type Result = ResponseFuture<u64>;

    fn handle(&mut self, _: Balance, _: &mut Context<Self>) -> Self::Result {
        let balance = self.balance;
        Box::pin(async move { balance })
    }
}

impl Handler<PayInterest> for Account {
    type Result = ();

    fn handle(&mut self, _: PayInterest, _: &mut Context<Self>) {
        self.balance += self.balance / 10;
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;

    // An actor that runs already is exported: its address goes on working here, its proxy works anywhere.
    let account = Account { balance: 100 }.start();
    let exported = daemon.export("bank.alice", &account)?;
    account.send(PayInterest).await?;
    assert_eq!(account.send(Balance).await?, 110);
    let proxy: Proxy<Account> = Proxy::connect(exported.uri()).await?;
    assert_eq!(proxy.send(Withdraw { amount: 10 }).await?, 100);
    println!("withdrew 10 through the proxy; the actor has {} left", account.send(Balance).await?);

    // One that is supervised is started by the daemon, and again when it panics: that needs a factory instead of a value.
    let bob = daemon.supervise("bank.bob", || Account { balance: 50 }).await?;
    assert_eq!(bob.send(Balance).await?, 50);
    daemon.shutdown().await;
    Ok(())
}
