//! The comparison: rounds of workloads, raw before and after each peer.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::cli::Choice;
use crate::peer::{Peer, Support};
use crate::peers::RAW;
use crate::process;
use crate::table::{Cell, Row, Table};
use crate::workload::{Figures, Shape, Workload};

/// One measurement, as a line of JSON.
#[derive(Serialize)]
struct Measured<'a> {
    peer: &'a str,
    workload: Workload,
    cores: usize,
    round: u32,
    #[serde(flatten)]
    figures: &'a Figures,
    /// The mean of raw before and after, calls a second.
    raw_rate: Option<f64>,
    /// Its rate by that of raw.
    ratio: Option<f64>,
}

/// The outcome of all rounds, as a line of JSON.
#[derive(Serialize)]
struct Outcome<'a> {
    peer: &'a str,
    workload: Workload,
    rounds: usize,
    /// Medians of the rounds, and the extremes.
    #[serde(flatten)]
    spread: Spread,
}

/// Why there is no figure, as a line of JSON.
#[derive(Serialize)]
struct Missing<'a> {
    peer: &'a str,
    workload: Workload,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsupported: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// What is compared: ratios, or KiB where memory is measured.
#[derive(Serialize, Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
}

impl Spread {
    /// Of some values, unless there are none.
    pub fn of(mut values: Vec<f64>) -> Option<Spread> {
        values.sort_by(f64::total_cmp);
        let (lowest, highest) = (*values.first()?, *values.last()?);
        let median = (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0;
        Some(Spread { median, lowest, highest })
    }
}

/// What was measured so far, by the place of a peer in the table and by workload; raw is at `None`.
#[derive(Default)]
struct Results {
    values: BTreeMap<(Option<usize>, Workload), Vec<f64>>,
    errors: BTreeMap<(Option<usize>, Workload), String>,
}

/// Measures what was chosen, and prints it.
pub fn run(choice: &Choice) -> Result<()> {
    let peers = choice.only.peers()?;
    process::allow_many_files()?;
    let mut results = Results::default();
    for workload in choice.workloads() {
        for round in 1..=choice.times.rounds {
            measure(choice, &peers, workload, round, &mut results)?;
        }
    }
    progress("");
    if choice.times.json { print_json(choice, &peers, &results) } else { table(choice, &peers, &results).print() }
}

/// One round of one workload.
fn measure(
    choice: &Choice,
    peers: &[&'static dyn Peer],
    workload: Workload,
    round: u32,
    results: &mut Results,
) -> Result<()> {
    let shape = workload.shape(choice.idle as usize);
    let cores = choice.cores(workload);
    let once = |peer: &dyn Peer| {
        progress(&format!("{workload}, round {round} of {}: {}", choice.times.rounds, peer.title()));
        // Memory is looked at, and no time passes.
        let seconds = if matches!(shape, Shape::Idle { .. }) { 0.0 } else { choice.times.seconds };
        process::measure(peer, workload, shape, seconds, cores)
    };
    let print = |peer: &dyn Peer, figures: &Figures, raw: Option<f64>| {
        let ratio = figures.rate.zip(raw).map(|(rate, raw)| rate / raw);
        let line = Measured { peer: peer.id(), workload, cores, round, figures, raw_rate: raw, ratio };
        if choice.times.json { json(&line) } else { Ok(()) }
    };
    let raw = |results: &mut Results| {
        let figures = once(RAW).with_context(|| format!("raw failed at {workload}"))?;
        print(RAW, &figures, None)?;
        results.values.entry((None, workload)).or_default().extend(figures.rate.or(figures.kib_per_connection));
        anyhow::Ok(figures.rate)
    };
    let mut before = raw(results)?;
    for (at, peer) in peers.iter().enumerate() {
        let place = (Some(at), workload);
        // Who failed once is not asked again.
        if matches!(peer.support(workload), Support::No(_)) || results.errors.contains_key(&place) {
            continue;
        }
        let measured = once(*peer);
        let after = raw(results)?;
        match measured {
            Ok(figures) => {
                let raw = before.zip(after).map(|(before, after)| (before + after) / 2.0);
                print(*peer, &figures, raw)?;
                let ratio = figures.rate.zip(raw).map(|(rate, raw)| rate / raw);
                results.values.entry(place).or_default().extend(figures.kib_per_connection.or(ratio));
            }
            Err(problem) => {
                results.errors.insert(place, format!("{problem:#}"));
            }
        }
        before = after;
    }
    Ok(())
}

/// A line of JSON.
pub fn json(line: &impl Serialize) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{}", serde_json::to_string(line)?)?;
    Ok(())
}

/// Says what is going on, where somebody may be watching.
pub fn progress(what: &str) {
    let mut stderr = std::io::stderr().lock();
    if stderr.is_terminal() {
        // Nothing is lost if it cannot be said.
        let _ = write!(stderr, "\r\x1b[K{what}");
        let _ = stderr.flush();
    }
}

fn print_json(choice: &Choice, peers: &[&'static dyn Peer], results: &Results) -> Result<()> {
    for workload in choice.workloads() {
        for (at, peer) in peers.iter().enumerate() {
            let place = (Some(at), workload);
            let unsupported = match peer.support(workload) {
                Support::No(why) => Some(why),
                _ => None,
            };
            let error = results.errors.get(&place).map(String::as_str);
            let values = results.values.get(&place).cloned().unwrap_or_default();
            let rounds = values.len();
            match Spread::of(values) {
                Some(spread) if error.is_none() => json(&Outcome { peer: peer.id(), workload, rounds, spread })?,
                _ => json(&Missing { peer: peer.id(), workload, unsupported, error })?,
            }
        }
    }
    Ok(())
}

fn table(choice: &Choice, peers: &[&'static dyn Peer], results: &Results) -> Table {
    let workloads = choice.workloads();
    let mut table = Table::new(workloads.iter().map(|workload| heading(choice, *workload)));
    for workload in &workloads {
        table.caption(format!("{workload}: {}", workload.about()));
    }
    let raw = workloads.iter().map(|workload| {
        let values = results.values.get(&(None, *workload)).cloned().unwrap_or_default();
        Spread::of(values).map_or_else(Cell::none, |spread| match workload {
            Workload::W6 => Cell::figure(format!("{:.1}", spread.median)),
            _ => Cell::figure(rate(spread.median)),
        })
    });
    table.push(Row::new(RAW.title(), raw.collect()).limit());
    for (at, peer) in peers.iter().enumerate() {
        let cells = workloads.iter().map(|workload| {
            let place = (Some(at), *workload);
            if let Some(error) = results.errors.get(&place) {
                return Cell::failed().noted(table.note(error));
            }
            let spread = Spread::of(results.values.get(&place).cloned().unwrap_or_default());
            let cell = spread.map_or_else(Cell::none, |spread| match workload {
                Workload::W6 => Cell::figure(format!("{:.1}", spread.median)),
                _ => Cell::figure(ratio(spread.median)),
            });
            match peer.support(*workload) {
                Support::Yes => cell,
                Support::Differently(how) => cell.noted(table.note(how)),
                Support::No(why) => Cell::none().noted(table.note(why)),
            }
        });
        let cells = cells.collect();
        let row = Row::new(peer.title(), cells);
        table.push(if peer.id().starts_with("pyroxene") { row.ours() } else { row });
    }
    table
}

fn heading(choice: &Choice, workload: Workload) -> String {
    match workload {
        Workload::W6 => "W6 KiB".to_owned(),
        _ => format!("{workload} {}c", choice.cores(workload)),
    }
}

/// With as many digits as mean something.
pub fn ratio(ratio: f64) -> String {
    match ratio {
        ratio if ratio < 0.01 => format!("{ratio:.4}"),
        ratio if ratio < 0.1 => format!("{ratio:.3}"),
        ratio => format!("{ratio:.2}"),
    }
}

/// Calls a second, to be read.
pub fn rate(rate: f64) -> String {
    match rate {
        rate if rate >= 1e6 => format!("{:.2} M/s", rate / 1e6),
        rate if rate >= 1e4 => format!("{:.0} k/s", rate / 1e3),
        rate if rate >= 1e3 => format!("{:.1} k/s", rate / 1e3),
        rate => format!("{rate:.0} /s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
        let spread = |values: &[f64]| Spread::of(values.to_vec());
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, lowest: 1.0, highest: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]).map(|spread| spread.median), Some(2.5));
    }

    #[test]
    fn figures_have_the_digits_that_mean_something() {
        assert_eq!([0.0021, 0.0214, 0.214, 2.14].map(ratio), ["0.0021", "0.021", "0.21", "2.14"]);
        assert_eq!([312.4, 5_210.0, 56_100.0, 2_950_000.0].map(rate), ["312 /s", "5.2 k/s", "56 k/s", "2.95 M/s"]);
    }
}
