//! A town in which everything is done at once that objects and references can: guests that only connect come and go, call and are called back,
//! pass on what they were given, watch, and keep things; links are held up and cut, and objects panic. Afterwards nothing is left of it.
//!
//! In the simulation what happens follows from a seed: `TOWN_SEED=n` repeats a run, `TOWN_SEEDS=n` says how many there are. With real processes
//! it does not. Both are checked by leaving something behind on purpose.

mod guest;
mod objects;
pub(crate) mod processes;

use std::sync::Arc;
use std::time::Duration;

use pyroxene::daemon::introspection::{DaemonObject, GetUsage};
use pyroxene::transport::Network;
use pyroxene::{Client, Proxy, Usage};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use crate::simulation::network::{SimulatedNetwork, world};
use crate::support::pair::impatient_client;
use guest::{Facts, Guest};
use objects::{Town, TownProxy};

const GUESTS: u64 = 50;
/// The last fault is over, and all guests have left, by then.
const CALM: Duration = Duration::from_secs(8);
const SEEDS: u64 = 2;

#[test]
#[expect(clippy::print_stderr, reason = "the figures of a long run are for whoever started it")]
fn when_all_have_left_nothing_is_left() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match (number("TOWN_SEED"), number("TOWN_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(SEEDS),
    };
    let facts = Facts::default();
    for seed in seeds.clone() {
        if let Err(left) = run(seed, GUESTS, &facts, None) {
            panic!("seed {seed}: {left}\nrun it again: TOWN_SEED={seed} cargo test --test it town");
        }
    }
    eprintln!("{} seeds: {facts}", seeds.count());
    assert!(facts.is_broad(), "not everything was done, so nothing was checked: {facts}");
}

#[test]
fn whatever_is_left_behind_is_seen() {
    for left in ["a cart", "a watch", "a guest"] {
        let found = run(0, 5, &Facts::default(), Some(left));
        let seen = found.is_err_and(|left| left.starts_with("left are"));
        assert!(seen, "{left} was left behind, and nobody has seen it");
    }
}

/// Runs the simulation of a seed to its end; what is left then, if anything is.
fn run(seed: u64, guests: u64, facts: &Facts, left: Option<&'static str>) -> Result<(), String> {
    let mut sim = world(seed);
    sim.host("town", move || async move {
        let client = client(seed << 16, SimulatedNetwork::default());
        client.install();
        let daemon = objects::daemon(client, "town:7000", None).await?;
        objects::host(&daemon).await?;
        std::future::pending().await
    });
    for number in 0..guests {
        let guest_seed = (seed << 16) + 256 * (number + 1);
        let (facts, left) = (facts.clone(), left.filter(|_| number == 0));
        sim.host(name(number), move || {
            let (facts, until, pause_ms) = (facts.clone(), Duration::from_secs(6), 150);
            let guest = Guest { seed: guest_seed, facts, left, until, pause_ms };
            async move {
                guest
                    .live("town:7000", |seed| {
                        client(seed, SimulatedNetwork { breaks: Some(seed), ..Default::default() })
                    })
                    .await;
                // Whoever keeps something keeps it.
                std::future::pending().await
            }
        });
    }
    let found = Arc::new(std::sync::Mutex::new(Err("nobody has looked".to_owned())));
    let seen = Arc::clone(&found);
    sim.client("inspector", async move {
        tokio::time::sleep(CALM).await;
        let client = client((seed << 16) + 1, SimulatedNetwork::default());
        *seen.lock().unwrap() = inspect(&client, "town:7000", Duration::from_secs(20)).await;
        Ok(())
    });
    let mut schedule = schedule(seed, guests);
    schedule.reverse();
    loop {
        while let Some((at, number, fault)) = schedule.last()
            && *at <= sim.elapsed()
        {
            act(&mut sim, &name(*number), *fault);
            schedule.pop();
        }
        match sim.step() {
            Ok(false) => {}
            Ok(true) => return found.lock().unwrap().clone(),
            Err(problem) => return Err(problem.to_string()),
        }
    }
}

fn name(number: u64) -> String {
    format!("guest{number}")
}

#[derive(Clone, Copy)]
enum Fault {
    Hold,
    Cut,
    Heal,
    /// It ends without a word, and comes back.
    Crash,
    Bounce,
}

fn act(sim: &mut turmoil::Sim<'_>, guest: &str, fault: Fault) {
    match fault {
        Fault::Hold => sim.hold(guest, "town"),
        Fault::Cut => sim.partition(guest, "town"),
        Fault::Heal => {
            sim.release(guest, "town");
            sim.repair(guest, "town");
        }
        Fault::Crash => sim.crash(guest),
        Fault::Bounce => sim.bounce(guest),
    }
}

/// What goes wrong, in the order of time; whatever breaks is mended before it is calm. The first guest only loses its connections.
fn schedule(seed: u64, guests: u64) -> Vec<(Duration, u64, Fault)> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut schedule = Vec::new();
    for guest in 1..guests {
        let mut at = rng.random_range(100..4_000);
        while at < 4_500 {
            let (fault, mended) = match rng.random_range(0..6) {
                0 => (Fault::Crash, Fault::Bounce),
                1..4 => (Fault::Hold, Fault::Heal),
                _ => (Fault::Cut, Fault::Heal),
            };
            schedule.push((Duration::from_millis(at), guest, fault));
            at += rng.random_range(20..1_000);
            schedule.push((Duration::from_millis(at), guest, mended));
            at += rng.random_range(500..4_000);
        }
    }
    schedule.sort_by_key(|(at, ..)| *at);
    schedule
}

/// A client of a guest, or of whoever inspects.
fn client(seed: u64, network: SimulatedNetwork) -> Client {
    client_with(Arc::new(network), Some(seed))
}

fn client_with(network: Arc<dyn Network>, seed: Option<u64>) -> Client {
    impatient_client(network, seed, objects::limits())
}

/// Looks whether the town is as it was before anybody came; it gets some time for it.
async fn inspect(client: &Client, endpoint: &str, patience: Duration) -> Result<(), String> {
    let start = Instant::now();
    let town = TownProxy::from(Proxy::<Town>::lazy_with(client, format!("PYRO://{endpoint}/town").parse().unwrap()));
    let monitor = Proxy::<DaemonObject>::lazy_with(client, format!("PYRO://{endpoint}/Pyro.Daemon").parse().unwrap());
    // What guests have left in its hands, it lets go of.
    town.forget().retry().await.map_err(|error| format!("the town does not answer: {error}"))?;
    loop {
        let mut usage: Usage = monitor.send(GetUsage).retry().await.map_err(|error| error.to_string())?;
        let [states, tasks] = town.alive().retry().await.map_err(|error| error.to_string())?;
        // The inspector itself has one connection, over which two objects are open.
        (usage.connections, usage.opened) = (usage.connections - 1, usage.opened.saturating_sub(2));
        let mut nothing = Usage::default();
        nothing.objects = objects::OBJECTS;
        if usage == nothing && [states, tasks] == [0, 0] {
            return Ok(());
        }
        if start.elapsed() > patience {
            return Err(format!("left are {usage:?}, {states} states of objects, and {tasks} tasks"));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
