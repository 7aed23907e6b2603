//! A shop in which each customer fills a basket of its own, which is gone when the customer leaves; and a till that is new for each call.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::sync::Arc;

use pyroxene::naming::resolve::NameResolver;
use pyroxene::object::local::LocalDaemons;
use pyroxene::{CallError, Client, ClientConfig, Daemon, Instances, NotStarted, Proxy};

#[derive(Default)]
struct Basket {
    items: Vec<String>,
}

#[pyroxene::remote]
impl Basket {
    /// Puts something in; all that is in it now.
    pub fn put(&mut self, item: String) -> Vec<String> {
        self.items.push(item);
        self.items.clone()
    }

    /// Drops it.
    pub fn drop_it(&mut self) {
        panic!("the basket is torn");
    }
}

#[derive(Default)]
struct Till {
    sum: u64,
}

#[pyroxene::remote]
impl Till {
    /// Adds the prices up.
    pub fn add_up(&mut self, prices: Vec<u64>) -> u64 {
        prices.iter().for_each(|price| self.sum += price);
        self.sum
    }
}

/// A customer comes over a connection of its own, although it is in this process.
fn customer() -> Client {
    let config = ClientConfig { local: LocalDaemons::default(), ..ClientConfig::default() };
    Client::new(config, Arc::new(NameResolver::default()))
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let baskets =
        daemon.object("basket", Basket::default).instances(Instances::PerSession).max_instances(2).spawn().await?;
    let basket_of = |client: &Client| BasketProxy::from(Proxy::lazy_with(client, baskets.uri().clone()));

    let (alice, bob, carol) = (customer(), customer(), customer());
    let (of_alice, of_bob) = (basket_of(&alice), basket_of(&bob));
    of_alice.put("apples".into()).await?;
    of_bob.put("bread".into()).await?;
    // All proxies of a customer are to the same basket.
    assert_eq!(basket_of(&alice).put("pears".into()).await?, ["apples", "pears"]);
    assert_eq!(of_bob.put("salt".into()).await?, ["bread", "salt"]);

    // What happens to one basket is nothing to the others.
    assert!(of_bob.drop_it().await.is_err());
    assert_eq!(of_bob.put("bread".into()).await?, ["bread"], "a new one");
    assert_eq!(of_alice.put("nuts".into()).await?, ["apples", "pears", "nuts"]);

    // There are two baskets. Whoever comes third is told so, and gets one when a customer has left.
    let error = basket_of(&carol).put("milk".into()).await.expect_err("there is none left");
    println!("{error}");
    assert!(matches!(error, CallError::NotStarted(NotStarted::Busy { .. })));
    drop(of_alice);
    alice.close();
    assert_eq!(basket_of(&carol).put("milk".into()).retry().await?, ["milk"]);

    // Nobody finds what somebody else has added up.
    let till = TillProxy::from(daemon.object("till", Till::default).instances(Instances::PerCall).spawn().await?);
    assert_eq!((till.add_up(vec![1, 2]).await?, till.add_up(vec![3]).await?), (3, 3));
    daemon.shutdown().await;
    Ok(())
}
