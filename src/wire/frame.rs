//! Whole frames.

use bytes::{Buf, Bytes, BytesMut};

use crate::wire::annotation::{AnnotationId, Annotations};
use crate::wire::error::FrameError;
use crate::wire::header::{CorrelationId, Flags, HEADER_LEN, Header, MessageType, SerializerId};

/// Memory that is taken at a time for a frame whose bytes have not come yet.
const GROW: usize = 64 * 1024;

/// One frame; it shares the memory it was read into.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What it says of itself.
    pub header: Header,
    /// Facts beside the payload.
    pub annotations: Annotations,
    /// What it carries.
    pub payload: Bytes,
}

impl Frame {
    /// The next whole frame, split off from what was received; `None` when bytes are missing. A length is judged before memory is taken
    /// for it, and memory is taken only in steps, as bytes come.
    ///
    /// # Errors
    /// The bytes are not a frame that is allowed. Nothing after them can be read either.
    // Always inlined: its header stays in registers, instead of being copied about.
    #[inline(always)]
    pub fn decode(buf: &mut BytesMut, max_message: u32) -> Result<Option<Frame>, FrameError> {
        let Some(header) = Header::decode(buf)? else { return Ok(None) };
        let claimed = u64::from(header.payload_len) + u64::from(header.annotations_len);
        if claimed > u64::from(max_message) {
            return Err(FrameError::TooLarge { claimed, limit: max_message });
        }
        if header.flags.contains(Flags::COMPRESSED) {
            return Err(FrameError::Compressed);
        }
        let whole = HEADER_LEN + claimed as usize;
        if buf.len() < whole {
            buf.reserve((whole - buf.len()).min(GROW));
            return Ok(None);
        }
        let mut frame = buf.split_to(whole).freeze();
        frame.advance(HEADER_LEN);
        let annotations = if header.annotations_len == 0 {
            Annotations::default()
        } else {
            Annotations::check(frame.split_to(header.annotations_len as usize))?
        };
        Ok(Some(Frame { header, annotations, payload: frame }))
    }

    /// The frame that has come in chunks, of which `bytes` is all.
    ///
    /// # Errors
    /// It is not one, or more than one.
    pub fn whole(bytes: Vec<u8>, max_message: u32) -> Result<Frame, FrameError> {
        // What was shared once is split without another copy.
        let mut bytes = BytesMut::from(Bytes::from(bytes));
        let claimed = bytes.len().saturating_sub(HEADER_LEN) as u64;
        match Frame::decode(&mut bytes, max_message)? {
            Some(frame) if bytes.is_empty() => Ok(frame),
            _ => Err(FrameError::TooLarge { claimed, limit: max_message }),
        }
    }
}

/// Writes one frame to the end of an outgoing buffer; its lengths are filled in at the end.
#[derive(Debug)]
#[must_use = "a frame is to be finished or abandoned"]
pub struct FrameWriter {
    start: usize,
    /// Where the payload begins.
    payload: usize,
}

impl FrameWriter {
    /// Begins a frame.
    #[inline]
    pub fn begin(
        out: &mut Vec<u8>,
        kind: MessageType,
        serializer: SerializerId,
        flags: Flags,
        seq: u16,
        correlation: CorrelationId,
    ) -> FrameWriter {
        let flags = if correlation.is_none() { flags } else { flags | Flags::CORRELATION };
        let start = out.len();
        Header { kind, serializer, flags, seq, payload_len: 0, annotations_len: 0, correlation }.encode(out);
        FrameWriter { start, payload: start + HEADER_LEN }
    }

    /// Adds an annotation; all of them come before the payload.
    #[inline]
    pub fn annotate(&mut self, out: &mut Vec<u8>, id: AnnotationId, value: &[u8]) {
        debug_assert_eq!(out.len(), self.payload, "annotations come before the payload");
        out.extend_from_slice(&id.0);
        out.extend_from_slice(&(value.len() as u32).to_be_bytes());
        out.extend_from_slice(value);
        self.payload = out.len();
    }

    /// Fills in the lengths.
    ///
    /// # Errors
    /// It became too large; it is taken back.
    #[inline]
    pub fn finish(self, out: &mut Vec<u8>, max_message: u32) -> Result<(), FrameError> {
        let annotations = self.payload - self.start - HEADER_LEN;
        let payload = out.len() - self.payload;
        if annotations + payload > max_message as usize {
            out.truncate(self.start);
            return Err(FrameError::TooLarge { claimed: (annotations + payload) as u64, limit: max_message });
        }
        out[self.start + 12..self.start + 16].copy_from_slice(&(payload as u32).to_be_bytes());
        out[self.start + 16..self.start + 20].copy_from_slice(&(annotations as u32).to_be_bytes());
        Ok(())
    }

    /// Takes it back.
    pub fn abandon(self, out: &mut Vec<u8>) {
        out.truncate(self.start);
    }
}
