//! Objects in every style that the macros know, called in this process and over a connection.
#![allow(clippy::unwrap_used)]

mod actors;
mod adapters;
mod blocks;
mod facets;
mod panics;
mod shared;

use std::sync::Arc;

use pyroxene::client::client::{Client, ClientConfig, Resolver};
use pyroxene::object::local::LocalDaemons;
use pyroxene::object::outcome::NotStarted;
use pyroxene::transport::network::BoxFuture;
use pyroxene::uri::Uri;
use pyroxene::{Daemon, Proxy, RemoteObject, Restart};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{short} short")]
struct Overdrawn {
    short: u64,
}

/// Hosts an object: its proxy in this process, where nothing is serialized, and one that reaches it over a connection.
pub(crate) async fn both<O: RemoteObject>(factory: impl Fn() -> O + Send + 'static) -> (Daemon, [Proxy<O>; 2]) {
    let daemon = Daemon::bind("127.0.0.1:0").await.unwrap();
    let at_once = Restart::on_failure().at_most(1_000).backoff_ms(0..1);
    let here = daemon.object("object", factory).restart(at_once).spawn().await.unwrap();
    let there = Proxy::connect_with(&elsewhere(), here.uri()).await.unwrap();
    assert!(here.is_local() && !there.is_local());
    (daemon, [here, there])
}

/// A client that does not know of the daemons in this process.
fn elsewhere() -> Client {
    struct NoNames;
    impl Resolver for NoNames {
        fn resolve<'a>(&'a self, _: &'a Client, uri: &'a Uri) -> BoxFuture<'a, Result<Uri, NotStarted>> {
            Box::pin(async move {
                Err(NotStarted::Unresolved { name: uri.to_string(), problem: "there are no names here".into() })
            })
        }
    }
    Client::new(ClientConfig { local: LocalDaemons::default(), ..ClientConfig::default() }, Arc::new(NoNames))
}
