//! What is measured.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The size of a small payload, bytes.
pub const SMALL: usize = 64;
/// The size of a large one.
pub const LARGE: usize = 1 << 20;

/// The workloads of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Workload {
    /// One call in flight
    W1,
    /// 64 calls in flight on one connection
    W2,
    /// 16 calls in flight on each of 8 connections
    W3,
    /// 1 MiB there and back, one call in flight
    W4,
    /// Oneway calls, until all are handled
    W5,
    /// Memory of the server for each idle connection
    W6,
}

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// One call after the other.
    OneByOne { size: usize },
    /// So many calls in flight on each connection.
    InFlight { connections: usize, depth: usize },
    /// Oneway calls.
    Oneway,
    /// So many connections that were used once; then, if there is time, one call after the other on one of them.
    Idle { connections: usize },
}

/// What a process of a client is told, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// What the server announced.
    pub address: String,
    /// The process of the server, whose memory is looked at.
    pub server: u32,
    /// How long to measure, after a warm-up.
    pub seconds: f64,
    pub shape: Shape,
}

/// What it prints, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Calls whose replies were checked, after the warm-up.
    #[serde(default)]
    pub calls: u64,
    /// Calls a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<f64>,
    /// Resident memory of the server for each idle connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kib_per_connection: Option<f64>,
    /// The most resident memory that the server had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<u64>,
    /// Resident memory of the process for each object in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_object: Option<f64>,
}

impl Workload {
    pub const ALL: [Workload; 6] = [Workload::W1, Workload::W2, Workload::W3, Workload::W4, Workload::W5, Workload::W6];

    /// The heading of its column.
    pub fn title(self) -> &'static str {
        match self {
            Workload::W1 => "W1",
            Workload::W2 => "W2",
            Workload::W3 => "W3",
            Workload::W4 => "W4",
            Workload::W5 => "W5",
            Workload::W6 => "W6",
        }
    }

    /// What it is, in a line.
    pub fn about(self) -> &'static str {
        match self {
            Workload::W1 => "one call in flight",
            Workload::W2 => "64 calls in flight on one connection",
            Workload::W3 => "16 calls in flight on each of 8 connections",
            Workload::W4 => "1 MiB there and back, one call in flight",
            Workload::W5 => "oneway calls, until all are handled",
            Workload::W6 => "KiB of the server for each idle connection",
        }
    }

    /// On how many cores the two processes run, unless told otherwise. On one, what counts is the cost of a call; on two, that of waking
    /// the other core as well.
    pub fn cores(self) -> usize {
        match self {
            Workload::W4 | Workload::W5 => 2,
            _ => 1,
        }
    }

    /// What its client does.
    pub fn shape(self, idle: usize) -> Shape {
        match self {
            Workload::W1 => Shape::OneByOne { size: SMALL },
            Workload::W2 => Shape::InFlight { connections: 1, depth: 64 },
            Workload::W3 => Shape::InFlight { connections: 8, depth: 16 },
            Workload::W4 => Shape::OneByOne { size: LARGE },
            Workload::W5 => Shape::Oneway,
            Workload::W6 => Shape::Idle { connections: idle },
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title())
    }
}
