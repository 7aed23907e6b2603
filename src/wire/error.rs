//! What is wrong with bytes that came.

/// Why bytes are not a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// They do not begin as a frame does.
    #[error("{}", not_pyro(first))]
    NotPyro {
        /// How they begin.
        first: [u8; 4],
    },
    /// The peer speaks another version.
    #[error("invalid protocol version: {found}; this end speaks 502, as Pyro 5 does")]
    Version {
        /// Its version.
        found: u16,
    },
    /// There is no such message.
    #[error("there is no message type {found}")]
    UnknownType {
        /// Its number.
        found: u8,
    },
    /// The header does not end as a header does.
    #[error("invalid message: the header ends with {found:#06x}, not with 0x4dc5")]
    BadMagic {
        /// How it ends.
        found: u16,
    },
    /// It claims more bytes than are allowed.
    #[error("message too large: {claimed} bytes, of which {limit} are allowed (`max_message`)")]
    TooLarge {
        /// What it claims, bytes.
        claimed: u64,
        /// What is allowed, bytes.
        limit: u32,
    },
    /// The annotations do not add up.
    #[error("the annotations do not add up: {problem}")]
    BadAnnotations {
        /// What is wrong.
        problem: &'static str,
    },
    /// The payload is compressed.
    #[error("compressed messages are not accepted")]
    Compressed,
}

fn not_pyro(first: &[u8; 4]) -> String {
    match first {
        b"GET " | b"POST" | b"PUT " | b"HEAD" | b"OPTI" | b"DELE" | b"PATC" | b"PRI " => {
            "an HTTP request reached a PYRO port; is this the right port?".to_owned()
        }
        [0x16, 0x03, ..] => "a TLS handshake reached a PYRO port that does not speak TLS".to_owned(),
        other => format!("invalid data: it begins with {:?}, not with \"PYRO\"", other.escape_ascii().to_string()),
    }
}

/// Why the payload of a frame is not what its type says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {what} message cannot be {verb}: {problem}")]
pub struct PayloadError {
    /// Which message.
    pub what: &'static str,
    /// Read or written.
    pub verb: &'static str,
    /// What is wrong.
    pub problem: String,
}
