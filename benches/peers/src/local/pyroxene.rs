//! A proxy to an object of a daemon in the same process.

use std::sync::Arc;
use std::time::Duration;

use actix::{Arbiter, ArbiterHandle};
use anyhow::{Result, ensure};
use pyroxene::Daemon;
use pyroxene::client::client::{Client, ClientConfig};
use pyroxene::daemon::daemon::DaemonConfig;
use pyroxene::daemon::placement::{Placement, Task};
use pyroxene::daemon::program::system;
use pyroxene::naming::resolve::NameResolver;
use tokio::task::JoinHandle;

use crate::calls::Tally;
use crate::local::{DEPTH, Here, Way, ask, callers, go};
use crate::workload::Figures;

/// The object is on the thread of its caller.
pub(super) fn here(way: Way, time: Duration) -> Result<Figures> {
    system().block_on(async {
        let placement: Arc<dyn Placement> = Arc::new(ThisThread(Arbiter::current()));
        measure(DaemonConfig { placement: Some(placement), ..DaemonConfig::default() }, way, time).await
    })
}

/// It is where a daemon puts it unless told otherwise, on an arbiter of its own.
pub(super) fn apart(way: Way, time: Duration) -> Result<Figures> {
    system().block_on(measure(DaemonConfig::default(), way, time))
}

async fn measure(config: DaemonConfig, way: Way, time: Duration) -> Result<Figures> {
    let client = Client::new(ClientConfig::default(), Arc::new(NameResolver::default()));
    let daemon = Daemon::bind_with(config, client, &"127.0.0.1:0".parse()?).await?;
    let object = daemon.supervise("object", Object::default).await?;
    ensure!(object.is_local(), "calls would go through a connection");
    let figures = go(ObjectProxy::from(object), way, time).await;
    daemon.shutdown().await;
    figures
}

struct ThisThread(ArbiterHandle);

impl Placement for ThisThread {
    fn choose(&self) -> usize {
        0
    }

    fn leave(&self, _: usize) {}

    fn run(&self, _: usize, task: Task) {
        self.0.spawn_fn(task);
    }
}

#[derive(Default)]
struct Object {
    told: u64,
}

#[pyroxene::remote]
impl Object {
    pub fn ask(&self, number: u64) -> u64 {
        number + self.told
    }

    #[remote(oneway)]
    pub fn tell(&mut self) {
        self.told += 1;
    }
}

impl Here for ObjectProxy {
    async fn ask(&self, number: u64) -> Result<u64> {
        Ok(ObjectProxy::ask(self, number).await?)
    }

    async fn tell(&self) -> Result<()> {
        ObjectProxy::tell(self);
        Ok(())
    }

    fn keep_in_flight(self, tally: Tally) -> Vec<JoinHandle<Result<()>>> {
        callers(DEPTH, |numbers| tokio::spawn(ask(self.clone(), numbers, tally.clone())))
    }
}
