use pyroxene::CallError;

use super::*;

#[actix::test]
async fn a_watch_begins_with_the_value_and_goes_on_with_changes() {
    let (_daemon, proxies) = accounts().await;
    for proxy in &proxies {
        let before: u64 = proxy.get("balance").await.unwrap();
        let mut changes = proxy.changes::<u64>("balance").await.unwrap();
        assert_eq!(changes.next().await, Some(Ok(before)));
        proxy.send(Deposit { amount: 30 }).await.unwrap();
        assert_eq!(changes.next().await, Some(Ok(before + 30)));
        proxy.set("owner", "eve").await.unwrap();
        proxy.send(Deposit { amount: 1 }).await.unwrap();
        assert_eq!(changes.next().await, Some(Ok(before + 31)), "another attribute is no change of this one");
    }
}

#[actix::test]
async fn a_watch_sees_what_async_methods_do() {
    let (_daemon, proxies) = both(Savings::default).await;
    for proxy in proxies {
        let savings = SavingsProxy::from(proxy.clone());
        let mut limits = proxy.changes::<u32>("limit").await.unwrap();
        let before = limits.next().await.unwrap().unwrap();
        savings.raise(2).await.unwrap();
        assert_eq!(limits.next().await, Some(Ok(before + 2)));
    }
}

#[actix::test]
async fn a_watch_ends_with_the_object() {
    let (daemon, proxies) = accounts().await;
    for proxy in &proxies {
        let mut changes = proxy.changes::<u64>("balance").await.unwrap();
        changes.next().await.unwrap().unwrap();
        // It panics, and is built anew.
        assert!(proxy.send(Deposit { amount: 13 }).await.is_err());
        let ended = changes.next().await.unwrap().unwrap_err();
        assert!(matches!(ended, CallError::Unknown(_)), "{ended}");
        assert_eq!(changes.next().await, None);
        assert_eq!(proxy.get::<u64>("balance").await.unwrap(), 0);
    }
    let mut changes = proxies[0].changes::<u64>("balance").await.unwrap();
    changes.next().await.unwrap().unwrap();
    drop(daemon);
}

#[actix::test]
async fn a_watch_of_a_place_ends_where_the_place_does() {
    let (_daemon, proxies) = accounts().await;
    for proxy in &proxies {
        proxy.send(Deposit { amount: 1 }).await.unwrap();
        let mut first = proxy.changes::<i64>("history[0].amount").await.unwrap();
        assert_eq!(first.next().await, Some(Ok(1)));
        proxy.set::<[Entry]>("history", &[]).await.unwrap();
        let Some(Err(CallError::Failed(fault))) = first.next().await else { panic!("there is no such place") };
        assert_eq!(fault.class, "AttributeError");
        assert!(fault.message.contains("the list is empty"), "{}", fault.message);
    }
}

#[actix::test]
async fn what_is_not_there_is_not_watched() {
    let (_daemon, proxies) = accounts().await;
    for proxy in &proxies {
        assert!(matches!(proxy.changes::<u64>("balanc").await, Err(CallError::Raised(_))));
        assert!(matches!(proxy.untyped().changes("balanc").await, Err(CallError::Raised(_))));
    }
}
