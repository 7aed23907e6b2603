//! `ActorRef::ask` and `ActorRef::tell`.

use std::time::Duration;

use anyhow::{Result, anyhow};
use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::message::{Context, Message};
use tokio::task::JoinHandle;

use crate::calls::Tally;
use crate::local::{DEPTH, Here, Way, ask, callers, go};
use crate::peers::runtime;
use crate::workload::Figures;

pub(super) fn measure(way: Way, time: Duration) -> Result<Figures> {
    runtime()?.block_on(async { go(Object::spawn(Object::default()), way, time).await })
}

#[derive(Actor, Default)]
struct Object {
    told: u64,
}

struct Ask(u64);

struct Tell;

impl Message<Ask> for Object {
    type Reply = u64;

    async fn handle(&mut self, Ask(number): Ask, _: &mut Context<Self, u64>) -> u64 {
        number + self.told
    }
}

impl Message<Tell> for Object {
    type Reply = ();

    async fn handle(&mut self, _: Tell, _: &mut Context<Self, ()>) {
        self.told += 1;
    }
}

impl Here for ActorRef<Object> {
    async fn ask(&self, number: u64) -> Result<u64> {
        ActorRef::ask(self, Ask(number)).await.map_err(|problem| anyhow!("{problem}"))
    }

    async fn tell(&self) -> Result<()> {
        ActorRef::tell(self, Tell).await.map_err(|problem| anyhow!("{problem}"))
    }

    fn keep_in_flight(self, tally: Tally) -> Vec<JoinHandle<Result<()>>> {
        callers(DEPTH, |numbers| tokio::spawn(ask(self.clone(), numbers, tally.clone())))
    }
}
