//! `#[derive(RemoteObject)]` on an actix actor, with every kind of reply that actix has.

use actix::{
    Actor, ActorFutureExt, AtomicResponse, Context, Handler, Message, MessageResult, ResponseActFuture, ResponseFuture,
    WrapFuture,
};
use pyroxene::object::interface::MethodFlags;
use pyroxene::{CallError, Interface, RemoteMessage, RemoteObject};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Overdrawn, both};

/// Takes money out.
///
/// All at once.
#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Result<u64, Overdrawn>")]
struct Withdraw {
    amount: u64,
}

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
#[remote(idempotent)]
struct Balance;

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct AddLater(u64);

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Result<u64, Overdrawn>")]
struct WithdrawLater(u64);

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct WithdrawAlone(u64);

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "Vec<u64>")]
struct Wrapped(u64);

#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "()", oneway, name = "say")]
struct Remark(String);

#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "Vec<T>")]
#[serde(bound = "")]
struct Twice<T: Clone + Serialize + DeserializeOwned + Send + 'static>(T);

#[derive(RemoteObject)]
#[remote(methods(Withdraw, Balance, AddLater, WithdrawLater, WithdrawAlone, Wrapped, Remark, Twice<String>))]
struct Account {
    balance: u64,
}

impl Account {
    fn take(&mut self, amount: u64) -> Result<u64, Overdrawn> {
        self.balance = self.balance.checked_sub(amount).ok_or_else(|| Overdrawn { short: amount - self.balance })?;
        Ok(self.balance)
    }
}

impl Actor for Account {
    type Context = Context<Self>;
}

impl Handler<Withdraw> for Account {
    type Result = Result<u64, Overdrawn>;
    fn handle(&mut self, message: Withdraw, _: &mut Context<Self>) -> Self::Result {
        self.take(message.amount)
    }
}

impl Handler<Balance> for Account {
    type Result = u64;
    fn handle(&mut self, _: Balance, _: &mut Context<Self>) -> u64 {
        self.balance
    }
}

impl Handler<AddLater> for Account {
    type Result = ResponseFuture<u64>;
    fn handle(&mut self, message: AddLater, _: &mut Context<Self>) -> Self::Result {
        let balance = self.balance;
        Box::pin(async move {
            tokio::task::yield_now().await;
            balance + message.0
        })
    }
}

impl Handler<WithdrawLater> for Account {
    type Result = ResponseActFuture<Self, Result<u64, Overdrawn>>;
    fn handle(&mut self, message: WithdrawLater, _: &mut Context<Self>) -> Self::Result {
        Box::pin(tokio::task::yield_now().into_actor(self).map(move |(), account, _| account.take(message.0)))
    }
}

impl Handler<WithdrawAlone> for Account {
    type Result = AtomicResponse<Self, u64>;
    fn handle(&mut self, message: WithdrawAlone, _: &mut Context<Self>) -> Self::Result {
        let later = tokio::task::yield_now().into_actor(self).map(move |(), account, _| {
            account.balance -= message.0;
            account.balance
        });
        AtomicResponse::new(Box::pin(later))
    }
}

impl Handler<Wrapped> for Account {
    type Result = MessageResult<Wrapped>;
    fn handle(&mut self, message: Wrapped, _: &mut Context<Self>) -> Self::Result {
        MessageResult(vec![self.balance, message.0])
    }
}

impl Handler<Remark> for Account {
    type Result = ();
    fn handle(&mut self, message: Remark, _: &mut Context<Self>) {
        self.balance += message.0.len() as u64;
    }
}

impl Handler<Twice<String>> for Account {
    type Result = Vec<String>;
    fn handle(&mut self, message: Twice<String>, _: &mut Context<Self>) -> Vec<String> {
        vec![message.0.clone(), message.0]
    }
}

#[actix::test]
async fn every_kind_of_reply_arrives() {
    let (_daemon, proxies) = both(|| Account { balance: 100 }).await;
    let mut balance = 100;
    for account in proxies {
        assert_eq!(account.send(Withdraw { amount: 10 }).await, Ok(balance - 10));
        balance -= 10;
        let refused = account.send(Withdraw { amount: balance + 7 }).await;
        assert_eq!(refused, Err(CallError::Raised(Overdrawn { short: 7 })));
        assert_eq!(account.send(Balance).await, Ok(balance));
        assert_eq!(account.send(AddLater(5)).await, Ok(balance + 5));
        assert_eq!(account.send(WithdrawLater(1)).await, Ok(balance - 1));
        let refused = account.send(WithdrawLater(balance)).await;
        assert_eq!(refused, Err(CallError::Raised(Overdrawn { short: 1 })));
        assert_eq!(account.send(WithdrawAlone(2)).await, Ok(balance - 3));
        balance -= 3;
        assert_eq!(account.send(Wrapped(8)).await, Ok(vec![balance, 8]));
        account.do_send(Remark("four".into()));
        balance += 4;
        assert_eq!(account.send(Balance).await, Ok(balance));
        assert_eq!(account.send(Twice("ha".to_owned())).await, Ok(vec!["ha".to_owned(), "ha".to_owned()]));
    }
}

#[test]
fn the_table_says_what_was_derived() {
    let names: Vec<&str> = Account::METHODS.iter().map(|method| method.name).collect();
    let expected = ["withdraw", "balance", "add_later", "withdraw_later", "withdraw_alone", "wrapped", "say", "twice"];
    assert_eq!(names, expected);
    assert_eq!(Account::NAME, "Account");
    assert_eq!(Account::METHODS[0].doc, "Takes money out.");
    assert_eq!(Account::METHODS[0].flags, MethodFlags::NONE);
    assert_eq!(Account::METHODS[1].flags, MethodFlags::IDEMPOTENT);
    assert_eq!(Account::METHODS[6].flags, MethodFlags::ONEWAY);
}
