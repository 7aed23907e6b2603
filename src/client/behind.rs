//! The way to objects that have no address: over the connection that their own process has opened.

use crate::client::client::ClientConfig;
use crate::object::outcome::NotStarted;
use crate::peer::connection::Connection;
use crate::peer::handshake;
use crate::uri::{Endpoint, Uri};
use crate::wire::{BindingTable, Target};

/// The connection behind which the object is, and the object on it; `None` if it is not such an object of a client of this process.
///
/// # Errors
/// The client is not connected, or has no such object; or it is one of another process, which nobody has lent an address.
pub(crate) async fn bind(
    config: &ClientConfig,
    endpoint: &Endpoint,
    target: &Target,
) -> Result<Option<(Connection, BindingTable)>, NotStarted> {
    let Some(behind) = config.local.behind(endpoint, target) else {
        return if matches!(endpoint, Endpoint::Unbound(_)) { Err(homeless(endpoint, target)) } else { Ok(None) };
    };
    let behind = behind?;
    let Ok(connection) = behind.connection.downcast::<Connection>() else { return Ok(None) };
    let table = handshake::bind(&connection, &behind.target, config.connect_timeout_ms).await?;
    Ok(Some((*connection, table)))
}

fn homeless(endpoint: &Endpoint, target: &Target) -> NotStarted {
    let uri = match target {
        Target::Id(id) => id.parse().map_or_else(|_| id.clone(), |id| Uri::object(endpoint.clone(), id).to_string()),
        Target::Name(_) | Target::None | Target::Connection { .. } => endpoint.to_string(),
    };
    let problem = "its daemon does not listen, and is gone or in another process; pass the proxy itself in a message, not its text";
    NotStarted::Unreachable { uri, problem: problem.to_owned() }
}
