//! What waits behind a large message, and what does not.

use std::sync::Arc;

use pyroxene::codec::budget::Budget;
use pyroxene::codec::call::NamedCall;
use pyroxene::transport::Network;
use pyroxene::wire::chunk::CHUNK_BYTES;
use pyroxene::wire::{Bind, BindingTable, BoundMethod, Features, HEADER_LEN, MessageType, Target};
use pyroxene::{DynProxy, Value, args};

use crate::support::memory::MemoryNetwork;
use crate::support::pair::{Pair, Setup, client_over, poll_once, settle};
use crate::support::raw_peer::{RawPeer, SPOKEN, connect_speaking, frame, invoke};

const MIB: usize = 1024 * 1024;
/// What lies between the two ends on the way: what has been written already, nothing can overtake.
const PIPE: usize = 64 * 1024;

/// A proxy to an object of a peer made by hand, and that peer.
async fn thing(features: Features) -> (DynProxy, DynProxy, RawPeer) {
    tokio::time::pause();
    let network: Arc<dyn Network> = Arc::new(MemoryNetwork::default());
    let (uri, accepted) = RawPeer::offer(&*network, features, &[("weigh", 0), ("run", 0)]).await;
    let client = client_over(&network);
    let (thing, mut peer) = tokio::join!(DynProxy::connect_with(&client, uri.clone()), accepted);
    // Another object of the same daemon.
    let other = uri.replace("/thing", "/other");
    let bind = async {
        let bind = peer.frame().await.unwrap();
        assert_eq!(bind.header.kind, MessageType::Bind);
        assert_eq!(Bind::decode(&bind.payload).unwrap().target, Target::Id("other".into()));
        let methods = vec![BoundMethod { name: "run".into(), flags: 0, fingerprint: 0 }];
        let table = BindingTable { handle: 1, object: "other".into(), methods };
        peer.send(&frame(MessageType::Bound, bind.header.seq, |out| table.encode(out).unwrap())).await;
    };
    let (other, ()) = tokio::join!(DynProxy::connect_with(&client, other), bind);
    (thing.unwrap(), other.unwrap(), peer)
}

/// Bytes that came before a frame of this kind; chunks are counted and passed over.
async fn before(peer: &mut RawPeer, kind: MessageType) -> usize {
    let mut bytes = 0;
    loop {
        let frame = peer.frame().await.unwrap();
        if frame.header.kind == kind {
            return bytes;
        }
        assert_eq!(frame.header.kind, MessageType::Chunk);
        bytes += HEADER_LEN + frame.payload.len();
    }
}

#[actix::test]
async fn a_small_call_waits_for_no_more_than_one_chunk_of_a_large_argument() {
    let (thing, other, mut peer) = thing(SPOKEN).await;
    let mut large = thing.call("weigh", args![1, Value::Bytes(vec![7; 64 * MIB].into())]);
    assert!(poll_once(&mut large).await.is_pending());
    let mut small = Vec::new();
    for id in 0..5 {
        // Some of it has passed; the rest stands still.
        peer.pass(MIB).await;
        settle().await;
        while let Some(frame) = peer.received() {
            assert_eq!(frame.header.kind, MessageType::Chunk);
        }
        small.push(other.call("run", args![id as i64]));
        assert!(poll_once(&mut small[id]).await.is_pending());
        let passed = before(&mut peer, MessageType::Invoke).await;
        assert!(passed <= 2 * (CHUNK_BYTES + HEADER_LEN) + PIPE, "{passed} bytes in front of it");
    }
}

#[actix::test]
async fn a_ping_waits_for_no_more_than_one_chunk_of_a_large_reply() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    peer.send(&invoke(1, places.of("fill"), &(8 * MIB as u32))).await;
    for seq in 0..5 {
        peer.pass(MIB).await;
        settle().await;
        while let Some(frame) = peer.received() {
            assert_eq!(frame.header.kind, MessageType::Chunk);
        }
        peer.send(&frame(MessageType::Ping, seq, |out| out.extend_from_slice(b"ping"))).await;
        settle().await;
        let passed = before(&mut peer, MessageType::Ping).await;
        assert!(passed <= 2 * (CHUNK_BYTES + HEADER_LEN) + PIPE, "{passed} bytes in front of it");
    }
}

#[actix::test]
async fn a_small_call_does_not_overtake_a_large_one_to_the_same_object() {
    let (thing, other, mut peer) = thing(SPOKEN).await;
    let mut calls = vec![thing.call("weigh", args![1, Value::Bytes(vec![7; 3 * MIB].into())])];
    calls.push(thing.call("run", args![2]));
    calls.push(thing.call("weigh", args![3, Value::Bytes(vec![7; MIB].into())]));
    calls.push(other.call("run", args![4]));
    calls.push(thing.call("run", args![5]));
    for call in &mut calls {
        assert!(poll_once(call).await.is_pending());
    }
    thing.do_call("run", args![6]);
    // Each by its number, when its last byte is there.
    let (mut order, mut large) = (Vec::new(), 0);
    while order.len() < 6 {
        let frame = peer.frame().await.unwrap();
        let payload = match frame.header.kind {
            MessageType::Invoke => frame.payload.to_vec(),
            _ if frame.payload.len() == CHUNK_BYTES => continue,
            _ => {
                large += 1;
                order.push([1, 3][large - 1]);
                continue;
            }
        };
        let call = NamedCall::decode(frame.header.serializer, &payload, &Budget::default());
        let mut args = call.unwrap().args;
        order.push(args.positional.remove(0).to::<usize>(&Budget::default()).unwrap());
    }
    assert_eq!(order, [4, 1, 2, 3, 5, 6]);
}

#[actix::test]
async fn calls_of_one_proxy_start_in_order_whatever_their_size() {
    for setup in [Setup::memory(), Setup::tcp()] {
        let pair = setup.pair().await;
        let sizes = [10, MIB, 0, 200_000, 65_000, 66_000, 300_000, 1];
        let calls: Vec<_> = (0..32_u64)
            .map(|id| {
                let worker = pair.worker.clone();
                let call = async move { worker.weigh(id, vec![id as u8; sizes[id as usize % sizes.len()]]).await };
                actix_rt::spawn(call)
            })
            .collect();
        for (id, ended) in calls.into_iter().enumerate() {
            assert_eq!(ended.await.unwrap(), Ok(sizes[id % sizes.len()] as u64));
        }
        assert_eq!(pair.journal.read(), (0..32).collect::<Vec<_>>());
    }
}

#[actix::test]
async fn messages_of_every_size_pass_both_ways() {
    for setup in [Setup::memory(), Setup::tcp()] {
        let pair = setup.pair().await;
        for size in [0, 1, CHUNK_BYTES - 60, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 10 * CHUNK_BYTES, 2 * MIB] {
            assert_eq!(pair.worker.weigh(1, vec![1; size]).await, Ok(size as u64));
            assert_eq!(pair.worker.fill(size as u32).await, Ok(vec![7; size]));
        }
    }
}

#[actix::test]
async fn who_does_not_speak_chunks_is_sent_none() {
    let without = SPOKEN.without(Features::CHUNKS);
    let (thing, _other, mut peer) = thing(without).await;
    let mut large = thing.call("weigh", args![1, Value::Bytes(vec![7; MIB].into())]);
    assert!(poll_once(&mut large).await.is_pending());
    assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::Invoke);
}

#[actix::test]
async fn who_does_not_speak_chunks_is_answered_without() {
    let without = SPOKEN.without(Features::CHUNKS);
    let pair = Pair::memory().await;
    let mut peer = RawPeer::connect(&*pair.network, pair.daemon.endpoint()).await;
    peer.send(&connect_speaking("worker", without)).await;
    let places = peer.places().await;
    peer.send(&invoke(1, places.of("fill"), &(MIB as u32))).await;
    let reply = peer.frame().await.unwrap();
    assert_eq!((reply.header.kind, reply.payload.len()), (MessageType::Result, MIB + 3));
}
