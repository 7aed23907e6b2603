//! Calls within one process on one core: the object on the thread of its caller, or on another.

mod actix;
#[cfg(feature = "kameo")]
mod kameo;
mod pyroxene;
#[cfg(feature = "ractor")]
mod ractor;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tokio::task::JoinHandle;

use crate::calls::{Tally, WARM_UP, callers, join};
use crate::cli::Times;
use crate::compare::{Spread, json, progress, rate, ratio};
use crate::process;
use crate::table::{Cell, Row, Table};
use crate::workload::Figures;

/// Calls in flight, where there are many.
const DEPTH: usize = 64;
/// Messages that are told before a call shows that they were handled.
const TOLD_TOGETHER: u64 = 256;

/// An object in this process, and a reference to it.
trait Here: Clone + 'static {
    /// Has its number back, and the number of messages told so far added to it.
    fn ask(&self, number: u64) -> impl Future<Output = Result<u64>>;

    /// Is counted, and answered by nothing.
    fn tell(&self) -> impl Future<Output = Result<()>>;

    /// Starts `DEPTH` callers (`ask`) where those of this peer run best.
    fn keep_in_flight(self, tally: Tally) -> Vec<JoinHandle<Result<()>>>;
}

/// What is measured.
#[derive(Clone, Copy)]
enum Way {
    One,
    Many,
    Told,
}

const WAYS: [(&str, Way); 3] = [("1 in flight", Way::One), ("64 in flight", Way::Many), ("told", Way::Told)];

struct Subject {
    id: &'static str,
    title: &'static str,
    measure: fn(Way, Duration) -> Result<Figures>,
}

/// The first is what the others are compared with.
const SUBJECTS: &[Subject] = &[
    Subject { id: "actix", title: "actix Addr", measure: actix::here },
    Subject { id: "pyroxene", title: "Pyroxene Proxy", measure: pyroxene::here },
    Subject { id: "actix-apart", title: "actix Addr, another thread", measure: actix::apart },
    Subject { id: "pyroxene-apart", title: "Pyroxene Proxy, another thread", measure: pyroxene::apart },
    #[cfg(feature = "kameo")]
    Subject { id: "kameo", title: "kameo ActorRef", measure: kameo::measure },
    #[cfg(feature = "ractor")]
    Subject { id: "ractor", title: "ractor ActorRef", measure: ractor::measure },
];

#[derive(Serialize)]
struct Measured<'a> {
    local: &'a str,
    way: &'a str,
    round: u32,
    #[serde(flatten)]
    figures: &'a Figures,
    /// Its rate by that of actix, before and after.
    ratio: Option<f64>,
}

/// Measures all of them, and prints it.
pub fn run(times: &Times) -> Result<()> {
    let (actix, others) = SUBJECTS.split_first().context("actix is always there")?;
    let mut rates = vec![Vec::new(); WAYS.len()];
    let mut ratios = vec![vec![Vec::new(); WAYS.len()]; others.len()];
    for (way, (name, _)) in WAYS.iter().enumerate() {
        for round in 1..=times.rounds {
            let once = |subject: &Subject, before: Option<f64>| {
                progress(&format!("{name}, round {round} of {}: {}", times.rounds, subject.title));
                let figures = process::here(&format!("{}/{way}", subject.id), times.seconds)
                    .with_context(|| format!("{}, {name}", subject.title))?;
                let ratio = figures.rate.zip(before).map(|(rate, before)| rate / before);
                if times.json {
                    json(&Measured { local: subject.id, way: name, round, figures: &figures, ratio })?;
                }
                figures.rate.context("there is no rate")
            };
            let mut before = once(actix, None)?;
            rates[way].push(before);
            for (subject, ratios) in others.iter().zip(&mut ratios) {
                let measured = once(subject, Some(before))?;
                let after = once(actix, None)?;
                rates[way].push(after);
                ratios[way].push(measured / ((before + after) / 2.0));
                before = after;
            }
        }
    }
    progress("");
    if times.json {
        return Ok(());
    }
    let mut table = Table::new(WAYS.iter().map(|(name, _)| (*name).to_owned()));
    let cells = |values: &[Vec<f64>], show: fn(f64) -> String| {
        let cell = |values: &Vec<f64>| {
            Spread::of(values.clone()).map_or_else(Cell::none, |spread| Cell::figure(show(spread.median)))
        };
        values.iter().map(cell).collect()
    };
    table.push(Row::new(actix.title, cells(&rates, rate)).limit());
    for (subject, ratios) in others.iter().zip(&ratios) {
        let row = Row::new(subject.title, cells(ratios, ratio));
        table.push(if subject.id.starts_with("pyroxene") { row.ours() } else { row });
    }
    table.caption(
        "in flight: send, Proxy, ask, call; told: do_send, oneway, tell, cast, with a call after each 256".to_owned(),
    );
    table.print()
}

/// What a process of `run` does: `actix/0`.
pub fn measure(subject: &str, seconds: f64) -> Result<Figures> {
    let (id, way) = subject.split_once('/').context("a subject and a way")?;
    let subject = SUBJECTS.iter().find(|subject| subject.id == id).context("there is no such subject")?;
    let (_, way) = WAYS.get(way.parse::<usize>()?).context("there is no such way")?;
    (subject.measure)(*way, Duration::from_secs_f64(seconds))
}

/// What each of them does on its own runtime.
async fn go(object: impl Here, way: Way, time: Duration) -> Result<Figures> {
    let figures = |calls: u64, elapsed: Duration| Figures {
        calls,
        rate: Some(calls as f64 / elapsed.as_secs_f64()),
        ..Figures::default()
    };
    match way {
        Way::One => {
            let (mut calls, mut begin, mut warm) = (0, Instant::now(), false);
            // A look at the clock would cost as much as a call does.
            loop {
                for _ in 0..DEPTH {
                    calls += 1;
                    ensure!(object.ask(calls).await? == calls, "the reply to call {calls} is not its number");
                }
                let elapsed = begin.elapsed();
                if !warm && elapsed >= WARM_UP {
                    (calls, begin, warm) = (0, Instant::now(), true);
                } else if warm && elapsed >= time {
                    return Ok(figures(calls, elapsed));
                }
            }
        }
        Way::Many => {
            let tally = Tally::default();
            let callers = object.keep_in_flight(tally.clone());
            tokio::time::sleep(WARM_UP).await;
            let (before, begin) = (tally.counted(), Instant::now());
            tokio::time::sleep(time).await;
            let (calls, elapsed) = (tally.counted() - before, begin.elapsed());
            tally.close();
            join(callers).await?;
            Ok(figures(calls, elapsed))
        }
        Way::Told => {
            let (mut told, begin) = (0, Instant::now());
            while begin.elapsed() < time {
                for _ in 0..TOLD_TOGETHER {
                    object.tell().await?;
                }
                told += TOLD_TOGETHER;
                ensure!(object.ask(0).await? == told, "some of {told} messages were not handled");
            }
            Ok(figures(told, begin.elapsed()))
        }
    }
}

/// One of many callers.
async fn ask(object: impl Here, numbers: impl Iterator<Item = u64>, tally: Tally) -> Result<()> {
    for number in numbers {
        ensure!(object.ask(number).await? == number, "the reply to call {number} is not its number");
        tally.count(1);
        if !tally.is_open() {
            break;
        }
    }
    Ok(())
}
