//! Where the daemon and names meet: binding the short way, announcing, and the one-line server.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::client::client::Client;
use crate::client::error::CallError;
use crate::client::proxy::Proxy;
use crate::config::Config;
use crate::daemon::daemon::{Daemon, DaemonConfig, Inner, Named};
use crate::daemon::error::{BindError, SpawnError};
use crate::daemon::introspection::{DAEMON_ID, DaemonObject, Ping};
use crate::daemon::remote_object::RemoteObject;
use crate::daemon::state::State;
use crate::naming::NamingError;
use crate::naming::locate::LocateError;
use crate::naming::name_server::KEYED;
use crate::naming::server::{AskError, NameServer};
use crate::object::outcome::NotStarted;
use crate::uri::{Endpoint, ObjectId, Uri};

/// A name outlives its daemon's last sign of life by this.
const LEASE_SECS: u32 = 15;
/// A sign of life is given so often.
const RENEW: Duration = Duration::from_secs(5);
/// How long the end of a daemon waits for its name server.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often a name is asked for that a daemon holds which is gone.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The daemon cannot listen.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The object cannot be hosted.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// Nobody could call what the names stand for.
    #[error("a daemon that does not listen has no address to register; bind it to one (`Daemon::bind`)")]
    Unbound,
    /// There is no name server.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// The name server refuses the name.
    #[error("cannot register {name:?}: {why}")]
    Register {
        /// The name.
        name: String,
        /// What the name server said.
        why: AskError,
    },
}

/// Hosts one object under a name until the process is asked to end: a daemon on a free port of this machine, the name registered with the
/// name server, an orderly end.
///
/// ```no_run
/// # #[cfg(feature = "macros")] {
/// #[derive(Default)]
/// struct Greeter;
///
/// #[pyroxene::remote]
/// impl Greeter {
///     pub fn hello(&self, name: String) -> String {
///         format!("hello, {name}")
///     }
/// }
///
/// # async fn example() -> Result<(), pyroxene::ServeError> {
/// pyroxene::serve("greeter", Greeter::default).await
/// # }
/// # }
/// ```
///
/// # Errors
/// It cannot start; nothing is left behind.
pub async fn serve<O: RemoteObject>(name: &str, factory: impl Fn() -> O + Send + 'static) -> Result<(), ServeError> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let mut run = daemon.run();
    let start = async {
        daemon.supervise(name, factory).await?;
        daemon.announce(NameServer::locate().await?).await
    };
    // Looking for a name server may take longer than whoever asks it to end wants to wait.
    tokio::select! {
        biased;
        started = start => started?,
        () = run.asked() => {}
    }
    run.await;
    Ok(())
}

impl Daemon {
    /// A daemon that listens at `address`: `host:port` (port 0 for any free one) or `./u:path` of a Unix socket.
    ///
    /// # Errors
    /// It cannot listen there, or must not; or the configuration cannot be used.
    ///
    /// # Panics
    /// Outside of an actix system, such as `#[pyroxene::main]` makes.
    pub async fn bind(address: &str) -> Result<Daemon, BindError> {
        let config = configured(&load()?);
        Daemon::bind_with(config, Client::current(), &address.parse::<Endpoint>()?).await
    }

    /// A daemon that does not listen, for a program that only connects to others: behind a firewall, without a port of its own. It hosts and
    /// supervises objects as any other. A proxy to one of them can be passed in a message to any object elsewhere; the object is then called
    /// over the connection that this process has opened, for as long as that is open, and so can be whoever the proxy is passed on to.
    ///
    /// ```no_run
    /// # #[cfg(feature = "macros")] {
    /// # use pyroxene::{Daemon, remote};
    /// # struct Room;
    /// # #[remote] impl Room { pub fn enter(&mut self, guest: GuestProxy) {} }
    /// #[derive(Default)]
    /// struct Guest;
    ///
    /// #[remote]
    /// impl Guest {
    ///     pub fn hear(&mut self, line: String) {
    ///         println!("{line}");
    ///     }
    /// }
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let daemon = Daemon::unbound().await?;
    /// let guest = GuestProxy::from(daemon.supervise("guest", Guest::default).await?);
    /// let room = RoomProxy::connect("PYRONAME://room").await?;
    /// room.enter(guest).await?;
    /// # Ok(()) }
    /// # }
    /// ```
    ///
    /// # Errors
    /// The configuration cannot be used.
    ///
    /// # Panics
    /// Outside of an actix system, such as `#[pyroxene::main]` makes.
    pub async fn unbound() -> Result<Daemon, BindError> {
        Daemon::unbound_with(configured(&load()?), Client::current()).await
    }

    /// Registers the names of its objects, now and whenever that changes, and keeps them alive until the daemon ends; then it takes them
    /// away first.
    ///
    /// # Errors
    /// The daemon does not listen. The name server refuses a name, or does not answer. Names registered before that one are taken away again.
    pub async fn announce(&self, server: NameServer) -> Result<(), ServeError> {
        if matches!(self.endpoint(), Endpoint::Unbound(_)) {
            return Err(ServeError::Unbound);
        }
        let announcer = Announcer { daemon: Arc::downgrade(&self.0), server: server.clone() };
        let changed = self.0.changed.subscribe();
        let (keeping, kept) = oneshot::channel::<(oneshot::Sender<()>, JoinHandle<()>)>();
        // Before the first name is there: whoever gives this up half-way, since the process is to end, leaves none behind.
        let leaving = server.clone();
        self.on_farewell(Box::new(move || {
            Box::pin(async move {
                // Not one that is being registered at this moment either.
                if let Ok(Ok((stop, task))) = tokio::time::timeout(FAREWELL, kept).await {
                    let _ = stop.send(());
                    let _ = task.await;
                }
                // A name server that is away forgets the names by itself.
                let _ = tokio::time::timeout(FAREWELL, leaving.withdraw()).await;
            })
        }));
        if let Err(error) = announcer.register_all(self).await {
            let _ = server.withdraw().await;
            return Err(error);
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(announcer.keep(changed, stopped));
        let _ = keeping.send((stop, task));
        Ok(())
    }
}

fn load() -> Result<Config, BindError> {
    Config::load().map_err(|problem| BindError::Configuration(problem.to_string()))
}

fn configured(config: &Config) -> DaemonConfig {
    let mut daemon =
        DaemonConfig { spin: config.spin, log: crate::log::logger(&config.log), ..DaemonConfig::default() };
    daemon.limits.max_message = config.max_message;
    daemon
}

/// Keeps the names of one daemon registered with one name server. It does not keep the daemon.
struct Announcer {
    daemon: Weak<Inner>,
    server: NameServer,
}

impl Announcer {
    async fn register_all(&self, daemon: &Daemon) -> Result<(), ServeError> {
        for named in daemon.named() {
            let name = &named.name;
            let outcome = match named.state {
                State::Starting | State::Running | State::Passive => self.register(daemon, &named).await,
                // Its name is withdrawn; that it was not there is as good.
                State::Draining | State::Failed(_) | State::Gone => match self.server.unregister(name).await {
                    Err(CallError::Raised(_)) => Ok(()),
                    outcome => outcome,
                },
            };
            outcome.map_err(|why| ServeError::Register { name: name.to_string(), why })?;
        }
        Ok(())
    }

    /// Registers one name. One that a crashed daemon still holds is free when its lease is over, which is worth waiting for; one whose
    /// holder lives is not.
    async fn register(&self, daemon: &Daemon, Named { name, uri, is_keyed, .. }: &Named) -> Result<(), AskError> {
        let give_up = Instant::now() + Duration::from_secs(u64::from(LEASE_SECS) + 1);
        loop {
            let register = self.server.register(name, uri).lease_secs(LEASE_SECS).replace(true);
            let why = match register.metadata(is_keyed.then_some(KEYED)).await {
                Ok(_) => return Ok(()),
                Err(why) => why,
            };
            let held = matches!(why, CallError::Raised(NamingError::NotOwner { .. } | NamingError::NameTaken { .. }));
            let in_vain = Instant::now() >= give_up || daemon.0.is_draining();
            if !held || in_vain || !self.is_held_by_nobody(daemon, name).await {
                return Err(why);
            }
            slog::info!(daemon.0.config.log, "a name waits for the lease of a daemon that is gone"; "name" => &**name);
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Whether the daemon that holds a name is gone: nothing answers at its address, or this one does.
    async fn is_held_by_nobody(&self, daemon: &Daemon, name: &str) -> bool {
        let holder = match self.server.resolve(name).await {
            Ok(Uri::Object(holder)) => holder,
            Ok(_) => return false,
            Err(error) => return matches!(error, CallError::Raised(NamingError::UnknownName { .. })),
        };
        if holder.endpoint == *daemon.endpoint() {
            return true;
        }
        let Ok(id) = ObjectId::new(DAEMON_ID) else { return false };
        let holder = Proxy::<DaemonObject>::lazy_with(&daemon.0.client, Uri::object(holder.endpoint, id));
        let answer = holder.send(Ping).timeout_ms(1_000).await;
        matches!(answer, Err(CallError::NotStarted(NotStarted::Unreachable { .. })))
    }

    async fn keep(self, mut changed: watch::Receiver<()>, mut stopped: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                biased;
                _ = &mut stopped => return,
                // An error: the daemon is gone, and is noticed below.
                _ = changed.changed() => {}
                () = tokio::time::sleep(RENEW) => {}
            }
            let Some(inner) = self.daemon.upgrade() else { return };
            let log = inner.config.log.clone();
            // Registering what is registered renews it, and brings it back to a name server that has started anew.
            if let Err(problem) = self.register_all(&Daemon(inner)).await {
                slog::warn!(log, "names could not be renewed"; "problem" => %problem);
            }
        }
    }
}
