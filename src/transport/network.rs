//! Where streams come from. Whoever wants another network, such as a simulated one, gives another [`Network`].

use std::future::Future;
use std::io;
use std::pin::Pin;

use crate::transport::stream::Stream;
use crate::transport::tcp;
use crate::uri::Endpoint;

/// A boxed future that may be sent to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Connects and listens.
pub trait Network: Send + Sync {
    /// A stream to `endpoint`.
    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Stream>>;
    /// Listens at `endpoint`; port 0 takes a free one.
    fn listen<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn Listener>>>;
}

/// Takes what connects.
pub trait Listener: Send {
    /// The next stream.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Stream>>;
    /// Where it listens, with the port it got.
    fn endpoint(&self) -> Endpoint;
}

/// The sockets of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNetwork;

impl Network for SystemNetwork {
    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            match endpoint {
                Endpoint::Tcp { host, port } => tcp::connect(host.as_str(), *port).await,
                #[cfg(unix)]
                Endpoint::Unix(path) => crate::transport::unix::connect(path.as_ref()).await,
                #[cfg(not(unix))]
                Endpoint::Unix(_) => Err(no_unix()),
                Endpoint::Unbound(_) => Err(nowhere()),
            }
        })
    }

    fn listen<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listener: Box<dyn Listener> = match endpoint {
                Endpoint::Tcp { host, port } => Box::new(tcp::listen(host, *port).await?),
                #[cfg(unix)]
                Endpoint::Unix(path) => Box::new(crate::transport::unix::listen(path)?),
                #[cfg(not(unix))]
                Endpoint::Unix(_) => return Err(no_unix()),
                Endpoint::Unbound(_) => return Err(nowhere()),
            };
            Ok(listener)
        })
    }
}

fn nowhere() -> io::Error {
    io::Error::new(
        io::ErrorKind::AddrNotAvailable,
        "nobody can listen or connect there: it stands for a daemon without an address",
    )
}

#[cfg(not(unix))]
fn no_unix() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this system has no Unix sockets; use a host and port")
}
