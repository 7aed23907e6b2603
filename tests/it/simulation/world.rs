//! One run: who is there, what goes wrong and when. All of it follows from the seed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;

use super::client::Script;
use super::history::{Event, History};
use super::mutant::Mutant;
use super::network;
use super::server::{self, Server};

const CLIENTS: u64 = 3;
/// The last fault is over by then.
const CALM: Duration = Duration::from_secs(6);

/// Something done to the world.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Messages between a client and the server wait.
    Hold(u64),
    /// Messages between a client and the server are lost.
    Cut(u64),
    /// Messages one way are lost: to the server if so.
    CutOneWay(u64, bool),
    /// The link of a client works again.
    Heal(u64),
    /// Messages between the server and the name server wait, or do no longer.
    HoldNames(bool),
    /// A host ends without a word, or starts again.
    Crash(&'static str),
    Bounce(&'static str),
    /// The server ends in order, and starts again.
    Restart,
    /// All messages take at most so long, milliseconds.
    Slow(u64),
}

/// Runs the simulation of a seed to its end.
pub(super) fn run(seed: u64, mutant: Option<Mutant>) -> History {
    let mut sim = network::world(seed);
    let history = History::default();
    let restart = Arc::new(Notify::new());
    let server = Server {
        seed: seed << 8,
        history: history.clone(),
        mutant,
        restart: Arc::clone(&restart),
        starts: Arc::new(AtomicU64::new(0)),
    };
    sim.host("names", move || server::names(seed << 8 | 255));
    sim.host("server", move || server.clone().run());
    for number in 0..CLIENTS {
        let script =
            Script { number, seed: (seed << 8) + 64 * (number + 1), history: history.clone(), mutant, calm: CALM };
        sim.client(name(number), script.run());
    }
    let mut schedule = schedule(seed);
    loop {
        while let Some(entry) = schedule.first_entry()
            && entry.key().0 <= sim.elapsed()
        {
            let fault = entry.remove();
            history.write_at(sim.elapsed(), Event::Fault(format!("{fault:?}")));
            act(&mut sim, fault, &restart);
        }
        match sim.step() {
            Ok(false) => {}
            Ok(true) => return history,
            Err(problem) => panic!("seed {seed}: {problem}\n{history}"),
        }
    }
}

fn name(number: u64) -> String {
    format!("client{number}")
}

fn act(sim: &mut turmoil::Sim<'_>, fault: Fault, restart: &Notify) {
    match fault {
        Fault::Hold(client) => sim.hold(name(client), "server"),
        Fault::Cut(client) => sim.partition(name(client), "server"),
        Fault::CutOneWay(client, true) => sim.partition_oneway(name(client), "server"),
        Fault::CutOneWay(client, false) => sim.partition_oneway("server", name(client)),
        Fault::Heal(client) => {
            sim.release(name(client), "server");
            sim.repair(name(client), "server");
        }
        Fault::HoldNames(true) => sim.hold("server", "names"),
        Fault::HoldNames(false) => sim.release("server", "names"),
        Fault::Crash(host) => sim.crash(host),
        Fault::Bounce(host) => sim.bounce(host),
        Fault::Restart => restart.notify_one(),
        Fault::Slow(ms) => sim.set_max_message_latency(Duration::from_millis(ms)),
    }
}

/// What goes wrong, in the order of time; whatever breaks is mended before it is calm.
fn schedule(seed: u64) -> BTreeMap<(Duration, usize), Fault> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut schedule = BTreeMap::new();
    let mut add = |at: u64, fault| {
        let place = schedule.len();
        schedule.insert((Duration::from_millis(at), place), fault);
    };
    for client in 0..CLIENTS {
        let mut at = rng.random_range(100..2_500);
        while at < 4_500 {
            let fault = match rng.random_range(0..5) {
                0 | 1 => Fault::Hold(client),
                2 | 3 => Fault::Cut(client),
                _ => Fault::CutOneWay(client, rng.random()),
            };
            add(at, fault);
            at += rng.random_range(20..1_200);
            add(at, Fault::Heal(client));
            at += rng.random_range(100..2_500);
        }
    }
    let mut at = rng.random_range(200..3_000);
    while at < 4_500 {
        let down = rng.random_range(10..1_000);
        match rng.random_range(0..8) {
            0..3 => {
                add(at, Fault::Crash("server"));
                add(at + down, Fault::Bounce("server"));
            }
            3..6 => add(at, Fault::Restart),
            6 => {
                add(at, Fault::Crash("names"));
                add(at + down, Fault::Bounce("names"));
            }
            _ => {
                add(at, Fault::HoldNames(true));
                add(at + down, Fault::HoldNames(false));
            }
        }
        at += down + rng.random_range(300..3_000);
    }
    if rng.random() {
        add(rng.random_range(0..4_000), Fault::Slow(rng.random_range(20..150)));
        add(5_500, Fault::Slow(20));
    }
    schedule
}
