//! What every client does, whatever it is a client of. Each reply is compared with what was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::peer::Connection;
use crate::process;
use crate::workload::{Figures, SMALL, Shape, Task};

/// Before anything is counted: connections and caches get warm.
pub const WARM_UP: Duration = Duration::from_millis(300);
/// Oneway calls that are sent between two looks at the clock.
const TOLD_TOGETHER: u64 = 256;
/// How long oneway calls may take to be handled once all are sent, and between two looks whether they are.
const HANDLED: (Duration, Duration) = (Duration::from_secs(60), Duration::from_millis(1));

/// What all callers of a process have done, and whether they go on.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<(AtomicU64, AtomicBool)>);

impl Tally {
    /// A reply has come, and is what it must be.
    pub fn count(&self, replies: u64) {
        self.0.0.fetch_add(replies, Ordering::Relaxed);
    }

    pub fn counted(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }

    pub fn close(&self) {
        self.0.1.store(true, Ordering::Relaxed);
    }

    pub fn is_open(&self) -> bool {
        !self.0.1.load(Ordering::Relaxed)
    }
}

/// A payload that no other call has.
pub fn stamp(number: u64) -> Bytes {
    Bytes::copy_from_slice(&stamped(number))
}

/// Its bytes.
pub fn stamped(number: u64) -> [u8; SMALL] {
    let mut payload = [0; SMALL];
    payload.as_chunks_mut().0.fill(number.to_le_bytes());
    payload
}

/// The number in a payload.
pub fn number(payload: &[u8]) -> u64 {
    payload.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Fails unless a reply is what was sent.
pub fn check(number: u64, reply: &[u8]) -> Result<()> {
    ensure!(reply == stamped(number), "the reply to call {number} is not what was sent: {} bytes", reply.len());
    Ok(())
}

/// The same of a large payload.
pub fn check_large(sent: &[u8], reply: &[u8]) -> Result<()> {
    ensure!(reply == sent, "the large reply is not what was sent: {} bytes", reply.len());
    Ok(())
}

/// Starts so many callers; `spawn` says where they run. Each has numbers of its own.
pub fn callers<F>(depth: usize, spawn: impl Fn(std::iter::StepBy<std::ops::RangeFrom<u64>>) -> F) -> Vec<F> {
    (0..depth).map(|first| spawn((first as u64..).step_by(depth))).collect()
}

/// One caller: one call after the other, until the tally is closed.
pub async fn call(connection: impl Connection, numbers: impl Iterator<Item = u64>, tally: Tally) -> Result<()> {
    for number in numbers {
        check(number, &connection.echo(stamp(number)).await?)?;
        tally.count(1);
        if !tally.is_open() {
            break;
        }
    }
    Ok(())
}

/// Does a task; `connect` makes a connection of its own each time.
pub async fn run<C: Connection>(task: &Task, connect: impl AsyncFn() -> Result<C>) -> Result<Figures> {
    let time = Duration::from_secs_f64(task.seconds);
    match task.shape {
        Shape::OneByOne { size } => {
            let figures = one_by_one(&connect().await?, size, time).await?;
            let peak_bytes = if size == SMALL { None } else { process::peak(task.server).ok() };
            Ok(Figures { peak_bytes, ..figures })
        }
        Shape::InFlight { connections, depth } => in_flight(connections, depth, time, connect).await,
        Shape::Oneway => oneway(&connect().await?, time).await,
        Shape::Idle { connections } => idle(task.server, connections, time, connect).await,
    }
}

async fn one_by_one(connection: &impl Connection, size: usize, time: Duration) -> Result<Figures> {
    let large = (size != SMALL).then(|| Bytes::from_iter((0..size).map(|at| ((at / 251) ^ at) as u8)));
    let (mut number, mut nanoseconds) = (0, Vec::with_capacity(1 << 16));
    let begin = Instant::now() + WARM_UP;
    let mut before = Instant::now();
    while before < begin + time {
        number += 1;
        match &large {
            None => check(number, &connection.echo(stamp(number)).await?)?,
            Some(large) => connection.echo_large(large).await?,
        }
        let after = Instant::now();
        if before >= begin {
            nanoseconds.push(after - before);
        }
        before = after;
    }
    Ok(latencies(nanoseconds))
}

/// The rate and the quantiles of calls that were made one by one.
fn latencies(mut calls: Vec<Duration>) -> Figures {
    calls.sort_unstable();
    let microseconds = |quantile: f64| {
        let at = ((calls.len() as f64 * quantile) as usize).min(calls.len().saturating_sub(1));
        calls.get(at).map(|call| call.as_secs_f64() * 1e6)
    };
    let total: Duration = calls.iter().sum();
    Figures {
        calls: calls.len() as u64,
        rate: (!total.is_zero()).then(|| calls.len() as f64 / total.as_secs_f64()),
        p50_us: microseconds(0.5),
        p99_us: microseconds(0.99),
        ..Figures::default()
    }
}

async fn in_flight<C: Connection>(
    connections: usize,
    depth: usize,
    time: Duration,
    connect: impl AsyncFn() -> Result<C>,
) -> Result<Figures> {
    let tally = Tally::default();
    let mut callers = Vec::new();
    for _ in 0..connections {
        callers.extend(connect().await?.keep_in_flight(depth, tally.clone()));
    }
    tokio::time::sleep(WARM_UP).await;
    let (before, begin) = (tally.counted(), Instant::now());
    tokio::time::sleep(time).await;
    let (calls, elapsed) = (tally.counted() - before, begin.elapsed());
    tally.close();
    join(callers).await?;
    Ok(Figures { calls, rate: Some(calls as f64 / elapsed.as_secs_f64()), ..Figures::default() })
}

/// Waits for callers that were told to stop, and fails as they did.
pub async fn join(callers: Vec<JoinHandle<Result<()>>>) -> Result<()> {
    for caller in callers {
        caller.await??;
    }
    Ok(())
}

async fn oneway(connection: &impl Connection, time: Duration) -> Result<Figures> {
    let (mut calls, mut sum) = (0, 0_u64);
    let begin = Instant::now();
    while begin.elapsed() < time {
        for _ in 0..TOLD_TOGETHER {
            calls += 1;
            sum = sum.wrapping_add(calls);
            connection.tell(calls).await?;
        }
        // Some never wait, and nothing leaves unless others get their turn.
        tokio::task::yield_now().await;
    }
    let sent = Instant::now();
    loop {
        let told = connection.told().await?;
        if told == (calls, sum) {
            break;
        }
        ensure!(told.0 < calls, "the sum of {calls} oneway calls is {}, not {sum}", told.1);
        ensure!(sent.elapsed() < HANDLED.0, "{} of {calls} oneway calls were never handled", calls - told.0);
        tokio::time::sleep(HANDLED.1).await;
    }
    Ok(Figures { calls, rate: Some(calls as f64 / begin.elapsed().as_secs_f64()), ..Figures::default() })
}

async fn idle<C: Connection>(
    server: u32,
    connections: usize,
    time: Duration,
    connect: impl AsyncFn() -> Result<C>,
) -> Result<Figures> {
    // The first pays for what all of them share.
    let used = async |number| {
        let connection = connect().await?;
        check(number, &connection.echo(stamp(number)).await?)?;
        anyhow::Ok(connection)
    };
    let active = used(0).await?;
    let before = process::memory(server)?;
    let mut idle = Vec::with_capacity(connections);
    for number in 1..connections {
        idle.push(used(number as u64).await?);
    }
    if idle.is_empty() {
        bail!("there is no idle connection beside the active one");
    }
    let grown = process::memory(server)?.saturating_sub(before);
    let figures = if time.is_zero() { Figures::default() } else { one_by_one(&active, SMALL, time).await? };
    Ok(Figures { kib_per_connection: Some(grown as f64 / 1024.0 / idle.len() as f64), ..figures })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_its_number_over_and_over() {
        assert_eq!(number(&stamp(258)), 258);
        assert_eq!(stamp(258)[8..16], stamp(258)[..8]);
        assert!(check(258, &stamp(258)).is_ok());
        assert!(check(257, &stamp(258)).is_err());
        assert!(check(258, &stamp(258)[1..]).is_err());
    }

    #[test]
    fn quantiles_are_of_what_was_measured() {
        let figures = latencies((1..=100).rev().map(Duration::from_micros).collect());
        assert_eq!((figures.calls, figures.p50_us.map(f64::round)), (100, Some(51.0)));
        assert_eq!(figures.p99_us.map(f64::round), Some(100.0));
        assert_eq!(latencies(Vec::new()), Figures::default());
    }

    #[test]
    fn callers_share_the_numbers() {
        let firsts = callers(3, |mut numbers| (numbers.next(), numbers.next()));
        assert_eq!(firsts, [(Some(0), Some(3)), (Some(1), Some(4)), (Some(2), Some(5))]);
    }
}
