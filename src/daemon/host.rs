//! The actor around a plain struct.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use actix::fut::ActorFutureExt;
use actix::{Actor, AsyncContext, Context, Handler};

use crate::daemon::deliver::{Current, Deliver};
use crate::daemon::exclusive::{self, UnderWay};
use crate::daemon::remote_object::ObjectActor;
use crate::daemon::respond::Guarded;
use crate::daemon::stop::end_stoppable;
use crate::object::context::CallContext;
use crate::object::interface::Interface;
use crate::object::invocation::Invocation;
use crate::object::message::RemoteMessage;

/// A plain struct that `#[pyroxene::remote]` made an object. Its methods have it to themselves until they end.
pub trait Hosted: Interface + Sized + 'static {
    /// Runs one call with [`Host::call`] or [`Host::call_async`].
    fn dispatch(host: &mut Host<Self>, invocation: Invocation, ctx: &mut Context<Host<Self>>);
}

/// The actor that runs a plain struct.
pub struct Host<T> {
    /// Away while an `async fn` of it runs; nothing else is delivered meanwhile.
    state: Option<T>,
}

impl<T: Hosted> Host<T> {
    /// An actor around `state`.
    pub fn new(state: T) -> Host<T> {
        Host { state: Some(state) }
    }

    /// The struct, unless it is away.
    pub(super) fn state_mut(&mut self) -> Option<&mut T> {
        self.state.as_mut()
    }

    /// Runs a method.
    pub fn call<M: RemoteMessage>(&mut self, mut invocation: Invocation, method: impl FnOnce(&mut T, M) -> M::Output) {
        if let Some(state) = &mut self.state
            && let Some(message) = invocation.begin::<M>()
        {
            let output = method(state, message);
            invocation.end::<M>(output);
        }
    }

    /// Runs a method that is an `async fn`: it takes the state along and gives it back.
    pub fn call_async<M, F>(&mut self, invocation: Invocation, ctx: &mut Context<Self>, method: F)
    where
        M: RemoteMessage,
        F: FnOnce(T, M) -> Pin<Box<dyn Future<Output = (T, M::Output)>>>,
    {
        let Some((message, reply)) = invocation.open::<M>() else { return };
        let Some(state) = self.state.take() else { return };
        let current = Current::of_thread();
        let future = actix::fut::wrap_future(method(state, message));
        let (call, under_way) = begin_exclusive(current.as_ref());
        let call = Guarded::new(call, future);
        ctx.wait(call.map(move |outcome, host: &mut Host<T>, ctx: &mut Context<Self>| {
            drop(under_way);
            match outcome {
                Ok((state, value)) => {
                    host.state = Some(state);
                    reply.send(value);
                }
                Err(report) => {
                    let message = report.message.clone();
                    reply.panicked(report);
                    if let Some(current) = current {
                        current.panicked(message, ctx);
                    }
                }
            }
        }));
    }
}

impl<T: Hosted> Host<T> {
    /// Runs a method that is an `async fn` and may be stopped: it borrows the state, which comes back however it ends.
    pub fn call_stoppable<M, F>(&mut self, invocation: Invocation, ctx: &mut Context<Self>, method: F)
    where
        M: RemoteMessage,
        F: FnOnce(Rc<RefCell<T>>, M) -> Pin<Box<dyn Future<Output = M::Output>>>,
    {
        let Some((message, reply)) = invocation.open::<M>() else { return };
        let Some(state) = self.state.take() else { return };
        let state = Rc::new(RefCell::new(state));
        let future = actix::fut::wrap_future(method(Rc::clone(&state), message));
        let (call, under_way) = begin_exclusive(Current::of_thread().as_ref());
        let after = move |host: &mut Host<T>| {
            drop(under_way);
            host.state = Rc::into_inner(state).map(RefCell::into_inner);
        };
        ctx.wait(end_stoppable(call, future, reply, after));
    }
}

/// A method begins that has the object to itself until it ends.
fn begin_exclusive(current: Option<&Current>) -> (Option<CallContext>, Option<UnderWay>) {
    match (CallContext::current(), current) {
        (Some(call), Some(current)) => {
            let (call, under_way) = exclusive::begin(&current.entry, call);
            (Some(call), Some(under_way))
        }
        (call, _) => (call, None),
    }
}

// The state is never pinned: its futures own it.
impl<T> Unpin for Host<T> {}

impl<T: Hosted> Actor for Host<T> {
    type Context = Context<Self>;
}

impl<T: Hosted> Handler<Deliver> for Host<T> {
    type Result = ();

    fn handle(&mut self, deliver: Deliver, ctx: &mut Context<Self>) {
        deliver.run(self, ctx);
    }
}

impl<T: Hosted> ObjectActor for Host<T> {
    fn dispatch(&mut self, invocation: Invocation, ctx: &mut Context<Self>) {
        T::dispatch(self, invocation, ctx);
    }
}
