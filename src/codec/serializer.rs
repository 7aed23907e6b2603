//! The serializers, and the choice between them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::budget::{Budget, Budgeted, Meter};
use crate::codec::error::{DecodeError, EncodeError};
use crate::wire::chunk::CHUNK_BYTES;
use crate::wire::{SerializerId, apart};

/// What this end reads and writes.
pub const SUPPORTED: &[SerializerId] = &[SerializerId::POSTCARD, SerializerId::JSON, SerializerId::MESSAGE_PACK];

/// A way to write values as bytes.
pub trait Serializer {
    /// Its number on the wire.
    const ID: SerializerId;

    /// Appends a value.
    ///
    /// # Errors
    /// It cannot write such a value.
    fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Reads the value that `bytes` are, all of them.
    ///
    /// # Errors
    /// They are not one, or it costs more than the budget.
    fn decode<T: DeserializeOwned>(bytes: &[u8], budget: &Budget) -> Result<T, DecodeError>;
}

/// Compact and typed: both ends know what to expect.
#[derive(Clone, Copy, Debug)]
pub struct Postcard;
/// Text that everything reads.
#[derive(Clone, Copy, Debug)]
pub struct Json;
/// Compact and self-describing; structs are maps of their fields.
#[derive(Clone, Copy, Debug)]
pub struct MessagePack;

/// Appends a value in serializer `id`; on an error nothing is appended.
///
/// # Errors
/// The serializer is not known, or cannot write such a value.
#[inline]
pub fn encode<T: Serialize + ?Sized>(id: SerializerId, value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    let result = match id {
        SerializerId::POSTCARD => Postcard::encode(value, out),
        SerializerId::JSON => Json::encode(value, out),
        SerializerId::MESSAGE_PACK => MessagePack::encode(value, out),
        id => Err(EncodeError::UnknownSerializer { id }),
    };
    if result.is_err() {
        apart::truncate(out, start);
    }
    result
}

/// Reads the value that `bytes` are in serializer `id`, all of them.
///
/// # Errors
/// The serializer is not known, the bytes are no such value, or it costs more than the budget.
#[inline]
pub fn decode<T: DeserializeOwned>(id: SerializerId, bytes: &[u8], budget: &Budget) -> Result<T, DecodeError> {
    match id {
        SerializerId::POSTCARD => Postcard::decode(bytes, budget),
        SerializerId::JSON => Json::decode(bytes, budget),
        SerializerId::MESSAGE_PACK => MessagePack::decode(bytes, budget),
        id => Err(DecodeError::UnknownSerializer { id }),
    }
}

fn unwritable<T: ?Sized>(problem: &dyn std::fmt::Display) -> EncodeError {
    EncodeError::Unwritable { kind: std::any::type_name::<T>(), problem: problem.to_string() }
}

fn malformed<T>(problem: &dyn std::fmt::Display) -> DecodeError {
    DecodeError::Malformed { kind: std::any::type_name::<T>(), problem: problem.to_string() }
}

/// Why a deserializer gave no value.
enum Refusal<E> {
    Budget(DecodeError),
    Other(E),
}

impl<E: std::fmt::Display> Refusal<E> {
    fn of<T>(self) -> DecodeError {
        match self {
            Refusal::Budget(exceeded) => exceeded,
            Refusal::Other(error) => malformed::<T>(&error),
        }
    }
}

/// Runs a deserializer within the budget.
#[inline]
fn within<'de, T, D>(deserializer: D, budget: &Budget) -> Result<T, Refusal<D::Error>>
where
    T: DeserializeOwned,
    D: serde::Deserializer<'de>,
{
    let meter = Meter::new(budget);
    T::deserialize(Budgeted::new(deserializer, &meter))
        .map_err(|error| meter.exceeded().map_or(Refusal::Other(error), Refusal::Budget))
}

/// postcard straight into an outgoing buffer.
struct Append<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if bytes.len() < CHUNK_BYTES || !apart::leave_out(self.0, bytes) {
            self.0.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

impl Serializer for Postcard {
    const ID: SerializerId = SerializerId::POSTCARD;

    #[inline]
    fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        postcard::serialize_with_flavor(value, Append(out)).map_err(|error| unwritable::<T>(&in_words(&error)))
    }

    #[inline]
    fn decode<T: DeserializeOwned>(bytes: &[u8], budget: &Budget) -> Result<T, DecodeError> {
        let mut deserializer = postcard::Deserializer::from_bytes(bytes);
        let result = within(&mut deserializer, budget);
        // That is what it did not read; it never fails for a slice.
        let rest = deserializer.finalize().map_or(0, <[u8]>::len);
        match result {
            Ok(value) if rest == 0 => Ok(value),
            Ok(_) => Err(DecodeError::Trailing { bytes: rest }),
            Err(Refusal::Budget(exceeded)) => Err(exceeded),
            Err(Refusal::Other(error)) => {
                let at = bytes.len() - rest;
                Err(malformed::<T>(&format_args!("{}, at byte {at} of {}", in_words(&error), bytes.len())))
            }
        }
    }
}

impl Postcard {
    /// Reads the value that two pieces of bytes are together; `None` if there is none that nothing of which is in both.
    pub(crate) fn decode_in_two<T: DeserializeOwned>(pieces: (&[u8], &[u8]), budget: &Budget) -> Option<T> {
        let mut deserializer = postcard::Deserializer::from_flavor(InTwo(pieces.0, pieces.1));
        let value = within(&mut deserializer, budget).ok()?;
        (deserializer.finalize().ok()? == 0).then_some(value)
    }
}

/// Two pieces, one after the other.
struct InTwo<'de>(&'de [u8], &'de [u8]);

impl<'de> InTwo<'de> {
    /// What is read next.
    fn piece(&mut self) -> &mut &'de [u8] {
        if self.0.is_empty() { &mut self.1 } else { &mut self.0 }
    }
}

impl<'de> postcard::de_flavors::Flavor<'de> for InTwo<'de> {
    /// How many bytes nobody has read.
    type Remainder = usize;
    type Source = &'de [u8];

    fn pop(&mut self) -> postcard::Result<u8> {
        self.try_take_n(1)?.first().copied().ok_or(postcard::Error::DeserializeUnexpectedEnd)
    }

    fn try_take_n(&mut self, len: usize) -> postcard::Result<&'de [u8]> {
        self.piece().split_off(..len).ok_or(postcard::Error::DeserializeUnexpectedEnd)
    }

    fn finalize(self) -> postcard::Result<usize> {
        Ok(self.0.len() + self.1.len())
    }
}

/// What postcard means.
fn in_words(error: &postcard::Error) -> &'static str {
    use postcard::Error as E;
    match error {
        E::WontImplement => {
            "its type asks what comes next, which postcard does not say (`flatten`, `untagged` and `tag` do that)"
        }
        E::SerializeSeqLengthUnknown => "a list or map does not know its length beforehand (`flatten` makes such maps)",
        E::SerdeSerCustom | E::CollectStrError => "its `Serialize` fails",
        E::SerdeDeCustom => "there is a value that the type does not allow",
        E::DeserializeUnexpectedEnd => "it ends too early",
        E::DeserializeBadVarint => "there is a number that is too large",
        E::DeserializeBadBool => "there is a truth value other than 0 and 1",
        E::DeserializeBadChar => "there is no character",
        E::DeserializeBadUtf8 => "there is text that is not UTF-8",
        E::DeserializeBadOption => "there is an option other than 0 and 1",
        E::DeserializeBadEnum => "there is a variant that is too large a number",
        _ => "it is not well encoded",
    }
}

impl Serializer for Json {
    const ID: SerializerId = SerializerId::JSON;

    fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        serde_json::to_writer(out, value).map_err(|error| unwritable::<T>(&error))
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8], budget: &Budget) -> Result<T, DecodeError> {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let value = within(&mut deserializer, budget).map_err(Refusal::of::<T>)?;
        match deserializer.end() {
            Ok(()) => Ok(value),
            Err(error) => Err(DecodeError::Trailing { bytes: bytes.len() - offset(bytes, &error) }),
        }
    }
}

/// Where in the text an error is.
fn offset(text: &[u8], error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    let before: usize = lines.map(<[u8]>::len).sum();
    (before + error.column().saturating_sub(1)).min(text.len())
}

// It calls itself human-readable. It describes itself as JSON does, and who else speaks it, Python above all, has addresses and the like
// as text.
impl Serializer for MessagePack {
    const ID: SerializerId = SerializerId::MESSAGE_PACK;

    fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut serializer = rmp_serde::Serializer::new(out).with_struct_map().with_human_readable();
        value.serialize(&mut serializer).map_err(|error| unwritable::<T>(&error))
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8], budget: &Budget) -> Result<T, DecodeError> {
        let mut deserializer = rmp_serde::Deserializer::new(bytes).with_human_readable();
        let value = within(&mut deserializer, budget).map_err(Refusal::of::<T>)?;
        match deserializer.get_ref().len() {
            0 => Ok(value),
            rest => Err(DecodeError::Trailing { bytes: rest }),
        }
    }
}

#[cfg(test)]
mod tests;
