//! What a batch counts as, and what happens beyond that.

use pyroxene::wire::Limits;
use pyroxene::{CallError, NotStarted, Unknown};

use crate::support::pair::{Pair, Setup, poll_once, settle};

#[actix::test]
async fn a_batch_enters_the_queue_as_a_whole_or_not_at_all() {
    let pair = Setup { mailbox: 20, ..Setup::memory() }.pair().await;
    let mut hold = pair.worker.hold(0);
    assert!(poll_once(&mut hold).await.is_pending());
    settle().await;
    let worker = &pair.worker;
    let mut eight = worker.proxy().batch().add_all((1..=8).map(|id| worker.run(id))).send();
    assert!(poll_once(&mut eight).await.is_pending());
    settle().await;
    for outcome in worker.proxy().batch().add_all((11..=13).map(|id| worker.run(id))).send().await {
        let error = outcome.unwrap_err();
        assert!(matches!(error, CallError::NotStarted(NotStarted::Busy { .. })), "{error:?}");
        assert_eq!(error.retry_after(), Some(10));
    }
    let mut two = worker.proxy().batch().add_all((21..=22).map(|id| worker.run(id))).send();
    assert!(poll_once(&mut two).await.is_pending());
    pair.gate.open(1);
    assert_eq!(hold.await, Ok(0));
    assert!(eight.await.iter().chain(&two.await).all(Result::is_ok));
    assert_eq!(pair.journal.read(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 21, 22]);
}

#[actix::test]
async fn a_batch_that_never_fits_is_told_so() {
    let pair = Setup { mailbox: 20, ..Setup::memory() }.pair().await;
    let worker = &pair.worker;
    for outcome in worker.proxy().batch().add_all((0..11).map(|id| worker.run(id))).send().await {
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains("at most 10 calls"), "{error}");
        assert_eq!(error.retry_after(), None, "trying again is of no use");
    }
    for outcome in worker.proxy().batch().add_all((0..1_025).map(|id| worker.run(id))).send().await {
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains("1025 calls, and its peer takes 1024"), "{error}");
    }
    assert!(pair.journal.read().is_empty());
    assert_eq!(worker.run(1).await, Ok(1));
}

#[actix::test]
async fn the_calls_of_a_batch_count_as_calls_in_flight() {
    let limits = Limits { in_flight: 10, ..Limits::default() };
    let pair = Setup { limits, ..Setup::memory() }.pair().await;
    let worker = &pair.worker;
    let mut eight = worker.proxy().batch().add_all((0..8).map(|id| worker.hold(id))).send();
    assert!(poll_once(&mut eight).await.is_pending());
    settle().await;
    let (one, more, most) =
        worker.proxy().batch().add(worker.run(11)).add(worker.run(12)).add(worker.run(13)).send().await;
    for outcome in [one, more, most] {
        assert!(matches!(outcome, Err(CallError::NotStarted(NotStarted::Busy { .. }))), "{outcome:?}");
    }
    pair.gate.open(8);
    assert!(eight.await.iter().all(Result::is_ok));
    let (one, more, most) =
        worker.proxy().batch().add(worker.run(11)).add(worker.run(12)).add(worker.run(13)).send().await;
    assert_eq!((one, more, most), (Ok(11), Ok(12), Ok(13)));
}

#[actix::test]
async fn outcomes_that_have_no_room_in_the_reply_are_told_truthfully() {
    let limits = Limits { max_message: 2_000, ..Limits::default() };
    let pair = Setup { limits: limits.clone(), ..Setup::memory() }.pair().await;
    let config = pyroxene::ClientConfig { network: pair.network.clone(), limits, ..Default::default() };
    let worker = pair.worker_for(&crate::support::pair::client_with(config));
    let batch = worker.proxy().batch();
    let batch = batch
        .add(worker.fill(1_900))
        .add(worker.fill(1_000))
        .add(worker.run(1))
        .add(worker.crash(2))
        .add(worker.run(3));
    let (fits, large, ran, crashed, last) = batch.send().await;
    assert_eq!(fits.map(|bytes| bytes.len()), Ok(1_900));
    let Err(CallError::Failed(fault)) = &large else { panic!("{large:?}") };
    assert_eq!(fault.class, "Pyroxene.UnwritableReply");
    assert!(fault.message.contains("fill ran"), "{fault}");
    assert_eq!(crashed, Err(CallError::Unknown(Unknown::Untold { method: "crash".into() })));
    assert_eq!((ran, last), (Ok(1), Ok(3)));
    assert_eq!(pair.journal.read(), [1, 2, 3]);
    let batch = worker.proxy().batch().stop_at_fault();
    let (_, large, skipped) = batch.add(worker.fill(1_900)).add(worker.fill(1_000)).add(worker.run(4)).send().await;
    assert!(matches!(large, Err(CallError::Failed(_))), "{large:?}");
    assert_eq!(skipped, Err(CallError::NotStarted(NotStarted::Skipped)));
}

#[actix::test]
async fn a_batch_that_is_too_large_is_not_sent() {
    let limits = Limits { max_message: 2_000, ..Limits::default() };
    let pair = Setup { limits, ..Setup::memory() }.pair().await;
    let worker = &pair.worker;
    let load = vec![0; 1_500];
    let (first, second) =
        worker.proxy().batch().add(worker.weigh(1, load.clone())).add(worker.weigh(2, load)).send().await;
    for outcome in [first, second] {
        assert!(matches!(outcome, Err(CallError::NotStarted(NotStarted::NotSent { .. }))), "{outcome:?}");
    }
    assert!(pair.journal.read().is_empty());
}

#[actix::test]
async fn a_batch_is_drained_as_calls_are() {
    let pair = Pair::memory().await;
    let mut batch = pair.worker.proxy().batch().add(pair.worker.hold(1)).add(pair.worker.run(2)).send();
    assert!(poll_once(&mut batch).await.is_pending());
    settle().await;
    let daemon = pair.daemon.clone();
    let shutdown = actix_rt::spawn(async move { daemon.shutdown().await });
    settle().await;
    pair.gate.open(1);
    assert_eq!(batch.await, (Ok(1), Ok(2)), "what was taken is finished");
    shutdown.await.unwrap();
}

#[actix::test]
async fn a_large_batch_travels_in_pieces_like_any_large_call() {
    let pair = Setup { mailbox: 4_096, ..Setup::memory() }.pair().await;
    let worker = &pair.worker;
    let large = || (0..200).map(|id| worker.weigh(id, vec![1; 4_096]));
    for outcome in worker.proxy().batch().add_all(large()).send().await {
        assert_eq!(outcome, Ok(4_096));
    }
    worker.proxy().batch().add_all(large()).do_send();
    assert_eq!(worker.run(1_000).await, Ok(1_000), "behind it");
    let all: Vec<u64> = (0..200).chain(0..200).chain([1_000]).collect();
    assert_eq!(pair.journal.read(), all);
}

#[actix::test]
async fn a_large_batch_that_is_not_taken_is_refused_with_its_first_piece() {
    let limits = Limits { in_flight_bytes: 300_000, ..Limits::default() };
    let pair = Setup { limits, ..Setup::memory() }.pair().await;
    let worker = &pair.worker;
    let mut held = worker.hold(0);
    assert!(poll_once(&mut held).await.is_pending());
    let large = || worker.proxy().batch().add_all((1..=50).map(|id| worker.weigh(id, vec![1; 4_096]))).send();
    let mut first = large();
    assert!(poll_once(&mut first).await.is_pending());
    settle().await;
    // The other end has taken as many bytes as it takes.
    for outcome in large().await {
        let error = outcome.unwrap_err();
        assert!(matches!(error, CallError::NotStarted(NotStarted::Busy { .. })), "{error:?}");
    }
    pair.gate.open(1);
    assert_eq!(held.await, Ok(0));
    assert!(first.await.iter().all(Result::is_ok));
    assert_eq!(worker.run(51).await, Ok(51), "the connection is as it was");
    assert_eq!(pair.journal.read(), (0..=51).collect::<Vec<u64>>());
}
