//! Reading a stream of items, and calling by name a method that replies with one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::oneshot;

use crate::client::binding::{Binding, Choice};
use crate::client::call::mismatch;
use crate::client::dyn_proxy::Named;
use crate::client::error::CallError;
use crate::client::exchange::Exchange;
use crate::client::request::{Queue, Request, Terms};
use crate::codec::Value;
use crate::codec::budget::Budget;
use crate::codec::fault::Fault;
use crate::object::interface::MethodFlags;
use crate::object::invocation::Invocation;
use crate::object::items::{Incoming, Items};
use crate::object::local::LocalObject;
use crate::object::local_caller::DynReader;
use crate::object::message::Never;
use crate::object::outcome::{Failure, NotStarted};
use crate::peer::in_flight::Answer;
use crate::wire::SerializerId;

impl<T> Items<T> {
    /// The next item; waits until it is there. `None` when the stream has ended; an error says how, and is the last.
    ///
    /// It may be given up and asked again, as in a `select!`: no item is lost.
    pub async fn next(&mut self) -> Option<Result<T, CallError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// All items together. What bounds a stream does not bound them.
    ///
    /// # Errors
    /// The stream did not end well.
    pub async fn into_vec(mut self) -> Result<Vec<T>, CallError> {
        let mut all = Vec::new();
        while let Some(item) = self.next().await {
            all.push(item?);
        }
        Ok(all)
    }
}

impl<T> Stream for Items<T> {
    type Item = Result<T, CallError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_item(cx).map(|item| item.map(|item| item.map_err(CallError::from)))
    }
}

/// A call by name of a method that replies with a stream; made when it is awaited.
#[must_use = "a call is made when it is awaited"]
pub struct DynItems(pub(super) Exchange<NamedItems>);

impl DynItems {
    /// The time the call has until the stream is open, milliseconds; the stream itself may take any time.
    pub fn timeout_ms(mut self, ms: u32) -> DynItems {
        self.0.asked_ms = Some(ms);
        self
    }
}

impl Future for DynItems {
    type Output = Result<Items<Value>, CallError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll(cx)
    }
}

/// A call by name that is to end with items.
pub(super) struct NamedItems(pub(super) Named);

impl Request for NamedItems {
    type Value = Items<Value>;
    type Raised = Never;
    type Local = LocalItems;

    fn method(&self) -> &str {
        self.0.method()
    }

    fn choose(&self, binding: &Binding) -> Result<Choice, NotStarted> {
        let choice = binding.named(self.0.method())?;
        if !choice.flags.contains(MethodFlags::STREAM) {
            return Err(mismatch(self.0.method(), true));
        }
        binding.check_args(self.0.method(), &self.0.args)?;
        Ok(choice)
    }

    fn serializer(&self, choice: Choice) -> SerializerId {
        self.0.serializer(choice)
    }

    fn write_message(&self, choice: Choice, object: &str, out: &mut Vec<u8>) -> Result<(), String> {
        self.0.write_message(choice, object, out)
    }

    fn other_signature(&self, _: &Binding) -> Option<String> {
        None
    }

    fn read(&self, _: &mut Answer, _: &Binding, _: &Budget) -> Result<Items<Value>, String> {
        Err("it is not a stream of items".to_owned())
    }

    fn open(items: Box<dyn Incoming>) -> Option<Items<Value>> {
        Some(Items::incoming(items))
    }

    fn raised(_: &Fault, _: &Budget) -> Option<Never> {
        None
    }

    fn submit(self, choice: Choice, object: &Arc<dyn LocalObject>, call: Terms, queue: &mut impl Queue) -> LocalItems {
        let (sender, receiver) = oneshot::channel();
        let Named { method, args } = self.0;
        let object_label = Arc::clone(object.label());
        let caller = DynReader { sender, object: object_label, method: method.clone(), correlation: call.correlation };
        queue.put(Invocation::local_dyn(choice.index, args, call.deadline, call.facts, caller));
        LocalItems { method, outcome: receiver }
    }

    fn submitted(local: &LocalItems) -> &str {
        &local.method
    }

    fn take_back(_: &mut LocalItems) -> Option<NamedItems> {
        None
    }

    fn tell(self, choice: Choice, object: &Arc<dyn LocalObject>, call: Terms, queue: &mut impl Queue) {
        self.0.tell(choice, object, call, queue);
    }
}

/// The outcome of such a call in this process.
pub(super) struct LocalItems {
    method: String,
    outcome: oneshot::Receiver<Result<Items<Value>, Failure>>,
}

impl Future for LocalItems {
    type Output = Option<Result<Items<Value>, CallError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = std::task::ready!(Pin::new(&mut self.outcome).poll(cx));
        Poll::Ready(ended.ok().map(|outcome| outcome.map_err(CallError::from)))
    }
}
