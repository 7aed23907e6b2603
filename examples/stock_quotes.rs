//! A market that tells its prices: each of its readers has a stream of quotes, one of them leaves, and a third looks at a single price, which is
//! an attribute. Nobody is called back, and the market asks nobody whether they are still there.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

mod support;

use std::collections::BTreeMap;

use pyroxene::object::items::ItemSender;
use pyroxene::{Items, Proxy};
use serde::{Deserialize, Serialize};

/// Quotes that a reader may be behind before the market waits for it.
const BEHIND: usize = 64;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Quote {
    symbol: String,
    price: f64,
}

/// Lives in another process.
#[derive(Default)]
struct Market {
    rates: BTreeMap<String, f64>,
    readers: Vec<ItemSender<Quote>>,
}

#[pyroxene::remote]
impl Market {
    /// What everything costs now.
    #[remote(attr(read))]
    pub fn rates(&self) -> BTreeMap<String, f64> {
        self.rates.clone()
    }

    /// The quotes from now on.
    pub fn quotes(&mut self) -> Items<Quote> {
        let (reader, quotes) = Items::channel(BEHIND);
        self.readers.push(reader);
        quotes
    }

    /// Something has another price; how many hear of it.
    pub async fn trade(&mut self, symbol: String, price: f64) -> usize {
        let mut readers = Vec::new();
        for reader in std::mem::take(&mut self.readers) {
            // An error says that nobody reads any more.
            if reader.send(Quote { symbol: symbol.clone(), price }).await.is_ok() {
                readers.push(reader);
            }
        }
        self.readers = readers;
        self.rates.insert(symbol, price);
        self.readers.len()
    }

    /// No more quotes.
    pub fn close(&mut self) {
        self.readers.clear();
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if support::is_server() {
        return Ok(pyroxene::serve("market", Market::default).await?);
    }
    let _server = support::start().await?;
    let proxy = Proxy::<Market>::connect("PYRONAME://market").wait_secs(5).await?;
    let market = MarketProxy::from(proxy.clone());

    assert_eq!(market.trade("eur".to_owned(), 1.25).await?, 0);
    let (mut eve, mut bob) = (market.quotes().await?, market.quotes().await?);
    let mut euro = proxy.changes::<f64>("rates[\"eur\"]").await?;
    assert_eq!(euro.next().await, Some(Ok(1.25)), "the price now");

    for (symbol, price) in [("gold", 70.0), ("eur", 1.5)] {
        assert_eq!(market.trade(symbol.to_owned(), price).await?, 2);
        for reader in [&mut eve, &mut bob] {
            let quote = reader.next().await.transpose()?;
            println!("{quote:?}");
            assert_eq!(quote, Some(Quote { symbol: symbol.to_owned(), price }));
        }
    }
    assert_eq!(euro.next().await, Some(Ok(1.5)), "and not a word of gold");

    // Bob has seen enough. The market finds out when it has something to tell him.
    drop(bob);
    while market.trade("gold".to_owned(), 71.0).await? > 1 {}
    println!("bob has left");

    market.close().await?;
    let mut quotes = Vec::new();
    while let Some(quote) = eve.next().await {
        quotes.push(quote?);
    }
    println!("eve has heard {} more", quotes.len());
    assert!(!quotes.is_empty() && quotes.iter().all(|quote| quote.symbol == "gold"));
    Ok(())
}
