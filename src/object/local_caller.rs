//! Callers in this process: where the outcome of their calls goes.

use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::codec::Value;
use crate::codec::fault::Fault;
use crate::object::first_fault::FirstFault;
use crate::object::interface::signature_of;
use crate::object::items::{ItemSource, Items};
use crate::object::message::RemoteMessage;
use crate::object::oneways::{OnewayEnd, Told};
use crate::object::outcome::{Failure, NotStarted, unwritable};
use crate::wire::CorrelationId;

/// A caller in this process, behind whatever type it is.
pub trait LocalReply: std::any::Any + Send {
    /// The call ends without the handler's outcome.
    fn fail(self: Box<Self>, failure: Failure);
    /// The call ends with a value, or the fault of an error, that a caller without types can read.
    fn value(self: Box<Self>, outcome: Result<Value, Fault>);
    /// The call ends with items that a caller without types can read, if it asked for such.
    fn items(self: Box<Self>, _: Box<dyn ItemSource>) {
        let (object, method) = self.names();
        let fault = unwritable((object, method), "its caller did not ask for a stream of items");
        self.value(Err(fault));
    }
    /// Nobody waits for the reply any more.
    fn is_abandoned(&self) -> bool;
    /// Ready once nobody waits for the reply any more; never for a oneway.
    fn poll_abandoned(&mut self, cx: &mut Context<'_>) -> Poll<()>;
    /// The correlation id of the call.
    fn correlation(&self) -> CorrelationId;
    /// The object and method called, for faults.
    fn names(&self) -> (&str, &str);
}

/// A caller in this process that sends the message itself: nothing is serialized.
pub(crate) struct LocalCaller<M: RemoteMessage> {
    /// The message, until the object opens it.
    pub(crate) message: Option<M>,
    /// Where the handler's outcome goes; `None` for a oneway.
    pub(crate) sender: Option<oneshot::Sender<LocalEnd<M>>>,
    /// The object called.
    pub(crate) object: Arc<str>,
    /// The correlation id of the call.
    pub(crate) correlation: CorrelationId,
    /// What does not run may be made again.
    pub(crate) again: bool,
    /// Its place in a batch that stops at the first fault.
    pub(crate) place: Option<Place>,
    /// Where it counts, if it is a oneway.
    pub(crate) told: Option<Told>,
}

/// How a call in this process ended: with what the handler returned, or otherwise.
pub(crate) type LocalEnd<M> = Result<Result<<M as RemoteMessage>::Reply, <M as RemoteMessage>::Error>, Box<Refusal<M>>>;

/// How a call in this process ended, when its handler did not end it.
pub(crate) struct Refusal<M> {
    pub(crate) failure: Failure,
    /// The message, if it was not opened and its caller may make the call again.
    pub(crate) message: Option<M>,
}

/// The place of a call in a batch that stops at the first fault.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) first_fault: Arc<FirstFault>,
    pub(crate) at: u32,
}

impl Place {
    /// Whether a call before this one failed.
    fn is_skipped(place: Option<&Place>) -> bool {
        place.is_some_and(|place| place.first_fault.is_before(place.at))
    }

    /// The call at this place has failed; the failure that its caller is told.
    fn failed(place: Option<&Place>, failure: Failure) -> Failure {
        let Some(place) = place else { return failure };
        if failure == Failure::NotStarted(NotStarted::Cancelled) && Place::is_skipped(Some(place)) {
            return Failure::NotStarted(NotStarted::Skipped);
        }
        place.first_fault.note(place.at);
        failure
    }
}

impl<M: RemoteMessage> LocalCaller<M> {
    /// The call ends with what the handler returned.
    pub(crate) fn end(self, output: M::Output) {
        let outcome = M::outcome(output);
        if let Some(told) = self.told {
            told.ended(if outcome.is_ok() { OnewayEnd::Executed } else { OnewayEnd::Failed });
        }
        if let (Err(_), Some(place)) = (&outcome, &self.place) {
            place.first_fault.note(place.at);
        }
        if let Some(sender) = self.sender {
            let _ = sender.send(Ok(outcome));
        }
    }
}

impl<M: RemoteMessage> LocalReply for LocalCaller<M> {
    fn fail(self: Box<Self>, failure: Failure) {
        let failure = Place::failed(self.place.as_ref(), failure);
        if let Some(told) = self.told {
            told.ended(OnewayEnd::from(&failure));
        }
        if let Some(sender) = self.sender {
            let failure = match failure {
                // In one process it is another message altogether that does not fit.
                Failure::NotStarted(why) => Failure::NotStarted(why.told_to(|| Some(signature_of::<M>().to_string()))),
                failure => failure,
            };
            let message = self.message.filter(|_| self.again);
            let _ = sender.send(Err(Box::new(Refusal { failure, message })));
        }
    }

    fn value(self: Box<Self>, outcome: Result<Value, Fault>) {
        if let Err(fault) = outcome {
            self.fail(Failure::Failed(Box::new(fault)));
        }
    }

    fn is_abandoned(&self) -> bool {
        self.sender.as_ref().is_some_and(oneshot::Sender::is_closed) || Place::is_skipped(self.place.as_ref())
    }

    fn poll_abandoned(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sender.as_mut().map_or(Poll::Pending, |sender| sender.poll_closed(cx))
    }

    fn correlation(&self) -> CorrelationId {
        self.correlation
    }

    fn names(&self) -> (&str, &str) {
        (&self.object, M::METHOD)
    }
}

/// A caller in this process that knows neither the object's type nor its messages.
pub(crate) struct DynCaller {
    /// Where the outcome goes; `None` for a oneway.
    pub(crate) sender: Option<oneshot::Sender<Result<Value, Failure>>>,
    /// The object called.
    pub(crate) object: Arc<str>,
    /// The method called.
    pub(crate) method: String,
    /// The correlation id of the call.
    pub(crate) correlation: CorrelationId,
    /// Its place in a batch that stops at the first fault.
    pub(crate) place: Option<Place>,
    /// Where it counts, if it is a oneway.
    pub(crate) told: Option<Told>,
}

impl LocalReply for DynCaller {
    fn fail(self: Box<Self>, failure: Failure) {
        let failure = Place::failed(self.place.as_ref(), failure);
        if let Some(told) = self.told {
            told.ended(OnewayEnd::from(&failure));
        }
        if let Some(sender) = self.sender {
            let _ = sender.send(Err(failure));
        }
    }

    fn value(self: Box<Self>, outcome: Result<Value, Fault>) {
        if let (Err(_), Some(place)) = (&outcome, &self.place) {
            place.first_fault.note(place.at);
        }
        if let Some(told) = self.told {
            told.ended(if outcome.is_ok() { OnewayEnd::Executed } else { OnewayEnd::Failed });
        }
        if let Some(sender) = self.sender {
            let _ = sender.send(outcome.map_err(|fault| Failure::Failed(Box::new(fault))));
        }
    }

    fn is_abandoned(&self) -> bool {
        self.sender.as_ref().is_some_and(oneshot::Sender::is_closed) || Place::is_skipped(self.place.as_ref())
    }

    fn poll_abandoned(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sender.as_mut().map_or(Poll::Pending, |sender| sender.poll_closed(cx))
    }

    fn correlation(&self) -> CorrelationId {
        self.correlation
    }

    fn names(&self) -> (&str, &str) {
        (&self.object, &self.method)
    }
}

/// The same for a method that replies with items.
pub(crate) struct DynReader {
    /// Where the items go.
    pub(crate) sender: oneshot::Sender<Result<Items<Value>, Failure>>,
    /// The object called.
    pub(crate) object: Arc<str>,
    /// The method called.
    pub(crate) method: String,
    /// The correlation id of the call.
    pub(crate) correlation: CorrelationId,
}

impl LocalReply for DynReader {
    fn fail(self: Box<Self>, failure: Failure) {
        let _ = self.sender.send(Err(failure));
    }

    fn value(self: Box<Self>, outcome: Result<Value, Fault>) {
        if let Err(fault) = outcome {
            self.fail(Failure::Failed(Box::new(fault)));
        }
    }

    fn items(self: Box<Self>, source: Box<dyn ItemSource>) {
        let _ = self.sender.send(Ok(Items::values(source)));
    }

    fn is_abandoned(&self) -> bool {
        self.sender.is_closed()
    }

    fn poll_abandoned(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sender.poll_closed(cx)
    }

    fn correlation(&self) -> CorrelationId {
        self.correlation
    }

    fn names(&self) -> (&str, &str) {
        (&self.object, &self.method)
    }
}
