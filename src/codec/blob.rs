//! Byte arrays in messages, without a copy where they are large.
//!
//! The arguments of a method that are spelled `Bytes` or `Vec<u8>` are written and read so by themselves; a field of a message that is written
//! by hand, or of a struct within one, says it:
//!
//! ```
//! use bytes::Bytes;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Picture {
//!     name: String,
//!     #[serde(with = "pyroxene::codec::blob")]
//!     pixels: Bytes,
//! }
//! ```
//!
//! `Bytes` of 64 KiB or more are sent from where they are, and where they arrive they are a part of what was read. So is a `Vec<u8>` that is
//! an argument or the reply; one in a struct costs one copy at each end, and serde alone takes it byte by byte. A field of another type is written as
//! ever.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeOwned, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::budget::Budget;
use crate::codec::error::DecodeError;
use crate::codec::lists::{self, Each, Place};
use crate::codec::serializer::Postcard;
use crate::wire::chunk::CHUNK_BYTES;
use crate::wire::{Payload, SerializerId, apart};

/// Bytes that memory is taken for on the word of the sender.
const MAX_HINT: usize = 64 * 1024;

/// Writes `Bytes` or a `Vec<u8>` as bytes, and anything else as it is.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<T: Serialize + 'static, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let any: &dyn Any = value;
    if let Some(bytes) = any.downcast_ref::<Bytes>() {
        return apart::offer(bytes, || serializer.serialize_bytes(bytes));
    }
    match any.downcast_ref::<Vec<u8>>() {
        Some(bytes) => match lists::belonging(bytes) {
            None => serializer.serialize_bytes(bytes),
            Some(bytes) => apart::offer(&bytes, || serializer.serialize_bytes(&bytes)),
        },
        None => value.serialize(serializer),
    }
}

/// Reads `Bytes` or a `Vec<u8>` from bytes, or a list of numbers; anything else as it is.
///
/// # Errors
/// Those of the deserializer.
pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + 'static,
    D: Deserializer<'de>,
{
    let whole = if TypeId::of::<T>() == TypeId::of::<Bytes>() {
        same::<Bytes, T>(deserializer.deserialize_bytes(Blob).map(Found::into_bytes)?)
    } else if TypeId::of::<T>() == TypeId::of::<Vec<u8>>() {
        same::<Vec<u8>, T>(deserializer.deserialize_bytes(Blob).map(Found::into_vec)?)
    } else {
        return T::deserialize(deserializer);
    };
    whole.ok_or_else(|| D::Error::custom("it is another type"))
}

/// The value, whose type is known by two names.
fn same<A: 'static, B: 'static>(value: A) -> Option<B> {
    let mut value = Some(value);
    let any: &mut dyn Any = &mut value;
    any.downcast_mut::<Option<B>>().and_then(Option::take)
}

/// A value that may itself be `Bytes` or a `Vec<u8>`.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound(serialize = "T: Serialize + 'static", deserialize = "T: DeserializeOwned + 'static"))]
pub(crate) struct Whole<T>(#[serde(with = "self")] pub(crate) T);

/// `value` in a form that is sent from where it is, if it has one.
#[inline]
pub(crate) fn shared<T: 'static>(value: T) -> Result<Bytes, T> {
    if TypeId::of::<T>() != TypeId::of::<Vec<u8>>() {
        return Err(value);
    }
    Ok(same::<T, Vec<u8>>(value).unwrap_or_default().into())
}

thread_local! {
    /// What is being decoded, if large byte arrays may share its memory.
    static SOURCE: RefCell<Option<Source>> = const { RefCell::new(None) };
}

/// What is being decoded.
struct Source {
    payload: Payload,
    list: List,
}

/// What becomes of a list that is the payload's second piece.
#[derive(Clone, Copy)]
enum List {
    Copied,
    /// A place is made for it, once.
    Left,
    Placed(Place, usize),
}

/// Reads the value that `payload` is. Byte arrays in it share its memory, if they are most of it; a list that `show` shows may have it for
/// itself, and nothing is left of the payload then.
///
/// # Errors
/// As [`decode`](crate::codec::decode).
#[inline]
pub(crate) fn decode<T: DeserializeOwned + 'static>(
    id: SerializerId,
    payload: &mut Payload,
    budget: &Budget,
    show: impl FnOnce(&mut T, Each<'_>),
) -> Result<T, DecodeError> {
    if payload.len() < CHUNK_BYTES && TypeId::of::<T>() != TypeId::of::<Vec<u8>>() {
        return crate::codec::decode(id, payload, budget);
    }
    decode_whole(id, payload, budget, show)
}

#[cold]
fn decode_whole<T: DeserializeOwned + 'static>(
    id: SerializerId,
    payload: &mut Payload,
    budget: &Budget,
    show: impl FnOnce(&mut T, Each<'_>),
) -> Result<T, DecodeError> {
    if id == SerializerId::POSTCARD && payload.in_two().is_some() {
        if let Some((Whole(mut value), list)) = decode_in_two(payload, List::Left, budget) {
            let List::Placed(place, len) = list else { return Ok(value) };
            let mut found = false;
            show(&mut value, &mut |list| {
                if place.is(list) && !found {
                    found = true;
                    *list = payload.take_body().unwrap_or_default();
                    list.truncate(len);
                }
            });
            if found {
                return Ok(value);
            }
        }
        // It is a list deep in a struct.
        if let Some((Whole(value), _)) = decode_in_two(payload, List::Copied, budget) {
            return Ok(value);
        }
    }
    let (decoded, _) = sharing(payload, List::Copied, |payload| crate::codec::decode::<Whole<T>>(id, payload, budget));
    match decoded {
        Ok(Whole(value)) => Ok(value),
        Err(DecodeError::Malformed { problem, .. }) => {
            Err(DecodeError::Malformed { kind: std::any::type_name::<T>(), problem })
        }
        Err(problem) => Err(problem),
    }
}

/// Reads it without putting its pieces together; also says what became of a list.
fn decode_in_two<T: DeserializeOwned>(payload: &Payload, list: List, budget: &Budget) -> Option<(T, List)> {
    let (value, list) = sharing(payload, list, |payload| Postcard::decode_in_two::<T>(payload.in_two()?, budget));
    Some((value?, list))
}

/// Byte arrays that are decoded meanwhile may share the memory of `payload`.
fn sharing<R>(payload: &Payload, list: List, decode: impl FnOnce(&Payload) -> R) -> (R, List) {
    struct Sharing;
    impl Drop for Sharing {
        fn drop(&mut self) {
            SOURCE.take();
        }
    }
    SOURCE.set(Some(Source { payload: payload.clone(), list }));
    let _sharing = Sharing;
    let decoded = decode(payload);
    (decoded, SOURCE.take().map_or(List::Copied, |source| source.list))
}

/// The memory of what is being decoded, of which `bytes` are the larger part: what is kept of it keeps all of it.
fn share(bytes: &[u8]) -> Option<Bytes> {
    if bytes.len() < CHUNK_BYTES {
        return None;
    }
    SOURCE.with_borrow(|source| {
        let source = &source.as_ref().filter(|source| 2 * bytes.len() >= source.payload.len())?.payload;
        let part = source.slice_ref(bytes);
        let is_it = part.as_ptr() == bytes.as_ptr() && part.len() == bytes.len();
        is_it.then(|| part.to_bytes())
    })
}

/// A place for the list that `bytes` are, if they are the beginning and the larger part of the second piece of what is being decoded.
fn place(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < CHUNK_BYTES {
        return None;
    }
    SOURCE.with_borrow_mut(|source| {
        let source = source.as_mut().filter(|source| matches!(source.list, List::Left))?;
        let (_, body) = source.payload.in_two()?;
        if body.as_ptr() != bytes.as_ptr() || 2 * bytes.len() < body.len() {
            return None;
        }
        let (place, list) = Place::new();
        source.list = List::Placed(place, bytes.len());
        Some(list)
    })
}

/// Bytes as they were found.
enum Found<'de> {
    There(&'de [u8]),
    Own(Vec<u8>),
}

impl Found<'_> {
    fn into_bytes(self) -> Bytes {
        match self {
            Found::There(bytes) => share(bytes).unwrap_or_else(|| Bytes::copy_from_slice(bytes)),
            Found::Own(bytes) => bytes.into(),
        }
    }

    fn into_vec(self) -> Vec<u8> {
        match self {
            Found::There(bytes) => place(bytes).unwrap_or_else(|| bytes.to_vec()),
            Found::Own(bytes) => bytes,
        }
    }
}

struct Blob;

impl<'de> Visitor<'de> for Blob {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Found<'de>, E> {
        Ok(Found::There(bytes))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Found<'de>, E> {
        Ok(Found::Own(bytes.to_vec()))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Found<'de>, E> {
        Ok(Found::Own(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Found<'de>, A::Error> {
        let mut bytes = Vec::with_capacity(list.size_hint().unwrap_or(0).min(MAX_HINT));
        while let Some(byte) = list.next_element()? {
            bytes.push(byte);
        }
        Ok(Found::Own(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{SUPPORTED, encode};
    use crate::wire::chunk::CHUNK_BYTES;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Picture {
        name: String,
        #[serde(with = "self::super")]
        pixels: Bytes,
        #[serde(with = "self::super")]
        palette: Vec<u8>,
        /// Not one of the two, whatever it is called.
        #[serde(with = "self::super")]
        tags: Vec<u16>,
    }

    /// The same as serde alone has it.
    #[derive(Serialize, Deserialize)]
    struct Plain {
        name: String,
        pixels: Bytes,
        palette: Vec<u8>,
        tags: Vec<u16>,
    }

    fn decode<T: DeserializeOwned + 'static>(
        id: SerializerId,
        payload: &Payload,
        budget: &Budget,
    ) -> Result<T, DecodeError> {
        super::decode(id, &mut payload.clone(), budget, lists::show)
    }

    fn picture(pixels: usize) -> Picture {
        let pixels = Bytes::from(vec![7; pixels]);
        Picture { name: "sunset".into(), pixels, palette: vec![1, 2, 255], tags: vec![512] }
    }

    fn written<T: Serialize>(id: SerializerId, value: &T) -> Payload {
        let mut out = Vec::new();
        encode(id, value, &mut out).unwrap();
        out.into()
    }

    #[test]
    fn it_is_the_same_in_every_serializer_and_in_postcard_to_the_byte() {
        for id in SUPPORTED {
            for size in [0, 3, CHUNK_BYTES, 3 * CHUNK_BYTES] {
                let picture = picture(size);
                let payload = written(*id, &picture);
                assert!(decode::<Picture>(*id, &payload, &Budget::default()).unwrap() == picture, "{id:?}, {size}");
                let Picture { name, pixels, palette, tags } = picture.clone();
                let plain = written(*id, &Plain { name, pixels, palette, tags });
                assert!(*id != SerializerId::POSTCARD || plain == payload);
                // A list of numbers, as others may write it.
                assert!(decode::<Picture>(*id, &plain, &Budget::default()).unwrap() == picture, "{id:?}, {size}");
            }
        }
    }

    #[test]
    fn what_is_most_of_a_message_shares_its_memory() {
        let payload = written(SerializerId::POSTCARD, &picture(CHUNK_BYTES));
        let read: Picture = decode(SerializerId::POSTCARD, &payload, &Budget::default()).unwrap();
        let memory = payload.as_ptr_range();
        assert!(memory.contains(&read.pixels.as_ptr()));
        let alone: Bytes =
            decode(SerializerId::POSTCARD, &written(SerializerId::POSTCARD, &read.pixels), &Budget::default()).unwrap();
        assert_eq!(alone, read.pixels);
        assert!(SOURCE.take().is_none(), "nothing is kept");
    }

    #[test]
    fn a_small_part_of_a_message_does_not_keep_all_of_it() {
        let two = (picture(CHUNK_BYTES), picture(3 * CHUNK_BYTES));
        let payload = written(SerializerId::POSTCARD, &two);
        let read: (Picture, Picture) = decode(SerializerId::POSTCARD, &payload, &Budget::default()).unwrap();
        let memory = payload.as_ptr_range();
        assert!(!memory.contains(&read.0.pixels.as_ptr()) && memory.contains(&read.1.pixels.as_ptr()));
        assert_eq!(read, two);
    }

    #[test]
    fn a_reply_that_is_a_list_of_bytes_is_sent_from_where_it_is() {
        let list = vec![7_u8; 100];
        let at = list.as_ptr();
        assert_eq!(shared(list).unwrap().as_ptr(), at);
        assert_eq!(shared(vec![7_u16]).unwrap_err(), [7]);
    }

    /// The same bytes, of which so many came first.
    fn in_two(payload: &Payload, head: usize) -> Payload {
        let (head, body) = payload.split_at(head);
        Payload::part(
            &std::sync::Arc::new(crate::wire::payload::Whole::in_two(head.to_vec(), body.to_vec())),
            0,
            usize::MAX,
        )
    }

    #[test]
    fn a_list_that_came_in_memory_of_its_own_is_had_as_it_is() {
        let list = vec![7_u8; 2 * CHUNK_BYTES];
        let whole = written(SerializerId::POSTCARD, &Whole(list.clone()));
        let mut payload = in_two(&whole, 3);
        let at = payload.in_two().unwrap().1.as_ptr();
        let read: Vec<u8> =
            super::decode(SerializerId::POSTCARD, &mut payload, &Budget::default(), lists::show).unwrap();
        assert!(read == list && read.as_ptr() == at && payload.is_empty());
        // Others have it too, nobody takes it, or it was cut elsewhere.
        let mut payload = in_two(&whole, 3);
        let other = payload.clone();
        assert!(
            super::decode::<Vec<u8>>(SerializerId::POSTCARD, &mut payload, &Budget::default(), lists::show).unwrap()
                == list
        );
        assert!(other == whole);
        let mut payload = in_two(&whole, 3);
        assert!(
            super::decode::<Vec<u8>>(SerializerId::POSTCARD, &mut payload, &Budget::default(), |_, _| {}).unwrap()
                == list
        );
        assert!(payload == whole, "it is where it was");
        for head in [1, 2, 4, 1000, CHUNK_BYTES] {
            assert!(
                decode::<Vec<u8>>(SerializerId::POSTCARD, &in_two(&whole, head), &Budget::default()).unwrap() == list
            );
        }
    }

    #[test]
    fn a_message_in_two_pieces_is_read_as_in_one() {
        let two = (picture(3 * CHUNK_BYTES), vec![vec![1_u8; CHUNK_BYTES]]);
        let payload = written(SerializerId::POSTCARD, &two);
        for head in [1, 7, 11, 100, CHUNK_BYTES, 3 * CHUNK_BYTES + 40] {
            let read: (Picture, Vec<Vec<u8>>) =
                decode(SerializerId::POSTCARD, &in_two(&payload, head), &Budget::default()).unwrap();
            assert!(read == two, "{head}");
        }
        let at = payload.iter().position(|byte| *byte == 7).unwrap();
        let mut payload = in_two(&payload, at);
        let body = payload.in_two().unwrap().1.as_ptr();
        let (read, _): (Picture, Vec<Vec<u8>>) =
            super::decode(SerializerId::POSTCARD, &mut payload, &Budget::default(), lists::show).unwrap();
        assert_eq!(read.pixels.as_ptr(), body);
        drop(payload);
        assert_eq!(read.pixels, two.0.pixels, "it keeps what it is in");
    }

    #[test]
    fn what_is_wrong_with_two_pieces_is_told_as_of_one() {
        let payload = written(SerializerId::POSTCARD, &Whole(vec![7_u8; 2 * CHUNK_BYTES]));
        for cut in [payload.len() - 1, 4] {
            let short = Payload::from(payload[..cut].to_vec());
            let told = |payload: &Payload| decode::<Vec<u8>>(SerializerId::POSTCARD, payload, &Budget::default());
            assert_eq!(told(&in_two(&short, 3)), told(&short));
            assert!(told(&short).is_err());
        }
        let long = Payload::from([&payload[..], b"more"].concat());
        let told = decode::<Vec<u8>>(SerializerId::POSTCARD, &in_two(&long, 3), &Budget::default());
        assert_eq!(told, Err(DecodeError::Trailing { bytes: 4 }));
    }

    #[test]
    fn a_small_list_of_bytes_is_read_as_it_was_written() {
        for id in SUPPORTED {
            let payload = written(*id, &Whole(vec![1_u8, 2, 255]));
            assert_eq!(decode::<Vec<u8>>(*id, &payload, &Budget::default()).unwrap(), [1, 2, 255]);
        }
    }

    #[test]
    fn what_does_not_fit_says_which_type_it_does_not_fit() {
        let payload = written(SerializerId::JSON, &vec![(); CHUNK_BYTES]);
        let problem = decode::<Vec<u8>>(SerializerId::JSON, &payload, &Budget::default()).unwrap_err();
        assert!(matches!(problem, DecodeError::Malformed { kind: "alloc::vec::Vec<u8>", .. }), "{problem}");
    }

    #[test]
    fn a_claim_is_not_believed() {
        let claims = [0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2];
        assert!(crate::codec::decode::<Whole<Vec<u8>>>(SerializerId::POSTCARD, &claims, &Budget::default()).is_err());
    }
}
