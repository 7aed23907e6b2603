//! The simulated network, as clients and daemons see it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pyroxene::transport::network::BoxFuture;
use pyroxene::transport::{Listener, Network, Stream};
use pyroxene::uri::Endpoint;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A world of simulated hosts, all of whose chances follow from the seed.
pub(crate) fn world<'a>(seed: u64) -> turmoil::Sim<'a> {
    turmoil::Builder::new()
        .rng_seed(seed)
        .tick_duration(Duration::from_millis(5))
        .simulation_duration(Duration::from_secs(60))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(20))
        .tcp_capacity(4_096)
        .build()
}

/// The network of one simulated host.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SimulatedNetwork {
    /// Some requests arrive twice; which, this seed says.
    pub(crate) repeats: Option<u64>,
    /// Some connections break when so many bytes have come; after how many, this seed says.
    pub(crate) breaks: Option<u64>,
    /// Calls arrive without their keys.
    pub(crate) takes_keys: bool,
    /// Nothing is ever accepted.
    pub(crate) deaf: bool,
}

impl Network for SimulatedNetwork {
    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            let stream = turmoil::net::TcpStream::connect(address(endpoint)?).await?;
            let peer = endpoint.to_string();
            let SimulatedNetwork { repeats, breaks, takes_keys, .. } = *self;
            let Some(seed) = breaks else { return Ok(Stream::custom(stream, peer)) };
            let now = turmoil::sim_elapsed().unwrap_or_default().as_millis() as u64;
            let mut rng = StdRng::seed_from_u64(seed ^ (now << 32));
            let left = if rng.random() { rng.random_range(200..3_000) } else { usize::MAX };
            let repeats = repeats.map(StdRng::seed_from_u64);
            Ok(Stream::custom(Faulty { stream: Some(stream), left, takes_keys, repeats, greeted: false }, peer))
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
        Endpoint::Unix(_) | Endpoint::Unbound(_) => Err(io::ErrorKind::Unsupported.into()),
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

/// A client's end of a connection, with what is wrong with it.
struct Faulty {
    /// Gone once the connection has broken.
    stream: Option<turmoil::net::TcpStream>,
    /// Bytes that still come before it breaks.
    left: usize,
    takes_keys: bool,
    /// Some writes are sent twice, but never the first, which is the handshake.
    repeats: Option<StdRng>,
    greeted: bool,
}

impl Faulty {
    fn stream(&mut self) -> io::Result<Pin<&mut turmoil::net::TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut bytes = bytes.to_vec();
        while self.takes_keys
            && let Some(at) = bytes.windows(4).position(|word| word == b"ONCE")
        {
            // Nobody knows an annotation of this name.
            bytes[at..at + 4].copy_from_slice(b"ANON");
        }
        let written = ready!(self.stream()?.poll_write(cx, &bytes))?;
        let again = self.repeats.as_mut().is_some_and(|rng| rng.random_range(0..20) == 0);
        if std::mem::replace(&mut self.greeted, true) && again && written == bytes.len() {
            // If there is no room for it, then not.
            let _ = self.stream()?.poll_write(cx, &bytes);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}

impl AsyncRead for Faulty {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(self.stream()?.poll_read(cx, buf))?;
        let read = buf.filled().len() - before;
        match self.left.checked_sub(read) {
            Some(left) => self.left = left,
            None => {
                buf.set_filled(before);
                self.stream = None;
                self.stream()?;
            }
        }
        Poll::Ready(Ok(()))
    }
}
