//! Bytes out of what was read, without a copy.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

/// A part of what was read at a time; all parts share its memory.
///
/// ```
/// use pyroxene::wire::Payload;
///
/// let payload = Payload::from(b"head and body".to_vec());
/// assert_eq!(&payload.skip(9)[..], b"body");
/// ```
// Two registers wide, unlike `Bytes`: it is in every frame, and what is put together in memory is slow to move on at once.
#[derive(Clone)]
pub struct Payload {
    whole: Arc<Whole>,
    /// Where it begins and how long it is, 32 bits each: no frame is longer.
    span: u64,
}

/// What was read at a time.
#[derive(Debug)]
pub(crate) struct Whole {
    bytes: Bytes,
    /// What comes behind `bytes`, of a large message whose sender had it elsewhere.
    body: Option<Box<Body>>,
}

/// Bytes in memory of their own, so that a list that begins with them can be had as it is.
#[derive(Debug)]
struct Body {
    list: Vec<u8>,
    /// What stands before them and they in one piece, once somebody needs that.
    joined: OnceLock<Bytes>,
}

impl Payload {
    /// The bytes of `whole` from `at` on, as many of `len` as there are.
    #[inline]
    pub(crate) fn part(whole: &Arc<Whole>, at: usize, len: usize) -> Payload {
        let end = whole.len().min(u32::MAX as usize);
        let at = at.min(end);
        let len = len.min(end - at);
        Payload { whole: Arc::clone(whole), span: (at as u64) << 32 | len as u64 }
    }

    /// The same without its first `n` bytes; nothing is left of a shorter one.
    #[inline]
    #[must_use]
    pub fn skip(self, n: usize) -> Payload {
        let n = n.min(self.len()) as u64;
        Payload { whole: self.whole, span: self.span + (n << 32) - n }
    }

    /// The same memory as `part`, which is a part of this one; none of it where it is not.
    pub(crate) fn slice_ref(&self, part: &[u8]) -> Payload {
        let end = self.at() + self.len();
        match self.whole.find(part) {
            Some(at) if at >= self.at() && at <= end => Payload::part(&self.whole, at, part.len().min(end - at)),
            _ => Payload::part(&self.whole, end, 0),
        }
    }

    /// How many bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.span as u32 as usize
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same as `Bytes`, which share its memory.
    pub fn to_bytes(&self) -> Bytes {
        match &self.whole.body {
            None => self.whole.bytes.slice_ref(self),
            Some(_) => Bytes::from_owner(self.clone()),
        }
    }

    /// What of it is in one piece from its beginning on: all of it, unless it has a [`body`](Payload::in_two).
    #[inline]
    pub(crate) fn beginning(&self) -> &[u8] {
        let bytes = &self.whole.bytes;
        bytes.get(self.at()..bytes.len().min(self.at() + self.len())).unwrap_or_default()
    }

    /// Its two pieces, if it is in two, and nobody has needed them in one.
    pub(crate) fn in_two(&self) -> Option<(&[u8], &[u8])> {
        let body = self.whole.body.as_ref().filter(|body| body.joined.get().is_none())?;
        let (head, end) = (self.whole.bytes.len(), self.at() + self.len());
        let (beginning, rest) = (self.beginning(), body.list.get(..end.checked_sub(head)?)?);
        (!beginning.is_empty()).then_some((beginning, rest))
    }

    /// Its second piece as the list that it is. Nothing is left of the payload; if others share it, they keep it and this is a copy.
    pub(crate) fn take_body(&mut self) -> Option<Vec<u8>> {
        let whole = std::mem::replace(self, Payload::from(Vec::new())).whole;
        match Arc::try_unwrap(whole) {
            Ok(whole) => whole.body.map(|body| body.list),
            Err(shared) => shared.body.as_ref().map(|body| body.list.clone()),
        }
    }

    #[inline]
    fn at(&self) -> usize {
        (self.span >> 32) as usize
    }
}

impl Whole {
    /// What was read in one piece.
    #[inline]
    pub(crate) fn new(bytes: Bytes) -> Whole {
        Whole { bytes, body: None }
    }

    /// What was read in two.
    pub(crate) fn in_two(bytes: Vec<u8>, list: Vec<u8>) -> Whole {
        Whole { bytes: bytes.into(), body: Some(Box::new(Body { list, joined: OnceLock::new() })) }
    }

    #[inline]
    fn len(&self) -> usize {
        self.bytes.len() + self.body.as_ref().map_or(0, |body| body.list.len())
    }

    /// What is in one piece from the beginning on.
    #[inline]
    pub(crate) fn beginning(&self) -> &[u8] {
        &self.bytes
    }

    /// A part that is not in the first piece alone.
    #[cold]
    fn beyond(&self, range: Range<usize>) -> Option<&[u8]> {
        let (body, head) = (self.body.as_ref()?, self.bytes.len());
        if range.start >= head {
            return body.list.get(range.start - head..range.end - head);
        }
        body.joined.get_or_init(|| [&self.bytes[..], &body.list].concat().into()).get(range)
    }

    /// Where a part begins that is in this memory.
    fn find(&self, part: &[u8]) -> Option<usize> {
        let within = |piece: &[u8]| {
            let at = part.as_ptr().addr().wrapping_sub(piece.as_ptr().addr());
            piece.len().checked_sub(at).is_some_and(|rest| part.len() <= rest).then_some(at)
        };
        within(&self.bytes).or_else(|| {
            let body = self.body.as_ref()?;
            let in_list = within(&body.list).map(|at| at + self.bytes.len());
            in_list.or_else(|| within(body.joined.get()?))
        })
    }
}

impl Deref for Payload {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // Its bounds were judged when it was made.
        let range = self.at()..self.at() + self.len();
        match self.whole.bytes.get(range.clone()) {
            Some(bytes) => bytes,
            None => self.whole.beyond(range).unwrap_or_default(),
        }
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Payload {
        Payload::part(&Arc::new(Whole::new(bytes.into())), 0, usize::MAX)
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Payload) -> bool {
        **self == **other
    }
}

impl Eq for Payload {}

impl PartialEq<[u8]> for Payload {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_never_leaves_the_whole() {
        let whole = Arc::new(Whole::new(Bytes::from_static(b"0123456789")));
        for (at, len, expected) in
            [(0, 10, &b"0123456789"[..]), (3, 4, b"3456"), (8, 9, b"89"), (10, 1, b""), (99, 1, b"")]
        {
            let part = Payload::part(&whole, at, len);
            assert_eq!(&part[..], expected);
            assert_eq!((part.len(), part.is_empty()), (expected.len(), expected.is_empty()));
            assert_eq!(part.to_bytes(), expected);
        }
    }

    #[test]
    fn a_part_is_found_again() {
        let payload = Payload::part(&Arc::new(Whole::new(Bytes::from_static(b"0123456789"))), 2, 5);
        assert_eq!(&payload.slice_ref(&payload[1..3])[..], b"34");
        assert_eq!(&payload.slice_ref(&payload[4..])[..], b"6");
        assert!(payload.slice_ref(&[]).is_empty());
        let whole = Payload::part(&payload.whole, 0, usize::MAX);
        for elsewhere in [&b"345"[..], &whole[..2], &whole[8..]] {
            assert!(payload.slice_ref(elsewhere).is_empty());
        }
    }

    #[test]
    fn what_is_skipped_is_gone_and_no_more() {
        let payload = Payload::part(&Arc::new(Whole::new(Bytes::from_static(b"0123456789"))), 2, 5);
        assert_eq!(&payload.clone().skip(2)[..], b"456");
        assert!(payload.skip(6).is_empty());
    }

    fn in_two() -> Payload {
        Payload::part(&Arc::new(Whole::in_two(b"0123".to_vec(), b"456789".to_vec())), 0, usize::MAX)
    }

    #[test]
    fn two_pieces_are_one_payload() {
        let payload = in_two();
        for (at, expected) in [(0, &b"0123456789"[..]), (3, b"3456789"), (4, b"456789"), (9, b"9")] {
            let part = payload.clone().skip(at);
            assert_eq!(&part[..], expected);
            assert_eq!((part.to_bytes(), part.len()), (Bytes::copy_from_slice(expected), expected.len()));
            let sliced = payload.slice_ref(&part[1..]);
            assert_eq!(&sliced[..], &expected[1..]);
            assert!(at < 4 || sliced.as_ptr() == part[1..].as_ptr());
        }
    }

    #[test]
    fn the_second_piece_is_had_as_it_is_unless_both_were_needed_in_one() {
        let mut payload = in_two().skip(2);
        assert_eq!(payload.beginning(), b"23");
        let (head, body) = payload.in_two().unwrap();
        assert_eq!((head, body), (&b"23"[..], &b"456789"[..]));
        let at = body.as_ptr();
        assert_eq!(payload.slice_ref(body).to_bytes().as_ptr(), at, "a part of it shares its memory");
        assert!(payload.clone().skip(2).in_two().is_none(), "it is in one");
        let list = payload.take_body().unwrap();
        assert_eq!((list.as_slice(), list.as_ptr(), payload.len()), (&b"456789"[..], at, 0));
        let whole = in_two();
        assert_eq!(whole.len(), whole[..].len());
        assert!(whole.in_two().is_none());
    }

    #[test]
    fn the_second_piece_stays_with_those_who_share_it() {
        let (mut one, other) = (in_two(), in_two().skip(1));
        let kept = one.clone();
        assert_eq!(one.take_body().unwrap(), b"456789");
        assert_eq!((kept, other.beginning()), (Payload::from(b"0123456789".to_vec()), &b"123"[..]));
        assert_eq!(Payload::from(b"0".to_vec()).take_body(), None);
    }
}
