//! From what a handler returned to the reply, for every reply kind of actix.
//!
//! A plain value or `Result` is written at once, without a task or a channel. The kind is chosen where the macro knows the concrete types:
//! `(&&&&Probe::<A, M, R>::new()).kind()` finds the most special of the four traits below, because method lookup prefers fewer
//! dereferences.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use actix::dev::MessageResponse;
use actix::fut::{ActorFuture, ActorFutureExt};
use actix::{Actor, AsyncContext, Context, Message};

use crate::daemon::deliver::Current;
use crate::daemon::remote_object::ObjectActor;
use crate::object::context::CallContext;
use crate::object::invocation::ReplyTo;
use crate::object::message::RemoteMessage;
use crate::object::panic::{self, PanicReport};

/// Stands for the handler of `M` in actor `A`, which returns an `R`.
pub struct Probe<A, M, R>(PhantomData<fn(A, M, R)>);

impl<A, M, R> Probe<A, M, R> {
    /// A new one; it holds nothing.
    #[expect(clippy::new_without_default, reason = "only macros make one")]
    pub fn new() -> Self {
        Probe(PhantomData)
    }
}

/// The handler returns the message's result itself.
pub struct Value;
/// The handler returns a boxed future of it ([`actix::ResponseFuture`]).
pub struct Async;
/// The handler returns a boxed actor future of it ([`actix::ResponseActFuture`]).
pub struct ActorAsync;
/// The handler returns something else that actix knows how to send, such as [`actix::AtomicResponse`].
pub struct Other;

/// Chooses [`Value`].
pub trait ValueKind {
    /// The kind.
    fn kind(&self) -> Value {
        Value
    }
}
impl<A, M: RemoteMessage> ValueKind for &&&Probe<A, M, M::Output> {}

/// Chooses [`Async`].
pub trait AsyncKind {
    /// The kind.
    fn kind(&self) -> Async {
        Async
    }
}
impl<A, M: RemoteMessage> AsyncKind for &&Probe<A, M, Pin<Box<dyn Future<Output = M::Output>>>> {}

/// Chooses [`ActorAsync`].
pub trait ActorAsyncKind {
    /// The kind.
    fn kind(&self) -> ActorAsync {
        ActorAsync
    }
}
impl<A: Actor, M: RemoteMessage> ActorAsyncKind for &Probe<A, M, Pin<Box<dyn ActorFuture<A, Output = M::Output>>>> {}

/// Chooses [`Other`].
pub trait OtherKind {
    /// The kind.
    fn kind(&self) -> Other {
        Other
    }
}
impl<A: Actor, M: Message, R: MessageResponse<A, M>> OtherKind for Probe<A, M, R> {}

impl Value {
    /// Sends the value.
    pub fn respond<A: ObjectActor, M: RemoteMessage>(self, value: M::Output, reply: ReplyTo<M>, _: &mut Context<A>) {
        reply.send(value);
    }
}

impl Async {
    /// Sends the value when the future ends.
    pub fn respond<A: ObjectActor, M: RemoteMessage>(
        self,
        future: Pin<Box<dyn Future<Output = M::Output>>>,
        reply: ReplyTo<M>,
        ctx: &mut Context<A>,
    ) {
        ctx.spawn(end_call(actix::fut::wrap_future(future), reply));
    }
}

impl ActorAsync {
    /// Sends the value when the future ends.
    pub fn respond<A: ObjectActor, M: RemoteMessage>(
        self,
        future: Pin<Box<dyn ActorFuture<A, Output = M::Output>>>,
        reply: ReplyTo<M>,
        ctx: &mut Context<A>,
    ) {
        ctx.spawn(end_call(future, reply));
    }
}

impl Other {
    /// Sends the value when actix has it.
    pub fn respond<A, M, R>(self, response: R, reply: ReplyTo<M>, ctx: &mut Context<A>)
    where
        A: ObjectActor,
        M: RemoteMessage + Message<Result = <M as RemoteMessage>::Output>,
        R: MessageResponse<A, M>,
    {
        let (sender, mut receiver) = tokio::sync::oneshot::channel();
        response.handle(ctx, Some(sender));
        if let Ok(value) = receiver.try_recv() {
            return reply.send(value);
        }
        let current = Current::of_thread();
        let panics = panic::count();
        // Outside of the actor, whose end it must outlive to tell the caller.
        actix_rt::spawn(async move {
            match receiver.await {
                Ok(value) => reply.send(value),
                Err(_) => {
                    if let Some(report) = panic::since(panics) {
                        reply.panicked(report);
                    }
                    if let Some(current) = current {
                        current.died();
                    }
                }
            }
        });
    }
}

/// Runs a call's future as part of the call and behind a panic guard, and sends its outcome.
pub(crate) fn end_call<A, M, F>(future: F, reply: ReplyTo<M>) -> impl ActorFuture<A, Output = ()>
where
    A: ObjectActor,
    M: RemoteMessage,
    F: ActorFuture<A, Output = M::Output> + Unpin,
{
    let current = Current::of_thread();
    Guarded { call: CallContext::current(), future }.map(move |outcome, _, ctx: &mut Context<A>| match outcome {
        Ok(value) => reply.send(value),
        Err(report) => {
            let message = report.message.clone();
            reply.panicked(report);
            if let Some(current) = current {
                current.panicked(message, ctx);
            }
        }
    })
}

/// An actor future whose panics are its outcome.
pub(crate) struct Guarded<F> {
    pub(crate) call: Option<CallContext>,
    pub(crate) future: F,
}

impl<A: Actor, F: ActorFuture<A> + Unpin> ActorFuture<A> for Guarded<F> {
    type Output = Result<F::Output, PanicReport>;

    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut A,
        ctx: &mut A::Context,
        task: &mut TaskContext<'_>,
    ) -> Poll<Self::Output> {
        let this = &mut *self;
        let future = &mut this.future;
        let poll = || panic::guard(|| Pin::new(future).poll(actor, ctx, task));
        let polled = match this.call.clone() {
            Some(call) => call.enter(poll),
            None => poll(),
        };
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(report) => Poll::Ready(Err(report)),
        }
    }
}
