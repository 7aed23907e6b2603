//! Calls of the peer: judged, and handed to their objects.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::codec::call::NamedCall;
use crate::object::facts::Facts;
use crate::object::interface::MethodFlags;
use crate::object::invocation::{Body, Invocation, nearest};
use crate::object::outcome::{Failure, NotStarted};
use crate::object::reply::{Reply, ReplySink, WireReply};
use crate::peer::connection::Shared;
use crate::peer::driver::{Driver, inlets, once};
use crate::peer::items;
use crate::peer::lane::Lane;
use crate::peer::session::Waiter;
use crate::wire::{AnnotationId, Features, Flags, Frame, Payload, SerializerId};

impl Driver {
    // Always inlined where frames are taken: a call is put together in registers, and moved once.
    #[inline(always)]
    pub(super) fn invoke(&mut self, frame: Frame, now: Instant) {
        let Frame { header, annotations, mut payload } = frame;
        let oneway = header.flags.contains(Flags::ONEWAY);
        // Together they are not more than a message may have.
        let size = header.payload_len + header.annotations_len;
        self.admitted += 1;
        self.admitted_bytes += u64::from(size);
        if self.cancelled > 0 && !oneway {
            self.shared.given_up.remove(header.seq);
        }
        let (mut unwelcome, mut streams) = (self.unwelcome(), None);
        let facts = if annotations.is_empty() { None } else { Facts::received(&annotations) };
        if header.flags.contains(Flags::ITEM_STREAM) && self.shared.features.contains(Features::INLETS) {
            match inlets::announced(&self.shared, payload.clone()) {
                Ok((announced, rest)) => (streams, payload) = (Some(announced), rest),
                Err(why) => unwelcome = unwelcome.or(Some(why)),
            }
        }
        let reply_to = |sink: Arc<dyn ReplySink>, method: u32| {
            let wire = WireReply {
                sink,
                seq: header.seq,
                serializer: header.serializer,
                correlation: header.correlation,
                oneway,
                size,
                method,
            };
            Reply::wire(wire, facts.clone())
        };
        let reply = |lane: &Arc<Lane>, method: u32| reply_to(Arc::clone(lane) as Arc<dyn ReplySink>, method);
        let refuse = |reply: Reply, why: NotStarted| reply.fail(Failure::NotStarted(why));
        if let Some(why) = unwelcome {
            return refuse(reply(&self.root, 0), why);
        }
        let (handle, method, body) = match self.open_call(header.serializer, payload) {
            Ok(call) => call,
            Err(why) => return refuse(reply(&self.root, 0), why),
        };
        let Some(export) = self.exports.at(handle) else {
            return refuse(reply(&self.root, 0), NotStarted::NoSuchObject { object: format!("handle {handle}") });
        };
        let Some((name, flags)) = export.methods.get(method as usize).map(|method| (method.name, method.flags)) else {
            let object = export.object.label().to_string();
            let why = NotStarted::NoSuchMethod { object, method: format!("number {method}"), nearest: None };
            return refuse(reply(&export.lane, method), why);
        };
        if flags.contains(MethodFlags::STREAM)
            && let Some(why) = no_stream(&self.shared, name)
        {
            return refuse(reply(&export.lane, method), why);
        }
        if let Some(facts) = &facts
            && !oneway
            && let Some(why) = facts.deadlock(&*export.object)
        {
            return refuse(reply(&export.lane, method), why);
        }
        let mut sink = Arc::clone(&export.lane) as Arc<dyn ReplySink>;
        if !annotations.is_empty()
            && let Some(key) = annotations.find(AnnotationId::ONCE)
        {
            let waiter = Waiter { lane: Arc::clone(&export.lane), seq: header.seq, size };
            match once::admit(self.session.as_ref(), key, (name, flags), waiter, oneway) {
                Ok(Some(session)) => sink = session,
                Ok(None) => return,
                Err(why) => return refuse(reply(&export.lane, method), why),
            }
        }
        if let Err(why) = export.admit(1) {
            return refuse(reply_to(sink, method), why);
        }
        let left = annotations.deadline_ms().map_or(self.default_deadline, |ms| Duration::from_millis(ms.into()));
        if self.shared.verbose {
            slog::debug!(self.shared.log, "call"; "object" => &**export.object.label(), "method" => name,
                "peer" => &self.shared.caller.address, "correlation" => %header.correlation);
        }
        let body = match streams {
            None => body,
            Some(streams) => inlets::open(&self.shared, body, streams, header.serializer),
        };
        let deadline = now + left;
        self.expiry.add(deadline);
        let invocation = Invocation::new(method, body, deadline, reply_to(sink, method));
        if handle != self.arrived_for {
            self.deliver();
            self.arrived_for = handle;
        }
        self.arrived.push_back(invocation);
    }

    /// Hands the calls that have arrived to their object.
    pub(super) fn deliver(&mut self) {
        if let Some(export) = self.exports.at(self.arrived_for) {
            export.object.submit_all(&mut self.arrived);
        }
    }

    /// Finds out which object, which method and what arguments a call names.
    pub(super) fn open_call(
        &mut self,
        serializer: SerializerId,
        payload: Payload,
    ) -> Result<(usize, u32, Body), NotStarted> {
        if serializer == SerializerId::POSTCARD {
            let (handle, method, at) = indexes(&payload).ok_or_else(|| NotStarted::NoSuchMethod {
                object: String::new(),
                method: String::new(),
                nearest: None,
            })?;
            return Ok((handle, method, Body::Encoded(payload.skip(at))));
        }
        let call = NamedCall::decode(serializer, &payload, &self.shared.budget()).map_err(|problem| {
            NotStarted::WrongArguments {
                object: String::new(),
                method: String::new(),
                problem: format!("the call cannot be decoded: {problem}"),
                signature: "(object, method, arguments, named arguments)".to_owned(),
                caller: None,
            }
        })?;
        let handle = self.exports.bind(&crate::wire::Target::Id(call.object.clone()), &self.shared)?;
        let methods = self.exports.at(handle).map_or(&[][..], |export| export.methods);
        let method =
            methods.iter().position(|method| method.name == call.method).ok_or_else(|| NotStarted::NoSuchMethod {
                object: call.object.clone(),
                nearest: nearest(&call.method, methods.iter().map(|method| method.name)),
                method: call.method.clone(),
            })?;
        Ok((handle, method as u32, Body::Arguments(Box::new(call.args))))
    }

    /// Why the call that was just counted cannot be taken.
    #[inline]
    pub(super) fn unwelcome(&mut self) -> Option<NotStarted> {
        if self.leaving { Some(self.refuse_new()) } else { self.over_limit() }
    }

    /// Why no call is taken any more.
    pub(super) fn refuse_new(&self) -> NotStarted {
        // Counted before it is answered, or an earlier call that still runs could be taken for the one that was.
        self.shared.lock().admitted = self.admitted;
        NotStarted::Draining { what: "the daemon".to_owned() }
    }

    /// Why no further call of the peer can be taken now.
    #[inline]
    pub(super) fn over_limit(&mut self) -> Option<NotStarted> {
        // Answers are counted under the lock, so they are looked up only when those known of are not enough.
        let enough = self.admitted <= self.admissible && self.admitted_bytes <= self.admissible_bytes;
        if enough { None } else { self.over_limit_now() }
    }

    #[cold]
    fn over_limit_now(&mut self) -> Option<NotStarted> {
        let limits = &self.shared.limits;
        let state = self.shared.lock();
        self.admissible = state.answered + u64::from(limits.in_flight);
        self.admissible_bytes = state.answered_bytes + u64::from(limits.in_flight_bytes);
        drop(state);
        let what = if self.admitted > self.admissible {
            "the table of calls in flight on this connection"
        } else if self.admitted_bytes > self.admissible_bytes {
            "the budget of bytes in flight on this connection"
        } else {
            return None;
        };
        Some(NotStarted::Busy { what: what.to_owned(), retry_after_ms: 10 })
    }
}

/// Handle, method and where the message begins.
fn indexes(payload: &[u8]) -> Option<(usize, u32, usize)> {
    let (handle, rest) = postcard::take_from_bytes::<u32>(payload).ok()?;
    let (method, rest) = postcard::take_from_bytes::<u32>(rest).ok()?;
    Some((handle as usize, method, payload.len() - rest.len()))
}

/// Why a method that replies with a stream cannot be called now.
#[cold]
fn no_stream(shared: &Shared, method: &'static str) -> Option<NotStarted> {
    if !shared.features.contains(Features::STREAMS) {
        let problem = "it replies with a stream of items, which this connection does not speak".to_owned();
        return Some(NotStarted::Unsupported { method: method.to_owned(), problem });
    }
    let open = shared.lock().streams.outgoing.len();
    let full = open >= usize::from(shared.limits.streams);
    full.then(|| NotStarted::Busy { what: items::full(shared), retry_after_ms: 1_000 })
}
