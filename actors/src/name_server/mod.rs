//! The name server: the tree of names, their owners and their leases, and the actor around it.
//! May use what `pyroxene` exports, like any guest.
//! Must never know sockets or the host's insides.

mod actor;
mod caller;
mod entry;
mod groups;
mod lease;
mod nearest;
pub mod registry;
mod tag_index;

use pyroxene::naming::name_server::NAME_SERVER_ID;
use pyroxene::uri::ObjectId;
use pyroxene::{Client, Daemon, NameServer, SpawnError};
use slog::Logger;

pub use self::actor::NameServerActor;
use self::registry::Limits;

/// How a name server behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// How much it holds.
    pub limits: Limits,
    /// Where log lines go.
    pub log: Logger,
}

impl Default for Config {
    fn default() -> Self {
        Config { limits: Limits::default(), log: Logger::root(slog::Discard, slog::o!()) }
    }
}

/// Hosts a name server in `daemon`, so that a program needs no other:
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let daemon = pyroxene::Daemon::bind("127.0.0.1:9090").await?;
/// let ns = pyroxene_actors::name_server::start(&daemon).await?;
/// daemon.announce(ns).await?; // what the daemon hosts is registered there
/// # Ok(()) }
/// ```
///
/// # Errors
/// The daemon hosts one already, or is about to end.
pub async fn start(daemon: &Daemon) -> Result<NameServer, SpawnError> {
    start_with(daemon, Config::default()).await
}

/// The same with everything said.
///
/// # Errors
/// As [`start`].
pub async fn start_with(daemon: &Daemon, config: Config) -> Result<NameServer, SpawnError> {
    let id = ObjectId::new(NAME_SERVER_ID)
        .map_err(|problem| SpawnError::BadName { name: NAME_SERVER_ID.to_owned(), problem: problem.to_string() })?;
    let uri = daemon.uri(&id);
    let at = uri.clone();
    let factory = move || NameServerActor::new(&at, &config);
    daemon.object(NAME_SERVER_ID, factory).id(NAME_SERVER_ID).spawn().await?;
    Ok(NameServer::with_uri(&Client::current(), uri))
}
