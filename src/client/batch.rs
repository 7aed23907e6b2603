//! Many calls to one object in one frame.

mod calls;
mod join;
mod together;

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::args;
pub(crate) use crate::client::batch::calls::CallList;
pub use crate::client::batch::calls::{Append, Calls};
use crate::client::batch::join::Join;
use crate::client::batch::together::Together;
use crate::client::call::{Call, Typed};
use crate::client::dyn_proxy::Named;
#[cfg(feature = "blocking")]
use crate::client::error::CallError;
use crate::client::exchange::Exchange;
use crate::client::link::Link;
use crate::client::runtime;
use crate::codec::Value;
use crate::codec::args::Args;
use crate::object::attributes::messages::{GetAttribute, SetAttribute};
use crate::object::interface::{Accepts, Any};
use crate::object::message::RemoteMessage;
#[cfg(feature = "blocking")]
use crate::uri::Uri;

/// Calls that are made together: they travel in one frame, run one after another in the order in which they were added, and how each of them
/// ended comes back in one frame as well. Made by [`Proxy::batch`](crate::Proxy::batch).
///
/// A fault ends only its own call, and the ones behind it run all the same, as calls made one by one do;
/// [`stop_at_fault`](Batch::stop_at_fault) is the other way.
///
/// ```no_run
/// # #[cfg(all(feature = "macros", feature = "daemon"))] {
/// # use pyroxene::RemoteMessage;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize, actix::Message, RemoteMessage)]
/// # #[rtype(result = "u64")]
/// # struct Withdraw { amount: u64 }
/// # #[derive(Serialize, Deserialize, actix::Message, RemoteMessage)]
/// # #[rtype(result = "u64")]
/// # struct Balance;
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let account = pyroxene::Proxy::<pyroxene::Any>::connect("PYRONAME://bank.alice").await?;
/// let (withdrawn, left) = account.batch().add(Withdraw { amount: 1 }).add(Balance).send().await;
/// println!("{} withdrawn, {} left", withdrawn?, left?);
/// # Ok(()) }
/// # }
/// ```
///
/// It has one deadline, and is given up as one. It counts as as many calls as it has: against the queue of the object, which it enters as a
/// whole or not at all, and against the calls in flight on the connection. A method that replies with a stream of items has no place in it.
#[must_use = "a batch is made by `send` or `do_send`"]
pub struct Batch<A: ?Sized, C = ()> {
    link: Arc<Link>,
    calls: C,
    stop_at_fault: bool,
    asked_ms: Option<u32>,
    /// A call of another proxy is among them.
    strange: bool,
    object: PhantomData<fn(&A)>,
}

/// What can be added to a batch of calls to `A`: a message that it accepts, or a call that a typed proxy has made and nobody has awaited.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be added to a batch of calls to `{A}`",
    label = "this is neither a message that `{A}` accepts nor a call of its proxy"
)]
pub trait Callable<A: ?Sized> {
    /// The message.
    type Message: RemoteMessage;

    /// The call, out of whatever it is in.
    ///
    /// # Panics
    /// The call has begun: it was polled before.
    fn into_added(self) -> Added<Self::Message>;
}

/// A call on its way into a batch.
pub struct Added<M: RemoteMessage> {
    call: Typed<M>,
    /// The proxy that made it.
    of: Option<Arc<Link>>,
}

impl<A: Accepts<M> + ?Sized, M: RemoteMessage> Callable<A> for M {
    type Message = M;

    fn into_added(self) -> Added<M> {
        Added { call: Typed::new(self, A::INDEX), of: None }
    }
}

impl<A: ?Sized, M: RemoteMessage> Callable<A> for Call<M> {
    type Message = M;

    fn into_added(self) -> Added<M> {
        let Some((of, call)) = self.into_parts() else { panic!("a call that has begun cannot be added to a batch") };
        Added { call, of: Some(of) }
    }
}

impl<A: ?Sized> Batch<A> {
    pub(crate) fn new(link: Arc<Link>) -> Batch<A> {
        Batch { link, calls: (), stop_at_fault: false, asked_ms: None, strange: false, object: PhantomData }
    }

    /// Adds any number of calls of one method; the outcome is a list.
    pub fn add_all<T: Callable<A>>(self, calls: impl IntoIterator<Item = T>) -> Batch<A, Vec<Typed<T::Message>>> {
        let mut strange = self.strange;
        let calls = calls.into_iter().map(|call| {
            let Added { call, of } = call.into_added();
            strange |= is_strange(&self.link, of.as_ref());
            call
        });
        let calls = calls.collect();
        self.with(calls, strange)
    }
}

impl<A: ?Sized, C> Batch<A, C> {
    /// Adds a call, behind those that were added before: a message, or a call as a typed proxy makes it, such as `account.withdraw(30)`. A batch
    /// has up to twelve calls that are added one by one; [`add_all`](Batch::add_all) takes any number.
    #[expect(clippy::should_implement_trait, reason = "to add to a batch is not arithmetic")]
    pub fn add<T: Callable<A>>(self, call: T) -> Batch<A, C::Appended>
    where
        C: Append<Typed<T::Message>>,
    {
        let Added { call, of } = call.into_added();
        let strange = self.strange | is_strange(&self.link, of.as_ref());
        let Batch { link, calls, stop_at_fault, asked_ms, .. } = self;
        Batch { link, calls: calls.append(call), stop_at_fault, asked_ms, strange, object: PhantomData }
    }

    /// After the first call that does not end well, none begins any more: those are
    /// [`Skipped`](crate::NotStarted::Skipped). A handler that lets other calls of its object run while it waits lets those of the batch run as
    /// well: what has begun before the fault goes on.
    pub fn stop_at_fault(mut self) -> Batch<A, C> {
        self.stop_at_fault = true;
        self
    }

    /// The time that all of it has, milliseconds; it travels with the calls and limits those made on their behalf.
    pub fn timeout_ms(mut self, ms: u32) -> Batch<A, C> {
        self.asked_ms = Some(ms);
        self
    }

    fn with<D>(self, calls: D, strange: bool) -> Batch<A, D> {
        let Batch { link, stop_at_fault, asked_ms, .. } = self;
        Batch { link, calls, stop_at_fault, asked_ms, strange, object: PhantomData }
    }
}

#[expect(private_bounds, reason = "what a list of calls can do is nobody else's business")]
impl<A: ?Sized, C: CallList> Batch<A, C> {
    /// The batch, sent when it is awaited. It ends with how each call ended: a tuple for calls that were added one by one, a list for those
    /// of [`add_all`](Batch::add_all). What befalls the batch as a whole is how every call ended.
    pub fn send(self) -> BatchCall<C> {
        BatchCall(State::Together(self.exchange()))
    }

    /// Sends the batch without waiting for anything, in order with the calls made through this proxy. Whether it arrives and how it ends,
    /// nobody says.
    ///
    /// # Panics
    /// Outside of a tokio runtime when it is not connected, unless the feature `blocking` is on.
    pub fn do_send(self) {
        if self.calls.count() > 0 {
            self.exchange().send_oneway();
        }
    }

    fn exchange(self) -> Exchange<Together<C>> {
        let together = Together::new(Arc::clone(&self.link), self.calls, self.stop_at_fault, self.strange);
        let mut exchange = Exchange::new(self.link, together);
        exchange.asked_ms = self.asked_ms;
        exchange
    }
}

fn is_strange(link: &Arc<Link>, of: Option<&Arc<Link>>) -> bool {
    of.is_some_and(|of| !Arc::ptr_eq(of, link) && of.uri != link.uri)
}

/// Calls by name that are made together, as a [`Batch`] is; made by [`DynProxy::batch`](crate::DynProxy::batch).
///
/// ```no_run
/// # use pyroxene::{DynProxy, args};
/// # async fn example(account: DynProxy) -> Result<(), Box<dyn std::error::Error>> {
/// for outcome in account.batch().add("withdraw", args! { amount: 30 }).add("balance", args![]).send().await {
///     println!("{}", outcome?);
/// }
/// # Ok(()) }
/// ```
#[must_use = "a batch is made by `send` or `do_send`"]
pub struct DynBatch(Batch<Any, Vec<Named>>);

impl DynBatch {
    pub(crate) fn new(link: Arc<Link>) -> DynBatch {
        DynBatch(Batch::new(link).with(Vec::new(), false))
    }

    /// Adds a call, behind those that were added before.
    pub fn add(mut self, method: &str, args: Args) -> DynBatch {
        self.0.calls.push(Named { method: method.to_owned(), args });
        self
    }

    /// Adds the reading of an attribute, as [`DynProxy::get`](crate::DynProxy::get).
    pub fn get(self, path: &str) -> DynBatch {
        self.add(GetAttribute::METHOD, args![path])
    }

    /// Adds the writing of an attribute, as [`DynProxy::set`](crate::DynProxy::set).
    pub fn set(self, path: &str, value: impl Into<Value>) -> DynBatch {
        self.add(SetAttribute::METHOD, args![path, value])
    }

    /// As [`Batch::stop_at_fault`].
    pub fn stop_at_fault(self) -> DynBatch {
        DynBatch(self.0.stop_at_fault())
    }

    /// As [`Batch::timeout_ms`].
    pub fn timeout_ms(self, ms: u32) -> DynBatch {
        DynBatch(self.0.timeout_ms(ms))
    }

    /// The batch, sent when it is awaited; it ends with how each call ended.
    pub fn send(self) -> BatchCall<Vec<Named>> {
        self.0.send()
    }

    /// As [`Batch::do_send`].
    ///
    /// # Panics
    /// Outside of a tokio runtime when it is not connected, unless the feature `blocking` is on.
    pub fn do_send(self) {
        self.0.do_send();
    }
}

/// A batch that is sent when it is awaited. Dropping it gives it up: what of it waits in its object's queue is not run.
#[must_use = "a batch is sent when it is awaited; a oneway by `do_send`"]
#[expect(private_bounds, reason = "what a list of calls can do is nobody else's business")]
pub struct BatchCall<C: CallList>(State<C>);

#[expect(clippy::large_enum_variant, reason = "the small one is rare")]
enum State<C: CallList> {
    Together(Exchange<Together<C>>),
    /// The peer speaks no batches.
    Singly(Join<C>),
}

#[expect(private_bounds, reason = "what a list of calls can do is nobody else's business")]
impl<C: CallList> BatchCall<C> {
    /// What it ends with when all of it ends so; `None` once it is not to be said any more.
    #[cfg(feature = "blocking")]
    pub(crate) fn ended(&self, error: impl FnOnce(&Uri) -> CallError) -> Option<C::Outcomes> {
        let State::Together(exchange) = &self.0 else { return None };
        exchange.request()?.failed(&error(&exchange.link.uri))
    }
}

// Nothing in it is pinned: its futures are boxed.
impl<C: CallList> Unpin for BatchCall<C> {}

impl<C: CallList> Future for BatchCall<C> {
    type Output = C::Outcomes;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Outcomes> {
        let this = self.get_mut();
        loop {
            match &mut this.0 {
                State::Together(exchange) => {
                    if let Some(none) = exchange.request().and_then(Together::nothing) {
                        return Poll::Ready(none);
                    }
                    let error = match std::task::ready!(exchange.poll(cx)) {
                        Ok(outcomes) => return Poll::Ready(outcomes),
                        Err(error) => error,
                    };
                    let deadline = exchange.deadline();
                    let link = Arc::clone(&exchange.link);
                    // It was not handed over to an object of this process, or it would have ended with its outcomes.
                    let Some(request) = exchange.request_mut() else { return Poll::Pending };
                    match request.singly(&link, deadline) {
                        Some(join) => this.0 = State::Singly(join),
                        None => return request.failed(&error).map_or(Poll::Pending, Poll::Ready),
                    }
                }
                State::Singly(join) => {
                    return Pin::new(join).poll(cx);
                }
            }
        }
    }
}

/// Makes a batch that a peer without batches gets call by call, where nobody waits for it.
fn spawn<C: CallList>(join: Join<C>) {
    runtime::spawn(async move { drop(join.await) });
}
