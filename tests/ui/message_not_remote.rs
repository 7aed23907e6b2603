use actix::{Actor, Context, Handler, Message};
use pyroxene::RemoteObject;

#[derive(Message)]
#[rtype(result = "u64")]
struct Balance;

#[derive(RemoteObject)]
#[remote(methods(Balance))]
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

fn main() {}
