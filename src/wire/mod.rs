//! Bytes to frames and back.
//!
//! - Pure: bytes go in, frames come out. May use: bytes, serde, postcard.
//! - Must never know: sockets, clocks, tokio, actix.
//!
#![doc = include_str!("README.md")]

pub mod annotation;
pub mod batch;
pub mod discovery;
pub mod error;
pub mod frame;
pub mod handshake;
pub mod header;
pub mod limits;
pub mod pipeline;
pub mod stream;
pub(crate) mod varint;

pub use annotation::{AnnotationId, Annotations};
pub use batch::{BatchHead, BatchedCall, BatchedResult};
pub use error::{FrameError, PayloadError};
pub use frame::{Frame, FrameWriter};
pub use handshake::{Bind, BindingTable, BoundMethod, Features, GoAway, Hello, PeerLimits, Target, Welcome};
pub use header::{CorrelationId, Flags, HEADER_LEN, Header, MessageType, SerializerId, VERSION};
pub use limits::Limits;
pub use pipeline::Pipeline;
pub use stream::{Credit, ItemBatch};
