//! From an object's queue into its handlers.

use std::sync::Arc;

use actix::{ActorContext, ActorState, AsyncContext, Context, Message};
use tokio::time::Instant;

use crate::daemon::entry::{Entry, Loss};
use crate::daemon::remote_object::ObjectActor;
use crate::object::panic;

/// Calls that one object runs before the others on its arbiter get their turn.
const TURN: usize = 64;

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
        for _ in 0..TURN {
            let Some(invocation) = entry.next(self.generation) else { return };
            // Asked for each call: the one before it may have taken its time.
            let Some(invocation) = invocation.is_wanted(Instant::now()) else { continue };
            let current = Current { entry: Arc::clone(&entry), generation: self.generation };
            let call = invocation.context();
            let ran = current.enter(|| panic::guard(|| call.enter(|| actor.dispatch(invocation, ctx))));
            if let Err(report) = ran {
                entry.lost(self.generation, Loss::Panicked(report.message));
                ctx.terminate();
                return;
            }
            if ctx.state() != ActorState::Running {
                entry.lost(self.generation, Loss::Stopped);
                return;
            }
            if ctx.waiting() {
                return self.again(entry, ctx);
            }
        }
        // The mailbox of actix never yields by itself.
        ctx.wait(actix::fut::wrap_future(tokio::task::yield_now()));
        self.again(entry, ctx);
    }

    fn again<A: ObjectActor>(&self, entry: Arc<Entry>, ctx: &mut Context<A>) {
        ctx.address().do_send(Deliver { entry: Some(entry), generation: self.generation });
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

    /// The state of the object is lost to a panic; it is restarted by its policy.
    pub(crate) fn panicked<A: ObjectActor>(&self, message: String, ctx: &mut Context<A>) {
        self.entry.lost(self.generation, Loss::Panicked(message));
        ctx.terminate();
    }

    /// The actor ended in the middle of a call.
    pub(crate) fn died(&self) {
        self.entry.lost(self.generation, Loss::Died);
    }

    fn enter<R>(self, f: impl FnOnce() -> R) -> R {
        let before = CURRENT.replace(Some(self));
        let result = f();
        CURRENT.set(before);
        result
    }
}
