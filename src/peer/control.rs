//! Frames that are neither calls nor replies: a few fields in postcard.

use crate::object::outcome::{Failure, NotStarted};
use crate::wire::{CorrelationId, Flags, FrameWriter, MessageType, PayloadError, SerializerId};

/// Appends one; if it cannot be written, nothing.
pub(crate) fn write(
    out: &mut Vec<u8>,
    kind: MessageType,
    seq: u16,
    payload: impl FnOnce(&mut Vec<u8>) -> Result<(), PayloadError>,
) {
    // A few bytes are never too many.
    answer(out, kind, seq, u32::MAX, Ok(()), |(), out| payload(out));
}

/// Appends the answer to a question of the peer, of at most so many bytes: what it asked for, or why it does not get it.
pub(crate) fn answer<T>(
    out: &mut Vec<u8>,
    kind: MessageType,
    seq: u16,
    limit: u32,
    outcome: Result<T, NotStarted>,
    payload: impl FnOnce(T, &mut Vec<u8>) -> Result<(), PayloadError>,
) {
    let id = SerializerId::POSTCARD;
    let flags = if outcome.is_ok() { Flags::default() } else { Flags::EXCEPTION };
    let frame = FrameWriter::begin(out, kind, id, flags, seq, CorrelationId::NONE);
    let written = match outcome {
        Ok(value) => payload(value, out).is_ok(),
        Err(why) => Failure::NotStarted(why).to_fault(id, "", "").encode(id, out).is_ok(),
    };
    if written {
        // What is too large is taken back.
        let _ = frame.finish(out, limit);
    } else {
        frame.abandon(out);
    }
}
