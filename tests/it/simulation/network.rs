//! The simulated network, as clients and daemons see it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pyroxene::transport::network::BoxFuture;
use pyroxene::transport::{Listener, Network, Stream};
use pyroxene::uri::Endpoint;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The network of one simulated host.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SimulatedNetwork {
    /// Some requests arrive twice; which, this seed says.
    pub(super) repeats: Option<u64>,
    /// Nothing is ever accepted.
    pub(super) deaf: bool,
}

impl Network for SimulatedNetwork {
    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            let stream = turmoil::net::TcpStream::connect(address(endpoint)?).await?;
            let peer = endpoint.to_string();
            Ok(match self.repeats {
                None => Stream::custom(stream, peer),
                Some(seed) => {
                    Stream::custom(Repeater { stream, rng: StdRng::seed_from_u64(seed), greeted: false }, peer)
                }
            })
        })
    }

    fn listen<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let (_, port) = address(endpoint)?;
            let listener = turmoil::net::TcpListener::bind(("0.0.0.0", port)).await?;
            Ok(Box::new(Accepting { listener, endpoint: endpoint.clone(), deaf: self.deaf }) as Box<dyn Listener>)
        })
    }
}

fn address(endpoint: &Endpoint) -> io::Result<(&str, u16)> {
    match endpoint {
        Endpoint::Tcp { host, port } => Ok((host.as_str(), *port)),
        Endpoint::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

struct Accepting {
    listener: turmoil::net::TcpListener,
    endpoint: Endpoint,
    deaf: bool,
}

impl Listener for Accepting {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(async move {
            if self.deaf {
                return std::future::pending().await;
            }
            let (stream, peer) = self.listener.accept().await?;
            Ok(Stream::custom(stream, peer.to_string()))
        })
    }

    fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }
}

/// Sends some of its writes twice, but never the first, which is the handshake.
struct Repeater {
    stream: turmoil::net::TcpStream,
    rng: StdRng,
    greeted: bool,
}

impl AsyncWrite for Repeater {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        let again = self.rng.random_range(0..20) == 0;
        if std::mem::replace(&mut self.greeted, true) && again && written == bytes.len() {
            // If there is no room for it, then not.
            let _ = Pin::new(&mut self.stream).poll_write(cx, bytes);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Repeater {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}
