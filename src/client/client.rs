//! What proxies share: configuration, connections, and the way to names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use crate::client::backoff::Backoff;
use crate::client::keys::Keys;
use crate::client::pool::Pool;
use crate::codec::budget::Budget;
use crate::object::context::CallContext;
use crate::object::facts::Passed;
use crate::object::local::LocalDaemons;
use crate::object::outcome::NotStarted;
use crate::peer::spin::Spin;
use crate::transport::network::BoxFuture;
use crate::transport::{Network, SystemNetwork};
use crate::uri::{Endpoint, Uri};
use crate::wire::{CorrelationId, Limits, Target};

/// How a client behaves.
#[derive(Clone)]
pub struct ClientConfig {
    /// The time a call has unless it says otherwise, milliseconds.
    pub timeout_ms: u32,
    /// How long a call whose time is over still waits to hear whether it ran: an eighth of its time, but at least and at most so many
    /// milliseconds. The object's daemon takes a call that waits in a queue out when its time is over, and says so; that has to arrive.
    pub grace_ms: (u32, u32),
    /// The time connecting has, milliseconds.
    pub connect_timeout_ms: u32,
    /// The pause after a failed attempt to connect; doubled with each further one, up to the second value. Milliseconds.
    pub backoff_ms: (u32, u32),
    /// The pause before a call that was told to is tried again; doubled with each further attempt, up to the second value. Milliseconds.
    pub retry_ms: (u32, u32),
    /// What a peer may send and hold.
    pub limits: Limits,
    /// Whether a connection looks for more for up to 200 µs before it sleeps.
    pub spin: Spin,
    /// Where log lines go.
    pub log: slog::Logger,
    /// Where connections come from.
    pub network: Arc<dyn Network>,
    /// The daemons of this process.
    pub local: LocalDaemons,
    /// Where ids and jitter come from; given by tests that must repeat. Two clients with the same are one and the same to a daemon.
    pub seed: Option<u64>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        ClientConfig {
            timeout_ms: 30_000,
            grace_ms: (20, 1_000),
            connect_timeout_ms: 5_000,
            backoff_ms: (50, 2_000),
            retry_ms: (10, 1_000),
            limits: Limits::default(),
            spin: Spin::default(),
            log: slog::Logger::root(slog::Discard, slog::o!()),
            network: Arc::new(SystemNetwork),
            local: LocalDaemons::of_process(),
            seed: None,
        }
    }
}

/// What proxies share: connections, configuration, and how names are resolved. Cheap to clone.
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: ClientConfig,
    pub(crate) pool: Pool,
    pub(crate) backoff: Arc<Backoff>,
    pub(crate) resolver: Arc<dyn Resolver>,
    /// Identifies this client to daemons, over all its connections.
    pub(crate) session: u128,
    links: AtomicU64,
    /// Of calls that are to run once.
    pub(crate) keys: Keys,
}

/// Turns a name into the URI of an object.
pub trait Resolver: Send + Sync {
    /// The object that `uri`, a `PYRONAME` or `PYROMETA` one, means now.
    fn resolve<'a>(&'a self, client: &'a Client, uri: &'a Uri) -> BoxFuture<'a, Result<Uri, NotStarted>>;

    /// The objects in the group that `uri`, a `PYRONAME` one, means now, or those with the tags of a `PYROMETA` one; with their names.
    fn members<'a>(
        &'a self,
        client: &'a Client,
        uri: &'a Uri,
    ) -> BoxFuture<'a, Result<Vec<(String, Uri)>, NotStarted>> {
        let _ = client;
        let problem = "this client knows of no groups".to_owned();
        Box::pin(async move { Err(NotStarted::Unresolved { name: uri.to_string(), problem }) })
    }

    /// Where the name server is; or what was tried to find it, and what came of it.
    fn name_server<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Uri, Vec<String>>> {
        let _ = client;
        Box::pin(async { Err(vec!["this client knows of none".to_owned()]) })
    }
}

impl Client {
    /// A client with its own connections.
    pub fn new(config: ClientConfig, resolver: Arc<dyn Resolver>) -> Client {
        use rand::{RngExt, SeedableRng};
        let mut rng = match config.seed {
            Some(seed) => rand::rngs::StdRng::seed_from_u64(seed),
            None => rand::rngs::StdRng::from_rng(&mut rand::rng()),
        };
        let session: u128 = rng.random();
        let backoff = Arc::new(Backoff::new(rng.random()));
        Client(Arc::new(Inner {
            config,
            pool: Pool::default(),
            backoff,
            resolver,
            session,
            links: AtomicU64::new(0),
            keys: Keys::default(),
        }))
    }

    /// How it behaves.
    pub fn config(&self) -> &ClientConfig {
        &self.0.config
    }

    /// What decoding one message of a daemon may cost.
    #[inline]
    pub(crate) fn budget(&self) -> Budget {
        Budget::within(&self.0.config.limits)
    }

    /// Ends every connection that no call uses.
    pub fn close(&self) {
        self.0.pool.clear();
    }

    /// The time (milliseconds) and the correlation id of a new call: what was asked for, but never more time than the call in whose course
    /// it is made, and that one's id; `own` if it is made in the course of none. And what else that call passes on.
    #[inline]
    pub(crate) fn inherit(
        &self,
        asked_ms: Option<u32>,
        own: CorrelationId,
    ) -> (u32, CorrelationId, Option<Box<Passed>>) {
        let ms = asked_ms.unwrap_or(self.0.config.timeout_ms);
        // Most calls are made in the course of none; what the others inherit, unboxed, would go through memory.
        if CallContext::is_any_current() { inherit(ms, own) } else { (ms, own, None) }
    }

    /// How long a call that had so many milliseconds waits to hear whether it ran, milliseconds.
    pub(crate) fn grace(&self, ms: u32) -> u32 {
        let (least, most) = self.0.config.grace_ms;
        (ms / 8).min(most).max(least)
    }

    /// Where the correlation ids of a proxy begin: each proxy has 2^64 of them.
    pub(crate) fn correlations(&self) -> u128 {
        let number = self.0.links.fetch_add(1, Ordering::Relaxed);
        self.0.session.wrapping_add(u128::from(number) << 64)
    }

    /// Where `uri` is, asking a name server when it has to.
    pub(crate) async fn locate(&self, uri: &Uri) -> Result<(Endpoint, Target), NotStarted> {
        let mut uri = std::borrow::Cow::Borrowed(uri);
        // A name may stand for another name, but not for ever.
        for _ in 0..4 {
            match uri.as_ref() {
                Uri::Object(object) => return Ok((object.endpoint.clone(), Target::Id(object.object.to_string()))),
                Uri::Location(location) => {
                    return Ok((location.endpoint.clone(), Target::Name(location.name.to_string())));
                }
                Uri::Name(_) | Uri::Meta(_) => {
                    uri = std::borrow::Cow::Owned(self.0.resolver.resolve(self, &uri).await?);
                }
            }
        }
        let problem = "the name stands for a name that stands for a name, and so on; register it with a PYRO:// URI";
        Err(NotStarted::Unresolved { name: uri.to_string(), problem: problem.to_owned() })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("session", &self.0.session).finish_non_exhaustive()
    }
}

/// What a call that has so much time inherits from the one in whose course it is made.
#[inline(never)]
fn inherit(ms: u32, own: CorrelationId) -> (u32, CorrelationId, Option<Box<Passed>>) {
    CallContext::with_current(|call| match call {
        None => (ms, own, None),
        Some(call) => {
            let left = call.deadline.saturating_duration_since(Instant::now()).as_millis();
            let ms = ms.min(u32::try_from(left).unwrap_or(u32::MAX));
            (ms, if call.correlation.is_none() { own } else { call.correlation }, call.passed().map(Box::new))
        }
    })
}
