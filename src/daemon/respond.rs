//! From a call to its handler, and from what that returned to the reply, for every reply kind of actix.
//!
//! A plain value or `Result` is written at once, without a task or a channel. The kind is chosen where the macro knows the concrete types:
//! `(&&&&&Probe::<A, M>::new()).kind()` finds the most special of the five traits below, because method lookup prefers fewer dereferences.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use actix::dev::MessageResponse;
use actix::fut::{ActorFuture, ActorFutureExt};
use actix::{Actor, AsyncContext, Context, Handler, Message, MessageResult};

use crate::daemon::deliver::Current;
use crate::daemon::remote_object::ObjectActor;
use crate::daemon::stop::end_stoppable;
use crate::object::context::CallContext;
use crate::object::interface::MethodFlags;
use crate::object::invocation::{Invocation, ReplyTo};
use crate::object::message::RemoteMessage;
use crate::object::panic::{self, PanicReport};

/// An actor that handles the message `M`: every [`Handler`] of it. A name of our own lets the compiler say what is missing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no handler for `{M}`",
    label = "the object has to handle this",
    note = "write `impl Handler<{M}> for {Self}`, as for any actix actor, or take `{M}` off the list"
)]
pub trait Handles<M: Message>: Handler<M> {}

#[diagnostic::do_not_recommend]
impl<A: Handler<M>, M: Message> Handles<M> for A {}

/// Stands for the handler of `M` in actor `A`.
pub struct Probe<A, M>(PhantomData<fn(A, M)>);

impl<A, M> Probe<A, M> {
    /// A new one; it holds nothing.
    #[expect(clippy::new_without_default, reason = "only macros make one")]
    pub fn new() -> Self {
        Probe(PhantomData)
    }
}

/// The handler returns the message's result itself.
pub struct Value;
/// The handler returns it wrapped ([`actix::MessageResult`]).
pub struct Wrapped;
/// The handler returns a boxed future of it ([`actix::ResponseFuture`]).
pub struct Async;
/// The handler returns a boxed actor future of it ([`actix::ResponseActFuture`]).
pub struct ActorAsync;
/// The handler returns something else that actix knows how to send, such as [`actix::AtomicResponse`].
pub struct Other;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;
type BoxActorFuture<A, T> = Pin<Box<dyn ActorFuture<A, Output = T>>>;

/// Chooses [`Value`].
pub trait ValueKind {
    /// The kind.
    fn kind(&self) -> Value {
        Value
    }
}
impl<A: Handler<M, Result = M::Output>, M: RemoteMessage + Message> ValueKind for &&&&Probe<A, M> {}

/// Chooses [`Wrapped`].
pub trait WrappedKind {
    /// The kind.
    fn kind(&self) -> Wrapped {
        Wrapped
    }
}
impl<A: Handler<M, Result = MessageResult<M>>, M: RemoteMessage + Message> WrappedKind for &&&Probe<A, M> {}

/// Chooses [`Async`].
pub trait AsyncKind {
    /// The kind.
    fn kind(&self) -> Async {
        Async
    }
}
impl<A: Handler<M, Result = BoxFuture<M::Output>>, M: RemoteMessage + Message> AsyncKind for &&Probe<A, M> {}

/// Chooses [`ActorAsync`].
pub trait ActorAsyncKind {
    /// The kind.
    fn kind(&self) -> ActorAsync {
        ActorAsync
    }
}
impl<A: Handler<M, Result = BoxActorFuture<A, M::Output>>, M: RemoteMessage + Message> ActorAsyncKind for &Probe<A, M> {}

/// Chooses [`Other`], also where there is no handler at all: it is the one that says so.
pub trait OtherKind {
    /// The kind.
    fn kind(&self) -> Other {
        Other
    }
}
impl<A, M> OtherKind for Probe<A, M> {}

impl Value {
    /// Runs the call, and sends the value.
    pub fn run<A, M>(self, actor: &mut A, mut invocation: Invocation, ctx: &mut Context<A>)
    where
        A: ObjectActor + Handler<M, Result = M::Output>,
        M: RemoteMessage + Message,
    {
        if let Some(message) = invocation.begin::<M>() {
            let output = actor.handle(message, ctx);
            invocation.end::<M>(output);
        }
    }
}

impl Wrapped {
    /// Runs the call, and sends the value.
    pub fn run<A, M>(self, actor: &mut A, mut invocation: Invocation, ctx: &mut Context<A>)
    where
        A: ObjectActor + Handler<M, Result = MessageResult<M>>,
        M: RemoteMessage + Message<Result = <M as RemoteMessage>::Output>,
    {
        if let Some(message) = invocation.begin::<M>() {
            let output = actor.handle(message, ctx).0;
            invocation.end::<M>(output);
        }
    }
}

impl Async {
    /// Runs the call, and sends the value when the future ends.
    pub fn run<A, M>(self, actor: &mut A, invocation: Invocation, ctx: &mut Context<A>)
    where
        A: ObjectActor + Handler<M, Result = BoxFuture<M::Output>>,
        M: RemoteMessage + Message,
    {
        if let Some((message, reply)) = invocation.open::<M>() {
            let future = actor.handle(message, ctx);
            let future = actix::fut::wrap_future(future);
            if M::FLAGS.contains(MethodFlags::CANCELLABLE) {
                ctx.spawn(end_stoppable(CallContext::current(), future, reply, |_| {}));
            } else {
                ctx.spawn(end_call(future, reply));
            }
        }
    }
}

impl ActorAsync {
    /// Runs the call, and sends the value when the future ends.
    pub fn run<A, M>(self, actor: &mut A, invocation: Invocation, ctx: &mut Context<A>)
    where
        A: ObjectActor + Handler<M, Result = BoxActorFuture<A, M::Output>>,
        M: RemoteMessage + Message,
    {
        if let Some((message, reply)) = invocation.open::<M>() {
            let future = actor.handle(message, ctx);
            if M::FLAGS.contains(MethodFlags::CANCELLABLE) {
                ctx.spawn(end_stoppable(CallContext::current(), future, reply, |_| {}));
            } else {
                ctx.spawn(end_call(future, reply));
            }
        }
    }
}

impl Other {
    /// Runs the call, and sends the value when actix has it.
    pub fn run<A, M>(self, actor: &mut A, invocation: Invocation, ctx: &mut Context<A>)
    where
        A: ObjectActor + Handles<M>,
        M: RemoteMessage + Message<Result = <M as RemoteMessage>::Output>,
    {
        let Some((message, reply)) = invocation.open::<M>() else { return };
        let (sender, mut receiver) = tokio::sync::oneshot::channel();
        actor.handle(message, ctx).handle(ctx, Some(sender));
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
    Guarded::new(CallContext::current(), future).map(move |outcome, _, ctx: &mut Context<A>| match outcome {
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

/// An actor future that runs as part of a call and of its object's work, and whose panics are its outcome.
pub(crate) struct Guarded<F> {
    call: Option<CallContext>,
    current: Option<Current>,
    future: F,
}

impl<F> Guarded<F> {
    pub(crate) fn new(call: Option<CallContext>, future: F) -> Guarded<F> {
        Guarded { call, current: Current::of_thread(), future }
    }
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
        let poll = || match this.call.clone() {
            Some(call) => call.enter(poll),
            None => poll(),
        };
        let polled = match &this.current {
            Some(current) => current.enter(poll),
            None => poll(),
        };
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(report) => Poll::Ready(Err(report)),
        }
    }
}

#[cfg(all(test, feature = "macros"))]
mod tests {
    use actix::{AtomicResponse, ResponseActFuture, ResponseFuture};

    use super::*;
    use crate::object::message::Never;

    #[derive(serde::Serialize, serde::Deserialize, pyroxene_macros::RemoteMessage)]
    #[remote(returns = "Result<u8, Never>")]
    struct Ask<const KIND: u8>;

    struct Account;

    impl Actor for Account {
        type Context = Context<Self>;
    }

    macro_rules! handlers {
        ($($kind:literal $result:ty;)*) => {$(
            impl Handler<Ask<$kind>> for Account {
                type Result = $result;
                fn handle(&mut self, _: Ask<$kind>, _: &mut Context<Self>) -> Self::Result {
                    unreachable!("only its type is looked at")
                }
            }
        )*};
    }

    handlers! {
        0 Result<u8, Never>;
        1 ResponseFuture<Result<u8, Never>>;
        2 ResponseActFuture<Self, Result<u8, Never>>;
        3 AtomicResponse<Self, Result<u8, Never>>;
        4 MessageResult<Ask<4>>;
    }

    #[test]
    #[expect(clippy::needless_borrow, reason = "the borrows are what chooses")]
    fn the_most_special_kind_is_chosen() {
        let _: Value = (&&&&&Probe::<Account, Ask<0>>::new()).kind();
        let _: Async = (&&&&&Probe::<Account, Ask<1>>::new()).kind();
        let _: ActorAsync = (&&&&&Probe::<Account, Ask<2>>::new()).kind();
        let _: Other = (&&&&&Probe::<Account, Ask<3>>::new()).kind();
        let _: Wrapped = (&&&&&Probe::<Account, Ask<4>>::new()).kind();
    }
}
