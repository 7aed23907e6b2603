//! Byte streams between machines: TCP, Unix sockets, a pair in memory; and datagrams.
//!
//! - The only folder that opens sockets. May use: `wire`, `uri`.
//! - Must never know: objects, proxies, what the bytes mean.

pub mod memory;
pub mod network;
pub mod stream;
pub mod tcp;
pub mod udp;
#[cfg(unix)]
pub mod unix;

pub use network::{Listener, Network, SystemNetwork};
pub use stream::Stream;
