//! A daemon that does not listen, for processes that only connect to others.

use crate::client::client::Client;
use crate::daemon::daemon::{Daemon, DaemonConfig};
use crate::daemon::error::BindError;
use crate::object::address;
use crate::uri::Endpoint;

impl Daemon {
    /// A daemon that listens nowhere, and calls with `client`. [`Daemon::unbound`] is the short way.
    ///
    /// # Errors
    /// The program is built with `panic = "abort"`.
    ///
    /// # Panics
    /// Outside of an actix system, unless the configuration brings its own placement.
    pub async fn unbound_with(config: DaemonConfig, client: Client) -> Result<Daemon, BindError> {
        if cfg!(panic = "abort") {
            return Err(BindError::PanicAborts);
        }
        crate::object::panic::install();
        // First, so that no object is written into a message as if it had an address.
        address::need();
        let daemon = Daemon::at(Endpoint::Unbound(rand::random()), config, client);
        let client = &daemon.0.client.0;
        client.pool.address(&client.config).await;
        slog::info!(daemon.0.config.log, "daemon without an address"; "number" => %daemon.endpoint());
        Ok(daemon)
    }
}
