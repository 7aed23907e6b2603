//! Payloads that follow each other in the stream of one call.

use std::sync::Arc;

use anyhow::{Result, bail};
use bytes::Bytes;
use pyroxene::daemon::program::system;
use pyroxene::object::items::ItemSender;
use pyroxene::{Items, Spin};
use tokio::task::JoinHandle;

use crate::calls::{self, Tally, stamp};
use crate::peer::{Connection, Peer, Support};
use crate::peers::pyroxene::{EchoProxy, Pyroxene, connect};
use crate::workload::{Figures, Task, Workload};

/// Payloads that wait to be sent.
const WAITING: usize = 1024;

/// Ours, one call whose argument is a stream.
pub struct Streamed;

impl Peer for Streamed {
    fn id(&self) -> &'static str {
        "pyroxene-stream"
    }

    fn title(&self) -> &'static str {
        "Pyroxene, by stream"
    }

    fn support(&self, workload: Workload) -> Support {
        match workload {
            Workload::W5 => Support::Differently("items of a call's stream, which waits for room and loses none"),
            _ => Support::No("nothing that a stream would gather"),
        }
    }

    fn serve(&self, workload: Workload) -> Result<()> {
        Pyroxene { spin: Spin::Off }.serve(workload)
    }

    fn call(&self, task: &Task) -> Result<Figures> {
        system().block_on(calls::run(task, async || {
            let echo = connect(&task.address, Spin::Off).await?;
            let (tell, payloads) = Items::channel(WAITING);
            echo.listen(payloads).await?;
            Ok(Stream { echo, tell: Arc::new(tell) })
        }))
    }
}

#[derive(Clone)]
struct Stream {
    echo: EchoProxy,
    tell: Arc<ItemSender<Bytes>>,
}

impl Connection for Stream {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        Ok(self.echo.echo(payload).await?)
    }

    async fn tell(&self, number: u64) -> Result<()> {
        if self.tell.send(stamp(number)).await.is_err() {
            bail!("nobody reads the stream of payloads any more");
        }
        Ok(())
    }

    async fn told(&self) -> Result<(u64, u64)> {
        Ok(self.echo.told().await?)
    }

    fn keep_in_flight(self, _: usize, _: Tally) -> Vec<JoinHandle<Result<()>>> {
        Vec::new()
    }
}
