use pyroxene::{AttributeError, CallError, NotStarted, Value, args};

use super::*;

fn raised<T: std::fmt::Debug>(outcome: Result<T, CallError<AttributeError>>) -> String {
    match outcome {
        Err(CallError::Raised(error)) => error.to_string(),
        other => panic!("it ended with {other:?}"),
    }
}

#[actix::test]
async fn fields_are_read_and_written() {
    let (_daemon, proxies) = accounts().await;
    for proxy in proxies {
        assert_eq!(proxy.get::<String>("owner").await.unwrap(), "alice");
        proxy.set("owner", "eve").await.unwrap();
        assert_eq!(proxy.get::<String>("owner").await.unwrap(), "eve");
        proxy.set("owner", "alice").await.unwrap();
    }
}

#[actix::test]
async fn by_name_it_is_the_same() {
    let (_daemon, proxies) = accounts().await;
    for any in proxies.map(|proxy| proxy.untyped()) {
        any.set("owner", "eve").await.unwrap();
        assert_eq!(any.get("owner").await, Ok(Value::from("eve")));
        assert_eq!(any.get("address.street").await, Ok(Value::from("Elm St 1")));
        assert_eq!(any.get("address").await.unwrap().get("street"), Some(&Value::from("Elm St 1")));
        let error = any.call("owner", args![]).await.unwrap_err().to_string();
        assert!(error.contains("an attribute: read it with `get`"), "{error}");
    }
}

#[actix::test]
async fn what_is_nested_is_the_real_one() {
    let (_daemon, [here, there]) = accounts().await;
    for (moves, any) in [(1_u64, here.untyped()), (2, there.untyped())] {
        let street = format!("Elm St {moves}");
        assert_eq!(any.call("address.move_to", args![street.as_str()]).await, Ok(moves.into()));
        for proxy in [&here, &there] {
            assert_eq!(proxy.get::<String>("address.street").await.unwrap(), street);
            assert_eq!(proxy.get::<u64>("address.moves").await.unwrap(), moves);
        }
    }
    here.set("address.geo.lat", &1.5).await.unwrap();
    there.untyped().call("address.geo.swap", args![]).await.unwrap();
    assert_eq!(here.get_all::<(f64, f64)>(["address.geo.lat", "address.geo.long"]).await.unwrap(), (0.0, 1.5));
}

#[actix::test]
async fn an_error_of_something_nested_is_its_own() {
    let (_daemon, proxies) = accounts().await;
    for proxy in proxies {
        let Err(CallError::Failed(fault)) = proxy.untyped().call("address.move_to", args![""]).await else {
            panic!("it is no street");
        };
        assert_eq!((fault.class.as_str(), fault.message.as_str()), ("NoStreet", "\"\" is no street"));
    }
}

#[actix::test]
async fn places_and_keys_are_read_and_written() {
    let (_daemon, proxies) = accounts().await;
    proxies[0].send(Deposit { amount: 30 }).await.unwrap();
    for proxy in &proxies {
        assert_eq!(proxy.get::<i64>("history[0].amount").await.unwrap(), 30);
        proxy.set("history[0].remark", "rent").await.unwrap();
        assert_eq!(proxy.get::<Entry>("history[0]").await.unwrap().remark.as_deref(), Some("rent"));
        assert_eq!(proxy.get::<f64>("rates[\"eur\"]").await.unwrap(), 1.1);
        proxy.set("rates[\"usd\"]", &1.0).await.unwrap();
        assert_eq!(proxy.get::<BTreeMap<String, f64>>("rates").await.unwrap().len(), 2);
    }
}

#[actix::test]
async fn a_mistake_is_told_what_to_write_instead() {
    let (_daemon, proxies) = accounts().await;
    proxies[0].send(Deposit { amount: 30 }).await.unwrap();
    for proxy in &proxies {
        let set = async |path: &str| raised(proxy.set(path, "x").await);
        assert_eq!(set("ownr").await, r#"there is no attribute "ownr"; did you mean "owner"?"#);
        assert_eq!(
            set("address.stret").await,
            r#"there is no attribute "address.stret"; did you mean "address.street"?"#
        );
        assert_eq!(set("pin").await, r#"there is no attribute "pin""#);
        assert_eq!(set("balance").await, r#"the attribute "balance" can be read, but not written"#);
        assert_eq!(
            set("address").await,
            r#"the attribute "address" can be read, but not written; write its attributes"#
        );
        assert_eq!(set("history[1]").await, r#"there is no "history[1]": the list has 1, from 0 to 0"#);
        assert_eq!(set("history[-1]").await, r#"there is no "history[-1]": the list has 1, from 0 to 0"#);
        assert_eq!(
            set("history[0].amuont").await,
            r#"there is no attribute "history[0].amuont"; did you mean "history[0].amount"?"#
        );
        let unknown = set("history[0][\"amuont\"]").await;
        assert!(unknown.contains("did you mean"), "{unknown}");
        let wrong = set("history[0].amount").await;
        assert!(wrong.starts_with(r#"the attribute "history[0].amount" takes i64: "#), "{wrong}");
        let get = async |path: &str| raised(proxy.get::<String>(path).await);
        assert_eq!(
            get("rates[\"euro\"]").await,
            r#"there is no "rates[\"euro\"]": the map has no such key; did you mean "eur"?"#
        );
        assert!(get("owner[").await.contains("is no path"));
        assert!(get("balance").await.starts_with(r#"the attribute "balance" takes text: it was read, and"#));
        assert_eq!(proxy.get::<i64>("history[0].amount").await.unwrap(), 30, "nothing has changed");
        assert_eq!(proxy.get::<String>("owner").await.unwrap(), "alice");
    }
}

#[actix::test]
async fn several_are_read_at_once() {
    let (_daemon, proxies) = accounts().await;
    for proxy in &proxies {
        let (owner, balance) = proxy.get_all::<(String, u64)>(["owner", "balance"]).await.unwrap();
        assert_eq!((owner.as_str(), balance), ("alice", 0));
        let values = proxy.untyped().get_all(["owner", "rates[\"eur\"]"]).await.unwrap();
        assert_eq!(values, [Value::from("alice"), Value::from(1.1)]);
        let all = proxy.untyped().batch().set("owner", "eve").get("owner").set("owner", "alice").send().await;
        assert_eq!(all[1], Ok(Value::from("eve")));
    }
}

#[actix::test]
async fn compare_and_set_sets_what_was_expected() {
    let (_daemon, proxies) = accounts().await;
    for proxy in &proxies {
        proxy.compare_and_set("owner", "alice", "eve").await.unwrap();
        let error = raised(proxy.compare_and_set("owner", "alice", "bob").await);
        assert_eq!(error, r#"the attribute "owner" was not set: it is "eve" by now"#);
        proxy.untyped().compare_and_set("owner", "eve", "alice").await.unwrap();
    }
}

#[actix::test]
async fn methods_are_attributes_of_a_plain_struct() {
    let (_daemon, proxies) = both(Savings::default).await;
    for proxy in proxies {
        let savings = SavingsProxy::from(proxy.clone());
        savings.set_owner("eve").await.unwrap();
        assert_eq!(savings.owner().timeout_ms(5_000).await.unwrap(), "eve");
        assert_eq!(raised(savings.set_owner("").await), r#"the attribute "owner" was not set: "" is no street"#);
        assert_eq!(savings.length().await.unwrap(), 3);
        assert!(raised(proxy.set("length", &1).await).contains("not written"));
        savings.set_limit(5_u32).await.unwrap();
        assert_eq!((savings.raise(2).await.unwrap(), savings.limit().await.unwrap()), (7, 7));
        proxy.untyped().call("address.move_to", args!["Elm St 3"]).await.unwrap();
        assert_eq!(proxy.get::<String>("address.street").await.unwrap(), "Elm St 3");
    }
}

#[actix::test]
async fn fields_are_attributes_of_a_plain_struct() {
    let (_daemon, proxies) = both(|| Counter { count: 0 }).await;
    for proxy in proxies {
        proxy.set("count", &3_u64).await.unwrap();
        CounterProxy::from(proxy.clone()).add(2).await.unwrap();
        assert_eq!(proxy.get::<u64>("count").await.unwrap(), 5);
    }
}

#[actix::test]
async fn an_object_without_attributes_says_so() {
    #[derive(Default)]
    struct Bare;

    #[pyroxene::remote]
    impl Bare {
        pub fn ping(&self) {}
    }

    let (_daemon, proxies) = both(Bare::default).await;
    for any in proxies.map(|proxy| proxy.untyped()) {
        let Err(CallError::NotStarted(NotStarted::Unsupported { problem, .. })) = any.get("owner").await else {
            panic!("it has none");
        };
        assert!(problem.ends_with("has no attributes"), "{problem}");
    }
}
