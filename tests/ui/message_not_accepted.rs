use actix::{Actor, Context, Handler, Message};
use pyroxene::{Proxy, RemoteMessage, RemoteObject};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Balance;

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Pin;

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "()")]
struct Close;

#[derive(RemoteObject)]
#[remote(methods(Balance, Close))]
struct Account;

impl Actor for Account {
    type Context = Context<Self>;
}

impl Handler<Balance> for Account {
    type Result = u64;
    fn handle(&mut self, _: Balance, _: &mut Context<Self>) -> u64 {
        1
    }
}

impl Handler<Close> for Account {
    type Result = ();
    fn handle(&mut self, _: Close, _: &mut Context<Self>) {}
}

fn steal(account: &Proxy<Account>) {
    account.do_send(Pin);
}

fn main() {}
