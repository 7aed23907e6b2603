//! Calls on what another call will end with, before it has.

use crate::wire::error::PayloadError;
use crate::wire::varint::write_varint;

/// What a PIPELINE is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipeline {
    /// A call that ends with a reference, on which calls may be made before it arrives. What an INVOKE carries follows.
    Promise,
    /// A call of the object that the call with this sequence number ends with. A call by name, in MessagePack, follows.
    On(u16),
}

impl Pipeline {
    /// Appends it.
    pub fn encode(self, out: &mut Vec<u8>) {
        match self {
            Pipeline::Promise => out.push(0),
            Pipeline::On(seq) => {
                out.push(1);
                write_varint(seq.into(), out);
            }
        }
    }

    /// Reads it; the rest of the payload is the call.
    ///
    /// # Errors
    /// There is none.
    pub fn decode(payload: &[u8]) -> Result<(Pipeline, &[u8]), PayloadError> {
        let unreadable = |problem: &str| PayloadError { what: "PIPELINE", verb: "read", problem: problem.to_owned() };
        match payload {
            [0, call @ ..] => Ok((Pipeline::Promise, call)),
            [1, rest @ ..] => {
                let (seq, call) =
                    postcard::take_from_bytes::<u16>(rest).map_err(|error| unreadable(&error.to_string()))?;
                Ok((Pipeline::On(seq), call))
            }
            _ => Err(unreadable("it says neither that it is a promise, nor on which one it is made")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        for pipeline in [Pipeline::Promise, Pipeline::On(0), Pipeline::On(u16::MAX)] {
            let mut out = Vec::new();
            pipeline.encode(&mut out);
            out.extend_from_slice(b"call");
            assert_eq!(Pipeline::decode(&out), Ok((pipeline, &b"call"[..])));
        }
        for wrong in [&b""[..], b"\x02", b"\x01", b"\x01\xff\xff\xff\x7f"] {
            assert!(Pipeline::decode(wrong).is_err(), "{wrong:?}");
        }
    }
}
