//! Two connected streams in memory, for tests and for objects and clients in one process that shall talk as over a network.

use crate::transport::stream::Stream;

/// Bytes each direction holds before its writer waits.
const CAPACITY: usize = 64 * 1024;

/// Two connected streams.
///
/// ```
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let (mut left, mut right) = pyroxene::transport::memory::pair();
/// left.write_all(b"ping").await?;
/// let mut got = [0; 4];
/// right.read_exact(&mut got).await?;
/// assert_eq!(&got, b"ping");
/// # Ok(()) }
/// ```
pub fn pair() -> (Stream, Stream) {
    let (left, right) = tokio::io::duplex(CAPACITY);
    (Stream::custom(left, "memory".to_owned()), Stream::custom(right, "memory".to_owned()))
}
