//! Bytes to frames and back.
//!
//! - Pure: bytes go in, frames come out. May use: bytes, serde, postcard.
//! - Must never know: sockets, clocks, tokio, actix.
//!
#![doc = include_str!("README.md")]

pub mod annotation;
pub(crate) mod apart;
pub mod batch;
pub mod chain;
pub mod chunk;
pub mod discovery;
pub mod error;
pub mod frame;
pub mod handshake;
pub mod header;
pub mod limits;
pub mod payload;
pub mod pipeline;
pub mod stream;
pub mod trace;
pub(crate) mod varint;

pub use annotation::{AnnotationId, Annotations, OnceKey};
pub use batch::{BatchHead, BatchedCall, BatchedResult};
pub use chain::{Chain, ChainLink};
pub use error::{FrameError, PayloadError};
pub use frame::{Frame, FrameWriter, Frames};
pub use handshake::{
    Addressed, Bind, BindingTable, BoundMethod, Features, Flush, Flushed, GoAway, Hello, PeerLimits, Release,
    SessionOpened, Taken, Target, Ticket, Welcome,
};
pub(crate) use header::readdress;
pub use header::{CorrelationId, Flags, HEADER_LEN, Header, MessageType, SerializerId, VERSION};
pub use limits::Limits;
pub use payload::Payload;
pub use pipeline::Pipeline;
pub use stream::{Carried, Credit, ItemBatch};
pub use trace::TraceParent;
