//! remoc: a remote trait over TCP; oneway payloads go through one of its channels.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use remoc::ConnectExt;
use remoc::rch::mpsc;
use remoc::rtc::{CallError, ServerShared as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::calls::{self, Tally, call, callers, number, stamp};
use crate::peer::{Connection, Peer, Support};
use crate::peers::runtime;
use crate::process::announce;
use crate::workload::{Figures, Task, Workload};

pub struct Remoc;

#[remoc::rtc::remote]
trait Echo {
    async fn echo(&self, payload: Bytes) -> Result<Bytes, CallError>;
    async fn told(&self) -> Result<(u64, u64), CallError>;
    /// Where to tell.
    async fn tell(&self) -> Result<mpsc::Sender<Bytes>, CallError>;
}

#[derive(Clone, Default)]
struct Object(Arc<Mutex<(u64, u64)>>);

impl Echo for Object {
    async fn echo(&self, payload: Bytes) -> Result<Bytes, CallError> {
        Ok(payload)
    }

    async fn told(&self) -> Result<(u64, u64), CallError> {
        Ok(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn tell(&self) -> Result<mpsc::Sender<Bytes>, CallError> {
        let (sender, mut payloads) = mpsc::channel::<Bytes, _>();
        let told = Arc::clone(&self.0);
        tokio::spawn(async move {
            while let Ok(Some(payload)) = payloads.recv().await {
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                *told = (told.0 + 1, told.1.wrapping_add(number(&payload)));
            }
        });
        Ok(sender)
    }
}

impl Peer for Remoc {
    fn id(&self) -> &'static str {
        "remoc"
    }

    fn title(&self) -> &'static str {
        "remoc 0.20"
    }

    fn support(&self, workload: Workload) -> Support {
        match workload {
            Workload::W5 => Support::Differently("it has no oneway calls: a channel that a call has returned"),
            _ => Support::Yes,
        }
    }

    fn serve(&self, _: Workload) -> Result<()> {
        runtime()?.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            announce(listener.local_addr()?)?;
            let object = Arc::new(Object::default());
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let object = Arc::clone(&object);
                tokio::spawn(async move {
                    let (server, client) = EchoServerShared::<_, remoc::codec::Default>::new(object);
                    let (reader, writer) = stream.into_split();
                    remoc::Connect::io(remoc::Cfg::default(), reader, writer).provide(client).await?;
                    server.serve().await.map_err(|problem| anyhow!("{problem}"))?;
                    anyhow::Ok(())
                });
            }
        })
    }

    fn call(&self, task: &Task) -> Result<Figures> {
        runtime()?.block_on(calls::run(task, async || {
            let stream = TcpStream::connect(&task.address).await?;
            stream.set_nodelay(true)?;
            let (reader, writer) = stream.into_split();
            let echo: EchoClient = remoc::Connect::io(remoc::Cfg::default(), reader, writer).consume().await?;
            let oneway = task.shape == Workload::W5.shape(0);
            let tell = if oneway { Some(echo.tell().await?) } else { None };
            Ok(Remote { echo, tell })
        }))
    }
}

#[derive(Clone)]
struct Remote {
    echo: EchoClient,
    tell: Option<mpsc::Sender<Bytes>>,
}

impl Connection for Remote {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        Ok(self.echo.echo(payload).await?)
    }

    async fn tell(&self, number: u64) -> Result<()> {
        let tell = self.tell.as_ref().context("no channel was asked for")?;
        Ok(tell.send(stamp(number)).await.map(drop)?)
    }

    async fn told(&self) -> Result<(u64, u64)> {
        Ok(self.echo.told().await?)
    }

    fn keep_in_flight(self, depth: usize, tally: Tally) -> Vec<JoinHandle<Result<()>>> {
        callers(depth, |numbers| tokio::spawn(call(self.clone(), numbers, tally.clone())))
    }
}
