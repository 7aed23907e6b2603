//! Ends that were built at different times: an older and a newer version of one object, in all four combinations, and changes that do not
//! fit.

use pyroxene::codec::fault::Detail;
use pyroxene::{CallError, NotStarted, Proxy, RemoteMessage, RemoteObject, Value};
use serde::{Deserialize, Serialize};

use crate::support::pair::Pair;

/// As it was first built.
mod older {
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Order {
        pub(super) item: String,
        pub(super) count: u32,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Receipt {
        pub(super) text: String,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
    #[error("{item} is sold out")]
    pub(super) struct SoldOut {
        pub(super) item: String,
    }

    pub(super) struct Shop;

    #[pyroxene::remote]
    impl Shop {
        pub fn place(&self, order: Order) -> Result<Receipt, SoldOut> {
            match order.item.as_str() {
                "nothing" => Err(SoldOut { item: order.item }),
                _ => Ok(Receipt { text: format!("{} {}", order.count, order.item) }),
            }
        }

        pub fn ask(&self, item: String) -> bool {
            item != "nothing"
        }
    }
}

/// The same, later: everything has one field more, none of which the older end has to know.
mod newer {
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Order {
        pub(super) item: String,
        #[serde(default)]
        pub(super) gift: bool,
        pub(super) count: u64,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Receipt {
        pub(super) text: String,
        pub(super) number: Option<u64>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
    #[error("{item} is sold out")]
    pub(super) struct SoldOut {
        pub(super) item: String,
        #[serde(default)]
        pub(super) back_in_days: u32,
    }

    pub(super) struct Shop;

    #[pyroxene::remote]
    impl Shop {
        pub fn place(&self, order: Order) -> Result<Receipt, SoldOut> {
            let gift = if order.gift { " as a gift" } else { "" };
            match order.item.as_str() {
                "nothing" => Err(SoldOut { item: order.item, back_in_days: 3 }),
                _ => Ok(Receipt { text: format!("{} {}{gift}", order.count, order.item), number: Some(1) }),
            }
        }

        pub fn ask(&self, item: String, town: Option<String>) -> bool {
            item != "nothing" && town.is_none_or(|town| town == "here")
        }
    }
}

/// An object as somebody with other types sees it: only the names of its methods need be the same.
async fn hosted<O: RemoteObject, A: RemoteObject>(pair: &Pair, factory: fn() -> O) -> Proxy<A> {
    let object = pair.host("shop", factory).await;
    Proxy::connect_with(&pair.client, object.uri()).await.unwrap()
}

fn older_order(item: &str) -> older::Order {
    older::Order { item: item.into(), count: 2 }
}

fn newer_order(item: &str, gift: bool) -> newer::Order {
    newer::Order { item: item.into(), gift, count: 2 }
}

#[actix::test]
async fn an_older_client_calls_an_older_object() {
    let pair = Pair::memory().await;
    let shop = older::ShopProxy::from(hosted::<_, older::Shop>(&pair, || older::Shop).await);
    assert_eq!(shop.place(older_order("tea")).await.unwrap().text, "2 tea");
    assert_eq!(shop.ask("tea".into()).await, Ok(true));
    let error = shop.place(older_order("nothing")).await.unwrap_err();
    assert_eq!(error, CallError::Raised(older::SoldOut { item: "nothing".into() }));
}

#[actix::test]
async fn an_older_client_calls_a_newer_object() {
    let pair = Pair::memory().await;
    let shop = older::ShopProxy::from(hosted::<_, older::Shop>(&pair, || newer::Shop).await);
    // What the message lacks has its default; what the reply and the error have in addition is passed over.
    assert_eq!(shop.place(older_order("tea")).await.unwrap().text, "2 tea");
    assert_eq!(shop.ask("tea".into()).await, Ok(true));
    let error = shop.place(older_order("nothing")).await.unwrap_err();
    assert_eq!(error, CallError::Raised(older::SoldOut { item: "nothing".into() }));
}

#[actix::test]
async fn a_newer_client_calls_an_older_object() {
    let pair = Pair::memory().await;
    let shop = newer::ShopProxy::from(hosted::<_, newer::Shop>(&pair, || older::Shop).await);
    // What the object does not know inside of an argument is passed over; what the reply and the error lack has its default.
    let receipt = shop.place(newer_order("tea", true)).await.unwrap();
    assert_eq!(receipt, newer::Receipt { text: "2 tea".into(), number: None });
    let error = shop.place(newer_order("nothing", false)).await.unwrap_err();
    assert_eq!(error, CallError::Raised(newer::SoldOut { item: "nothing".into(), back_in_days: 0 }));
    // An argument that the object does not know is nothing to it, as long as it says nothing …
    assert_eq!(shop.ask("tea".into(), None).await, Ok(true));
    // … and is not dropped in silence otherwise.
    let error = shop.ask("tea".into(), Some("there".into())).await.unwrap_err();
    let CallError::NotStarted(NotStarted::WrongArguments { problem, .. }) = &error else { panic!("{error:?}") };
    assert_eq!(problem, "ask() has no argument \"town\"; it takes item");
}

#[actix::test]
async fn a_newer_client_calls_a_newer_object() {
    let pair = Pair::memory().await;
    let shop = newer::ShopProxy::from(hosted::<_, newer::Shop>(&pair, || newer::Shop).await);
    let receipt = shop.place(newer_order("tea", true)).await.unwrap();
    assert_eq!(receipt, newer::Receipt { text: "2 tea as a gift".into(), number: Some(1) });
    assert_eq!(shop.ask("tea".into(), Some("there".into())).await, Ok(false));
    let error = shop.place(newer_order("nothing", false)).await.unwrap_err();
    assert_eq!(error, CallError::Raised(newer::SoldOut { item: "nothing".into(), back_in_days: 3 }));
}

/// A field that was renamed, at the end that reads it.
struct Renamed;

#[derive(Serialize, Deserialize)]
struct RenamedOrder {
    #[serde(alias = "item")]
    thing: String,
    count: u8,
}

#[pyroxene::remote]
impl Renamed {
    pub fn place(&self, order: RenamedOrder) -> older::Receipt {
        older::Receipt { text: format!("{} {}", order.count, order.thing) }
    }

    pub fn ask(&self, item: String) -> bool {
        item.is_empty()
    }
}

#[actix::test]
async fn a_renamed_field_fits_by_its_alias_and_a_narrower_number_while_it_is_small() {
    let pair = Pair::memory().await;
    let shop = older::ShopProxy::from(hosted::<_, older::Shop>(&pair, || Renamed).await);
    assert_eq!(shop.place(older_order("tea")).await.unwrap().text, "2 tea");
    let error = shop.place(older::Order { item: "tea".into(), count: 300 }).await.unwrap_err();
    assert!(!error.may_have_run() && error.to_string().contains("\"order.count\""), "{error}");
}

/// A change of the message that does not fit: a field is of another type.
#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "bool", name = "ask")]
struct AskByNumber {
    item: u64,
}

/// A field is missing that the object cannot do without.
#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "bool", name = "ask")]
struct AskForAnything {
    town: Option<String>,
}

/// The same inside of an argument.
#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "older::Receipt", name = "place")]
struct PlaceVaguely {
    order: Vague,
}

#[derive(Serialize, Deserialize)]
struct Vague {
    item: String,
    count: String,
}

/// What a message that does not fit is answered with.
async fn refusal<M: RemoteMessage>(pair: &Pair, message: M) -> String
where
    M::Reply: std::fmt::Debug,
{
    let shop = hosted::<_, older::Shop>(pair, || older::Shop).await.cast::<pyroxene::Any>();
    let error = shop.send(message).await.unwrap_err();
    assert!(matches!(error, CallError::NotStarted(NotStarted::WrongArguments { .. })), "{error:?}");
    error.to_string()
}

#[actix::test]
async fn a_message_that_does_not_fit_is_refused_with_its_field_and_both_signatures() {
    let pair = Pair::memory().await;
    assert_eq!(
        refusal(&pair, AskByNumber { item: 7 }).await,
        "did not run: ask() argument \"item\": expected a string, found 7; \
         the object expects ask(item: text) -> bool, the caller has ask(item: u64) -> bool"
    );
}

#[actix::test]
async fn a_field_that_is_required_is_asked_for_with_both_signatures() {
    let pair = Pair::memory().await;
    assert_eq!(
        refusal(&pair, AskForAnything { town: None }).await,
        "did not run: ask() is missing its argument \"item\": expected a string; \
         the object expects ask(item: text) -> bool, the caller has ask(town: text?) -> bool"
    );
}

#[actix::test]
async fn a_field_inside_an_argument_is_named_by_its_path() {
    let pair = Pair::memory().await;
    let order = Vague { item: "tea".into(), count: "a few".into() };
    assert_eq!(
        refusal(&pair, PlaceVaguely { order }).await,
        "did not run: place() argument \"order.count\": expected u32, found text \"a few\"; \
         the object expects place(order: Order { item: text, count: u32 }) -> Receipt { text: text } raises SoldOut { item: text }, \
         the caller has place(order: Vague { item: text, count: text }) -> Receipt { text: text }"
    );
}

#[actix::test]
async fn another_message_in_the_same_process_is_told_with_both_signatures() {
    let pair = Pair::memory().await;
    let here = pair.daemon.supervise("shop", || older::Shop).await.unwrap().cast::<pyroxene::Any>();
    assert!(here.is_local());
    let error = here.send(AskByNumber { item: 7 }).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "did not run: ask was called with another message; \
         the object expects ask(item: text) -> bool, the caller has ask(item: u64) -> bool"
    );
}

/// A change of the reply that does not fit.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Slip {
    text: String,
    price: u64,
}

#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "Result<Slip, Gone>", name = "place")]
struct PlaceForSlip {
    order: older::Order,
}

/// One where a field is of another type.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Numbered {
    text: u64,
}

#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "Numbered", name = "place")]
struct PlaceForNumber {
    order: older::Order,
}

/// Another error altogether, and one with a field that the older one lacks.
#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{item} is gone")]
struct Gone {
    item: String,
}

mod pickier {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, thiserror::Error)]
    #[error("{item} is sold out in {town}")]
    pub(super) struct SoldOut {
        pub(super) item: String,
        pub(super) town: String,
    }
}

#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "Result<older::Receipt, pickier::SoldOut>", name = "place")]
struct PlacePickily {
    order: older::Order,
}

#[actix::test]
async fn a_reply_that_does_not_fit_has_run_and_says_which_field() {
    let pair = Pair::memory().await;
    let shop = hosted::<_, older::Shop>(&pair, || older::Shop).await.cast::<pyroxene::Any>();
    let error = shop.send(PlaceForSlip { order: older_order("tea") }).await.unwrap_err();
    assert!(error.may_have_run());
    let CallError::Failed(fault) = &error else { panic!("{error:?}") };
    assert_eq!(fault.class, "Pyroxene.UnreadableReply");
    let says = "the object has another signature, \
                the caller has place(order: Order { item: text, count: u32 }) -> Slip { text: text, price: u64 }";
    for says in ["place ran, but its reply cannot be read here: ", "the field \"price\" is missing", says] {
        assert!(fault.message.contains(says), "{says}: {}", fault.message);
    }
    let error = shop.send(PlaceForNumber { order: older_order("tea") }).await.unwrap_err().to_string();
    assert!(error.contains("text: expected u64, found text \"2 tea\""), "{error}");
}

#[actix::test]
async fn an_error_that_does_not_fit_arrives_as_a_fault_with_all_it_said() {
    let pair = Pair::memory().await;
    let shop = hosted::<_, older::Shop>(&pair, || older::Shop).await.cast::<pyroxene::Any>();
    let order = || older_order("nothing");
    let faults = [
        shop.send(PlaceForSlip { order: order() }).await.map(drop).map_err(|error| error.map_raised(drop)),
        shop.send(PlacePickily { order: order() }).await.map(drop).map_err(|error| error.map_raised(drop)),
    ];
    for ended in faults {
        let Err(CallError::Failed(fault)) = ended else { panic!("{ended:?}") };
        assert_eq!((fault.class.as_str(), fault.message.as_str()), ("SoldOut", "nothing is sold out"));
        let Detail::Value(detail) = &fault.detail else { panic!("{fault:?}") };
        assert_eq!(detail.get("item"), Some(&Value::from("nothing")));
    }
}
