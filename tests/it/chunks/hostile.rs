//! Peers that break the rules of chunks pay for it with their connection; nobody else does.

use std::time::Duration;

use pyroxene::wire::{Flags, MessageType};

use crate::support::bystander::Bystander;
use crate::support::pair::{Pair, Setup, settle};
use crate::support::raw_peer::{RawPeer, frame, invoke};

const MIB: usize = 1024 * 1024;

fn chunk(number: u16, piece: &[u8]) -> Vec<u8> {
    frame(MessageType::Chunk, number, |out| out.extend_from_slice(piece))
}

async fn ping(peer: &mut RawPeer) {
    peer.send(&frame(MessageType::Ping, 9, |out| out.extend_from_slice(b"ping"))).await;
    assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::Ping);
}

#[actix::test]
async fn a_call_comes_together_whatever_it_was_cut_into() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    let call = |seq, bytes: usize| invoke(seq, places.of("weigh"), &(u64::from(seq), vec![1_u8; bytes]));
    for (seq, cut) in (1..).zip([40, 41, 1_000, 65_536, 100_000, 300_000]) {
        let whole = call(seq, 200_000);
        for (at, piece) in whole.chunks(cut).enumerate() {
            peer.send(&chunk(seq % 8, piece)).await;
            if at % 50 == 1 {
                ping(&mut peer).await;
            }
        }
        let reply = peer.frame().await.unwrap();
        assert_eq!((reply.header.kind, reply.header.seq), (MessageType::Result, seq));
        assert!(!reply.header.flags.contains(Flags::EXCEPTION));
    }
    assert_eq!(pair.journal.read(), (1..=6).collect::<Vec<_>>());
}

#[actix::test]
async fn chunks_that_break_the_rules_end_their_connection() {
    let pair = Pair::memory().await;
    let bystander = Bystander::beside(&pair).await;
    let call = invoke(1, 0, &(1_u64, vec![1_u8; 1_000]));
    let claims = |bytes: u32| {
        let mut header = call[..40].to_vec();
        header[12..16].copy_from_slice(&bytes.to_be_bytes());
        chunk(0, &header)
    };
    let of = |kind| chunk(0, &frame(kind, 3, |out| out.resize(100, 0))[..60]);
    for bytes in [
        chunk(8, &call[..60]),
        chunk(0, &call[..39]),
        chunk(0, &[]),
        chunk(0, b"PYRO is what it begins with, and no more than that is right"),
        claims(16 * MIB as u32 + 1),
        claims(u32::MAX),
        [chunk(0, &call[..60]), chunk(0, &call[60..]), chunk(0, &call[60..])].concat(),
        [chunk(0, &call[..60]), chunk(0, &[&call[60..], &[0]].concat())].concat(),
        of(MessageType::Chunk),
        of(MessageType::Connect),
        of(MessageType::GoAway),
        chunk(0, &frame(MessageType::Item, 0, |out| out.resize(100, 0xff))[..60]),
        // Replies to calls that were never made.
        (0..20).flat_map(|_| [of(MessageType::Result), chunk(0, &[])].concat()).collect(),
    ] {
        let (mut peer, _) = pair.raw().await;
        peer.send(&bytes).await;
        peer.until_closed().await;
    }
    bystander.noticed_nothing().await;
}

#[actix::test]
async fn a_chunk_may_come_in_any_pieces() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    for (seq, cut) in (1..).zip([1_usize, 39, 41, 1_023, 1_025, 7_000, 70_000]) {
        // So many that a byte at a time does not take long.
        let whole = invoke(seq, places.of("weigh"), &(u64::from(seq), vec![1_u8; 400 * cut.min(500)]));
        let mut bytes = Vec::new();
        for piece in whole.chunks(whole.len() / 3 + 1) {
            bytes.extend(chunk(seq % 8, piece));
            bytes.extend(frame(MessageType::Ping, 9, |out| out.extend_from_slice(b"ping")));
        }
        for piece in bytes.chunks(cut) {
            peer.send(piece).await;
            settle().await;
        }
        let mut kinds = Vec::new();
        for _ in 0..4 {
            let frame = peer.frame().await.unwrap();
            assert!(!frame.header.flags.contains(Flags::EXCEPTION));
            kinds.push(frame.header.kind);
        }
        kinds.retain(|kind| *kind != MessageType::Ping);
        assert_eq!(kinds, [MessageType::Result], "in pieces of {cut}");
    }
    assert_eq!(pair.journal.read(), (1..=7).collect::<Vec<_>>());
}

#[actix::test]
async fn half_a_chunk_that_goes_nowhere_or_claims_too_much_ends_its_connection() {
    let pair = Pair::memory().await;
    let bystander = Bystander::beside(&pair).await;
    let call = invoke(1, 0, &(1_u64, vec![1_u8; 1_000]));
    let begun = [chunk(0, &call[..60]), chunk(0, &call[60..])[..500].to_vec()].concat();
    let (mut peer, _) = pair.raw().await;
    peer.send(&begun).await;
    let start = tokio::time::Instant::now();
    peer.until_closed().await;
    assert_eq!(start.elapsed().as_secs(), 30, "of virtual time");

    let (mut peer, _) = pair.raw().await;
    let too_much = chunk(0, &[&call[60..], &[0]].concat());
    peer.send(&[chunk(0, &call[..60]), too_much[..100].to_vec()].concat()).await;
    let start = tokio::time::Instant::now();
    peer.until_closed().await;
    assert_eq!(start.elapsed().as_secs(), 0, "nobody waits for the rest");
    bystander.noticed_nothing().await;
}

#[actix::test]
async fn a_message_in_chunks_has_to_go_on() {
    let pair = Pair::memory().await;
    let (mut peer, _) = pair.raw().await;
    let call = invoke(1, 0, &(1_u64, vec![1_u8; MIB]));
    peer.send(&chunk(0, &call[..100])).await;
    let start = tokio::time::Instant::now();
    // Whole frames, and each in time; but the message gets nowhere.
    let drip = async {
        for at in 100.. {
            tokio::time::sleep(Duration::from_secs(1)).await;
            peer.send(&chunk(0, &call[at..=at])).await;
            if peer.is_closed().await {
                break;
            }
        }
    };
    drip.await;
    assert_eq!(start.elapsed().as_secs(), 30, "of virtual time");
}

#[actix::test]
async fn a_call_beyond_the_budget_is_answered_with_its_first_chunk() {
    let mut setup = Setup::memory();
    setup.limits.in_flight_bytes = 3 * MIB as u32;
    let pair = setup.pair().await;
    let (mut peer, places) = pair.raw().await;
    let call = |seq, bytes: usize| invoke(seq, places.of("weigh"), &(u64::from(seq), vec![1_u8; bytes]));
    // What is announced counts, not only what is there.
    let (first, second) = (call(1, 2 * MIB), call(2, 2 * MIB));
    peer.send(&chunk(0, &first[..100])).await;
    peer.send(&chunk(1, &second[..100])).await;
    let fault = peer.fault().await;
    assert_eq!(fault.class, "Pyroxene.Busy");
    assert!(fault.message.contains("bytes in flight"), "{}", fault.message);
    // The rest of it is passed over, and the first goes on.
    peer.send(&chunk(1, &second[100..])).await;
    peer.send(&chunk(0, &first[100..])).await;
    assert_eq!(peer.frame().await.unwrap().header.seq, 1);
    // What is given up gives its room back.
    for seq in 3..20 {
        peer.send(&chunk(0, &call(seq, 2 * MIB)[..100])).await;
        peer.send(&chunk(0, &[])).await;
    }
    peer.send(&call(20, 2 * MIB)).await;
    assert_eq!(peer.frame().await.unwrap().header.seq, 20);
    settle().await;
    assert_eq!(pair.journal.read(), [1, 20]);
}
