//! What differs between calls with a typed message and calls by name.

use std::collections::VecDeque;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;

use tokio::time::Instant;

use crate::client::binding::{Binding, Choice};
use crate::client::error::CallError;
use crate::client::link::Link;
use crate::codec::budget::Budget;
use crate::codec::fault::Fault;
use crate::object::facts::Facts;
use crate::object::invocation::Invocation;
use crate::object::items::Incoming;
use crate::object::local::LocalObject;
use crate::object::local_caller::Place;
use crate::object::oneways::LocalAccount;
use crate::object::outcome::NotStarted;
use crate::peer::in_flight::Answer;
use crate::wire::varint::write_varint;
use crate::wire::{CorrelationId, MessageType, SerializerId};

/// One call that can be made, in this process and over a connection.
pub(crate) trait Request: Sized + Send + Unpin + 'static {
    type Value: Send + 'static;
    type Raised: Display + Send + 'static;
    /// The outcome of a call in this process.
    type Local: Future<Output = Option<Result<Self::Value, CallError<Self::Raised>>>> + Send + Unpin;

    /// What its frame is.
    #[inline]
    fn kind(&self) -> MessageType {
        MessageType::Invoke
    }

    /// Looks at the binding it is to be sent by, before it is asked anything else about it.
    fn prepare(&mut self, _: &Binding) {}
    fn method(&self) -> &str;
    fn choose(&self, binding: &Binding) -> Result<Choice, NotStarted>;
    /// The serializer that `write` will use.
    fn serializer(&self, choice: Choice) -> SerializerId;
    /// Appends the message: in postcard itself, otherwise as a call by name.
    fn write_message(&self, choice: Choice, object: &str, out: &mut Vec<u8>) -> Result<(), String>;
    /// Appends the payload of the request.
    #[inline]
    fn write(&self, choice: Choice, handle: u32, object: &str, out: &mut Vec<u8>) -> Result<(), String> {
        if self.serializer(choice) == SerializerId::POSTCARD {
            write_varint(handle.into(), out);
            write_varint(choice.index.into(), out);
        }
        self.write_message(choice, object, out)
    }
    /// The method's signature as the caller has it, if the object has another one; asked only when something does not fit.
    fn other_signature(&self, binding: &Binding) -> Option<String>;
    /// Reads the value that an answer carries; what it reads may leave the answer.
    fn read(&self, answer: &mut Answer, binding: &Binding, budget: &Budget) -> Result<Self::Value, String>;
    /// The value whose items come over the connection; `None` if the call does not end with any.
    fn open(items: Box<dyn Incoming>) -> Option<Self::Value>;
    /// The error that the object raised, if this client knows its type.
    fn raised(fault: &Fault, budget: &Budget) -> Option<Self::Raised>;
    /// Puts the call into the queue of an object of this process.
    fn submit(self, choice: Choice, object: &Arc<dyn LocalObject>, call: Terms, queue: &mut impl Queue) -> Self::Local;
    /// The call of which this is the outcome, if it did not run and `call` said that it may be made again.
    fn take_back(outcome: &mut Self::Local) -> Option<Self>;
    /// The method that such a call is of.
    fn submitted(local: &Self::Local) -> &str;
    /// As `submit`, when nobody waits for the outcome.
    fn tell(self, choice: Choice, object: &Arc<dyn LocalObject>, call: Terms, queue: &mut impl Queue);
    /// The peer does not speak what the request needs: sends it in another way, if there is one, when nobody waits for the outcome.
    fn tell_otherwise(&mut self, _: &Arc<Link>, _: u32) -> bool {
        false
    }
}

/// Where calls to an object of this process go.
pub(crate) trait Queue {
    fn put(&mut self, invocation: Invocation);
}

/// Each goes into the object's own queue at once.
impl Queue for &Arc<dyn LocalObject> {
    fn put(&mut self, invocation: Invocation) {
        self.submit(invocation);
    }
}

/// They go together afterwards.
impl Queue for VecDeque<Invocation> {
    fn put(&mut self, invocation: Invocation) {
        self.push_back(invocation);
    }
}

/// What goes with a call to an object of this process.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) deadline: Instant,
    pub(crate) time_ms: u32,
    pub(crate) correlation: CorrelationId,
    /// What does not run may be made again.
    pub(crate) again: bool,
    pub(crate) facts: Option<Arc<Facts>>,
    /// Its place in a batch that stops at the first fault.
    pub(crate) place: Option<Place>,
    /// Where it counts, if it is a oneway.
    pub(crate) account: Option<Arc<LocalAccount>>,
}
