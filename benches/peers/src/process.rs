//! The two processes of a measurement: where they run, what they say, and how they end.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::peer::Peer;
use crate::workload::{Figures, Shape, Task, Workload};

/// How long a server may take to say where it is.
const START: Duration = Duration::from_secs(30);
/// How much longer than it measures a client may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Says where a server is. From now on it ends when whoever started it ends.
pub fn announce(address: impl Display) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{address}")?;
    stdout.flush()?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    Ok(())
}

/// What a client prints in the end.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Said {
    Failed { error: String },
    Measured(Figures),
}

/// Says what became of a client's task.
pub fn report(outcome: Result<Figures>) -> Result<()> {
    let said = match outcome {
        Ok(figures) => Said::Measured(figures),
        Err(problem) => Said::Failed { error: format!("{problem:#}") },
    };
    writeln!(std::io::stdout().lock(), "{}", serde_json::to_string(&said)?)?;
    Ok(())
}

/// Measures once: a server and a client of a peer, in processes of their own on so many cores.
///
/// # Errors
/// One of them failed, and what it said.
pub fn measure(peer: &dyn Peer, workload: Workload, shape: Shape, seconds: f64, cores: usize) -> Result<Figures> {
    let mut server = ours(&["serve", peer.id(), workload.title()], 0)?;
    let address = server.line(START)?.context("the server said nothing")?;
    let task = Task { address, server: server.0.id(), seconds, shape };
    ours(&["call", peer.id(), &serde_json::to_string(&task)?], cores - 1)?.figures(seconds)
}

/// Measures once what happens within one process, on one core.
///
/// # Errors
/// It failed, and what it said.
pub fn here(subject: &str, seconds: f64) -> Result<Figures> {
    ours(&["here", subject, &seconds.to_string()], 0)?.figures(seconds)
}

/// A process that ends with this value.
struct Ours(Child);

/// This program, told something else, on this core.
fn ours(args: &[&str], core: usize) -> Result<Ours> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(Ours(on_core(core, || command.spawn())?.context("it cannot be started")?))
}

impl Ours {
    /// The next line it prints, or none if it ended before.
    ///
    /// # Errors
    /// There is none in time.
    fn line(&mut self, time: Duration) -> Result<Option<String>> {
        let stdout = self.0.stdout.take().context("its output is read once")?;
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            let _ = sender.send(line);
        });
        match receiver.recv_timeout(time) {
            Ok(line) => Ok(Some(line.trim().to_owned()).filter(|line| !line.is_empty())),
            Err(RecvTimeoutError::Timeout) => bail!("it said nothing for {} s", time.as_secs()),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
        }
    }
}

impl Ours {
    /// What it reports in the end.
    fn figures(&mut self, seconds: f64) -> Result<Figures> {
        let line = self.line(Duration::from_secs_f64(seconds) + PATIENCE)?;
        match serde_json::from_str(&line.context("it ended without figures")?)? {
            Said::Measured(figures) => Ok(figures),
            Said::Failed { error } => bail!("{error}"),
        }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Does something as if this machine had only one core, the `core`th of those there are, so that processes started there stay there.
#[cfg(target_os = "linux")]
fn on_core<T>(core: usize, action: impl FnOnce() -> T) -> Result<T> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let all = sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
    let first = cores.next().unwrap_or(0);
    let mut one = CpuSet::new();
    one.set(if core == 0 { first } else { cores.nth(core - 1).unwrap_or(first) });
    sched_setaffinity(None, &one)?;
    let outcome = action();
    sched_setaffinity(None, &all)?;
    Ok(outcome)
}

#[cfg(not(target_os = "linux"))]
fn on_core<T>(_: usize, action: impl FnOnce() -> T) -> Result<T> {
    Ok(action())
}

/// The resident memory of a process, bytes.
///
/// # Errors
/// There is none, or the system does not say (only Linux does, in `/proc`).
pub fn memory(process: u32) -> Result<u64> {
    status(process, "VmRSS:")
}

/// The most resident memory that it had, bytes.
///
/// # Errors
/// As [`memory`].
pub fn peak(process: u32) -> Result<u64> {
    status(process, "VmHWM:")
}

fn status(process: u32, of: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).context("memory is read on Linux only")?;
    let line = status.lines().find_map(|line| line.strip_prefix(of)).context("the figure is missing")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

/// Lets this process, and those it starts, open as many files as the system allows; says how many.
#[cfg(unix)]
pub fn allow_many_files() -> Result<u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    Ok(limit.current.unwrap_or(u64::MAX))
}

#[cfg(not(unix))]
pub fn allow_many_files() -> Result<u64> {
    Ok(u64::MAX)
}
