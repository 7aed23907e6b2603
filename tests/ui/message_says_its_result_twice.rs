use pyroxene::RemoteMessage;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, actix::Message, RemoteMessage)]
#[rtype(result = "u64")]
#[remote(returns = "u64")]
struct Balance;

fn main() {}
