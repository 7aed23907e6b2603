//! A rolling upgrade: a depot and its clients change one after the other, and all the while old and new call each other. What differs
//! travels with the names of its fields; a change that does not fit is refused before anything runs.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::sync::Arc;

use pyroxene::client::client::ClientConfig;
use pyroxene::naming::resolve::NameResolver;
use pyroxene::object::local::LocalDaemons;
use pyroxene::uri::Endpoint;
use pyroxene::{CallError, Client, Daemon, DaemonConfig, NotStarted, RemoteObject};

/// As it is everywhere in the beginning.
mod old {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub(super) struct Parcel {
        pub(super) to: String,
        pub(super) kg: u32,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Ticket {
        pub(super) text: String,
    }

    pub(super) struct Depot;

    #[pyroxene::remote]
    impl Depot {
        /// Takes a parcel.
        pub fn accept(&mut self, parcel: Parcel) -> Ticket {
            Ticket { text: format!("{} kg to {}", parcel.kg, parcel.to) }
        }
    }
}

/// Parcels may be fragile. What is new is an `Option` or has a default, so that each end can do without.
mod new {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub(super) struct Parcel {
        pub(super) to: String,
        pub(super) kg: u32,
        #[serde(default)]
        pub(super) fragile: bool,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Ticket {
        pub(super) text: String,
        pub(super) insured_for: Option<u32>,
    }

    pub(super) struct Depot;

    #[pyroxene::remote]
    impl Depot {
        /// Takes a parcel; insures it if it is fragile.
        pub fn accept(&mut self, parcel: Parcel) -> Ticket {
            let text = format!("{} kg to {}", parcel.kg, parcel.to);
            Ticket { text, insured_for: parcel.fragile.then_some(500) }
        }
    }
}

/// Somebody has replaced a field. This is not the same method any more.
mod broken {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub(super) struct Parcel {
        pub(super) to: String,
        pub(super) weight: String,
    }

    #[pyroxene::remote]
    pub(super) trait Depot {
        fn accept(&mut self, parcel: Parcel) -> crate::old::Ticket;
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let servers = Client::current();
    // The clients are other programs: they do not know that the daemon is in their own process.
    let config = ClientConfig { local: LocalDaemons::default(), ..ClientConfig::default() };
    let clients = Client::new(config, Arc::new(NameResolver::default()));
    clients.install();

    let daemon = serve(&servers, &"127.0.0.1:0".parse()?, || old::Depot).await?;
    let address = daemon.endpoint().clone();
    let uri = format!("PYROLOC://{address}/depot");
    let old_client = old::DepotProxy::connect(&uri).await?;
    let book = || old::Parcel { to: "Oslo".into(), kg: 1 };
    assert_eq!(old_client.accept(book()).await?.text, "1 kg to Oslo");
    println!("old client, old server: as ever");

    // The server is upgraded. Its old clients notice nothing; their proxies stay as good as they were.
    daemon.shutdown().await;
    let daemon = serve(&servers, &address, || new::Depot).await?;
    assert_eq!(old_client.accept(book()).await?.text, "1 kg to Oslo");
    println!("old client, new server: what it does not send has its default, what it does not know it passes over");

    // The clients follow.
    let new_client = new::DepotProxy::connect(&uri).await?;
    let vase = || new::Parcel { to: "Oslo".into(), kg: 2, fragile: true };
    assert_eq!(new_client.accept(vase()).await?.insured_for, Some(500));
    println!("new client, new server: the vase is insured");

    // The upgrade is taken back. An old depot passes over `fragile`, and its tickets do not say that the vase is insured.
    daemon.shutdown().await;
    let daemon = serve(&servers, &address, || old::Depot).await?;
    let ticket = new_client.accept(vase()).await?;
    assert_eq!(ticket, new::Ticket { text: "2 kg to Oslo".into(), insured_for: None });
    println!("new client, old server: the vase travels, and its owner sees that it is not insured");

    // A change that does not fit ends before it begins, and both sides of the story are told.
    let broken_client = broken::DepotProxy::connect(&uri).await?;
    let parcel = broken::Parcel { to: "Oslo".into(), weight: "two kilos".into() };
    let error = broken_client.accept(parcel).await.expect_err("nobody knows how many kg that is");
    println!("{error}");
    let CallError::NotStarted(NotStarted::WrongArguments { problem, signature, caller, .. }) = error else {
        return Err(error.into());
    };
    assert!(problem.contains("kg"), "{problem}");
    assert_eq!(signature, "accept(parcel: Parcel { to: text, kg: u32 }) -> Ticket { text: text }");
    let own = "accept(parcel: Parcel { to: text, weight: text }) -> Ticket { text: text }";
    assert_eq!(caller.as_deref(), Some(own));
    daemon.shutdown().await;
    Ok(())
}

/// A server of some version.
async fn serve<O: RemoteObject>(
    servers: &Client,
    at: &Endpoint,
    factory: fn() -> O,
) -> Result<Daemon, Box<dyn std::error::Error>> {
    let daemon = Daemon::bind_with(DaemonConfig::default(), servers.clone(), at).await?;
    daemon.supervise("depot", factory).await?;
    Ok(daemon)
}
