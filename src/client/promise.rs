//! References that have not arrived yet, and calls on them all the same.

mod call;
mod request;

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::client::call::{Call, Typed};
use crate::client::error::CallError;
use crate::client::exchange::Exchange;
use crate::client::link::Link;
pub use crate::client::promise::call::PipelinedCall;
use crate::client::promise::request::Promised;
use crate::client::proxy::Proxy;
use crate::client::runtime;
use crate::object::interface::{Accepts, Interface};
use crate::object::message::RemoteMessage;
use crate::peer::connection::Connection;

/// What refers to an object: a [`Proxy`], or one of the proxies that `#[pyroxene::remote]` writes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a reference to an object",
    note = "calls can be made beforehand on what ends with a `Proxy`, or with a proxy that `#[pyroxene::remote]` has written"
)]
pub trait Reference<A: ?Sized>: From<Proxy<A>> + Send + 'static {
    /// The proxy itself.
    fn into_proxy(self) -> Proxy<A>;
}

impl<A: Interface + ?Sized> Reference<A> for Proxy<A> {
    fn into_proxy(self) -> Proxy<A> {
        self
    }
}

/// The reference that a call will end with; made by [`Call::pipelined`]. Calls on it need not wait for it: they are sent at once, and the
/// daemon makes them as soon as it knows the object. So a call on the result of another costs no round trip of its own.
///
/// ```no_run
/// # #[cfg(all(feature = "macros", feature = "daemon"))] {
/// # use pyroxene::{Proxy, RemoteMessage};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize, actix::Message, RemoteMessage)]
/// # #[rtype(result = "u64")]
/// # struct Deposit { amount: u64 }
/// #[derive(Serialize, Deserialize, actix::Message, RemoteMessage)]
/// #[rtype(result = "Proxy")]
/// struct OpenAccount { owner: String }
///
/// # async fn example(bank: Proxy) -> Result<(), Box<dyn std::error::Error>> {
/// let account = bank.send(OpenAccount { owner: "alice".into() }).pipelined();
/// let balance: u64 = account.send(Deposit { amount: 30 }).await?;
/// let account: Proxy = account.proxy().await?;
/// # Ok(()) }
/// # }
/// ```
///
/// Calls on one promise and its clones start in the order in which they are made. If the call that was to end with the object fails, they are
/// [`NotStarted`](CallError::NotStarted) with the reason [`DependencyFailed`](crate::NotStarted::DependencyFailed). Where nothing can be
/// gained, they wait for the reference and are made then: in one process, with a peer that does not speak this, for an object of another daemon.
///
/// Dropping the promise, all its clones and the calls on it gives the call up that was to end with the object.
pub struct Promise<M: RemoteMessage, A: ?Sized>(Arc<Shared<M, A>>);

/// What the clones of a promise share.
struct Shared<M: RemoteMessage, A: ?Sized> {
    state: Mutex<State<M, A>>,
    /// Those who wait for the next stage.
    stage: watch::Sender<Stage>,
    /// Whoever has to wait does so in this line; it is first come, first served.
    line: Arc<tokio::sync::Mutex<()>>,
    task: Mutex<Option<AbortHandle>>,
    link: Arc<Link>,
}

enum State<M: RemoteMessage, A: ?Sized> {
    Calling(Box<Exchange<Promised<M>>>),
    Known(Result<Proxy<A>, Arc<CallError<M::Error>>>),
}

/// How far the call is that ends with the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Stage {
    New,
    Sent,
    Known,
}

impl<M: RemoteMessage> Call<M> {
    /// Makes the call at once, and does not wait for its end: calls on the object that it will end with can be made already.
    ///
    /// # Panics
    /// Outside of a tokio runtime, unless the feature `blocking` is on; or the call has begun.
    pub fn pipelined<A>(self) -> Promise<M, A>
    where
        A: Interface + ?Sized,
        M::Reply: Reference<A>,
    {
        let asked_ms = self.0.asked_ms;
        let Some((link, typed)) = self.into_parts() else { panic!("the call has begun, and can only be awaited") };
        let mut exchange = Exchange::new(Arc::clone(&link), Promised::new(typed));
        exchange.asked_ms = asked_ms;
        let shared = Arc::new(Shared {
            state: Mutex::new(State::Calling(Box::new(exchange))),
            stage: watch::Sender::new(Stage::New),
            line: Arc::default(),
            task: Mutex::default(),
            link,
        });
        // Now, and not when the task comes to it: the order of calls is the order in which they are made.
        if shared.poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            let task = Waiting(Arc::downgrade(&shared));
            *shared.task.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(runtime::expect().spawn(task).abort_handle());
        }
        Promise(shared)
    }
}

impl<M, A> Promise<M, A>
where
    M: RemoteMessage<Reply: Reference<A>>,
    A: Interface + ?Sized,
{
    /// A call of the object with this message, made when it is awaited.
    pub fn send<N: RemoteMessage>(&self, message: N) -> PipelinedCall<M, A, N>
    where
        A: Accepts<N>,
    {
        PipelinedCall::new(self.clone(), Typed::new(message, A::INDEX))
    }

    /// A call of the object as its proxy makes it, such as `account.call(|account| account.deposit(30))`. The proxy that `make` is given stands
    /// for the one that will come, and is good for nothing else.
    ///
    /// # Panics
    /// `make` returns a call that has begun.
    pub fn call<N: RemoteMessage>(&self, make: impl FnOnce(&M::Reply) -> Call<N>) -> PipelinedCall<M, A, N> {
        let link = &self.0.link;
        let stand_in = M::Reply::from(Proxy::lazy_with(&link.client, link.uri.clone()));
        match make(&stand_in).into_parts() {
            Some((_, call)) => PipelinedCall::new(self.clone(), call),
            None => panic!("the call has begun, and can only be awaited"),
        }
    }

    /// Waits for the reference.
    ///
    /// # Errors
    /// How the call ended, if not with one.
    pub async fn proxy(&self) -> Result<Proxy<A>, Arc<CallError<M::Error>>> {
        let mut stage = self.0.stage.subscribe();
        loop {
            if let State::Known(known) = &*self.0.lock() {
                return known.clone();
            }
            // It changes as long as the promise is there, which it is.
            let _ = stage.changed().await;
        }
    }
}

impl<M: RemoteMessage, A: ?Sized> Shared<M, A> {
    fn lock(&self) -> MutexGuard<'_, State<M, A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()>
    where
        M::Reply: Reference<A>,
    {
        let mut state = self.lock();
        let State::Calling(exchange) = &mut *state else { return Poll::Ready(()) };
        let stage = match exchange.poll(cx) {
            Poll::Ready(ended) => {
                *state = State::Known(ended.map(Reference::into_proxy).map_err(Arc::new));
                Stage::Known
            }
            Poll::Pending if exchange.in_flight().is_some() => Stage::Sent,
            Poll::Pending => Stage::New,
        };
        drop(state);
        self.stage.send_if_modified(|old| std::mem::replace(old, stage) != stage);
        if stage == Stage::Known { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<M: RemoteMessage, A: ?Sized> State<M, A> {
    /// Where the call is under way, if calls can be made there on what it will end with; or else for what they have to wait.
    fn under_way(&self) -> Result<(&Connection, u16), Stage> {
        let State::Calling(exchange) = self else { return Err(Stage::Known) };
        let (connection, seq) = exchange.in_flight().ok_or(Stage::Sent)?;
        let is_spoken = exchange.request().is_some_and(Promised::is_spoken);
        // One that is large may still wait for its turn, and must not be overtaken by what depends on it.
        if is_spoken && !connection.is_unsent(seq) { Ok((connection, seq)) } else { Err(Stage::Known) }
    }
}

/// Sees to it that the call goes on, whoever waits for it or not, as long as there is a promise.
struct Waiting<M: RemoteMessage, A: ?Sized>(Weak<Shared<M, A>>);

impl<M: RemoteMessage<Reply: Reference<A>>, A: ?Sized> Future for Waiting<M, A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.upgrade().map_or(Poll::Ready(()), |shared| shared.poll(cx))
    }
}

impl<M: RemoteMessage, A: ?Sized> Drop for Shared<M, A> {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

impl<M: RemoteMessage, A: ?Sized> Clone for Promise<M, A> {
    fn clone(&self) -> Self {
        Promise(Arc::clone(&self.0))
    }
}

impl<M: RemoteMessage, A: ?Sized> std::fmt::Debug for Promise<M, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Promise").field("method", &M::METHOD).field("of", &self.0.link.uri).finish()
    }
}
