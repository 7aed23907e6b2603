//! Two ends that were built at different times.

use pyroxene::{CallError, NotStarted, Proxy, RemoteMessage};
use serde::{Deserialize, Serialize};

use crate::support::pair::Pair;

/// What the server has.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    item: String,
    count: u64,
    #[serde(default)]
    gift: bool,
}

struct Shop;

#[pyroxene::remote]
impl Shop {
    pub fn order(&self, item: String, count: u64, gift: Option<bool>) -> String {
        format!("{count} {item}{}", if gift == Some(true) { " as a gift" } else { "" })
    }

    pub fn place(&self, order: Order) -> String {
        format!("{} {} {}", order.count, order.item, order.gift)
    }
}

/// An older client's: it has no `gift`, and its fields stand in another order.
#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "String", name = "order")]
struct OlderOrder {
    count: u64,
    item: String,
}

/// A client's that thinks of something else.
#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "String", name = "order")]
struct OtherOrder {
    dish: String,
}

#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "String", name = "place")]
struct OlderPlace {
    order: OlderOrder,
}

#[actix::test]
async fn ends_that_disagree_on_a_shape_talk_in_named_fields() {
    let pair = Pair::memory().await;
    let shop = pair.host("shop", || Shop).await;
    assert_eq!(ShopProxy::from(shop.clone()).order("tea".into(), 2, Some(true)).await.unwrap(), "2 tea as a gift");
    let any = Proxy::<pyroxene::Any>::connect_with(&pair.client, shop.uri()).await.unwrap();
    assert_eq!(any.send(OlderOrder { count: 2, item: "tea".into() }).await.unwrap(), "2 tea");
    let order = OlderOrder { count: 3, item: "jam".into() };
    assert_eq!(any.send(OlderPlace { order }).await.unwrap(), "3 jam false");
}

#[actix::test]
async fn a_message_that_does_not_fit_even_so_is_refused_by_the_name_of_its_field() {
    let pair = Pair::memory().await;
    let shop = pair.host("shop", || Shop).await;
    let any = Proxy::<pyroxene::Any>::connect_with(&pair.client, shop.uri()).await.unwrap();
    let error = any.send(OtherOrder { dish: "soup".into() }).await.unwrap_err();
    let CallError::NotStarted(NotStarted::WrongArguments { problem, signature, .. }) = &error else {
        panic!("{error:?}");
    };
    assert!(problem.contains("\"dish\""), "{problem}");
    assert!(signature.contains("item: text"), "{signature}");
}
