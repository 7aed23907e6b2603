//! What holds for any bytes: frames survive any cut, whatever comes is judged in peace, and no length is believed before its bytes are there.

use std::time::Duration;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use pyroxene::codec::budget::Budget;
use pyroxene::codec::{self, DecodeError, Value};
use pyroxene::peer::handshake;
use pyroxene::transport::memory;
use pyroxene::wire::discovery::Question;
use pyroxene::wire::stream::next_item;
use pyroxene::wire::{
    Addressed, AnnotationId, Bind, BindingTable, BoundMethod, Carried, Chain, ChainLink, CorrelationId, Credit,
    Features, Flags, Frame, FrameError, FrameWriter, GoAway, HEADER_LEN, Header, Hello, ItemBatch, Limits, MessageType,
    OnceKey, PeerLimits, Release, SerializerId, SessionOpened, Target, TraceParent, Welcome,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LIMIT: u32 = 16 * 1024 * 1024;
/// The most that is taken for bytes that have not come yet.
const GROW: usize = 64 * 1024;

/// The parts of a frame, as a test chooses them.
#[derive(Clone, Debug)]
struct Parts {
    kind: MessageType,
    serializer: u8,
    flags: u16,
    seq: u16,
    correlation: [u8; 16],
    annotations: Vec<([u8; 4], Vec<u8>)>,
    payload: Vec<u8>,
}

impl Parts {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let (flags, correlation) = (Flags::from_bits(self.flags), CorrelationId::from_bytes(self.correlation));
        let mut writer =
            FrameWriter::begin(&mut out, self.kind, SerializerId(self.serializer), flags, self.seq, correlation);
        for (id, value) in &self.annotations {
            writer.annotate(&mut out, AnnotationId(*id), value);
        }
        out.extend_from_slice(&self.payload);
        writer.finish(&mut out, LIMIT).unwrap();
        out
    }

    fn assert_is(&self, frame: &Frame) {
        assert_eq!(frame.header.kind, self.kind);
        assert_eq!(frame.header.serializer, SerializerId(self.serializer));
        assert!(frame.header.flags.contains(Flags::from_bits(self.flags)));
        assert_eq!(frame.header.seq, self.seq);
        assert_eq!(frame.header.correlation, CorrelationId::from_bytes(self.correlation));
        let annotations: Vec<([u8; 4], Vec<u8>)> =
            frame.annotations.iter().map(|(id, value)| (id.0, value.to_vec())).collect();
        assert_eq!(annotations, self.annotations);
        assert_eq!(frame.payload[..], self.payload);
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    let kind = prop_oneof![1..=6_u8, 16..=21_u8, 28..=29_u8, 31..=35_u8]
        .prop_map(|number| MessageType::try_from(number).unwrap());
    // Any flag but the one that says "compressed".
    let flags = any::<u16>().prop_map(|bits| bits & !Flags::COMPRESSED.bits());
    let annotations = vec((any::<[u8; 4]>(), vec(any::<u8>(), 0..40)), 0..4);
    (kind, any::<u8>(), flags, any::<u16>(), any::<[u8; 16]>(), annotations, vec(any::<u8>(), 0..200)).prop_map(
        |(kind, serializer, flags, seq, correlation, annotations, payload)| Parts {
            kind,
            serializer,
            flags,
            seq,
            correlation,
            annotations,
            payload,
        },
    )
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Whole floats come back from JSON as what they are: `1.0` stays a float.
        any::<f64>().prop_filter("JSON has no other numbers", |number| number.is_finite()).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((".{0,6}".prop_map(Value::from), inner), 0..6).prop_map(Value::from),
        ]
    })
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![Just(Target::None), ".{0,30}".prop_map(Target::Id), ".{0,30}".prop_map(Target::Name)]
}

fn table() -> impl Strategy<Value = BindingTable> {
    let method = (".{0,20}", any::<u8>(), any::<u64>()).prop_map(|(name, flags, fingerprint)| BoundMethod {
        name,
        flags,
        fingerprint,
    });
    (any::<u32>(), ".{0,30}", vec(method, 0..8)).prop_map(|(handle, object, methods)| BindingTable {
        handle,
        object,
        methods,
    })
}

proptest! {
    #[test]
    fn a_frame_is_what_was_written(parts in parts()) {
        let mut buffer = BytesMut::from(&parts.encode()[..]);
        parts.assert_is(&Frame::decode(&mut buffer, LIMIT).unwrap().unwrap());
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn frames_survive_any_cut(all in vec(parts(), 1..4), cuts in vec(1..80_usize, 1..40)) {
        let bytes: Vec<u8> = all.iter().flat_map(Parts::encode).collect();
        let (mut buffer, mut rest, mut seen) = (BytesMut::new(), &bytes[..], 0);
        let mut cuts = cuts.into_iter().cycle();
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(cuts.next().unwrap().min(rest.len()));
            buffer.extend_from_slice(piece);
            rest = behind;
            while let Some(frame) = Frame::decode(&mut buffer, LIMIT).unwrap() {
                all[seen].assert_is(&frame);
                seen += 1;
            }
        }
        prop_assert_eq!(seen, all.len());
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn any_bytes_are_judged_in_peace(bytes in vec(any::<u8>(), 0..300)) {
        judge(&bytes);
    }

    #[test]
    fn a_damaged_frame_is_judged_in_peace(parts in parts(), at in any::<prop::sample::Index>(), damage in 1..=255_u8) {
        let mut bytes = parts.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= damage;
        judge(&bytes);
    }

    #[test]
    fn a_claimed_length_takes_no_memory(payload_len in any::<u32>(), annotations_len in any::<u32>()) {
        let claimed = u64::from(payload_len) + u64::from(annotations_len);
        let mut buffer = BytesMut::from(&header(payload_len, annotations_len)[..]);
        match Frame::decode(&mut buffer, LIMIT) {
            Err(error) => {
                prop_assert!(claimed > u64::from(LIMIT));
                prop_assert_eq!(error, FrameError::TooLarge { claimed, limit: LIMIT });
            }
            Ok(frame) => {
                prop_assert!(claimed <= u64::from(LIMIT));
                prop_assert_eq!(frame.is_some(), claimed == 0);
            }
        }
        prop_assert!(buffer.capacity() <= HEADER_LEN + 2 * GROW, "{} bytes were taken", buffer.capacity());
    }

    #[test]
    fn handshakes_survive_the_journey(
        target in target(), table in table(), session in any::<u128>(), features in any::<u64>(), reason in ".{0,40}",
        max_message in any::<u32>(), in_flight in any::<u16>(), timeout_ms in any::<u32>(), taken in any::<u64>(),
    ) {
        let (features, limits) = (Features(features), PeerLimits { max_message, in_flight });
        let mut out = Vec::new();
        let hello = Hello { version: 1, target: target.clone(), features, session, timeout_ms, limits };
        hello.encode(&mut out).unwrap();
        prop_assert_eq!(Hello::decode(&out), Ok(hello));
        out.clear();
        let welcome = Welcome { version: 1, features, limits, incarnation: session, binding: Some(table.clone()) };
        welcome.encode(&mut out).unwrap();
        prop_assert_eq!(Welcome::decode(&out), Ok(welcome));
        out.clear();
        table.encode(&mut out).unwrap();
        prop_assert_eq!(BindingTable::decode(&out), Ok(table));
        out.clear();
        let bind = Bind { target };
        bind.encode(&mut out).unwrap();
        prop_assert_eq!(Bind::decode(&out), Ok(bind));
        out.clear();
        let opened = SessionOpened { number: taken };
        opened.encode(&mut out).unwrap();
        prop_assert_eq!(SessionOpened::decode(&out), Ok(opened));
        out.clear();
        let key = OnceKey { sequence: taken, done: !taken };
        prop_assert_eq!(OnceKey::decode(&key.encode()), Some(key));
        out.clear();
        let away = GoAway { reason, taken };
        away.encode(&mut out).unwrap();
        prop_assert_eq!(GoAway::decode(&out), Ok(away));
    }

    #[test]
    fn items_survive_the_journey(
        stream in any::<u64>(), items in vec(vec(any::<u8>(), 0..40), 0..40), cut in any::<prop::sample::Index>(),
    ) {
        let mut out = Vec::new();
        ItemBatch::begin(stream, &mut out);
        let start = out.len();
        items.iter().for_each(|item| ItemBatch::push(item, &mut out));
        let batch = ItemBatch::decode(&out).unwrap();
        prop_assert_eq!((batch.stream, batch.items as usize, batch.bytes), (stream, items.len(), &out[start..]));
        let mut rest = batch.bytes;
        let read: Vec<Vec<u8>> = std::iter::from_fn(|| next_item(&mut rest).map(<[u8]>::to_vec)).collect();
        prop_assert_eq!(&read, &items);
        prop_assert!(rest.is_empty());
        // What was cut off is missed, unless the cut is between two items.
        let cut = cut.index(out.len());
        if let Ok(batch) = ItemBatch::decode(&out[..cut]) {
            prop_assert!((batch.items as usize) < items.len());
            prop_assert!(out[start..].starts_with(batch.bytes));
        }
    }

    #[test]
    fn the_streams_of_a_call_survive_the_journey(
        first in 1..u64::MAX - 16, count in 1..=16_u32, call in vec(any::<u8>(), 0..40),
    ) {
        let carried = Carried { first, count };
        let mut out = Vec::new();
        carried.encode(&mut out);
        let len = out.len();
        out.extend_from_slice(&call);
        prop_assert_eq!(Carried::decode(&out), Ok((carried, &call[..])));
        prop_assert_eq!(carried.numbers().count(), count as usize);
        prop_assert!(Carried::decode(&out[..len - 1]).is_err());
        out.clear();
        Carried { first, count: count + 16 }.encode(&mut out);
        prop_assert!(Carried::decode(&out).is_err(), "more than one call carries");
    }

    #[test]
    fn credit_survives_the_journey(
        stream in any::<u64>(), bytes in any::<u32>(), items in any::<u32>(), more in any::<u8>(),
    ) {
        let credit = Credit { stream, bytes, items };
        let mut out = Vec::new();
        credit.encode(&mut out);
        prop_assert_eq!(Credit::decode(&out), Ok(credit));
        prop_assert_eq!(credit.is_nothing(), bytes == 0 && items == 0);
        prop_assert!(Credit::decode(&out[..out.len() - 1]).is_err());
        out.push(more);
        prop_assert!(Credit::decode(&out).is_err());
    }

    #[test]
    fn a_call_is_given_up_by_its_number_alone(seq in any::<u16>(), cut in 0..HEADER_LEN) {
        let (annotations, payload) = (Vec::new(), Vec::new());
        let parts =
            Parts { kind: MessageType::Cancel, serializer: 112, flags: 0, seq, correlation: [0; 16], annotations, payload };
        let bytes = parts.encode();
        prop_assert_eq!(bytes.len(), HEADER_LEN);
        prop_assert!(matches!(Frame::decode(&mut BytesMut::from(&bytes[..cut]), LIMIT), Ok(None)));
        parts.assert_is(&Frame::decode(&mut BytesMut::from(&bytes[..]), LIMIT).unwrap().unwrap());
    }

    #[test]
    fn chains_survive_the_journey(links in vec((any::<u64>(), any::<u64>(), ".{0,80}"), 0..40), bytes in vec(any::<u8>(), 0..200)) {
        let link = |(object, handler, name)| ChainLink { object, handler, name };
        let chain = links.into_iter().map(link).fold(Chain::default(), Chain::with);
        prop_assert_eq!(Chain::decode(&chain.encode()), Some(chain));
        // Whatever else it is, it is judged in peace.
        let _ = (Chain::decode(&bytes), TraceParent::parse(&bytes));
    }

    #[test]
    fn values_survive_the_journey(value in value()) {
        for id in codec::SUPPORTED {
            let mut out = Vec::new();
            codec::encode(*id, &value, &mut out).unwrap();
            prop_assert_eq!(codec::decode::<Value>(*id, &out, &Budget::default()), Ok(value.clone()), "{}", id);
        }
    }
}

/// Everything that reads bytes from strangers reads these; whatever it makes of them, it comes back.
fn judge(bytes: &[u8]) {
    let mut buffer = BytesMut::from(bytes);
    while let Ok(Some(frame)) = Frame::decode(&mut buffer, LIMIT) {
        let _ = frame.annotations.deadline_ms();
    }
    assert!(buffer.capacity() <= bytes.len() + 2 * GROW);
    let _ = (Hello::decode(bytes), Welcome::decode(bytes), Bind::decode(bytes));
    let _ = (
        BindingTable::decode(bytes),
        GoAway::decode(bytes),
        SessionOpened::decode(bytes),
        Addressed::decode(bytes),
        Release::decode(bytes),
        OnceKey::decode(bytes),
    );
    let _ = (ItemBatch::decode(bytes), Credit::decode(bytes), Carried::decode(bytes));
    let _ = Question::decode(bytes);
    let _ = Question::Pyroxene { nonce: [0; 16] }.read_answer(bytes);
    let budget = Budget::default();
    for id in codec::SUPPORTED {
        let _ = codec::decode::<Value>(*id, bytes, &budget);
    }
}

/// The bytes of a header that claims so many bytes.
fn header(payload_len: u32, annotations_len: u32) -> Vec<u8> {
    let mut out = Vec::new();
    Header {
        kind: MessageType::Invoke,
        serializer: SerializerId::POSTCARD,
        flags: Flags::default(),
        seq: 1,
        payload_len,
        annotations_len,
        correlation: CorrelationId::NONE,
    }
    .encode(&mut out);
    out
}

fn refused(bytes: &[u8]) -> FrameError {
    Frame::decode(&mut BytesMut::from(bytes), LIMIT).unwrap_err()
}

#[test]
fn what_is_no_frame_is_named() {
    assert!(matches!(refused(&[0; 64]), FrameError::NotPyro { first: [0, 0, 0, 0] }));
    assert!(refused(b"GET / HTTP/1.1\r\n\r\n").to_string().contains("HTTP"));
    assert!(refused(b"\x16\x03\x01\x02\x00\x01").to_string().contains("TLS"));
    // As soon as six bytes are there, before the rest of the header; and not before, so that what they are can be said.
    assert!(matches!(Frame::decode(&mut BytesMut::from(&b"GET /"[..]), LIMIT), Ok(None)));
    assert!(matches!(refused(b"PYRX\x01\xf6"), FrameError::NotPyro { .. }));
    assert_eq!(refused(b"PYRO\x01\xf5"), FrameError::Version { found: 501 });
    assert_eq!(
        refused(b"PYRO\x01\xf5").to_string(),
        "invalid protocol version: 501; this end speaks 502, as Pyro 5 does"
    );

    let good = header(0, 0);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    assert_eq!(refused(&with(39, 0)), FrameError::BadMagic { found: 0x4d00 });
    for kind in [0, 7, 15, 200, 255] {
        assert_eq!(refused(&with(6, kind)), FrameError::UnknownType { found: kind });
    }
    assert_eq!(refused(&with(9, 0x02)), FrameError::Compressed);
    assert!(matches!(refused(&header(u32::MAX, u32::MAX)), FrameError::TooLarge { claimed: 0x1_ffff_fffe, .. }));
}

#[test]
fn annotations_add_up_or_are_refused() {
    let with = |annotations: &[u8]| {
        let mut bytes = header(0, annotations.len() as u32);
        bytes.extend_from_slice(annotations);
        bytes
    };
    for wrong in [&b"ABC"[..], b"ABCD\0\0\0", b"ABCD\0\0\0\x01", b"ABCD\xff\xff\xff\xff", b"ABCD\0\0\0\0EF"] {
        assert!(matches!(refused(&with(wrong)), FrameError::BadAnnotations { .. }), "{}", wrong.escape_ascii());
    }
    let right = Frame::decode(&mut BytesMut::from(&with(b"ABCD\0\0\0\x01xABCD\0\0\0\0")[..]), LIMIT).unwrap().unwrap();
    assert_eq!(right.annotations.find(AnnotationId(*b"ABCD")), Some(&b"x"[..]), "the first one counts");
    assert_eq!(right.annotations.iter().count(), 2);
    assert_eq!(right.annotations.deadline_ms(), None);
}

#[test]
fn a_claimed_number_of_elements_takes_no_memory() {
    // Five bytes that claim 2^32 - 1 elements, in postcard and in MessagePack.
    let claim = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let budget = Budget::default();
    assert!(codec::decode::<Vec<u64>>(SerializerId::POSTCARD, &claim, &budget).is_err());
    assert!(codec::decode::<Vec<Vec<String>>>(SerializerId::POSTCARD, &claim, &budget).is_err());
    assert!(codec::decode::<String>(SerializerId::POSTCARD, &claim, &budget).is_err());
    // Units cost no byte each, yet they are counted.
    let units = codec::decode::<Vec<()>>(SerializerId::POSTCARD, &claim, &budget);
    assert_eq!(units, Err(DecodeError::TooManyElements { limit: budget.elements }));
    for claim in [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"] {
        assert!(codec::decode::<Value>(SerializerId::MESSAGE_PACK, claim, &budget).is_err());
    }
    let methods = [&[0, 0][..], &claim].concat();
    assert!(BindingTable::decode(&methods).is_err());
}

#[test]
fn nesting_ends_at_its_limit_and_not_with_the_stack() {
    let budget = Budget::default();
    let too_deep = Err(DecodeError::TooDeep { limit: budget.depth });
    let deep = 100_000;
    assert_eq!(codec::decode::<Value>(SerializerId::MESSAGE_PACK, &vec![0x91; deep], &budget), too_deep);
    assert!(codec::decode::<Value>(SerializerId::JSON, &vec![b'['; deep], &budget).is_err());
    // A list of one list of one list, and so on.
    let packed = [7, 1].repeat(deep);
    assert!(matches!(
        codec::decode::<Value>(SerializerId::POSTCARD, &packed, &budget),
        Err(DecodeError::TooDeep { .. })
    ));
}

#[test]
fn what_is_too_large_to_send_is_taken_back() {
    let mut out = b"before".to_vec();
    let writer = FrameWriter::begin(
        &mut out,
        MessageType::Invoke,
        SerializerId::POSTCARD,
        Flags::default(),
        1,
        CorrelationId::NONE,
    );
    out.extend_from_slice(&[0; 101]);
    assert_eq!(writer.finish(&mut out, 100), Err(FrameError::TooLarge { claimed: 101, limit: 100 }));
    assert_eq!(out, b"before");
}

/// Says `bytes` to a daemon's door, and hears what it answers before it closes.
async fn answer_to(bytes: &[u8], limits: &Limits) -> Frame {
    let (mut ours, theirs) = memory::pair();
    ours.write_all(bytes).await.unwrap();
    let (refused, heard) = tokio::join!(handshake::accept(theirs, limits), async {
        let mut heard = Vec::new();
        ours.read_to_end(&mut heard).await.unwrap();
        heard
    });
    assert!(refused.is_err());
    let frame = Frame::decode(&mut BytesMut::from(&heard[..]), LIMIT).unwrap().unwrap();
    assert_eq!((frame.header.kind, frame.header.serializer), (MessageType::ConnectFail, SerializerId::MARSHAL));
    frame
}

fn said(frame: &Frame) -> String {
    String::from_utf8_lossy(&frame.payload).into_owned()
}

#[tokio::test]
async fn a_stranger_is_told_what_is_wrong_in_the_way_pyro_does() {
    let limits = Limits::default();
    for (bytes, reason) in [
        (&[0; 64][..], "invalid data"),
        (b"GET / HTTP/1.1\r\nHost: bank\r\n\r\n", "an HTTP request reached a PYRO port"),
        (b"PYRO\x01\xf5", "invalid protocol version: 501"),
        (&[&header(0, 0)[..39], &[0]].concat(), "invalid message"),
        // INVOKE before CONNECT.
        (&header(0, 0), "invalid msg type 4 received (expected: 1)"),
        (&header(5_000, 0), "message too large: 5000 bytes, of which 4096 are allowed"),
    ] {
        let answer = said(&answer_to(bytes, &limits).await);
        assert!(answer.contains(reason), "{answer:?} does not say {reason:?}");
    }
}

#[tokio::test]
async fn a_greeting_that_is_none_is_refused() {
    let limits = Limits::default();
    let connect = |serializer: SerializerId, payload: &[u8]| {
        let mut out = Vec::new();
        let writer =
            FrameWriter::begin(&mut out, MessageType::Connect, serializer, Flags::default(), 0, CorrelationId::NONE);
        out.extend_from_slice(payload);
        writer.finish(&mut out, LIMIT).unwrap();
        out
    };
    for (bytes, reason) in [
        (connect(SerializerId(77), b""), "serializer 77"),
        (connect(SerializerId::POSTCARD, b""), "the CONNECT message cannot be read"),
        (connect(SerializerId::JSON, br#"{"handshake": "hello"}"#), "its object is null"),
        (connect(SerializerId::MESSAGE_PACK, b"\xc1"), "not a "),
    ] {
        let answer = said(&answer_to(&bytes, &limits).await);
        assert!(answer.contains(reason), "{answer:?} does not say {reason:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stranger_who_says_nothing_is_not_waited_for() {
    let limits = Limits::default();
    let began = tokio::time::Instant::now();
    let answer = said(&answer_to(b"PYRO", &limits).await);
    assert!(answer.contains("no handshake within 5000 ms"), "{answer:?}");
    assert_eq!(began.elapsed(), Duration::from_millis(limits.handshake_ms.into()));
}
