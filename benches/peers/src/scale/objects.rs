//! Many objects in one daemon, and as many plain actix actors beside it.

use std::time::Instant;

use actix::{Actor, Context};
use anyhow::{Result, ensure};
use pyroxene::Daemon;
use serde::Serialize;

use crate::compare::{json, progress, rate};
use crate::process;
use crate::table::{Cell, Row, Table};
use crate::workload::Figures;

/// What `here` is told begins so; then follow the kind and the number.
pub const PREFIX: &str = "objects-";

#[derive(Serialize)]
struct Measured<'a> {
    objects: &'a str,
    number: u32,
    #[serde(flatten)]
    figures: &'a Figures,
}

/// Measures both.
pub fn run(number: u32, as_json: bool) -> Result<()> {
    let mut table = Table::new(["bytes each", "spawned"].into_iter().map(str::to_owned));
    table.caption(format!(
        "{number} objects with a state of 8 bytes; actors are kept by an address each, ours have a name and are kept by their daemon"
    ));
    for (id, title) in [("actix", "actix actors"), ("pyroxene", "Pyroxene objects")] {
        progress(title);
        let figures = process::here(&format!("{PREFIX}{id}-{number}"), 0.0)?;
        if as_json {
            json(&Measured { objects: id, number, figures: &figures })?;
        }
        let bytes = figures.bytes_per_object.map_or_else(Cell::none, |bytes| Cell::figure(format!("{bytes:.0}")));
        let spawned = figures.rate.map_or_else(Cell::none, |spawned| Cell::figure(rate(spawned)));
        let row = Row::new(title, vec![bytes, spawned]);
        table.push(if id == "pyroxene" { row.ours() } else { row.limit() });
    }
    progress("");
    if as_json { Ok(()) } else { table.print() }
}

/// What a process of `run` does.
pub fn spawn(what: &str) -> Result<Figures> {
    let (kind, number) = what.split_once('-').unwrap_or_default();
    let number: u64 = number.parse()?;
    pyroxene::daemon::program::system()
        .block_on(async { if kind == "pyroxene" { objects(number).await } else { actors(number).await } })
}

#[derive(Default)]
struct Counter {
    count: u64,
}

#[pyroxene::remote]
impl Counter {
    pub fn add(&mut self, number: u64) -> u64 {
        self.count += number;
        self.count
    }
}

struct Plain {
    _count: u64,
}

impl Actor for Plain {
    type Context = Context<Self>;
}

async fn objects(number: u64) -> Result<Figures> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let mut called = Vec::new();
    let (before, begin) = (process::memory(std::process::id())?, Instant::now());
    for at in 0..number {
        let object = daemon.supervise(&at.to_string(), Counter::default).await?;
        if at.is_multiple_of(1 + number / 100) {
            called.push(object);
        }
    }
    let figures = figures(number, before, begin)?;
    for object in called {
        let counter = CounterProxy::from(object);
        ensure!(counter.add(7).await? == 7, "{} is another", counter.proxy().uri());
    }
    Ok(figures)
}

async fn actors(number: u64) -> Result<Figures> {
    let mut spawned = Vec::with_capacity(number as usize);
    let (before, begin) = (process::memory(std::process::id())?, Instant::now());
    for _ in 0..number {
        spawned.push(Plain { _count: 0 }.start());
        // They are started by tasks of their own.
        if spawned.len().is_multiple_of(256) {
            tokio::task::yield_now().await;
        }
    }
    let figures = figures(number, before, begin)?;
    ensure!(spawned.iter().all(|actor| actor.connected()), "an actor has ended");
    Ok(figures)
}

fn figures(number: u64, before: u64, begin: Instant) -> Result<Figures> {
    let elapsed = begin.elapsed();
    let grown = process::memory(std::process::id())?.saturating_sub(before);
    Ok(Figures {
        calls: number,
        rate: Some(number as f64 / elapsed.as_secs_f64()),
        bytes_per_object: Some(grown as f64 / number as f64),
        ..Figures::default()
    })
}
