//! Links that break: whatever is said of a call then is true.

use std::sync::Arc;

use pyroxene::transport::Network;
use pyroxene::{CallError, NotStarted, Restart, Unknown};

use crate::support::claim::Claim;
use crate::support::flaky::{Fault, Flaky, Plan, Traffic};
use crate::support::memory::MemoryNetwork;
use crate::support::pair::{Pair, Setup, hello_bytes, seeded_client_over};
use crate::support::worker::{Journal, WorkerProxy};

/// Calls of every kind; what each of them claims.
async fn conversation(worker: &WorkerProxy, first: u64) -> Vec<(u64, Claim)> {
    let mut claims = Vec::new();
    let mut ended = |id, claim| claims.push((id, claim));
    ended(first, Claim::of(&worker.run(first).timeout_ms(2_000).await));
    worker.note(first + 1);
    ended(first + 2, Claim::of(&worker.refuse(first + 2).timeout_ms(2_000).await));
    let (a, b) = tokio::join!(worker.run(first + 3).timeout_ms(2_000), worker.run(first + 4).timeout_ms(2_000));
    ended(first + 3, Claim::of(&a));
    ended(first + 4, Claim::of(&b));
    // Nobody hears of a oneway's end.
    ended(first + 1, Claim::MayHaveRun);
    claims
}

/// A conversation over a link of this fate; everything that is claimed in it must be true.
async fn under(plan: Plan, pair: &Pair, first: u64) -> (Vec<(u64, Claim)>, Arc<Traffic>) {
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
    let traffic = Arc::clone(&flaky.traffic);
    let worker = pair.worker_for(&seeded_client_over(&(flaky as Arc<dyn Network>)));
    let claims = conversation(&worker, first).await;
    // What is still under way arrives.
    tokio::time::sleep(std::time::Duration::from_secs(40)).await;
    check(&claims, &pair.journal, first, plan);
    (claims, traffic)
}

fn check(claims: &[(u64, Claim)], journal: &Journal, first: u64, plan: Plan) {
    let ran = journal.read();
    let ran: Vec<u64> = ran.into_iter().filter(|id| *id >= first).collect();
    for (id, claim) in claims {
        let count = ran.iter().filter(|ran| *ran == id).count();
        assert!(claim.is_true(count), "{plan:?}: call {} claims {claim:?} and ran {count} times", id - first);
    }
    assert!(ran.is_sorted_by(|earlier, later| earlier < later), "{plan:?}: they ran as {ran:?}, from {first}");
}

async fn patient() -> Pair {
    tokio::time::pause();
    let restart = Restart::on_failure().at_most(u32::MAX).backoff_ms(0..1);
    Setup { restart, ..Setup::over(Arc::new(MemoryNetwork::default())) }.pair().await
}

#[actix::test]
async fn wherever_a_link_fails_every_claim_is_true() {
    let pair = patient().await;
    let (claims, traffic) = under(Plan::default(), &pair, 0).await;
    assert!(claims[..4].iter().all(|(_, claim)| *claim == Claim::Ran));
    let mut first = 0;
    let mut seen = Vec::new();
    for fault in [Fault::Break, Fault::Stall, Fault::Lose] {
        let out = (0..=traffic.out()).map(|at| Plan { out: Some((at, fault)), ..Plan::default() });
        let back = (0..=traffic.back()).map(|at| Plan { back: Some((at, fault)), ..Plan::default() });
        for plan in out.chain(back) {
            first += 100;
            let (claims, _) = under(plan, &pair, first).await;
            seen.extend(claims[..4].iter().map(|(_, claim)| *claim));
        }
    }
    for claim in [Claim::Ran, Claim::DidNotRun, Claim::MayHaveRun] {
        assert!(seen.contains(&claim), "no call ended as {claim:?}, so nothing was checked of it");
    }
}

#[actix::test]
async fn wherever_a_link_in_crumbs_fails_every_claim_is_true() {
    let pair = patient().await;
    let crumbs = |seed| Plan { crumbs: Some(seed), ..Plan::default() };
    let (_, traffic) = under(crumbs(0), &pair, 0).await;
    for at in 0..=traffic.out() {
        under(Plan { out: Some((at, Fault::Break)), ..crumbs(at) }, &pair, (at + 1) * 100).await;
    }
}

#[actix::test]
async fn a_call_that_was_not_written_is_sent_again() {
    let pair = patient().await;
    // A connection that takes the hello, and a part of the call.
    let hello = hello_bytes(&pair).await;
    for extra in [1, 30] {
        let plan = Plan { out: Some((hello + extra, Fault::Break)), ..Plan::default() };
        let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
        let worker = pair.worker_for(&seeded_client_over(&(flaky as Arc<dyn Network>)));
        assert_eq!(worker.run(extra + 1).await, Ok(extra + 1));
        assert_eq!(pair.journal.count(extra + 1), 1);
    }
}

#[actix::test]
async fn a_call_that_was_not_written_and_cannot_be_sent_again_did_not_run() {
    let pair = patient().await;
    let plan = Plan { out: Some((hello_bytes(&pair).await, Fault::Stall)), ..Plan::default() };
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
    let worker = pair.worker_for(&seeded_client_over(&(flaky as Arc<dyn Network>)));
    let call = actix_rt::spawn(worker.run(1).timeout_ms(25_000));
    pair.daemon.shutdown().await;
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::NotStarted(NotStarted::Unreachable { .. })), "{error:?}");
    assert_eq!(pair.journal.count(1), 0);
}

#[actix::test]
async fn a_call_whose_connection_is_lost_after_it_was_written_may_have_run() {
    let pair = patient().await;
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), []));
    let traffic = Arc::clone(&flaky.traffic);
    let sound = pair.worker_for(&seeded_client_over(&(flaky as Arc<dyn Network>)));
    assert_eq!(sound.run(1).await, Ok(1));
    // Everything arrives; of the reply, all but the last byte comes back.
    let plan = Plan { back: Some((traffic.back() - 1, Fault::Break)), ..Plan::default() };
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
    let worker = pair.worker_for(&seeded_client_over(&(flaky as Arc<dyn Network>)));
    let error = worker.run(2).await.unwrap_err();
    assert!(matches!(error, CallError::Unknown(Unknown::Disconnected { .. })), "{error:?}");
    assert_eq!(pair.journal.count(2), 1);
    assert_eq!(worker.run(3).await, Ok(3), "the next call makes a new connection");
}
