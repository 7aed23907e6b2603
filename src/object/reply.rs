//! The way back: where the outcome of a call goes.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::codec::blob::{self, Whole};
use crate::codec::budget::Budget;
use crate::codec::fault::Fault;
use crate::codec::{self, Value};
use crate::object::context::Caller;
use crate::object::facts::Facts;
use crate::object::interface::MethodFlags;
use crate::object::items::producer::{ItemSink, Producer};
use crate::object::local_caller::{LocalCaller, LocalReply};
use crate::object::message::{RemoteError, RemoteMessage};
use crate::object::oneways::OnewayEnd;
use crate::object::outcome::{self, Failure, NotStarted, Unknown, unwritable};
use crate::object::panic;
use crate::wire::{CorrelationId, Flags, FrameWriter, MessageType, SerializerId, apart};

/// The outgoing side of a connection, as a reply sees it: one lane for each object that the peer calls.
pub trait ReplySink: Send + Sync {
    /// Hands the connection's outgoing buffer to `write`, with the bytes of the largest frame that the peer accepts, and releases what the
    /// call `seq` held: its place among the calls in flight and `size` bytes. `write` may be called at most once; not at all when the
    /// connection is gone.
    fn answer(&self, seq: u16, size: u32, write: &mut dyn FnMut(&mut Vec<u8>, u32));
    /// The call of `seq` has left the object's queue, on the object's thread. Says whether its caller waits no more.
    fn started(&self, seq: u16) -> bool;
    /// The call was taken out of the object's queue, on whatever thread.
    fn withdrawn(&self);
    /// Whether the caller of `seq` waits no more.
    fn is_given_up(&self, seq: u16) -> bool;
    /// Wakes `waker` once the caller of `seq` waits no more.
    fn watch(&self, seq: u16, waker: &Waker);
    /// The call of `seq` has ended: nobody is to be woken.
    fn unwatch(&self, seq: u16);
    /// A oneway of this account has ended.
    fn ended(&self, _account: u16, _: OnewayEnd) {}
    /// Opens a stream of items, which `method` at this place replies with; they are in this serializer.
    ///
    /// # Errors
    /// No further one can be opened.
    fn open_stream(&self, method: u32, serializer: SerializerId) -> Result<Arc<dyn ItemSink>, String>;
    /// What decoding one message of the peer may cost.
    fn budget(&self) -> Budget;
    /// Who calls.
    fn caller(&self) -> &Arc<Caller>;
    /// The object that is called, for faults.
    fn object(&self) -> &str;
    /// The name of the method at this place, for faults; empty if there is none.
    fn method(&self, index: u32) -> &'static str;
}

/// Where the reply to one call goes. Dropped without an answer it answers by itself: a panic when the thread is unwinding from one,
/// otherwise that the call was aborted, or never began.
pub struct Reply {
    to: Option<To>,
    begun: bool,
    /// What came beside the call, and goes beside the reply.
    facts: Option<Arc<Facts>>,
}

enum To {
    Wire(WireReply),
    Local(Box<dyn LocalReply>),
}

/// What a reply over a connection needs.
pub struct WireReply {
    /// The connection, and the object on it.
    pub sink: Arc<dyn ReplySink>,
    /// The request's sequence number; of a oneway the account in which it counts, if not 0.
    pub seq: u16,
    /// The request's serializer, which is the reply's.
    pub serializer: SerializerId,
    /// The request's correlation id.
    pub correlation: CorrelationId,
    /// Nobody waits for a reply.
    pub oneway: bool,
    /// Bytes that the request holds.
    pub size: u32,
    /// The method's place in the object's table, for faults.
    pub method: u32,
}

impl Reply {
    /// A reply over a connection.
    pub fn wire(reply: WireReply, facts: Option<Arc<Facts>>) -> Reply {
        Reply { to: Some(To::Wire(reply)), begun: false, facts }
    }

    pub(crate) fn local(reply: Box<dyn LocalReply>, facts: Option<Arc<Facts>>) -> Reply {
        Reply { to: Some(To::Local(reply)), begun: false, facts }
    }

    /// What goes beside the call.
    #[inline]
    pub(crate) fn facts(&self) -> Option<&Arc<Facts>> {
        self.facts.as_ref()
    }

    /// From here on the call has run.
    pub(crate) fn begin(&mut self) {
        self.begun = true;
    }

    /// The call has left the object's queue. Says whether nobody waits for the reply any more, as [`is_abandoned`](Reply::is_abandoned).
    #[inline]
    pub(crate) fn dequeued(&self) -> bool {
        match &self.to {
            Some(To::Wire(wire)) => wire.sink.started(wire.seq) && !wire.oneway,
            _ => self.is_abandoned(),
        }
    }

    /// The call was taken out of the object's queue, and is not run.
    pub(crate) fn withdrawn(&self) {
        if let Some(To::Wire(wire)) = &self.to {
            wire.sink.withdrawn();
        }
    }

    /// Whether nobody waits for the reply any more: a call that was given up in the queue need not run. For a oneway nobody ever did.
    #[inline]
    pub(crate) fn is_abandoned(&self) -> bool {
        match &self.to {
            Some(To::Wire(wire)) => !wire.oneway && wire.sink.is_given_up(wire.seq),
            Some(To::Local(local)) => local.is_abandoned(),
            None => false,
        }
    }

    /// Ready once nobody waits for the reply any more.
    pub(crate) fn poll_abandoned(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.to {
            Some(To::Wire(wire)) if !wire.oneway => {
                // Looked at only after it is known whom to wake: it may be given up in between.
                wire.sink.watch(wire.seq, cx.waker());
                if wire.sink.is_given_up(wire.seq) { Poll::Ready(()) } else { Poll::Pending }
            }
            Some(To::Local(local)) => local.poll_abandoned(cx),
            _ => Poll::Pending,
        }
    }

    /// The call has ended that [`poll_abandoned`](Reply::poll_abandoned) was asked about.
    pub(crate) fn unwatch(&self) {
        if let Some(To::Wire(wire)) = &self.to
            && !wire.oneway
        {
            wire.sink.unwatch(wire.seq);
        }
    }

    /// The message of a caller in this process.
    pub(crate) fn message<M: RemoteMessage>(&mut self) -> Option<M> {
        let Some(To::Local(local)) = &mut self.to else { return None };
        let any: &mut dyn std::any::Any = local.as_mut();
        any.downcast_mut::<LocalCaller<M>>()?.message.take()
    }

    /// Ends the call with what the handler returned.
    #[inline]
    pub(crate) fn send<M: RemoteMessage>(&mut self, output: M::Output) {
        // Where it is: what is moved on as soon as it was put together is slow to move.
        if let Some(To::Wire(wire)) = &self.to {
            if const { M::FLAGS.contains(MethodFlags::STREAM) } {
                wire.open::<M>(output, self.facts.as_deref());
            } else {
                wire.send(M::outcome(output), self.facts.as_deref());
            }
            self.to = None;
            return;
        }
        match self.to.take() {
            Some(To::Local(local)) if (local.as_ref() as &dyn std::any::Any).is::<LocalCaller<M>>() => {
                let any: Box<dyn std::any::Any> = local;
                if let Ok(caller) = any.downcast::<LocalCaller<M>>() {
                    caller.end(output);
                }
            }
            Some(To::Local(local)) => {
                let outcome = match M::outcome(output).map(M::into_items) {
                    Ok(Ok(items)) => return local.items(items),
                    Ok(Err(value)) => {
                        Value::from_serialize(&Whole(value)).map_err(|e| unwritable(local.names(), &e.to_string()))
                    }
                    Err(error) => {
                        let (object, method) = local.names();
                        Err(outcome::raised(&error, SerializerId::MESSAGE_PACK, object, method))
                    }
                };
                local.value(outcome);
            }
            Some(To::Wire(_)) | None => {}
        }
    }

    /// Ends the call without running it, or after a failure.
    pub fn fail(mut self, failure: Failure) {
        self.end(failure);
    }

    pub(crate) fn end(&mut self, failure: Failure) {
        match self.to.take() {
            Some(To::Wire(wire)) => wire.fail(&failure, self.facts.as_deref()),
            Some(To::Local(local)) => local.fail(failure),
            None => {}
        }
    }

    /// Ends the call with the panic that ended its handler.
    pub fn panicked(mut self, report: panic::PanicReport) {
        let (object, method) = self.names();
        self.end(Failure::Failed(Box::new(outcome::panicked(report, &object, &method))));
    }

    /// The object and the method called.
    pub(crate) fn names(&self) -> (String, String) {
        match &self.to {
            Some(To::Wire(wire)) => (wire.sink.object().to_owned(), wire.method().to_owned()),
            Some(To::Local(local)) => {
                let (object, method) = local.names();
                (object.to_owned(), method.to_owned())
            }
            None => Default::default(),
        }
    }

    /// The correlation id of the call.
    pub(crate) fn correlation(&self) -> CorrelationId {
        match &self.to {
            Some(To::Wire(wire)) => wire.correlation,
            Some(To::Local(local)) => local.correlation(),
            None => CorrelationId::NONE,
        }
    }

    /// What the arguments are written in.
    pub(crate) fn serializer(&self) -> SerializerId {
        match &self.to {
            Some(To::Wire(wire)) => wire.serializer,
            _ => SerializerId::POSTCARD,
        }
    }

    /// Who calls.
    pub(crate) fn caller(&self) -> &Arc<Caller> {
        match &self.to {
            Some(To::Wire(wire)) => wire.sink.caller(),
            _ => Caller::local(),
        }
    }

    /// What decoding the arguments may cost.
    pub(crate) fn budget(&self) -> Budget {
        match &self.to {
            Some(To::Wire(wire)) => wire.sink.budget(),
            _ => Budget::default(),
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if self.to.is_none() {
            return;
        }
        let (object, method) = self.names();
        let failure = match (self.begun, panic::unwinding()) {
            (true, Some(report)) => Failure::Failed(Box::new(outcome::panicked(report, &object, &method))),
            (true, None) => Failure::Unknown(Unknown::Aborted { object }),
            (false, _) => Failure::NotStarted(NotStarted::Draining { what: object }),
        };
        self.end(failure);
    }
}

/// Writes the reply of a call that ends with a fault of ours, in postcard.
pub(crate) fn write_fault(fault: &Fault, seq: u16, out: &mut Vec<u8>) {
    let id = SerializerId::POSTCARD;
    let writer = FrameWriter::begin(out, MessageType::Result, id, Flags::EXCEPTION, seq, CorrelationId::NONE);
    match fault.encode(id, out) {
        // A few bytes are never too many.
        Ok(()) => drop(writer.finish(out, u32::MAX)),
        Err(_) => writer.abandon(out),
    }
}

impl WireReply {
    fn method(&self) -> &'static str {
        self.sink.method(self.method)
    }

    fn send<R: serde::Serialize + 'static, E: RemoteError>(&self, outcome: Result<R, E>, facts: Option<&Facts>) {
        if self.oneway {
            return self.told(if outcome.is_ok() { OnewayEnd::Executed } else { OnewayEnd::Failed });
        }
        match outcome {
            Ok(value) => match blob::shared(value) {
                Ok(bytes) => self.value(&Whole(bytes), facts),
                Err(value) => self.value(&Whole(value), facts),
            },
            Err(error) => {
                let fault = outcome::raised(&error, self.serializer, self.sink.object(), self.method());
                self.fault(&fault, facts);
            }
        }
    }

    fn value<R: serde::Serialize>(&self, value: &R, facts: Option<&Facts>) {
        self.write(facts, |this, out, limit| {
            this.frame(facts, out, limit, Flags::default(), |out| {
                codec::encode(this.serializer, value, out).map_err(|e| e.to_string())
            })
        });
    }

    /// Replies with a stream, and begins it.
    fn open<M: RemoteMessage>(&self, output: M::Output, facts: Option<&Facts>) {
        let source = match M::outcome(output).map(M::into_items) {
            Ok(Ok(source)) if !self.oneway => source,
            Ok(Ok(_)) => return self.told(OnewayEnd::Executed),
            Ok(Err(value)) => return self.send::<_, M::Error>(Ok(value), facts),
            Err(error) => return self.send::<M::Reply, _>(Err(error), facts),
        };
        match self.sink.open_stream(self.method, self.serializer) {
            Ok(sink) => {
                let producer = Producer::new(source, Arc::clone(&sink), self.serializer);
                self.write(facts, |this, out, limit| {
                    this.frame(facts, out, limit, Flags::ITEM_STREAM, |out| {
                        codec::encode(this.serializer, &sink.stream(), out).map_err(|e| e.to_string())
                    })
                });
                producer.spawn();
            }
            Err(problem) => {
                let fault = unwritable((self.sink.object(), self.method()), &problem);
                self.fault(&fault, facts);
            }
        }
    }

    fn fail(&self, failure: &Failure, facts: Option<&Facts>) {
        if self.oneway {
            return self.told(failure.into());
        }
        let fault = failure.to_fault(self.serializer, self.sink.object(), self.method());
        self.fault(&fault, facts);
    }

    /// A oneway has ended, which is only counted.
    fn told(&self, end: OnewayEnd) {
        if self.seq != 0 {
            self.sink.ended(self.seq, end);
        }
        self.sink.answer(self.seq, self.size, &mut |_, _| {});
    }

    fn fault(&self, fault: &Fault, facts: Option<&Facts>) {
        self.write(facts, |this, out, limit| {
            this.frame(facts, out, limit, Flags::EXCEPTION, |out| {
                fault.encode(this.serializer, out).map_err(|e| e.to_string())
            })
        });
    }

    /// Writes a reply; what cannot be written, or panics when it is asked to write itself, becomes a fault that says so, which always can.
    fn write(&self, facts: Option<&Facts>, mut frame: impl FnMut(&WireReply, &mut Vec<u8>, u32) -> Result<(), String>) {
        self.sink.answer(self.seq, self.size, &mut |out, limit| {
            let start = out.len();
            let fault = match panic::guard(|| frame(self, out, limit)) {
                Ok(Ok(())) => return,
                Ok(Err(problem)) => unwritable((self.sink.object(), self.method()), &problem),
                Err(report) => outcome::panicked(report, self.sink.object(), self.method()),
            };
            apart::truncate(out, start);
            let _ = self.frame(facts, out, limit, Flags::EXCEPTION, |out| {
                fault.encode(self.serializer, out).map_err(|e| e.to_string())
            });
        });
    }

    fn frame(
        &self,
        facts: Option<&Facts>,
        out: &mut Vec<u8>,
        limit: u32,
        flags: Flags,
        payload: impl FnOnce(&mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut writer =
            FrameWriter::begin(out, MessageType::Result, self.serializer, flags, self.seq, self.correlation);
        if let Some(facts) = facts {
            facts.write_reply(&mut writer, out);
        }
        match payload(out) {
            Ok(()) => writer.finish(out, limit).map_err(|e| e.to_string()),
            Err(problem) => {
                writer.abandon(out);
                Err(problem)
            }
        }
    }
}
