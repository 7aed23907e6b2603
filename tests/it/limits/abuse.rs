//! Peers that are broken or hostile. Each pays alone: a bystander on another connection must see no error.

use std::time::Duration;

use pyroxene::wire::{Bind, Flags, HEADER_LEN, Limits, MessageType, SerializerId, Target};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use crate::support::bystander::Bystander;
use crate::support::pair::{Pair, Setup, settle};
use crate::support::raw_peer::{RawPeer, connect, frame, invoke};

/// Connects over TCP, sends these bytes, and sees what comes until the daemon hangs up.
async fn answer_to(pair: &Pair, bytes: &[u8]) -> Option<String> {
    let mut peer = RawPeer::connect(&*pair.network, pair.daemon.endpoint()).await;
    peer.send(bytes).await;
    let answer = tokio::time::timeout(Duration::from_secs(20), peer.until_closed()).await.expect("it hangs up");
    answer.map(|frame| {
        assert_eq!(frame.header.kind, MessageType::ConnectFail);
        // Before anything is known of a client, it is told in marshal: short text, its length, its bytes.
        assert_eq!((frame.header.serializer, frame.payload[0]), (SerializerId::MARSHAL, 0xfa));
        String::from_utf8(frame.payload[2..].to_vec()).unwrap()
    })
}

#[actix::test]
async fn whoever_speaks_something_else_is_told_so_and_disconnected() {
    let pair = Pair::tcp().await;
    let bystander = Bystander::beside(&pair).await;
    let tls = [&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03][..], &[7; 512]].concat();
    let mut wrong_version = connect("worker");
    wrong_version[5] += 1;
    let mut wrong_magic = connect("worker");
    wrong_magic[39] += 1;
    let mut unknown_type = connect("worker");
    unknown_type[6] = 99;
    let mut compressed = connect("worker");
    compressed[9] |= 2;
    for (bytes, says) in [
        (&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], "HTTP"),
        (&b"POST /worker HTTP/1.1\r\n\r\n"[..], "HTTP"),
        (&tls[..], "TLS"),
        (&b"\0\0\0\0\0\0\0\0"[..], "invalid data"),
        (&b"hello there, is anybody in?\n"[..], "invalid data"),
        (&wrong_version[..], "invalid protocol version: 503"),
        (&wrong_magic[..], "invalid message"),
        (&unknown_type[..], "there is no message type 99"),
        (&compressed[..], "compressed"),
        (&invoke(1, 0, &1u64)[..], "expected: 1"),
        (&frame(MessageType::Ping, 0, |_| {})[..], "expected: 1"),
        (&frame(MessageType::Connect, 0, |out| out.extend_from_slice(&[0xff; 40]))[..], "CONNECT"),
    ] {
        let said = answer_to(&pair, bytes).await.unwrap();
        assert!(said.contains(says), "{:?} is told {said:?}", bytes.escape_ascii().to_string());
    }
    assert_eq!(pair.journal.read(), [0; 0]);
    bystander.noticed_nothing().await;
}

#[actix::test]
async fn garbage_of_any_length_is_survived() {
    let pair = Pair::tcp().await;
    let bystander = Bystander::beside(&pair).await;
    let mut rng = StdRng::seed_from_u64(3);
    for round in 0..300 {
        let mut peer = RawPeer::connect(&*pair.network, pair.daemon.endpoint()).await;
        let mut bytes = vec![0; rng.random_range(1..4096)];
        rng.fill(&mut bytes[..]);
        // Every other one begins as a client does.
        if round % 2 == 0 {
            let mut hello = connect("worker");
            let from = rng.random_range(0..hello.len());
            hello[from..].iter_mut().for_each(|byte| *byte = rng.random());
            bytes = [hello, bytes].concat();
        }
        peer.send(&bytes).await;
    }
    bystander.noticed_nothing().await;
}

#[actix::test]
async fn garbage_after_the_handshake_ends_only_its_connection() {
    let pair = Pair::tcp().await;
    let bystander = Bystander::beside(&pair).await;
    let mut rng = StdRng::seed_from_u64(4);
    for _ in 0..200 {
        let (mut peer, places) = pair.raw().await;
        let mut call = invoke(1, places.of("weigh"), &(1u64, vec![1u8; 20]));
        let at = rng.random_range(0..call.len());
        call[at] = rng.random();
        peer.send(&call).await;
        peer.send(&[rng.random(); 64]).await;
    }
    bystander.noticed_nothing().await;
}

#[actix::test]
async fn a_length_that_lies_is_refused_before_memory_is_taken_for_it() {
    let pair = Pair::tcp().await;
    let bystander = Bystander::beside(&pair).await;
    for (at, len) in [(12, u32::MAX), (16, u32::MAX), (12, 5_000), (16, 5_000)] {
        let mut hello = connect("worker");
        hello[at..at + 4].copy_from_slice(&len.to_be_bytes());
        let said = answer_to(&pair, &hello).await.unwrap();
        assert!(said.contains("too large") && said.contains("4096"), "{said}");
    }
    for len in [u32::MAX, 17 * 1024 * 1024] {
        let (mut peer, places) = pair.raw().await;
        let mut call = invoke(1, places.of("run"), &1u64);
        call[12..16].copy_from_slice(&len.to_be_bytes());
        peer.send(&call).await;
        assert!(peer.until_closed().await.is_none());
    }
    bystander.noticed_nothing().await;
}

#[actix::test]
async fn annotations_that_do_not_add_up_end_the_connection() {
    let pair = Pair::tcp().await;
    let (mut peer, places) = pair.raw().await;
    let mut call = invoke(1, places.of("run"), &1u64);
    let payload = (call.len() - HEADER_LEN) as u32;
    call[12..16].copy_from_slice(&0u32.to_be_bytes());
    call[16..20].copy_from_slice(&payload.to_be_bytes());
    peer.send(&call).await;
    assert!(peer.until_closed().await.is_none());
    assert_eq!(pair.journal.read(), [0; 0]);
    assert_eq!(pair.worker.run(2).await, Ok(2));
}

#[actix::test]
async fn whoever_says_nothing_is_disconnected_after_the_time_for_a_handshake() {
    let pair = Pair::memory().await;
    let hello = connect("worker");
    for silent in [&[][..], &hello[..1], &hello[..39], &hello[..hello.len() - 1]] {
        let start = Instant::now();
        let mut peer = RawPeer::connect(&*pair.network, pair.daemon.endpoint()).await;
        peer.send(silent).await;
        peer.until_closed().await;
        assert_eq!(start.elapsed().as_secs(), 5);
    }
}

#[actix::test]
async fn a_handshake_that_drips_has_no_more_time_than_any() {
    let pair = Pair::memory().await;
    let start = Instant::now();
    let mut peer = RawPeer::connect(&*pair.network, pair.daemon.endpoint()).await;
    for byte in connect("worker") {
        peer.send(&[byte]).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    peer.until_closed().await;
    assert!(start.elapsed().as_secs() >= 5);
    assert_eq!(pair.worker.run(1).await, Ok(1));
}

#[actix::test]
async fn a_frame_that_is_not_finished_in_time_ends_its_connection() {
    let pair = Pair::memory().await;
    for part in [1, 39, 41] {
        let (mut peer, places) = pair.raw().await;
        let start = Instant::now();
        peer.send(&invoke(1, places.of("run"), &1u64)[..part]).await;
        assert!(peer.until_closed().await.is_none());
        assert_eq!(start.elapsed().as_secs(), 30);
    }
    assert_eq!(pair.journal.read(), [0; 0]);
}

#[actix::test]
async fn a_frame_that_drips_has_no_more_time_than_any() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    let start = Instant::now();
    // A whole call first: the time is that of each frame, not of the connection.
    peer.send(&invoke(1, places.of("run"), &1u64)).await;
    assert!(peer.frame().await.is_some());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let call = invoke(2, places.of("weigh"), &(2u64, vec![1u8; 60]));
    let drip = async {
        for byte in call {
            peer.send(&[byte]).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        peer.until_closed().await
    };
    let last = tokio::time::timeout(Duration::from_secs(200), drip).await.expect("it hangs up");
    assert!(last.is_none());
    assert!(start.elapsed().as_secs() >= 40);
    assert_eq!(pair.journal.read(), [1], "a hundred seconds for one frame are too many");
}

#[actix::test]
async fn a_long_row_of_frames_that_come_in_halves_is_no_half_frame() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    let calls: Vec<u8> = (0..60u64).flat_map(|id| invoke(1, places.of("run"), &id)).collect();
    let len = calls.len() / 60;
    // Each piece ends in the middle of a frame.
    for piece in [&calls[..len / 2]].into_iter().chain(calls[len / 2..].chunks(len)) {
        peer.send(piece).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for _ in 0..60 {
        assert!(peer.frame().await.is_some());
    }
    assert_eq!(pair.journal.read().len(), 60);
}

#[actix::test]
async fn messages_that_belong_elsewhere_end_the_connection() {
    let pair = Pair::memory().await;
    for kind in [MessageType::Connect, MessageType::ConnectOk, MessageType::ConnectFail] {
        let (mut peer, _) = pair.raw().await;
        peer.send(&frame(kind, 0, |_| {})).await;
        assert!(peer.until_closed().await.is_none());
    }
    assert_eq!(pair.worker.run(1).await, Ok(1));
}

#[actix::test]
async fn replies_that_nobody_asked_for_are_counted_and_then_too_many() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    let stray = |seq| frame(MessageType::Result, seq, |out| out.push(0));
    for seq in 0..16 {
        peer.send(&stray(seq)).await;
    }
    peer.send(&invoke(1, places.of("run"), &1u64)).await;
    assert!(peer.frame().await.is_some(), "some may be late ones");
    for seq in 0..100 {
        peer.send(&stray(seq)).await;
    }
    assert!(peer.until_closed().await.is_none());
    assert_eq!(pair.worker.run(2).await, Ok(2));
}

#[actix::test]
async fn whoever_never_reads_its_replies_is_cut_off() {
    let limits = Limits { out_buffer: 256 * 1024, ..Limits::default() };
    let pair = Setup { limits, ..Setup::memory() }.pair().await;
    let bystander = Bystander::beside(&pair).await;
    let (mut peer, places) = pair.raw().await;
    let start = Instant::now();
    let mut sent = 0;
    // It stops being read as soon as too much waits for it, so sending comes to a halt as well.
    let flood = async {
        loop {
            peer.send(&invoke(sent, places.of("fill"), &20_000u32)).await;
            sent += 1;
            tokio::task::yield_now().await;
            if sent > 5_000 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(60), flood).await;
    assert!(start.elapsed().as_secs() >= 10, "{:?}", start.elapsed());
    let mut replies = 0;
    while peer.frame().await.is_some() {
        replies += 1;
    }
    assert!(replies < 10, "what had been written came, and then the end: {replies}");
    bystander.noticed_nothing().await;
}

#[actix::test]
async fn pings_are_answered_and_to_give_up_a_call_that_never_was_changes_nothing() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    peer.send(&frame(MessageType::Cancel, 5, |out| out.push(1))).await;
    peer.send(&frame(MessageType::Ping, 9, |_| {})).await;
    let pong = peer.frame().await.unwrap();
    assert_eq!((pong.header.kind, pong.header.seq), (MessageType::Ping, 9));
    peer.send(&invoke(1, places.of("run"), &1u64)).await;
    assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::Result);
}

#[actix::test]
async fn calls_of_what_is_not_there_are_refused_one_by_one() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    let run = places.of("run");
    for (payload, class) in [
        (&[][..], "Pyroxene.NoSuchMethod"),
        (&[0][..], "Pyroxene.NoSuchMethod"),
        (&[0, 99][..], "Pyroxene.NoSuchMethod"),
        (&[99, run, 1][..], "Pyroxene.NoSuchObject"),
        (&[0xff, 0xff, 0xff, 0xff, 0x0f, run, 1][..], "Pyroxene.NoSuchObject"),
        (&[0xff; 12][..], "Pyroxene.NoSuchMethod"),
        (&[0, run][..], "Pyroxene.WrongArguments"),
        (&[0, run, 1, 2, 3][..], "Pyroxene.WrongArguments"),
    ] {
        peer.send(&frame(MessageType::Invoke, 3, |out| out.extend_from_slice(payload))).await;
        assert_eq!(peer.fault().await.class, class, "{payload:?}");
    }
    assert_eq!(pair.journal.read(), [0; 0]);
    peer.send(&invoke(1, run, &1u64)).await;
    assert!(!peer.frame().await.unwrap().header.flags.contains(Flags::EXCEPTION), "the connection goes on");
}

#[actix::test]
async fn opening_the_same_object_again_and_again_takes_no_more_room() {
    let pair = Pair::memory().await;
    let (mut peer, _) = pair.raw().await;
    let bind =
        |id: &str| frame(MessageType::Bind, 1, |out| Bind { target: Target::Id(id.to_owned()) }.encode(out).unwrap());
    for _ in 0..10_000 {
        peer.send(&bind("worker")).await;
        let bound = peer.frame().await.unwrap();
        assert_eq!((bound.header.kind, bound.payload[0]), (MessageType::Bound, 0));
    }
    peer.send(&bind("nobody")).await;
    assert!(peer.frame().await.unwrap().header.flags.contains(Flags::EXCEPTION));
}

/// Arguments that cost a decoder more than they cost the sender.
struct Deep;

#[derive(serde::Serialize, serde::Deserialize)]
struct Nest(Option<Box<Nest>>);

#[pyroxene::remote]
impl Deep {
    pub fn nest(&self, nest: Nest) -> u64 {
        let mut depth = 0;
        let mut next = nest.0;
        while let Some(nest) = next {
            depth += 1;
            next = nest.0;
        }
        depth
    }

    pub fn units(&self, units: Vec<()>) -> u64 {
        units.len() as u64
    }
}

#[actix::test]
async fn arguments_that_nest_too_deep_or_claim_too_much_are_refused() {
    let pair = Pair::memory().await;
    let bystander = Bystander::beside(&pair).await;
    pair.host("deep", || Deep).await;
    let uri = pair.daemon.supervise("deeper", || Deep).await.unwrap().uri().clone();
    let id = uri.as_object().unwrap().object.to_string();
    let (mut peer, _) = RawPeer::greet(&*pair.network, pair.daemon.endpoint(), &id).await;
    let call = |method: u8, payload: &[u8]| {
        frame(MessageType::Invoke, 1, |out| {
            out.extend_from_slice(&[0, method]);
            out.extend_from_slice(payload);
        })
    };
    let nested = |depth: usize| [vec![1; depth], vec![0]].concat();
    peer.send(&call(0, &nested(10))).await;
    assert_eq!(&peer.frame().await.unwrap().payload[..], [10]);
    for depth in [200, 10_000, 1_000_000] {
        peer.send(&call(0, &nested(depth))).await;
        let fault = peer.fault().await;
        assert_eq!(fault.class, "Pyroxene.WrongArguments");
        assert!(fault.message.contains("max_depth"), "{}", fault.message);
    }
    for count in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0x80, 0x80, 0x80, 0x01][..]] {
        peer.send(&call(1, count)).await;
        let fault = peer.fault().await;
        assert_eq!(fault.class, "Pyroxene.WrongArguments");
        assert!(fault.message.contains("max_elements"), "{}", fault.message);
    }
    settle().await;
    bystander.noticed_nothing().await;
}

#[actix::test]
async fn names_and_values_of_a_call_by_name_are_as_bounded() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    let packed = |payload: &[u8]| {
        let mut call = frame(MessageType::Invoke, 1, |out| out.extend_from_slice(payload));
        call[7] = SerializerId::MESSAGE_PACK.0;
        call
    };
    for payload in [
        [&b"\x94\xa6worker\xa3run"[..], &[0x91; 100_000], &b"\xc0"[..]].concat(),
        b"\x94\xa6worker\xa3run\xdd\xff\xff\xff\xff".to_vec(),
        b"\xdd\xff\xff\xff\xff".to_vec(),
        b"\x94\xa6worker\xa3run\x91\x01".to_vec(),
        b"\xc1".to_vec(),
    ] {
        peer.send(&packed(&payload)).await;
        assert_eq!(
            peer.fault().await.class,
            "Pyroxene.WrongArguments",
            "{}",
            payload[..20.min(payload.len())].escape_ascii()
        );
    }
    peer.send(&packed(b"\x94\xa6nobody\xa3run\x91\x01\x80")).await;
    assert_eq!(peer.fault().await.class, "Pyroxene.NoSuchObject");
    peer.send(&invoke(1, places.of("run"), &1u64)).await;
    assert!(!peer.frame().await.unwrap().header.flags.contains(Flags::EXCEPTION));
}
