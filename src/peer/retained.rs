//! What was sent and may have to be sent again over another stream: a plain buffer, no IO.

use std::collections::VecDeque;

use bytes::Bytes;

/// Small messages are gathered into segments of so many bytes.
const SEGMENT: usize = 4 * 1024;

/// Bytes that were sent, from the first that the other end has not acknowledged on.
#[derive(Debug)]
pub(crate) struct Retained {
    segments: VecDeque<Segment>,
    /// How many bytes were sent before the first segment.
    first: u64,
    /// How many were sent altogether.
    end: u64,
    most: u64,
    /// An empty segment, for the next.
    spare: Vec<u8>,
}

#[derive(Debug)]
enum Segment {
    Small(Vec<u8>),
    /// Of a large message; it shares its memory.
    Piece(Bytes),
}

/// The other end acknowledges what was never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NeverSent;

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Segment::Small(bytes) => bytes,
            Segment::Piece(bytes) => bytes,
        }
    }
}

impl Retained {
    /// Keeps at most about so many bytes; beyond them the oldest are forgotten.
    pub(crate) fn new(most: u32) -> Retained {
        Retained { segments: VecDeque::new(), first: 0, end: 0, most: most.into(), spare: Vec::new() }
    }

    /// These bytes are sent, one after the other.
    #[inline]
    pub(crate) fn push(&mut self, small: &[u8], piece: &Bytes) {
        self.end += (small.len() + piece.len()) as u64;
        match self.segments.back_mut() {
            Some(Segment::Small(last)) if last.len() + small.len() <= SEGMENT => last.extend_from_slice(small),
            _ => self.begin(small),
        }
        if !piece.is_empty() {
            self.segments.push_back(Segment::Piece(piece.clone()));
        }
        while self.end - self.first > self.most {
            self.forget();
        }
    }

    #[cold]
    fn begin(&mut self, small: &[u8]) {
        let mut segment = std::mem::take(&mut self.spare);
        segment.extend_from_slice(small);
        self.segments.push_back(Segment::Small(segment));
    }

    /// The other end has taken so many bytes, of all that were sent.
    ///
    /// # Errors
    /// There were not so many.
    pub(crate) fn acknowledge(&mut self, taken: u64) -> Result<(), NeverSent> {
        if taken > self.end {
            return Err(NeverSent);
        }
        while self.segments.front().is_some_and(|segment| self.first + segment.bytes().len() as u64 <= taken) {
            self.forget();
        }
        Ok(())
    }

    /// Whether the other end may not have taken all of the first `sent` bytes.
    pub(crate) fn has_before(&self, sent: u64) -> bool {
        self.first < sent
    }

    /// All that was sent after the first `taken` bytes; `None` if they are not kept, or were never sent.
    pub(crate) fn since(&self, taken: u64) -> Option<Vec<u8>> {
        if taken < self.first || taken > self.end {
            return None;
        }
        let mut skip = (taken - self.first) as usize;
        let mut all = Vec::with_capacity((self.end - taken) as usize);
        for segment in &self.segments {
            let bytes = segment.bytes();
            let from = skip.min(bytes.len());
            all.extend_from_slice(&bytes[from..]);
            skip -= from;
        }
        Some(all)
    }

    fn forget(&mut self) {
        let Some(segment) = self.segments.pop_front() else { return };
        self.first += segment.bytes().len() as u64;
        if let Segment::Small(mut bytes) = segment
            && bytes.capacity() <= 2 * SEGMENT
        {
            bytes.clear();
            self.spare = bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_acknowledged_is_there_to_the_byte() {
        let mut retained = Retained::new(1_000);
        retained.push(b"abc", &Bytes::new());
        retained.push(b"de", &Bytes::from_static(b"fgh"));
        retained.push(b"ij", &Bytes::new());
        for taken in 0..=10 {
            assert_eq!(retained.since(taken).unwrap(), b"abcdefghij"[taken as usize..]);
        }
        assert_eq!(retained.since(11), None);
        retained.acknowledge(6).unwrap();
        assert!(retained.has_before(6), "a segment is forgotten as a whole");
        assert_eq!(retained.since(4), None);
        assert_eq!(retained.since(6).unwrap(), b"ghij");
        retained.acknowledge(10).unwrap();
        assert!(!retained.has_before(10));
        assert_eq!(retained.acknowledge(11), Err(NeverSent));
        assert_eq!(retained.since(10).unwrap(), b"");
    }

    #[test]
    fn no_more_is_kept_than_may_be() {
        let mut retained = Retained::new(40_000);
        let mut sent = Vec::new();
        for byte in 0..200_u8 {
            let message = vec![byte; 1_000];
            sent.extend_from_slice(&message);
            retained.push(&message, &Bytes::new());
            let kept: usize = retained.segments.iter().map(|segment| segment.bytes().len()).sum();
            assert!(kept <= 40_000, "{kept}");
        }
        assert_eq!(retained.since(100_000), None, "it is forgotten");
        assert_eq!(retained.since(180_000).unwrap(), sent[180_000..]);
        retained.acknowledge(100_000).unwrap();
        assert_eq!(retained.since(180_000).unwrap(), sent[180_000..]);
    }

    #[test]
    fn memory_is_used_again() {
        let mut retained = Retained::new(100_000);
        for round in 1..=100_u64 {
            retained.push(&[7; 10_000], &Bytes::new());
            retained.acknowledge(round * 10_000).unwrap();
        }
        assert!(retained.segments.is_empty() && retained.spare.capacity() <= 2 * SEGMENT);
    }
}
