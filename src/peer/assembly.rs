//! Large messages on their way in: put together from their chunks. A plain table, no IO, time handed in.

use std::time::Duration;

use bytes::BufMut;
use bytes::buf::Limit;
use tokio::time::Instant;

use crate::wire::chunk::{CHUNK_BYTES, CHUNKED};
use crate::wire::{Frame, HEADER_LEN, Header, MessageType};

/// Memory that a message of at least as much is given when it begins, bytes: what is not written to is only a range of addresses.
const AT_ONCE: usize = 1024 * 1024 + 4096;
/// Bytes that a message may have in its first chunk alone, so that those that follow begin in memory of their own: senders cut so what they
/// have elsewhere, such as a large list, and who wants the list then has it without a copy.
const HEAD: usize = 4096;

/// The messages of a peer of which some chunks have come.
#[derive(Debug, Default)]
pub(crate) struct Assemblies(Vec<Assembly>);

#[derive(Debug)]
struct Assembly {
    number: u16,
    kind: MessageType,
    /// Bytes it will have, by its own header.
    whole: usize,
    /// Those that have come.
    came: usize,
    /// The first of them, if they came alone.
    head: Vec<u8>,
    /// All others, unless they are only passed over.
    kept: Option<Vec<u8>>,
    /// When a chunk's worth of bytes had come last, and how many there were; `None` while there is no stream over which any could come.
    since: Option<Instant>,
    then: usize,
}

/// What to do with a message of which the first chunk has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    /// It is answered already, or nobody wants it.
    PassOver,
}

impl Assemblies {
    /// A chunk has come: the message, if it is whole now. `judge` is asked about each message once, when its header is there.
    ///
    /// # Errors
    /// What is wrong with the chunk: the peer cannot be understood any more.
    pub(crate) fn arrived(
        &mut self,
        chunk: &Frame,
        max_message: u32,
        now: Instant,
        judge: impl FnOnce(&Header, &[u8]) -> Result<Verdict, &'static str>,
    ) -> Result<Option<Frame>, &'static str> {
        let (number, piece) = (chunk.header.seq, &chunk.payload[..]);
        let at = match self.0.iter().position(|open| open.number == number) {
            Some(at) => at,
            None => {
                self.0.push(Assembly::begin(number, piece, max_message, now, judge)?);
                self.0.len() - 1
            }
        };
        let open = &mut self.0[at];
        open.add(piece, now)?;
        // One without bytes says that no more will come.
        if piece.is_empty() || open.came == open.whole { self.finish(at, max_message) } else { Ok(None) }
    }

    /// The message at this place, from which nothing more will come.
    fn finish(&mut self, at: usize, max_message: u32) -> Result<Option<Frame>, &'static str> {
        let done = self.0.swap_remove(at);
        let kept = done.kept.filter(|_| done.came == done.whole);
        let frame = kept.map(|body| Frame::from_chunks(done.head, body, max_message));
        frame.transpose().map_err(|_| "it sent a message in chunks that is none")
    }

    /// Whether there are none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The beginning of a chunk has come, of which the header says that it is this one: where its rest can be read to, unless it has to come
    /// whole. Of a message that has not begun, or is only passed over, it has.
    ///
    /// # Errors
    /// As [`arrived`](Assemblies::arrived).
    pub(crate) fn land(
        &mut self,
        chunk: &Header,
        beginning: &[u8],
        now: Instant,
    ) -> Result<Option<Landing>, &'static str> {
        let (number, len) = (chunk.seq, chunk.payload_len as usize);
        let Some(open) = self.0.iter_mut().find(|open| open.number == number && open.kept.is_some()) else {
            return Ok(None);
        };
        if len > open.whole - open.came {
            return Err(SURPLUS);
        }
        open.add(beginning, now)?;
        Ok(Some(Landing { number, came: beginning.len(), left: len - beginning.len() }))
    }

    /// Room for what is missing of a chunk; `None` if its message is not known any more.
    pub(crate) fn room(&mut self, landing: &Landing) -> Option<Limit<&mut Vec<u8>>> {
        let open = self.0.iter_mut().find(|open| open.number == landing.number)?;
        open.make_room(landing.left);
        Some(open.kept.as_mut()?.limit(landing.left))
    }

    /// So many bytes of a chunk were read to its room: the message, if it is whole now.
    ///
    /// # Errors
    /// As [`arrived`](Assemblies::arrived).
    pub(crate) fn landed(
        &mut self,
        landing: &mut Landing,
        bytes: usize,
        max_message: u32,
        now: Instant,
    ) -> Result<Option<Frame>, &'static str> {
        landing.came += bytes;
        landing.left -= bytes.min(landing.left);
        let Some(at) = self.0.iter().position(|open| open.number == landing.number) else { return Ok(None) };
        self.0[at].count(bytes, now);
        if self.0[at].came == self.0[at].whole { self.finish(at, max_message) } else { Ok(None) }
    }

    /// What has come of a chunk will come again, with the rest of it.
    pub(crate) fn take_back(&mut self, landing: &Landing) {
        if let Some(open) = self.0.iter_mut().find(|open| open.number == landing.number) {
            open.came -= landing.came;
            if let Some(kept) = &mut open.kept {
                kept.truncate(open.came - open.head.len());
            }
        }
    }

    /// Bytes of the calls that are being put together, those too that have not come yet.
    pub(crate) fn claimed(&self) -> u64 {
        let calls = self.0.iter().filter(|open| open.kind == MessageType::Invoke && open.kept.is_some());
        calls.map(|open| open.whole as u64).sum()
    }

    /// When the one that comes most slowly must have got further, if each chunk has so much time.
    pub(crate) fn due(&self, time: Duration) -> Option<Instant> {
        self.0.iter().filter_map(|open| open.since.map(|since| since + time)).min()
    }

    /// The stream is lost: nobody can be late.
    pub(crate) fn pause(&mut self) {
        self.0.iter_mut().for_each(|open| open.since = None);
    }

    /// They go on over another stream.
    pub(crate) fn go_on(&mut self, now: Instant) {
        self.0.iter_mut().for_each(|open| open.since = Some(now));
    }
}

/// A chunk of which the rest is read straight to where it belongs.
#[derive(Debug)]
pub(crate) struct Landing {
    number: u16,
    /// Bytes of it that have come, and those that have not.
    came: usize,
    left: usize,
}

impl Landing {
    /// Bytes of the frame that are there, with its header.
    pub(crate) fn begun(&self) -> usize {
        HEADER_LEN + self.came
    }

    /// Whether all of it is there.
    pub(crate) fn is_over(&self) -> bool {
        self.left == 0
    }
}

const SURPLUS: &str = "it sent more of a message in chunks than it had announced";

impl Assembly {
    fn begin(
        number: u16,
        piece: &[u8],
        max_message: u32,
        now: Instant,
        judge: impl FnOnce(&Header, &[u8]) -> Result<Verdict, &'static str>,
    ) -> Result<Assembly, &'static str> {
        if number >= CHUNKED {
            return Err("it sends more messages in chunks at a time than eight");
        }
        let header = Header::decode(piece).ok().flatten().ok_or("it began a message in chunks without its header")?;
        let claimed = u64::from(header.payload_len) + u64::from(header.annotations_len);
        if claimed > u64::from(max_message) {
            return Err("it began a message in chunks that is larger than what is taken here");
        }
        use MessageType::{Batch, Invoke, Item, Pipeline, Result};
        if !matches!(header.kind, Invoke | Batch | Pipeline | Result | Item) {
            return Err("it sent in chunks what is never large");
        }
        let beyond = HEADER_LEN + header.annotations_len as usize;
        let kept = match judge(&header, piece.get(beyond..).unwrap_or_default())? {
            Verdict::Keep => Some(Vec::new()),
            Verdict::PassOver => None,
        };
        let whole = HEADER_LEN + claimed as usize;
        Ok(Assembly { number, kind: header.kind, whole, came: 0, head: Vec::new(), kept, since: Some(now), then: 0 })
    }

    fn add(&mut self, piece: &[u8], now: Instant) -> Result<(), &'static str> {
        if piece.len() > self.whole - self.came {
            return Err(SURPLUS);
        }
        if self.came == 0 && piece.len() <= HEAD && self.kept.is_some() {
            self.head = piece.to_vec();
        } else {
            self.make_room(piece.len());
            if let Some(bytes) = &mut self.kept {
                bytes.extend_from_slice(piece);
            }
        }
        self.count(piece.len(), now);
        Ok(())
    }

    fn count(&mut self, bytes: usize, now: Instant) {
        self.came += bytes;
        if self.came.saturating_sub(self.then) >= CHUNK_BYTES {
            (self.since, self.then) = (Some(now), self.came);
        }
    }

    /// What is not there yet has no more memory than what is, or than [`AT_ONCE`].
    fn make_room(&mut self, bytes: usize) {
        if let Some(kept) = &mut self.kept
            && kept.capacity() - kept.len() < bytes
        {
            let least = kept.len() + bytes;
            kept.reserve_exact((2 * least).max(AT_ONCE).min(self.whole - self.head.len()) - kept.len());
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::wire::{CorrelationId, Flags, FrameWriter, SerializerId};

    const LIMIT: u32 = 4 * 1024 * 1024;

    fn message(kind: MessageType, bytes: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let frame =
            FrameWriter::begin(&mut out, kind, SerializerId::POSTCARD, Flags::default(), 5, CorrelationId::NONE);
        out.extend((0..bytes).map(|n| n as u8));
        frame.finish(&mut out, u32::MAX).unwrap();
        out
    }

    fn chunk(number: u16, piece: &[u8]) -> Frame {
        let header = Header {
            kind: MessageType::Chunk,
            serializer: SerializerId::POSTCARD,
            flags: Flags::default(),
            seq: number,
            payload_len: piece.len() as u32,
            annotations_len: 0,
            correlation: CorrelationId::NONE,
        };
        Frame { header, annotations: crate::wire::Annotations::default(), payload: piece.to_vec().into() }
    }

    fn arrive(open: &mut Assemblies, number: u16, piece: &[u8]) -> Result<Option<Frame>, &'static str> {
        open.arrived(&chunk(number, piece), LIMIT, Instant::now(), |_, _| Ok(Verdict::Keep))
    }

    #[test]
    fn messages_are_put_together_beside_each_other() {
        let mut open = Assemblies::default();
        let (a, b) = (message(MessageType::Invoke, 1_000), message(MessageType::Result, 300));
        assert!(arrive(&mut open, 0, &a[..100]).unwrap().is_none());
        assert!(arrive(&mut open, 1, &b[..40]).unwrap().is_none());
        assert_eq!(open.claimed(), a.len() as u64, "of calls");
        let frame = arrive(&mut open, 1, &b[40..]).unwrap().unwrap();
        assert_eq!((frame.header.kind, &frame.payload[..]), (MessageType::Result, &b[40..]));
        let frame = arrive(&mut open, 0, &a[100..]).unwrap().unwrap();
        assert_eq!((frame.header.kind, &frame.payload[..]), (MessageType::Invoke, &a[40..]));
        assert_eq!((open.claimed(), open.due(Duration::ZERO)), (0, None));
    }

    #[test]
    fn what_follows_a_small_first_chunk_is_in_memory_of_its_own() {
        let whole = message(MessageType::Invoke, 200_000);
        for (first, alone) in [(HEADER_LEN, true), (HEADER_LEN + 9, true), (HEAD, true), (HEAD + 1, false)] {
            let mut open = Assemblies::default();
            arrive(&mut open, 0, &whole[..first]).unwrap();
            arrive(&mut open, 0, &whole[first..100_000]).unwrap();
            let frame = arrive(&mut open, 0, &whole[100_000..]).unwrap().unwrap();
            let body = frame.payload.in_two().map(|(_, body)| body.len());
            // One that begins behind the header has no other piece before it.
            let expected = (alone && first > HEADER_LEN).then_some(whole.len() - first);
            assert_eq!(body, expected, "{first}");
            assert_eq!(&frame.payload[..], &whole[HEADER_LEN..]);
        }
    }

    #[test]
    fn memory_is_taken_for_what_has_come() {
        let mut open = Assemblies::default();
        let large = message(MessageType::Invoke, LIMIT as usize);
        for piece in large.chunks(100_000).take(30) {
            arrive(&mut open, 0, piece).unwrap();
            let assembly = &open.0[0];
            let capacity = assembly.kept.as_ref().map_or(0, Vec::capacity);
            assert!(capacity <= AT_ONCE.max(2 * assembly.came), "{capacity} for {}", assembly.came);
        }
        open = Assemblies::default();
        for piece in large.chunks(100_000) {
            let passed = open.arrived(&chunk(0, piece), LIMIT, Instant::now(), |_, _| Ok(Verdict::PassOver));
            assert!(passed.unwrap().is_none());
        }
        assert!(open.0.is_empty());
    }

    #[test]
    fn the_rest_of_a_chunk_is_read_to_where_it_belongs() {
        let mut open = Assemblies::default();
        let (whole, now) = (message(MessageType::Invoke, 1_000), Instant::now());
        let second = chunk(3, &whole[100..]).header;
        assert!(open.land(&second, &whole[100..150], now).unwrap().is_none(), "there is no such message");
        arrive(&mut open, 3, &whole[..100]).unwrap();
        let mut landing = open.land(&second, &whole[100..150], now).unwrap().unwrap();
        for (from, until) in [(150, 151), (151, 700), (700, whole.len())] {
            let mut room = open.room(&landing).unwrap();
            assert_eq!(room.remaining_mut(), whole.len() - from, "no more than is missing");
            room.put_slice(&whole[from..until]);
            let frame = open.landed(&mut landing, until - from, LIMIT, now).unwrap();
            assert_eq!(frame.is_some(), landing.is_over());
            if let Some(frame) = frame {
                assert_eq!(&frame.payload[..], &whole[HEADER_LEN..]);
            }
        }
        assert!(open.is_empty() && open.room(&landing).is_none());
    }

    #[test]
    fn half_a_chunk_can_be_taken_back() {
        let mut open = Assemblies::default();
        let (whole, now) = (message(MessageType::Invoke, 1_000), Instant::now());
        arrive(&mut open, 3, &whole[..100]).unwrap();
        let second = chunk(3, &whole[100..]);
        let mut landing = open.land(&second.header, &whole[100..150], now).unwrap().unwrap();
        open.room(&landing).unwrap().put_slice(&whole[150..600]);
        assert!(open.landed(&mut landing, 450, LIMIT, now).unwrap().is_none());
        assert_eq!(landing.begun(), HEADER_LEN + 500);
        open.take_back(&landing);
        let frame = open.arrived(&second, LIMIT, now, |_, _| Err("it is known")).unwrap().unwrap();
        assert_eq!(&frame.payload[..], &whole[HEADER_LEN..]);
    }

    #[test]
    fn a_chunk_that_claims_too_much_does_not_land() {
        let mut open = Assemblies::default();
        let whole = message(MessageType::Invoke, 1_000);
        arrive(&mut open, 0, &whole[..100]).unwrap();
        let mut header = chunk(0, &[]).header;
        header.payload_len = whole.len() as u32 - 99;
        assert_eq!(open.land(&header, &[], Instant::now()).unwrap_err(), SURPLUS);
    }

    #[test]
    fn what_is_given_up_is_forgotten() {
        let mut open = Assemblies::default();
        let a = message(MessageType::Invoke, 1_000);
        arrive(&mut open, 0, &a[..500]).unwrap();
        assert!(arrive(&mut open, 0, &[]).unwrap().is_none());
        assert!(arrive(&mut open, 0, &a).unwrap().is_some(), "its number is free again");
    }

    #[test]
    fn a_chunk_that_breaks_the_rules_is_told_apart() {
        let a = message(MessageType::Invoke, 100);
        for (pieces, says) in [
            (vec![(0, &a[..39])], "without its header"),
            (vec![(0, &[][..])], "without its header"),
            (vec![(8, &a[..50])], "more messages in chunks"),
            (vec![(0, &message(MessageType::Invoke, LIMIT as usize + 1)[..50])], "larger than"),
            (vec![(0, &message(MessageType::Chunk, 100)[..50])], "never large"),
            (vec![(0, &a[..50]), (0, &[&a[50..], &[0]].concat()[..])], "more of a message"),
        ] {
            let mut open = Assemblies::default();
            let problem = pieces.iter().find_map(|(number, piece)| arrive(&mut open, *number, piece).err());
            assert!(problem.is_some_and(|problem| problem.contains(says)), "{problem:?}, not {says}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_message_is_put_together_however_it_was_cut(
            sizes in proptest::collection::vec(0..3_000_usize, 1..6),
            cuts in proptest::collection::vec((0..6_usize, 1..900_usize), 0..200),
        ) {
            let messages: Vec<Vec<u8>> = sizes.iter().map(|size| message(MessageType::Invoke, *size)).collect();
            let (mut open, mut sent, mut came) = (Assemblies::default(), vec![0; sizes.len()], 0);
            let rest = (0..sizes.len()).cycle().map(|at| (at, 500)).take(100 * sizes.len());
            for (at, cut) in cuts.into_iter().chain(rest) {
                let Some(whole) = messages.get(at) else { continue };
                // The first piece has the header.
                let end = (sent[at] + cut).max(HEADER_LEN).min(whole.len());
                if sent[at] == whole.len() {
                    continue;
                }
                let arrived = arrive(&mut open, at as u16, &whole[sent[at]..end]).unwrap();
                sent[at] = end;
                proptest::prop_assert_eq!(arrived.is_some(), end == whole.len());
                if let Some(frame) = arrived {
                    proptest::prop_assert_eq!(&frame.payload[..], &whole[HEADER_LEN..]);
                    came += 1;
                }
            }
            proptest::prop_assert_eq!(came, messages.len());
        }
    }

    #[test]
    fn a_message_has_to_go_on() {
        let mut open = Assemblies::default();
        let large = message(MessageType::Invoke, 4 * CHUNK_BYTES);
        let start = Instant::now();
        let mut at = |seconds: u64, piece: &[u8]| {
            let now = start + Duration::from_secs(seconds);
            open.arrived(&chunk(0, piece), LIMIT, now, |_, _| Ok(Verdict::Keep)).unwrap();
            open.due(Duration::from_secs(30)).unwrap() - start
        };
        assert_eq!(at(1, &large[..1_000]), Duration::from_secs(31));
        assert_eq!(at(20, &large[1_000..2_000]), Duration::from_secs(31), "a few bytes win no time");
        assert_eq!(at(25, &large[2_000..2_000 + CHUNK_BYTES]), Duration::from_secs(55));
    }
}
