//! Asking what is known of an object.

use std::sync::Arc;

use pyroxene::object::description::UnknownObject;
use pyroxene::transport::Network;
use pyroxene::wire::{Features, MessageType};
use pyroxene::{CallError, DynProxy, Instances, NotStarted, Proxy, Value, args};

use crate::support::pair::{Pair, client_over, settle};
use crate::support::relay::Relay;
use crate::support::worker::Worker;

#[actix::test]
async fn a_proxy_says_what_can_be_called_here_and_elsewhere() {
    let pair = Pair::memory().await;
    let dynamic = pair.dynamic().await;
    let all = [
        dynamic.describe().await.unwrap(),
        pair.worker.proxy().describe().await.unwrap(),
        pair.here.proxy().describe().await.unwrap(),
    ];
    for described in all {
        assert_eq!((&*described.kind, &*described.version), ("Worker", env!("CARGO_PKG_VERSION")));
        assert_eq!((described.state.as_str(), described.instances.len()), ("running", 0));
        let run = described.method("run").unwrap();
        assert_eq!(run.text, "run(id: u64) -> u64");
        assert_eq!(run.schemas().args["properties"]["id"]["maximum"], u64::MAX);
    }
}

#[actix::test]
async fn what_surely_does_not_fit_is_not_sent_once_it_is_known() {
    let pair = Pair::memory().await;
    let relay = Relay::new(&pair.network, Features::default());
    let client = client_over(&(Arc::clone(&relay) as Arc<dyn Network>));
    let worker = DynProxy::connect_with(&client, pair.uri()).await.unwrap();
    let wrong = || [args!["one"], args![1, 2], args! { idd: 1 }, args![-1], args![1; id: 1]];
    let mut told = Vec::new();
    for known in [false, true] {
        if known {
            worker.describe().await.unwrap();
        }
        relay.passed();
        for args in wrong() {
            match worker.call("run", args).await {
                Err(CallError::NotStarted(NotStarted::WrongArguments { problem, signature, .. })) => {
                    told.push((problem, signature));
                }
                other => panic!("{other:?}"),
            }
        }
        let sent = relay.passed().out.iter().filter(|kind| **kind == MessageType::Invoke).count();
        assert_eq!(sent, if known { 0 } else { wrong().len() });
    }
    let (sent, not_sent) = told.split_at(wrong().len());
    assert_eq!(sent, not_sent, "whoever says it says the same");
    assert_eq!(worker.call("run", args! { id: 7 }).await, Ok(Value::from(7)));
    worker.do_call("note", args!["one"]);
    assert_eq!(worker.flush().await.unwrap().dropped, 1);
    assert_eq!(pair.journal.read(), [7]);
}

#[actix::test]
async fn instances_are_told_of() {
    let pair = Pair::memory().await;
    let (journal, gate) = (pair.journal.clone(), pair.gate.clone());
    let spawn = pair.daemon.object("each", move || Worker::new(&journal, &gate));
    let uri = spawn.instances(Instances::PerSession).spawn().await.unwrap().uri().clone();
    let any = DynProxy::connect_with(&pair.client, &uri).await.unwrap();
    any.call("run", args![1]).await.unwrap();
    let held = actix_rt::spawn(any.call("hold", args![2]));
    settle().await;
    let waits = actix_rt::spawn(any.call("run", args![3]));
    settle().await;
    let described = any.describe().await.unwrap();
    assert_eq!((described.waiting, described.instances.len()), (1, 1));
    let [instance] = &described.instances[..] else { panic!() };
    assert_eq!((instance.state.as_str(), instance.generation, instance.waiting), ("running", 1, 1));
    assert!(instance.id.starts_with(&described.id), "{}", instance.id);
    pair.gate.open(1);
    assert!(held.await.unwrap().is_ok() && waits.await.unwrap().is_ok());
}

#[actix::test]
async fn of_an_object_that_is_gone_nothing_is_known() {
    let pair = Pair::memory().await;
    let worker = pair.host("other", Worker::default).await;
    let there = Proxy::<Worker>::connect_with(&pair.client, worker.uri()).await.unwrap();
    assert!(pair.daemon.stop("other"));
    match there.describe().await {
        Err(CallError::Raised(UnknownObject { object })) => {
            assert_eq!(worker.uri().to_string().rsplit_once('/').unwrap().1, object);
        }
        other => panic!("{other:?}"),
    }
}
