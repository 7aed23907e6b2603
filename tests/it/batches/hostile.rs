//! Batches made by hand: what is wrong with a whole is refused as a whole, what is wrong with one call is the outcome of that call.

use pyroxene::codec::budget::Budget;
use pyroxene::codec::fault::Fault;
use pyroxene::object::outcome::{Failure, NotStarted};
use pyroxene::wire::batch::SizedParts;
use pyroxene::wire::{BatchHead, BatchedCall, BatchedResult, Flags, MessageType, SerializerId};

use crate::support::pair::Pair;
use crate::support::raw_peer::{RawPeer, frame, invoke};

fn batch(seq: u16, calls: &[(Option<u32>, &[u8])]) -> Vec<u8> {
    frame(MessageType::Batch, seq, |out| {
        BatchHead { handle: 0, stop_at_fault: false }.encode(out);
        let mut parts = SizedParts::default();
        for (method, bytes) in calls {
            BatchedCall::begin(*method, out);
            parts
                .push(out, |out| -> Result<(), ()> {
                    out.extend_from_slice(bytes);
                    Ok(())
                })
                .unwrap();
        }
    })
}

async fn refused(peer: &mut RawPeer) -> NotStarted {
    match Failure::from_fault(peer.fault().await, &Budget::default()) {
        Ok(Failure::NotStarted(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn fault(outcome: BatchedResult<'_>) -> Failure {
    let BatchedResult::Fault(bytes) = outcome else { panic!("{outcome:?}") };
    Failure::from_fault(Fault::decode(SerializerId::POSTCARD, bytes, &Budget::default()).unwrap(), &Budget::default())
        .unwrap()
}

#[actix::test]
async fn a_batch_that_is_not_whole_runs_nothing_and_costs_nobody_the_connection() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    let run = places.of("run");
    let whole = batch(1, &[(Some(run.into()), &[1]), (Some(run.into()), &[2])]);
    let payloads: [&[u8]; 7] = [
        &[],
        &[0],
        // It neither stops nor goes on.
        &[0, 2, run + 1, 1, 1],
        // No calls.
        &[0, 0],
        // A call behind a whole one says that it has 200 bytes.
        &[0, 0, run + 1, 1, 1, run + 1, 200, 1, 1],
        // A place beyond all numbers.
        &[0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0],
        &whole[40..whole.len() - 1],
    ];
    for (seq, payload) in (0..).zip(payloads) {
        peer.send(&frame(MessageType::Batch, seq, |out| out.extend_from_slice(payload))).await;
        let why = refused(&mut peer).await;
        assert!(matches!(why, NotStarted::WrongArguments { .. }), "{payload:?}: {why:?}");
    }
    peer.send(&frame(MessageType::Batch, 9, |out| out.extend_from_slice(&[9, 0, 1, 0]))).await;
    assert!(matches!(refused(&mut peer).await, NotStarted::NoSuchObject { .. }));
    // More calls than there may be, in few bytes.
    peer.send(&batch(10, &vec![(Some(run.into()), &[][..]); 70_000])).await;
    assert!(matches!(refused(&mut peer).await, NotStarted::Unsupported { .. }));
    assert!(pair.journal.read().is_empty());
    peer.send(&invoke(11, run, &5_u64)).await;
    assert_eq!(peer.frame().await.unwrap().payload, [5][..]);
}

#[actix::test]
async fn what_is_wrong_with_one_call_is_the_outcome_of_that_call() {
    let pair = Pair::memory().await;
    let (mut peer, places) = pair.raw().await;
    let run = u32::from(places.of("run"));
    let elsewhere = pyroxene::codec::call::NamedCall {
        object: "other".into(),
        method: "run".into(),
        args: pyroxene::args! { id: 6 },
    };
    let mut named = Vec::new();
    elsewhere.encode(SerializerId::MESSAGE_PACK, &mut named).unwrap();
    let calls: [(Option<u32>, &[u8]); 6] = [
        (Some(run), &[1]),
        (Some(200), &[2]),
        (Some(run), &[3, 3]),
        (None, b"what"),
        (None, &named),
        (Some(run), &[7]),
    ];
    peer.send(&batch(3, &calls)).await;
    let reply = peer.frame().await.unwrap();
    assert_eq!((reply.header.kind, reply.header.seq), (MessageType::Result, 3));
    assert!(reply.header.flags.contains(Flags::BATCH) && !reply.header.flags.contains(Flags::EXCEPTION));
    let mut rest = &reply.payload[..];
    let mut next = || BatchedResult::take(&mut rest).unwrap();
    assert_eq!(next(), BatchedResult::Value(&[1]));
    assert!(matches!(fault(next()), Failure::NotStarted(NotStarted::NoSuchMethod { .. })));
    assert!(matches!(fault(next()), Failure::NotStarted(NotStarted::WrongArguments { .. })));
    // The serializer of an outcome is that of its call.
    for class in ["Pyroxene.WrongArguments", "Pyroxene.NoSuchObject"] {
        let BatchedResult::Fault(bytes) = next() else { panic!("it is no fault") };
        assert_eq!(Fault::decode(SerializerId::MESSAGE_PACK, bytes, &Budget::default()).unwrap().class, class);
    }
    assert_eq!(next(), BatchedResult::Value(&[7]));
    assert!(rest.is_empty());
    assert_eq!(pair.journal.read(), [1, 7]);
    // The places of calls that were refused are free again.
    for seq in 0..400 {
        peer.send(&batch(seq, &[(Some(200), &[]), (Some(201), &[]), (Some(202), &[])])).await;
        assert!(peer.frame().await.unwrap().header.flags.contains(Flags::BATCH));
    }
    peer.send(&invoke(11, run as u8, &5_u64)).await;
    assert_eq!(peer.frame().await.unwrap().payload, [5][..]);
}
