//! Where the daemon and names meet: binding the short way, announcing, and the one-line server.

use std::sync::Arc;
use std::time::Duration;

use crate::client::client::Client;
use crate::client::error::CallError;
use crate::config::Config;
use crate::daemon::daemon::{Daemon, DaemonConfig};
use crate::daemon::entry::State;
use crate::daemon::error::{BindError, SpawnError};
use crate::daemon::remote_object::RemoteObject;
use crate::naming::locate::LocateError;
use crate::naming::server::{AskError, NameServer};
use crate::uri::Endpoint;

/// A name outlives its daemon's last sign of life by this.
const LEASE_SECS: u32 = 15;
/// A sign of life is given so often.
const RENEW: Duration = Duration::from_secs(5);

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
    daemon.supervise(name, factory).await?;
    daemon.announce(NameServer::locate().await?).await?;
    daemon.run().await;
    Ok(())
}

impl Daemon {
    /// A daemon that listens at `address`: `host:port` (port 0 for any free one) or `./u:path` of a Unix socket.
    ///
    /// # Errors
    /// It cannot listen there, or must not.
    ///
    /// # Panics
    /// Outside of an actix system, such as `#[pyroxene::main]` makes.
    pub async fn bind(address: &str) -> Result<Daemon, BindError> {
        let config = Config::load().unwrap_or_default();
        let mut daemon = DaemonConfig { log: crate::log::logger(&config.log), ..DaemonConfig::default() };
        daemon.limits.max_message = config.max_message;
        Daemon::bind_with(daemon, Client::current(), &address.parse::<Endpoint>()?).await
    }

    /// Registers the names of its objects, now and whenever that changes, and keeps them alive until the daemon ends; then it takes them
    /// away first.
    ///
    /// # Errors
    /// The name server refuses a name, or does not answer. Names registered before that one are taken away again.
    pub async fn announce(&self, server: NameServer) -> Result<(), ServeError> {
        let announcer = Announcer { daemon: Arc::downgrade(&self.0), server: server.clone() };
        if let Err(error) = announcer.register_all(self).await {
            let _ = server.withdraw().await;
            return Err(error);
        }
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(announcer.keep(stopped));
        self.on_farewell(Box::new(move || {
            Box::pin(async move {
                let _ = stop.send(());
                let _ = task.await;
                // A name server that is away forgets the names by itself.
                let _ = tokio::time::timeout(Duration::from_secs(2), server.withdraw()).await;
            })
        }));
        Ok(())
    }
}

/// Keeps the names of one daemon registered with one name server.
struct Announcer {
    daemon: std::sync::Weak<crate::daemon::daemon::Inner>,
    server: NameServer,
}

impl Announcer {
    async fn register_all(&self, daemon: &Daemon) -> Result<(), ServeError> {
        for (name, uri, state) in daemon.named() {
            let outcome = match state {
                State::Starting | State::Running => {
                    self.server.register(&name, &uri).lease_secs(LEASE_SECS).replace(true).await.map(drop)
                }
                // Its name is withdrawn; that it was not there is as good.
                State::Draining | State::Failed(_) | State::Gone => match self.server.unregister(&name).await {
                    Err(CallError::Raised(_)) => Ok(()),
                    outcome => outcome,
                },
            };
            outcome.map_err(|why| ServeError::Register { name: name.to_string(), why })?;
        }
        Ok(())
    }

    async fn keep(self, mut stopped: tokio::sync::oneshot::Receiver<()>) {
        loop {
            let Some(inner) = self.daemon.upgrade() else { return };
            let log = inner.config.log.clone();
            let daemon = Daemon(inner);
            tokio::select! {
                biased;
                _ = &mut stopped => return,
                () = daemon.0.changed.notified() => {}
                () = tokio::time::sleep(RENEW) => {}
            }
            // Registering what is registered renews it, and brings it back to a name server that has started anew.
            if let Err(problem) = self.register_all(&daemon).await {
                slog::warn!(log, "names could not be renewed"; "problem" => %problem);
            }
        }
    }
}
