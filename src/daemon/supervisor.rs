//! The actor that starts objects again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use tokio::time::Instant;

use crate::daemon::entry::{Entry, Loss};
use crate::daemon::objects::Placed;
use crate::daemon::owners::Owners;
use crate::daemon::placement::Placement;
use crate::daemon::restart::{History, Restart};

/// Makes the actor of an object, on the thread of its seat. Says whether it could.
pub(crate) type Start = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Restarts the objects of one daemon by their policies.
pub(crate) struct Supervisor {
    placement: Arc<dyn Placement>,
    log: slog::Logger,
    objects: BTreeMap<Arc<str>, Supervised>,
    owners: Owners,
}

struct Supervised {
    placed: Placed,
    start: Option<Start>,
    policy: Restart,
    history: History,
}

/// An object is to be looked after. Without `start` it cannot be started again.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Supervise {
    pub(crate) placed: Placed,
    pub(crate) start: Option<Start>,
    pub(crate) policy: Restart,
}

/// The actor of an object is no more.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Lost {
    pub(crate) id: Arc<str>,
    pub(crate) generation: u64,
    pub(crate) loss: Loss,
}

/// The actor of an object that is looked after is to be made for the first time.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Begin(pub(crate) Arc<str>);

/// The actor of an object is to be made that nobody looks after: it ends with the calls that it has.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct BeginOnce {
    pub(crate) entry: Arc<Entry>,
    pub(crate) seat: usize,
    pub(crate) start: Start,
}

/// An object need not be looked after any longer.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Forget(pub(crate) Arc<str>);

impl Supervisor {
    pub(crate) fn new(placement: Arc<dyn Placement>, log: slog::Logger) -> Supervisor {
        Supervisor { placement, log, objects: BTreeMap::new(), owners: Owners::default() }
    }

    fn restart(&self, id: &str) {
        if let Some(Supervised { start: Some(start), placed, .. }) = self.objects.get(id) {
            let start = Arc::clone(start);
            // A failing factory reports its own loss.
            self.placement.run(placed.seat, Box::new(move || drop(start())));
        }
    }

    /// An object is gone for good: what belongs to it ends as well.
    fn end_owned(&self, id: &Arc<str>) {
        for owned in self.owners.under(id).iter().filter_map(|id| self.objects.get(id)) {
            slog::info!(self.log, "object ends with the one it belongs to"; "object" => &**owned.placed.entry.label());
            owned.placed.end();
        }
    }

    /// How long until the object is started again; `None` when it is not.
    fn judge(&mut self, lost: &Lost) -> Option<Duration> {
        let object = self.objects.get_mut(&lost.id)?;
        let problem = match &lost.loss {
            Loss::Panicked(message) => message.clone(),
            Loss::Died => "its actor ended outside of a call".to_owned(),
            Loss::Stopped => {
                slog::info!(self.log, "object stopped itself"; "object" => &**object.placed.entry.label());
                object.placed.end();
                self.end_owned(&lost.id);
                return None;
            }
        };
        let pause = object.start.as_ref().and_then(|_| object.history.failed(&object.policy, Instant::now()));
        match pause {
            Some(pause) => {
                object.placed.entry.restarts(Instant::now() + pause);
                slog::warn!(self.log, "object failed and is started again"; "object" => &**object.placed.entry.label(),
                "problem" => problem, "generation" => lost.generation, "pause_ms" => pause.as_millis() as u64);
            }
            None => {
                slog::error!(self.log, "object failed too often and stays failed";
                    "object" => &**object.placed.entry.label(), "problem" => &problem);
                object.placed.entry.fail(&problem);
                self.end_owned(&lost.id);
            }
        }
        pause
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;
}

impl Handler<Supervise> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: Supervise, _: &mut Context<Self>) {
        let Supervise { placed, start, policy } = message;
        let id = Arc::clone(placed.entry.id());
        if let Some(owner) = &placed.owner {
            self.owners.add(owner, &id);
            // Its owner may have ended while it was on its way here. If it was stopped, this one was as well.
            if self.objects.get(owner).is_some_and(|owner| !owner.placed.is_there()) {
                placed.end();
            }
        }
        self.objects.insert(id, Supervised { placed, start, policy, history: History::default() });
    }
}

impl Handler<Begin> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: Begin, _: &mut Context<Self>) {
        self.restart(&message.0);
    }
}

impl Handler<BeginOnce> for Supervisor {
    type Result = ();

    fn handle(&mut self, BeginOnce { entry, seat, start }: BeginOnce, _: &mut Context<Self>) {
        let begin = move || match start() {
            Ok(()) => entry.let_go(),
            Err(problem) => entry.fail(&format!("its factory panicked: {problem}")),
        };
        self.placement.run(seat, Box::new(begin));
    }
}

impl Handler<Lost> for Supervisor {
    type Result = ();

    fn handle(&mut self, lost: Lost, ctx: &mut Context<Self>) {
        if let Some(pause) = self.judge(&lost) {
            ctx.run_later(pause, move |supervisor, _| supervisor.restart(&lost.id));
        }
    }
}

impl Handler<Forget> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: Forget, _: &mut Context<Self>) {
        if let Some(object) = self.objects.remove(&message.0) {
            self.placement.leave(object.placed.seat);
            self.owners.remove(&message.0);
        }
    }
}
