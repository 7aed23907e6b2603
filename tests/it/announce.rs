//! Names that daemons keep registered.

use std::sync::Arc;

use pyroxene::naming::NamingError;
use pyroxene::naming::locate::LocateConfig;
use pyroxene::naming::resolve::NameResolver;
use pyroxene::{CallError, Client, ClientConfig, Daemon, NameServer, Proxy, ServeError};
use tokio::time::Instant;

use crate::support::pair::{Setup, client_over};
use crate::support::worker::{Gate, Journal, Worker};

/// A daemon with an object `worker`, and the name server as its own client sees it.
async fn server(setup: &Setup, names: &Daemon) -> (Daemon, NameServer, Proxy<Worker>) {
    let daemon = setup.daemon().await;
    let factory = || Worker::new(&Journal::default(), &Gate::default());
    let worker = daemon.supervise("worker", factory).await.unwrap();
    let server = NameServer::at(&client_over(&setup.network), names.endpoint()).unwrap();
    (daemon, server, worker)
}

#[actix::test]
async fn a_restarted_server_gets_its_name_back_when_the_lease_of_the_crashed_one_is_over() {
    let setup = Setup::memory();
    let names = setup.daemon().await;
    pyroxene_actors::name_server::start(&names).await.unwrap();
    let (crashed, ns, _) = server(&setup, &names).await;
    crashed.announce(ns).await.unwrap();
    // Without a farewell.
    drop(crashed);

    let (daemon, ns, worker) = server(&setup, &names).await;
    let begun = Instant::now();
    daemon.announce(ns.clone()).await.unwrap();
    assert!(begun.elapsed().as_secs() <= 16, "a lease and a second");
    assert_eq!(&ns.resolve("worker").await.unwrap(), worker.uri());
}

#[actix::test]
async fn a_server_that_lives_keeps_its_name_and_the_other_one_is_told_at_once() {
    let setup = Setup::memory();
    let names = setup.daemon().await;
    pyroxene_actors::name_server::start(&names).await.unwrap();
    let (first, ns, worker) = server(&setup, &names).await;
    first.announce(ns.clone()).await.unwrap();

    let (second, other, _) = server(&setup, &names).await;
    let begun = Instant::now();
    let refused = second.announce(other).await.unwrap_err();
    let ServeError::Register {
        name,
        why: CallError::Raised(NamingError::NotOwner { .. } | NamingError::NameTaken { .. }),
    } = refused
    else {
        panic!("{refused}");
    };
    assert_eq!((name.as_str(), begun.elapsed().as_secs()), ("worker", 0));
    assert_eq!(&ns.resolve("worker").await.unwrap(), worker.uri());
}

#[actix::test]
async fn a_daemon_that_ends_in_order_takes_its_names_away() {
    let setup = Setup::memory();
    let names = setup.daemon().await;
    pyroxene_actors::name_server::start(&names).await.unwrap();
    let (daemon, ns, _) = server(&setup, &names).await;
    daemon.announce(ns.clone()).await.unwrap();
    daemon.shutdown().await;
    assert!(matches!(ns.resolve("worker").await, Err(CallError::Raised(NamingError::UnknownName { .. }))));
}

#[actix::test]
async fn an_object_that_is_hosted_later_is_announced_as_well() {
    let setup = Setup::memory();
    let names = setup.daemon().await;
    pyroxene_actors::name_server::start(&names).await.unwrap();
    let (daemon, ns, _) = server(&setup, &names).await;
    daemon.announce(ns.clone()).await.unwrap();
    let factory = || Worker::new(&Journal::default(), &Gate::default());
    let later = daemon.supervise("later", factory).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    assert_eq!(&ns.resolve("later").await.unwrap(), later.uri());
}

#[actix::test]
async fn the_client_of_the_runtime_says_where_the_name_server_is() {
    let setup = Setup::memory();
    let names = setup.daemon().await;
    let started = pyroxene_actors::name_server::start(&names).await.unwrap();
    let locate = LocateConfig { server: Some(names.endpoint().clone()), ..LocateConfig::default() };
    let resolver = NameResolver { locate, ..NameResolver::default() };
    let config = ClientConfig { network: Arc::clone(&setup.network), ..ClientConfig::default() };
    let client = Client::new(config, Arc::new(resolver));
    client.install();
    assert_eq!(NameServer::locate().await.unwrap().uri(), started.uri());
}
