//! Ours: an object in a daemon, a typed proxy, everything at its defaults.

mod batched;
mod streamed;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use pyroxene::client::client::{Client, ClientConfig};
use pyroxene::daemon::program::system;
use pyroxene::naming::resolve::NameResolver;
use pyroxene::{Daemon, DaemonConfig, Items, Proxy, Spin};
use tokio::task::JoinHandle;

use crate::calls::{self, Tally, call, callers, number, stamp};
use crate::peer::{Connection, Peer, Support};
use crate::process::announce;
use crate::workload::{Figures, Task, Workload};

pub use batched::Batched;
pub use streamed::Streamed;

/// Calls that are awaited one by one.
pub struct Pyroxene {
    /// Whether connections look for more before they sleep; at its default they do not.
    pub spin: Spin,
}

/// Oneways between two calls that show that those before were handled. Twice as many are under way, and a connection may have 1,024 calls in
/// flight, which is half of the object's queue.
const PACE: u64 = 500;

#[derive(Default)]
struct Echo {
    told: Rc<Cell<(u64, u64)>>,
}

#[pyroxene::remote]
impl Echo {
    pub fn echo(&mut self, payload: Bytes) -> Bytes {
        payload
    }

    #[remote(oneway)]
    pub fn tell(&mut self, payload: Bytes) {
        count(&self.told, &payload);
    }

    /// The stream goes on beside the object.
    pub fn listen(&mut self, mut payloads: Items<Bytes>) {
        let told = Rc::clone(&self.told);
        actix::spawn(async move {
            while let Some(Ok(payload)) = payloads.next().await {
                count(&told, &payload);
            }
        });
    }

    pub fn told(&self) -> (u64, u64) {
        self.told.get()
    }
}

/// A payload was handled.
fn count(told: &Cell<(u64, u64)>, payload: &[u8]) {
    let (calls, sum) = told.get();
    told.set((calls + 1, sum.wrapping_add(number(payload))));
}

impl Peer for Pyroxene {
    fn id(&self) -> &'static str {
        if self.spin == Spin::Off { "pyroxene" } else { "pyroxene-spin" }
    }

    fn title(&self) -> &'static str {
        if self.spin == Spin::Off { "Pyroxene" } else { "Pyroxene, spinning" }
    }

    fn support(&self, workload: Workload) -> Support {
        match workload {
            Workload::W5 => Support::Differently(
                "what a queue has no place for is lost: after each 500 oneways a call shows that those before have been handled",
            ),
            _ if self.spin != Spin::Off => Support::Differently(
                "before they sleep, its connections look for more for up to 200 µs, as long as that pays",
            ),
            _ => Support::Yes,
        }
    }

    fn serve(&self, _: Workload) -> Result<()> {
        system().block_on(async {
            let daemon = daemon(DaemonConfig { spin: self.spin, ..DaemonConfig::default() }).await?;
            let echo = daemon.object("echo", Echo::default).id("echo").spawn().await?;
            announce(echo.uri())?;
            daemon.run().await;
            Ok(())
        })
    }

    fn call(&self, task: &Task) -> Result<Figures> {
        let connect = async || Ok(Awaited { echo: connect(&task.address, self.spin).await?, pace: Arc::default() });
        system().block_on(calls::run(task, connect))
    }
}

/// A daemon on a port of this machine.
pub async fn daemon(config: DaemonConfig) -> Result<Daemon> {
    let client = Client::new(ClientConfig::default(), Arc::new(NameResolver::default()));
    Ok(Daemon::bind_with(config, client, &"127.0.0.1:0".parse()?).await?)
}

/// A proxy with a connection of its own.
async fn connect(uri: &str, spin: Spin) -> Result<EchoProxy> {
    let client = Client::new(ClientConfig { spin, ..ClientConfig::default() }, Arc::new(NameResolver::default()));
    Ok(EchoProxy::from(Proxy::connect_with(&client, uri).await?))
}

#[derive(Clone)]
struct Awaited {
    echo: EchoProxy,
    pace: Arc<Mutex<Option<JoinHandle<Result<()>>>>>,
}

impl Connection for Awaited {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        Ok(self.echo.echo(payload).await?)
    }

    async fn tell(&self, number: u64) -> Result<()> {
        self.echo.tell(stamp(number));
        if number.is_multiple_of(PACE) {
            let echo = self.echo.clone();
            let handled = tokio::spawn(async move { Ok(echo.told().await.map(drop)?) });
            let before = self.pace.lock().unwrap_or_else(PoisonError::into_inner).replace(handled);
            if let Some(before) = before {
                before.await??;
            }
        }
        Ok(())
    }

    async fn told(&self) -> Result<(u64, u64)> {
        Ok(self.echo.told().await?)
    }

    fn keep_in_flight(self, depth: usize, tally: Tally) -> Vec<JoinHandle<Result<()>>> {
        callers(depth, |numbers| tokio::spawn(call(self.clone(), numbers, tally.clone())))
    }
}
