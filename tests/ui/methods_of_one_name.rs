use actix::{Actor, Context, Handler, Message};
use pyroxene::{RemoteMessage, RemoteObject};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Balance;

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
#[remote(name = "balance")]
struct Total;

#[derive(RemoteObject)]
#[remote(methods(Balance, Total))]
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

impl Handler<Total> for Account {
    type Result = u64;
    fn handle(&mut self, _: Total, _: &mut Context<Self>) -> u64 {
        2
    }
}

fn main() {}
