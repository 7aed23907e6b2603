//! Large messages on their way out: kept apart from small ones, and cut into chunks that take turns. A plain queue, no IO.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::peer::in_flight::{InFlight, UNSENT};
use crate::wire::apart::Part;
use crate::wire::chunk::{CHUNK_BYTES, CHUNKED, MAX_CHUNK_BYTES};
use crate::wire::{CorrelationId, Flags, HEADER_LEN, Header, MessageType, SerializerId};

/// A part of a message that has no more bytes is copied beside the header of its chunk.
const SMALL: usize = 4 * 1024;

/// Which messages of a connection stay behind each other, even if the first is large and the second is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// It may overtake any other.
    Free,
    /// Calls of one object, by its handle.
    Object(u32),
    /// Items of one stream, by its number.
    Stream(u64),
}

/// What is to be sent in chunks, and what may not overtake it.
#[derive(Debug)]
pub(crate) struct Bulk {
    /// The first of each takes its turn, if it is one of the first [`CHUNKED`] here.
    lines: VecDeque<Line>,
    turn: usize,
    /// Bytes of the next chunk, if there are so many.
    stride: usize,
    /// Numbers of messages under way, a bit for each.
    numbers: u8,
    /// Calls that were put here so far.
    called: u64,
    call_bytes: usize,
    answer_bytes: usize,
}

/// Messages that stay behind each other.
#[derive(Debug)]
struct Line {
    order: Order,
    waiting: VecDeque<Message>,
}

#[derive(Debug)]
struct Message {
    /// What is left of the frame, in the parts that it is in memory, and how many bytes.
    rest: VecDeque<Bytes>,
    left: usize,
    /// The call's place, and what stands there as the end of its bytes.
    call: Option<(u16, u64)>,
    /// What its chunks are numbered, since the first of them.
    number: Option<u8>,
    /// It is no call.
    answers: bool,
}

impl Default for Bulk {
    fn default() -> Self {
        Bulk {
            lines: VecDeque::new(),
            turn: 0,
            stride: CHUNK_BYTES,
            numbers: 0,
            called: 0,
            call_bytes: 0,
            answer_bytes: 0,
        }
    }
}

impl Bulk {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Bytes of calls that wait here.
    pub(crate) fn calls(&self) -> usize {
        self.call_bytes
    }

    /// Bytes of what else does: replies, and items of streams.
    pub(crate) fn answers(&self) -> usize {
        self.answer_bytes
    }

    /// Whether a small message has to wait behind others that are here.
    pub(crate) fn holds_back(&self, order: Order) -> bool {
        order != Order::Free && self.lines.iter().any(|line| line.order == order)
    }

    /// The network has taken so many bytes of a chunk at once, or not. What it takes so need not be cut for those who wait behind it.
    pub(crate) fn learn(&mut self, piece: usize, at_once: bool) {
        if !at_once {
            self.stride = CHUNK_BYTES;
        } else if piece >= self.stride {
            self.stride = (2 * self.stride).min(MAX_CHUNK_BYTES);
        }
    }

    /// Moves the frame that begins at `start` of `out` here, with the parts that were left out of it, and without copying the larger part of
    /// the two. For a call whose place is `seq` returns what stands for the end of its bytes until they are sent.
    pub(crate) fn push(
        &mut self,
        out: &mut Vec<u8>,
        start: usize,
        parts: Vec<Part>,
        order: Order,
        seq: Option<u16>,
    ) -> u64 {
        let mut frame = if out.len() - start > start {
            let before = out[..start].to_vec();
            Bytes::from(std::mem::replace(out, before)).slice(start..)
        } else {
            Bytes::from(out.split_off(start))
        };
        let end = UNSENT + self.called;
        self.called += 1;
        let answers = !matches!(order, Order::Object(_));
        let (mut rest, mut at) = (VecDeque::new(), start);
        for part in parts {
            rest.extend([frame.split_to(part.at - at), part.bytes]);
            at = part.at;
        }
        rest.push_back(frame);
        rest.retain(|part| !part.is_empty());
        let left = rest.iter().map(Bytes::len).sum();
        *self.bytes(answers) += left;
        let message = Message { rest, left, call: seq.map(|seq| (seq, end)), number: None, answers };
        match self.lines.iter_mut().find(|line| order != Order::Free && line.order == order) {
            Some(line) => line.waiting.push_back(message),
            None => self.lines.push_back(Line { order, waiting: VecDeque::from([message]) }),
        }
        end
    }

    /// What is to be sent next: a chunk, of which the header is appended to `out`; or small messages alone, which are appended themselves.
    /// `before` are the bytes sent before `out`, so that each call learns where it ends.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>, before: u64, in_flight: &mut InFlight) -> Bytes {
        let start = out.len();
        while out.len() - start < CHUNK_BYTES && !self.lines.is_empty() {
            let at = self.turn % self.lines.len().min(CHUNKED.into());
            let Some(message) = self.lines[at].waiting.front_mut() else {
                self.lines.remove(at);
                continue;
            };
            let wanted = message.call.is_none_or(|(seq, end)| in_flight.is_wanted(seq, end));
            if !wanted && let Some(number) = message.number {
                // Without a byte: there is no more to come.
                chunk(number, 0, out);
            }
            if !wanted {
                self.pop(at);
                continue;
            }
            let small = message.number.is_none() && message.left <= CHUNK_BYTES;
            if small {
                message.rest.iter().for_each(|part| out.extend_from_slice(part));
                if let Some((seq, _)) = message.call {
                    in_flight.written_until(seq, before + out.len() as u64);
                }
                self.pop(at);
                continue;
            }
            let number = *message.number.get_or_insert_with(|| self.numbers.trailing_ones() as u8);
            self.numbers |= 1 << number;
            let mut piece = message.take(self.stride);
            let (answers, call, whole, len) = (message.answers, message.call, message.left == 0, piece.len());
            chunk(number, len, out);
            if len <= SMALL {
                out.extend_from_slice(&piece);
                piece.clear();
            }
            *self.bytes(answers) -= len;
            if whole {
                if let Some((seq, _)) = call {
                    in_flight.written_until(seq, before + (out.len() + piece.len()) as u64);
                }
                self.pop(at);
            } else if !piece.is_empty() {
                self.turn = at + 1;
            }
            if !piece.is_empty() {
                return piece;
            }
        }
        Bytes::new()
    }

    fn bytes(&mut self, answers: bool) -> &mut usize {
        if answers { &mut self.answer_bytes } else { &mut self.call_bytes }
    }

    /// The first message of the line has been sent, or need not be. What waits behind it stands in line anew.
    fn pop(&mut self, at: usize) {
        let Some(mut line) = self.lines.remove(at) else { return };
        if let Some(message) = line.waiting.pop_front() {
            *self.bytes(message.answers) -= message.left;
            if let Some(number) = message.number {
                self.numbers &= !(1 << number);
            }
        }
        if !line.waiting.is_empty() {
            self.lines.push_back(line);
        }
        self.turn = at;
    }
}

impl Message {
    /// The bytes that come next and are in one place, at most so many.
    fn take(&mut self, most: usize) -> Bytes {
        let Some(part) = self.rest.front_mut() else { return Bytes::new() };
        let piece = part.split_to(part.len().min(most));
        if part.is_empty() {
            self.rest.pop_front();
        }
        self.left -= piece.len();
        piece
    }
}

/// The header of a chunk with so many bytes.
fn chunk(number: u8, bytes: usize, out: &mut Vec<u8>) {
    let header = Header {
        kind: MessageType::Chunk,
        serializer: SerializerId::POSTCARD,
        flags: Flags::default(),
        seq: number.into(),
        payload_len: bytes as u32,
        annotations_len: 0,
        correlation: CorrelationId::NONE,
    };
    debug_assert!(bytes <= MAX_CHUNK_BYTES, "{HEADER_LEN} bytes of header, and a chunk");
    header.encode(out);
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// A frame of so many bytes, all alike.
    fn put(bulk: &mut Bulk, byte: u8, len: usize, order: Order, seq: Option<u16>) -> u64 {
        let mut out = b"small".to_vec();
        out.resize(5 + len, byte);
        let end = bulk.push(&mut out, 5, Vec::new(), order, seq);
        assert_eq!(out, b"small", "what stood before it stays");
        end
    }

    /// What leaves next: of each message its byte and how many of them, 0 of them for the end of one that is not wanted.
    fn sent(bulk: &mut Bulk, table: &mut InFlight) -> (u8, usize) {
        let mut out = Vec::new();
        let piece = bulk.next(&mut out, 1_000, table);
        match piece.first() {
            Some(byte) => {
                let header = Header::decode(&out[out.len() - HEADER_LEN..]).unwrap().unwrap();
                assert_eq!((header.kind, header.payload_len as usize), (MessageType::Chunk, piece.len()));
                (*byte, piece.len())
            }
            None => out.first().map_or((0, 0), |byte| (*byte, out.len())),
        }
    }

    fn table() -> InFlight {
        InFlight::new(16)
    }

    #[test]
    fn large_messages_take_turns() {
        let (mut bulk, mut table) = (Bulk::default(), table());
        let more = SMALL + 1;
        put(&mut bulk, b'a', 2 * CHUNK_BYTES + more, Order::Object(0), None);
        put(&mut bulk, b'b', CHUNK_BYTES + more, Order::Free, None);
        put(&mut bulk, b'c', CHUNK_BYTES + more, Order::Stream(0), None);
        let turns = std::iter::from_fn(|| (!bulk.is_empty()).then(|| sent(&mut bulk, &mut table))).collect::<Vec<_>>();
        let whole = CHUNK_BYTES;
        let expected =
            [(b'a', whole), (b'b', whole), (b'c', whole), (b'a', whole), (b'b', more), (b'c', more), (b'a', more)];
        assert_eq!(turns, expected);
        assert_eq!((bulk.calls(), bulk.answers(), bulk.numbers), (0, 0, 0));
    }

    /// All that leaves, as one.
    fn all(bulk: &mut Bulk) -> Vec<u8> {
        let mut all = Vec::new();
        while !bulk.is_empty() {
            let piece = bulk.next(&mut all, 0, &mut table());
            all.extend_from_slice(&piece);
        }
        all
    }

    #[test]
    fn parts_are_sent_from_where_they_are_and_what_is_between_them_beside_the_headers() {
        let mut bulk = Bulk::default();
        let large = Bytes::from(vec![b'L'; CHUNK_BYTES]);
        let mut out = b"before<->".to_vec();
        let parts = [7, 8, 8].map(|at| Part { at, bytes: large.clone() }).into();
        bulk.push(&mut out, 6, parts, Order::Free, None);
        assert_eq!((out.as_slice(), bulk.answers()), (&b"before"[..], 3 + 3 * CHUNK_BYTES));
        let mut out = Vec::new();
        let piece = bulk.next(&mut out, 0, &mut table());
        assert_eq!(piece.as_ptr(), large.as_ptr());
        assert_eq!(out.len(), 2 * HEADER_LEN + 1, "the first goes with the one before it");
        let rest = all(&mut bulk);
        let large = [b'L'; CHUNK_BYTES];
        let sent = |bytes: &[u8]| {
            let mut sent = Vec::new();
            chunk(0, bytes.len(), &mut sent);
            sent.extend_from_slice(bytes);
            sent
        };
        assert!(out == [sent(b"<"), sent(&large)[..HEADER_LEN].to_vec()].concat());
        assert!(rest == [sent(b"-"), sent(&large), sent(&large), sent(b">")].concat());
        assert_eq!((bulk.answers(), bulk.numbers), (0, 0));
    }

    #[test]
    fn chunks_grow_as_long_as_the_network_takes_them_at_once() {
        let (mut bulk, mut table) = (Bulk::default(), table());
        put(&mut bulk, b'a', 16 * MAX_CHUNK_BYTES, Order::Free, None);
        let mut sizes = Vec::new();
        for n in 0..8 {
            let (_, size) = sent(&mut bulk, &mut table);
            sizes.push(size / CHUNK_BYTES);
            bulk.learn(size, n != 5);
        }
        assert_eq!(sizes, [1, 2, 4, 8, 16, 16, 1, 2]);
        bulk.learn(SMALL, true);
        assert_eq!(sent(&mut bulk, &mut table).1 / CHUNK_BYTES, 4, "a small one says nothing");
    }

    #[test]
    fn a_small_message_waits_only_behind_those_of_its_own_object() {
        let mut bulk = Bulk::default();
        put(&mut bulk, b'a', CHUNK_BYTES * 2, Order::Object(3), None);
        assert!(bulk.holds_back(Order::Object(3)));
        assert!(!bulk.holds_back(Order::Object(4)) && !bulk.holds_back(Order::Stream(3)));
        assert!(!bulk.holds_back(Order::Free));
        put(&mut bulk, b's', 10, Order::Object(3), None);
        put(&mut bulk, b'b', CHUNK_BYTES * 2, Order::Object(3), None);
        let all = all(&mut bulk);
        let of = |byte| (all.iter().position(|b| *b == byte), all.iter().rposition(|b| *b == byte));
        assert!(of(b'a').1 < of(b's').0 && of(b's').1 < of(b'b').0);
    }

    #[test]
    fn no_more_than_eight_are_under_way_and_all_come_to_their_end() {
        let (mut bulk, mut table) = (Bulk::default(), table());
        for byte in 0..20 {
            put(&mut bulk, byte, CHUNK_BYTES * 3, Order::Free, None);
        }
        let mut sums = [0; 20];
        while !bulk.is_empty() {
            let (byte, len) = sent(&mut bulk, &mut table);
            sums[usize::from(byte)] += len;
            let under_way = sums.iter().filter(|sum| (1..CHUNK_BYTES * 3).contains(*sum)).count();
            assert!(under_way <= 8, "{under_way}");
        }
        assert_eq!(sums, [CHUNK_BYTES * 3; 20]);
    }

    #[test]
    fn a_call_that_nobody_waits_for_is_not_sent_to_its_end() {
        let (mut bulk, mut table) = (Bulk::default(), table());
        let seq = table.insert(Waker::noop().clone(), 30_000).unwrap();
        let end = put(&mut bulk, b'a', CHUNK_BYTES * 9, Order::Object(0), Some(seq));
        table.written_until(seq, end);
        assert_eq!(sent(&mut bulk, &mut table), (b'a', CHUNK_BYTES));
        assert!(!table.abandon(seq));
        let mut out = Vec::new();
        assert!(bulk.next(&mut out, 0, &mut table).is_empty());
        let header = Header::decode(&out).unwrap().unwrap();
        assert_eq!((header.kind, header.seq, header.payload_len), (MessageType::Chunk, 0, 0));
        assert!(bulk.is_empty() && bulk.calls() == 0 && bulk.numbers == 0);
    }

    #[test]
    fn a_call_is_sent_with_its_last_byte() {
        let (mut bulk, mut table) = (Bulk::default(), table());
        let seq = table.insert(Waker::noop().clone(), 30_000).unwrap();
        let end = put(&mut bulk, b'a', CHUNK_BYTES + SMALL + 1, Order::Object(0), Some(seq));
        table.written_until(seq, end);
        sent(&mut bulk, &mut table);
        assert!(table.is_wanted(seq, end), "it has not been sent");
        assert_eq!(sent(&mut bulk, &mut table), (b'a', SMALL + 1));
        table.lose_all(1_000 + HEADER_LEN as u64, &mut Vec::new());
        let Some((ending, _)) = table.poll(seq, Waker::noop()) else { panic!() };
        assert!(matches!(ending, crate::peer::in_flight::Ending::Lost { written: false }), "all but the last byte");
    }
}
