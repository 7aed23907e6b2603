//! A slow object beside a fast one: what a caller of the fast one notices.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pyroxene::DaemonConfig;
use pyroxene::daemon::placement::Arbiters;
use pyroxene::daemon::program::system;
use serde::Serialize;

use crate::compare::{json, progress};
use crate::peers::pyroxene::daemon;
use crate::process;
use crate::table::{Cell, Row, Table};
use crate::workload::Figures;

/// What `here` is told begins so; then follows the place.
pub const PREFIX: &str = "slow-";
/// What each call of the slow object takes.
const TAKES: Duration = Duration::from_millis(100);
/// From one call of the fast object to the next.
const PACE: Duration = Duration::from_micros(500);

/// What the slow one does, and where. The first is what the others are compared with.
const PLACES: [(&str, &str); 4] = [
    ("alone", "without a slow one"),
    ("waits", "beside one that waits, on its thread"),
    ("blocks", "beside one that blocks its thread"),
    ("apart", "beside one that blocks another thread"),
];

#[derive(Serialize)]
struct Measured<'a> {
    slow: &'a str,
    #[serde(flatten)]
    figures: &'a Figures,
}

/// Measures all of them.
pub fn run(seconds: f64, as_json: bool) -> Result<()> {
    let mut table = Table::new(["p50", "p99"].into_iter().map(str::to_owned));
    table.caption(format!(
        "how long a call of the fast object takes, by how long it takes alone; the slow one takes {} ms for each call",
        TAKES.as_millis()
    ));
    let mut alone = None;
    for (place, title) in PLACES {
        progress(title);
        let figures = process::here(&format!("{PREFIX}{place}"), seconds)?;
        if as_json {
            json(&Measured { slow: place, figures: &figures })?;
        }
        let (p50, p99) = figures.p50_us.zip(figures.p99_us).context("there are no latencies")?;
        let (p50_alone, p99_alone) = *alone.get_or_insert((p50, p99));
        let times = |us: f64, alone: f64| Cell::figure(format!("{:.1}", us / alone));
        let row = Row::new(title, vec![times(p50, p50_alone), times(p99, p99_alone)]);
        table.push(if place == "alone" { row.limit() } else { row.ours() });
    }
    progress("");
    if as_json { Ok(()) } else { table.print() }
}

#[derive(Default)]
struct Fast;

#[pyroxene::remote]
impl Fast {
    pub fn add(&self, one: u64, other: u64) -> u64 {
        one + other
    }
}

#[derive(Default)]
struct Slow;

#[pyroxene::remote]
impl Slow {
    pub async fn wait(&self) {
        tokio::time::sleep(TAKES).await;
    }

    pub fn block(&self) {
        std::thread::sleep(TAKES);
    }
}

/// What a process of `run` does.
pub fn measure(place: &str, seconds: f64) -> Result<Figures> {
    let threads = if place == "apart" { 2 } else { 1 };
    system().block_on(async {
        let config = DaemonConfig { placement: Some(Arc::new(Arbiters::start(threads))), ..DaemonConfig::default() };
        let daemon = daemon(config).await?;
        // One after the other: where there are two threads, each has one.
        let fast = FastProxy::from(daemon.supervise("fast", Fast::default).await?);
        let slow = SlowProxy::from(daemon.supervise("slow", Slow::default).await?);
        let busy = match place {
            "alone" => None,
            "waits" => Some(tokio::spawn(async move { while slow.wait().await.is_ok() {} })),
            "blocks" | "apart" => Some(tokio::spawn(async move { while slow.block().await.is_ok() {} })),
            place => bail!("there is no place {place}"),
        };
        let (begin, mut took) = (Instant::now(), Vec::new());
        while begin.elapsed() < Duration::from_secs_f64(seconds) {
            let (call, number) = (Instant::now(), took.len() as u64);
            ensure!(fast.add(number, 1).await? == number + 1, "the sum is wrong");
            took.push(call.elapsed().as_secs_f64() * 1e6);
            tokio::time::sleep(PACE).await;
        }
        if let Some(busy) = busy {
            busy.abort();
        }
        took.sort_by(f64::total_cmp);
        let at = |part: f64| took.get((took.len() as f64 * part) as usize).copied();
        Ok(Figures { calls: took.len() as u64, p50_us: at(0.5), p99_us: at(0.99), ..Figures::default() })
    })
}
