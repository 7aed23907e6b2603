//! A type of somebody else becomes an object, without being changed: what can be called is listed, and each method is the type's own. Here
//! that is a map of the standard library.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::collections::BTreeMap;

use pyroxene::{Daemon, Proxy};

#[pyroxene::remote(adapter = BTreeMap<String, u64>)]
trait Stock {
    /// What has no body is what the map does.
    fn insert(&mut self, item: String, count: u64) -> Option<u64>;
    fn pop_first(&mut self) -> Option<(String, u64)>;
    #[remote(idempotent)]
    fn len(&self) -> usize;

    /// The map's own `get` borrows, and callers elsewhere cannot. In a body, `self.0` is the map.
    #[remote(idempotent)]
    fn count(&self, item: String) -> u64 {
        self.0.get(&item).copied().unwrap_or(0)
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    // After a failure there are three pears again.
    let opened = || StockAdapter(BTreeMap::from([("pears".to_owned(), 3)]));
    let stock: Proxy<StockAdapter> = daemon.supervise("stock", opened).await?;

    // Whoever calls knows the trait's proxy, and nothing of maps.
    let stock = StockProxy::from(stock);
    assert_eq!(stock.insert("apples".to_owned(), 7).await?, None);
    assert_eq!(stock.insert("apples".to_owned(), 8).await?, Some(7));
    assert_eq!(stock.len().await?, 2);
    println!("there are {} pears", stock.count("pears".to_owned()).await?);
    assert_eq!(stock.pop_first().await?, Some(("apples".to_owned(), 8)));
    assert_eq!(stock.count("apples".to_owned()).await?, 0);
    daemon.shutdown().await;
    Ok(())
}
