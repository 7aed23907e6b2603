//! Throughput by connections and by calls in flight, as a picture. Its scale is raw's best, so that it shows no absolute figure.

use std::path::Path;

use anyhow::{Context, Result};

use crate::compare::progress;
use crate::peer::Peer;
use crate::peers::RAW;
use crate::process;
use crate::scale::svg::{Line, Panel, picture};
use crate::workload::{Shape, Workload};

/// Calls in flight on one connection.
const DEPTHS: [usize; 6] = [1, 4, 16, 64, 256, 1024];
/// Connections, each with `EACH` calls in flight.
const CONNECTIONS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
const EACH: usize = 16;

/// Measures raw and these peers, and writes the picture.
pub fn run(peers: &[&'static dyn Peer], seconds: f64, output: &Path) -> Result<()> {
    let depths = DEPTHS.map(|depth| (depth, Shape::InFlight { connections: 1, depth }));
    let connections = CONNECTIONS.map(|connections| (connections, Shape::InFlight { connections, depth: EACH }));
    let panels = [
        panel("calls in flight on one connection".to_owned(), Workload::W2, &depths, peers, seconds)?,
        panel(format!("connections, {EACH} calls in flight on each"), Workload::W3, &connections, peers, seconds)?,
    ];
    progress("");
    std::fs::write(output, picture("Calls a second, of the most that a raw echo makes", &panels))
        .with_context(|| output.display().to_string())?;
    println!("{}", output.display());
    Ok(())
}

fn panel(
    title: String,
    workload: Workload,
    shapes: &[(usize, Shape)],
    peers: &[&'static dyn Peer],
    seconds: f64,
) -> Result<Panel> {
    let mut lines = Vec::new();
    for peer in std::iter::once(&RAW).chain(peers) {
        let mut points = Vec::new();
        for (at, shape) in shapes {
            progress(&format!("{}: {at} {title}", peer.title()));
            match process::measure(*peer, workload, *shape, seconds, 1) {
                Ok(figures) => points.extend(figures.rate.map(|rate| (*at as f64, rate))),
                Err(problem) => eprintln!("{}: {at} {title}: {problem:#}", peer.title()),
            }
        }
        lines.push(Line { title: peer.title().to_owned(), points });
    }
    let best = lines[0].points.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
    for (_, rate) in lines.iter_mut().flat_map(|line| &mut line.points) {
        *rate /= best;
    }
    Ok(Panel { title, ticks: shapes.iter().map(|(at, _)| *at as f64).collect(), lines })
}
