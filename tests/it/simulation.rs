//! Clients, a server and a name server in one thread, over a network that is held up, cut and crashed, on a clock of its own.
//!
//! What happens follows from a seed. A failure prints it, and `SIM_SEED=n cargo test --test it simulation` repeats that run.
//! `SIM_SEEDS=n` says how many seeds are run; the first is always 0.
//!
//! | | invariant |
//! |---|---|
//! | I1 | no call runs twice, however often one that is to run once is tried |
//! | I2 | a call that ends as not started never ran |
//! | I3 | a call that ends well, is raised or failed ran exactly once |
//! | I4 | calls of one proxy start in the order in which they were made |
//! | I5 | a call ends by its deadline, give or take a second |
//! | I6 | executed, failed, dropped and unknown oneways are as many as were sent, and as many ran as that says |
//! | I7 | at the end nothing waits, and every place in the queue is free |
//! | I10 | five seconds after the last fault a fresh call succeeds, by address and by name |
//!
//! What a long run has shown stands in `simulation/README.md`.
//!
//! Each of them is checked in turn: the same run with one lie in it, told by the network, the server or the client, must be caught.

mod client;
mod history;
mod mutant;
pub(crate) mod network;
mod server;
mod world;

use history::Invariant;
use mutant::Mutant;

/// Seeds of one run of the tests, unless the environment says otherwise.
const SEEDS: u64 = 60;
/// A lie that so many seeds do not show is not found.
const PATIENCE: u64 = 1_000;

#[test]
#[expect(clippy::print_stderr, reason = "the figures of a long run are for whoever started it")]
fn no_fault_makes_a_claim_untrue() {
    let seeds = match (variable("SIM_SEED"), variable("SIM_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(SEEDS),
    };
    let mut calls = history::Summary::default();
    for seed in seeds.clone() {
        let history = world::run(seed, None);
        if let Err(violation) = history.check() {
            panic!(
                "seed {seed}: {violation}\n{history}\nrun it again: SIM_SEED={seed} cargo test --test it simulation"
            );
        }
        calls += history.summary();
    }
    let count = seeds.count();
    eprintln!("{count} seeds, {calls}");
    if count > 10 {
        assert!(calls.is_broad(), "the faults did not show in the calls, so nothing was checked: {calls:?}");
    }
}

#[test]
fn a_seed_tells_the_same_story_every_time() {
    for seed in 0..3 {
        let (first, second) = (world::run(seed, None), world::run(seed, None));
        assert_eq!(first.to_string(), second.to_string(), "seed {seed}");
        assert_eq!(first.hash(), second.hash(), "seed {seed}");
    }
    assert_ne!(world::run(0, None).hash(), world::run(1, None).hash());
}

/// Runs seed after seed with a lie until it is caught as what it is.
fn is_caught(mutant: Mutant, invariant: Invariant) {
    is_caught_besides(mutant, invariant, None);
}

/// The same for a lie that breaks another promise as well, in some seeds before this one.
#[expect(clippy::print_stderr, reason = "the figures of a long run are for whoever started it")]
fn is_caught_besides(mutant: Mutant, invariant: Invariant, other: Option<Invariant>) {
    for seed in 0..PATIENCE {
        match world::run(seed, Some(mutant)).check() {
            Err(violation) if violation.invariant == invariant => {
                return eprintln!("{mutant:?} is caught by {invariant:?} with seed {seed}");
            }
            Err(violation) if Some(violation.invariant) == other => {}
            Err(violation) => panic!("{mutant:?}, seed {seed}: caught as something else: {violation}"),
            Ok(()) => {}
        }
    }
    panic!("{mutant:?} was not caught in {PATIENCE} seeds");
}

#[test]
fn a_network_that_repeats_requests_is_caught() {
    is_caught(Mutant::RepeatsRequests, Invariant::NeverTwice);
}

#[test]
fn a_network_that_takes_the_keys_off_calls_is_caught() {
    is_caught(Mutant::TakesKeys, Invariant::NeverTwice);
}

#[test]
fn a_client_that_repeats_what_may_have_run_is_caught() {
    is_caught(Mutant::RepeatsUnknown, Invariant::NeverTwice);
}

#[test]
fn a_client_that_says_not_started_of_what_may_have_run_is_caught() {
    is_caught(Mutant::SaysNotStarted, Invariant::NotStartedNeverRan);
}

#[test]
fn a_client_that_says_done_of_what_may_have_run_is_caught() {
    is_caught(Mutant::SaysDone, Invariant::DoneRanOnce);
}

#[test]
fn a_client_that_swaps_calls_is_caught() {
    is_caught(Mutant::SwapsCalls, Invariant::InOrder);
}

#[test]
fn a_client_that_never_gives_up_is_caught() {
    is_caught(Mutant::NeverGivesUp, Invariant::EndsInTime);
}

#[test]
fn a_client_that_says_dropped_of_what_may_have_run_is_caught() {
    is_caught(Mutant::SaysDropped, Invariant::OnewaysAddUp);
}

#[test]
fn an_object_that_never_ends_a_call_is_caught() {
    // What waits behind such a call leaves with its caller, but for oneways.
    is_caught_besides(Mutant::NeverEndsACall, Invariant::NothingLeft, Some(Invariant::Recovers));
}

#[test]
fn a_server_that_is_deaf_after_a_restart_is_caught() {
    is_caught(Mutant::DeafAfterRestart, Invariant::Recovers);
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}
