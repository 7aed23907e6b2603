//! Connecting a proxy.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::client::client::Client;
use crate::client::error::ConnectError;
use crate::client::link::Link;
use crate::object::interface::Method;
use crate::object::outcome::NotStarted;
use crate::uri::{Uri, UriError};

/// How long to wait before asking again for a name that is not there yet.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// What can be written where a URI is expected: a [`Uri`], or its text.
pub trait IntoUri {
    /// The URI.
    ///
    /// # Errors
    /// The text is not one.
    fn into_uri(self) -> Result<Uri, UriError>;
}

impl IntoUri for Uri {
    fn into_uri(self) -> Result<Uri, UriError> {
        Ok(self)
    }
}

impl IntoUri for &Uri {
    fn into_uri(self) -> Result<Uri, UriError> {
        Ok(self.clone())
    }
}

impl IntoUri for &str {
    fn into_uri(self) -> Result<Uri, UriError> {
        self.parse()
    }
}

impl IntoUri for String {
    fn into_uri(self) -> Result<Uri, UriError> {
        self.parse()
    }
}

impl IntoUri for &String {
    fn into_uri(self) -> Result<Uri, UriError> {
        self.parse()
    }
}

/// A proxy made of a connected link; what [`Connect`] ends with.
pub(crate) trait FromLink {
    fn from_link(link: Arc<Link>) -> Self;
}

/// A proxy being connected; made by `connect`, done when awaited.
///
/// Awaited, the proxy has found its object, and the object has every method that the proxy knows.
#[must_use = "it connects when it is awaited"]
pub struct Connect<P> {
    client: Client,
    uri: Result<Uri, UriError>,
    interface: &'static [Method],
    wait: Duration,
    make: fn(Arc<Link>) -> P,
}

#[expect(private_bounds, reason = "only proxies are made of links")]
impl<P: FromLink> Connect<P> {
    pub(crate) fn new(client: Client, uri: Result<Uri, UriError>, interface: &'static [Method]) -> Connect<P> {
        Connect { client, uri, interface, wait: Duration::ZERO, make: P::from_link }
    }
}

impl<P> Connect<P> {
    /// Waits at most so long for a name that is not registered yet, or a daemon that does not answer yet, so that start order does not
    /// matter.
    pub fn wait_secs(mut self, secs: u32) -> Connect<P> {
        self.wait = Duration::from_secs(secs.into());
        self
    }

    /// The same, ending with another type of proxy; for the typed proxies that `#[pyroxene::remote]` writes.
    pub fn into_proxy<Q>(self) -> IntoProxy<P, Q>
    where
        Q: From<P>,
    {
        IntoProxy { connect: self, into: Q::from }
    }

    /// Where to, as far as that is known.
    #[cfg(feature = "blocking")]
    pub(crate) fn uri(&self) -> String {
        self.uri.as_ref().map(Uri::to_string).unwrap_or_default()
    }

    async fn run(self) -> Result<P, ConnectError> {
        let fail = |uri: &str, why: NotStarted| ConnectError { uri: uri.to_owned(), why };
        let uri = self.uri.map_err(|error| fail("", NotStarted::BadUri { problem: error.to_string() }))?;
        let deadline = Instant::now() + self.wait;
        let link = Link::new(self.client, uri, self.interface);
        loop {
            let turn = link.queue().await;
            let bound = match link.bind().await {
                Ok(binding) => binding.check(self.interface),
                Err(why) => Err(why),
            };
            drop(turn);
            match bound {
                Ok(()) => return Ok((self.make)(link)),
                Err(why) if is_too_early(&why) && Instant::now() < deadline => {
                    tokio::time::sleep(ASK_AGAIN.min(deadline.saturating_duration_since(Instant::now()))).await;
                }
                Err(why) => return Err(fail(&link.uri.to_string(), why)),
            }
        }
    }
}

/// Waiting can help: what is asked for may still come.
pub(crate) fn is_too_early(why: &NotStarted) -> bool {
    matches!(
        why,
        NotStarted::Unresolved { .. }
            | NotStarted::Unreachable { .. }
            | NotStarted::NoSuchObject { .. }
            | NotStarted::StaleReference { .. }
            | NotStarted::Draining { .. }
    )
}

impl<P: Send + 'static> IntoFuture for Connect<P> {
    type Output = Result<P, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// A [`Connect`] that ends with a typed proxy.
#[must_use = "it connects when it is awaited"]
pub struct IntoProxy<P, Q> {
    connect: Connect<P>,
    into: fn(P) -> Q,
}

impl<P, Q> IntoProxy<P, Q> {
    /// As [`Connect::wait_secs`].
    pub fn wait_secs(mut self, secs: u32) -> IntoProxy<P, Q> {
        self.connect = self.connect.wait_secs(secs);
        self
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn uri(&self) -> String {
        self.connect.uri()
    }
}

impl<P: Send + 'static, Q: 'static> IntoFuture for IntoProxy<P, Q> {
    type Output = Result<Q, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { Ok((self.into)(self.connect.run().await?)) })
    }
}
