//! Peers that say nothing: because there is nothing to say, or because they are gone and nobody has said so.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::transport::Network;
use pyroxene::wire::{Features, Limits, MessageType};
use pyroxene::{DynProxy, args};

use crate::support::memory::MemoryNetwork;
use crate::support::pair::{Setup, client_over, settle};
use crate::support::raw_peer::{RawPeer, SPOKEN, connect_speaking, frame};

fn setup() -> Setup {
    let limits = Limits { silence_ms: 1_000, ..Limits::default() };
    Setup { limits, ..Setup::memory() }
}

async fn pass(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    settle().await;
}

#[actix::test]
async fn who_says_nothing_is_asked_and_let_go_if_there_is_no_answer() {
    let pair = setup().pair().await;
    let before = pair.daemon.usage();
    let (mut peer, _) = pair.raw().await;
    pass(1_100).await;
    let ping = peer.frame().await.unwrap();
    assert_eq!((ping.header.kind, &ping.payload[..]), (MessageType::Ping, &b"ping"[..]));
    peer.send(&frame(MessageType::Ping, ping.header.seq, |out| out.extend_from_slice(b"pong"))).await;
    // The next look shows that something was heard, the one after it that nothing was.
    pass(2_000).await;
    assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::Ping);
    assert_eq!(pair.daemon.usage().connections, before.connections + 1);
    pass(1_000).await;
    assert_eq!(pair.daemon.usage(), before);
    assert!(peer.until_closed().await.is_none());
    assert_eq!(pair.worker.run(1).await, Ok(1), "one that answers stays");
}

#[actix::test]
async fn an_answer_may_come_late_any_number_of_times() {
    let pair = setup().pair().await;
    let (mut peer, _) = pair.raw().await;
    for _ in 0..40 {
        let ping = peer.frame().await.unwrap();
        // Something else comes first.
        peer.send(&frame(MessageType::Ping, 7, |out| out.extend_from_slice(b"ping"))).await;
        assert_eq!(&peer.frame().await.unwrap().payload[..], b"pong");
        pass(1_000).await;
        peer.send(&frame(MessageType::Ping, ping.header.seq, |out| out.extend_from_slice(b"pong"))).await;
    }
}

#[actix::test]
async fn who_does_not_speak_of_it_may_be_silent() {
    let pair = setup().pair().await;
    let mut peer = RawPeer::connect(&*pair.network, pair.daemon.endpoint()).await;
    peer.send(&connect_speaking("worker", Features::default())).await;
    assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::ConnectOk);
    pass(100_000).await;
    assert!(!peer.is_closed().await);
}

#[actix::test]
async fn a_server_that_has_fallen_silent_is_found_out_while_calls_wait_for_it() {
    tokio::time::pause();
    let network: Arc<dyn Network> = Arc::new(MemoryNetwork::default());
    let (uri, accepted) = RawPeer::offer(&*network, SPOKEN, &[("run", 0)]).await;
    let client = client_over(&network);
    let connect = actix_rt::spawn(async move { DynProxy::connect_with(&client, uri).await.unwrap() });
    let _silent = accepted.await;
    let thing = connect.await.unwrap();
    let started = tokio::time::Instant::now();
    let waiting = thing.call("run", args![2]).timeout_ms(3_600_000);
    let error = waiting.await.unwrap_err();
    assert!(error.may_have_run(), "{error:?}");
    assert!(error.to_string().contains("says nothing"), "{error}");
    let limits = Limits::default();
    assert!(started.elapsed() <= Duration::from_millis(u64::from(limits.silence_ms) * 3), "{:?}", started.elapsed());
}
