//! The actor that starts objects again.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};
use tokio::time::Instant;

use crate::daemon::daemon::Inner;
use crate::daemon::entry::{Entry, Loss, OnLoss};
use crate::daemon::objects::Placed;
use crate::daemon::owners::Owners;
use crate::daemon::placement::Placement;
use crate::daemon::restart::{History, Restart};
use crate::daemon::revivals::Revivals;
use crate::daemon::strategy::Strategy;

/// Makes the actor of an object, on the thread of its seat. Says whether it could.
pub(crate) type Start = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Restarts the objects of one daemon by their policies.
pub(crate) struct Supervisor {
    placement: Arc<dyn Placement>,
    log: slog::Logger,
    objects: BTreeMap<Arc<str>, Supervised>,
    owners: Owners,
    revivals: Revivals,
}

struct Supervised {
    placed: Placed,
    start: Option<Start>,
    policy: Restart,
    strategy: Strategy,
    /// Of one that has failed.
    history: Option<Box<History>>,
}

/// An object is to be looked after. Without `start` it cannot be started again.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Supervise {
    pub(crate) placed: Placed,
    pub(crate) start: Option<Start>,
    pub(crate) policy: Restart,
    /// For those that belong to it.
    pub(crate) strategy: Strategy,
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

/// An object need not be looked after any longer. There may be another one with its id since.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Forget(pub(crate) Arc<Entry>);

/// Some objects are to be started again, now.
struct Round {
    key: Arc<str>,
    number: u64,
    pause: Duration,
}

/// One of them has been, or could not be.
#[derive(Message)]
#[rtype(result = "()")]
struct Revived {
    key: Arc<str>,
    round: u64,
}

/// What the objects of a daemon do when their actors are lost: they tell its supervisor.
pub(crate) fn report_to(supervisor: Addr<Supervisor>, daemon: Weak<Inner>) -> OnLoss {
    Arc::new(move |id, generation, loss| {
        supervisor.do_send(Lost { id, generation, loss });
        if let Some(daemon) = daemon.upgrade() {
            daemon.changed.send_replace(());
        }
    })
}

impl Supervisor {
    pub(crate) fn new(placement: Arc<dyn Placement>, log: slog::Logger) -> Supervisor {
        let (objects, owners, revivals) = (BTreeMap::new(), Owners::default(), Revivals::default());
        Supervisor { placement, log, objects, owners, revivals }
    }

    /// Makes the actor of an object, and says so afterwards.
    fn begin(&self, id: &str, done: impl FnOnce() + Send + 'static) {
        let Some(Supervised { start, placed, .. }) = self.objects.get(id) else { return done() };
        let start = start.clone();
        self.placement.run(
            placed.seat,
            Box::new(move || {
                // A failing factory reports its own loss.
                drop(start.map(|start| start()));
                done();
            }),
        );
    }

    /// An object is gone for good: what belongs to it ends as well.
    fn end_owned(&self, id: &Arc<str>) {
        for owned in self.owners.under(id).iter().filter_map(|id| self.objects.get(id)) {
            slog::info!(self.log, "object ends with the one it belongs to"; "object" => &**owned.placed.entry.label());
            owned.placed.end();
        }
    }

    /// What is to be started again, now that this one is lost; or nothing, and it ends.
    fn judge(&mut self, lost: &Lost) -> Option<Round> {
        let object = self.objects.get(&lost.id)?;
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
        // One that was recalled since is about to be started again.
        let is_last = object.placed.entry.generation() == lost.generation + 1;
        if is_last { self.fail(&lost.id, problem, false) } else { None }
    }

    /// An object has failed, maybe because one that belongs to it has, and then with all that does: what is to be started again. Nothing, if
    /// it stays failed.
    fn fail(&mut self, id: &Arc<str>, problem: String, with_all: bool) -> Option<Round> {
        let object = self.objects.get_mut(id)?;
        let pause = object
            .start
            .as_ref()
            .and_then(|_| object.history.get_or_insert_default().failed(&object.policy, Instant::now()));
        let (entry, escalates) = (Arc::clone(&object.placed.entry), object.policy.escalates);
        if let Some(pause) = pause {
            let strategy = self.strategy_over(id);
            let together = match strategy {
                Strategy::OneForOne if with_all => self.owners.with_all(id),
                strategy => self.owners.together(id, strategy),
            };
            if with_all {
                self.forgive_under(id);
            }
            // Those of one owner that start together wait for each other.
            let key = self.owners.owner(id).filter(|_| strategy != Strategy::OneForOne).unwrap_or(id).clone();
            slog::warn!(self.log, "object failed and is started again"; "object" => &**entry.label(),
                "problem" => problem, "with" => together.len() - 1, "pause_ms" => pause.as_millis() as u64);
            return Some(self.revive(id, key, together, pause));
        }
        if let Some(owner) = self.owners.owner(id).filter(|owner| escalates && self.can_start(owner)).cloned() {
            let problem = format!("{} failed too often: {problem}", entry.label());
            if let Some(owner) = self.objects.get(&owner) {
                owner.placed.entry.recall(Instant::now());
            }
            return self.fail(&owner, problem, true);
        }
        slog::error!(self.log, "object failed too often and stays failed"; "object" => &**entry.label(),
            "problem" => &problem);
        entry.fail(&problem);
        self.end_owned(id);
        None
    }

    /// What belongs to this object begins anew.
    fn forgive_under(&mut self, id: &Arc<str>) {
        for id in self.owners.under(id) {
            if let Some(object) = self.objects.get_mut(&id) {
                object.history = None;
            }
        }
    }

    /// Lets go of the states of these, which are to be started again together.
    fn revive(&mut self, id: &Arc<str>, key: Arc<str>, mut together: Vec<Arc<str>>, pause: Duration) -> Round {
        let at = Instant::now() + pause;
        together.retain(|other| {
            let Some(Supervised { start: Some(_), placed, .. }) = self.objects.get(other) else { return false };
            if other == id {
                placed.entry.restarts(at);
                return true;
            }
            placed.entry.recall(at)
        });
        let number = self.revivals.begin(&key, together);
        Round { key, number, pause }
    }

    /// What the owner of this object does when one of those fails that belong to it.
    fn strategy_over(&self, id: &str) -> Strategy {
        let owner = self.owners.owner(id).and_then(|owner| self.objects.get(owner));
        owner.map_or(Strategy::OneForOne, |owner| owner.strategy)
    }

    fn can_start(&self, id: &str) -> bool {
        self.objects.get(id).is_some_and(|object| object.start.is_some() && object.placed.is_there())
    }

    fn forget(&mut self, id: &Arc<str>) {
        if let Some(object) = self.objects.remove(id) {
            self.placement.leave(object.placed.seat);
            self.owners.remove(id);
            self.revivals.remove(id);
        }
    }

    /// Starts the next one of a round.
    fn go_on(&mut self, Revived { key, round }: Revived, ctx: &Context<Self>) {
        if let Some(next) = self.revivals.next(&key, round) {
            let supervisor = ctx.address();
            self.begin(&next, move || supervisor.do_send(Revived { key, round }));
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;
}

impl Handler<Supervise> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: Supervise, _: &mut Context<Self>) {
        let Supervise { placed, start, policy, strategy } = message;
        let id = Arc::clone(placed.entry.id());
        // One that had the id before is gone, and this has come first.
        self.forget(&id);
        if let Some(owner) = &placed.owner {
            self.owners.add(owner, &id);
            // Its owner may have ended while it was on its way here. If it was stopped, this one was as well.
            if self.objects.get(owner).is_some_and(|owner| !owner.placed.is_there()) {
                placed.end();
            }
        }
        self.objects.insert(id, Supervised { placed, start, policy, strategy, history: None });
    }
}

impl Handler<Begin> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: Begin, _: &mut Context<Self>) {
        self.begin(&message.0, || {});
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
        if let Some(Round { key, number, pause }) = self.judge(&lost) {
            let begin = Revived { key, round: number };
            ctx.run_later(pause, move |supervisor, ctx| supervisor.go_on(begin, ctx));
        }
    }
}

impl Handler<Revived> for Supervisor {
    type Result = ();

    fn handle(&mut self, revived: Revived, ctx: &mut Context<Self>) {
        self.go_on(revived, ctx);
    }
}

impl Handler<Forget> for Supervisor {
    type Result = ();

    fn handle(&mut self, Forget(entry): Forget, _: &mut Context<Self>) {
        if self.objects.get(entry.id()).is_some_and(|object| Arc::ptr_eq(&object.placed.entry, &entry)) {
            self.forget(entry.id());
        }
    }
}
