//! How large calls end that do not come to their end.

use std::sync::Arc;

use pyroxene::transport::Network;
use pyroxene::wire::MessageType;
use pyroxene::{CallError, DynProxy, NotStarted, Unknown, Value, args};

use crate::support::flaky::{Fault, Flaky, Plan};
use crate::support::memory::MemoryNetwork;
use crate::support::pair::{
    Pair, brittle_client_over, client_over, hello_bytes, poll_once, seeded_client_over, settle,
};
use crate::support::raw_peer::{RawPeer, SPOKEN, frame};

const MIB: usize = 1024 * 1024;

/// Bytes of the call itself, all frames of it.
async fn call_bytes(pair: &Pair, hello: u64) -> u64 {
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), []));
    let traffic = Arc::clone(&flaky.traffic);
    let worker = pair.worker_for(&seeded_client_over(&(flaky as Arc<dyn Network>)));
    assert_eq!(worker.weigh(0, vec![1; MIB]).await, Ok(MIB as u64));
    traffic.out() - hello
}

#[actix::test]
async fn a_large_call_may_have_run_only_if_its_last_byte_was_sent() {
    let pair = Pair::memory().await;
    let hello = hello_bytes(&pair).await;
    let call = call_bytes(&pair, hello).await;
    let cuts = [1, 39, 40, 100, 65_000, 65_575, 65_576, 65_577, 500_000, call - 100, call - 1, call];
    for (id, cut) in (1..).zip(cuts) {
        // As often as a call is tried again, and once more.
        let plan = Plan { out: Some((hello + cut, Fault::Break)), ..Plan::default() };
        let flaky: Arc<dyn Network> = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan; 4]));
        let worker = pair.worker_for(&seeded_client_over(&flaky));
        let ended = worker.weigh(id, vec![1; MIB]).await;
        settle().await;
        if cut < call {
            let not_sent = matches!(&ended, Err(CallError::NotStarted(NotStarted::Unreachable { .. })));
            assert!(not_sent, "{ended:?} after {cut} of {call} bytes");
            assert_eq!(pair.journal.count(id), 0, "after {cut} of {call} bytes");
        } else {
            assert!(matches!(ended, Err(CallError::Unknown(Unknown::Disconnected { .. }))), "{ended:?}");
            assert!(pair.journal.count(id) <= 1);
        }
    }
}

#[actix::test]
async fn a_large_call_that_was_lost_on_its_way_is_sent_again() {
    let pair = Pair::memory().await;
    let plan = Plan { out: Some((500_000, Fault::Break)), ..Plan::default() };
    let flaky: Arc<dyn Network> = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
    let worker = pair.worker_for(&brittle_client_over(&flaky));
    assert_eq!(worker.weigh(3, vec![1; MIB]).await, Ok(MIB as u64));
    assert_eq!(pair.journal.read(), [3]);
}

#[actix::test]
async fn a_large_call_that_is_given_up_is_not_sent_to_its_end() {
    tokio::time::pause();
    let network: Arc<dyn Network> = Arc::new(MemoryNetwork::default());
    let (uri, accepted) = RawPeer::offer(&*network, SPOKEN, &[("weigh", 0), ("run", 0)]).await;
    let client = client_over(&network);
    let (thing, mut peer) = tokio::join!(DynProxy::connect_with(&client, uri), accepted);
    let thing = thing.unwrap();
    for round in 0..3 {
        // More often than there are places for calls.
        for _ in 0..40 {
            let mut large = thing.call("weigh", args![1, Value::Bytes(vec![7; 4 * MIB].into())]).timeout_ms(2_000);
            assert!(poll_once(&mut large).await.is_pending());
            let first = peer.frame().await.unwrap();
            assert_eq!(first.header.kind, MessageType::Chunk);
            if round == 1 {
                let Err(CallError::NotStarted(why @ NotStarted::OutOfTime { .. })) = large.await else { panic!() };
                assert!(why.to_string().ends_with("it waited for its turn to be sent, behind what is large"));
            } else {
                drop(large);
            }
            let (mut passed, number) = (0, first.header.seq);
            loop {
                let frame = peer.frame().await.unwrap();
                assert_eq!((frame.header.kind, frame.header.seq), (MessageType::Chunk, number), "and no CANCEL");
                passed += frame.payload.len();
                if frame.payload.is_empty() {
                    break;
                }
            }
            assert!(passed < MIB, "{passed} bytes of it were sent on");
        }
        let mut small = thing.call("run", args![2]);
        assert!(poll_once(&mut small).await.is_pending());
        let call = peer.frame().await.unwrap();
        assert_eq!(call.header.kind, MessageType::Invoke);
        let mut reply = frame(MessageType::Result, call.header.seq, |out| out.push(5));
        reply[7] = call.header.serializer.0;
        peer.send(&reply).await;
        assert_eq!(small.await, Ok(Value::Int(5)));
    }
}

#[actix::test]
async fn a_large_call_that_is_refused_is_not_sent_to_its_end() {
    let mut setup = crate::support::pair::Setup::memory();
    setup.limits.in_flight_bytes = 3 * MIB as u32;
    let pair = setup.pair().await;
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), []));
    let traffic = Arc::clone(&flaky.traffic);
    let worker = pair.worker_for(&brittle_client_over(&(flaky as Arc<dyn Network>)));
    let ended = worker.weigh(1, vec![1; 15 * MIB]).await;
    assert!(matches!(ended, Err(CallError::NotStarted(NotStarted::Busy { .. }))), "{ended:?}");
    assert_eq!(worker.weigh(2, vec![1; MIB]).await, Ok(MIB as u64));
    assert_eq!(pair.journal.read(), [2]);
    assert!(traffic.out() < 3 * MIB as u64, "{} bytes", traffic.out());
}

#[actix::test]
async fn a_large_call_behind_a_goaway_did_not_run() {
    let pair = Pair::memory().await;
    let hello = hello_bytes(&pair).await;
    let plan = Plan { out: Some((hello + 300_000, Fault::Stall)), ..Plan::default() };
    let flaky: Arc<dyn Network> = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
    let worker = pair.worker_for(&seeded_client_over(&flaky));
    let call = actix_rt::spawn(async move { worker.weigh(1, vec![1; MIB]).await });
    settle().await;
    pair.daemon.shutdown().await;
    let ended = call.await.unwrap();
    assert!(matches!(&ended, Err(error) if !error.may_have_run()), "{ended:?}");
    assert_eq!(pair.journal.count(1), 0);
}
