//! The command line.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Parser, Subcommand};

use crate::peer::Peer;
use crate::peers::{LEFT_OUT, PEERS, RAW};
use crate::scale::{curve, idle, large, objects, slow};
use crate::workload::{Figures, Task, Workload};
use crate::{compare, local, process};

/// Compares Pyroxene with its peers: two processes over loopback TCP, every reply checked, a raw echo before and after each. Ratios mean
/// something; absolute figures of a small or shared machine do not.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    choice: Choice,
}

#[derive(Subcommand)]
enum Command {
    /// Calls within one process: a mailbox of actix, a local proxy of Pyroxene, kameo, ractor
    Local {
        #[command(flatten)]
        times: Times,
    },
    /// Many idle connections: the server's memory for each, and how an active one among them fares
    Idle {
        #[command(flatten)]
        only: Only,
        /// Idle connections
        #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        connections: u32,
        /// How long calls are made on the active one
        #[arg(long, default_value_t = 2.0, value_name = "S", value_parser = seconds)]
        seconds: f64,
        /// Lines of JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Many objects in one daemon: memory of each beyond its state, and how many are spawned a second
    Objects {
        /// Objects
        #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        number: u32,
        /// Lines of JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// A slow object beside a fast one: what callers of the fast one notice
    Slow {
        /// How long calls are made
        #[arg(long, default_value_t = 3.0, value_name = "S", value_parser = seconds)]
        seconds: f64,
        /// Lines of JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Payloads of 1 to 256 MiB, as `Bytes` and as `Vec<u8>`: their speed, and the memory that they take
    Large {
        /// How long each is measured
        #[arg(long, default_value_t = 2.0, value_name = "S", value_parser = seconds)]
        seconds: f64,
        /// Lines of JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Throughput by connections and by calls in flight, as a picture
    Curve {
        #[command(flatten)]
        only: Only,
        /// How long each point is measured
        #[arg(long, default_value_t = 0.5, value_name = "S", value_parser = seconds)]
        seconds: f64,
        /// Where the picture goes
        #[arg(long, default_value = "curve.svg", value_name = "FILE")]
        output: PathBuf,
    },
    /// Does what `local`, `objects` or `slow` has asked for
    #[command(hide = true)]
    Here { subject: String, seconds: f64 },
    /// Hosts the echo of a peer
    #[command(hide = true)]
    Serve {
        peer: String,
        #[arg(ignore_case = true)]
        workload: Workload,
    },
    /// Does a task as a client of it
    #[command(hide = true)]
    Call { peer: String, task: String },
}

/// What is measured, and how long.
#[derive(Args, Clone)]
pub struct Choice {
    #[command(flatten)]
    pub only: Only,
    /// These workloads only
    #[arg(long, value_delimiter = ',', value_name = "W1,…", ignore_case = true)]
    pub workloads: Vec<Workload>,
    /// Cores for the two processes: both on one, or one each; by default what the workload asks for
    #[arg(long, value_name = "1|2", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub cores: Option<u8>,
    /// Idle connections of W6
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub idle: u32,
    #[command(flatten)]
    pub times: Times,
}

/// Which peers.
#[derive(Args, Clone)]
pub struct Only {
    /// These peers only
    #[arg(long, value_delimiter = ',', value_name = "PEER,…")]
    only: Vec<String>,
}

/// How often and how long, and for whom.
#[derive(Args, Clone)]
pub struct Times {
    /// How often each is measured; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// How long each is measured, each time
    #[arg(long, default_value_t = 1.0, value_name = "S", value_parser = seconds)]
    pub seconds: f64,
    /// Lines of JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.01..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number from 0.01 to 3600".to_owned()),
    }
}

impl Cli {
    pub fn run(self) -> Result<()> {
        match self.command {
            None => compare::run(&self.choice),
            Some(Command::Local { times }) => local::run(&times),
            Some(Command::Idle { only, connections, seconds, json }) => {
                idle::run(&only.peers()?, connections, seconds, json)
            }
            Some(Command::Objects { number, json }) => objects::run(number, json),
            Some(Command::Slow { seconds, json }) => slow::run(seconds, json),
            Some(Command::Large { seconds, json }) => large::run(seconds, json),
            Some(Command::Curve { only, seconds, output }) => curve::run(&only.peers()?, seconds, &output),
            Some(Command::Here { subject, seconds }) => process::report(here(&subject, seconds)),
            Some(Command::Serve { peer, workload }) => find(&peer)?.serve(workload),
            Some(Command::Call { peer, task }) => {
                let task: Task = serde_json::from_str(&task).context("the task is not what we send")?;
                process::report(find(&peer)?.call(&task))
            }
        }
    }
}

impl Only {
    /// The peers that were asked for and are there; why others are not goes to stderr.
    pub fn peers(&self) -> Result<Vec<&'static dyn Peer>> {
        for id in &self.only {
            find(id)?;
        }
        let wanted = |peer: &&dyn Peer| self.only.is_empty() || self.only.iter().any(|id| id == peer.id());
        let mut peers = Vec::new();
        for peer in PEERS.iter().copied().filter(wanted) {
            match peer.missing() {
                None => peers.push(peer),
                Some(why) => eprintln!("{} is left out: {why}", peer.title()),
            }
        }
        if self.only.is_empty() && !LEFT_OUT.is_empty() {
            eprintln!("left out, as this program was built without them: {}", LEFT_OUT.join(", "));
        }
        ensure!(!peers.is_empty() || self.only.iter().any(|id| id == RAW.id()), "no peer is left to be measured");
        Ok(peers)
    }
}

impl Choice {
    pub fn workloads(&self) -> Vec<Workload> {
        let all = Workload::ALL.into_iter();
        all.filter(|workload| self.workloads.is_empty() || self.workloads.contains(workload)).collect()
    }

    pub fn cores(&self, workload: Workload) -> usize {
        self.cores.map_or(workload.cores(), usize::from)
    }
}

/// What happens within one process, in a process of its own.
fn here(subject: &str, seconds: f64) -> Result<Figures> {
    if let Some(objects) = subject.strip_prefix(objects::PREFIX) {
        return objects::spawn(objects);
    }
    match subject.strip_prefix(slow::PREFIX) {
        Some(place) => slow::measure(place, seconds),
        None => local::measure(subject, seconds),
    }
}

/// The peer of this name.
fn find(id: &str) -> Result<&'static dyn Peer> {
    let all = || std::iter::once(&RAW).chain(PEERS);
    if let Some(peer) = all().chain(large::PEERS).find(|peer| peer.id() == id) {
        return Ok(*peer);
    }
    if LEFT_OUT.contains(&id) {
        bail!("this program was built without {id}; build it with `--features {id}`");
    }
    bail!("there is no peer {id:?}; there are {}", all().map(|peer| peer.id()).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, ValueEnum};

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        assert_eq!(Workload::value_variants(), Workload::ALL);
    }

    #[test]
    fn a_peer_that_is_not_there_is_told_apart_from_one_that_was_left_out() {
        assert!(find("tarpcc").is_err_and(|problem| problem.to_string().contains("there are raw, pyroxene")));
        for id in LEFT_OUT {
            assert!(find(id).is_err_and(|problem| problem.to_string().contains("--features")));
        }
    }
}
