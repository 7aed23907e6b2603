//! Many idle connections, and an active one among them.

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::compare::{json, progress};
use crate::peer::{Peer, Support};
use crate::peers::RAW;
use crate::process;
use crate::table::{Cell, Row, Table};
use crate::workload::{Figures, Shape, Workload};

/// Files that a process needs beside its connections.
const OTHER_FILES: u64 = 64;

#[derive(Serialize)]
struct Measured<'a> {
    peer: &'a str,
    /// Idle ones; none of them is the active one.
    connections: usize,
    #[serde(flatten)]
    figures: &'a Figures,
}

/// Measures raw and these peers, without idle connections and with so many.
pub fn run(peers: &[&'static dyn Peer], connections: u32, seconds: f64, as_json: bool) -> Result<()> {
    let files = process::allow_many_files()?;
    ensure!(
        u64::from(connections) + OTHER_FILES <= files,
        "{connections} connections are more than the {files} files a process may open; raise the hard limit (ulimit -Hn)"
    );
    let connections = connections as usize;
    let headings = ["KiB each", "p50 µs alone", "p50 µs among", "p99 µs alone", "p99 µs among"];
    let mut table = Table::new(headings.into_iter().map(str::to_owned));
    table.caption(format!(
        "one call in flight, alone and among {connections} idle connections; memory of the server for each of them"
    ));
    for peer in std::iter::once(&RAW).chain(peers) {
        let support = peer.support(Workload::W6);
        if let Support::No(why) = support {
            let note = table.note(why);
            table.push(Row::new(peer.title(), vec![Cell::none().noted(note); headings.len()]));
            continue;
        }
        let once = |shape: Shape, connections: usize| {
            progress(&format!("{}, {connections} idle connections", peer.title()));
            let figures = process::measure(*peer, Workload::W6, shape, seconds, 1)?;
            if as_json {
                json(&Measured { peer: peer.id(), connections, figures: &figures })?;
            }
            anyhow::Ok(figures)
        };
        let measured = once(Workload::W1.shape(0), 0)
            .and_then(|alone| Ok((alone, once(Shape::Idle { connections }, connections)?)));
        let row = match measured {
            Ok((alone, among)) => {
                let figure =
                    |value: Option<f64>| value.map_or_else(Cell::none, |value| Cell::figure(format!("{value:.1}")));
                let values = [among.kib_per_connection, alone.p50_us, among.p50_us, alone.p99_us, among.p99_us];
                let mut cells: Vec<Cell> = values.into_iter().map(figure).collect();
                if let Support::Differently(how) = support {
                    let note = table.note(how);
                    cells[0] = cells[0].clone().noted(note);
                }
                cells
            }
            Err(problem) => {
                let note = table.note(&format!("{problem:#}"));
                vec![Cell::failed().noted(note); headings.len()]
            }
        };
        table.push(Row::new(peer.title(), row));
    }
    progress("");
    if as_json { Ok(()) } else { table.print() }
}
