//! Objects with attributes: from the methods that read, write and watch them to their state.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use actix::fut::{ActorFuture, ActorFutureExt};
use actix::{AsyncContext, Context};

use crate::codec::Value;
use crate::daemon::deliver::Current;
use crate::daemon::entry::Observed;
use crate::daemon::host::{Host, Hosted};
use crate::daemon::remote_object::ObjectActor;
use crate::daemon::respond::Guarded;
use crate::object::attributes::access;
use crate::object::attributes::messages::{
    CompareAndSet, GetAttribute, GetAttributes, METHODS, SetAttribute, WatchAttribute,
};
use crate::object::attributes::{AttributeError, Attributes};
use crate::object::interface::Interface;
use crate::object::invocation::Invocation;
use crate::object::items::Items;
use crate::object::items::latest::{LatestSender, latest};
use crate::object::message::RemoteMessage;
use crate::object::outcome::{self, Failure, Unknown};
use crate::wire::SerializerId;

/// An actor that has attributes, or is around a struct that has.
pub trait AttributeActor: ObjectActor {
    /// What has them.
    type State: Attributes + Interface;

    /// It, unless it is away with a call that has it to itself.
    fn state(&mut self) -> Option<&mut Self::State>;
}

impl<T: Hosted + Attributes> AttributeActor for Host<T> {
    type State = T;

    fn state(&mut self) -> Option<&mut T> {
        self.state_mut()
    }
}

/// Runs a call of one of the methods behind an object's own: those that access attributes, then the [`TABLE`](Attributes::TABLE).
pub fn dispatch<A: AttributeActor>(actor: &mut A, place: usize, invocation: Invocation, ctx: &mut Context<A>) {
    // It is there: nothing is delivered while it is away.
    let Some(state) = actor.state() else { return };
    match place {
        0 => answer::<GetAttribute>(invocation, |ask| access::read(state, &ask.name)),
        1 => answer::<SetAttribute>(invocation, |ask| access::write(state, &ask.name, ask.value)),
        2 => {
            answer::<GetAttributes>(invocation, |ask| ask.names.iter().map(|name| access::read(state, name)).collect());
        }
        3 => answer::<CompareAndSet>(invocation, |ask| {
            access::compare_and_set(state, &ask.name, &ask.expected, ask.value)
        }),
        4 => answer::<WatchAttribute>(invocation, |ask| watch(state, ask.name, ctx)),
        _ => match place - METHODS.len() {
            place if place < A::State::TABLE.len() => state.call(place, invocation),
            _ => invocation.refuse_unlisted::<A::State>(),
        },
    }
}

fn answer<M: RemoteMessage>(mut invocation: Invocation, reply: impl FnOnce(M) -> M::Output) {
    if let Some(message) = invocation.begin::<M>() {
        let output = reply(message);
        invocation.end::<M>(output);
    }
}

/// The value now, and then whenever it is another one.
fn watch<A: AttributeActor>(
    state: &mut A::State,
    path: String,
    ctx: &mut Context<A>,
) -> Result<Items<Value>, AttributeError> {
    let last = access::read(state, &path)?;
    let current = Current::of_thread();
    let object = current.as_ref().map(|current| current.entry.label().to_string()).unwrap_or_default();
    let (sender, changes) = latest(last.clone(), Failure::Unknown(Unknown::Aborted { object }));
    let observed = current.as_ref().map(|current| current.entry.observe());
    let watcher = Watcher { path, last, sender, current: current.clone(), _observed: observed };
    ctx.spawn(Guarded::new(None, watcher).map(move |ended, _, ctx: &mut Context<A>| {
        if let (Err(report), Some(current)) = (ended, current) {
            current.panicked(report.message, ctx);
        }
    }));
    Ok(Items::from_source(changes))
}

/// Compares an attribute whenever its actor has run: actix polls the futures of an actor each time it has done something.
struct Watcher {
    path: String,
    last: Value,
    sender: LatestSender<Value>,
    current: Option<Current>,
    _observed: Option<Observed>,
}

impl<A: AttributeActor> ActorFuture<A> for Watcher {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, actor: &mut A, _: &mut Context<A>, task: &mut TaskContext<'_>) -> Poll<()> {
        // An actor with a future stays, so an object that has ended must not keep one.
        let is_over = self.current.as_ref().is_some_and(Current::is_over);
        if is_over || self.sender.is_unread(task.waker()) {
            return Poll::Ready(());
        }
        let Some(state) = actor.state() else { return Poll::Pending };
        match access::read(state, &self.path) {
            Ok(value) if access::is_same(&value, &self.last) => Poll::Pending,
            Ok(value) => {
                self.last = value.clone();
                self.sender.put(value);
                Poll::Pending
            }
            Err(error) => {
                let fault = outcome::raised(&error, SerializerId::MESSAGE_PACK, "", "");
                self.sender.fail(Failure::Failed(Box::new(fault)));
                Poll::Ready(())
            }
        }
    }
}
