//! Whole frames.

use std::sync::Arc;

use bytes::BytesMut;

use crate::wire::annotation::{AnnotationId, Annotations};
use crate::wire::apart;
use crate::wire::error::FrameError;
use crate::wire::header::{CorrelationId, Flags, HEADER_LEN, Header, MessageType, SerializerId};
use crate::wire::payload::{Payload, Whole};

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
    pub payload: Payload,
}

impl Frame {
    /// The next whole frame, split off from what was received; `None` when bytes are missing. A length is judged before memory is taken
    /// for it, and memory is taken only in steps, as bytes come.
    ///
    /// # Errors
    /// The bytes are not a frame that is allowed. Nothing after them can be read either.
    pub fn decode(buf: &mut BytesMut, max_message: u32) -> Result<Option<Frame>, FrameError> {
        let Some(whole) = whole(buf, buf.len(), max_message)? else {
            make_room(buf);
            return Ok(None);
        };
        Frames::new(buf.split_to(whole)).next().transpose()
    }

    /// The frame that has come in chunks: `head` are those that came first, and `body` all others. Where the header and what goes beside the
    /// payload are in `head`, `body` stays where it is.
    ///
    /// # Errors
    /// They are not one, or more than one.
    pub fn from_chunks(mut head: Vec<u8>, body: Vec<u8>, max_message: u32) -> Result<Frame, FrameError> {
        let len = head.len() + body.len();
        let claimed = len.saturating_sub(HEADER_LEN) as u64;
        let too_large = FrameError::TooLarge { claimed, limit: max_message };
        let beside = Header::decode(&head)?.map(|header| HEADER_LEN + header.annotations_len as usize);
        let whole = if beside.is_some_and(|beside| beside <= head.len()) {
            Whole::in_two(head, body)
        } else {
            head.extend_from_slice(&body);
            Whole::new(head.into())
        };
        if self::whole(whole.beginning(), len, max_message)? != Some(len) {
            return Err(too_large);
        }
        let mut frames = Frames { bytes: Arc::new(whole), at: 0, problem: None, rest: false };
        frames.next().unwrap_or(Err(too_large))
    }
}

/// The whole frames among what was received, and then what is wrong with the bytes behind them, if they are no frame that is allowed.
#[derive(Debug)]
pub struct Frames {
    bytes: Arc<Whole>,
    at: usize,
    problem: Option<FrameError>,
    rest: bool,
}

impl Frames {
    /// All whole frames at the beginning of what was received, split off from it; lengths and memory as in [`Frame::decode`].
    pub fn split(buf: &mut BytesMut, max_message: u32) -> Frames {
        Frames::split_first(buf, max_message, usize::MAX)
    }

    /// The same, but no more than so many. What is behind them is not judged yet.
    pub(crate) fn split_first(buf: &mut BytesMut, max_message: u32, most: usize) -> Frames {
        let (mut end, mut frames, mut rest) = (0, 0, false);
        let problem = loop {
            match whole(&buf[end..], buf.len() - end, max_message) {
                Ok(Some(_)) if frames == most => {
                    rest = true;
                    break None;
                }
                Ok(Some(len)) => (end, frames) = (end + len, frames + 1),
                Ok(None) => break None,
                Err(problem) => break Some(problem),
            }
        };
        if end == 0 {
            make_room(buf);
        }
        Frames { problem, rest, ..Frames::new(buf.split_to(end)) }
    }

    fn new(bytes: BytesMut) -> Frames {
        Frames { bytes: Arc::new(Whole::new(bytes.freeze())), at: 0, problem: None, rest: false }
    }

    /// Whether there are whole frames behind them.
    pub(crate) fn has_rest(&self) -> bool {
        self.rest
    }

    /// The next one; none behind what is wrong, which is then the [`problem`](Frames::problem).
    // Always inlined, and without a result: its header stays in registers, instead of going through memory.
    #[inline(always)]
    pub(crate) fn next_frame(&mut self) -> Option<Frame> {
        let header = match Header::decode(self.bytes.beginning().get(self.at..).unwrap_or_default()) {
            Ok(Some(header)) => header,
            Ok(None) => return None,
            Err(problem) => return self.end(problem),
        };
        let at = self.at + HEADER_LEN;
        let (annotations_len, payload_len) = (header.annotations_len as usize, header.payload_len as usize);
        self.at = at + annotations_len + payload_len;
        let annotations = if annotations_len == 0 {
            Annotations::default()
        } else {
            match Annotations::check(Payload::part(&self.bytes, at, annotations_len)) {
                Ok(annotations) => annotations,
                Err(problem) => return self.end(problem),
            }
        };
        let payload = Payload::part(&self.bytes, at + annotations_len, payload_len);
        Some(Frame { header, annotations, payload })
    }

    /// What is wrong with the bytes behind those that were taken.
    pub(crate) fn problem(&mut self) -> Option<FrameError> {
        self.problem.take()
    }

    #[cold]
    fn end(&mut self, problem: FrameError) -> Option<Frame> {
        self.at = self.bytes.beginning().len();
        self.problem = Some(problem);
        None
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_frame().map(Ok).or_else(|| self.problem().map(Err))
    }
}

/// The length of the frame at the beginning of `bytes`, if all of it is there: `len` bytes are, and the first of them in one piece.
#[inline(always)]
fn whole(bytes: &[u8], len: usize, max_message: u32) -> Result<Option<usize>, FrameError> {
    let Some(header) = Header::decode(bytes)? else { return Ok(None) };
    let claimed = header.claimed();
    if claimed > u64::from(max_message) {
        return Err(FrameError::TooLarge { claimed, limit: max_message });
    }
    if header.flags.contains(Flags::COMPRESSED) {
        return Err(FrameError::Compressed);
    }
    let whole = HEADER_LEN + claimed as usize;
    Ok((len >= whole).then_some(whole))
}

/// Takes memory for the rest of a frame whose beginning has been judged.
fn make_room(buf: &mut BytesMut) {
    if let Ok(Some(header)) = Header::decode(buf) {
        let missing = (HEADER_LEN + header.claimed() as usize).saturating_sub(buf.len());
        buf.reserve(missing.min(GROW));
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
        let payload = out.len() - self.payload + apart::left_out(out);
        if annotations + payload > max_message as usize {
            apart::truncate(out, self.start);
            return Err(FrameError::TooLarge { claimed: (annotations + payload) as u64, limit: max_message });
        }
        out[self.start + 12..self.start + 16].copy_from_slice(&(payload as u32).to_be_bytes());
        out[self.start + 16..self.start + 20].copy_from_slice(&(annotations as u32).to_be_bytes());
        Ok(())
    }

    /// Takes it back.
    pub fn abandon(self, out: &mut Vec<u8>) {
        apart::truncate(out, self.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many frames, and these bytes behind them.
    fn received(frames: usize, behind: &[u8]) -> BytesMut {
        let mut out = Vec::new();
        for seq in 0..frames {
            let (kind, seq) = (MessageType::Result, seq as u16);
            let writer =
                FrameWriter::begin(&mut out, kind, SerializerId::POSTCARD, Flags::default(), seq, CorrelationId::NONE);
            writer.finish(&mut out, u32::MAX).unwrap();
        }
        out.extend_from_slice(behind);
        BytesMut::from(&out[..])
    }

    /// The numbers of those that are split off, and whether there are more.
    fn first(buf: &mut BytesMut, most: usize) -> (Vec<u16>, bool) {
        let mut frames = Frames::split_first(buf, u32::MAX, most);
        let rest = frames.has_rest();
        (frames.by_ref().map(|frame| frame.unwrap().header.seq).collect(), rest)
    }

    #[test]
    fn no_more_frames_are_split_off_than_are_wanted() {
        let mut buf = received(5, b"PYRO");
        assert_eq!(first(&mut buf, 2), (vec![0, 1], true));
        assert_eq!(first(&mut buf, 3), (vec![2, 3, 4], false), "what is behind them is no whole frame");
        assert_eq!((first(&mut buf, 3), &buf[..]), ((vec![], false), &b"PYRO"[..]));
    }

    #[test]
    fn what_is_wrong_behind_them_shows_once_they_are_taken() {
        let mut buf = received(3, &[0xff; HEADER_LEN]);
        assert_eq!(first(&mut buf, 2), (vec![0, 1], true));
        let frames: Vec<_> = Frames::split_first(&mut buf, u32::MAX, 2).collect();
        assert!(matches!(&frames[..], [Ok(_), Err(_)]), "{frames:?}");
    }
}
