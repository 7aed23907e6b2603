//! Large payloads there and back, as `Bytes` and as `Vec<u8>`, and how much memory they take where they are handled.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use pyroxene::client::client::{Client, ClientConfig};
use pyroxene::daemon::program::system;
use pyroxene::naming::resolve::NameResolver;
use pyroxene::wire::Limits;
use pyroxene::{DaemonConfig, Proxy};
use serde::Serialize;
use tokio::task::JoinHandle;

use crate::calls::{self, Tally, check_large};
use crate::compare::{json, progress};
use crate::peer::{Connection, Peer, Support};
use crate::peers::RAW;
use crate::peers::pyroxene::daemon;
use crate::process::{self, announce};
use crate::table::{Cell, Row, Table};
use crate::workload::{Figures, Shape, Task, Workload};

const MIB: usize = 1 << 20;
const SIZES: [usize; 5] = [1, 4, 16, 64, 256];

/// Ours, with room for messages of 256 MiB. The payload is `Bytes`, or a list of bytes.
pub struct Large {
    list: bool,
}

/// What `serve` and `call` know beside the peers of the table.
pub const PEERS: &[&dyn Peer] = &[&Large { list: false }, &Large { list: true }];

#[derive(Serialize)]
struct Measured<'a> {
    mib: usize,
    payload: &'a str,
    #[serde(flatten)]
    figures: &'a Figures,
}

/// Measures all sizes.
pub fn run(seconds: f64, as_json: bool) -> Result<()> {
    let titles = ["Bytes", "its memory", "Vec<u8>", "its memory"];
    let mut table = Table::new(titles.into_iter().map(str::to_owned));
    table.caption("calls a second by those of a raw echo, one call in flight".to_owned());
    table.caption("memory: the most that the server had, by the size of the payload".to_owned());
    for mib in SIZES {
        let mut cells = Vec::new();
        for peer in PEERS {
            progress(&format!("{mib} MiB as {}", peer.title()));
            let measure = |peer: &dyn Peer| -> Result<(Figures, f64)> {
                let figures = process::measure(peer, Workload::W4, Shape::OneByOne { size: mib * MIB }, seconds, 2)?;
                if as_json {
                    json(&Measured { mib, payload: peer.title(), figures: &figures })?;
                }
                let rate = figures.rate.context("there is no rate")?;
                Ok((figures, rate))
            };
            let (before, (figures, rate), after) = (measure(RAW)?.1, measure(*peer)?, measure(RAW)?.1);
            let memory = figures.peak_bytes.context("there is no peak")? as f64 / (mib * MIB) as f64;
            cells.push(Cell::figure(format!("{:.2}", 2.0 * rate / (before + after))));
            cells.push(Cell::figure(format!("{memory:.1}")));
        }
        table.push(Row::new(&format!("{mib} MiB"), cells).ours());
    }
    progress("");
    if as_json { Ok(()) } else { table.print() }
}

#[derive(Default)]
struct Echo;

#[pyroxene::remote]
impl Echo {
    pub fn bytes(&self, payload: Bytes) -> Bytes {
        payload
    }

    pub fn list(&self, payload: Vec<u8>) -> Vec<u8> {
        payload
    }
}

fn limits() -> Limits {
    let most = 257 * MIB as u32;
    Limits { max_message: most, in_flight_bytes: most, ..Limits::default() }
}

impl Peer for Large {
    fn id(&self) -> &'static str {
        if self.list { "pyroxene-list" } else { "pyroxene-bytes" }
    }

    fn title(&self) -> &'static str {
        if self.list { "Vec<u8>" } else { "Bytes" }
    }

    fn support(&self, _: Workload) -> Support {
        Support::Yes
    }

    fn serve(&self, _: Workload) -> Result<()> {
        system().block_on(async {
            let daemon = daemon(DaemonConfig { limits: limits(), ..DaemonConfig::default() }).await?;
            let echo = daemon.object("echo", Echo::default).id("echo").spawn().await?;
            announce(echo.uri())?;
            daemon.run().await;
            Ok(())
        })
    }

    fn call(&self, task: &Task) -> Result<Figures> {
        let connect = async || {
            let config = ClientConfig { limits: limits(), ..ClientConfig::default() };
            let client = Client::new(config, Arc::new(NameResolver::default()));
            let echo = EchoProxy::from(Proxy::connect_with(&client, task.address.as_str()).await?);
            Ok(Caller { echo, list: self.list.then(Arc::default) })
        };
        system().block_on(calls::run(task, connect))
    }
}

#[derive(Clone)]
struct Caller {
    echo: EchoProxy,
    /// Where the last reply is, which is sent again, if it is a list.
    list: Option<Arc<Mutex<Vec<u8>>>>,
}

impl Connection for Caller {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        Ok(self.echo.bytes(payload).await?)
    }

    async fn echo_large(&self, payload: &Bytes) -> Result<()> {
        let Some(list) = &self.list else { return check_large(payload, &self.echo(payload.clone()).await?) };
        let last = || list.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sent = std::mem::take(&mut *last());
        if sent.is_empty() {
            sent = payload.to_vec();
        }
        let reply = self.echo.list(sent).await?;
        check_large(payload, &reply)?;
        *last() = reply;
        Ok(())
    }

    fn keep_in_flight(self, _: usize, _: Tally) -> Vec<JoinHandle<Result<()>>> {
        Vec::new()
    }
}
