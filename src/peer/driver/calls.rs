//! Calls of the peer: judged, and handed to their objects.

use std::sync::Arc;

use tokio::time::Instant;

use crate::codec::call::NamedCall;
use crate::object::interface::MethodFlags;
use crate::object::invocation::{Body, Invocation, nearest};
use crate::object::outcome::{Failure, NotStarted};
use crate::object::reply::{Reply, ReplySink, WireReply};
use crate::peer::connection::Shared;
use crate::peer::driver::Driver;
use crate::peer::driver::beside::Sink;
use crate::peer::export::Export;
use crate::peer::items;
use crate::peer::passages::is_passage;
use crate::uri::ObjectId;
use crate::wire::{Features, Flags, Frame, Header, Payload, SerializerId};

impl Driver {
    // Always inlined where frames are taken: a call is put together in registers, and moved once. What is rare is a call away.
    #[inline(always)]
    pub(super) fn invoke(&mut self, frame: Frame, now: Instant) {
        let Frame { header, annotations, payload } = frame;
        let oneway = header.flags.contains(Flags::ONEWAY);
        self.admitted += 1;
        self.admitted_bytes += header.claimed();
        if self.cancelled > 0 && !oneway {
            self.shared.given_up.remove(header.seq);
        }
        let plain = annotations.is_empty() && !header.flags.contains(Flags::ITEM_STREAM);
        let (mut beside, payload) = if plain { (None, payload) } else { self.beside(header, &annotations, payload) };
        if !self.is_welcome()
            && let Some(why) = self.unwelcome()
        {
            return refuse(Arc::clone(&self.root) as Arc<dyn ReplySink>, header, 0, why);
        }
        if let Some(beside) = &mut beside
            && let Some(why) = beside.problem.take()
        {
            return refuse(Arc::clone(&self.root) as Arc<dyn ReplySink>, header, 0, why);
        }
        // What most calls are stays in registers; a result would go through memory.
        let (handle, method, body) = match open_plain(header.serializer, &payload) {
            Some((handle, method, at)) => (handle, method, Body::Encoded(payload.skip(at))),
            None => match self.open_call(header.serializer, payload) {
                Ok((handle, method, body)) => (handle, method, body),
                Err(why) => return refuse(Arc::clone(&self.root) as Arc<dyn ReplySink>, header, 0, why),
            },
        };
        let Some(export) = self.exports.at(handle) else {
            if is_passage(handle) {
                let annotations = beside.map(|beside| beside.annotations).unwrap_or_default();
                return self.pass_on(header, handle, method, body, &annotations);
            }
            let why = NotStarted::NoSuchObject { object: format!("handle {handle}") };
            return refuse(Arc::clone(&self.root) as Arc<dyn ReplySink>, header, 0, why);
        };
        if oneway && header.seq != 0 && self.shared.features.contains(Features::FLUSH) {
            export.lane.told(header.seq);
        }
        let Some((name, flags)) = export.methods.get(method as usize).map(|method| (method.name, method.flags)) else {
            return refuse(Arc::clone(&export.lane) as Arc<dyn ReplySink>, header, method, no_method(export, method));
        };
        if flags.contains(MethodFlags::STREAM)
            && let Some(why) = no_stream(&self.shared, name)
        {
            return refuse(Arc::clone(&export.lane) as Arc<dyn ReplySink>, header, method, why);
        }
        let lane = Arc::clone(&export.lane) as Arc<dyn ReplySink>;
        let sink = match &beside {
            None => lane,
            Some(beside) => match beside.sink(export, self.session.as_ref(), header, (name, flags)) {
                Ok(Sink::Lane) => lane,
                Ok(Sink::Session(session)) => session,
                Ok(Sink::Joined) => return,
                Err(why) => return refuse(lane, header, method, why),
            },
        };
        if let Err(why) = export.admit(1) {
            return refuse(sink, header, method, why);
        }
        if self.shared.verbose {
            slog::debug!(self.shared.log, "call"; "object" => &**export.object.label(), "method" => name,
                "peer" => &self.shared.caller.address, "correlation" => %header.correlation);
        }
        let (body, left, facts) = match beside {
            None => (body, self.default_deadline, None),
            Some(beside) => (*beside).take(&self.shared, body, header.serializer, self.default_deadline),
        };
        let deadline = now + left;
        self.expiry.add(deadline);
        let invocation = Invocation::new(method, body, deadline, Reply::wire(reply_to(sink, header, method), facts));
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
    #[inline(never)]
    pub(super) fn open_call(
        &mut self,
        serializer: SerializerId,
        payload: Payload,
    ) -> Result<(usize, u32, Body), NotStarted> {
        if serializer != SerializerId::POSTCARD {
            return self.open_named(serializer, &payload);
        }
        match indexes(&payload) {
            Some((handle, method, at)) => Ok((handle, method, Body::Encoded(payload.skip(at)))),
            None => Err(NotStarted::NoSuchMethod { object: String::new(), method: String::new(), nearest: None }),
        }
    }

    fn open_named(&mut self, serializer: SerializerId, payload: &[u8]) -> Result<(usize, u32, Body), NotStarted> {
        let call = NamedCall::decode(serializer, payload, &self.shared.budget()).map_err(|problem| {
            NotStarted::WrongArguments {
                object: String::new(),
                method: String::new(),
                problem: format!("the call cannot be decoded: {problem}"),
                signature: "(object, method, arguments, named arguments)".to_owned(),
                caller: None,
            }
        })?;
        if ObjectId::relayed(&call.object).is_some() {
            return self.open_passage(call);
        }
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

    /// Whether the call that was just counted can be taken, as far as is known without counting the answers.
    #[inline(always)]
    fn is_welcome(&self) -> bool {
        !self.leaving && self.admitted <= self.admissible && self.admitted_bytes <= self.admissible_bytes
    }

    /// Why the call that was just counted cannot be taken.
    pub(super) fn unwelcome(&mut self) -> Option<NotStarted> {
        if self.leaving { Some(self.refuse_new()) } else { self.over_limit() }
    }

    /// Why no call is taken any more.
    pub(super) fn refuse_new(&self) -> NotStarted {
        // Counted before it is answered, or an earlier call that still runs could be taken for the one that was.
        self.shared.lock().admitted = self.admitted;
        NotStarted::Draining { what: "the daemon".to_owned() }
    }

    /// Why no further call of the peer can be taken now. The answers are counted under the lock, so they are looked up only when those
    /// known of are not enough.
    #[cold]
    pub(super) fn over_limit(&mut self) -> Option<NotStarted> {
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

/// Its bytes are no more than a message may have.
#[inline(always)]
fn reply_to(sink: Arc<dyn ReplySink>, header: Header, method: u32) -> WireReply {
    WireReply {
        sink,
        seq: header.seq,
        serializer: header.serializer,
        correlation: header.correlation,
        oneway: header.flags.contains(Flags::ONEWAY),
        size: header.claimed() as u32,
        method,
    }
}

/// Answers a call that is not taken.
#[cold]
#[inline(never)]
fn refuse(sink: Arc<dyn ReplySink>, header: Header, method: u32, why: NotStarted) {
    Reply::wire(reply_to(sink, header, method), None).fail(Failure::NotStarted(why));
}

/// Handle, method and where the message begins, of a call that has numbers for them, all in its first piece: a large one is not put together
/// for that.
#[inline(always)]
fn open_plain(serializer: SerializerId, payload: &Payload) -> Option<(usize, u32, usize)> {
    if serializer == SerializerId::POSTCARD { indexes(payload.beginning()) } else { None }
}

/// Handle, method and where the message begins.
#[inline(always)]
fn indexes(bytes: &[u8]) -> Option<(usize, u32, usize)> {
    let (handle, rest) = postcard::take_from_bytes::<u32>(bytes).ok()?;
    let (method, rest) = postcard::take_from_bytes::<u32>(rest).ok()?;
    Some((handle as usize, method, bytes.len() - rest.len()))
}

#[cold]
fn no_method(export: &Export, method: u32) -> NotStarted {
    let object = export.object.label().to_string();
    NotStarted::NoSuchMethod { object, method: format!("number {method}"), nearest: None }
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
