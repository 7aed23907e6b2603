//! The wire, pinned by bytes: what is in `tests/golden` decodes to what it says it is, and encodes to itself again.
//!
//! `pyro5/` is what Pyro 5.17 sent and is never rewritten. `ours/` is what Pyroxene sends; `UPDATE_GOLDEN=1 cargo test --test it golden`
//! rewrites it, and the difference belongs into the changelog under **Wire**.

use std::fmt::Write as _;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use pyroxene::args;
use pyroxene::codec::budget::Budget;
use pyroxene::codec::call::{NamedCall, NamedConnect};
use pyroxene::codec::fault::{Detail, Fault};
use pyroxene::object::outcome::{Failure, NotStarted};
use pyroxene::wire::batch::SizedParts;
use pyroxene::wire::discovery::Question;
use pyroxene::wire::{
    Addressed, AnnotationId, BatchHead, BatchedCall, BatchedResult, Bind, BindingTable, BoundMethod, Carried, Chain,
    ChainLink, CorrelationId, Credit, Features, Flags, Flush, Flushed, Frame, FrameWriter, GoAway, Hello, ItemBatch,
    MessageType, OnceKey, PeerLimits, Pipeline, Release, SerializerId, SessionOpened, Taken, Target, Ticket, Welcome,
};
use serde::Serialize;

/// Room for every frame here.
const LIMIT: u32 = 64 * 1024;

#[test]
fn what_pyro_5_sends_is_read_and_written_as_it_was() {
    let mut seen = 0;
    for path in files("pyro5") {
        let text = std::fs::read_to_string(&path).unwrap();
        let bytes = bytes_of(&text);
        let frames = decode_all(&bytes);
        assert_eq!(describe(title_of(&text), &frames), text, "{}", path.display());
        assert_eq!(frames.iter().flat_map(encode).collect::<Vec<u8>>(), bytes, "{}", path.display());
        seen += frames.len();
    }
    assert!(seen > 40, "only {seen} frames in tests/golden/pyro5");
}

#[test]
fn what_we_send_is_what_we_always_sent() {
    for (name, title, bytes) in ours() {
        let path = folder("ours").join(format!("{name}.hex"));
        let text = describe(title, &decode_all(&bytes));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, golden, "{}: UPDATE_GOLDEN=1 rewrites it, if that is what you want", path.display());
    }
    assert_eq!(files("ours").len(), ours().len(), "a file in tests/golden/ours belongs to nothing");
}

#[test]
fn pyros_calls_by_name_are_ours() {
    let budget = Budget::default();
    for (file, id) in
        [("json_invoke_result", SerializerId::JSON), ("msgpack_invoke_result", SerializerId::MESSAGE_PACK)]
    {
        let frames = decode_all(&golden("pyro5", file));
        let call = NamedCall::decode(id, &frames[0].payload, &budget).unwrap();
        assert_eq!(call, NamedCall { object: "thing".into(), method: "add".into(), args: args![3; b: 4] });
        let mut written = Vec::new();
        call.encode(id, &mut written).unwrap();
        // Python puts spaces into JSON.
        let theirs: Vec<u8> = match id {
            SerializerId::JSON => frames[0].payload.iter().copied().filter(|byte| *byte != b' ').collect(),
            _ => frames[0].payload.to_vec(),
        };
        assert_eq!(written, theirs, "{id}");
    }
    for (file, id) in
        [("json_connect_connectok", SerializerId::JSON), ("msgpack_connect_connectok", SerializerId::MESSAGE_PACK)]
    {
        let frames = decode_all(&golden("pyro5", file));
        let wish = NamedConnect::decode(id, &frames[0].payload, &budget).unwrap();
        assert_eq!(wish, NamedConnect { object: "thing".into() });
    }
}

#[test]
fn an_annotation_of_pyro_5_is_found() {
    let frames = decode_all(&golden("pyro5", "serpent_generator"));
    assert_eq!(frames[1].annotations.find(AnnotationId::STREAM), Some(&b"9d8351ac-9469-423f-a812-bc44674f87a9"[..]));
}

#[test]
fn discovery_datagrams_are_what_they_always_were() {
    assert_eq!(Question::Pyro.encode(), b"GET_NSURI");
    let question = Question::Pyroxene { nonce: *b"0123456789abcdef" };
    let mut asked = b"PYROXENE\x01\x010123456789abcdef".to_vec();
    asked.resize(512, 0);
    assert_eq!(question.encode(), asked);
    let answer = question.answer("PYRO://127.0.0.1:9090/Pyro.NameServer").unwrap();
    assert_eq!(answer, b"PYROXENE\x01\x020123456789abcdef\x00\x25PYRO://127.0.0.1:9090/Pyro.NameServer\x00");
}

/// What a message of a user looks like.
#[derive(Serialize)]
struct Withdraw {
    amount: u64,
}

/// Every kind of frame that Pyroxene peers send each other: name of the file, what it shows, bytes.
fn ours() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let correlation = CorrelationId::from_bytes(*b"correlation-id-0");
    let invoke = [&[0, 1][..], &postcard(&Withdraw { amount: 300 })].concat();
    let call = NamedCall { object: "bank.alice".into(), method: "withdraw".into(), args: args! { amount: 300 } };
    let busy = Failure::NotStarted(NotStarted::Busy { what: "the mailbox of bank.alice".into(), retry_after_ms: 10 });
    let fault = |id| {
        let mut payload = Vec::new();
        busy.to_fault(id, "bank.alice", "withdraw").encode(id, &mut payload).unwrap();
        frame(MessageType::Result, id, Flags::EXCEPTION, 7, CorrelationId::NONE, &payload)
    };
    let plain = |kind, seq, payload: &[u8]| {
        frame(kind, SerializerId::POSTCARD, Flags::default(), seq, CorrelationId::NONE, payload)
    };
    let bound = |handle| BindingTable {
        handle,
        object: "obj_0a1b".into(),
        methods: vec![
            BoundMethod { name: "balance".into(), flags: 4, fingerprint: 0x0123_4567_89ab_cdef },
            BoundMethod { name: "withdraw".into(), flags: 0, fingerprint: 300 },
        ],
    };
    let waits = |object, handler, name: &str| ChainLink { object, handler, name: name.into() };
    let chain = Chain::default().with(waits(300, 1, "clerk")).with(waits(0x0123_4567_89ab_cdef, 7, "bank.bob"));
    let limits = PeerLimits { max_message: 16 * 1024 * 1024, in_flight: 1024 };
    let hello = Hello {
        version: 1,
        target: Target::Name("bank.alice".into()),
        features: Features::OURS,
        session: 0x0102_0304,
        timeout_ms: 30_000,
        limits,
    };
    let welcome =
        Welcome { version: 1, features: Features::OURS, limits, incarnation: 0x0506_0708, binding: Some(bound(0)) };
    let raised = Fault {
        class: "Overdrawn".into(),
        message: "30 short".into(),
        detail: Detail::Encoded(SerializerId::POSTCARD, Bytes::from_static(&[30])),
        traceback: vec!["caused by: an empty pocket".into()],
        object: "bank.alice".into(),
        method: "withdraw".into(),
    };
    let with = |encode: &dyn Fn(&mut Vec<u8>)| {
        let mut payload = Vec::new();
        encode(&mut payload);
        payload
    };
    let in_json = with(&|out| call.encode(SerializerId::JSON, out).unwrap());
    let in_msgpack = with(&|out| call.encode(SerializerId::MESSAGE_PACK, out).unwrap());
    vec![
        ("connect", "CONNECT: a Hello", plain(MessageType::Connect, 0, &with(&|out| hello.encode(out).unwrap()))),
        (
            "connectok",
            "CONNECTOK: a Welcome",
            plain(MessageType::ConnectOk, 0, &with(&|out| welcome.encode(out).unwrap())),
        ),
        ("invoke", "INVOKE: handle 0, method 1, Withdraw { amount: 300 }", plain(MessageType::Invoke, 7, &invoke)),
        (
            "invoke_traced",
            "INVOKE with a correlation id and 250 ms left",
            annotated(MessageType::Invoke, 8, correlation, (AnnotationId::DEADLINE, &250_u32.to_be_bytes()), &invoke),
        ),
        (
            "invoke_annotated",
            "INVOKE with an annotation of its caller's, a traceparent, and two objects that wait for it",
            annotated_with(
                MessageType::Invoke,
                9,
                &[
                    (AnnotationId(*b"USER"), b"eve"),
                    (AnnotationId::TRACE, b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
                    (AnnotationId::CHAIN, &chain.encode()),
                ],
                &invoke,
            ),
        ),
        (
            "invoke_oneway",
            "INVOKE that nobody answers",
            frame(MessageType::Invoke, SerializerId::POSTCARD, Flags::ONEWAY, 0, CorrelationId::NONE, &invoke),
        ),
        (
            "invoke_json",
            "INVOKE by name in JSON",
            frame(MessageType::Invoke, SerializerId::JSON, Flags::default(), 9, CorrelationId::NONE, &in_json),
        ),
        (
            "invoke_msgpack",
            "INVOKE by name in MessagePack",
            frame(
                MessageType::Invoke,
                SerializerId::MESSAGE_PACK,
                Flags::default(),
                9,
                CorrelationId::NONE,
                &in_msgpack,
            ),
        ),
        ("result", "RESULT: the u64 70", plain(MessageType::Result, 7, &postcard(&70_u64))),
        ("fault_not_started", "RESULT: a full mailbox, in postcard", fault(SerializerId::POSTCARD)),
        ("fault_json", "RESULT: the same in JSON", fault(SerializerId::JSON)),
        ("fault_msgpack", "RESULT: the same in MessagePack", fault(SerializerId::MESSAGE_PACK)),
        ("fault_raised", "RESULT: an error that the object raised", {
            let payload = with(&|out| raised.encode(SerializerId::POSTCARD, out).unwrap());
            frame(MessageType::Result, SerializerId::POSTCARD, Flags::EXCEPTION, 7, CorrelationId::NONE, &payload)
        }),
        ("bind", "BIND: a further object", {
            let bind = Bind { target: Target::Id("obj_0a1b".into()) };
            plain(MessageType::Bind, 3, &with(&|out| bind.encode(out).unwrap()))
        }),
        (
            "bound",
            "BOUND: what can be called there",
            plain(MessageType::Bound, 3, &with(&|out| bound(1).encode(out).unwrap())),
        ),
        ("cancel", "CANCEL: the call with number 7 is given up", plain(MessageType::Cancel, 7, &[])),
        ("goaway", "GOAWAY: no new calls", {
            let away = GoAway { reason: "the daemon is ending".into(), taken: 156 };
            plain(MessageType::GoAway, 0, &with(&|out| away.encode(out).unwrap()))
        }),
        ("ticket", "TICKET: what the connection is known by", {
            let ticket = Ticket { ticket: *b"sixteen letters.", keep_ms: 30_000 };
            plain(MessageType::Ticket, 0, &with(&|out| ticket.encode(out).unwrap()))
        }),
        ("ack", "ACK: 40,000 bytes were taken", {
            plain(MessageType::Ack, 0, &with(&|out| Taken { taken: 40_000 }.encode(out).unwrap()))
        }),
        ("connect_resume", "CONNECT in place of a stream that was lost, and RESUMED", {
            let target = Target::Connection { ticket: *b"sixteen letters.", taken: 40_000 };
            let again = Hello { target, ..hello.clone() };
            [
                plain(MessageType::Connect, 0, &with(&|out| again.encode(out).unwrap())),
                plain(MessageType::Resumed, 0, &with(&|out| Taken { taken: 300 }.encode(out).unwrap())),
            ]
            .concat()
        }),
        (
            "flush",
            "FLUSH and FLUSHED: of the oneways in account 3 of handle 0, 300 ended with a value and 1 with a fault",
            {
                let (flush, flushed) = (Flush { handle: 0, account: 3 }, Flushed { executed: 300, failed: 1 });
                [
                    plain(MessageType::Flush, 4, &with(&|out| flush.encode(out).unwrap())),
                    plain(MessageType::Flushed, 4, &with(&|out| flushed.encode(out).unwrap())),
                ]
                .concat()
            },
        ),
        ("address", "ADDRESS: where are objects called that have no address?", plain(MessageType::Address, 5, &[])),
        ("addressed", "ADDRESSED: at the daemon, which knows the client as 7", {
            let addressed = Addressed { endpoint: "bank:7766".into(), relay: 7, timeout_ms: 30_000 };
            plain(MessageType::Addressed, 5, &with(&|out| addressed.encode(out).unwrap()))
        }),
        ("release", "RELEASE: handle 3 is done with, as far as one answer named it", {
            let release = Release { handle: 3, count: 1 };
            plain(MessageType::Release, 0, &with(&|out| release.encode(out).unwrap()))
        }),
        ("session", "SESSION: calls with keys will come", plain(MessageType::Session, 4, &[])),
        ("opened", "OPENED: the session has the number 300", {
            let opened = SessionOpened { number: 300 };
            plain(MessageType::Opened, 4, &with(&|out| opened.encode(out).unwrap()))
        }),
        ("invoke_once", "INVOKE with a key: call 5 of its session, and nothing below 3 is needed any more", {
            let key = OnceKey { sequence: 5, done: 3 }.encode();
            annotated(MessageType::Invoke, 8, CorrelationId::NONE, (AnnotationId::ONCE, &key), &invoke)
        }),
        ("result_items", "RESULT: a stream of items, the first of the connection", {
            frame(
                MessageType::Result,
                SerializerId::POSTCARD,
                Flags::ITEM_STREAM,
                7,
                CorrelationId::NONE,
                &postcard(&1_u64),
            )
        }),
        ("invoke_items", "INVOKE that carries a stream, the first of the connection, as its only argument", {
            let payload = with(&|out| {
                Carried { first: 1, count: 1 }.encode(out);
                out.extend_from_slice(&[0, 1, 0]);
            });
            frame(MessageType::Invoke, SerializerId::POSTCARD, Flags::ITEM_STREAM, 7, CorrelationId::NONE, &payload)
        }),
        ("item", "ITEM: the items 70 and 300, and the end of the stream", {
            let items = with(&|out| {
                ItemBatch::begin(1, out);
                ItemBatch::push(&postcard(&70_u64), out);
                ItemBatch::push(&postcard(&300_u64), out);
            });
            [plain(MessageType::Item, 0, &items), plain(MessageType::Item, 0, &with(&|out| ItemBatch::begin(1, out)))]
                .concat()
        }),
        ("item_fault", "ITEM: the stream ends with a fault", {
            let payload = with(&|out| {
                ItemBatch::begin(1, out);
                raised.encode(SerializerId::POSTCARD, out).unwrap();
            });
            frame(MessageType::Item, SerializerId::POSTCARD, Flags::EXCEPTION, 0, CorrelationId::NONE, &payload)
        }),
        ("credit", "CREDIT: more items may be sent, and the stream is given up", {
            let credit = |credit: Credit| plain(MessageType::Credit, 0, &with(&|out| credit.encode(out)));
            [credit(Credit { stream: 1, bytes: 131_072, items: 512 }), credit(Credit::give_up(1))].concat()
        }),
        ("chunk", "CHUNK: two pieces of the first call, as message 3, and the end of another that is given up", {
            let whole = plain(MessageType::Invoke, 7, &invoke);
            let chunk = |number, piece: &[u8]| plain(MessageType::Chunk, number, piece);
            [chunk(3, &whole[..42]), chunk(3, &whole[42..]), chunk(5, &[])].concat()
        }),
        ("batch", "BATCH: method 1 with Withdraw { amount: 300 }, and a call by name; it stops at the first fault", {
            let payload = with(&|out| {
                let mut parts = SizedParts::default();
                BatchHead { handle: 0, stop_at_fault: true }.encode(out);
                for (method, bytes) in [(Some(1), &invoke[2..]), (None, &in_msgpack)] {
                    BatchedCall::begin(method, out);
                    let put = |out: &mut Vec<u8>| -> Result<(), ()> {
                        out.extend_from_slice(bytes);
                        Ok(())
                    };
                    parts.push(out, put).unwrap();
                }
            });
            plain(MessageType::Batch, 7, &payload)
        }),
        (
            "result_batch",
            "RESULT: of a batch: 70, an error that the object raised, and the three outcomes without bytes",
            {
                let payload = with(&|out| {
                    let fault = with(&|out| raised.encode(SerializerId::POSTCARD, out).unwrap());
                    for outcome in [
                        BatchedResult::Value(&postcard(&70_u64)),
                        BatchedResult::Fault(&fault),
                        BatchedResult::Skipped,
                        BatchedResult::ValueTooLarge,
                        BatchedResult::FaultTooLarge,
                    ] {
                        outcome.encode(out);
                    }
                });
                frame(MessageType::Result, SerializerId::POSTCARD, Flags::BATCH, 7, CorrelationId::NONE, &payload)
            },
        ),
        ("pipeline", "PIPELINE: a call that ends with a reference, and one on what call 7 will end with", {
            let promise = with(&|out| {
                Pipeline::Promise.encode(out);
                out.extend_from_slice(&invoke);
            });
            let call = NamedCall { object: String::new(), ..call };
            let on = with(&|out| {
                Pipeline::On(7).encode(out);
                call.encode(SerializerId::MESSAGE_PACK, out).unwrap();
            });
            let (kind, id) = (MessageType::Pipeline, SerializerId::MESSAGE_PACK);
            let on = frame(kind, id, Flags::default(), 8, CorrelationId::NONE, &on);
            [plain(kind, 7, &promise), on].concat()
        }),
        ("ping", "PING, and what answers it", {
            [plain(MessageType::Ping, 2, b"ping"), plain(MessageType::Ping, 2, b"pong")].concat()
        }),
    ]
}

fn postcard(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    pyroxene::codec::encode(SerializerId::POSTCARD, value, &mut out).unwrap();
    out
}

fn frame(
    kind: MessageType,
    serializer: SerializerId,
    flags: Flags,
    seq: u16,
    correlation: CorrelationId,
    payload: &[u8],
) -> Vec<u8> {
    let mut out = Vec::new();
    let writer = FrameWriter::begin(&mut out, kind, serializer, flags, seq, correlation);
    out.extend_from_slice(payload);
    writer.finish(&mut out, LIMIT).unwrap();
    out
}

fn annotated_with(kind: MessageType, seq: u16, annotations: &[(AnnotationId, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (id, flags) = (SerializerId::POSTCARD, Flags::default());
    let mut writer = FrameWriter::begin(&mut out, kind, id, flags, seq, CorrelationId::NONE);
    for (id, value) in annotations {
        writer.annotate(&mut out, *id, value);
    }
    out.extend_from_slice(payload);
    writer.finish(&mut out, LIMIT).unwrap();
    out
}

fn annotated(
    kind: MessageType,
    seq: u16,
    correlation: CorrelationId,
    (id, value): (AnnotationId, &[u8]),
    payload: &[u8],
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = FrameWriter::begin(&mut out, kind, SerializerId::POSTCARD, Flags::default(), seq, correlation);
    writer.annotate(&mut out, id, value);
    out.extend_from_slice(payload);
    writer.finish(&mut out, LIMIT).unwrap();
    out
}

/// The frame as this end writes it.
fn encode(frame: &Frame) -> Vec<u8> {
    let header = frame.header;
    let mut out = Vec::new();
    let mut writer =
        FrameWriter::begin(&mut out, header.kind, header.serializer, header.flags, header.seq, header.correlation);
    for (id, value) in frame.annotations.iter() {
        writer.annotate(&mut out, id, value);
    }
    out.extend_from_slice(&frame.payload);
    writer.finish(&mut out, LIMIT).unwrap();
    out
}

fn decode_all(bytes: &[u8]) -> Vec<Frame> {
    let mut buffer = BytesMut::from(bytes);
    let frames: Vec<Frame> = std::iter::from_fn(|| Frame::decode(&mut buffer, LIMIT).unwrap()).collect();
    assert!(buffer.is_empty(), "{} bytes are not a frame", buffer.len());
    frames
}

/// What stands in a golden file: `##` is its title, `#` explains the bytes that follow.
fn describe(title: &str, frames: &[Frame]) -> String {
    let mut text = format!("## {title}\n");
    for frame in frames {
        let header = frame.header;
        let (kind, flags, seq) = (header.kind, header.flags.bits(), header.seq);
        let _ = writeln!(text, "\n# {kind:?}, {}, flags {flags:#06x}, seq {seq}", header.serializer);
        let bytes = encode(frame);
        // tag, version, type and serializer, flags, sequence number, lengths, correlation id, reserved, magic
        let cuts = [0, 4, 6, 8, 10, 12, 16, 20, 36, 38, 40];
        let parts: Vec<String> = cuts.windows(2).map(|cut| hex(&bytes[cut[0]..cut[1]])).collect();
        let _ = writeln!(text, "{}", parts.join(" "));
        for (id, value) in frame.annotations.iter() {
            let chunk = [&id.0[..], &(value.len() as u32).to_be_bytes(), value].concat();
            let _ = writeln!(text, "# annotation {}\n{}", id.0.escape_ascii(), hex(&chunk));
        }
        for line in frame.payload.chunks(48) {
            let _ = writeln!(text, "# {}\n{}", line.escape_ascii(), hex(line));
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes_of(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::chars)
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).unwrap() as u8)
        .collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn title_of(text: &str) -> &str {
    text.lines().next().unwrap().trim_start_matches("## ")
}

fn golden(folder_name: &str, file: &str) -> Vec<u8> {
    bytes_of(&std::fs::read_to_string(folder(folder_name).join(format!("{file}.hex"))).unwrap())
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn files(folder_name: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder(folder_name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
