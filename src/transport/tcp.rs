//! TCP.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::transport::network::{BoxFuture, Listener};
use crate::transport::stream::Stream;
use crate::uri::{Endpoint, Host};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// After this silence the system asks whether the other end is still there, so that a vanished machine is noticed.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// A stream to `host:port`.
pub(crate) async fn connect(host: &str, port: u16) -> io::Result<Stream> {
    let stream = TcpStream::connect((host, port)).await?;
    tune(&stream)?;
    Ok(Stream::tcp(stream))
}

/// Listens at `host:port`.
pub(crate) async fn listen(host: &Host, port: u16) -> io::Result<Tcp> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for addr in tokio::net::lookup_host((host.as_str(), port)).await? {
        match bind(addr) {
            Ok(listener) => return Ok(Tcp { listener, host: host.clone() }),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted daemon gets its port back although old connections linger.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Small calls do not wait for company, and a peer that vanished without a word is noticed.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// A listening TCP socket.
pub(crate) struct Tcp {
    listener: TcpListener,
    host: Host,
}

impl Listener for Tcp {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(async move {
            let (stream, _) = self.listener.accept().await?;
            tune(&stream)?;
            Ok(Stream::tcp(stream))
        })
    }

    fn endpoint(&self) -> Endpoint {
        let port = self.listener.local_addr().map_or(0, |addr| addr.port());
        Endpoint::Tcp { host: self.host.clone(), port }
    }
}
