//! kameo's remote actors over libp2p (TCP, noise, yamux), which is encrypted whether one wants it or not. The swarm is what
//! `kameo::remote::bootstrap` makes, but that it dials the server instead of waiting for mDNS.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use kameo::actor::RemoteActorRef;
use kameo::message::{Context, Message};
use kameo::prelude::*;
use kameo::remote::{self, messaging};
use libp2p::futures::StreamExt;
use libp2p::swarm::SwarmEvent;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, noise, tcp, yamux};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::calls::{self, Tally, call, callers, number, stamp};
use crate::peer::{Connection, Peer, Support};
use crate::peers::runtime;
use crate::process::announce;
use crate::workload::{Figures, LARGE, Task, Workload};

pub struct Kameo;

const NAME: &str = "echo";
/// Between two looks for the name, and how often.
const LOOK: (Duration, u32) = (Duration::from_millis(20), 1000);
/// Calls in flight, of which it allows 100 unless told otherwise.
const STREAMS: usize = 1024;

impl Peer for Kameo {
    fn id(&self) -> &'static str {
        "kameo"
    }

    fn title(&self) -> &'static str {
        "kameo 0.22 remote"
    }

    fn support(&self, workload: Workload) -> Support {
        match workload {
            Workload::W3 => Support::Differently(
                "a process has one swarm, and two have one connection: all calls in flight are on it",
            ),
            Workload::W5 => Support::Differently(
                "each is acknowledged: otherwise nothing bounds what waits, and the connection breaks",
            ),
            Workload::W6 => Support::No("a process has one swarm, and two have one connection"),
            _ => Support::Yes,
        }
    }

    fn serve(&self, _: Workload) -> Result<()> {
        runtime()?.block_on(async {
            let mut swarm = swarm()?;
            swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
            let address = loop {
                if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                    break address;
                }
            };
            let place = format!("{} {address}", swarm.local_peer_id());
            let driven = tokio::spawn(drive(swarm));
            Echo::spawn(Echo::default()).register(NAME).await?;
            announce(place)?;
            Ok(driven.await?)
        })
    }

    fn call(&self, task: &Task) -> Result<Figures> {
        runtime()?.block_on(async {
            let (peer, address) = task.address.split_once(' ').context("a peer and its address")?;
            let (peer, address): (PeerId, Multiaddr) = (peer.parse()?, address.parse()?);
            let mut swarm = swarm()?;
            swarm.add_peer_address(peer, address.clone());
            swarm.dial(DialOpts::peer_id(peer).addresses(vec![address]).build())?;
            tokio::spawn(drive(swarm));
            let echo = Remote(find().await?);
            calls::run(task, async || Ok(echo.clone())).await
        })
    }
}

fn swarm() -> Result<Swarm<remote::Behaviour>> {
    let large = 2 * LARGE as u64;
    let config = messaging::Config::default()
        .with_max_concurrent_streams(STREAMS)
        .with_request_size_maximum(large)
        .with_response_size_maximum(large);
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|key| remote::Behaviour::new(key.public().to_peer_id(), config))
        .map_err(|problem| anyhow!("{problem}"))?
        // A swarm hangs up after 10 s in which it thinks nobody talks.
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(3600)))
        .build();
    swarm.behaviour().try_init_global().map_err(|problem| anyhow!("{problem}"))?;
    Ok(swarm)
}

async fn drive(mut swarm: Swarm<remote::Behaviour>) {
    loop {
        swarm.select_next_some().await;
    }
}

/// Waits until the name is known here.
async fn find() -> Result<RemoteActorRef<Echo>> {
    for _ in 0..LOOK.1 {
        if let Ok(Some(echo)) = RemoteActorRef::lookup(NAME).await {
            return Ok(echo);
        }
        tokio::time::sleep(LOOK.0).await;
    }
    bail!("the echo was never found")
}

#[derive(Actor, RemoteActor, Default)]
struct Echo {
    calls: u64,
    sum: u64,
}

#[derive(Serialize, Deserialize)]
struct Ask(Bytes);

#[derive(Reply, Serialize, Deserialize)]
struct Echoed(Bytes);

#[derive(Serialize, Deserialize)]
struct Tell(Bytes);

#[derive(Serialize, Deserialize)]
struct Told;

#[remote_message]
impl Message<Ask> for Echo {
    type Reply = Echoed;

    async fn handle(&mut self, Ask(payload): Ask, _: &mut Context<Self, Echoed>) -> Echoed {
        Echoed(payload)
    }
}

#[remote_message]
impl Message<Tell> for Echo {
    type Reply = ();

    async fn handle(&mut self, Tell(payload): Tell, _: &mut Context<Self, ()>) {
        self.calls += 1;
        self.sum = self.sum.wrapping_add(number(&payload));
    }
}

#[remote_message]
impl Message<Told> for Echo {
    type Reply = (u64, u64);

    async fn handle(&mut self, _: Told, _: &mut Context<Self, (u64, u64)>) -> (u64, u64) {
        (self.calls, self.sum)
    }
}

#[derive(Clone)]
struct Remote(RemoteActorRef<Echo>);

impl Connection for Remote {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        let Echoed(reply) = self.0.ask(&Ask(payload)).await.map_err(|problem| anyhow!("{problem}"))?;
        Ok(reply)
    }

    async fn tell(&self, number: u64) -> Result<()> {
        self.0.tell(&Tell(stamp(number))).send_ack().await.map_err(|problem| anyhow!("{problem}"))
    }

    async fn told(&self) -> Result<(u64, u64)> {
        self.0.ask(&Told).await.map_err(|problem| anyhow!("{problem}"))
    }

    fn keep_in_flight(self, depth: usize, tally: Tally) -> Vec<JoinHandle<Result<()>>> {
        callers(depth, |numbers| tokio::spawn(call(self.clone(), numbers, tally.clone())))
    }
}
