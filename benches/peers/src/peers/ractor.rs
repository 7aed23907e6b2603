//! ractor_cluster: an actor in a process group of one node, found and called from another.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use ractor::rpc::CallResult;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{NodeServer, NodeServerMessage, RactorClusterMessage, client_connect};
use tokio::task::JoinHandle;

use crate::calls::{self, Tally, call, callers, number, stamped};
use crate::peer::{Connection, Peer, Support};
use crate::peers::runtime;
use crate::process::announce;
use crate::workload::{Figures, Task, Workload};

pub struct Ractor;

/// The process group of the echo.
const GROUP: &str = "echo";
/// What both nodes know.
const COOKIE: &str = "peers";
/// Between two looks at the group, and how often.
const LOOK: (Duration, u32) = (Duration::from_millis(10), 1000);

impl Peer for Ractor {
    fn id(&self) -> &'static str {
        "ractor"
    }

    fn title(&self) -> &'static str {
        "ractor_cluster 0.16"
    }

    fn support(&self, workload: Workload) -> Support {
        match workload {
            Workload::W3 => Support::Differently("two nodes have one connection: all calls in flight are on it"),
            Workload::W6 => Support::No("two nodes have one connection, and each client is a node"),
            _ => Support::Yes,
        }
    }

    fn serve(&self, _: Workload) -> Result<()> {
        runtime()?.block_on(async {
            let port = free_port()?;
            node("server", port).await?;
            let (echo, _) = Actor::spawn(None, Echo, ()).await?;
            pg::join(GROUP.to_owned(), vec![echo.get_cell()]);
            announce(format_args!("127.0.0.1:{port}"))?;
            std::future::pending::<Result<Infallible>>().await?;
            Ok(())
        })
    }

    fn call(&self, task: &Task) -> Result<Figures> {
        runtime()?.block_on(async {
            let node = node("client", free_port()?).await?;
            client_connect(&node, task.address.as_str()).await?;
            let echo = Remote(find().await?);
            calls::run(task, async || Ok(echo.clone())).await
        })
    }
}

/// A port that was free a moment ago: a node does not say which one it was given.
fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

async fn node(name: &str, port: u16) -> Result<ActorRef<NodeServerMessage>> {
    let mode = Some(NodeConnectionMode::Isolated);
    let server = NodeServer::new(port, COOKIE.to_owned(), name.to_owned(), "localhost".to_owned(), None, mode)
        .with_listen_addr(std::net::Ipv4Addr::LOCALHOST.into());
    Ok(Actor::spawn(None, server, ()).await?.0)
}

/// Waits until the other node has told us of its echo.
async fn find() -> Result<ActorRef<Message>> {
    for _ in 0..LOOK.1 {
        let members = pg::get_members(&GROUP.to_owned());
        if let Some(remote) = members.into_iter().find(|member| !member.get_id().is_local()) {
            return Ok(remote.into());
        }
        tokio::time::sleep(LOOK.0).await;
    }
    anyhow::bail!("the echo of the other node never appeared")
}

#[derive(RactorClusterMessage)]
enum Message {
    #[rpc]
    Echo(Vec<u8>, RpcReplyPort<Vec<u8>>),
    Tell(Vec<u8>),
    #[rpc]
    Told(RpcReplyPort<Vec<u8>>),
}

struct Echo;

impl Actor for Echo {
    type Msg = Message;
    type State = (u64, u64);
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Message>, (): ()) -> Result<(u64, u64), ActorProcessingErr> {
        Ok((0, 0))
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        (calls, sum): &mut (u64, u64),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Echo(payload, reply) => reply.send(payload)?,
            Message::Tell(payload) => {
                *calls += 1;
                *sum = sum.wrapping_add(number(&payload));
            }
            Message::Told(reply) => reply.send([calls.to_le_bytes(), sum.to_le_bytes()].concat())?,
        }
        Ok(())
    }
}

#[derive(Clone)]
struct Remote(ActorRef<Message>);

impl Connection for Remote {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        let reply = self.0.call(|port| Message::Echo(payload.into(), port), None).await?;
        answered(reply)
    }

    async fn tell(&self, number: u64) -> Result<()> {
        Ok(self.0.cast(Message::Tell(stamped(number).to_vec()))?)
    }

    async fn told(&self) -> Result<(u64, u64)> {
        let reply = answered(self.0.call(Message::Told, None).await?)?;
        Ok((number(&reply), number(reply.get(8..).context("the sum is missing")?)))
    }

    fn keep_in_flight(self, depth: usize, tally: Tally) -> Vec<JoinHandle<Result<()>>> {
        callers(depth, |numbers| tokio::spawn(call(self.clone(), numbers, tally.clone())))
    }
}

fn answered(reply: CallResult<Vec<u8>>) -> Result<Bytes> {
    match reply {
        CallResult::Success(reply) => Ok(reply.into()),
        CallResult::Timeout => anyhow::bail!("a call timed out"),
        CallResult::SenderError => anyhow::bail!("a call was dropped"),
    }
}
