//! Messages in chunks: a large one is cut, so that others pass between its pieces.

/// Bytes of one chunk, and of the largest frame that is sent whole: what a small message waits for at most where the network is slow. It is
/// as much as one write to a socket usually takes, so that smaller ones would only cost more.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// Bytes of one chunk on a network that takes as many at once.
pub const MAX_CHUNK_BYTES: usize = 1024 * 1024;
/// Messages that may be under way in chunks at a time, each way. The sequence number of a CHUNK says which of them it belongs to.
pub const CHUNKED: u16 = 8;
