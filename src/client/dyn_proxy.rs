//! Calling objects without knowing their types.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::client::batch::DynBatch;
use crate::client::binding::{Binding, Choice};
use crate::client::call::Annotated;
use crate::client::client::Client;
use crate::client::connect::{Connect, FromLink, IntoUri};
use crate::client::error::CallError;
use crate::client::exchange::Exchange;
use crate::client::ledger::Oneways;
use crate::client::link::Link;
use crate::client::request::{Queue, Request, Terms};
use crate::client::stream::{DynItems, NamedItems};
use crate::client::watch::Watch;
use crate::codec::args::Args;
use crate::codec::budget::Budget;
use crate::codec::call::NamedCall;
use crate::codec::fault::Fault;
use crate::codec::{self, Value};
use crate::object::interface::MethodFlags;
use crate::object::invocation::Invocation;
use crate::object::items::Incoming;
use crate::object::local::LocalObject;
use crate::object::local_caller::DynCaller;
use crate::object::message::Never;
use crate::object::outcome::{Failure, NotStarted};
use crate::peer::in_flight::Answer;
use crate::uri::{Uri, UriError};
use crate::wire::{Annotations, SerializerId};

/// A proxy that needs no types: methods by name, arguments and results as [`Value`]s.
///
/// ```no_run
/// use pyroxene::{DynProxy, args};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let account = DynProxy::connect("PYRONAME://bank.alice").await?;
/// let left = account.call("withdraw", args! { amount: 30 }).await?;
/// println!("{left}");
/// # Ok(()) }
/// ```
///
/// An error that the object raises arrives as [`CallError::Failed`], its data as a value in the fault's `detail`.
#[derive(Clone)]
pub struct DynProxy(pub(super) Arc<Link>);

impl DynProxy {
    /// Connects with this client.
    pub fn connect_with(client: &Client, uri: impl IntoUri) -> Connect<DynProxy> {
        Connect::new(client.clone(), uri.into_uri(), &[])
    }

    /// Where the object was said to be.
    pub fn uri(&self) -> &Uri {
        &self.0.uri
    }

    /// Calls a method.
    pub fn call(&self, method: &str, args: Args) -> DynCall {
        DynCall(Exchange::new(Arc::clone(&self.0), Named { method: method.to_owned(), args }))
    }

    /// Calls a method that replies with a stream of items.
    ///
    /// ```no_run
    /// # use pyroxene::{DynProxy, args};
    /// # async fn example(account: DynProxy) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut history = account.items("history", args![]).await?;
    /// while let Some(entry) = history.next().await {
    ///     println!("{}", entry?);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn items(&self, method: &str, args: Args) -> DynItems {
        let named = Named { method: method.to_owned(), args };
        DynItems(Exchange::new(Arc::clone(&self.0), NamedItems(named)))
    }

    /// Whether the method is one that replies with a stream, as far as is known: the object says so when the proxy connects.
    pub fn is_stream(&self, method: &str) -> bool {
        let choice = self.0.last().and_then(|binding| binding.named(method).ok());
        choice.is_some_and(|choice| choice.flags.contains(MethodFlags::STREAM))
    }

    /// Watches the object until it is gone, as [`Proxy::watch`](crate::Proxy::watch).
    pub fn watch(&self) -> Watch {
        Watch::new(Arc::clone(&self.0))
    }

    /// The same object by way of a proxy whose calls each wait for the end of the one before, as [`Proxy::strict`](crate::Proxy::strict).
    pub fn strict(&self) -> DynProxy {
        DynProxy(self.0.strict())
    }

    /// As [`Proxy::key`](crate::Proxy::key).
    ///
    /// # Errors
    /// The key has a character that an id must not have, or is too long.
    pub fn key(&self, key: &str) -> Result<DynProxy, UriError> {
        Ok(DynProxy(Link::new(self.0.client.clone(), self.0.uri.key(key)?, &[])))
    }

    /// Calls that are made together, in one frame.
    pub fn batch(&self) -> DynBatch {
        DynBatch::new(Arc::clone(&self.0))
    }

    /// As [`Proxy::flush`](crate::Proxy::flush).
    ///
    /// # Errors
    /// They have not ended in time, or what became of them cannot be asked.
    pub async fn flush(&self) -> Result<Oneways, CallError> {
        self.0.flush().await
    }

    /// Calls a method without waiting for anything: [`flush`](DynProxy::flush) says what became of such calls.
    ///
    /// # Panics
    /// Outside of a tokio runtime when it is not connected, unless the feature `blocking` is on.
    pub fn do_call(&self, method: &str, args: Args) {
        self.call(method, args).0.send_oneway();
    }
}

impl FromLink for DynProxy {
    fn from_link(link: Arc<Link>) -> Self {
        DynProxy(link)
    }
}

impl std::fmt::Debug for DynProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("DynProxy").field(&self.0.uri).finish()
    }
}

/// A call by name that is made when it is awaited.
#[must_use = "a call is made when it is awaited; a oneway by `do_call`"]
pub struct DynCall(pub(crate) Exchange<Named>);

impl DynCall {
    /// The time the call has, milliseconds; it travels with the call.
    pub fn timeout_ms(mut self, ms: u32) -> DynCall {
        self.0.asked_ms = Some(ms);
        self
    }

    /// Tries again, and runs once, as [`Call::once`](crate::Call::once).
    pub fn once(mut self) -> DynCall {
        self.0.once();
        self
    }

    /// Tries again, as [`Call::retry`](crate::Call::retry).
    pub fn retry(mut self) -> DynCall {
        self.0.retry();
        self
    }
}

impl DynCall {
    /// As [`Call::annotation`](crate::Call::annotation).
    pub fn annotation(mut self, id: [u8; 4], value: impl AsRef<[u8]>) -> DynCall {
        self.0.say(|facts| facts.annotate(id, value.as_ref()));
        self
    }

    /// As [`Call::traceparent`](crate::Call::traceparent).
    pub fn traceparent(mut self, traceparent: &str) -> DynCall {
        self.0.say(|facts| facts.trace(traceparent));
        self
    }

    /// As [`Call::annotated`](crate::Call::annotated).
    pub fn annotated(self) -> Annotated<DynCall> {
        Annotated(self)
    }
}

impl Future for Annotated<DynCall> {
    type Output = (Result<Value, CallError>, Annotations);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let exchange = &mut self.get_mut().0.0;
        exchange.poll(cx).map(|ended| (ended, exchange.of_reply()))
    }
}

impl Future for DynCall {
    type Output = Result<Value, CallError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll(cx)
    }
}

/// A call by name.
#[derive(Clone)]
pub struct Named {
    pub(crate) method: String,
    pub(crate) args: Args,
}

impl Request for Named {
    type Value = Value;
    type Raised = Never;
    type Local = LocalDynCall;

    fn method(&self) -> &str {
        &self.method
    }

    fn choose(&self, binding: &Binding) -> Result<Choice, NotStarted> {
        let choice = binding.named(&self.method)?;
        if choice.flags.contains(MethodFlags::ATTRIBUTE) {
            let problem = "it is an attribute: read it with `get`".to_owned();
            return Err(NotStarted::Unsupported { method: self.method.clone(), problem });
        }
        if choice.flags.contains(MethodFlags::STREAM) {
            let problem = "its reply is a stream of items: call it with `items`".to_owned();
            return Err(NotStarted::Unsupported { method: self.method.clone(), problem });
        }
        binding.check_args(&self.method, &self.args)?;
        Ok(choice)
    }

    fn serializer(&self, _: Choice) -> SerializerId {
        SerializerId::MESSAGE_PACK
    }

    fn write_message(&self, _: Choice, object: &str, out: &mut Vec<u8>) -> Result<(), String> {
        let call = NamedCall { object: object.to_owned(), method: self.method.clone(), args: self.args.clone() };
        call.encode(SerializerId::MESSAGE_PACK, out).map_err(|e| e.to_string())
    }

    fn other_signature(&self, _: &Binding) -> Option<String> {
        None
    }

    fn read(&self, answer: &mut Answer, _: &Binding, budget: &Budget) -> Result<Value, String> {
        codec::decode(answer.serializer, &answer.payload, budget).map_err(|e| e.to_string())
    }

    fn open(_: Box<dyn Incoming>) -> Option<Value> {
        None
    }

    fn raised(_: &Fault, _: &Budget) -> Option<Never> {
        None
    }

    fn submit(
        self,
        choice: Choice,
        object: &Arc<dyn LocalObject>,
        call: Terms,
        queue: &mut impl Queue,
    ) -> LocalDynCall {
        let (sender, receiver) = oneshot::channel();
        let (kept, method) = (call.again.then(|| self.clone()), self.method.clone());
        queue.put(self.invocation(choice, object, call, Some(sender)));
        LocalDynCall { method, receiver, kept }
    }

    fn take_back(outcome: &mut LocalDynCall) -> Option<Named> {
        outcome.kept.take()
    }

    fn submitted(local: &LocalDynCall) -> &str {
        &local.method
    }

    fn tell(self, choice: Choice, object: &Arc<dyn LocalObject>, call: Terms, queue: &mut impl Queue) {
        queue.put(self.invocation(choice, object, call, None));
    }
}

impl Named {
    fn invocation(
        self,
        choice: Choice,
        object: &Arc<dyn LocalObject>,
        call: Terms,
        sender: Option<oneshot::Sender<Result<Value, Failure>>>,
    ) -> Invocation {
        let label = Arc::clone(object.label());
        let (method, correlation, place) = (self.method, call.correlation, call.place);
        let told = call.account.map(|account| account.tell());
        let caller = DynCaller { sender, object: label, method, correlation, place, told };
        Invocation::local_dyn(choice.index, self.args, call.deadline, call.facts, caller)
    }
}

/// The outcome of a call by name in this process.
pub(crate) struct LocalDynCall {
    method: String,
    receiver: oneshot::Receiver<Result<Value, Failure>>,
    /// The call, if it may be made again.
    kept: Option<Named>,
}

impl Future for LocalDynCall {
    type Output = Option<Result<Value, CallError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = std::task::ready!(Pin::new(&mut self.receiver).poll(cx));
        Poll::Ready(ended.ok().map(|outcome| outcome.map_err(CallError::from)))
    }
}
