//! A link that fails at every single byte of a conversation: whatever is said of a call is true.

use std::sync::Arc;
use std::time::Duration;

use pyroxene::transport::Network;
use pyroxene::{CallError, Client, Proxy};

use crate::support::claim::Claim;
use crate::support::flaky::{Fault, Flaky, Plan};
use crate::support::pair::{Pair, poll_once, seeded_client_over};
use crate::support::worker::{Worker, WorkerProxy};

/// Calls of one conversation.
const CALLS: u64 = 9;

/// A conversation with everything in it: calls one after the other and together, an error, a oneway, one that is given up, one
/// that runs for too long. Says what each call claims; the ids follow `first`.
async fn converse(client: &Client, pair: &Pair, first: u64) -> Vec<Claim> {
    let worker = WorkerProxy::from(Proxy::<Worker>::lazy_with(client, pair.uri()));
    let mut claims = vec![Claim::of(&worker.run(first).timeout_ms(1_000).await)];
    let (one, two, three) = tokio::join!(
        worker.run(first + 1).timeout_ms(1_000),
        worker.refuse(first + 2).timeout_ms(1_000),
        worker.weigh(first + 3, vec![7; 40]).timeout_ms(1_000),
    );
    claims.extend([Claim::of(&one), Claim::of(&two), Claim::of(&three)]);
    worker.note(first + 4);
    // Nobody hears how it ends.
    claims.push(Claim::MayHaveRun);
    let mut dropped = Box::pin(worker.run(first + 5));
    drop(poll_once(&mut dropped).await);
    drop(dropped);
    claims.push(Claim::MayHaveRun);
    // It runs longer than it has time.
    claims.push(Claim::of(&worker.hold(first + 6).timeout_ms(100).await));
    pair.gate.open(1);
    claims.push(Claim::of(&worker.run(first + 7).timeout_ms(1_000).await));
    let last = worker.run(first + 8).timeout_ms(1_000).await;
    claims.push(Claim::of(&last));
    claims
}

/// Bytes that pass each way in a conversation without faults.
async fn recorded(pair: &Pair) -> (u64, u64) {
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), []));
    let client = seeded_client_over(&(Arc::clone(&flaky) as Arc<dyn Network>));
    let claims = converse(&client, pair, 0).await;
    assert_eq!(claims.iter().filter(|claim| **claim == Claim::Ran).count(), 6, "{claims:?}");
    assert_eq!(flaky.attempts(), 1);
    (flaky.traffic.out(), flaky.traffic.back())
}

/// Has the conversation once for each of these fates of its connection, and compares what is claimed with what the object did.
async fn holds(pair: &Pair, plans: impl Iterator<Item = Plan>) -> u64 {
    let mut seen = [0; 3];
    let mut first = 1_000;
    for plan in plans {
        let flaky: Arc<dyn Network> = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
        let client = seeded_client_over(&flaky);
        let claims = converse(&client, pair, first).await;
        // A call on its way may still arrive and run.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let ran = pair.journal.since(first);
        for (id, claim) in (first..).zip(&claims) {
            let count = ran.iter().filter(|ran| **ran == id).count();
            assert!(claim.is_true(count), "{plan:?}: call {} claims {claim:?} and ran {count} times", id - first);
            seen[*claim as usize] += 1;
        }
        assert!(ran.is_sorted(), "{plan:?}: out of order: {ran:?}");
        assert!(!ran.is_empty(), "{plan:?}: it never came back");
        first += CALLS;
    }
    assert!(seen.iter().all(|seen| *seen > 20), "too little was checked: {seen:?}");
    (first - 1_000) / CALLS
}

#[actix::test]
async fn a_link_that_breaks_at_any_byte_of_a_request_makes_no_claim_untrue() {
    let pair = Pair::memory().await;
    let (out, _) = recorded(&pair).await;
    let plans = (0..=out).map(|at| Plan { out: Some((at, Fault::Break)), ..Plan::default() });
    assert!(holds(&pair, plans).await > 400, "a short conversation");
}

#[actix::test]
async fn a_link_that_breaks_at_any_byte_of_a_reply_makes_no_claim_untrue() {
    let pair = Pair::memory().await;
    let (_, back) = recorded(&pair).await;
    let plans = (0..=back).map(|at| Plan { back: Some((at, Fault::Break)), ..Plan::default() });
    assert!(holds(&pair, plans).await > 400, "a short conversation");
}

#[actix::test]
async fn nor_does_one_that_falls_silent_at_any_byte() {
    let pair = Pair::memory().await;
    let (out, back) = recorded(&pair).await;
    // A dead link is noticed by nothing but time, so each step of these takes long for those in it; they need no more than every third byte.
    let lost = (0..=out).step_by(3).map(|at| Plan { out: Some((at, Fault::Lose)), ..Plan::default() });
    let stalled = (0..=back).step_by(3).map(|at| Plan { back: Some((at, Fault::Stall)), ..Plan::default() });
    let mut never_back = 0;
    for (number, plan) in lost.chain(stalled).enumerate() {
        let first = 1_000 + number as u64 * CALLS;
        let flaky: Arc<dyn Network> = Arc::new(Flaky::new(Arc::clone(&pair.network), [plan]));
        let claims = converse(&seeded_client_over(&flaky), &pair, first).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let ran = pair.journal.since(first);
        for (id, claim) in (first..).zip(&claims) {
            let count = ran.iter().filter(|ran| **ran == id).count();
            assert!(claim.is_true(count), "{plan:?}: call {} claims {claim:?} and ran {count} times", id - first);
        }
        assert!(ran.is_sorted(), "{plan:?}: out of order: {ran:?}");
        never_back += u32::from(claims.last() == Some(&Claim::MayHaveRun));
    }
    assert!(never_back > 20, "the silence was hardly heard: {never_back}");
}

/// Many proxies, and the daemon behind all of them is away for a while.
#[actix::test]
async fn ten_thousand_proxies_to_a_daemon_that_comes_back_do_not_trample_it() {
    const CLIENTS: u64 = 1_000;
    const PROXIES: u64 = 10;
    let pair = Pair::memory().await;
    let flaky = Arc::new(Flaky::new(Arc::clone(&pair.network), []));
    let network = Arc::clone(&flaky) as Arc<dyn Network>;
    let clients: Vec<Client> = (0..CLIENTS).map(|_| crate::support::pair::client_over(&network)).collect();
    let patient = |worker: WorkerProxy, id: u64| async move {
        // Clients do not all begin in the same moment.
        tokio::time::sleep(Duration::from_millis(id % CLIENTS)).await;
        loop {
            match worker.run(id).timeout_ms(5_000).await {
                Err(CallError::NotStarted(why)) => {
                    let ms = why.retry_after().unwrap_or(10);
                    tokio::time::sleep(Duration::from_millis(ms.into())).await;
                }
                // A client whose proxies are gone has no connection any more.
                ended => return (ended, worker),
            }
        }
    };
    let all = async |round: u64| {
        let calls = (0..CLIENTS * PROXIES).map(|number| {
            let worker = pair.worker_for(&clients[(number % CLIENTS) as usize]);
            actix_rt::spawn(patient(worker, round * CLIENTS * PROXIES + number))
        });
        let calls: Vec<_> = calls.collect();
        tokio::time::sleep(Duration::from_secs(10)).await;
        calls
    };
    for call in all(1).await {
        call.await.unwrap().0.unwrap();
    }
    assert_eq!(flaky.attempts(), CLIENTS, "proxies of one client share its connection");
    let endpoint = pair.daemon.endpoint().clone();
    pair.daemon.shutdown().await;
    let away = all(2).await;
    let while_away = flaky.attempts() - CLIENTS;
    assert!(while_away <= CLIENTS * 20, "{while_away} attempts of {CLIENTS} clients in ten seconds");
    assert!(away.iter().all(|call| !call.is_finished()));
    let setup = crate::support::pair::Setup::over(Arc::clone(&pair.network));
    let daemon = crate::support::pair::Setup { endpoint, ..setup }.daemon().await;
    let (journal, gate) = (pair.journal.clone(), pair.gate.clone());
    daemon.object("worker", move || Worker::new(&journal, &gate)).id("worker").mailbox(20_000).spawn().await.unwrap();
    // They come one after the other: never more than a few in the same moment.
    let (before, mut most) = (flaky.attempts(), 0);
    let mut last = before;
    for _ in 0..500 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        most = most.max(flaky.attempts() - last);
        last = flaky.attempts();
    }
    for call in away {
        call.await.unwrap().0.unwrap();
    }
    assert!(most <= CLIENTS / 10, "{most} clients at once");
    let attempts = flaky.attempts() - before;
    assert!((CLIENTS..=CLIENTS + CLIENTS / 100).contains(&attempts), "{attempts} attempts, where one each can succeed");
}
