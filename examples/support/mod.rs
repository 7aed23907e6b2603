//! What the examples share: a name server of their own, so that they need none and disturb none, and a second process.

use std::error::Error;
use std::process::{Child, Command};
use std::sync::Arc;

use pyroxene::client::client::ClientConfig;
use pyroxene::naming::locate::LocateConfig;
use pyroxene::naming::resolve::NameResolver;
use pyroxene::{Client, Daemon};
use pyroxene_actors::name_server;

/// Whether this is the process of the server.
pub(crate) fn is_server() -> bool {
    std::env::args().nth(1).as_deref() == Some("server")
}

/// A name server in this process, and this program once more as the server; they end when this is dropped.
pub(crate) struct Started {
    _name_server: Daemon,
    _client: Client,
    server: Child,
}

/// Starts both. Names are looked up there from now on.
///
/// # Errors
/// One of them cannot be started.
pub(crate) async fn start() -> Result<Started, Box<dyn Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    name_server::start(&daemon).await?;
    let locate = LocateConfig { server: Some(daemon.endpoint().clone()), ..LocateConfig::default() };
    let resolver = NameResolver { locate, ..NameResolver::default() };
    let client = Client::new(ClientConfig::default(), Arc::new(resolver));
    client.install();
    let mut server = Command::new(std::env::current_exe()?);
    let server = server.arg("server").env("PYROXENE_NS", daemon.endpoint().to_string()).spawn()?;
    Ok(Started { _name_server: daemon, _client: client, server })
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
