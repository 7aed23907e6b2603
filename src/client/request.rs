//! What differs between calls with a typed message and calls by name.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;

use tokio::time::Instant;

use crate::client::binding::{Binding, Choice};
use crate::client::error::CallError;
use crate::codec::budget::Budget;
use crate::codec::fault::Fault;
use crate::object::facts::Facts;
use crate::object::items::Incoming;
use crate::object::local::LocalObject;
use crate::object::outcome::NotStarted;
use crate::peer::in_flight::Answer;
use crate::wire::{CorrelationId, SerializerId};

/// One call that can be made, in this process and over a connection.
pub(crate) trait Request: Sized + Send + Unpin + 'static {
    type Value;
    type Raised: Display;
    /// The outcome of a call in this process.
    type Local: Future<Output = Option<Result<Self::Value, CallError<Self::Raised>>>> + Send + Unpin;

    fn method(&self) -> &str;
    fn choose(&self, binding: &Binding) -> Result<Choice, NotStarted>;
    /// The serializer that `write` will use.
    fn serializer(&self, choice: Choice) -> SerializerId;
    /// Appends the payload of the request.
    fn write(&self, choice: Choice, handle: u32, object: &str, out: &mut Vec<u8>) -> Result<(), String>;
    /// The method's signature as the caller has it, if the object has another one; asked only when something does not fit.
    fn other_signature(&self, binding: &Binding) -> Option<String>;
    fn read(answer: &Answer, budget: &Budget) -> Result<Self::Value, String>;
    /// The value whose items come over the connection; `None` if the call does not end with any.
    fn open(items: Box<dyn Incoming>) -> Option<Self::Value>;
    /// The error that the object raised, if this client knows its type.
    fn raised(fault: &Fault, budget: &Budget) -> Option<Self::Raised>;
    /// Puts the call into the queue of an object of this process.
    fn submit(self, choice: Choice, object: &Arc<dyn LocalObject>, call: Terms) -> Self::Local;
    /// The call of which this is the outcome, if it did not run and `call` said that it may be made again.
    fn take_back(outcome: &mut Self::Local) -> Option<Self>;
    /// The method that such a call is of.
    fn submitted(local: &Self::Local) -> &str;
    /// As `submit`, when nobody waits for the outcome.
    fn tell(self, choice: Choice, object: &Arc<dyn LocalObject>, call: Terms);
}

/// What goes with a call to an object of this process.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) deadline: Instant,
    pub(crate) correlation: CorrelationId,
    /// What does not run may be made again.
    pub(crate) again: bool,
    pub(crate) facts: Option<Arc<Facts>>,
}
