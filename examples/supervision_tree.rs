//! A shop whose parts belong together: the orders are worth nothing without the stock they were counted on, so both are started again
//! together; and a shop whose stock is lost again and again closes, and opens anew.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::sync::{Arc, Mutex};

use pyroxene::{CallError, Daemon, Proxy, Restart, Strategy};

/// What is opened, in its order.
#[derive(Clone, Default)]
struct Street(Arc<Mutex<Vec<&'static str>>>);

impl Street {
    fn opens(&self, what: &'static str) {
        println!("{what} opens");
        self.lock().push(what);
    }

    fn seen(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<&'static str>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

struct Part {
    count: u32,
}

impl Part {
    fn open(what: &'static str, street: &Street) -> Part {
        street.opens(what);
        Part { count: 0 }
    }
}

#[pyroxene::remote]
impl Part {
    /// One more; says how many there are now.
    pub fn add(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    /// Everything that was counted is lost.
    pub fn burn(&mut self) {
        panic!("the shelves are on fire");
    }
}

/// Hosts a part of the shop.
async fn part(
    daemon: &Daemon,
    street: &Street,
    name: &'static str,
    restart: Restart,
) -> Result<PartProxy, Box<dyn std::error::Error>> {
    let street = street.clone();
    let spawn = daemon.object(name, move || Part::open(name, &street)).owner("shop").restart(restart);
    Ok(PartProxy::from(spawn.spawn().await?))
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (daemon, street) = (Daemon::bind("127.0.0.1:0").await?, Street::default());
    let opens = street.clone();
    // Each part of it depends on those before it.
    let shop = daemon.object("shop", move || Part::open("shop", &opens)).strategy(Strategy::RestForOne);
    let shop: Proxy<Part> = shop.spawn().await?;

    let twice = Restart::on_failure().at_most(2).within_secs(60).backoff_ms(10..20);
    let sign = part(&daemon, &street, "shop.sign", twice.clone()).await?;
    let stock = part(&daemon, &street, "shop.stock", twice.clone().escalate()).await?;
    let orders = part(&daemon, &street, "shop.orders", twice).await?;
    assert_eq!(street.seen(), ["shop", "shop.sign", "shop.stock", "shop.orders"]);
    for part in [&sign, &stock, &orders] {
        assert_eq!(part.add().await?, 1);
    }

    // The stock is lost, and with it the orders, which came later. The sign stays as it was.
    assert!(matches!(stock.burn().await, Err(CallError::Failed(_))));
    assert_eq!((sign.add().await?, stock.add().await?, orders.add().await?), (2, 1, 1));
    assert_eq!(street.seen(), ["shop.stock", "shop.orders"]);

    // Twice is forgiven. The third time is the end of the shop as it was, and all of it begins anew.
    for _ in 0..2 {
        assert!(matches!(stock.burn().await, Err(CallError::Failed(_))));
        stock.add().await?;
        orders.add().await?;
    }
    println!("the sign was counted {} times since", sign.add().await?);
    let seen = street.seen();
    assert_eq!(seen[seen.len() - 4..], ["shop", "shop.sign", "shop.stock", "shop.orders"]);
    assert_eq!(shop.describe().await?.state, "running");
    daemon.shutdown().await;
    Ok(())
}
