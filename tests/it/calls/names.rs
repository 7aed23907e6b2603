//! Calling by name, and methods that are not there.

use pyroxene::{CallError, NotStarted, RemoteMessage, Value, args};
use serde::{Deserialize, Serialize};

use crate::support::pair::Pair;

#[actix::test]
async fn a_method_is_called_by_name_with_values() {
    let pair = Pair::memory().await;
    let any = pair.dynamic().await;
    assert_eq!(any.call("run", args! { id: 3 }).await, Ok(Value::from(3u64)));
    assert_eq!(any.call("run", args![4]).await, Ok(Value::from(4u64)));
    any.do_call("note", args![5]);
    assert_eq!(any.call("runs", args![]).await, Ok(Value::from(3u64)));
    assert_eq!(pair.journal.read(), [3, 4, 5]);
}

#[actix::test]
async fn an_error_arrives_by_name_with_its_data() {
    let pair = Pair::memory().await;
    let CallError::Failed(fault) = pair.dynamic().await.call("refuse", args![3]).await.unwrap_err() else { panic!() };
    assert_eq!((fault.class.as_str(), fault.message.as_str()), ("Refused", "call 3 is refused"));
    let pyroxene::codec::fault::Detail::Value(detail) = fault.detail else { panic!() };
    assert_eq!(detail.get("id"), Some(&Value::from(3u64)));
}

#[actix::test]
async fn arguments_that_do_not_fit_are_named_and_the_call_does_not_run() {
    let pair = Pair::memory().await;
    let any = pair.dynamic().await;
    for (args, says) in [
        (args! {}, "\"id\""),
        (args! { number: 3 }, "\"number\""),
        (args! { id: "three" }, "\"id\""),
        (args![1, 2], "2 were given"),
    ] {
        let error = any.call("run", args).await.unwrap_err();
        let CallError::NotStarted(NotStarted::WrongArguments { object, method, problem, signature, caller: None }) =
            &error
        else {
            panic!("{error:?}");
        };
        assert_eq!((object.as_str(), method.as_str()), ("worker", "run"));
        assert!(problem.contains(says), "{problem}");
        assert_eq!(signature, "run(id: u64) -> u64");
    }
    assert_eq!(pair.journal.read(), [0; 0]);
    assert_eq!(any.call("run", args![7]).await, Ok(Value::from(7u64)), "the connection goes on");
}

#[actix::test]
async fn a_method_that_is_not_listed_cannot_be_called() {
    let pair = Pair::memory().await;
    let any = pair.dynamic().await;
    for hidden in ["begin", "new", "drop", "__init__", "run ", ""] {
        let error = any.call(hidden, args![1]).await.unwrap_err();
        assert!(matches!(error, CallError::NotStarted(NotStarted::NoSuchMethod { .. })), "{hidden}: {error:?}");
    }
    let error = any.call("rum", args![1]).await.unwrap_err();
    assert!(error.to_string().contains("did you mean \"run\"?"), "{error}");
    assert_eq!(pair.journal.read(), [0; 0]);
}

#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "u64")]
struct Fly {
    height: u64,
}

#[actix::test]
async fn a_message_for_a_method_that_is_not_there_is_refused_before_it_is_sent() {
    let pair = Pair::memory().await;
    let any = pyroxene::Proxy::<pyroxene::Any>::connect_with(&pair.client, pair.uri()).await.unwrap();
    let error = any.send(Fly { height: 3 }).await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(NotStarted::NoSuchMethod { .. })), "{error:?}");
}

struct Bird;

#[pyroxene::remote]
impl Bird {
    pub fn fly(&self, height: u64) -> u64 {
        height
    }
}

#[actix::test]
async fn a_proxy_of_another_kind_of_object_does_not_connect() {
    let pair = Pair::memory().await;
    let error = pyroxene::Proxy::<Bird>::connect_with(&pair.client, pair.uri()).await.unwrap_err();
    assert!(matches!(error.why, NotStarted::NoSuchMethod { .. }), "{error:?}");
    let bird = BirdProxy::from(pair.host("bird", || Bird).await);
    assert_eq!(bird.fly(3).await, Ok(3));
}
