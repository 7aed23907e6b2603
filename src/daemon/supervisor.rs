//! The actor that starts objects again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use tokio::time::Instant;

use crate::daemon::entry::{Entry, Loss};
use crate::daemon::placement::Placement;
use crate::daemon::restart::{History, Restart};

/// Makes the actor of an object, on the thread of its seat. Says whether it could.
pub(crate) type Start = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Restarts the objects of one daemon by their policies.
pub(crate) struct Supervisor {
    placement: Arc<dyn Placement>,
    log: slog::Logger,
    objects: BTreeMap<Arc<str>, Supervised>,
}

struct Supervised {
    entry: Arc<Entry>,
    seat: usize,
    start: Option<Start>,
    policy: Restart,
    history: History,
}

/// An object is to be looked after. Without `start` it cannot be started again.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Supervise {
    pub(crate) entry: Arc<Entry>,
    pub(crate) seat: usize,
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
        Supervisor { placement, log, objects: BTreeMap::new() }
    }

    fn restart(&self, id: &str) {
        if let Some(Supervised { start: Some(start), seat, .. }) = self.objects.get(id) {
            let start = Arc::clone(start);
            // A failing factory reports its own loss.
            self.placement.run(*seat, Box::new(move || drop(start())));
        }
    }

    /// How long until the object is started again; `None` when it is not.
    fn judge(&mut self, lost: &Lost) -> Option<Duration> {
        let object = self.objects.get_mut(&lost.id)?;
        let problem = match &lost.loss {
            Loss::Panicked(message) => message.clone(),
            Loss::Died => "its actor ended outside of a call".to_owned(),
            Loss::Stopped => {
                slog::info!(self.log, "object stopped itself"; "object" => &**object.entry.label());
                object.entry.remove();
                return None;
            }
        };
        let pause = object.start.as_ref().and_then(|_| object.history.failed(&object.policy, Instant::now()));
        match pause {
            Some(pause) => {
                object.entry.restarts(Instant::now() + pause);
                slog::warn!(self.log, "object failed and is started again"; "object" => &**object.entry.label(),
                "problem" => problem, "generation" => lost.generation, "pause_ms" => pause.as_millis() as u64);
            }
            None => {
                slog::error!(self.log, "object failed too often and stays failed";
                    "object" => &**object.entry.label(), "problem" => &problem);
                object.entry.fail(&problem);
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
        let Supervise { entry, seat, start, policy } = message;
        let id = Arc::clone(entry.id());
        self.objects.insert(id, Supervised { entry, seat, start, policy, history: History::default() });
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
            self.placement.leave(object.seat);
        }
    }
}
