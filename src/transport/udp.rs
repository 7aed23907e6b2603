//! Datagrams, for discovery.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// The broadcast address that never leaves this machine.
pub const LOOPBACK_BROADCAST: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);

/// A socket that may send to broadcast addresses; it is bound to `host` and a free port.
///
/// # Errors
/// The system refuses one.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn broadcaster(host: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = open(false)?;
    socket.set_broadcast(true)?;
    socket.bind(&SocketAddr::new(IpAddr::V4(host), 0).into())?;
    UdpSocket::from_std(socket.into())
}

/// A socket that hears what is broadcast to `address:port`. Several name servers on one machine may listen at the same port.
///
/// # Errors
/// The address is not one of this machine's, or the system refuses a socket.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn responder(address: Ipv4Addr, port: u16) -> io::Result<UdpSocket> {
    let socket = open(true)?;
    socket.set_broadcast(true)?;
    socket.bind(&SocketAddr::new(IpAddr::V4(address), port).into())?;
    UdpSocket::from_std(socket.into())
}

fn open(shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(shared)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
