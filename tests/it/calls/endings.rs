//! Every call ends in exactly one of four ways.

use pyroxene::{CallError, NotStarted, Proxy, RemoteMessage, Unknown};
use serde::{Deserialize, Serialize};

use crate::support::pair::{Pair, poll_once, settle};
use crate::support::worker::Refused;

#[actix::test]
async fn a_call_ends_with_what_its_handler_returned() {
    let pair = Pair::memory().await;
    for worker in [&pair.worker, &pair.here] {
        assert_eq!(worker.run(1).await, Ok(1));
    }
    assert_eq!(pair.journal.count(1), 2);
}

#[actix::test]
async fn the_objects_own_error_arrives_as_itself() {
    let pair = Pair::memory().await;
    for worker in [&pair.worker, &pair.here] {
        assert_eq!(worker.refuse(1).await, Err(CallError::Raised(Refused { id: 1 })));
    }
    assert_eq!(pair.journal.count(1), 2, "a call that is refused has run");
}

#[actix::test]
async fn a_panic_arrives_with_its_text_its_place_and_its_method() {
    let pair = Pair::memory().await;
    for worker in [&pair.worker, &pair.here] {
        let error = worker.crash(1).await.unwrap_err();
        let CallError::Failed(fault) = &error else { panic!("{error:?}") };
        assert_eq!(fault.class, "Pyroxene.Panicked");
        assert_eq!(fault.message, "call 1 crashes");
        assert_eq!((fault.object.as_str(), fault.method.as_str()), ("worker", "crash"));
        assert!(error.remote_traceback()[0].contains("worker.rs"), "{:?}", error.remote_traceback());
        assert!(error.may_have_run());
        let report = pyroxene::report(&error);
        assert!(report.contains("╭─ at the other end: worker.crash"), "{report}");
    }
}

#[actix::test]
async fn a_panic_after_a_while_arrives_just_so() {
    let pair = Pair::memory().await;
    pair.gate.open(2);
    for worker in [&pair.worker, &pair.here] {
        let error = worker.crash_later(1).await.unwrap_err();
        let CallError::Failed(fault) = &error else { panic!("{error:?}") };
        assert_eq!(fault.message, "call 1 crashes late");
        assert!(error.remote_traceback()[0].contains("worker.rs"), "{:?}", error.remote_traceback());
    }
}

#[actix::test]
async fn what_surely_did_not_run_says_so() {
    let pair = Pair::memory().await;
    pair.daemon.shutdown().await;
    let error = pair.worker.run(1).await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(_)), "{error:?}");
    assert!(!error.may_have_run());
    assert_eq!(pair.journal.count(1), 0);
}

#[actix::test]
async fn what_may_have_run_says_so() {
    let pair = Pair::memory().await;
    let error = pair.worker.hold(1).timeout_ms(50).await.unwrap_err();
    assert_eq!(error, CallError::Unknown(Unknown::OutOfTime { method: "hold".into(), timeout_ms: 50 }));
    assert!(error.may_have_run());
    assert_eq!(pair.journal.count(1), 1);
}

/// The method `refuse`, by somebody who knows another error than the object raises.
#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "Result<u64, Stranger>", name = "refuse")]
struct RefuseStrangely {
    id: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("a stranger")]
struct Stranger;

#[actix::test]
async fn an_error_that_the_client_does_not_know_is_a_fault_that_tells_about_it() {
    let pair = Pair::memory().await;
    let any = Proxy::<pyroxene::Any>::connect_with(&pair.client, pair.uri()).await.unwrap();
    let error = any.send(RefuseStrangely { id: 3 }).await.unwrap_err();
    let CallError::Failed(fault) = error else { panic!("{error:?}") };
    assert_eq!((fault.class.as_str(), fault.message.as_str()), ("Refused", "call 3 is refused"));
    assert_eq!(pair.journal.count(3), 1);
}

#[actix::test]
async fn a_request_that_is_too_large_is_not_sent_and_the_connection_goes_on() {
    let pair = Pair::memory().await;
    let error = pair.worker.weigh(1, vec![0; 17 * 1024 * 1024]).await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(NotStarted::NotSent { .. })), "{error:?}");
    assert!(error.to_string().contains("max_message"), "{error}");
    assert_eq!(pair.worker.weigh(2, vec![0; 1_000_000]).await, Ok(1_000_000));
    assert_eq!(pair.journal.read(), [2]);
}

#[actix::test]
async fn a_reply_that_is_too_large_is_a_fault_that_says_the_call_ran() {
    let pair = Pair::memory().await;
    let error = pair.worker.fill(17 * 1024 * 1024).await.unwrap_err();
    let CallError::Failed(fault) = &error else { panic!("{error:?}") };
    assert_eq!(fault.class, "Pyroxene.UnwritableReply");
    assert_eq!(pair.worker.fill(3).await, Ok(vec![7; 3]));
}

/// A value that no serializer can write.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("this stays here"))
    }
}

struct Mirror;

#[pyroxene::remote]
impl Mirror {
    pub fn reflect(&self, image: Unwritable) -> Unwritable {
        image
    }

    pub fn show(&self) -> Unwritable {
        Unwritable
    }
}

#[actix::test]
async fn in_one_process_nothing_is_serialized_and_elsewhere_it_is_said_what_could_not_be() {
    let pair = Pair::memory().await;
    let there = MirrorProxy::from(pair.host("mirror", || Mirror).await);
    let local = pair.daemon.supervise("mirror.here", || Mirror).await.unwrap();
    assert_eq!(MirrorProxy::from(local).reflect(Unwritable).await, Ok(Unwritable));
    let error = there.reflect(Unwritable).await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(NotStarted::NotSent { .. })), "{error:?}");
    assert!(error.to_string().contains("reflect was not sent"), "{error}");
    let CallError::Failed(fault) = there.show().await.unwrap_err() else { panic!() };
    assert_eq!(fault.class, "Pyroxene.UnwritableReply");
}

#[actix::test]
async fn a_local_call_that_is_dropped_in_the_queue_is_not_run() {
    let pair = Pair::memory().await;
    let held = actix_rt::spawn(pair.here.hold(1));
    settle().await;
    let mut dropped = Box::pin(pair.here.run(2));
    assert!(poll_once(&mut dropped).await.is_pending());
    drop(dropped);
    pair.gate.open(1);
    assert_eq!(held.await.unwrap(), Ok(1));
    assert_eq!(pair.here.run(3).await, Ok(3));
    assert_eq!(pair.journal.read(), [1, 3]);
}

#[actix::test]
async fn a_local_call_that_is_dropped_while_it_runs_goes_on() {
    let pair = Pair::memory().await;
    let mut dropped = Box::pin(pair.here.hold(1));
    assert!(poll_once(&mut dropped).await.is_pending());
    settle().await;
    drop(dropped);
    pair.gate.open(1);
    assert_eq!(pair.here.runs().await, Ok(1));
    assert_eq!(pair.journal.read(), [1]);
}
