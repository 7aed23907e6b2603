//! What a peer has to do to be measured.

use anyhow::{Result, bail};
use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::calls::{Tally, check_large};
use crate::workload::{Figures, Task, Workload};

/// How a peer stands to a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It does it as everybody does.
    Yes,
    /// It does it in its own way, which the table says in a footnote.
    Differently(&'static str),
    /// It does not do it, and why.
    No(&'static str),
}

/// Something that can be called from another process. Both of its methods run in a process of their own.
pub trait Peer: Sync {
    /// What `--only` calls it.
    fn id(&self) -> &'static str;

    /// What the table calls it, with its version.
    fn title(&self) -> &'static str;

    /// Whether it does a workload.
    fn support(&self, workload: Workload) -> Support;

    /// Why it cannot be measured on this machine, if so.
    fn missing(&self) -> Option<String> {
        None
    }

    /// Hosts an echo, says where (`process::announce`), and does not return.
    ///
    /// # Errors
    /// It cannot be hosted.
    fn serve(&self, workload: Workload) -> Result<()>;

    /// Does a task as a client of that echo.
    ///
    /// # Errors
    /// A call failed, or a reply is not what it must be.
    fn call(&self, task: &Task) -> Result<Figures>;
}

/// One connection to the echo of a peer; clones share it.
pub trait Connection: Clone + 'static {
    /// Sends bytes and has them back.
    fn echo(&self, payload: Bytes) -> impl Future<Output = Result<Bytes>>;

    /// Sends a large payload, and compares what comes back.
    fn echo_large(&self, payload: &Bytes) -> impl Future<Output = Result<()>> {
        async move { check_large(payload, &self.echo(payload.clone()).await?) }
    }

    /// Sends the payload that is stamped with a number (`calls::stamp`), and is told nothing.
    fn tell(&self, _number: u64) -> impl Future<Output = Result<()>> {
        async { bail!("it has no oneway calls") }
    }

    /// How many payloads were handled so far, and the sum of their numbers.
    fn told(&self) -> impl Future<Output = Result<(u64, u64)>> {
        async { bail!("it has no oneway calls") }
    }

    /// Starts to keep so many calls in flight until the tally is closed, where the callers of this peer run best: most have
    /// `calls::callers` spawn one task for each.
    fn keep_in_flight(self, depth: usize, tally: Tally) -> Vec<JoinHandle<Result<()>>>;
}
