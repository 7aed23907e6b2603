//! References as values: a customer hands her cart to a shop, which puts goods into it, and to a till in the shop, which looks what is there.
//! The cart stays where it is, with the customer.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

mod support;

use std::collections::HashMap;

use pyroxene::{CallError, Daemon};
use serde::{Deserialize, Serialize};

#[derive(Default)]
struct Cart {
    prices: Vec<u64>,
}

#[pyroxene::remote]
impl Cart {
    pub fn put(&mut self, price: u64) {
        self.prices.push(price);
    }

    pub fn total(&self) -> u64 {
        self.prices.iter().sum()
    }
}

/// In another process.
#[derive(Default)]
struct Shop {
    /// References can be kept, compared and looked up, as any value.
    sold: HashMap<CartProxy, u64>,
}

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("the cart cannot be reached: {0}")]
struct NoCart(String);

impl<E: std::error::Error> From<CallError<E>> for NoCart {
    fn from(error: CallError<E>) -> NoCart {
        NoCart(error.to_string())
    }
}

#[pyroxene::remote]
impl Shop {
    pub async fn sell(&mut self, price: u64, cart: CartProxy) -> Result<(), NoCart> {
        cart.put(price).await?;
        *self.sold.entry(cart).or_default() += 1;
        Ok(())
    }

    /// What is to be paid, and for how many goods of this shop.
    pub async fn check_out(&mut self, cart: CartProxy) -> Result<(u64, u64), NoCart> {
        let total = cart.total().await?;
        Ok((total, self.sold.remove(&cart).unwrap_or(0)))
    }
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if support::is_server() {
        return Ok(pyroxene::serve("shop", Shop::default).await?);
    }
    let _server = support::start().await?;
    let shop = ShopProxy::connect("PYRONAME://shop").wait_secs(5).await?;

    let daemon = Daemon::unbound().await?;
    let eves = CartProxy::from(daemon.host(Cart::default).spawn().await?);
    let bobs = CartProxy::from(daemon.host(Cart::default).spawn().await?);
    for price in [120, 80] {
        shop.sell(price, eves.clone()).await?;
    }
    shop.sell(35, bobs.clone()).await?;
    // Found on the way home.
    eves.put(5).await?;

    let (total, goods) = shop.check_out(eves).await?;
    println!("eve pays {total} for {goods} of the shop's goods");
    assert_eq!((total, goods), (205, 2));
    assert_eq!(shop.check_out(bobs).await?, (35, 1));
    Ok(())
}
