//! Peers that break the rules of streams pay for it with their connection; nobody else does.

use std::sync::Arc;

use pyroxene::wire::stream::{WINDOW_BYTES, WINDOW_ITEMS};
use pyroxene::wire::{
    BindingTable, BoundMethod, CorrelationId, Credit, Features, Flags, FrameWriter, ItemBatch, MessageType, PeerLimits,
    SerializerId, Welcome,
};
use pyroxene::{CallError, DynProxy, Unknown, args};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::printer::{Meter, Printer};
use crate::support::bystander::Bystander;
use crate::support::memory::MemoryNetwork;
use crate::support::pair::{Pair, client_over, settle};
use crate::support::raw_peer::{RawPeer, SPOKEN, connect_speaking, frame, invoke};

fn credit(stream: u64, bytes: u32, items: u32) -> Vec<u8> {
    frame(MessageType::Credit, 0, |out| Credit { stream, bytes, items }.encode(out))
}

fn items(stream: u64, count: u32, bytes: usize) -> Vec<u8> {
    frame(MessageType::Item, 0, |out| {
        ItemBatch::begin(stream, out);
        (0..count).for_each(|_| ItemBatch::push(&vec![0; bytes], out));
    })
}

/// A peer that reads the numbers of the printer's `count`, which is its stream 1.
async fn reader(pair: &Pair) -> RawPeer {
    let (mut peer, welcome) = RawPeer::greet(&*pair.network, pair.daemon.endpoint(), "printer").await;
    let methods = welcome.binding.unwrap().methods;
    let count = methods.iter().position(|method| method.name == "count").unwrap();
    assert_eq!(methods[count].flags, 2, "it is a stream");
    peer.send(&invoke(5, count as u8, &u64::MAX)).await;
    let reply = peer.frame().await.unwrap();
    assert_eq!((reply.header.seq, &reply.payload[..]), (5, &[1][..]));
    assert!(reply.header.flags.contains(Flags::ITEM_STREAM));
    peer
}

/// The items that come until no more do.
async fn read(peer: &mut RawPeer) -> (u32, usize) {
    let (mut count, mut bytes) = (0, 0);
    while let Ok(Some(frame)) = tokio::time::timeout(std::time::Duration::from_millis(1), peer.frame()).await {
        assert_eq!(frame.header.kind, MessageType::Item);
        let batch = ItemBatch::decode(&frame.payload).unwrap();
        assert_eq!(batch.stream, 1);
        count += batch.items;
        bytes += batch.bytes.len();
    }
    (count, bytes)
}

/// A daemon with a printer that has the id `printer`.
async fn pair_with_printer() -> (Pair, Meter) {
    let pair = Pair::memory().await;
    let meter = Meter::default();
    let printer = Printer::new(&meter);
    pair.daemon.object("printer", move || printer.clone()).id("printer").spawn().await.unwrap();
    (pair, meter)
}

#[actix::test]
async fn no_more_is_sent_than_there_is_credit_for() {
    let (pair, meter) = pair_with_printer().await;
    let mut peer = reader(&pair).await;
    let (count, bytes) = read(&mut peer).await;
    assert!(count <= WINDOW_ITEMS && bytes <= WINDOW_BYTES as usize, "{count} items, {bytes} bytes");
    assert!(count > WINDOW_ITEMS / 2, "{count}");
    peer.send(&credit(1, WINDOW_BYTES, WINDOW_ITEMS)).await;
    let (more, _) = read(&mut peer).await;
    assert!(count + more <= 2 * WINDOW_ITEMS && more > WINDOW_ITEMS / 2, "{more}");
    peer.send(&credit(1, 0, 0)).await;
    settle().await;
    assert_eq!((read(&mut peer).await, meter.alive()), ((0, 0), 0), "given up");
    // What crosses the end is nothing to complain about.
    peer.send(&credit(1, 10, 10)).await;
    peer.send(&frame(MessageType::Ping, 3, |out| out.extend_from_slice(b"ping"))).await;
    assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::Ping);
}

#[actix::test]
async fn frames_that_break_the_rules_of_streams_end_their_connection() {
    let (pair, meter) = pair_with_printer().await;
    let bystander = Bystander::beside(&pair).await;
    let strays = |frame: &dyn Fn(u64) -> Vec<u8>| (50..70).flat_map(frame).collect::<Vec<u8>>();
    for bytes in [
        strays(&|stream| items(stream, 1, 1)),
        strays(&|stream| credit(stream, 1, 1)),
        [credit(1, u32::MAX, 1), credit(1, u32::MAX, 1)].concat(),
        [credit(1, 1, u32::MAX), credit(1, 1, u32::MAX)].concat(),
        frame(MessageType::Credit, 0, |out| out.push(1)),
        frame(MessageType::Credit, 0, |out| out.extend_from_slice(&[1, 1, 1, 1])),
        frame(MessageType::Item, 0, |_| {}),
    ] {
        let mut peer = reader(&pair).await;
        peer.send(&bytes).await;
        peer.until_closed().await;
        settle().await;
        assert_eq!(meter.alive(), 0, "{:?}", bytes.escape_ascii().to_string());
    }
    bystander.noticed_nothing().await;
}

#[actix::test]
async fn who_does_not_speak_streams_is_told_so() {
    let (pair, meter) = pair_with_printer().await;
    let mut peer = RawPeer::connect(&*pair.network, pair.daemon.endpoint()).await;
    peer.send(&connect_speaking("printer", Features(3))).await;
    assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::ConnectOk);
    peer.send(&invoke(1, 0, &1u64)).await;
    let fault = peer.fault().await;
    assert_eq!(fault.class, "Pyroxene.Unsupported");
    assert!(fault.message.contains("which this connection does not speak"), "{}", fault.message);

    let json = frame_in(SerializerId::JSON, MessageType::Connect, br#"{"handshake": "hello", "object": "printer"}"#);
    let call = br#"{"object": "printer", "method": "count", "params": [3], "kwargs": {}}"#;
    let mut peer = RawPeer::connect(&*pair.network, pair.daemon.endpoint()).await;
    peer.send(&json).await;
    assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::ConnectOk);
    peer.send(&frame_in(SerializerId::JSON, MessageType::Invoke, call)).await;
    assert_eq!(peer.fault().await.class, "Pyroxene.Unsupported");
    assert_eq!(meter.alive(), 0);
}

fn frame_in(serializer: SerializerId, kind: MessageType, payload: &[u8]) -> Vec<u8> {
    framed(serializer, kind, Flags::default(), payload)
}

fn framed(serializer: SerializerId, kind: MessageType, flags: Flags, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let writer = FrameWriter::begin(&mut out, kind, serializer, flags, 0, CorrelationId::NONE);
    out.extend_from_slice(payload);
    writer.finish(&mut out, u32::MAX).unwrap();
    out
}

/// How the stream of a daemon ends that offers one, answers the first call with `answer`, and does nothing else.
async fn end_of(answer: Vec<u8>) -> CallError {
    let network: Arc<dyn pyroxene::transport::Network> = Arc::new(MemoryNetwork::default());
    let mut listener = network.listen(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
    let uri = format!("PYRO://{}/thing", listener.endpoint());
    actix_rt::spawn(async move {
        let mut stream = listener.accept().await.unwrap();
        let methods = vec![BoundMethod { name: "count".into(), flags: 2, fingerprint: 0 }];
        let welcome = Welcome {
            version: 1,
            features: SPOKEN,
            limits: PeerLimits { max_message: 1024 * 1024, in_flight: 8 },
            incarnation: 1,
            binding: Some(BindingTable { handle: 0, object: "thing".into(), methods }),
        };
        let welcome = frame(MessageType::ConnectOk, 0, |out| welcome.encode(out).unwrap());
        let mut received = vec![0; 64 * 1024];
        for bytes in [welcome, answer] {
            assert!(stream.read(&mut received).await.unwrap() > 0);
            stream.write_all(&bytes).await.unwrap();
        }
        // It takes whatever comes, and says nothing more.
        while let Ok(1..) = stream.read(&mut received).await {}
    });
    let thing = DynProxy::connect_with(&client_over(&network), uri).await.unwrap();
    match thing.items("count", args![1]).await {
        Ok(items) => {
            // Nothing is read before everything has come.
            settle().await;
            items.into_vec().await.unwrap_err()
        }
        Err(error) => error,
    }
}

fn opens(stream: u8) -> Vec<u8> {
    framed(SerializerId::MESSAGE_PACK, MessageType::Result, Flags::ITEM_STREAM, &[stream])
}

#[actix::test]
async fn a_server_that_breaks_the_rules_of_streams_is_left() {
    tokio::time::pause();
    let half = WINDOW_BYTES as usize / 2;
    for (answer, says) in [
        ([opens(1), items(1, 2, half)].concat(), "more items of a stream than"),
        ([opens(1), items(1, WINDOW_ITEMS + 1, 0)].concat(), "more items of a stream than"),
        ([opens(1), framed(SerializerId::POSTCARD, MessageType::Item, Flags::default(), &[1, 9, 9])].concat(), "ITEM"),
        ([opens(1), opens(1)].concat(), "opened a stream twice"),
        (
            framed(SerializerId::MESSAGE_PACK, MessageType::Result, Flags::ITEM_STREAM, b"\xa3one"),
            "a stream without a number",
        ),
        ([opens(1), (2..30).flat_map(|stream| items(stream, 1, 1)).collect()].concat(), "never made"),
    ] {
        let error = end_of(answer).await;
        let CallError::Unknown(Unknown::Disconnected { problem, .. }) = &error else { panic!("{error:?}, not {says}") };
        assert!(problem.contains(says), "{problem:?} should say {says:?}");
    }
}

#[actix::test]
async fn an_item_that_cannot_be_read_ends_its_stream() {
    tokio::time::pause();
    let error = end_of(
        [opens(1), framed(SerializerId::MESSAGE_PACK, MessageType::Item, Flags::default(), &[1, 1, 0xc1])].concat(),
    )
    .await;
    assert!(matches!(&error, CallError::Failed(fault) if fault.class == "Pyroxene.UnreadableReply"), "{error:?}");
}
