//! Objects that not everybody may call.

use pyroxene::object::context::Caller;
use pyroxene::wire::{Hello, Target};
use pyroxene::{CallError, DynProxy, Instances, NotStarted, Value, args};

use crate::support::pair::{Pair, settle};
use crate::support::raw_peer::{RawPeer, connect_as, hello, invoke};
use crate::support::worker::{Worker, WorkerProxy};

/// Whoever is in the same process may call everything, and others may run and count.
fn strangers_run(caller: &Caller, method: &str) -> bool {
    caller.is_local() || matches!(method, "run" | "runs" | "note")
}

fn denied<T: std::fmt::Debug, E: std::fmt::Debug>(ended: Result<T, CallError<E>>, denied_method: &str) {
    match ended {
        Err(CallError::NotStarted(NotStarted::Denied { object, method, caller })) => {
            assert_eq!((&*object, &*method), ("vault", denied_method));
            assert_ne!(caller, "local");
        }
        other => panic!("{other:?}"),
    }
}

/// A worker that not everybody may call: in this process, and over a connection.
async fn vault(pair: &Pair, instances: Instances) -> (WorkerProxy, WorkerProxy) {
    let (journal, gate) = (pair.journal.clone(), pair.gate.clone());
    let spawn = pair.daemon.object("vault", move || Worker::new(&journal, &gate)).mailbox(8);
    let here = spawn.instances(instances).allow(strangers_run).spawn().await.unwrap();
    let there = pyroxene::Proxy::<Worker>::connect_with(&pair.client, here.uri()).await.unwrap();
    (WorkerProxy::from(here), WorkerProxy::from(there))
}

#[actix::test]
async fn a_call_that_is_not_allowed_does_not_run_in_whatever_way_it_is_made() {
    let pair = Pair::memory().await;
    for instances in [Instances::Single, Instances::PerSession, Instances::PerCall] {
        let (here, there) = vault(&pair, instances).await;
        let before = pair.journal.read().len();
        denied(there.refuse(1).await, "refuse");
        denied(there.refuse(2).once().await, "refuse");
        let (ran, refused) = there.proxy().batch().add(there.run(3)).add(there.refuse(4)).send().await;
        assert_eq!(ran, Ok(3));
        denied(refused, "refuse");
        let any = DynProxy::connect_with(&pair.client, there.proxy().uri()).await.unwrap();
        denied(any.call("refuse", args![5]).await, "refuse");
        assert_eq!(any.call("run", args![6]).await, Ok(Value::from(6)));
        any.do_call("refuse", args![7]);
        there.note(8);
        let counts = any.flush().await.unwrap();
        assert_eq!((counts.executed, counts.dropped), (0, 1), "{counts:?}");
        settle().await;
        assert!(matches!(here.refuse(9).await, Err(CallError::Raised(_))));
        assert_eq!(pair.journal.read()[before..], [3, 6, 8, 9], "{instances:?}");
        assert!(pair.daemon.stop("vault"));
    }
}

#[actix::test]
async fn those_who_are_turned_away_take_no_places_in_the_queue() {
    let pair = Pair::memory().await;
    let (_, there) = vault(&pair, Instances::Single).await;
    // The queue has 8 places, and a connection half of them.
    for _ in 0..10 {
        for call in (0..4).map(|id| actix_rt::spawn(there.refuse(id))).collect::<Vec<_>>() {
            denied(call.await.unwrap(), "refuse");
        }
    }
    for call in (0..4).map(|id| actix_rt::spawn(there.run(id))).collect::<Vec<_>>() {
        assert!(call.await.unwrap().is_ok());
    }
}

#[actix::test]
async fn a_judge_that_panics_lets_nobody_in_and_hurts_nobody() {
    let pair = Pair::memory().await;
    let (journal, gate) = (pair.journal.clone(), pair.gate.clone());
    let judge = |_: &Caller, method: &str| method == "run" || panic!("{method} is more than I can judge");
    let spawn = pair.daemon.object("vault", move || Worker::new(&journal, &gate)).allow(judge);
    let here = spawn.spawn().await.unwrap();
    let there = pair.client.clone();
    let there = WorkerProxy::from(pyroxene::Proxy::<Worker>::connect_with(&there, here.uri()).await.unwrap());
    denied(there.refuse(1).await, "refuse");
    assert_eq!(there.run(2).await, Ok(2));
    assert_eq!(pair.worker.run(3).await, Ok(3), "another object over the same connection");
    assert_eq!(pair.journal.read(), [2, 3]);
}

#[actix::test]
async fn whoever_says_that_it_has_no_session_is_not_in_this_process() {
    let pair = Pair::memory().await;
    vault(&pair, Instances::Single).await;
    let mut peer = RawPeer::connect(&*pair.network, pair.daemon.endpoint()).await;
    peer.send(&connect_as(&Hello { session: 0, ..hello(Target::Name("vault".into())) })).await;
    let places = peer.places().await;
    peer.send(&invoke(1, places.of("refuse"), &1u64)).await;
    assert_eq!(peer.fault().await.class, "Pyroxene.Denied");
    assert!(pair.journal.read().is_empty());
}
