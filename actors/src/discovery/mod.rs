//! Discovery: tells whoever asks by UDP where the name server is, and does nothing else.
//! May use what `pyroxene` exports, like any guest; sockets only from `pyroxene::transport::udp`.
//! Must never know names: no datagram changes or reveals one.

mod actor;
mod answers;
mod rate_limit;

pub use self::actor::{Discovery, DiscoveryError, Listening, start};
