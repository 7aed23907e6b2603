use pyroxene::RemoteMessage;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, actix::Message, RemoteMessage)]
#[rtype(result = "u64")]
#[remote(idempotnet)]
struct Balance;

fn main() {}
