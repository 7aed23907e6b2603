//! `Addr::send` and `Addr::do_send`.

use std::time::Duration;

use actix::{Actor, Addr, Arbiter, Context, Handler, Message};
use anyhow::Result;
use pyroxene::daemon::program::system;
use tokio::task::JoinHandle;

use crate::calls::Tally;
use crate::local::{DEPTH, Here, Way, ask, callers, go};
use crate::workload::Figures;

/// The actor is on the thread of its caller.
pub(super) fn here(way: Way, time: Duration) -> Result<Figures> {
    system().block_on(async { go(Object::default().start(), way, time).await })
}

/// It is on another.
pub(super) fn apart(way: Way, time: Duration) -> Result<Figures> {
    system().block_on(async {
        let arbiter = Arbiter::new();
        let object = Object::start_in_arbiter(&arbiter.handle(), |_| Object::default());
        let figures = go(object, way, time).await;
        arbiter.stop();
        figures
    })
}

#[derive(Default)]
struct Object {
    told: u64,
}

impl Actor for Object {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "u64")]
struct Ask(u64);

#[derive(Message)]
#[rtype(result = "()")]
struct Tell;

impl Handler<Ask> for Object {
    type Result = u64;

    fn handle(&mut self, Ask(number): Ask, _: &mut Context<Self>) -> u64 {
        number + self.told
    }
}

impl Handler<Tell> for Object {
    type Result = ();

    fn handle(&mut self, _: Tell, _: &mut Context<Self>) {
        self.told += 1;
    }
}

impl Here for Addr<Object> {
    async fn ask(&self, number: u64) -> Result<u64> {
        Ok(self.send(Ask(number)).await?)
    }

    async fn tell(&self) -> Result<()> {
        self.do_send(Tell);
        Ok(())
    }

    fn keep_in_flight(self, tally: Tally) -> Vec<JoinHandle<Result<()>>> {
        callers(DEPTH, |numbers| tokio::spawn(ask(self.clone(), numbers, tally.clone())))
    }
}
