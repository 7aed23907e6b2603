use actix::{Actor, Context, Message};
use pyroxene::{RemoteMessage, RemoteObject};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Balance;

#[derive(RemoteObject)]
#[remote(methods(Balance))]
struct Account;

impl Actor for Account {
    type Context = Context<Self>;
}

fn main() {}
