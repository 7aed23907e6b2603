use pyroxene::RemoteMessage;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, actix::Message, RemoteMessage)]
#[rtype(result = "std::io::Result<u64>")]
struct Balance;

fn main() {}
