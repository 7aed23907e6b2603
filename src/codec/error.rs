//! Why a value could not be written or read.

use crate::wire::SerializerId;

/// Why a value could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// This end does not have the serializer.
    #[error("{id} is not one of this end's serializers; it has postcard, JSON and MessagePack")]
    UnknownSerializer {
        /// The one asked for.
        id: SerializerId,
    },
    /// The serializer cannot write such a value.
    #[error("a value of type {kind} cannot be written: {problem}")]
    Unwritable {
        /// The type.
        kind: &'static str,
        /// Why not.
        problem: String,
    },
}

/// Why bytes could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// This end does not have the serializer.
    #[error("{id} is not one of this end's serializers; it has postcard, JSON and MessagePack")]
    UnknownSerializer {
        /// The one asked for.
        id: SerializerId,
    },
    /// The value is nested too deep.
    #[error("the value is nested deeper than {limit} levels (`max_depth`)")]
    TooDeep {
        /// What is allowed.
        limit: u16,
    },
    /// The value has too many elements.
    #[error("the value has more than {limit} elements (`max_elements`)")]
    TooManyElements {
        /// What is allowed.
        limit: u32,
    },
    /// The value takes too much memory.
    #[error("the value takes more than {limit} bytes of memory")]
    TooLarge {
        /// What is allowed, bytes.
        limit: usize,
    },
    /// Bytes follow the value.
    #[error("{bytes} bytes follow the value")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// The bytes are not such a value.
    #[error("not a {kind}: {problem}")]
    Malformed {
        /// The type that was expected.
        kind: &'static str,
        /// What is wrong.
        problem: String,
    },
}
