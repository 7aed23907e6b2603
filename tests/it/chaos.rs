//! Many clients, an object that keeps panicking, links that break: whatever is said of a call is true.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pyroxene::transport::{Network, SystemNetwork};
use pyroxene::{CallError, Client, Daemon, DaemonConfig, Proxy, Restart};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::claim::Claim;
use crate::support::flaky::{Fault, Flaky, Plan};
use crate::support::pair::client_over;
use crate::support::worker::{Journal, Refused};

const CLIENTS: u64 = 100;
const CALLS: u64 = 1_000;
/// A state of the object lives so long.
const LIFE: Duration = Duration::from_millis(50);

/// Panics in whichever call comes once its time is over.
struct Mortal {
    journal: Journal,
    born: Instant,
}

impl Mortal {
    fn begin(&self, id: u64) {
        self.journal.write(id);
        assert!(self.born.elapsed() < LIFE, "its time is over");
    }
}

#[pyroxene::remote]
impl Mortal {
    pub fn run(&mut self, id: u64) -> u64 {
        self.begin(id);
        id
    }

    pub fn refuse(&mut self, id: u64) -> Result<u64, Refused> {
        self.begin(id);
        Err(Refused { id })
    }

    #[remote(oneway)]
    pub fn note(&mut self, id: u64) {
        self.begin(id);
    }
}

#[actix::test]
async fn among_a_hundred_thousand_calls_to_an_object_that_keeps_panicking_every_claim_is_true() {
    let journal = Journal::default();
    let network: Arc<dyn Network> = Arc::new(SystemNetwork);
    // Its objects live on threads of their own, as in any program.
    let endpoint = "127.0.0.1:0".parse().unwrap();
    let daemon = Daemon::bind_with(DaemonConfig::default(), client_over(&network), &endpoint).await.unwrap();
    let lives = Arc::new(AtomicU64::new(0));
    let factory = {
        let (journal, lives) = (journal.clone(), Arc::clone(&lives));
        move || {
            lives.fetch_add(1, Ordering::Relaxed);
            Mortal { journal: journal.clone(), born: Instant::now() }
        }
    };
    let restart = Restart::on_failure().at_most(u32::MAX).within_secs(1).backoff_ms(1..5);
    // Too small for all of them, so that some are refused.
    let mortal = daemon.object("mortal", factory).id("mortal").mailbox(90).restart(restart).spawn().await.unwrap();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = client_over(&link(number, &network));
            let proxy = Proxy::<Mortal>::lazy_with(&client, mortal.uri().clone());
            actix_rt::spawn(life(number, client, MortalProxy::from(proxy)))
        })
        .collect();
    let mut claims = Vec::new();
    for client in clients {
        claims.extend(client.await.unwrap());
    }
    // What still waits is run before it ends.
    daemon.shutdown().await;
    assert!(lives.load(Ordering::Relaxed) > 10, "it hardly ever panicked");
    check(&claims, &journal.read());
}

/// Every fifth client has a link that breaks again and again.
fn link(number: u64, network: &Arc<dyn Network>) -> Arc<dyn Network> {
    if !number.is_multiple_of(5) {
        return Arc::clone(network);
    }
    let mut rng = StdRng::seed_from_u64(number);
    let plans: Vec<Plan> = (0..200)
        .map(|_| {
            let at = Some((rng.random_range(200..8_000), Fault::Break));
            if rng.random() { Plan { out: at, ..Plan::default() } } else { Plan { back: at, ..Plan::default() } }
        })
        .collect();
    Arc::new(Flaky::new(Arc::clone(network), plans))
}

/// All calls of one client, one after the other, and what each claims. The client lives as long as they do.
async fn life(number: u64, _client: Client, mortal: MortalProxy) -> Vec<(u64, Claim)> {
    let mut rng = StdRng::seed_from_u64(number);
    let mut claims = Vec::new();
    for id in number * CALLS..(number + 1) * CALLS {
        let claim = match rng.random_range(0..20) {
            0..2 => {
                mortal.note(id);
                Claim::MayHaveRun
            }
            2..5 => {
                let ended = mortal.refuse(id).await;
                assert!(ended.is_err(), "{ended:?}");
                Claim::of(&ended)
            }
            19 => Claim::of(&mortal.run(id).once().await),
            // In a hurry.
            5 => Claim::of(&mortal.run(id).timeout_ms(3).await),
            _ => {
                let ended = mortal.run(id).await;
                if let Err(CallError::NotStarted(why)) = &ended
                    && let Some(ms) = why.retry_after()
                {
                    tokio::time::sleep(Duration::from_millis(u64::from(ms.min(5)))).await;
                }
                Claim::of(&ended)
            }
        };
        claims.push((id, claim));
    }
    claims
}

fn check(claims: &[(u64, Claim)], ran: &[u64]) {
    assert_eq!(claims.len() as u64, CLIENTS * CALLS);
    let mut counts: HashMap<u64, usize> = HashMap::new();
    ran.iter().for_each(|id| *counts.entry(*id).or_default() += 1);
    let mut seen: HashMap<Claim, usize> = HashMap::new();
    for (id, claim) in claims {
        let count = counts.get(id).copied().unwrap_or(0);
        assert!(claim.is_true(count), "call {id} claims {claim:?} and ran {count} times");
        *seen.entry(*claim).or_default() += 1;
    }
    for claim in [Claim::Ran, Claim::DidNotRun, Claim::MayHaveRun] {
        assert!(seen.get(&claim).is_some_and(|count| *count > 20), "too little was checked: {seen:?}");
    }
    for number in 0..CLIENTS {
        let own = ran.iter().filter(|id| **id / CALLS == number);
        assert!(own.is_sorted_by(|earlier, later| earlier < later), "client {number}: out of order");
    }
}
