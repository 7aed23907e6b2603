//! Values to bytes and back, in each of the serializers; what travels in them: [`Value`], arguments, [`Fault`](fault::Fault).
//!
//! - May use: `wire`: ids, payloads, and what is left out of a frame.
//! - Must never know: IO, connections, objects.

pub mod args;
pub mod blob;
pub mod budget;
pub mod call;
pub mod error;
pub mod fault;
pub mod lists;
pub mod serializer;
pub mod value;

pub use error::{DecodeError, EncodeError};
pub use serializer::{Json, MessagePack, Postcard, SUPPORTED, Serializer, decode, encode};
pub use value::Value;
