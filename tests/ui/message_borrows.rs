use pyroxene::RemoteMessage;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "&str")]
struct Echo<'a> {
    text: &'a str,
}

fn main() {}
