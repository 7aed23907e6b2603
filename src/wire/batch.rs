//! Batches: many calls of one object in one frame, and how they ended in another.

use crate::wire::error::PayloadError;
use crate::wire::varint::write_varint;

/// BATCH: which object is called, and whether the first fault is the end. The calls follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHead {
    /// What the object is called on this connection.
    pub handle: u32,
    /// After the first call that ends in a fault, none begins any more.
    pub stop_at_fault: bool,
}

impl BatchHead {
    /// Appends it.
    pub fn encode(self, out: &mut Vec<u8>) {
        write_varint(self.handle.into(), out);
        out.push(u8::from(self.stop_at_fault));
    }

    /// Reads it; the rest of the payload is the calls.
    ///
    /// # Errors
    /// There is none.
    pub fn decode(payload: &[u8]) -> Result<(BatchHead, &[u8]), PayloadError> {
        let (handle, rest) =
            postcard::take_from_bytes::<u32>(payload).map_err(|error| unreadable(&error.to_string()))?;
        match rest {
            [mode @ 0..=1, calls @ ..] => Ok((BatchHead { handle, stop_at_fault: *mode == 1 }, calls)),
            _ => Err(unreadable("it does not say whether it stops at the first fault")),
        }
    }
}

/// One call of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchedCall<'a> {
    /// The method's place in the object's table; without one it is a call by name, in MessagePack.
    pub method: Option<u32>,
    /// The message in postcard, or the call by name.
    pub bytes: &'a [u8],
}

impl<'a> BatchedCall<'a> {
    /// Appends the method; the bytes, with their length before them, follow.
    #[inline]
    pub fn begin(method: Option<u32>, out: &mut Vec<u8>) {
        write_varint(method.map_or(0, |method| u64::from(method) + 1), out);
    }

    /// Takes the first call off those of a batch.
    ///
    /// # Errors
    /// There is no whole one.
    #[inline]
    pub fn take(rest: &mut &'a [u8]) -> Result<BatchedCall<'a>, PayloadError> {
        let (method, behind) =
            postcard::take_from_bytes::<u64>(rest).map_err(|error| unreadable(&error.to_string()))?;
        let method = match method.checked_sub(1).map(u32::try_from) {
            None => None,
            Some(Ok(method)) => Some(method),
            Some(Err(_)) => return Err(unreadable("a method's place is too large a number")),
        };
        let (bytes, behind) = sized(behind).ok_or_else(|| unreadable("a call is longer than what there is"))?;
        *rest = behind;
        Ok(BatchedCall { method, bytes })
    }
}

/// How one call of a batch ended; the RESULT with the flag *batch* has one for each call, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchedResult<'a> {
    /// With a value, in the serializer of the call.
    Value(&'a [u8]),
    /// With a fault, in the serializer of the call.
    Fault(&'a [u8]),
    /// It never began, since a call before it ended in a fault.
    Skipped,
    /// With a value for which the frame has no room.
    ValueTooLarge,
    /// With a fault for which the frame has no room.
    FaultTooLarge,
}

impl<'a> BatchedResult<'a> {
    /// What the outcomes with bytes begin with.
    pub const VALUE: u8 = 0;
    /// The same for a fault.
    pub const FAULT: u8 = 1;

    /// Appends it.
    pub fn encode(self, out: &mut Vec<u8>) {
        let (kind, bytes) = match self {
            BatchedResult::Value(bytes) => (BatchedResult::VALUE, Some(bytes)),
            BatchedResult::Fault(bytes) => (BatchedResult::FAULT, Some(bytes)),
            BatchedResult::Skipped => (2, None),
            BatchedResult::ValueTooLarge => (3, None),
            BatchedResult::FaultTooLarge => (4, None),
        };
        out.push(kind);
        if let Some(bytes) = bytes {
            write_varint(bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
    }

    /// Takes the first outcome off those of a batch.
    ///
    /// # Errors
    /// There is no whole one.
    #[inline]
    pub fn take(rest: &mut &'a [u8]) -> Result<BatchedResult<'a>, PayloadError> {
        let [kind, behind @ ..] = *rest else { return Err(unreadable("an outcome is missing")) };
        let mut behind = behind;
        let mut bytes = || {
            let (bytes, left) = sized(behind).ok_or_else(|| unreadable("an outcome is longer than what there is"))?;
            behind = left;
            Ok(bytes)
        };
        let result = match *kind {
            BatchedResult::VALUE => BatchedResult::Value(bytes()?),
            BatchedResult::FAULT => BatchedResult::Fault(bytes()?),
            2 => BatchedResult::Skipped,
            3 => BatchedResult::ValueTooLarge,
            4 => BatchedResult::FaultTooLarge,
            _ => return Err(unreadable("an outcome is of a kind that there is not")),
        };
        *rest = behind;
        Ok(result)
    }
}

/// Writes parts with their lengths before them, which are known only behind them. Parts of one batch are mostly alike, so room is left for a
/// length like the one before, and nothing is moved.
#[derive(Debug)]
pub struct SizedParts {
    /// Bytes of the length before.
    room: usize,
}

impl Default for SizedParts {
    fn default() -> Self {
        SizedParts { room: 1 }
    }
}

impl SizedParts {
    /// Appends what `write` appends, with its length before it; on an error nothing.
    ///
    /// # Errors
    /// Those of `write`.
    #[inline]
    pub fn push<E>(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let start = out.len();
        out.resize(start + self.room, 0);
        if let Err(error) = write(out) {
            out.truncate(start);
            return Err(error);
        }
        let len = out.len() - start - self.room;
        let mut head = [0; 10];
        let head = varint(len as u64, &mut head);
        if head.len() != self.room {
            let old = start + self.room;
            out.splice(start..old, head.iter().copied());
            self.room = head.len();
        } else {
            out[start..start + head.len()].copy_from_slice(head);
        }
        Ok(())
    }
}

/// A number as [`write_varint`] writes it.
#[inline]
pub(crate) fn varint(mut value: u64, room: &mut [u8; 10]) -> &[u8] {
    let mut len = 0;
    while value >= 0x80 {
        room[len] = value as u8 | 0x80;
        value >>= 7;
        len += 1;
    }
    room[len] = value as u8;
    &room[..=len]
}

#[inline]
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, behind) = postcard::take_from_bytes::<u32>(bytes).ok()?;
    behind.split_at_checked(len as usize)
}

fn unreadable(problem: &str) -> PayloadError {
    PayloadError { what: "BATCH", verb: "read", problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(bytes: &'static [u8]) -> impl FnOnce(&mut Vec<u8>) -> Result<(), ()> {
        |out| {
            out.extend_from_slice(bytes);
            Ok(())
        }
    }

    #[test]
    fn calls_are_read_as_they_were_written() {
        let head = BatchHead { handle: 300, stop_at_fault: true };
        let (mut out, mut parts) = (Vec::new(), SizedParts::default());
        head.encode(&mut out);
        let long: &[u8] = &[7; 200];
        for (method, bytes) in [(Some(0), &b"one"[..]), (None, long), (Some(u32::MAX), b"")] {
            BatchedCall::begin(method, &mut out);
            parts
                .push(&mut out, |out| -> Result<(), ()> {
                    out.extend_from_slice(bytes);
                    Ok(())
                })
                .unwrap();
        }
        let (back, mut rest) = BatchHead::decode(&out).unwrap();
        assert_eq!(back, head);
        for (method, bytes) in [(Some(0), &b"one"[..]), (None, long), (Some(u32::MAX), b"")] {
            assert_eq!(BatchedCall::take(&mut rest), Ok(BatchedCall { method, bytes }));
        }
        assert!(rest.is_empty());
        let mut half = &out[..out.len() - 2];
        half = BatchHead::decode(half).unwrap().1;
        let count = std::iter::from_fn(|| BatchedCall::take(&mut half).ok()).count();
        assert!(count == 2 && !half.is_empty(), "half a call is none");
    }

    #[test]
    fn a_part_that_cannot_be_written_leaves_nothing() {
        let (mut out, mut parts) = (b"before".to_vec(), SizedParts::default());
        let failing = parts.push(&mut out, |out| {
            out.push(1);
            Err("no")
        });
        assert_eq!((failing, &out[..]), (Err("no"), &b"before"[..]));
        parts.push(&mut out, write(b"x")).unwrap();
        assert_eq!(out, b"before\x01x");
    }

    #[test]
    fn outcomes_are_read_as_they_were_written() {
        let outcomes = [
            BatchedResult::Value(b"70"),
            BatchedResult::Fault(&[1; 200]),
            BatchedResult::Skipped,
            BatchedResult::ValueTooLarge,
            BatchedResult::FaultTooLarge,
        ];
        let mut out = Vec::new();
        outcomes.into_iter().for_each(|outcome| outcome.encode(&mut out));
        let mut rest = &out[..];
        for outcome in outcomes {
            assert_eq!(BatchedResult::take(&mut rest), Ok(outcome));
        }
        assert!(rest.is_empty() && BatchedResult::take(&mut rest).is_err());
        assert!(BatchedResult::take(&mut &b"\x05"[..]).is_err());
        assert!(BatchedResult::take(&mut &b"\x00\x02x"[..]).is_err());
    }
}
