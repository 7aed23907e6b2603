//! `pyroxene bench`: how many calls a second, and how long each takes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use pyroxene::{CallError, NotStarted, Proxy};
use serde::Serialize;

use crate::cli::app::App;
use crate::cli::failure::Failure;
use crate::echo::{EchoBytes, EchoObject};

/// The longest call that is told apart from longer ones, nanoseconds.
const LONGEST: u64 = 60_000_000_000;
/// The part of the time that is spent before anything is counted, so that connections and caches are warm; and the most of it.
const WARM_UP: (f64, Duration) = (0.1, Duration::from_millis(300));

/// Calls `echo_bytes` of an echo object (see `pyroxene echo`) as fast as it answers.
#[derive(Debug, clap::Args)]
pub(super) struct Bench {
    /// The echo object: PYRO://…, PYRONAME://… or PYROLOC://…
    uri: String,
    /// Calls under way at the same time, on each connection
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    in_flight: u32,
    /// Connections
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: u32,
    /// Bytes that each call takes there and back
    #[arg(long, default_value_t = 16, value_name = "BYTES")]
    size: usize,
    /// How long
    #[arg(long, default_value_t = 5.0, value_name = "S")]
    seconds: f64,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Figures {
    calls_per_second: f64,
    p50_us: f64,
    p90_us: f64,
    p99_us: f64,
    p999_us: f64,
    max_us: f64,
    errors: u64,
    calls: u64,
    seconds: f64,
    in_flight: u32,
    connections: u32,
    size: usize,
}

/// The tally, for all callers.
#[derive(Clone)]
struct Shared(Arc<Mutex<Tally>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of the calls so far.
struct Tally {
    latencies: Histogram<u64>,
    errors: u64,
    last_error: Option<Failure>,
    /// What ends before this is not counted.
    start: Instant,
    stop: Instant,
}

impl Bench {
    pub(super) async fn run(&self, app: &App) -> Result<(), Failure> {
        let time = Duration::try_from_secs_f64(self.seconds).ok().filter(|time| !time.is_zero());
        let time = time.ok_or_else(|| Failure::new(format!("--seconds {} cannot be measured", self.seconds)))?;
        let proxies = self.connect(app).await?;
        let latencies =
            Histogram::new_with_bounds(1, LONGEST, 3).map_err(|problem| Failure::new(problem.to_string()))?;
        let start = Instant::now() + time.mul_f64(WARM_UP.0).min(WARM_UP.1);
        let tally = Tally { latencies, errors: 0, last_error: None, start, stop: start + time };
        let tally = Shared(Arc::new(Mutex::new(tally)));
        let payload = Bytes::from(vec![0x5a; self.size]);
        let callers: Vec<_> = proxies
            .iter()
            .flat_map(|proxy| (0..self.in_flight).map(move |_| proxy))
            // On the runtime itself, where their connections are: those of a `LocalSet` would be polled in parts.
            .map(|proxy| tokio::spawn(call(proxy.clone(), payload.clone(), tally.clone())))
            .collect();
        tokio::select! {
            biased;
            // What has been measured until then is told.
            _ = tokio::signal::ctrl_c() => tally.lock().stop = Instant::now(),
            () = show(app, &tally, time) => {}
        }
        // What is still under way would not be counted.
        callers.iter().for_each(|caller| caller.abort());
        let figures = self.figures(&tally.lock());
        let (calls, errors) = (figures.calls, figures.errors);
        if calls > 0 {
            print(app, &figures);
        }
        match (calls, tally.lock().last_error.take()) {
            (0, Some(failure)) => Err(failure.during("no call succeeded")),
            (0, None) => Err(Failure::new("no call ended in time; give it more --seconds")),
            (_, Some(failure)) => Err(failure.during(format_args!("{errors} calls failed; the last of them"))),
            (_, None) => Ok(()),
        }
    }

    /// Proxies, each with a connection of its own.
    async fn connect(&self, app: &App) -> Result<Vec<Proxy<EchoObject>>, Failure> {
        let found = app.find(&app.uri(&self.uri)?).await?;
        let mut proxies = Vec::new();
        for _ in 0..self.connections {
            let connected = Proxy::connect_with(&app.another_client(), &found.uri).await;
            proxies.push(connected.map_err(|error| match &error.why {
                NotStarted::NoSuchMethod { .. } => {
                    Failure::from(error).hint("bench needs an echo object: `pyroxene echo`")
                }
                _ => error.into(),
            })?);
        }
        Ok(proxies)
    }

    fn figures(&self, tally: &Tally) -> Figures {
        let microseconds = |quantile| tally.latencies.value_at_quantile(quantile) as f64 / 1000.0;
        let seconds = tally.stop.saturating_duration_since(tally.start).as_secs_f64();
        let calls = tally.latencies.len();
        Figures {
            calls_per_second: if seconds > 0.0 { (calls as f64 / seconds).round() } else { 0.0 },
            p50_us: microseconds(0.5),
            p90_us: microseconds(0.9),
            p99_us: microseconds(0.99),
            p999_us: microseconds(0.999),
            max_us: tally.latencies.max() as f64 / 1000.0,
            errors: tally.errors,
            calls,
            seconds,
            in_flight: self.in_flight,
            connections: self.connections,
            size: self.size,
        }
    }
}

/// One call after the other, until the time is over.
async fn call(proxy: Proxy<EchoObject>, payload: Bytes, tally: Shared) {
    let mut began = Instant::now();
    loop {
        let outcome = proxy.send(EchoBytes { bytes: payload.clone() }).await;
        let ended = Instant::now();
        let pause = {
            let mut tally = tally.lock();
            if ended >= tally.stop {
                return;
            }
            tally.count(began, ended, outcome, &payload)
        };
        began = ended;
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
            began = Instant::now();
        }
    }
}

impl Tally {
    /// Counts a call; after one that failed comes a pause, so that a peer that is gone is not asked without end.
    fn count(
        &mut self,
        began: Instant,
        ended: Instant,
        outcome: Result<Bytes, CallError>,
        payload: &Bytes,
    ) -> Option<Duration> {
        let failure = match outcome {
            Ok(reply) if reply == payload => {
                if ended >= self.start {
                    let nanoseconds = u64::try_from((ended - began).as_nanos()).unwrap_or(LONGEST);
                    self.latencies.saturating_record(nanoseconds.max(1));
                }
                return None;
            }
            Ok(_) => Failure::new("the reply is not what was sent"),
            Err(error @ CallError::NotStarted(NotStarted::Busy { .. })) => {
                Failure::from(error).hint("fewer --in-flight may all have a place")
            }
            Err(error) => error.into(),
        };
        self.errors += 1;
        self.last_error = Some(failure);
        Some(Duration::from_millis(1))
    }
}

/// Waits until the time is over, and shows a person how it goes.
async fn show(app: &App, tally: &Shared, time: Duration) {
    let (start, stop) = {
        let tally = tally.lock();
        (tally.start, tally.stop)
    };
    if !app.screen.shows_progress() {
        return tokio::time::sleep_until(stop.into()).await;
    }
    let bar = ProgressBar::new(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {msg}") {
        bar.set_style(style);
    }
    while Instant::now() < stop {
        tokio::time::sleep(Duration::from_millis(100).min(stop.saturating_duration_since(Instant::now()))).await;
        let elapsed = Instant::now().saturating_duration_since(start);
        bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        let calls = tally.lock().latencies.len() as f64;
        if !elapsed.is_zero() {
            bar.set_message(format!("{:.0} calls/s", calls / elapsed.as_secs_f64()));
        }
    }
    bar.finish_and_clear();
}

fn print(app: &App, figures: &Figures) {
    if app.screen.is_json() {
        return app.screen.json(figures);
    }
    let Figures { calls_per_second, p50_us, p90_us, p99_us, p999_us, max_us, errors, calls, seconds, .. } = figures;
    let Figures { in_flight, connections, size, .. } = figures;
    app.screen.line(&format!(
        "{calls_per_second:.0} calls/s: {calls} calls of {size} bytes in {seconds:.1} s, {in_flight} in flight on each of \
         {connections} connections, {errors} errors"
    ));
    app.screen.line(&format!(
        "latency  p50 {p50_us:.0} µs  p90 {p90_us:.0} µs  p99 {p99_us:.0} µs  p99.9 {p999_us:.0} µs  max {max_us:.0} µs"
    ));
}
