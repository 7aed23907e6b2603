use pyroxene::RemoteMessage;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, actix::Message, RemoteMessage)]
#[rtype(result = "u64")]
#[remote(oneway)]
struct Remark(String);

fn main() {}
