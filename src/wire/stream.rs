//! Streams: items from one end, credit from the other.

use serde::{Deserialize, Serialize};

use crate::wire::error::PayloadError;
use crate::wire::varint::write_varint;

/// Bytes of items that may be under way when a stream begins, and that its reader holds at most, but for one item that is larger.
pub const WINDOW_BYTES: u32 = 256 * 1024;
/// Items that may be under way when a stream begins. Items without bytes are items too.
pub const WINDOW_ITEMS: u32 = 4_096;

/// ITEM: some items of a stream; none at all when it ends. With the flag *exception* it ends with the fault behind the stream's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemBatch<'a> {
    /// Which stream.
    pub stream: u64,
    /// How many items.
    pub items: u32,
    /// Each with its length before it.
    pub bytes: &'a [u8],
}

impl<'a> ItemBatch<'a> {
    /// Appends the number of the stream; the items, or the fault, follow.
    pub fn begin(stream: u64, out: &mut Vec<u8>) {
        write_varint(stream, out);
    }

    /// Appends one item to those of a batch.
    pub fn push(item: &[u8], out: &mut Vec<u8>) {
        write_varint(item.len() as u64, out);
        out.extend_from_slice(item);
    }

    /// Reads the number of the stream; the rest is its items, or its fault.
    ///
    /// # Errors
    /// There is none.
    pub fn stream(payload: &'a [u8]) -> Result<(u64, &'a [u8]), PayloadError> {
        postcard::take_from_bytes::<u64>(payload).map_err(|error| unreadable("ITEM", &error.to_string()))
    }

    /// Reads the items of an ITEM message.
    ///
    /// # Errors
    /// They are not whole items.
    pub fn decode(payload: &'a [u8]) -> Result<ItemBatch<'a>, PayloadError> {
        let (stream, bytes) = ItemBatch::stream(payload)?;
        let (mut rest, mut items) = (bytes, 0);
        while !rest.is_empty() {
            next_item(&mut rest).ok_or_else(|| unreadable("ITEM", "an item is longer than what there is"))?;
            items += 1;
        }
        Ok(ItemBatch { stream, items, bytes })
    }
}

/// Takes the first item off those of a batch; `None` when there is no whole one.
pub fn next_item<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, behind) = postcard::take_from_bytes::<u32>(rest).ok()?;
    let (item, behind) = behind.split_at_checked(len as usize)?;
    *rest = behind;
    Some(item)
}

/// Streams that one call carries at most.
pub const MOST_STREAMS: u32 = 16;

/// What an INVOKE that carries streams begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The number of the first; the others follow it.
    pub first: u64,
    /// How many.
    pub count: u32,
}

impl Carried {
    /// Appends it; the call itself follows.
    pub fn encode(self, out: &mut Vec<u8>) {
        write_varint(self.first, out);
        write_varint(self.count.into(), out);
    }

    /// Reads it; the rest is the call itself.
    ///
    /// # Errors
    /// There are none, or too many.
    pub fn decode(payload: &[u8]) -> Result<(Carried, &[u8]), PayloadError> {
        let read = postcard::take_from_bytes::<(u64, u32)>(payload);
        let ((first, count), rest) = read.map_err(|error| unreadable("INVOKE", &error.to_string()))?;
        if first == 0 || count == 0 || count > MOST_STREAMS || first.checked_add(count.into()).is_none() {
            return Err(unreadable("INVOKE", "one call does not carry such streams"));
        }
        Ok((Carried { first, count }, rest))
    }

    /// Their numbers.
    pub fn numbers(self) -> std::ops::Range<u64> {
        self.first..self.first + u64::from(self.count)
    }
}

/// CREDIT: so much more may be sent. Nothing more, neither bytes nor items, means that the stream is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// Which stream.
    pub stream: u64,
    /// Bytes of items, their lengths included.
    pub bytes: u32,
    /// Items.
    pub items: u32,
}

impl Credit {
    /// The stream is not read any more.
    pub fn give_up(stream: u64) -> Credit {
        Credit { stream, bytes: 0, items: 0 }
    }

    /// Whether the stream is given up.
    pub fn is_nothing(self) -> bool {
        self.bytes == 0 && self.items == 0
    }

    /// Appends the message.
    pub fn encode(self, out: &mut Vec<u8>) {
        write_varint(self.stream, out);
        write_varint(self.bytes.into(), out);
        write_varint(self.items.into(), out);
    }

    /// Reads the message, which fills `payload`.
    ///
    /// # Errors
    /// It does not.
    pub fn decode(payload: &[u8]) -> Result<Credit, PayloadError> {
        match postcard::take_from_bytes::<Credit>(payload) {
            Ok((credit, [])) => Ok(credit),
            Ok(_) => Err(unreadable("CREDIT", "bytes follow it")),
            Err(error) => Err(unreadable("CREDIT", &error.to_string())),
        }
    }
}

fn unreadable(what: &'static str, problem: &str) -> PayloadError {
    PayloadError { what, verb: "read", problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_as_they_were_written() {
        let mut out = Vec::new();
        ItemBatch::begin(300, &mut out);
        ItemBatch::push(b"one", &mut out);
        ItemBatch::push(b"", &mut out);
        let batch = ItemBatch::decode(&out).unwrap();
        assert_eq!((batch.stream, batch.items, batch.bytes), (300, 2, &b"\x03one\x00"[..]));
        let mut rest = batch.bytes;
        assert_eq!(next_item(&mut rest), Some(&b"one"[..]));
        assert_eq!(next_item(&mut rest), Some(&b""[..]));
        assert_eq!(next_item(&mut rest), None);
        assert!(ItemBatch::decode(&out[..4]).is_err(), "half an item");
    }

    #[test]
    fn credit_is_read_as_it_was_written() {
        for credit in [Credit { stream: 1, bytes: u32::MAX, items: 5 }, Credit::give_up(u64::MAX)] {
            let mut out = Vec::new();
            credit.encode(&mut out);
            assert_eq!(out, postcard::to_stdvec(&credit).unwrap());
            assert_eq!(Credit::decode(&out), Ok(credit));
            out.push(0);
            assert!(Credit::decode(&out).is_err());
        }
    }
}
