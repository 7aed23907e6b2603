//! The daemon's handle.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use actix::{Actor, Addr};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use crate::client::client::Client;
use crate::client::proxy::Proxy;
use crate::daemon::current;
use crate::daemon::drain;
use crate::daemon::entry::{Entry, OnLoss};
use crate::daemon::error::{BindError, SpawnError};
use crate::daemon::held::HeldObjects;
use crate::daemon::introspection;
use crate::daemon::keyed::Keyed;
use crate::daemon::listener;
use crate::daemon::objects::{Objects, Placed};
use crate::daemon::placement::{Arbiters, Placement};
use crate::daemon::remote_object::RemoteObject;
use crate::daemon::run::Run;
use crate::daemon::spawn::Spawn;
use crate::daemon::state::State;
use crate::daemon::supervisor::{self, Forget, Supervisor};
use crate::object::local::{Behind, LocalDaemon, LocalObject};
use crate::object::outcome::NotStarted;
use crate::peer::connection::{Connection, Shared};
use crate::peer::relays::Relays;
use crate::peer::session::Sessions;
use crate::peer::spin::Spin;
use crate::transport::Stream;
use crate::transport::network::BoxFuture;
use crate::uri::{Endpoint, ObjectId, Uri};
use crate::wire::{Limits, Target};

/// What peers are told when no new calls are taken.
const ENDING: &str = "the daemon is ending";

/// How a daemon behaves.
#[derive(Clone)]
pub struct DaemonConfig {
    /// What a peer may send and hold.
    pub limits: Limits,
    /// Calls that an object's queue holds unless its spawn says otherwise.
    pub mailbox: usize,
    /// Instances that an object may have unless its spawn says otherwise, where each session or call has its own.
    pub instances: usize,
    /// The time that running calls get when the daemon ends, milliseconds.
    pub drain_ms: u32,
    /// Listen where other machines can connect, although nothing says who may call.
    pub insecure: bool,
    /// The host that others connect to, when it is not the one that is bound.
    pub public_host: Option<String>,
    /// Which threads objects live on; one arbiter for each core unless given.
    pub placement: Option<Arc<dyn Placement>>,
    /// Whether a connection looks for more for up to 200 µs before it sleeps.
    pub spin: Spin,
    /// Where log lines go.
    pub log: slog::Logger,
}

impl Default for DaemonConfig {
    fn default() -> Self {
        DaemonConfig {
            limits: Limits::default(),
            mailbox: 2_048,
            instances: 4_096,
            drain_ms: 10_000,
            insecure: false,
            public_host: None,
            placement: None,
            spin: Spin::default(),
            log: slog::Logger::root(slog::Discard, slog::o!()),
        }
    }
}

/// The supervisor of the objects of one process, and the connections that call them. A handle: clones are the same daemon.
///
/// ```no_run
/// # #[cfg(feature = "macros")] {
/// use pyroxene::{Daemon, remote};
///
/// #[derive(Default)]
/// struct Greeter;
///
/// #[remote]
/// impl Greeter {
///     /// Says hello.
///     pub fn hello(&self, name: String) -> String {
///         format!("hello, {name}")
///     }
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let daemon = Daemon::bind("127.0.0.1:0").await?;
/// let greeter = GreeterProxy::from(daemon.supervise("greeter", Greeter::default).await?);
/// assert_eq!(greeter.hello("eve".into()).await?, "hello, eve");
/// daemon.run().await;
/// # Ok(()) }
/// # }
/// ```
#[derive(Clone)]
pub struct Daemon(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: DaemonConfig,
    pub(crate) client: Client,
    /// Belongs to this start of the daemon and no other.
    pub(crate) incarnation: u128,
    pub(crate) placement: Arc<dyn Placement>,
    pub(crate) supervisor: Addr<Supervisor>,
    /// What its objects do when their actors are lost.
    pub(crate) on_loss: OnLoss,
    /// That of the thread it was bound on, for what it does by itself.
    pub(crate) runtime: Handle,
    /// Itself, for those who hold its objects.
    this: Weak<Inner>,
    endpoint: Endpoint,
    objects: Mutex<Objects>,
    connections: Mutex<Connections>,
    /// What is kept for those who call, over all their connections.
    pub(crate) sessions: Arc<Sessions>,
    /// Connections over which the objects are called, if the daemon does not listen.
    kept: Mutex<Vec<Connection>>,
    /// Objects that live for as long as they are held.
    pub(crate) held: HeldObjects,
    /// Shared by all that connections have open.
    pub(crate) opened: Arc<()>,
    /// Those who call and host objects themselves.
    pub(crate) relays: Arc<Relays>,
    /// One for each connection that may be open.
    pub(crate) places: Arc<Semaphore>,
    draining: AtomicBool,
    /// What is to be done before anything else when the daemon ends, such as withdrawing its names.
    farewells: Mutex<Vec<Farewell>>,
    /// An object came, went, or failed.
    pub(crate) changed: watch::Sender<()>,
    /// Says `true`, or is gone, when nobody new is to be let in.
    pub(crate) closing: watch::Sender<bool>,
    /// Says `true` when it has ended in order.
    pub(crate) ended: watch::Sender<bool>,
}

/// The connections of a daemon, and what those are told that come while it ends.
#[derive(Default)]
struct Connections {
    all: Vec<Weak<Shared>>,
    leaving: bool,
    hung_up: bool,
}

/// An object that has a name.
pub(crate) struct Named {
    pub(crate) name: Arc<str>,
    pub(crate) uri: Uri,
    pub(crate) state: State,
    /// There are many, each with a key.
    pub(crate) is_keyed: bool,
}

/// Done first when a daemon ends.
pub(crate) type Farewell = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

impl Daemon {
    /// A daemon that listens at `endpoint` and calls with `client`. [`Daemon::bind`] is the short way.
    ///
    /// # Errors
    /// It cannot listen there, or must not.
    ///
    /// # Panics
    /// Outside of an actix system, unless the configuration brings its own placement.
    pub async fn bind_with(config: DaemonConfig, client: Client, endpoint: &Endpoint) -> Result<Daemon, BindError> {
        if cfg!(panic = "abort") {
            return Err(BindError::PanicAborts);
        }
        if !endpoint.is_local() && !config.insecure {
            return Err(BindError::Insecure { endpoint: endpoint.to_string() });
        }
        crate::object::panic::install();
        let network = Arc::clone(&client.config().network);
        let listener = network
            .listen(endpoint)
            .await
            .map_err(|problem| BindError::Listen { endpoint: endpoint.to_string(), problem })?;
        let public = public_endpoint(listener.endpoint(), config.public_host.as_deref())?;
        let daemon = Daemon::at(public, config, client);
        introspection::spawn(&daemon);
        listener::listen(&daemon, listener);
        slog::info!(daemon.0.config.log, "daemon listens"; "endpoint" => %daemon.0.endpoint);
        Ok(daemon)
    }

    /// A daemon that others know by this endpoint, whether it listens there or not.
    pub(crate) fn at(public: Endpoint, config: DaemonConfig, client: Client) -> Daemon {
        let placement = config.placement.clone().unwrap_or_else(|| Arc::new(Arbiters::of_machine()));
        let supervisor = Supervisor::new(Arc::clone(&placement), config.log.clone()).start();
        let daemon = Daemon(Arc::new_cyclic(|this| Inner {
            this: Weak::clone(this),
            incarnation: rand::random(),
            placement,
            on_loss: supervisor::report_to(supervisor.clone(), Weak::clone(this)),
            supervisor,
            runtime: Handle::current(),
            endpoint: public.clone(),
            objects: Mutex::default(),
            sessions: Arc::new(Sessions::new(&config.limits)),
            kept: Mutex::default(),
            held: HeldObjects::new(Duration::from_millis(config.limits.lease_ms.into())),
            opened: Arc::default(),
            relays: Arc::new(Relays::new(public.clone(), client.config().timeout_ms, &config.limits)),
            connections: Mutex::default(),
            places: Arc::new(Semaphore::new(config.limits.connections as usize)),
            draining: AtomicBool::new(false),
            farewells: Mutex::default(),
            changed: watch::Sender::new(()),
            closing: watch::Sender::new(false),
            ended: watch::Sender::new(false),
            config,
            client,
        }));
        let local: Weak<dyn LocalDaemon> = Arc::downgrade(&(Arc::clone(&daemon.0) as Arc<dyn LocalDaemon>));
        daemon.0.client.config().local.insert(public, local);
        current::remember(&daemon);
        daemon
    }

    /// Where it can be reached.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Hosts an object under `name`: the factory makes its state, now and again after each failure. Returns its proxy, local and free.
    ///
    /// # Errors
    /// The name is taken or cannot be one, or the factory panics.
    pub async fn supervise<O: RemoteObject>(
        &self,
        name: &str,
        factory: impl Fn() -> O + Send + 'static,
    ) -> Result<Proxy<O>, SpawnError> {
        self.object(name, factory).spawn().await
    }

    /// The same with everything said: see [`Spawn`].
    pub fn object<O: RemoteObject>(&self, name: &str, factory: impl Fn() -> O + Send + 'static) -> Spawn<O> {
        Spawn::new(self.clone(), Some(name), factory)
    }

    /// Ends an object: those who wait are told, its name is free. What [belongs](Spawn::owner) to it ends before it, the latest first. Objects with
    /// [keys](Daemon::keyed) are ended by the name of all of them: their calls come to an end, and what is to be kept of them is saved, after this
    /// has returned.
    pub fn stop(&self, name: &str) -> bool {
        let removed = {
            let mut objects = self.0.objects();
            let found =
                objects.find(&Target::Name(name.to_owned())).or_else(|| objects.find(&Target::Id(name.to_owned())));
            found.map(|placed| objects.remove_all(placed.entry.id())).unwrap_or_default()
        };
        for placed in &removed {
            placed.end();
            self.0.held.remove(placed.entry.id());
            self.0.supervisor.do_send(Forget(Arc::clone(&placed.entry)));
        }
        if !removed.is_empty() {
            self.0.changed.send_replace(());
        }
        !removed.is_empty()
    }

    /// The URI of an object with this id here.
    pub fn uri(&self, id: &ObjectId) -> Uri {
        Uri::object(self.0.endpoint.clone(), id.clone())
    }

    /// Serves one connection that came by another way than its listener, such as one end of [`memory::pair`].
    ///
    /// [`memory::pair`]: crate::transport::memory::pair
    pub fn serve_stream(&self, stream: Stream) {
        listener::greet(&self.0, stream);
    }

    /// Runs until the process is asked to end (Ctrl-C, SIGTERM), then ends in order: names withdrawn, no new calls, running ones get their
    /// time. A second request ends it at once.
    ///
    /// Signals are heard from this call on, not only when it is awaited, and keep until then. Until this call the system's default holds: a
    /// signal ends the process where it is. So whoever tells others that it is ready calls this first:
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let daemon = pyroxene::Daemon::bind("127.0.0.1:0").await?;
    /// let run = daemon.run();
    /// println!("ready at {}", daemon.endpoint());
    /// run.await;
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn run(&self) -> Run {
        Run::new(self.clone())
    }

    /// Ends in order, now.
    pub async fn shutdown(&self) {
        drain::shutdown(&self.0).await;
    }

    /// The objects that have a name.
    pub(crate) fn named(&self) -> Vec<Named> {
        let objects = self.0.objects();
        let named = objects.all().filter_map(|placed| {
            let entry = &placed.entry;
            let (name, id) = (Arc::clone(entry.name()?), ObjectId::new(entry.id()).ok()?);
            let is_keyed = placed.family.as_ref().is_some_and(|family| family.keyed().is_some());
            Some(Named { name, uri: self.uri(&id), state: entry.state(), is_keyed })
        });
        named.collect()
    }

    /// Adds something to be done before anything else when the daemon ends.
    pub(crate) fn on_farewell(&self, farewell: Farewell) {
        self.0.farewells.lock().unwrap_or_else(PoisonError::into_inner).push(farewell);
    }
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon").field("endpoint", &self.0.endpoint).finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        self.objects().all().map(|placed| Arc::clone(&placed.entry)).collect()
    }

    /// Everything that runs calls: its objects, and their instances.
    pub(crate) fn lives(&self) -> Vec<Arc<Entry>> {
        let placed: Vec<Placed> = self.objects().all().cloned().collect();
        placed.iter().flat_map(Placed::lives).collect()
    }

    pub(crate) fn place_of(&self, target: &Target) -> Option<Placed> {
        let objects = self.objects();
        if let Some(placed) = objects.find(target) {
            return Some(placed);
        }
        let (keyed, key) = objects.find_keyed(target)?;
        drop(objects);
        keyed.place(key)
    }

    /// Where the object that is meant runs; anywhere, if it does not.
    pub(crate) fn seat_of(&self, target: &Target) -> usize {
        let objects = self.objects();
        if let Some(placed) = objects.find(target) {
            return placed.seat;
        }
        let keyed = objects.find_keyed(target);
        drop(objects);
        keyed.and_then(|(keyed, key)| keyed.seat(key)).unwrap_or(0)
    }

    /// The objects of each name under which there are many.
    pub(crate) fn keyed(&self) -> Vec<Arc<Keyed>> {
        let objects = self.objects();
        objects.all().filter_map(|placed| placed.family.as_ref()?.keyed()).collect()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// From now on no new calls; says whether it was so already.
    pub(crate) fn begin_drain(&self) -> bool {
        self.draining.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn take_farewells(&self) -> Vec<Farewell> {
        std::mem::take(&mut *self.farewells.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers a connection, to be told when the daemon ends.
    pub(crate) fn add_connection(&self, shared: &Arc<Shared>) {
        let mut connections = self.lock_connections();
        // It was on its way here when the others were told.
        if connections.leaving {
            shared.go_away(ENDING);
        }
        if connections.hung_up {
            shared.hang_up();
        }
        // Those that have ended are let go before the table grows, not each time.
        if connections.all.len() == connections.all.capacity() {
            connections.all.retain(|connection| connection.strong_count() > 0);
        }
        connections.all.push(Arc::downgrade(shared));
    }

    /// Tells every connection, and those to come, that no new calls are taken.
    pub(crate) fn go_away(&self) {
        self.lock_connections().leaving = true;
        self.connections().iter().for_each(|connection| connection.go_away(ENDING));
    }

    /// Ends every connection, and those to come, once what was said has been written.
    pub(crate) fn hang_up(&self) {
        self.lock_connections().hung_up = true;
        self.connections().iter().for_each(|connection| connection.hang_up());
    }

    pub(crate) fn connections(&self) -> Vec<Arc<Shared>> {
        self.lock_connections().all.iter().filter_map(Weak::upgrade).collect()
    }

    fn lock_connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LocalDaemon for Inner {
    fn find(&self, target: &Target) -> Option<Arc<dyn LocalObject>> {
        let objects = self.objects();
        if let Some(placed) = objects.find(target) {
            drop(objects);
            let this = self.this.upgrade()?;
            return Some(placed.object().unwrap_or_else(|| self.held.object(placed.entry, &this)));
        }
        let (keyed, key) = objects.find_keyed(target)?;
        drop(objects);
        Some(keyed.object(key)?)
    }

    fn is_at(&self, endpoint: &Endpoint) -> bool {
        self.endpoint == *endpoint
    }

    fn opened(&self) -> Option<Arc<()>> {
        Some(Arc::clone(&self.opened))
    }

    fn keep(&self, connection: Box<dyn std::any::Any + Send>) {
        if let Ok(connection) = connection.downcast::<Connection>() {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.retain(Connection::is_open);
            kept.push(*connection);
        }
    }

    fn behind(&self, target: &Target) -> Option<Result<Behind, NotStarted>> {
        let Target::Id(id) = target else { return None };
        let found = self.relays.find(id)?;
        Some(
            found.map(|(connection, own)| Behind {
                connection: Box::new(connection),
                target: Target::Id(own.to_owned()),
            }),
        )
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.client.config().local.remove(&self.endpoint);
        let placed: Vec<Placed> = self.objects().all().cloned().collect();
        placed.iter().for_each(Placed::end);
        self.hang_up();
    }
}

/// What others connect to: an address that means "all of mine" means nothing to them.
fn public_endpoint(bound: Endpoint, host: Option<&str>) -> Result<Endpoint, BindError> {
    let Endpoint::Tcp { host: bound_host, port } = &bound else { return Ok(bound) };
    match host {
        Some(host) => Ok(Endpoint::tcp(host, *port)?),
        None if matches!(bound_host.as_str(), "0.0.0.0" | "::") => {
            Err(BindError::NoHost { endpoint: bound.to_string() })
        }
        None => Ok(bound),
    }
}
