//! The ways to an object: addresses, connections, actors that already run.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message};
use pyroxene::daemon::introspection::{DaemonObject, Describe, Info, Ping, Registered};
use pyroxene::uri::Endpoint;
use pyroxene::{CallError, NotStarted, Proxy, RemoteMessage, RemoteObject};
use serde::{Deserialize, Serialize};

use crate::support::memory::MemoryNetwork;
use crate::support::pair::{Pair, Setup};
use crate::support::worker::{Worker, WorkerProxy};

#[actix::test]
async fn objects_of_one_daemon_share_a_connection() {
    tokio::time::pause();
    let network = MemoryNetwork::default();
    let pair = Setup::over(Arc::new(network.clone())).pair().await;
    let second = WorkerProxy::from(pair.host("second", Worker::default).await);
    let (first, second) = tokio::join!(pair.worker.run(1), second.run(2));
    assert_eq!((first, second), (Ok(1), Ok(2)));
    assert_eq!(pair.dynamic().await.call("run", pyroxene::args![3]).await, Ok(3u64.into()));
    assert_eq!(network.connected(), 1);
}

#[actix::test]
async fn an_object_is_found_by_the_name_its_daemon_was_given() {
    let pair = Pair::tcp().await;
    let uri = format!("PYROLOC://{}/worker", pair.daemon.endpoint());
    let worker = WorkerProxy::from(Proxy::<Worker>::connect_with(&pair.client, uri).await.unwrap());
    assert_eq!(worker.run(1).await, Ok(1));
    let nobody = format!("PYROLOC://{}/nobody", pair.daemon.endpoint());
    let error = Proxy::<Worker>::connect_with(&pair.client, nobody).await.unwrap_err();
    assert_eq!(error.why, NotStarted::NoSuchObject { object: "nobody".into() });
}

#[cfg(unix)]
#[actix::test]
async fn an_object_is_reached_over_a_unix_socket_whose_file_goes_with_the_daemon() {
    let path = std::env::temp_dir().join(format!("pyroxene-it-{}.sock", std::process::id()));
    let endpoint = Endpoint::unix(path.to_str().unwrap()).unwrap();
    let pair = Setup { endpoint, ..Setup::tcp() }.pair().await;
    assert!(pair.uri().to_string().starts_with("PYRO://./u:"), "{}", pair.uri());
    assert_eq!(pair.worker.run(1).await, Ok(1));
    pair.daemon.shutdown().await;
    assert!(!path.exists());
}

#[actix::test]
async fn a_proxy_in_a_message_arrives_as_a_proxy() {
    struct Relay;

    #[pyroxene::remote]
    impl Relay {
        pub async fn pass(&self, to: WorkerProxy, id: u64) -> (u64, WorkerProxy) {
            (to.run(id).await.unwrap(), to)
        }
    }

    let pair = Pair::memory().await;
    // A proxy that arrives belongs to the client of the runtime it arrives on.
    pair.client.install();
    let relay = RelayProxy::from(pair.host("relay", || Relay).await);
    let (id, back) = relay.pass(pair.worker.clone(), 4).await.unwrap();
    assert_eq!(id, 4);
    assert_eq!(back.run(5).await, Ok(5));
    assert_eq!(pair.journal.read(), [4, 5]);
}

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "u64")]
struct Add(u64);

#[derive(Serialize, Deserialize, Message, RemoteMessage)]
#[rtype(result = "()")]
struct Stop;

#[derive(RemoteObject)]
#[remote(methods(Add, Stop))]
struct Counter(u64);

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Handler<Add> for Counter {
    type Result = u64;
    fn handle(&mut self, add: Add, _: &mut Context<Self>) -> u64 {
        self.0 += add.0;
        self.0
    }
}

impl Handler<Stop> for Counter {
    type Result = ();
    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        use actix::ActorContext;
        ctx.stop();
    }
}

#[actix::test]
async fn an_actor_that_already_runs_is_called_from_afar_until_it_ends() {
    let pair = Pair::memory().await;
    let addr = Counter(10).start();
    let here = pair.daemon.export("counter", &addr).unwrap();
    let there = Proxy::<Counter>::connect_with(&pair.client, here.uri()).await.unwrap();
    assert_eq!(addr.send(Add(1)).await.unwrap(), 11);
    assert_eq!(here.send(Add(1)).await, Ok(12));
    assert_eq!(there.send(Add(1)).await, Ok(13));
    assert_eq!(there.send(Stop).await, Ok(()));
    let error = there.send(Add(1)).await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(_)), "{error:?}");
}

#[actix::test]
async fn every_daemon_tells_about_itself() {
    let pair = Pair::memory().await;
    let uri = format!("PYRO://{}/Pyro.Daemon", pair.daemon.endpoint());
    let daemon = Proxy::<DaemonObject>::connect_with(&pair.client, uri).await.unwrap();
    assert_eq!(daemon.send(Ping).await, Ok(()));
    assert_eq!(daemon.send(Registered).await.unwrap(), ["Pyro.Daemon", "worker"]);
    assert!(daemon.send(Info).await.unwrap().starts_with("Pyroxene "));
    let worker = daemon.send(Describe { object: "worker".into() }).await.unwrap();
    assert_eq!((worker.kind.as_str(), worker.state.as_str(), worker.generation), ("Worker", "running", 1));
    let note = worker.methods.iter().find(|method| method.name == "note").unwrap();
    assert!(note.oneway && note.doc == "Nobody waits for its end.", "{note:?}");
    let error = daemon.send(Describe { object: "nobody".into() }).await.unwrap_err();
    assert!(matches!(error, CallError::Raised(_)), "{error:?}");
}

#[actix::test]
async fn where_nothing_listens_the_error_says_so() {
    let pair = Pair::tcp().await;
    let uri = pair.uri();
    pair.daemon.shutdown().await;
    let error = Proxy::<Worker>::connect_with(&pair.other_client(), &uri).await.unwrap_err();
    assert!(matches!(error.why, NotStarted::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("is the daemon running?"), "{error}");
}
