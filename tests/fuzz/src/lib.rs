//! What holds for any bytes, one function for each decoder that strangers reach. The fuzzer calls them with what it finds; the ordinary tests
//! call them with the seeds, cut everywhere.

use bytes::BytesMut;
use pyroxene::codec;
use pyroxene::codec::Value;
use pyroxene::codec::args::Args;
use pyroxene::codec::budget::Budget;
use pyroxene::codec::call::{NamedCall, NamedConnect};
use pyroxene::codec::fault::Fault;
use pyroxene::uri::Uri;
use pyroxene::wire::batch::SizedParts;
use pyroxene::wire::discovery::Question;
use pyroxene::wire::stream::next_item;
use pyroxene::wire::{
    Addressed, BatchHead, BatchedCall, BatchedResult, Bind, BindingTable, Chain, Credit, Frame, FrameWriter, GoAway,
    Hello, ItemBatch, OnceKey, Pipeline, Release, SerializerId, SessionOpened, TraceParent, Welcome,
};

/// Bytes of the largest frame here.
const LIMIT: u32 = 1024 * 1024;

/// A received stream: what is read as frames is written as the same bytes, and nothing is taken on anybody's word.
pub fn frame(bytes: &[u8]) {
    let mut buffer = BytesMut::from(bytes);
    let mut written = Vec::new();
    let ended_well = loop {
        match Frame::decode(&mut buffer, LIMIT) {
            Ok(Some(frame)) => write(&frame, &mut written),
            Ok(None) => break true,
            Err(error) => {
                assert!(!error.to_string().contains('\n'));
                break false;
            }
        }
    };
    assert!(buffer.capacity() <= bytes.len() + 128 * 1024, "{} bytes were taken", buffer.capacity());
    // Reserved bytes, and a correlation id that no flag announces, need not come back as they were; lengths do.
    assert!(written.len() <= bytes.len());
    if ended_well {
        assert_eq!(written.len() + buffer.len(), bytes.len());
    }
    let again = &mut BytesMut::from(&written[..]);
    let mut rewritten = Vec::new();
    while let Ok(Some(frame)) = Frame::decode(again, LIMIT) {
        write(&frame, &mut rewritten);
    }
    assert_eq!(rewritten, written);
}

fn write(frame: &Frame, out: &mut Vec<u8>) {
    let header = frame.header;
    let mut writer =
        FrameWriter::begin(out, header.kind, header.serializer, header.flags, header.seq, header.correlation);
    for (id, value) in frame.annotations.iter() {
        writer.annotate(out, id, value);
    }
    let _ = frame.annotations.deadline_ms();
    out.extend_from_slice(&frame.payload);
    assert_eq!(writer.finish(out, LIMIT), Ok(()));
}

macro_rules! survives {
    ($bytes:ident: $($message:ty),*) => {$(
        if let Ok(message) = <$message>::decode($bytes) {
            let mut out = Vec::new();
            assert_eq!(message.encode(&mut out), Ok(()));
            assert_eq!(<$message>::decode(&out), Ok(message));
        }
    )*};
}

/// The payload of a frame before there is any trust: what is read, survives the journey back.
pub fn handshake(bytes: &[u8]) {
    survives!(bytes: Hello, Welcome, Bind, BindingTable, GoAway, SessionOpened, Addressed, Release);
    if let Ok(credit) = Credit::decode(bytes) {
        let mut out = Vec::new();
        credit.encode(&mut out);
        assert_eq!(Credit::decode(&out), Ok(credit));
    }
    if let Ok(batch) = ItemBatch::decode(bytes) {
        let (mut rest, mut out) = (batch.bytes, Vec::new());
        ItemBatch::begin(batch.stream, &mut out);
        (0..batch.items).for_each(|_| ItemBatch::push(next_item(&mut rest).unwrap_or_default(), &mut out));
        assert_eq!(ItemBatch::decode(&out).map(|again| again.items), Ok(batch.items));
        assert!(rest.is_empty());
    }
    batch(bytes);
    if let Ok((pipeline, call)) = Pipeline::decode(bytes) {
        let mut out = Vec::new();
        pipeline.encode(&mut out);
        out.extend_from_slice(call);
        assert_eq!(Pipeline::decode(&out), Ok((pipeline, call)));
    }
    for id in [SerializerId::JSON, SerializerId::MESSAGE_PACK] {
        let _ = NamedConnect::decode(id, bytes, &Budget::default());
    }
}

/// The calls of a batch, and their outcomes: what is read, is written as something that reads the same.
fn batch(bytes: &[u8]) {
    if let Ok((head, mut rest)) = BatchHead::decode(bytes) {
        let (mut out, mut parts, mut calls) = (Vec::new(), SizedParts::default(), Vec::new());
        head.encode(&mut out);
        while let Ok(call) = BatchedCall::take(&mut rest) {
            BatchedCall::begin(call.method, &mut out);
            let written: Result<(), ()> = parts.push(&mut out, |out| {
                out.extend_from_slice(call.bytes);
                Ok(())
            });
            assert_eq!(written, Ok(()));
            calls.push(call);
        }
        let again = BatchHead::decode(&out);
        assert_eq!(again.as_ref().map(|(head, _)| *head), Ok(head));
        let mut rest = again.map_or(&[][..], |(_, rest)| rest);
        assert!(calls.into_iter().all(|call| BatchedCall::take(&mut rest) == Ok(call)) && rest.is_empty());
    }
    let mut rest = bytes;
    while let Ok(outcome) = BatchedResult::take(&mut rest) {
        let mut out = Vec::new();
        outcome.encode(&mut out);
        assert_eq!(BatchedResult::take(&mut &out[..]), Ok(outcome));
    }
}

/// What stands beside a call: what is read, is written as the same again, and is no longer than it may be.
pub fn annotation(bytes: &[u8]) {
    if let Some(chain) = Chain::decode(bytes) {
        assert_eq!(Chain::decode(&chain.encode()), Some(chain));
    }
    if let Some(trace) = TraceParent::parse(bytes) {
        assert_eq!(trace.as_str().as_bytes(), bytes);
        assert_eq!(TraceParent::parse(trace.as_str().as_bytes()), Some(trace));
    }
    if let Some(key) = OnceKey::decode(bytes) {
        assert_eq!(key.encode(), bytes);
    }
}

/// A datagram, as the name server and as the asker see it.
pub fn datagram(bytes: &[u8]) {
    if let Ok(question) = Question::decode(bytes) {
        let asked = question.encode();
        assert_eq!(Question::decode(&asked), Ok(question));
        if let Ok(answer) = question.answer("PYRO://127.0.0.1:9090/Pyro.NameServer") {
            assert!(answer.len() <= 512);
        }
    }
    for question in [Question::Pyro, Question::Pyroxene { nonce: *b"0123456789abcdef" }] {
        if let Ok(uri) = question.read_answer(bytes) {
            assert!(uri.len() <= bytes.len());
            let _ = uri.parse::<Uri>();
        }
    }
}

/// A text as a URI: what is read, is written so that it reads the same.
pub fn uri(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<Uri>() {
        Ok(uri) => {
            assert_eq!(uri.to_string().parse().as_ref(), Ok(&uri));
            if let Some(pyro5) = uri.pyro5() {
                assert_eq!(pyro5.parse().as_ref(), Ok(&uri));
            }
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
}

/// A value in every serializer, within a budget: what is read, survives the journey back.
pub fn value(bytes: &[u8]) {
    let budget = Budget::default();
    for id in [SerializerId::JSON, SerializerId::MESSAGE_PACK] {
        if let Ok(value) = codec::decode::<Value>(id, bytes, &budget) {
            let mut out = Vec::new();
            if codec::encode(id, &value, &mut out).is_ok() {
                let again = codec::decode::<Value>(id, &out, &budget);
                assert!(again.is_ok_and(|again| is_same(&again, &value)), "{value} in {id}");
            }
            let _ = Args { positional: vec![value], named: Vec::new() }.into_message::<(u64, String)>("call", &budget);
        }
        let _ = NamedCall::decode(id, bytes, &budget);
        let _ = Fault::decode(id, bytes, &budget);
    }
    let _ = Fault::decode(SerializerId::POSTCARD, bytes, &budget);
    if let Ok(packed) = codec::decode::<Value>(SerializerId::POSTCARD, bytes, &budget) {
        let mut out = Vec::new();
        assert_eq!(codec::encode(SerializerId::POSTCARD, &packed, &mut out), Ok(()));
        let again = codec::decode::<Value>(SerializerId::POSTCARD, &out, &budget);
        assert!(again.is_ok_and(|again| is_same(&again, &packed)));
    }
}

/// Equal, where a number that is none equals itself.
fn is_same(one: &Value, other: &Value) -> bool {
    one == other || one.to_string() == other.to_string()
}
