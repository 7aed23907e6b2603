//! Bytes out of what was read, without a copy.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

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
    whole: Arc<Bytes>,
    /// Where it begins and how long it is, 32 bits each: no frame is longer.
    span: u64,
}

impl Payload {
    /// The bytes of `whole` from `at` on, as many of `len` as there are.
    #[inline]
    pub(crate) fn part(whole: &Arc<Bytes>, at: usize, len: usize) -> Payload {
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
        let at = part.as_ptr().addr().wrapping_sub(self.as_ptr().addr()).min(self.len());
        Payload::part(&self.whole, self.at() + at, part.len().min(self.len() - at))
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
        self.whole.slice_ref(self)
    }

    #[inline]
    fn at(&self) -> usize {
        (self.span >> 32) as usize
    }
}

impl Deref for Payload {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // Its bounds were judged when it was made.
        self.whole.get(self.at()..self.at() + self.len()).unwrap_or_default()
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Payload {
        Payload::part(&Arc::new(Bytes::from(bytes)), 0, usize::MAX)
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
        let whole = Arc::new(Bytes::from_static(b"0123456789"));
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
        let payload = Payload::part(&Arc::new(Bytes::from_static(b"0123456789")), 2, 5);
        assert_eq!(&payload.slice_ref(&payload[1..3])[..], b"34");
        assert_eq!(&payload.slice_ref(&payload[4..])[..], b"6");
        assert!(payload.slice_ref(&[]).is_empty());
        assert!(payload.slice_ref(b"345").len() <= 3, "whatever it is, it is not beyond the end");
    }

    #[test]
    fn what_is_skipped_is_gone_and_no_more() {
        let payload = Payload::part(&Arc::new(Bytes::from_static(b"0123456789")), 2, 5);
        assert_eq!(&payload.clone().skip(2)[..], b"456");
        assert!(payload.skip(6).is_empty());
    }
}
