//! Handlers that share their object: calls that come back to one run while it waits, if their method is reentrant.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use actix::Context;
use actix::fut::ActorFuture;

use crate::daemon::deliver::Current;
use crate::daemon::entry::Entry;
use crate::daemon::remote_object::ObjectActor;
use crate::object::interface::MethodFlags;
use crate::object::invocation::Invocation;

impl Entry {
    /// Whether the call was made in the course of the handler under way, and may run meanwhile.
    pub(crate) fn comes_back(&self, invocation: &Invocation) -> bool {
        let method = self.methods().get(invocation.method());
        method.is_some_and(|method| method.flags.contains(MethodFlags::REENTRANT))
            && invocation.chain().is_some_and(|chain| self.exclusive().waits_for(chain).is_some())
    }
}

/// A handler that lets calls in which come back to it. The mailbox of its actor waits for its end, so it runs them itself.
pub(crate) struct Open<F> {
    current: Current,
    handler: F,
}

impl<F> Open<F> {
    pub(crate) fn new(current: Current, handler: F) -> Open<F> {
        Open { current, handler }
    }
}

impl<A: ObjectActor, F: ActorFuture<A, Output = ()> + Unpin> ActorFuture<A> for Open<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, actor: &mut A, ctx: &mut Context<A>, task: &mut TaskContext<'_>) -> Poll<()> {
        let this = &mut *self;
        // Before it runs, and makes calls that may come back.
        this.current.entry.exclusive().open(task.waker());
        let polled = Pin::new(&mut this.handler).poll(actor, ctx, task);
        if polled.is_pending() {
            this.current.run_reentrant(actor, ctx);
        }
        polled
    }
}

impl<F> Drop for Open<F> {
    fn drop(&mut self) {
        self.current.entry.exclusive().close();
    }
}
