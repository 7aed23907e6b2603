//! Connections shared by the proxies to one daemon.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::client::backoff::Backoff;
use crate::client::client::ClientConfig;
use crate::object::outcome::NotStarted;
use crate::peer::connection::{Connection, WeakConnection};
use crate::peer::handshake::{self, Opened, Opener};
use crate::peer::successor::Redial;
use crate::transport::network::BoxFuture;
use crate::transport::{Network, Stream};
use crate::uri::Endpoint;
use crate::wire::{BindingTable, Target};

/// The connections of a client.
#[derive(Default)]
pub(crate) struct Pool {
    places: Mutex<BTreeMap<Endpoint, Arc<Place>>>,
}

/// One daemon's address.
#[derive(Default)]
struct Place {
    /// One attempt at a time; others wait for its outcome.
    attempt: tokio::sync::Mutex<Attempt>,
    /// Why the last attempt failed, for those who cannot wait for the next one.
    trouble: Mutex<Option<NotStarted>>,
}

#[derive(Default)]
struct Attempt {
    connection: Option<WeakConnection>,
    failures: u32,
    /// Not before; a daemon that has just come back is not met by everybody at once.
    not_before: Option<Instant>,
}

impl Place {
    fn met(&self, trouble: Option<NotStarted>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

impl Pool {
    /// A connection to the daemon at `endpoint`, and `target` on it.
    pub(crate) async fn bind(
        &self,
        config: &ClientConfig,
        backoff: &Arc<Backoff>,
        session: u128,
        endpoint: &Endpoint,
        target: &Target,
    ) -> Result<(Connection, BindingTable), NotStarted> {
        let place = Arc::clone(self.lock().entry(endpoint.clone()).or_default());
        let mut attempt = place.attempt.lock().await;
        if let Some(connection) =
            attempt.connection.as_ref().and_then(WeakConnection::upgrade).filter(Connection::is_open)
        {
            // Binding needs no exclusive access: others may bind at the same time.
            drop(attempt);
            address(config, &connection).await;
            let table = handshake::bind(&connection, target, config.connect_timeout_ms).await?;
            return Ok((connection, table));
        }
        if let Some(not_before) = attempt.not_before {
            tokio::time::sleep_until(not_before).await;
        }
        match self.open(config, backoff, session, endpoint, target).await {
            Ok(opened) => {
                *attempt = Attempt { connection: Some(opened.connection.downgrade()), failures: 0, not_before: None };
                place.met(None);
                drop(attempt);
                address(config, &opened.connection).await;
                let table = match opened.table {
                    Some(table) => table,
                    // It has no such object; asked for it alone it says why.
                    None => handshake::bind(&opened.connection, target, config.connect_timeout_ms).await?,
                };
                Ok((opened.connection, table))
            }
            Err(why) => {
                if matches!(why, NotStarted::Unreachable { .. }) {
                    place.met(Some(why.clone()));
                    attempt.failures += 1;
                    attempt.not_before = Some(Instant::now() + backoff.pause(config.backoff_ms, attempt.failures));
                }
                Err(why)
            }
        }
    }

    /// Why nobody could be reached there, if that is how the last attempt ended.
    pub(crate) fn trouble(&self, endpoint: &Endpoint) -> Option<NotStarted> {
        let place = Arc::clone(self.lock().get(endpoint)?);
        place.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn open(
        &self,
        config: &ClientConfig,
        backoff: &Arc<Backoff>,
        session: u128,
        endpoint: &Endpoint,
        target: &Target,
    ) -> Result<Opened, NotStarted> {
        let unreachable = |problem: String| NotStarted::Unreachable { uri: endpoint.to_string(), problem };
        let limit = Duration::from_millis(config.connect_timeout_ms.into());
        let redial = Arc::new(Again {
            network: Arc::clone(&config.network),
            endpoint: endpoint.clone(),
            backoff: Arc::clone(backoff),
            backoff_ms: config.backoff_ms,
            limit,
        });
        let connect = async {
            let stream = config.network.connect(endpoint).await.map_err(|error| unreachable(explain(&error)))?;
            let opener = Opener {
                limits: config.limits.clone(),
                session,
                timeout_ms: config.timeout_ms,
                objects: config.local.unbound(),
                redial,
                spin: config.spin,
                log: config.log.clone(),
            };
            handshake::connect(stream, target, opener).await
        };
        match tokio::time::timeout(limit, connect).await {
            Ok(result) => result,
            Err(_) => Err(unreachable(format!("no answer within {} ms", config.connect_timeout_ms))),
        }
    }

    /// Asks every daemon that is connected for an address, since there are objects now that have none.
    #[cfg(feature = "daemon")]
    pub(crate) async fn address(&self, config: &ClientConfig) {
        let places: Vec<_> = self.lock().values().cloned().collect();
        for place in places {
            let connection = place.attempt.lock().await.connection.as_ref().and_then(WeakConnection::upgrade);
            if let Some(connection) = connection {
                address(config, &connection).await;
            }
        }
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Endpoint, Arc<Place>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Another stream for a connection that has lost its own.
struct Again {
    network: Arc<dyn Network>,
    endpoint: Endpoint,
    backoff: Arc<Backoff>,
    backoff_ms: (u32, u32),
    limit: Duration,
}

impl Redial for Again {
    fn dial(&self, failures: u32) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(async move {
            if failures > 0 {
                tokio::time::sleep(self.backoff.pause(self.backoff_ms, failures)).await;
            }
            tokio::time::timeout(self.limit, self.network.connect(&self.endpoint)).await?
        })
    }
}

/// Objects of this process that have no address are lent one, before anything refers to them.
async fn address(config: &ClientConfig, connection: &Connection) {
    if config.local.are_unbound() {
        // To a daemon that lends none these objects cannot be passed, which whoever tries is told.
        let _ = handshake::address(connection, config.connect_timeout_ms).await;
    }
}

/// What a person can do about it.
fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("{error}; nothing listens there: is the daemon running?"),
        io::ErrorKind::NotFound => format!("{error}; there is no such socket file: is the daemon running?"),
        _ => error.to_string(),
    }
}
