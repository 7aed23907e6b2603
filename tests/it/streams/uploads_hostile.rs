//! Peers that break the rules of the streams they give to objects.

use pyroxene::codec::budget::Budget;
use pyroxene::wire::stream::{MOST_STREAMS, WINDOW_BYTES, WINDOW_ITEMS};
use pyroxene::wire::{
    Carried, CorrelationId, Credit, Features, Flags, Frame, FrameWriter, ItemBatch, MessageType, SerializerId,
};
use pyroxene::{CallError, Items, NotStarted, Unknown};

use super::scribe::{Desk, Scribe, ScribeProxy};
use crate::support::bystander::Bystander;
use crate::support::memory::MemoryNetwork;
use crate::support::pair::{Pair, client_over, settle};
use crate::support::raw_peer::{RawPeer, SPOKEN, frame};

/// A call of the method at this place that carries streams, and has these arguments.
fn call(seq: u16, method: u8, streams: Carried, arguments: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (kind, flags) = (MessageType::Invoke, Flags::ITEM_STREAM);
    let writer = FrameWriter::begin(&mut out, kind, SerializerId::POSTCARD, flags, seq, CorrelationId::NONE);
    streams.encode(&mut out);
    out.extend_from_slice(&[0, method]);
    out.extend_from_slice(arguments);
    writer.finish(&mut out, u32::MAX).unwrap();
    out
}

fn one(first: u64) -> Carried {
    Carried { first, count: 1 }
}

fn items(stream: u64, items: &[&[u8]]) -> Vec<u8> {
    frame(MessageType::Item, 0, |out| {
        ItemBatch::begin(stream, out);
        items.iter().for_each(|item| ItemBatch::push(item, out));
    })
}

async fn scribe(pair: &Pair) -> (RawPeer, crate::support::pair::Places) {
    let (peer, welcome) = RawPeer::greet(&*pair.network, pair.daemon.endpoint(), "scribe").await;
    (peer, crate::support::pair::Places::from(welcome))
}

fn credit(frame: &Frame) -> Credit {
    assert_eq!(frame.header.kind, MessageType::Credit);
    Credit::decode(&frame.payload).unwrap()
}

const WINDOW: Credit = Credit { stream: 1, bytes: WINDOW_BYTES, items: WINDOW_ITEMS };

#[actix::test]
async fn credit_is_given_when_the_object_begins_to_read() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    let (mut peer, places) = scribe(&pair).await;
    peer.send(&call(1, places.of("sum"), one(1), &[0])).await;
    assert_eq!(credit(&peer.frame().await.unwrap()), WINDOW);
    peer.send(&[items(1, &[&[3], &[4]]), items(1, &[])].concat()).await;
    let reply = peer.frame().await.unwrap();
    assert_eq!((reply.header.kind, &reply.payload[..]), (MessageType::Result, &[7][..]));
    // Given up without a word read; its number is not astray afterwards.
    peer.send(&call(2, places.of("first"), one(2), &[0, 0])).await;
    assert_eq!(credit(&peer.frame().await.unwrap()), Credit::give_up(2));
    assert_eq!(peer.frame().await.unwrap().header.seq, 2);
    peer.send(&(0..40).flat_map(|_| items(2, &[])).collect::<Vec<_>>()).await;
    peer.send(&frame(MessageType::Ping, 3, |out| out.extend_from_slice(b"ping"))).await;
    assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::Ping);
    assert_eq!(desk.ends.take(), [None]);
}

#[actix::test]
async fn a_call_whose_streams_do_not_fit_is_refused_and_nothing_else() {
    let pair = Pair::memory().await;
    Desk::of(&pair).await;
    let (mut peer, places) = scribe(&pair).await;
    let sum = places.of("sum");
    let many = Carried { first: 10, count: MOST_STREAMS + 1 };
    for (seq, (bytes, class)) in (0..).zip([
        (call(0, sum, Carried { first: 0, count: 1 }, &[0]), "Pyroxene.Unsupported"),
        (call(1, sum, Carried { first: 5, count: 0 }, &[0]), "Pyroxene.Unsupported"),
        (call(2, sum, many, &[0]), "Pyroxene.Unsupported"),
        (call(3, sum, Carried { first: u64::MAX, count: 2 }, &[0]), "Pyroxene.Unsupported"),
        // A place that there is not; a stream that no argument names; arguments that are none.
        (call(4, sum, one(30), &[1]), "Pyroxene.WrongArguments"),
        (call(5, sum, Carried { first: 40, count: 2 }, &[0]), "Pyroxene.WrongArguments"),
        (call(6, places.of("ping"), one(50), &[0]), "Pyroxene.WrongArguments"),
        (call(7, sum, one(60), &[]), "Pyroxene.WrongArguments"),
        // One stream in two places.
        (call(8, places.of("merge"), one(70), &[0, 4, b'b', b'o', b't', b'h', 0]), "Pyroxene.WrongArguments"),
    ]) {
        peer.send(&bytes).await;
        // The streams of a call that was looked at are given up.
        let fault = loop {
            let frame = peer.frame().await.unwrap();
            if frame.header.kind == MessageType::Result {
                break pyroxene::codec::fault::Fault::decode(
                    frame.header.serializer,
                    &frame.payload,
                    &Budget::default(),
                );
            }
            assert!(credit(&frame).is_nothing());
        };
        assert_eq!(fault.unwrap().class, class, "call {seq}");
    }
    // What is open is not opened twice.
    peer.send(&[call(9, places.of("weigh"), one(90), &[0]), call(10, sum, one(90), &[0])].concat()).await;
    let fault = peer.fault().await;
    assert!(fault.message.contains("open already"), "{}", fault.message);
}

#[actix::test]
async fn items_that_nobody_asked_for_end_their_connection() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    let bystander = Bystander::beside(&pair).await;
    let half = vec![0_u8; WINDOW_BYTES as usize / 2];
    let large = vec![0_u8; 100_000];
    // Two items larger than the credit, with a frame each so large that it comes in chunks.
    let chunk = |bytes: &[u8]| frame(MessageType::Chunk, 0, |out| out.extend_from_slice(bytes));
    for (method, bytes) in [
        // Before the object reads.
        ("weigh", items(1, &[&[1, 1]])),
        ("weigh", chunk(&items(1, &[&large])[..60])),
        ("sum", items(1, &[&half, &half])),
        ("sum", items(1, &vec![&[][..]; WINDOW_ITEMS as usize + 1])),
        ("sum", frame(MessageType::Item, 0, |out| out.extend_from_slice(&[1, 9, 9]))),
        ("sum", [items(1, &[]), items(1, &[])].concat()),
        ("sum", (100..130).flat_map(|stream| items(stream, &[])).collect()),
    ] {
        let (mut peer, places) = scribe(&pair).await;
        peer.send(&call(1, places.of(method), one(1), &[0])).await;
        settle().await;
        if method == "sum" {
            assert_eq!(credit(&peer.frame().await.unwrap()), WINDOW);
        }
        peer.send(&bytes).await;
        peer.until_closed().await;
        desk.gate.open(usize::from(method == "weigh"));
    }
    bystander.noticed_nothing().await;
    drop(desk);
}

#[actix::test]
async fn a_peer_that_goes_is_no_complete_stream() {
    let pair = Pair::memory().await;
    let desk = Desk::of(&pair).await;
    let (mut peer, places) = scribe(&pair).await;
    peer.send(&call(1, places.of("sum"), one(1), &[0])).await;
    assert_eq!(credit(&peer.frame().await.unwrap()), WINDOW);
    peer.send(&items(1, &[&[3], &[4]])).await;
    drop(peer);
    settle().await;
    let ends = desk.ends.take();
    assert!(matches!(ends[..], [Some(CallError::Unknown(Unknown::Disconnected { .. }))]), "{ends:?}");
}

#[actix::test]
async fn who_does_not_speak_them_is_sent_no_streams() {
    tokio::time::pause();
    let network: std::sync::Arc<dyn pyroxene::transport::Network> = std::sync::Arc::new(MemoryNetwork::default());
    let without = SPOKEN.without(Features::INLETS);
    let methods: Vec<_> =
        ["sum", "first", "double", "keep", "weigh", "merge", "blot", "ping", "note"].map(|name| (name, 0)).to_vec();
    let (uri, accepted) = RawPeer::offer(&*network, without, &methods).await;
    let client = client_over(&network);
    let uri: pyroxene::uri::Uri = uri.parse().unwrap();
    let scribe = ScribeProxy::from(pyroxene::Proxy::<Scribe>::lazy_with(&client, uri));
    let (ended, _peer) = tokio::join!(async { scribe.sum(Items::of([1])).await }, accepted);
    let Err(CallError::NotStarted(NotStarted::Unsupported { problem, .. })) = ended else { panic!("{ended:?}") };
    assert!(problem.contains("by name with a list"), "{problem}");
}
