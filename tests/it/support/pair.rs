//! A daemon with one object, and a client that reaches it over a connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use pyroxene::client::client::{Client, ClientConfig, Resolver};
use pyroxene::daemon::placement::Here;
use pyroxene::daemon::spawn::Spawn;
use pyroxene::naming::resolve::NameResolver;
use pyroxene::object::interface::Interface;
use pyroxene::object::local::LocalDaemons;
use pyroxene::object::outcome::NotStarted;
use pyroxene::transport::network::BoxFuture;
use pyroxene::transport::{Network, SystemNetwork};
use pyroxene::uri::{Endpoint, Uri};
use pyroxene::wire::{BoundMethod, Limits, Welcome};
use pyroxene::{Daemon, DaemonConfig, DynProxy, Proxy, RemoteObject, Restart, SpawnError};

use super::flaky::Flaky;
use super::memory::MemoryNetwork;
use super::raw_peer::RawPeer;
use super::worker::{Gate, Journal, Worker, WorkerProxy};

/// The daemon and its [`Worker`], which has the id and the name `worker`.
pub(crate) struct Pair {
    pub(crate) daemon: Daemon,
    /// Reaches the daemon over a connection only.
    pub(crate) client: Client,
    /// The worker over a connection.
    pub(crate) worker: WorkerProxy,
    /// The worker in this process.
    pub(crate) here: WorkerProxy,
    pub(crate) journal: Journal,
    pub(crate) gate: Gate,
    pub(crate) network: Arc<dyn Network>,
}

/// How a [`Pair`] is to be.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) network: Arc<dyn Network>,
    pub(crate) endpoint: Endpoint,
    pub(crate) limits: Limits,
    pub(crate) mailbox: usize,
    pub(crate) restart: Restart,
    pub(crate) drain_ms: u32,
}

impl Setup {
    /// Over this network.
    pub(crate) fn over(network: Arc<dyn Network>) -> Setup {
        Setup {
            network,
            endpoint: "127.0.0.1:0".parse().unwrap(),
            limits: Limits::default(),
            mailbox: 2_048,
            restart: Restart::on_failure(),
            drain_ms: 10_000,
        }
    }

    /// Within the process; time stands still while anything can be done, and then jumps.
    pub(crate) fn memory() -> Setup {
        tokio::time::pause();
        Setup::over(Arc::new(MemoryNetwork::default()))
    }

    /// Over TCP on the loopback interface.
    pub(crate) fn tcp() -> Setup {
        Setup::over(Arc::new(SystemNetwork))
    }

    /// A daemon without objects.
    pub(crate) async fn daemon(&self) -> Daemon {
        let config = DaemonConfig {
            limits: self.limits.clone(),
            drain_ms: self.drain_ms,
            placement: Some(Arc::new(Here)),
            ..DaemonConfig::default()
        };
        Daemon::bind_with(config, client_over(&self.network), &self.endpoint).await.unwrap()
    }

    pub(crate) async fn pair(self) -> Pair {
        let (journal, gate) = (Journal::default(), Gate::default());
        let daemon = self.daemon().await;
        let factory = {
            let (journal, gate) = (journal.clone(), gate.clone());
            move || Worker::new(&journal, &gate)
        };
        let spawn = daemon.object("worker", factory).id("worker").mailbox(self.mailbox).restart(self.restart);
        let here = WorkerProxy::from(spawn.spawn().await.unwrap());
        let client = client_over(&self.network);
        let uri = here.proxy().uri().clone();
        let worker = WorkerProxy::from(Proxy::<Worker>::connect_with(&client, uri).await.unwrap());
        assert!(!worker.proxy().is_local());
        Pair { daemon, client, worker, here, journal, gate, network: self.network }
    }
}

impl Pair {
    /// Within the process, with paused time.
    pub(crate) async fn memory() -> Pair {
        Setup::memory().pair().await
    }

    /// Over TCP.
    pub(crate) async fn tcp() -> Pair {
        Setup::tcp().pair().await
    }

    /// Another client: its own session, its own connections.
    pub(crate) fn other_client(&self) -> Client {
        client_over(&self.network)
    }

    /// The worker for this client, connected with the first call.
    pub(crate) fn worker_for(&self, client: &Client) -> WorkerProxy {
        WorkerProxy::from(Proxy::<Worker>::lazy_with(client, self.uri()))
    }

    pub(crate) fn uri(&self) -> Uri {
        self.here.proxy().uri().clone()
    }

    /// The worker for somebody who knows only names.
    pub(crate) async fn dynamic(&self) -> DynProxy {
        DynProxy::connect_with(&self.client, self.uri()).await.unwrap()
    }

    /// Hosts a further object; returns its proxy over a connection.
    pub(crate) async fn host<O: RemoteObject>(&self, name: &str, factory: impl Fn() -> O + Send + 'static) -> Proxy<O> {
        let here = self.daemon.supervise(name, factory).await.unwrap();
        Proxy::connect_with(&self.client, here.uri()).await.unwrap()
    }

    /// The object of the daemon with this name, over a connection.
    pub(crate) async fn there<O: Interface>(&self, name: &str) -> Proxy<O> {
        let uri = format!("PYROLOC://{}/{name}", self.daemon.endpoint());
        Proxy::connect_with(&self.client, uri).await.unwrap()
    }

    /// A peer made by hand that has connected to the worker, and the places of the worker's methods.
    pub(crate) async fn raw(&self) -> (RawPeer, Places) {
        let (peer, welcome) = RawPeer::greet(&*self.network, self.daemon.endpoint(), "worker").await;
        (peer, welcome.into())
    }
}

/// The methods of an object, as a daemon offers them.
pub(crate) struct Places(Vec<BoundMethod>);

impl From<Welcome> for Places {
    fn from(welcome: Welcome) -> Places {
        Places(welcome.binding.unwrap().methods)
    }
}

impl Places {
    pub(crate) fn of(&self, method: &str) -> u8 {
        self.0.iter().position(|bound| bound.name == method).unwrap() as u8
    }
}

/// Polls once.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// Lets everything happen that can happen without time passing; for paused time.
pub(crate) async fn settle() {
    // Paused time moves on only when nothing else can be done.
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
}

/// A client that knows names, and waits for nothing long: where much goes wrong.
pub(crate) fn impatient_client(network: Arc<dyn Network>, seed: Option<u64>, limits: Limits) -> Client {
    let config = ClientConfig {
        timeout_ms: 2_000,
        connect_timeout_ms: 500,
        backoff_ms: (20, 200),
        network,
        local: LocalDaemons::default(),
        seed,
        limits,
        ..ClientConfig::default()
    };
    Client::new(config, Arc::new(NameResolver::default()))
}

/// A client over `network` that knows of no daemon in this process, and of no names.
pub(crate) fn client_over(network: &Arc<dyn Network>) -> Client {
    client_with(ClientConfig { network: Arc::clone(network), ..ClientConfig::default() })
}

/// The same, whose connections end with their streams.
pub(crate) fn brittle_client_over(network: &Arc<dyn Network>) -> Client {
    let limits = Limits { resume_ms: 0, ..Limits::default() };
    client_with(ClientConfig { network: Arc::clone(network), limits, ..ClientConfig::default() })
}

/// The same, alike in every byte that it sends.
pub(crate) fn seeded_client_over(network: &Arc<dyn Network>) -> Client {
    let limits = Limits { resume_ms: 0, ..Limits::default() };
    client_with(ClientConfig { network: Arc::clone(network), seed: Some(7), limits, ..ClientConfig::default() })
}

/// Bytes that a [`seeded_client_over`] a network sends before its first call to the worker.
pub(crate) async fn hello_bytes(pair: &Pair) -> u64 {
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), []));
    let traffic = Arc::clone(&flaky.traffic);
    let network = flaky as Arc<dyn Network>;
    DynProxy::connect_with(&seeded_client_over(&network), pair.uri()).await.unwrap();
    traffic.out()
}

/// The same with everything said, but the daemons of this process.
pub(crate) fn client_with(config: ClientConfig) -> Client {
    Client::new(ClientConfig { local: LocalDaemons::default(), ..config }, Arc::new(NoNames))
}

struct NoNames;

impl Resolver for NoNames {
    fn resolve<'a>(&'a self, _: &'a Client, uri: &'a Uri) -> BoxFuture<'a, Result<Uri, NotStarted>> {
        let problem = "there are no names here".to_owned();
        Box::pin(async move { Err(NotStarted::Unresolved { name: uri.to_string(), problem }) })
    }
}

/// Hosts an object that belongs to this one, if to any.
pub(crate) async fn spawn_under<O: RemoteObject>(owner: Option<&str>, spawn: Spawn<O>) -> Result<Proxy<O>, SpawnError> {
    match owner {
        Some(owner) => spawn.owner(owner).spawn().await,
        None => spawn.spawn().await,
    }
}
