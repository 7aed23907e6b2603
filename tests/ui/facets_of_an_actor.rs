use pyroxene::{RemoteMessage, RemoteObject, remote};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "()")]
struct Ping;

#[remote]
trait Teller {
    fn pay_in(&mut self, amount: u64) -> u64;
}

#[derive(RemoteObject)]
#[remote(methods(Ping), facets(Teller))]
struct Till {
    #[remote(attr)]
    balance: u64,
}

fn main() {}
