//! What there is in the town.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pyroxene::daemon::placement::Here;
use pyroxene::wire::Limits;
use pyroxene::{Client, Daemon, DaemonConfig, Instances, Items, Proxy, RemoteAttributes, Restart, Snapshot, Strategy};

use tokio::runtime::Handle;

use super::guest::VisitorProxy;

/// Objects that are there for good.
pub(super) const OBJECTS: u64 = 9;
/// Guests that the town remembers.
const REMEMBERED: usize = 12;

/// States of objects that come and go.
#[derive(Clone, Default)]
pub(super) struct Alive(Arc<AtomicU64>);

struct One(Alive);

impl Alive {
    fn one(&self) -> One {
        self.0.fetch_add(1, Ordering::SeqCst);
        One(self.clone())
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Remembers guests and makes carts.
pub(super) struct Town {
    daemon: Daemon,
    alive: Alive,
    runtime: Handle,
    /// Tasks that there were before anybody came.
    tasks: usize,
    guests: Vec<VisitorProxy>,
    carts: Vec<CartProxy>,
}

#[pyroxene::remote]
impl Town {
    /// Remembers a guest, and forgets another one.
    pub fn join(&mut self, guest: VisitorProxy) -> u64 {
        if self.guests.len() >= REMEMBERED {
            self.guests.remove(0);
        }
        self.guests.push(guest);
        self.guests.len() as u64
    }

    /// One of those it remembers.
    pub fn somebody(&self, which: u64) -> Option<VisitorProxy> {
        self.guests.get(which as usize % self.guests.len().max(1)).cloned()
    }

    /// A new cart, for as long as anybody holds it.
    pub async fn open(&mut self) -> CartProxy {
        let alive = self.alive.clone();
        let cart = self.daemon.host(move || Cart { items: 0, _one: alive.one() }).while_held();
        cart.spawn().await.expect("there is room").into()
    }

    /// Keeps a cart for whoever comes next; that one gets the one before.
    pub fn swap(&mut self, cart: CartProxy) -> Option<CartProxy> {
        self.carts.push(cart);
        if self.carts.len() > 3 { Some(self.carts.remove(0)) } else { None }
    }

    /// Forgets everybody and everything.
    #[remote(idempotent)]
    pub fn forget(&mut self) {
        self.guests.clear();
        self.carts.clear();
    }

    /// How many states there are of objects that come and go, and how many tasks more than before anybody came.
    #[remote(idempotent)]
    pub fn alive(&self) -> [u64; 2] {
        let tasks = self.runtime.metrics().num_alive_tasks().wrapping_sub(self.tasks);
        [self.alive.0.load(Ordering::SeqCst), tasks as u64]
    }

    /// Loses all it remembers.
    pub fn burn(&mut self) {
        panic!("the town burns");
    }
}

pub(super) struct Cart {
    items: u64,
    _one: One,
}

#[pyroxene::remote]
impl Cart {
    pub fn put(&mut self) -> u64 {
        self.items += 1;
        self.items
    }

    pub fn count(&self, to: u64) -> Items<u64> {
        Items::of(0..to)
    }
}

/// Each session has one.
pub(super) struct Basket {
    items: u64,
    _one: One,
}

#[pyroxene::remote]
impl Basket {
    pub fn put(&mut self) -> u64 {
        self.items += 1;
        self.items
    }

    pub fn tear(&mut self) {
        panic!("the bottom fell out");
    }
}

/// Calls guests, a new one for each call.
pub(super) struct Crier {
    _one: One,
}

#[pyroxene::remote]
impl Crier {
    /// Whether the guest has heard it.
    pub async fn cry(&mut self, guest: VisitorProxy) -> bool {
        guest.hear("it rains".to_owned()).timeout_ms(300).await.is_ok()
    }
}

/// Those that have a key.
pub(super) struct Tally {
    count: u64,
    _one: One,
}

#[pyroxene::remote]
impl Tally {
    pub fn add(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Whether the guest, who calls back, was told that nobody waits for itself; nothing, if it could not be reached.
    pub async fn circle(&mut self, guest: VisitorProxy) -> Option<bool> {
        let own: TallyProxy = Proxy::<Tally>::current()?.into();
        guest.ring(own).timeout_ms(500).await.ok()
    }
}

impl Snapshot for Tally {
    type Kept = u64;

    fn snapshot(&self) -> Option<u64> {
        Some(self.count)
    }
}

/// Part of a whole.
#[derive(Default)]
pub(super) struct Part {
    work: u64,
}

#[pyroxene::remote]
impl Part {
    pub fn work(&mut self) -> u64 {
        self.work += 1;
        self.work
    }

    pub fn fail(&mut self) {
        panic!("a part fails");
    }
}

/// Says what is new.
#[derive(Default, RemoteAttributes)]
pub(super) struct Board {
    #[remote(attr)]
    headline: String,
    #[remote(attr)]
    visits: u64,
}

#[pyroxene::remote(attributes)]
impl Board {
    pub fn visit(&mut self) -> u64 {
        self.visits += 1;
        self.visits
    }
}

pub(super) fn limits() -> Limits {
    Limits { silence_ms: 500, lease_ms: 1_500, resume_ms: 1_000, session_ms: 2_000, ..Limits::default() }
}

/// The daemon of the town.
pub(super) async fn daemon(
    client: Client,
    endpoint: &str,
    arbiters: Option<usize>,
) -> Result<Daemon, Box<dyn std::error::Error>> {
    let placement: Arc<dyn pyroxene::daemon::placement::Placement> = match arbiters {
        Some(count) => Arc::new(pyroxene::daemon::placement::Arbiters::start(count)),
        None => Arc::new(Here),
    };
    let config = DaemonConfig {
        placement: Some(placement),
        // Only simulated machines can reach it, or this one.
        insecure: true,
        limits: limits(),
        ..DaemonConfig::default()
    };
    Ok(Daemon::bind_with(config, client, &endpoint.parse()?).await?)
}

pub(super) async fn host(daemon: &Daemon) -> Result<(), Box<dyn std::error::Error>> {
    let alive = Alive::default();
    let often = || Restart::on_failure().at_most(u32::MAX).backoff_ms(1..20);
    let town = {
        let (daemon, alive, runtime) = (daemon.clone(), alive.clone(), Handle::current());
        // One more looks after the tallies, below.
        let tasks = runtime.metrics().num_alive_tasks() + 1;
        move || Town {
            daemon: daemon.clone(),
            alive: alive.clone(),
            runtime: runtime.clone(),
            tasks,
            guests: Vec::new(),
            carts: Vec::new(),
        }
    };
    daemon.object("town", town).id("town").restart(often()).spawn().await?;
    let of = alive.clone();
    let basket = daemon.object("basket", move || Basket { items: 0, _one: of.one() }).id("basket");
    basket.instances(Instances::PerSession).restart(often()).spawn().await?;
    let of = alive.clone();
    let crier = daemon.object("crier", move || Crier { _one: of.one() }).id("crier");
    crier.instances(Instances::PerCall).spawn().await?;
    let of = alive;
    let tallies = daemon.keyed("tallies", move |_: &str, kept| Tally { count: kept.unwrap_or(0), _one: of.one() });
    tallies.at_most(8).idle_secs(1).save_within_secs(1).restart(often()).spawn().await?;
    daemon.object("shop", Part::default).id("shop").strategy(Strategy::OneForAll).spawn().await?;
    for part in ["shop.till", "shop.store", "shop.door"] {
        daemon.object(part, Part::default).id(part).owner("shop").restart(often()).spawn().await?;
    }
    daemon.object("board", Board::default).id("board").spawn().await?;
    Ok(())
}
