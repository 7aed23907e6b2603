//! Somebody who comes to the town, does all kinds of things, and leaves.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pyroxene::daemon::placement::Here;
use pyroxene::object::interface::Interface;
use pyroxene::{CallError, Client, Daemon, DaemonConfig, NotStarted, Proxy};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep, timeout};

use super::objects::{
    Basket, BasketProxy, Board, BoardProxy, CartProxy, Crier, CrierProxy, Part, PartProxy, Tally, TallyProxy, Town,
    TownProxy, limits,
};

/// No step takes so long, whatever happens.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often what was done, and how often it went well.
#[derive(Clone, Default)]
pub(super) struct Facts(Arc<Mutex<BTreeMap<&'static str, (u64, u64)>>>);

impl Facts {
    fn write(&self, what: &'static str, well: bool) {
        let mut facts = self.0.lock().unwrap();
        let (done, went_well) = facts.entry(what).or_default();
        *done += 1;
        *went_well += u64::from(well);
    }

    /// Whether everything went well sometimes, and sometimes something did not.
    pub(super) fn is_broad(&self) -> bool {
        let facts = self.0.lock().unwrap();
        facts.len() >= 13 && facts.values().all(|(_, well)| *well > 0) && facts.values().any(|(done, well)| done > well)
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = self.0.lock().unwrap();
        facts.iter().try_for_each(|(what, (done, well))| write!(f, "{what} {well} of {done}, "))
    }
}

/// What is called of a guest.
#[derive(Default)]
pub(super) struct Visitor {
    heard: u64,
}

#[pyroxene::remote]
impl Visitor {
    pub fn hear(&mut self, line: String) -> u64 {
        drop(line);
        self.heard += 1;
        self.heard
    }

    /// Calls back whoever calls; whether that is noticed.
    pub async fn ring(&mut self, tally: TallyProxy) -> bool {
        matches!(tally.add().timeout_ms(300).await, Err(CallError::NotStarted(NotStarted::Deadlock { .. })))
    }

    pub fn faint(&mut self) {
        panic!("a guest faints");
    }
}

pub(super) struct Guest {
    pub(super) seed: u64,
    pub(super) facts: Facts,
    /// What it leaves behind, although it should not.
    pub(super) left: Option<&'static str>,
    /// How long it stays.
    pub(super) until: Duration,
    /// Before each step it does nothing for at most so long.
    pub(super) pause_ms: u64,
}

/// One stay in the town, as one client.
struct Stay {
    client: Client,
    endpoint: String,
    daemon: Daemon,
    own: VisitorProxy,
    carts: Vec<CartProxy>,
    facts: Facts,
}

impl Guest {
    /// Comes and goes until its time is over.
    pub(super) async fn live(self, endpoint: &str, client: impl Fn(u64) -> Client) {
        let start = Instant::now();
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut stays = 0;
        while start.elapsed() < self.until {
            stays += 1;
            let mut stay = Stay::begin(client(self.seed + stays), endpoint, &self.facts).await;
            for _ in 0..rng.random_range(3..20) {
                sleep(Duration::from_millis(rng.random_range(0..self.pause_ms))).await;
                let what = rng.random_range(0..20);
                timeout(PATIENCE, stay.step(what, &mut rng)).await.unwrap_or_else(|_| panic!("step {what} hangs"));
                if start.elapsed() >= self.until {
                    break;
                }
            }
            if start.elapsed() >= self.until
                && let Some(left) = self.left
            {
                return stay.leave_behind(left).await;
            }
            stay.end().await;
        }
    }
}

impl Stay {
    async fn begin(client: Client, endpoint: &str, facts: &Facts) -> Stay {
        let config = DaemonConfig { placement: Some(Arc::new(Here)), limits: limits(), ..DaemonConfig::default() };
        let daemon = Daemon::unbound_with(config, client.clone()).await.unwrap();
        let own = VisitorProxy::from(daemon.supervise("guest", Visitor::default).await.unwrap());
        client.install();
        Stay { client, endpoint: endpoint.to_owned(), daemon, own, carts: Vec::new(), facts: facts.clone() }
    }

    fn to<P: From<Proxy<O>>, O: Interface>(&self, id: &str) -> P {
        let uri = format!("PYRO://{}/{id}", self.endpoint).parse().unwrap();
        Proxy::<O>::lazy_with(&self.client, uri).into()
    }

    fn town(&self) -> TownProxy {
        self.to::<_, Town>("town")
    }

    async fn step(&mut self, what: u32, rng: &mut StdRng) {
        let (name, well) = match what {
            0 | 1 => ("join", self.town().join(self.own.clone()).await.is_ok()),
            2 => ("cry", self.to::<CrierProxy, Crier>("crier").cry(self.own.clone()).await == Ok(true)),
            3 | 4 => ("greet", self.greet(rng).await),
            5..8 => ("open", self.open().await),
            8 => ("swap", self.swap().await),
            9 => ("count", self.count(rng).await),
            10 => ("watch a cart", self.watch_a_cart().await),
            11 => ("basket", self.basket(rng).await),
            12 | 13 => (
                "tally",
                self.to::<TallyProxy, Tally>(&format!("tallies.{}", rng.random_range(0..20))).add().await.is_ok(),
            ),
            14 => ("circle", self.circle(rng).await),
            15 => ("part", self.part(rng).await),
            16 => ("board", self.board(rng).await),
            17 => ("once", self.town().join(self.own.clone()).once().await.is_ok()),
            18 => ("batch", self.batch().await),
            _ => ("burn", self.burn(rng).await),
        };
        self.facts.write(name, well);
    }

    /// Calls somebody else, whom only the town is connected to.
    async fn greet(&mut self, rng: &mut StdRng) -> bool {
        let Ok(Some(somebody)) = self.town().somebody(rng.random()).await else { return false };
        if rng.random_range(0..4) == 0 {
            return matches!(somebody.faint().await, Err(CallError::Failed(_)));
        }
        somebody.hear("good day".to_owned()).await.is_ok()
    }

    async fn open(&mut self) -> bool {
        let Ok(cart) = self.town().open().await else { return false };
        let (mut put, mut tried) = (0, 0);
        let mut well = true;
        for _ in 0..3 {
            tried += 1;
            match cart.put().await {
                Ok(count) => {
                    put += 1;
                    assert!((put..=tried).contains(&count), "{put} to {tried} were put in, and there are {count}");
                }
                Err(_) => well = false,
            }
        }
        self.carts.push(cart);
        if self.carts.len() > 3 {
            self.carts.remove(0);
        }
        well
    }

    /// Gives a cart away and gets another one, which it calls.
    async fn swap(&mut self) -> bool {
        let Some(cart) = self.carts.pop() else { return false };
        match self.town().swap(cart).await {
            Ok(Some(other)) => {
                let well = other.put().await.is_ok();
                self.carts.push(other);
                well
            }
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Reads items, maybe not all of them.
    async fn count(&mut self, rng: &mut StdRng) -> bool {
        let Some(cart) = self.carts.last() else { return false };
        let Ok(mut items) = cart.count(1_000).await else { return false };
        let mut read = 0;
        while let Some(Ok(item)) = items.next().await {
            assert_eq!(item, read);
            read += 1;
            if rng.random_range(0..400) == 0 {
                return true;
            }
        }
        read == 1_000
    }

    /// Lets a cart go that it watches.
    async fn watch_a_cart(&mut self) -> bool {
        let Some(cart) = self.carts.pop() else { return false };
        let watch = cart.proxy().watch();
        timeout(Duration::from_millis(100), watch).await.is_err()
    }

    async fn basket(&mut self, rng: &mut StdRng) -> bool {
        let basket = self.to::<BasketProxy, Basket>("basket");
        if rng.random_range(0..5) == 0 {
            matches!(basket.tear().await, Err(CallError::Failed(_)))
        } else {
            basket.put().await.is_ok()
        }
    }

    async fn circle(&mut self, rng: &mut StdRng) -> bool {
        let tally = self.to::<TallyProxy, Tally>(&format!("tallies.{}", rng.random_range(0..20)));
        match tally.circle(self.own.clone()).await {
            Ok(noticed) => noticed == Some(true),
            Err(_) => false,
        }
    }

    async fn part(&mut self, rng: &mut StdRng) -> bool {
        let part = ["shop.till", "shop.store", "shop.door"][rng.random_range(0..3)];
        let part = self.to::<PartProxy, Part>(part);
        if rng.random_range(0..4) == 0 {
            matches!(part.fail().await, Err(CallError::Failed(_)))
        } else {
            part.work().await.is_ok()
        }
    }

    async fn board(&mut self, rng: &mut StdRng) -> bool {
        let board = self.to::<BoardProxy, Board>("board");
        let Ok(mut changes) = board.proxy().changes::<u64>("visits").await else { return false };
        let Some(Ok(before)) = changes.next().await else { return false };
        let written = board.proxy().set("headline", &format!("{} visits", rng.random_range(0..9))).await;
        if written.is_err() || board.visit().await.is_err() {
            return false;
        }
        matches!(timeout(Duration::from_secs(1), changes.next()).await, Ok(Some(Ok(now))) if now > before)
    }

    async fn batch(&mut self) -> bool {
        let Some(cart) = self.carts.last() else { return false };
        let puts = cart.proxy().batch().add_all((0..4).map(|_| cart.put())).send().await;
        puts.iter().all(Result::is_ok)
    }

    /// Now and then.
    async fn burn(&mut self, rng: &mut StdRng) -> bool {
        if rng.random_range(0..10) > 0 {
            return true;
        }
        matches!(self.town().burn().await, Err(CallError::Failed(_)))
    }

    /// Leaves in order: lets go of everything, and ends its connections.
    async fn end(self) {
        let Stay { client, daemon, own, carts, .. } = self;
        drop((own, carts));
        daemon.shutdown().await;
        client.close();
    }

    /// Stays, and keeps something.
    async fn leave_behind(mut self, what: &str) {
        match what {
            "a cart" => {
                while !self.open().await {
                    sleep(Duration::from_millis(100)).await;
                }
                self.carts.drain(..self.carts.len() - 1);
                std::future::pending::<()>().await;
            }
            "a watch" => {
                let _watch = self.town().proxy().watch().await;
            }
            _ => {
                while self.town().join(self.own.clone()).await.is_err() {
                    sleep(Duration::from_millis(100)).await;
                }
                std::future::pending::<()>().await;
            }
        }
    }
}
