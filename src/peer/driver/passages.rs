//! Calls of the peer for objects behind other connections: passed on as they are, and their replies passed back.
//!
//! A message is not decoded on its way, so both ends need only agree with each other about it. What needs more than one call and one reply
//! (batches, streams) is refused. A call that is to run once is passed on once, and its reply kept here.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use crate::codec::call::NamedCall;
use crate::object::interface::MethodFlags;
use crate::object::invocation::{Body, nearest};
use crate::object::outcome::{Failure, NotStarted, Unknown, unwritable};
use crate::object::reply::{Reply, ReplySink, WireReply};
use crate::peer::connection::Connection;
use crate::peer::control;
use crate::peer::driver::{Driver, once};
use crate::peer::handshake;
use crate::peer::hold::Hold;
use crate::peer::in_flight::{Answer, Ending};
use crate::peer::lane::Lane;
use crate::peer::passages::Passage;
use crate::peer::session::Waiter;
use crate::wire::varint::write_varint;
use crate::wire::{
    AnnotationId, Annotations, Bind, Flags, Frame, FrameWriter, Header, MessageType, Release, SerializerId, Target,
};

/// How much longer a call is waited for than it has time, milliseconds: its own end says how it ended.
const GRACE_MS: u32 = 1_000;
/// The time that opening an object has, milliseconds.
const BIND_MS: u32 = 5_000;

impl Driver {
    /// Opens an object behind another connection; `false` if it is not one.
    pub(super) fn bind_passage(&mut self, frame: &Frame) -> bool {
        let Ok(Bind { target: Target::Id(id) }) = Bind::decode(&frame.payload) else { return false };
        let Some(found) = self.relays.as_ref().and_then(|relays| relays.find(&id)) else { return false };
        let found = found.map(|(connection, own)| (connection, Target::Id(own.to_owned())));
        let (shared, passages, header) = (Arc::clone(&self.shared), Arc::clone(&self.passages), frame.header);
        tokio::spawn(async move {
            let opened = match found {
                Ok((connection, target)) => handshake::bind(&connection, &target, BIND_MS).await.map(|table| {
                    let _hold = Some(Arc::new(Hold::new(connection.clone(), table.handle)));
                    Passage { connection, id, table, _hold }
                }),
                Err(why) => Err(why),
            };
            let bound = opened.and_then(|passage| lock(&passages).open(passage));
            let limit = shared.peer_limits.max_message;
            shared.append(|out| {
                control::answer(out, MessageType::Bound, header.seq, limit, bound, |table, out| table.encode(out));
            });
        });
        true
    }

    /// The peer needs such an object no more.
    #[cold]
    pub(super) fn release_passage(&self, release: Release) {
        // Without the lock: letting go takes that of the other connection.
        let gone = lock(&self.passages).release(release);
        drop(gone);
    }

    /// The handle and the method that a call by name is for.
    ///
    /// # Errors
    /// The peer has not opened the object, or it has no such method.
    #[cold]
    pub(super) fn open_passage(&self, call: NamedCall) -> Result<(usize, u32, Body), NotStarted> {
        let passages = lock(&self.passages);
        let found = passages.of(&call.object).and_then(|handle| Some((handle, passages.at(handle)?)));
        let Some((handle, passage)) = found else {
            return Err(NotStarted::StaleReference { object: call.object });
        };
        let methods = &passage.table.methods;
        match methods.iter().position(|method| method.name == call.method) {
            Some(method) => Ok((handle, method as u32, Body::Arguments(Box::new(call.args)))),
            None => Err(NotStarted::NoSuchMethod {
                nearest: nearest(&call.method, methods.iter().map(|method| method.name.as_str())),
                object: call.object,
                method: call.method,
            }),
        }
    }

    /// Passes a call on that was just counted.
    #[cold]
    #[inline(never)]
    pub(super) fn pass_on(&self, header: Header, handle: usize, method: u32, body: Body, annotations: &Annotations) {
        let passage = lock(&self.passages).at(handle).cloned();
        let label = passage.as_ref().map_or_else(|| format!("handle {handle}"), |passage| passage.id.clone());
        let lane = Arc::new(Lane::new(Arc::clone(&self.shared), Arc::from(label.as_str()), &[]));
        let mut reply = WireReply {
            sink: Arc::clone(&lane) as Arc<dyn ReplySink>,
            seq: header.seq,
            serializer: header.serializer,
            correlation: header.correlation,
            oneway: header.flags.contains(Flags::ONEWAY),
            size: header.claimed() as u32,
            method: 0,
        };
        let refuse = |reply, why| Reply::wire(reply, None).fail(Failure::NotStarted(why));
        let Some(passage) = passage else { return refuse(reply, NotStarted::NoSuchObject { object: label }) };
        let (name, known) = match judge(&passage, header, method) {
            Ok((name, known)) => (name.to_owned(), known),
            Err(why) => return refuse(reply, why),
        };
        if let Some(key) = annotations.find(AnnotationId::ONCE) {
            // It is passed on once; its reply is kept here, for whoever comes back for it.
            let waiter = Waiter { lane, seq: reply.seq, size: reply.size };
            match once::admit(self.session.as_ref(), key, (&name, known), waiter, reply.oneway) {
                Ok(Some(sink)) => reply.sink = sink,
                Ok(None) => return,
                Err(why) => return refuse(reply, why),
            }
        }
        let default = u32::try_from(self.default_deadline.as_millis()).unwrap_or(u32::MAX);
        let left_ms = annotations.deadline_ms().unwrap_or(default);
        let limit = passage.connection.max_message();
        let there = passage.table.handle;
        let flags = if reply.oneway { Flags::ONEWAY } else { Flags::default() };
        let write = |out: &mut Vec<u8>, seq: u16| {
            let mut frame =
                FrameWriter::begin(out, MessageType::Invoke, header.serializer, flags, seq, header.correlation);
            frame.annotate(out, AnnotationId::DEADLINE, &left_ms.to_be_bytes());
            let own = [AnnotationId::DEADLINE, AnnotationId::ONCE];
            for (id, value) in annotations.iter().filter(|(id, _)| !own.contains(id)) {
                frame.annotate(out, id, value);
            }
            match write_call(&passage, header.serializer, method, body, out) {
                Ok(()) => frame.finish(out, limit).map_err(|error| error.to_string()),
                Err(problem) => {
                    frame.abandon(out);
                    Err(problem)
                }
            }
        };
        if reply.oneway {
            if let Err(error) = passage.connection.send(there, 0, write) {
                slog::warn!(self.shared.log, "oneway lost"; "object" => &label, "why" => %error);
            }
            return reply.sink.answer(reply.seq, reply.size, &mut |_, _| {});
        }
        let patience = left_ms.saturating_add(GRACE_MS);
        // Started here, so that calls are passed on in the order in which they came.
        let started = passage.connection.start(there, patience, std::task::Waker::noop(), write);
        match started {
            Ok(seq) => {
                reply.sink.started(reply.seq);
                drop(tokio::spawn(pass_back(passage.connection, seq, (label, name), left_ms, reply)));
            }
            Err(error) => refuse(reply, error.not_started(label)),
        }
    }
}

/// The name of the method, and what is known of it.
///
/// # Errors
/// The call cannot be passed on.
fn judge(passage: &Passage<Connection>, header: Header, method: u32) -> Result<(&str, MethodFlags), NotStarted> {
    let Some((name, known)) = passage.method(method) else {
        let (object, method) = (passage.id.clone(), format!("number {method}"));
        return Err(NotStarted::NoSuchMethod { object, method, nearest: None });
    };
    if known.contains(MethodFlags::STREAM) || header.flags.contains(Flags::ITEM_STREAM) {
        let problem = "streams are not passed on to an object behind another connection; let its daemon listen, and call it there";
        return Err(NotStarted::Unsupported { method: name.to_owned(), problem: problem.to_owned() });
    }
    Ok((name, known))
}

/// The call as the object's own end knows it.
fn write_call(
    passage: &Passage<Connection>,
    serializer: SerializerId,
    method: u32,
    body: Body,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    match body {
        Body::Encoded(message) => {
            write_varint(passage.table.handle.into(), out);
            write_varint(method.into(), out);
            out.extend_from_slice(&message);
            Ok(())
        }
        Body::Arguments(args) => {
            let name = passage.method(method).map_or_else(String::new, |(name, _)| name.to_owned());
            let call = NamedCall { object: passage.table.object.clone(), method: name, args: *args };
            call.encode(serializer, out).map_err(|error| error.to_string())
        }
        Body::Local | Body::Streamed(_) => Err("it cannot be passed on".to_owned()),
    }
}

/// Waits for the end of a call, and answers it; or gives it up, when its caller has.
async fn pass_back(
    connection: Connection,
    seq: u16,
    (label, method): (String, String),
    left_ms: u32,
    reply: WireReply,
) {
    let ending = poll_fn(|cx| {
        if let Some((ending, _)) = connection.poll(seq, cx.waker()) {
            return Poll::Ready(Some(ending));
        }
        // Looked at only after it is known whom to wake: it may be given up in between.
        reply.sink.watch(reply.seq, cx.waker());
        if reply.sink.is_given_up(reply.seq) { Poll::Ready(None) } else { Poll::Pending }
    })
    .await;
    reply.sink.unwatch(reply.seq);
    let why = match ending {
        Some(Ending::Reply(answer)) => return answer_with(&answer, label, reply),
        Some(Ending::OutOfTime { sent: false }) => Failure::NotStarted(NotStarted::unsent_in_time(&method)),
        Some(Ending::OutOfTime { sent: true }) => Failure::Unknown(Unknown::OutOfTime { method, timeout_ms: left_ms }),
        Some(Ending::Lost { written: true }) => Failure::Unknown(Unknown::Aborted { object: label }),
        Some(Ending::Lost { written: false }) => {
            Failure::NotStarted(NotStarted::Unreachable { uri: label, problem: connection.problem() })
        }
        None => {
            connection.abandon(seq);
            Failure::Unknown(Unknown::Aborted { object: label })
        }
    };
    Reply::wire(reply, None).fail(why);
}

/// Passes a reply back as it is.
fn answer_with(answer: &Answer, label: String, reply: WireReply) {
    if answer.flags.contains(Flags::ITEM_STREAM) {
        // Its streams are known before it is called, so this is no honest peer.
        return Reply::wire(reply, None).fail(Failure::Unknown(Unknown::Aborted { object: label }));
    }
    let mut too_large = None;
    reply.sink.answer(reply.seq, reply.size, &mut |out, limit| {
        let flags = if answer.flags.contains(Flags::EXCEPTION) { Flags::EXCEPTION } else { Flags::default() };
        let begin = |out: &mut Vec<u8>, flags| {
            FrameWriter::begin(out, MessageType::Result, answer.serializer, flags, reply.seq, reply.correlation)
        };
        let mut frame = begin(out, flags);
        for (id, value) in answer.annotations.iter().flat_map(|annotations| annotations.iter()) {
            frame.annotate(out, id, value);
        }
        out.extend_from_slice(&answer.payload);
        too_large = frame.finish(out, limit).err();
        if let Some(problem) = &too_large {
            let frame = begin(out, Flags::EXCEPTION);
            match unwritable((&label, ""), &problem.to_string()).encode(answer.serializer, out) {
                Ok(()) => drop(frame.finish(out, limit)),
                Err(_) => frame.abandon(out),
            }
        }
    });
}

fn lock<T>(passages: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    passages.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
