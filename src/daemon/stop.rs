//! Handlers that may be stopped: their futures are dropped where they wait, once nobody waits for them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use actix::fut::{ActorFuture, ActorFutureExt};
use actix::{Actor, Context};
use tokio::time::{Instant, Sleep};

use crate::daemon::deliver::Current;
use crate::daemon::remote_object::ObjectActor;
use crate::daemon::respond::Guarded;
use crate::object::context::CallContext;
use crate::object::invocation::ReplyTo;
use crate::object::message::RemoteMessage;
use crate::object::panic::{self, PanicReport};

/// Runs a call's future until it ends, its caller has gone or its time is over; then `after`, unless it panicked, and the reply.
pub(crate) fn end_stoppable<A, M, F>(
    call: Option<CallContext>,
    future: F,
    reply: ReplyTo<M>,
    after: impl FnOnce(&mut A) + 'static,
) -> impl ActorFuture<A, Output = ()>
where
    A: ObjectActor,
    M: RemoteMessage,
    F: ActorFuture<A, Output = M::Output> + Unpin,
{
    let current = Current::of_thread();
    let deadline = call.as_ref().map_or_else(Instant::now, |call| call.deadline);
    let timer = Box::pin(tokio::time::sleep_until(deadline));
    let stoppable = Stoppable { future: Some(Guarded::new(call, future)), reply: Some(reply), timer };
    stoppable.map(move |(reply, ending), actor: &mut A, ctx: &mut Context<A>| {
        let Some(reply) = reply else { return };
        reply.unwatch();
        match ending {
            Ending::Value(value) => {
                after(actor);
                reply.send(value);
            }
            Ending::Stopped { late } => {
                after(actor);
                reply.stopped(late);
            }
            Ending::Panicked(report) => {
                let message = report.message.clone();
                reply.panicked(report);
                if let Some(current) = current {
                    current.panicked(message, ctx);
                }
            }
        }
    })
}

enum Ending<T> {
    Value(T),
    Stopped { late: bool },
    Panicked(PanicReport),
}

struct Stoppable<M: RemoteMessage, F> {
    future: Option<Guarded<F>>,
    reply: Option<ReplyTo<M>>,
    timer: Pin<Box<Sleep>>,
}

// Its parts are boxed, or `Unpin` themselves.
impl<M: RemoteMessage, F> Unpin for Stoppable<M, F> {}

impl<A, M, F> ActorFuture<A> for Stoppable<M, F>
where
    A: Actor,
    M: RemoteMessage,
    F: ActorFuture<A, Output = M::Output> + Unpin,
{
    type Output = (Option<ReplyTo<M>>, Ending<M::Output>);

    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut A,
        ctx: &mut A::Context,
        task: &mut TaskContext<'_>,
    ) -> Poll<Self::Output> {
        let this = &mut *self;
        let (Some(future), Some(reply)) = (&mut this.future, &mut this.reply) else { return Poll::Pending };
        let late = this.timer.as_mut().poll(task).is_ready();
        let ending = if late || reply.poll_abandoned(task).is_ready() {
            Ending::Stopped { late }
        } else {
            match std::task::ready!(Pin::new(future).poll(actor, ctx, task)) {
                Ok(value) => Ending::Value(value),
                Err(report) => Ending::Panicked(report),
            }
        };
        // What it holds is free before anybody hears of its end.
        let future = this.future.take();
        let ending = match (panic::guard(|| drop(future)), ending) {
            (Err(report), Ending::Value(_) | Ending::Stopped { .. }) => Ending::Panicked(report),
            (_, ending) => ending,
        };
        Poll::Ready((this.reply.take(), ending))
    }
}
