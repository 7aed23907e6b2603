//! The town and its guests as processes of their own, some of which are killed.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::Client;
use pyroxene::transport::{Network, SystemNetwork};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::guest::{Facts, Guest};
use super::{client_with, inspect, objects};
use crate::processes::{Server, say};
use crate::support::flaky::{Fault, Flaky, Plan};

const TOWN: &str = "TEST_TOWN";
const SEED: &str = "TEST_TOWN_SEED";
const PROCESSES: u64 = 5;
const GUESTS: u64 = 10;
/// Streams of one guest that are no good.
const BAD: u64 = 6;

/// The town, until it is killed.
pub(crate) async fn serve() {
    let client = client_with(Arc::new(SystemNetwork), None);
    client.install();
    let daemon = objects::daemon(client, "127.0.0.1:0", Some(2)).await.unwrap();
    objects::host(&daemon).await.unwrap();
    say(&format!("town {}", daemon.endpoint()));
    std::future::pending::<()>().await;
}

/// Some guests, each on a thread of its own, as if they were programs of their own.
pub(crate) async fn visit() {
    let endpoint = std::env::var(TOWN).unwrap();
    let seed: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    let facts = Facts::default();
    let guests: Vec<_> = (0..GUESTS)
        .map(|number| {
            let (endpoint, facts, seed) = (endpoint.clone(), facts.clone(), (seed << 16) + 256 * number);
            let guest = Guest { seed, facts, left: None, until: Duration::from_secs(4), pause_ms: 20 };
            let live =
                move || actix_rt::System::new().block_on(guest.live(&endpoint, |seed| client_with(link(seed), None)));
            std::thread::spawn(live)
        })
        .collect();
    say("begun");
    tokio::task::spawn_blocking(|| guests.into_iter().for_each(|guest| guest.join().unwrap())).await.unwrap();
    say(&format!("done {}", facts.is_broad()));
}

/// The way to the town, whose first streams break somewhere.
fn link(seed: u64) -> Arc<dyn Network> {
    let mut rng = StdRng::seed_from_u64(seed);
    let bad = rng.random_range(0..BAD);
    let plans = (0..bad).map(|_| {
        let mut fault = || rng.random::<bool>().then(|| (rng.random_range(200..20_000), Fault::Break));
        Plan { out: fault(), back: fault(), crumbs: None }
    });
    Arc::new(Flaky::new(Arc::new(SystemNetwork), plans.collect::<Vec<_>>()))
}

/// `TOWN_WAVES=n` lets them come so often, and says how much memory the town has after each wave.
#[actix::test]
#[expect(clippy::print_stderr, reason = "the figures of a long run are for whoever started it")]
async fn of_fifty_guests_in_processes_that_end_or_are_killed_nothing_is_left() {
    let waves = std::env::var("TOWN_WAVES").map_or(1, |waves| waves.parse().unwrap());
    let mut town = Server::start("town");
    let endpoint = town.line("town ").await;
    let client = client_with(Arc::new(SystemNetwork), None);
    for wave in 0..waves {
        come_and_go(&endpoint, &client, wave).await;
        if let Err(left) = inspect(&client, &endpoint, Duration::from_secs(60)).await {
            panic!("{left}");
        }
        let id = town.child.id().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let memory = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("unknown");
        eprintln!("wave {wave}: {memory}");
    }
}

async fn come_and_go(endpoint: &str, client: &Client, wave: u64) {
    let mut processes: Vec<_> = (0..PROCESSES)
        .map(|number| {
            Server::start_with("guests", |command| {
                command.env(TOWN, endpoint).env(SEED, (wave * PROCESSES + number).to_string());
            })
        })
        .collect();
    for process in &mut processes {
        process.line("begun").await;
    }
    let seen = inspect(client, endpoint, Duration::ZERO).await.unwrap_err();
    assert!(seen.contains("left are"), "there are guests: {seen}");
    // As if their machines were gone, in the middle of everything.
    for process in &mut processes[..2] {
        process.child.kill().await.unwrap();
    }
    for process in &mut processes[2..] {
        assert_eq!(process.line("done ").await, "true", "not everything was done");
        assert!(process.ended().await.success());
    }
}
