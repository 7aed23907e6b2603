use actix::{Actor, Context, Handler, Message};
use pyroxene::{RemoteMessage, RemoteObject};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Balance;

#[derive(RemoteObject)]
#[remote(methods(Balance))]
struct Account {
    #[remote(attr)]
    balance: u64,
}

impl Actor for Account {
    type Context = Context<Self>;
}

impl Handler<Balance> for Account {
    type Result = u64;
    fn handle(&mut self, _: Balance, _: &mut Context<Self>) -> u64 {
        self.balance
    }
}

struct Savings(u64);

#[pyroxene::remote]
impl Savings {
    #[remote(attr, name = "balance")]
    pub fn worth(&self) -> u64 {
        self.0
    }

    pub fn balance(&self) -> u64 {
        self.0
    }
}

fn main() {}
