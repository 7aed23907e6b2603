//! `ActorRef::call` and `ActorRef::cast`.

use std::time::Duration;

use anyhow::{Result, bail};
use ractor::rpc::CallResult;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::RactorMessage;
use tokio::task::JoinHandle;

use crate::calls::Tally;
use crate::local::{DEPTH, Here, Way, ask, callers, go};
use crate::peers::runtime;
use crate::workload::Figures;

pub(super) fn measure(way: Way, time: Duration) -> Result<Figures> {
    runtime()?.block_on(async { go(Actor::spawn(None, Object, ()).await?.0, way, time).await })
}

#[derive(RactorMessage)]
enum Message {
    Ask(u64, RpcReplyPort<u64>),
    Tell,
}

struct Object;

impl Actor for Object {
    type Msg = Message;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Message>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(&self, _: ActorRef<Message>, message: Message, told: &mut u64) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Ask(number, reply) => reply.send(number + *told)?,
            Message::Tell => *told += 1,
        }
        Ok(())
    }
}

impl Here for ActorRef<Message> {
    async fn ask(&self, number: u64) -> Result<u64> {
        match self.call(|port| Message::Ask(number, port), None).await? {
            CallResult::Success(reply) => Ok(reply),
            _ => bail!("a call was dropped"),
        }
    }

    async fn tell(&self) -> Result<()> {
        Ok(self.cast(Message::Tell)?)
    }

    fn keep_in_flight(self, tally: Tally) -> Vec<JoinHandle<Result<()>>> {
        callers(DEPTH, |numbers| tokio::spawn(ask(self.clone(), numbers, tally.clone())))
    }
}
