//! From an object's queue into its handlers.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;

use actix::{Actor, ActorContext, ActorState, Addr, AsyncContext, Context, Handler, Message};

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

/// The mailbox of an actor, whatever its type. It is what a `Recipient` is, in one piece of memory instead of two.
pub trait Mailbox: Send + Sync + 'static {
    /// Puts the message into it.
    fn deliver(&self, message: Deliver);
    /// Whether it is the one with this address.
    fn is(&self, addr: &dyn Any) -> bool;
}

impl<A: Actor<Context = Context<A>> + Handler<Deliver>> Mailbox for Addr<A> {
    fn deliver(&self, message: Deliver) {
        self.do_send(message);
    }

    fn is(&self, addr: &dyn Any) -> bool {
        addr.downcast_ref() == Some(self)
    }
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

    /// Runs the calls that come back to the handler under way and may run meanwhile.
    pub(crate) fn run_reentrant<A: ObjectActor>(&self, actor: &mut A, ctx: &mut Context<A>) {
        let mut turn = VecDeque::new();
        self.entry.take_such(|invocation| self.entry.comes_back(invocation), &mut turn);
        let mut ran = Ok(());
        while ran.is_ok() && !turn.is_empty() && !self.is_over() {
            ran = self.enter(|| run_turn(self, &mut turn, actor, ctx));
        }
        if !turn.is_empty() {
            self.entry.give_back(self.generation, &mut turn);
        }
        if let Err(loss) = ran {
            self.entry.lost(self.generation, loss);
        }
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
