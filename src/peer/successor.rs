//! Another stream for a connection.

use std::io;

use bytes::BytesMut;

use crate::transport::Stream;
use crate::transport::network::BoxFuture;
use crate::transport::stream::Detached;

/// A stream that takes the place of one that was lost, as the end that is called gets it.
pub(crate) struct Successor {
    pub(crate) stream: Detached,
    /// Received already.
    pub(crate) input: BytesMut,
    /// Bytes that the peer has taken.
    pub(crate) taken: u64,
}

/// How the end that opened a connection gets another stream for it.
pub trait Redial: Send + Sync {
    /// A stream to the same place, after so many that came to nothing.
    fn dial(&self, failures: u32) -> BoxFuture<'_, io::Result<Stream>>;
}
