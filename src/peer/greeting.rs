//! The frames that a stream begins with: how they are written, read and refused; and how a stream takes the place of another one.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::codec::budget::Budget;
use crate::transport::Stream;
use crate::wire::handshake::HANDSHAKE_VERSION;
use crate::wire::{
    CorrelationId, Features, Flags, Frame, FrameWriter, Hello, Limits, MessageType, PeerLimits, SerializerId, Taken,
    Target,
};

/// What this end speaks.
pub(super) fn features(limits: &Limits) -> Features {
    if limits.resume_ms == 0 { Features::OURS.without(Features::RESUME) } else { Features::OURS }
}

/// What becomes of a connection that asks to go on over another stream.
pub(crate) enum Comeback {
    /// It goes on.
    Resumed {
        stream: Stream,
        /// Bytes that the daemon has taken.
        taken: u64,
        /// Received behind that.
        input: BytesMut,
    },
    /// It does not.
    Refused(String),
}

/// Asks for the connection with this ticket to go on over `stream`; so many bytes of it were taken here.
///
/// # Errors
/// The stream is lost as well.
pub(crate) async fn come_back(
    mut stream: Stream,
    limits: &Limits,
    session: u128,
    ticket: [u8; 16],
    taken: u64,
) -> io::Result<Comeback> {
    let hello = Hello {
        version: HANDSHAKE_VERSION,
        target: Target::Connection { ticket, taken },
        features: features(limits),
        session,
        timeout_ms: 0,
        limits: PeerLimits { max_message: limits.max_message, in_flight: limits.in_flight },
    };
    let mut out = Vec::new();
    let frame = begin(&mut out, MessageType::Connect, SerializerId::POSTCARD, 0);
    hello.encode(&mut out).map_err(|problem| invalid(&problem.to_string()))?;
    finish(frame, &mut out).map_err(|problem| invalid(&problem))?;
    stream.write_all(&out).await?;
    let mut input = BytesMut::new();
    let answer = read_frame(&mut stream, &mut input, limits.max_handshake).await?;
    Ok(match answer.header.kind {
        MessageType::Resumed => {
            let Taken { taken } = Taken::decode(&answer.payload).map_err(|problem| invalid(&problem.to_string()))?;
            Comeback::Resumed { stream, taken, input }
        }
        MessageType::ConnectFail => Comeback::Refused(reason(&answer)),
        kind => Comeback::Refused(format!("it answers {kind:?} where RESUMED belongs")),
    })
}

/// Says that the connection goes on over `stream`; so many bytes of it were taken here.
///
/// # Errors
/// The stream is lost as well.
pub(crate) async fn resumed(stream: &mut Stream, taken: u64, limits: &Limits) -> io::Result<()> {
    let mut out = Vec::new();
    let frame = begin(&mut out, MessageType::Resumed, SerializerId::POSTCARD, 0);
    Taken { taken }.encode(&mut out).map_err(|problem| invalid(&problem.to_string()))?;
    finish(frame, &mut out).map_err(|problem| invalid(&problem))?;
    let limit = Duration::from_millis(limits.write_ms.into());
    tokio::time::timeout(limit, stream.write_all(&out)).await?
}

/// Tells a client that it is not let in, and why.
pub async fn refuse(mut stream: Stream, reason: &str) {
    let mut out = Vec::new();
    // Before anything is known of the client, Pyro answers in marshal.
    let frame = begin(&mut out, MessageType::ConnectFail, SerializerId::MARSHAL, 0);
    marshal_text(reason, &mut out);
    if frame.finish(&mut out, u32::MAX).is_ok() {
        // A client that does not take it has gone anyway.
        let _ = tokio::time::timeout(Duration::from_secs(1), async {
            stream.write_all(&out).await?;
            stream.shutdown().await
        })
        .await;
    }
}

pub(super) fn begin(out: &mut Vec<u8>, kind: MessageType, serializer: SerializerId, seq: u16) -> FrameWriter {
    FrameWriter::begin(out, kind, serializer, Flags::default(), seq, CorrelationId::NONE)
}

pub(super) fn finish(frame: FrameWriter, out: &mut Vec<u8>) -> Result<(), String> {
    frame.finish(out, u32::MAX).map_err(|problem| problem.to_string())
}

pub(super) async fn read_frame(stream: &mut Stream, input: &mut BytesMut, limit: u32) -> io::Result<Frame> {
    loop {
        match Frame::decode(input, limit) {
            Ok(Some(frame)) => return Ok(frame),
            Ok(None) => {}
            Err(problem) => return Err(invalid(&problem.to_string())),
        }
        input.reserve(512);
        if stream.read_buf(input).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the other end closed it during the handshake"));
        }
    }
}

/// What a CONNECTFAIL says, in whatever it says it.
pub(super) fn reason(frame: &Frame) -> String {
    let text = match frame.header.serializer {
        SerializerId::MARSHAL => marshal_read(&frame.payload),
        id => crate::codec::decode::<String>(id, &frame.payload, &Budget::default()).ok(),
    };
    text.unwrap_or_else(|| "it does not say why".to_owned())
}

/// Text as Python's marshal writes it: short ASCII, or UTF-8 with a length.
fn marshal_text(text: &str, out: &mut Vec<u8>) {
    match u8::try_from(text.len()) {
        Ok(len) if text.is_ascii() => out.extend_from_slice(&[0xfa, len]),
        _ => {
            out.push(b'u');
            out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        }
    }
    out.extend_from_slice(text.as_bytes());
}

fn marshal_read(bytes: &[u8]) -> Option<String> {
    let text = match bytes {
        [0xfa | b'z' | 0xda | b'Z', len, text @ ..] => text.get(..usize::from(*len))?,
        [b'u', a, b, c, d, text @ ..] => text.get(..u32::from_le_bytes([*a, *b, *c, *d]) as usize)?,
        _ => return None,
    };
    String::from_utf8(text.to_vec()).ok()
}

pub(super) fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_the_bytes_that_pyro_sends() {
        let mut out = Vec::new();
        marshal_text("no free workers", &mut out);
        assert_eq!(&out[..2], &[0xfa, 15]);
        assert_eq!(marshal_read(&out).as_deref(), Some("no free workers"));
        let long = "ü".repeat(200);
        out.clear();
        marshal_text(&long, &mut out);
        assert_eq!(marshal_read(&out), Some(long));
    }
}
