//! A client's host: makes calls of every kind, and writes down what is said of them.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use pyroxene::daemon::introspection::{DaemonObject, Describe};
use pyroxene::uri::Uri;
use pyroxene::{CallError, Client, Oneways, Proxy};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::history::{CallId, Event, History};
use super::mutant::Mutant;
use super::network::SimulatedNetwork;
use super::server::{Ledger, LedgerProxy, MAILBOX, client};
use crate::support::claim::Claim;
use crate::support::pair::poll_once;

const CALLS: u64 = 40;
/// Numbers of lines that are one call each are beyond this.
const OF_THEIR_OWN: u64 = 1_000_000;
/// The id of calls made when all is over.
const FRESH: CallId = 9_000_001;

/// One client, and what it does.
pub(super) struct Script {
    pub(super) number: u64,
    pub(super) seed: u64,
    pub(super) history: History,
    pub(super) mutant: Option<Mutant>,
    /// When no more faults happen.
    pub(super) calm: Duration,
}

/// Calls through one proxy.
struct Line {
    client: Client,
    ledger: LedgerProxy,
    number: u64,
    /// A call was not answered in time: the connection may be dead, which a simulated one never says.
    stalled: Rc<Cell<bool>>,
}

impl Script {
    /// By address or by name: every other client has a name only.
    fn uri(&self) -> Uri {
        let text =
            if self.number.is_multiple_of(2) { "PYRO://server:7000/ledger" } else { "PYRONAME://names:9090/ledger" };
        text.parse().unwrap()
    }

    fn line(&self, number: u64) -> Line {
        let repeats = (self.mutant == Some(Mutant::RepeatsRequests)).then_some(self.seed);
        let takes_keys = self.mutant == Some(Mutant::TakesKeys);
        let network = SimulatedNetwork { repeats, takes_keys, breaks: Some(self.seed), ..SimulatedNetwork::default() };
        let client = client(self.seed.wrapping_add(number), network);
        let ledger = LedgerProxy::from(Proxy::<Ledger>::lazy_with(&client, self.uri()));
        Line { client, ledger, number: self.number * 1_000 + number, stalled: Rc::default() }
    }

    pub(super) async fn run(self) -> turmoil::Result {
        let start = Instant::now();
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut line = self.line(0);
        let mut ends = Vec::new();
        let mut kept = Vec::new();
        let mut call = self.number * 1_000;
        let last = call + CALLS;
        while call < last {
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..200))).await;
            if line.stalled.get() {
                line.client.close();
                let next = self.line(line.number % 1_000 + 1);
                kept.push(std::mem::replace(&mut line, next));
            }
            // Some come in a row, and wait for each other in the queue.
            for _ in 0..rng.random_range(1..4) {
                call += 1;
                ends.extend(self.make(&line, call, &mut rng).await);
            }
        }
        for end in ends {
            end.await?;
        }
        tokio::time::sleep_until(start + self.calm).await;
        kept.push(line);
        for line in &kept {
            self.account(line).await;
        }
        if self.number == 0 {
            self.look_around().await;
        }
        Ok(())
    }

    /// Asks what has become of the oneways of a line. A connection that is dead and does not say so cannot be asked.
    async fn account(&self, line: &Line) {
        if let Ok(oneways) = line.ledger.proxy().flush().await {
            let Oneways { executed, failed, mut dropped, mut unknown } = oneways;
            if self.mutant == Some(Mutant::SaysDropped) {
                (dropped, unknown) = (dropped + unknown, 0);
            }
            let oneways = [executed, failed, dropped, unknown];
            self.history.write(Event::Flushed { proxy: line.number, oneways });
        }
    }

    /// Makes one call, or two if they are to be swapped.
    async fn make(&self, line: &Line, call: CallId, rng: &mut StdRng) -> Option<JoinHandle<()>> {
        let timeout_ms = [100, 500, 2_000][rng.random_range(0..3)];
        let ms = timeout_ms as u32;
        let ledger = line.ledger.clone();
        match rng.random_range(0..24) {
            // Its place in the order is that of the attempt that runs, so it is a line of its own.
            20.. => {
                let lingers = rng.random_range(0..100);
                let make = move || ledger.linger(call, lingers).once().timeout_ms(ms);
                Some(self.follow_as(OF_THEIR_OWN + call, line, call, timeout_ms, make).await)
            }
            0 => Some(self.follow(line, call, timeout_ms, move || ledger.crash(call).timeout_ms(ms)).await),
            1..4 => Some(self.follow(line, call, timeout_ms, move || ledger.refuse(call).timeout_ms(ms)).await),
            4..7 => {
                let lingers = rng.random_range(0..200);
                Some(self.follow(line, call, timeout_ms, move || ledger.linger(call, lingers).timeout_ms(ms)).await)
            }
            7 => {
                let ponders = rng.random_range(0..400);
                Some(self.give_up(line, call, rng, move || ledger.ponder(call, ponders)).await)
            }
            8..11 => {
                self.history.write(Event::Made { call, proxy: line.number, timeout_ms: 2_000 });
                self.history.write(Event::Told { call, proxy: line.number });
                ledger.note(call);
                // Nobody hears of its end; it may have run.
                self.history.write(Event::Ended { call, claim: Claim::MayHaveRun });
                None
            }
            11 if self.mutant == Some(Mutant::SwapsCalls) => {
                // The second of them is made, and sent, first.
                let (first, second) = (call * 10_000, call * 10_000 + 1);
                self.history.write(Event::Made { call: first, proxy: line.number, timeout_ms });
                let end = self.follow(line, second, timeout_ms, move || ledger.run(second).timeout_ms(ms)).await;
                let ended = line.ledger.run(first).timeout_ms(ms).await;
                self.history.write(Event::Ended { call: first, claim: Claim::of(&ended) });
                Some(end)
            }
            12..14 => Some(self.give_up(line, call, rng, move || ledger.run(call)).await),
            _ => Some(self.follow(line, call, timeout_ms, move || ledger.run(call).timeout_ms(ms)).await),
        }
    }

    /// Makes a call now, and gives it up after a while; what is heard until then counts.
    async fn give_up<F, T, E>(
        &self,
        line: &Line,
        call: CallId,
        rng: &mut StdRng,
        make: impl FnOnce() -> F,
    ) -> JoinHandle<()>
    where
        F: Future<Output = Result<T, CallError<E>>> + Unpin + 'static,
        T: 'static,
        E: 'static,
    {
        let patience = Duration::from_millis(rng.random_range(0..200));
        let history = self.history.clone();
        history.write(Event::Made { call, proxy: line.number, timeout_ms: 200 });
        let mut future = make();
        let first = poll_once(&mut future).await;
        tokio::task::spawn_local(async move {
            let end = async {
                match first {
                    std::task::Poll::Ready(ended) => ended,
                    std::task::Poll::Pending => future.await,
                }
            };
            let ended = tokio::time::timeout(patience, end).await;
            let claim = ended.map_or(Claim::MayHaveRun, |ended| Claim::of(&ended));
            history.write(Event::Ended { call, claim });
        })
    }

    /// Makes a call now; a task waits for its end and writes it down.
    async fn follow<F, T, E>(
        &self,
        line: &Line,
        call: CallId,
        timeout_ms: u64,
        make: impl Fn() -> F + 'static,
    ) -> JoinHandle<()>
    where
        F: Future<Output = Result<T, CallError<E>>> + Unpin + 'static,
        T: 'static,
        E: 'static,
    {
        self.follow_as(line.number, line, call, timeout_ms, make).await
    }

    /// The same for a call that is ordered with the others of `proxy`.
    async fn follow_as<F, T, E>(
        &self,
        proxy: u64,
        line: &Line,
        call: CallId,
        timeout_ms: u64,
        make: impl Fn() -> F + 'static,
    ) -> JoinHandle<()>
    where
        F: Future<Output = Result<T, CallError<E>>> + Unpin + 'static,
        T: 'static,
        E: 'static,
    {
        let (history, mutant, stalled) = (self.history.clone(), self.mutant, Rc::clone(&line.stalled));
        history.write(Event::Made { call, proxy, timeout_ms });
        let mut future = make();
        // Calls of a proxy start in the order in which they are first polled.
        let first = poll_once(&mut future).await;
        tokio::task::spawn_local(async move {
            let end = async {
                let mut ended = match first {
                    std::task::Poll::Ready(ended) => ended,
                    std::task::Poll::Pending => future.await,
                };
                if Claim::of(&ended) == Claim::MayHaveRun {
                    stalled.set(true);
                    match mutant {
                        Some(Mutant::RepeatsUnknown) => ended = make().await,
                        Some(Mutant::NeverGivesUp) => std::future::pending().await,
                        Some(Mutant::SaysNotStarted) => return Claim::DidNotRun,
                        Some(Mutant::SaysDone) => return Claim::Ran,
                        _ => {}
                    }
                }
                Claim::of(&ended)
            };
            let patience = Duration::from_millis(timeout_ms * 2 + 1_500);
            match tokio::time::timeout(patience, end).await {
                Ok(claim) => history.write(Event::Ended { call, claim }),
                Err(_) => history.write(Event::Overdue { call }),
            }
        })
    }

    /// After all faults: nothing is left of the calls made, and fresh ones succeed.
    async fn look_around(&self) {
        if let Err(event) = self.is_well().await {
            self.history.write(event);
        }
    }

    async fn is_well(&self) -> Result<(), Event> {
        let client = client(self.seed ^ 1, SimulatedNetwork::default());
        let until = Instant::now() + Duration::from_secs(5);
        let patient = async |error: String| {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if Instant::now() < until { Ok(()) } else { Err(error) }
        };
        // A oneway waits behind whatever does not end.
        if let Ok(ledger) = Proxy::<Ledger>::connect_with(&client, "PYRO://server:7000/ledger").await {
            LedgerProxy::from(ledger).note(FRESH);
        }
        let mut waits_since = None;
        let daemon = Proxy::<DaemonObject>::lazy_with(&client, "PYRO://server:7000/Pyro.Daemon".parse().unwrap());
        loop {
            match daemon.send(Describe { object: "ledger".into() }).timeout_ms(1_000).await {
                Ok(ledger) if ledger.waiting == 0 => break,
                // What waits is gone when its time is over, whatever it waited for.
                Ok(ledger) if waits_since.get_or_insert_with(Instant::now).elapsed() > Duration::from_secs(1) => {
                    return Err(Event::Left(format!("{} calls wait, the ledger is {}", ledger.waiting, ledger.state)));
                }
                Ok(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(error) => patient(format!("the daemon: {error}")).await.map_err(Event::Lost)?,
            }
        }
        for uri in ["PYRO://server:7000/ledger", "PYRONAME://names:9090/ledger"] {
            let ledger = LedgerProxy::from(Proxy::<Ledger>::lazy_with(&client, uri.parse().unwrap()));
            while let Err(error) = ledger.run(FRESH).timeout_ms(1_000).await {
                patient(format!("{uri}: {error}")).await.map_err(Event::Lost)?;
            }
        }
        // One connection may fill half of the queue; all of that is free.
        let uri = "PYRO://server:7000/ledger".parse().unwrap();
        let ledger = LedgerProxy::from(Proxy::<Ledger>::lazy_with(&client, uri));
        let calls: Vec<_> =
            (0..MAILBOX as u64 / 2).map(|_| tokio::task::spawn_local(ledger.linger(FRESH, 1))).collect();
        for call in calls {
            if let Ok(Err(error)) = call.await {
                return Err(Event::Left(format!("a queue that should be empty has no room: {error}")));
            }
        }
        Ok(())
    }
}
