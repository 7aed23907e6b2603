//! Calls that travel together.

use anyhow::{Context, Result};
use bytes::Bytes;
use pyroxene::Spin;
use pyroxene::daemon::program::system;
use tokio::task::JoinHandle;

use crate::calls::{self, Tally, check, stamp};
use crate::peer::{Connection, Peer, Support};
use crate::peers::pyroxene::{EchoProxy, Pyroxene, connect};
use crate::workload::{Figures, Task, Workload};

/// Ours, one batch of calls after another.
pub struct Batched;

impl Peer for Batched {
    fn id(&self) -> &'static str {
        "pyroxene-batch"
    }

    fn title(&self) -> &'static str {
        "Pyroxene, batched"
    }

    fn support(&self, workload: Workload) -> Support {
        match workload {
            Workload::W2 | Workload::W3 => Support::Differently("calls in flight are one batch after another"),
            _ => Support::No("nothing that a batch would gather"),
        }
    }

    fn serve(&self, workload: Workload) -> Result<()> {
        Pyroxene { spin: Spin::Off }.serve(workload)
    }

    fn call(&self, task: &Task) -> Result<Figures> {
        system().block_on(calls::run(task, async || Ok(Batch(connect(&task.address, Spin::Off).await?))))
    }
}

#[derive(Clone)]
struct Batch(EchoProxy);

impl Batch {
    async fn batches(self, depth: usize, tally: Tally) -> Result<()> {
        let mut numbers = 0_u64..;
        while tally.is_open() {
            let calls: Vec<u64> = numbers.by_ref().take(depth).collect();
            let sent = calls.iter().map(|number| self.0.echo(stamp(*number)));
            let replies = self.0.proxy().batch().add_all(sent).send().await;
            for (number, reply) in calls.iter().zip(replies) {
                check(*number, &reply.context("a call of the batch failed")?)?;
            }
            tally.count(depth as u64);
        }
        Ok(())
    }
}

impl Connection for Batch {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        Ok(self.0.echo(payload).await?)
    }

    fn keep_in_flight(self, depth: usize, tally: Tally) -> Vec<JoinHandle<Result<()>>> {
        vec![tokio::spawn(self.batches(depth, tally))]
    }
}
