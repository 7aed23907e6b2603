//! From an object's queue into its handlers.

use std::collections::VecDeque;
use std::sync::Arc;

use actix::{ActorContext, ActorState, AsyncContext, Context, Message};

use crate::daemon::entry::{Entry, Loss};
use crate::daemon::remote_object::ObjectActor;
use crate::daemon::turn_clock::TurnClock;
use crate::object::context::CallScope;
use crate::object::invocation::Invocation;
use crate::object::panic;

/// Tells an actor that calls wait in its queue. One is in its mailbox at a time, whatever number of calls wait.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Deliver {
    entry: Option<Arc<Entry>>,
    generation: u64,
}

impl Deliver {
    pub(crate) fn new(entry: Arc<Entry>, generation: u64) -> Deliver {
        Deliver { entry: Some(entry), generation }
    }

    /// Runs what waits, one call after the other, each behind a panic guard. The handler that the macros write calls this.
    pub fn run<A: ObjectActor>(mut self, actor: &mut A, ctx: &mut Context<A>) {
        let Some(entry) = self.entry.take() else { return };
        let mut turn = VecDeque::new();
        let current = Current { entry, generation: self.generation };
        while current.entry.take_turn(self.generation, &mut turn) {
            let ran = current.enter(|| run_turn(&current, &mut turn, actor, ctx));
            let left = current.entry.give_back(self.generation, &mut turn);
            if let Err(loss) = ran {
                return current.entry.lost(self.generation, loss);
            }
            if left && !ctx.waiting() {
                // The mailbox of actix never yields by itself, and others on this arbiter wait as well.
                ctx.wait(actix::fut::wrap_future(tokio::task::yield_now()));
            }
            if ctx.waiting() {
                let again = Deliver::new(current.entry, self.generation);
                return ctx.address().do_send(again);
            }
        }
    }
}

/// Runs the calls of one turn until they are done, the object or its actor is no more, or a call has the actor to itself.
fn run_turn<A: ObjectActor>(
    current: &Current,
    turn: &mut VecDeque<Invocation>,
    actor: &mut A,
    ctx: &mut Context<A>,
) -> Result<(), Loss> {
    let scope = CallScope::begin();
    let mut clock = TurnClock::new();
    while !current.is_over()
        && let Some(invocation) = turn.pop_front()
    {
        // The time is asked for each call: the one before it may have taken its own.
        if let Some(why) = invocation.unwanted(|deadline| clock.is_past(deadline)) {
            invocation.refuse(why);
            continue;
        }
        invocation.enter(&scope);
        if let Err(report) = panic::guard(|| actor.dispatch(invocation, ctx)) {
            ctx.terminate();
            return Err(Loss::Panicked(report.message));
        }
        if ctx.state() != ActorState::Running {
            return Err(Loss::Stopped);
        }
        if ctx.waiting() {
            break;
        }
    }
    Ok(())
}

impl Drop for Deliver {
    fn drop(&mut self) {
        // Dropped unhandled: the mailbox is closed, so the actor has ended without telling anybody.
        if let Some(entry) = self.entry.take() {
            entry.lost(self.generation, Loss::Died);
        }
    }
}

/// The object whose handler runs on this thread.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) entry: Arc<Entry>,
    generation: u64,
}

thread_local! {
    static CURRENT: std::cell::RefCell<Option<Current>> = const { std::cell::RefCell::new(None) };
}

impl Current {
    pub(crate) fn of_thread() -> Option<Current> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Whether no further call is run on this state.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        !self.entry.is_current(self.generation)
    }

    /// The state of the object is lost to a panic; it is restarted by its policy.
    pub(crate) fn panicked<A: ObjectActor>(&self, message: String, ctx: &mut Context<A>) {
        self.entry.lost(self.generation, Loss::Panicked(message));
        ctx.terminate();
    }

    /// The actor ended in the middle of a call.
    pub(crate) fn died(&self) {
        self.entry.lost(self.generation, Loss::Died);
    }

    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let before = CURRENT.replace(Some(self.clone()));
        let result = f();
        CURRENT.set(before);
        result
    }
}
