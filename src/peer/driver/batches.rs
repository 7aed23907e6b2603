//! Batches of the peer: taken apart, and handed to their object as calls that follow one another.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::codec::call::NamedCall;
use crate::object::facts::Facts;
use crate::object::interface::MethodFlags;
use crate::object::invocation::{Body, Invocation, nearest};
use crate::object::outcome::{Failure, NotStarted};
use crate::object::reply::{Reply, ReplySink, WireReply};
use crate::peer::batch::{BatchLane, BatchTerms};
use crate::peer::driver::Driver;
use crate::peer::export::Export;
use crate::peer::passages::is_passage;
use crate::wire::{BatchHead, BatchedCall, Flags, Frame, PayloadError, SerializerId};

impl Driver {
    /// A batch is taken as a whole or not at all; what is wrong with one of its calls is the outcome of that call.
    pub(super) fn batch(&mut self, frame: &Frame) {
        let header = frame.header;
        let oneway = header.flags.contains(Flags::ONEWAY);
        let size = header.payload_len;
        let parts = parts(&frame.payload);
        let calls = parts.as_ref().map_or(1, |(_, calls)| u64::from(*calls));
        self.admitted += calls;
        self.admitted_bytes += u64::from(size);
        if self.cancelled > 0 && !oneway {
            self.shared.given_up.remove(header.seq);
        }
        let facts = if frame.annotations.is_empty() { None } else { Facts::received(&frame.annotations) };
        let taken = parts.map_err(|problem| unreadable(&problem)).and_then(|(head, calls)| {
            let calls = self.welcome(calls)?;
            let handle = head.handle as usize;
            let missing = || match is_passage(handle) {
                true => NotStarted::Unsupported {
                    method: "a batch".to_owned(),
                    problem: "batches are not passed on to an object behind another connection; call it one by one"
                        .to_owned(),
                },
                false => NotStarted::NoSuchObject { object: format!("handle {handle}") },
            };
            let export = self.exports.at(handle).ok_or_else(missing)?;
            if !oneway
                && let Some(why) = facts.as_ref().and_then(|facts| facts.deadlock(&*export.object, MethodFlags::NONE))
            {
                return Err(why);
            }
            export.admit(calls.into())?;
            Ok((head, calls))
        });
        let (head, calls) = match taken {
            Ok(taken) => taken,
            Err(why) => {
                // It is answered as one call.
                self.admitted -= calls - 1;
                let reply = WireReply {
                    sink: Arc::clone(&self.root) as Arc<dyn ReplySink>,
                    seq: header.seq,
                    serializer: SerializerId::POSTCARD,
                    correlation: header.correlation,
                    oneway,
                    size,
                    method: 0,
                };
                return Reply::wire(reply, None).fail(Failure::NotStarted(why));
            }
        };
        let handle = head.handle as usize;
        if handle != self.arrived_for {
            self.deliver();
            self.arrived_for = handle;
        }
        let Some(export) = self.exports.at(handle) else { return };
        let terms = BatchTerms {
            seq: header.seq,
            correlation: header.correlation,
            oneway,
            stop_at_fault: head.stop_at_fault,
            calls,
            size,
        };
        let lane = BatchLane::new(Arc::clone(&self.shared), Arc::clone(&export.lane), terms);
        let sink: Arc<dyn ReplySink> = Arc::new(lane);
        let left = frame.annotations.deadline_ms().map_or(self.default_deadline, |ms| Duration::from_millis(ms.into()));
        let deadline = Instant::now() + left;
        self.expiry.add(deadline);
        if self.shared.verbose {
            slog::debug!(self.shared.log, "batch"; "object" => &**export.object.label(), "calls" => calls,
                "peer" => &self.shared.caller.address, "correlation" => %header.correlation);
        }
        let Ok((_, mut rest)) = BatchHead::decode(&frame.payload) else { return };
        for at in 0..calls {
            let Ok(call) = BatchedCall::take(&mut rest) else { return };
            let named = call.method.is_none();
            let opened = match call.method {
                Some(method) => Ok((method, Body::Encoded(frame.payload.slice_ref(call.bytes)))),
                None => by_name(export, call.bytes),
            };
            let opened = opened.and_then(|(method, body)| callable(export, method).map(|()| (method, body)));
            let wire = WireReply {
                sink: Arc::clone(&sink),
                seq: at,
                serializer: if named { SerializerId::MESSAGE_PACK } else { SerializerId::POSTCARD },
                correlation: header.correlation,
                // One that stops at a fault has to know of it, whoever else does.
                oneway: oneway && !head.stop_at_fault,
                size: 0,
                method: opened.as_ref().map_or(0, |(method, _)| *method),
            };
            let reply = Reply::wire(wire, facts.clone());
            match opened {
                Ok((method, body)) => self.arrived.push_back(Invocation::new(method, body, deadline, reply)),
                Err(why) => {
                    sink.withdrawn();
                    reply.fail(Failure::NotStarted(why));
                }
            }
        }
    }

    /// Whether so many calls can be taken now; together they are no more than a frame may be, and a table may hold.
    fn welcome(&mut self, calls: u32) -> Result<u16, NotStarted> {
        if self.leaving {
            return Err(self.refuse_new());
        }
        let most = self.shared.limits.in_flight;
        let count =
            u16::try_from(calls).ok().filter(|calls| *calls <= most).ok_or_else(|| NotStarted::Unsupported {
                method: "a batch".to_owned(),
                problem: format!(
                    "it has {calls} calls, more than the {most} that a connection may have in flight here"
                ),
            })?;
        self.over_limit().map_or(Ok(count), Err)
    }
}

/// What a batch says of itself, and how many calls it has, all of them whole.
fn parts(payload: &[u8]) -> Result<(BatchHead, u32), PayloadError> {
    let (head, mut rest) = BatchHead::decode(payload)?;
    let mut calls = 0;
    while !rest.is_empty() {
        BatchedCall::take(&mut rest)?;
        calls += 1;
    }
    if calls == 0 {
        return Err(PayloadError { what: "BATCH", verb: "read", problem: "it has no calls".to_owned() });
    }
    Ok((head, calls))
}

/// The method that a call by name means, and its arguments. It may name no other object.
fn by_name(export: &Export, bytes: &[u8]) -> Result<(u32, Body), NotStarted> {
    let call = NamedCall::decode(SerializerId::MESSAGE_PACK, bytes, &export.lane.budget()).map_err(|problem| {
        NotStarted::WrongArguments {
            object: export.object.label().to_string(),
            method: String::new(),
            problem: format!("the call cannot be decoded: {problem}"),
            signature: "(object, method, arguments, named arguments)".to_owned(),
            caller: None,
        }
    })?;
    if *call.object != **export.object.id() {
        return Err(NotStarted::NoSuchObject { object: call.object });
    }
    let method = export.methods.iter().position(|method| method.name == call.method);
    let method = method.ok_or_else(|| NotStarted::NoSuchMethod {
        object: export.object.label().to_string(),
        nearest: nearest(&call.method, export.methods.iter().map(|method| method.name)),
        method: call.method,
    })?;
    Ok((method as u32, Body::Arguments(Box::new(call.args))))
}

/// Whether the method at this place is there, and has one reply.
fn callable(export: &Export, method: u32) -> Result<(), NotStarted> {
    match export.methods.get(method as usize) {
        Some(method) if method.flags.contains(MethodFlags::STREAM) => Err(NotStarted::Unsupported {
            method: method.name.to_owned(),
            problem: "its reply is a stream of items, which has no place in a batch; call it by itself".to_owned(),
        }),
        Some(_) => Ok(()),
        None => Err(NotStarted::NoSuchMethod {
            object: export.object.label().to_string(),
            method: format!("number {method}"),
            nearest: None,
        }),
    }
}

#[cold]
fn unreadable(problem: &PayloadError) -> NotStarted {
    NotStarted::WrongArguments {
        object: String::new(),
        method: "a batch".to_owned(),
        problem: problem.to_string(),
        signature: "the calls of one object, each whole".to_owned(),
        caller: None,
    }
}
