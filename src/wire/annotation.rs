//! Optional facts beside a payload: four letters, a length, bytes. Any serializer can carry them, and Pyro 5 ignores those it does not know.

use crate::wire::error::FrameError;
use crate::wire::payload::Payload;

/// The four letters of an annotation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AnnotationId(pub [u8; 4]);

impl AnnotationId {
    /// The time a call has left, milliseconds, u32 big-endian.
    pub const DEADLINE: AnnotationId = AnnotationId(*b"DLIN");
    /// The objects that wait for each other, to notice a deadlock.
    pub const CHAIN: AnnotationId = AnnotationId(*b"CHAI");
    /// The key of a call that is to run once, an [`OnceKey`].
    pub const ONCE: AnnotationId = AnnotationId(*b"ONCE");
    /// W3C `traceparent`.
    pub const TRACE: AnnotationId = AnnotationId(*b"TRAC");
    /// Pyro 5's id of a stream of items.
    pub const STREAM: AnnotationId = AnnotationId(*b"STRM");

    /// Whether these letters mean something here, so that nobody may use them for something else.
    pub fn is_reserved(self) -> bool {
        [Self::DEADLINE, Self::CHAIN, Self::ONCE, Self::TRACE, Self::STREAM].contains(&self)
    }
}

/// Names a call within its session, over all its attempts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OnceKey {
    /// Its number; no other call of the session has it.
    pub sequence: u64,
    /// The caller needs no replies of calls with a lower number any more.
    pub done: u64,
}

impl OnceKey {
    /// As on the wire: both numbers, big-endian.
    pub fn encode(self) -> [u8; 16] {
        ((u128::from(self.sequence) << 64) | u128::from(self.done)).to_be_bytes()
    }

    /// From the wire; `None` if it is not 16 bytes long.
    pub fn decode(bytes: &[u8]) -> Option<OnceKey> {
        let both = u128::from_be_bytes(bytes.try_into().ok()?);
        Some(OnceKey { sequence: (both >> 64) as u64, done: both as u64 })
    }
}

/// The annotations of one frame; their lengths add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations(Option<Payload>);

impl Annotations {
    /// Checks that the chunks fill the bytes exactly.
    pub(crate) fn check(bytes: Payload) -> Result<Annotations, FrameError> {
        let bad = |problem| Err(FrameError::BadAnnotations { problem });
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let Some((head, tail)) = rest.split_first_chunk::<8>() else {
                return bad("a chunk ends within its header");
            };
            let len = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
            match tail.get(len..) {
                Some(next) => rest = next,
                None => return bad("a chunk is longer than all of them"),
            }
        }
        Ok(Annotations(Some(bytes)))
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Bytes of all of them.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, Payload::len)
    }

    /// Each with its letters.
    pub fn iter(&self) -> impl Iterator<Item = (AnnotationId, &[u8])> {
        let mut rest = self.0.as_deref().unwrap_or_default();
        std::iter::from_fn(move || {
            let (head, tail) = rest.split_first_chunk::<8>()?;
            let len = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let value = tail.get(..len)?;
            rest = &tail[len..];
            Some((AnnotationId([head[0], head[1], head[2], head[3]]), value))
        })
    }

    /// The first with these letters.
    pub fn find(&self, id: AnnotationId) -> Option<&[u8]> {
        self.iter().find(|(found, _)| *found == id).map(|(_, value)| value)
    }

    /// The time the call has left, milliseconds.
    #[inline]
    pub fn deadline_ms(&self) -> Option<u32> {
        if self.is_empty() {
            return None;
        }
        Some(u32::from_be_bytes(self.find(AnnotationId::DEADLINE)?.try_into().ok()?))
    }
}

impl<'a> FromIterator<(AnnotationId, &'a [u8])> for Annotations {
    fn from_iter<I: IntoIterator<Item = (AnnotationId, &'a [u8])>>(all: I) -> Annotations {
        let mut bytes = Vec::new();
        for (AnnotationId(letters), value) in all {
            bytes.extend_from_slice(&letters);
            bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
            bytes.extend_from_slice(value);
        }
        Annotations((!bytes.is_empty()).then(|| bytes.into()))
    }
}
