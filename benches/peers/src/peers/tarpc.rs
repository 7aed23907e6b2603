//! tarpc over TCP with bincode, as in its examples.

use anyhow::Result;
use bytes::Bytes;
use futures::StreamExt;
use tarpc::context::{self, Context};
use tarpc::serde_transport;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::tokio_util::codec::length_delimited::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::calls::{self, Tally, call, callers};
use crate::peer::{Connection, Peer, Support};
use crate::peers::runtime;
use crate::process::announce;
use crate::workload::{Figures, Task, Workload};

pub struct Tarpc;

#[tarpc::service]
trait Echo {
    async fn echo(payload: Bytes) -> Bytes;
}

#[derive(Clone)]
struct Server;

impl Echo for Server {
    async fn echo(self, _: Context, payload: Bytes) -> Bytes {
        payload
    }
}

impl Peer for Tarpc {
    fn id(&self) -> &'static str {
        "tarpc"
    }

    fn title(&self) -> &'static str {
        "tarpc 0.38"
    }

    fn support(&self, workload: Workload) -> Support {
        match workload {
            Workload::W5 => Support::No("it has no oneway calls"),
            _ => Support::Yes,
        }
    }

    fn serve(&self, _: Workload) -> Result<()> {
        runtime()?.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            announce(listener.local_addr()?)?;
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let transport = serde_transport::new(Builder::new().new_framed(stream), Bincode::default());
                tokio::spawn(BaseChannel::with_defaults(transport).execute(Server.serve()).for_each(
                    async |response| {
                        tokio::spawn(response);
                    },
                ));
            }
        })
    }

    fn call(&self, task: &Task) -> Result<Figures> {
        runtime()?.block_on(calls::run(task, async || {
            let stream = TcpStream::connect(&task.address).await?;
            stream.set_nodelay(true)?;
            let transport = serde_transport::new(Builder::new().new_framed(stream), Bincode::default());
            Ok(EchoClient::new(tarpc::client::Config::default(), transport).spawn())
        }))
    }
}

impl Connection for EchoClient {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        Ok(EchoClient::echo(self, context::current(), payload).await?)
    }

    fn keep_in_flight(self, depth: usize, tally: Tally) -> Vec<JoinHandle<Result<()>>> {
        callers(depth, |numbers| tokio::spawn(call(self.clone(), numbers, tally.clone())))
    }
}
