//! The task of a connection: moves bytes, both ways.
//!
//! One write per wake-up carries every frame that waits, one read brings as many as the socket has; then the objects and callers those
//! are for get their turn before the next write. That is what makes many small calls cheap.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, MutexGuard, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, Sleep};

use crate::codec::call::NamedCall;
use crate::object::interface::MethodFlags;
use crate::object::invocation::{Body, Invocation, nearest};
use crate::object::local::LocalDaemon;
use crate::object::outcome::{Failure, NotStarted};
use crate::object::reply::{Reply, ReplySink, WireReply};
use crate::peer::connection::{Shared, State};
use crate::peer::export::Exports;
use crate::peer::items;
use crate::peer::lane::Lane;
use crate::peer::room::Room;
use crate::peer::stream::Breach;
use crate::transport::Stream;
use crate::wire::{Bind, Features, Flags, Frame, FrameWriter, GoAway, MessageType, SerializerId};

/// An outgoing buffer larger than this is given back when it has been written.
const KEEP_BUFFER: usize = 256 * 1024;
/// Replies to calls that were never made, before the peer is taken for broken.
const MAX_STRAY: u32 = 16;

/// The task of one connection. It ends when the connection does, and tells every caller.
pub(crate) struct Driver {
    stream: Stream,
    shared: Arc<Shared>,
    exports: Exports,
    /// Where answers go that belong to no object.
    root: Arc<Lane>,
    /// Received, and not yet a whole frame.
    input: BytesMut,
    room: Room,
    /// Calls of the peer for the object behind `arrived_for`, which it gets all at once.
    arrived: VecDeque<Invocation>,
    arrived_for: usize,
    /// On its way out, of which `sent` bytes are gone.
    output: Vec<u8>,
    sent: usize,
    /// Calls of the peer that were taken in, and their bytes.
    admitted: u64,
    admitted_bytes: u64,
    /// Time that a call of the peer has which says nothing.
    default_deadline: Duration,
    /// Since when half a frame has been waiting for its other half.
    partial_since: Option<Instant>,
    /// Since when the network has taken nothing.
    stalled_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    stray: u32,
    wakers: Vec<Waker>,
}

impl Driver {
    pub(crate) fn new(
        stream: Stream,
        shared: Arc<Shared>,
        input: BytesMut,
        default_deadline: Duration,
        daemon: Option<Weak<dyn LocalDaemon>>,
    ) -> Driver {
        let root = Arc::new(Lane::new(Arc::clone(&shared), Arc::from(""), &[]));
        Driver {
            stream,
            shared,
            exports: Exports::new(daemon),
            root,
            input,
            room: Room::default(),
            arrived: VecDeque::new(),
            arrived_for: 0,
            output: Vec::new(),
            sent: 0,
            admitted: 0,
            admitted_bytes: 0,
            default_deadline,
            partial_since: None,
            stalled_since: None,
            timer: None,
            stray: 0,
            wakers: Vec::new(),
        }
    }

    pub(crate) fn exports(&mut self) -> &mut Exports {
        &mut self.exports
    }

    /// Moves bytes until the connection ends.
    pub(crate) async fn run(mut self) {
        let problem = std::future::poll_fn(|cx| self.poll(cx)).await;
        slog::debug!(self.shared.log, "connection ended"; "peer" => &self.shared.caller.address, "why" => %problem);
        self.shared.close(&problem);
    }

    /// Ready when the connection has ended, with the reason.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        match self.step(cx) {
            Ok(()) => Poll::Pending,
            Err(problem) => Poll::Ready(problem),
        }
    }

    fn step(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        // Frames that came together with the handshake.
        if !self.input.is_empty() && self.partial_since.is_none() {
            self.take_frames()?;
        }
        loop {
            let backlog = self.write(cx)?;
            if backlog > self.shared.limits.out_buffer as usize {
                // Who does not read its replies is not read either.
                return self.sleep(cx);
            }
            if !self.read(cx)? {
                return self.sleep(cx);
            }
            // Whoever was read for runs first; then their frames leave together.
            let mut state = self.shared.lock();
            if state.out.is_empty() && self.output.len() == self.sent {
                state.task = Some(cx.waker().clone());
                drop(state);
                if self.read_ready(cx) {
                    cx.waker().wake_by_ref();
                }
                return self.sleep(cx);
            }
        }
    }

    /// Writes what waits; returns how many bytes still do. Afterwards the task is woken when there is more.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<usize> {
        loop {
            if self.sent == self.output.len() {
                self.output.clear();
                self.sent = 0;
                if self.output.capacity() > KEEP_BUFFER {
                    self.output = Vec::new();
                }
                let mut state = self.shared.lock();
                if state.out.is_empty() {
                    if state.released && state.in_flight.is_idle() {
                        return Err(io::Error::other("nobody uses it any more"));
                    }
                    if state.hang_up {
                        return Err(io::Error::other("this end has ended"));
                    }
                    if !state.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
                        state.task = Some(cx.waker().clone());
                    }
                    return Ok(0);
                }
                std::mem::swap(&mut self.output, &mut state.out);
                state.taken += self.output.len() as u64;
            }
            match Pin::new(&mut self.stream).poll_write(cx, &self.output[self.sent..]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => {
                    self.sent += n;
                    self.stalled_since = None;
                    self.shared.lock().written += n as u64;
                }
                Poll::Ready(Err(problem)) => return Err(problem),
                Poll::Pending => {
                    self.stalled_since.get_or_insert_with(Instant::now);
                    let mut state = self.shared.lock();
                    state.task = Some(cx.waker().clone());
                    return Ok(self.output.len() - self.sent + state.out.len());
                }
            }
        }
    }

    /// Reads once; whether anything came.
    fn read(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        self.room.make(&mut self.input);
        match pin!(self.stream.read_buf(&mut self.input)).poll(cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the other end closed it")),
            Poll::Ready(Ok(read)) => {
                self.room.learn(read);
                self.take_frames().map(|()| true)
            }
            Poll::Ready(Err(problem)) => Err(problem),
        }
    }

    /// Whether the socket may have more; when not, the task is woken once it has.
    fn read_ready(&mut self, cx: &mut Context<'_>) -> bool {
        self.stream.poll_read_ready(cx).is_ready()
    }

    fn take_frames(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let shared = Arc::clone(&self.shared);
        // Replies are delivered under one lock; it is let go before anything else is done.
        let mut state: Option<MutexGuard<'_, State>> = None;
        let mut result = Ok(());
        let mut begun = self.partial_since;
        loop {
            let frame = match Frame::decode(&mut self.input, shared.limits.max_message) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(problem) => {
                    result = Err(io::Error::new(io::ErrorKind::InvalidData, problem.to_string()));
                    break;
                }
            };
            begun = None;
            match frame.header.kind {
                MessageType::Result | MessageType::Bound => {
                    let state = state.get_or_insert_with(|| shared.lock());
                    if frame.header.flags.contains(Flags::ITEM_STREAM) {
                        if let Err(problem) = self.opened(state, frame) {
                            result = Err(problem);
                            break;
                        }
                        continue;
                    }
                    match state.in_flight.complete(frame) {
                        Ok(waker) => self.wakers.extend(waker),
                        Err(_) => self.stray += 1,
                    }
                }
                _ => {
                    state = None;
                    if frame.header.kind == MessageType::Invoke {
                        self.invoke(frame, now);
                    } else if let Err(problem) = self.take(frame) {
                        result = Err(problem);
                        break;
                    }
                }
            }
        }
        if self.arrived.is_empty() {
            state.unwrap_or_else(|| shared.lock()).admitted = self.admitted;
        } else {
            drop(state);
            shared.lock().admitted = self.admitted;
            self.deliver();
        }
        self.wakers.drain(..).for_each(Waker::wake);
        // A frame has its time from its first byte on, however often a further one drips in.
        self.partial_since = if self.input.is_empty() { None } else { begun.or(Some(now)) };
        if self.stray > MAX_STRAY {
            return Err(broken("it replies to calls that were never made"));
        }
        result
    }

    /// One frame that is neither a call nor a reply.
    fn take(&mut self, frame: Frame) -> io::Result<()> {
        match frame.header.kind {
            MessageType::Bind => self.bind(&frame),
            MessageType::Ping => self.ping(frame),
            MessageType::GoAway => {
                let reason = GoAway::decode(&frame.payload).map_or_else(|e| e.to_string(), |away| away.reason);
                self.shared.lock().draining = Some(reason);
            }
            MessageType::Item => {
                let woken = self.shared.lock().streams.arrived(&frame);
                return self.streamed(woken);
            }
            MessageType::Credit => {
                let woken = self.shared.lock().streams.credit(&frame);
                return self.streamed(woken);
            }
            // A feature that this end has not announced; a polite peer does not send it.
            MessageType::Cancel => {}
            kind => return Err(broken(&format!("it sent a {kind:?} message in the middle of the conversation"))),
        }
        Ok(())
    }

    /// A reply that opens a stream.
    #[cold]
    fn opened(&mut self, state: &mut State, frame: Frame) -> io::Result<()> {
        let seq = frame.header.seq;
        let stream = match state.streams.opened(&frame) {
            Ok(stream) => stream,
            Err(breach) => return self.streamed(Err(breach)),
        };
        match state.in_flight.complete(frame) {
            Ok(waker) => self.wakers.extend(waker),
            Err(_) => self.stray += 1,
        }
        if state.in_flight.opened(seq).is_none() {
            items::give_up(state, stream);
        }
        Ok(())
    }

    /// What a frame of a stream has led to.
    fn streamed(&mut self, woken: Result<Option<Waker>, Breach>) -> io::Result<()> {
        match woken {
            Ok(waker) => self.wakers.extend(waker),
            Err(Breach::Stray) => self.stray += 1,
            Err(Breach::Broken(what)) => return Err(broken(what)),
        }
        Ok(())
    }

    fn ping(&mut self, frame: Frame) {
        let header = frame.header;
        if &frame.payload[..] == b"pong" {
            let woken = self.shared.lock().in_flight.complete(frame);
            match woken {
                Ok(waker) => self.wakers.extend(waker),
                Err(_) => self.stray += 1,
            }
            return;
        }
        self.shared.append(|out| {
            let pong = FrameWriter::begin(
                out,
                MessageType::Ping,
                header.serializer,
                Flags::default(),
                header.seq,
                header.correlation,
            );
            out.extend_from_slice(b"pong");
            // A frame of four bytes is never too large.
            let _ = pong.finish(out, u32::MAX);
        });
    }

    fn bind(&mut self, frame: &Frame) {
        let header = frame.header;
        let bound = match Bind::decode(&frame.payload) {
            Ok(bind) => self.exports.bind(&bind.target, &self.shared),
            Err(problem) => Err(NotStarted::NoSuchObject { object: problem.to_string() }),
        };
        let exports = &mut self.exports;
        let limit = self.shared.peer_limits.max_message;
        let answer = |out: &mut Vec<u8>, result: Result<usize, NotStarted>| {
            let flags = if result.is_ok() { Flags::default() } else { Flags::EXCEPTION };
            let frame = FrameWriter::begin(
                out,
                MessageType::Bound,
                SerializerId::POSTCARD,
                flags,
                header.seq,
                header.correlation,
            );
            let written = match result {
                Ok(handle) => exports.at(handle).is_some_and(|export| export.table(handle).encode(out).is_ok()),
                Err(why) => Failure::NotStarted(why)
                    .to_fault(SerializerId::POSTCARD, "", "")
                    .encode(SerializerId::POSTCARD, out)
                    .is_ok(),
            };
            if written {
                let _ = frame.finish(out, limit);
            } else {
                frame.abandon(out);
            }
        };
        let mut answer = Some(answer);
        self.shared.append(|out| {
            if let Some(answer) = &mut answer {
                answer(out, bound);
            }
        });
    }

    #[inline]
    fn invoke(&mut self, frame: Frame, now: Instant) {
        let Frame { header, annotations, payload } = frame;
        let oneway = header.flags.contains(Flags::ONEWAY);
        let size = header.payload_len;
        self.admitted += 1;
        self.admitted_bytes += u64::from(size);
        let busy = self.over_limit();
        let reply = |sink: &Arc<Lane>, method: u32| {
            Reply::wire(WireReply {
                sink: Arc::clone(sink) as Arc<dyn ReplySink>,
                seq: header.seq,
                serializer: header.serializer,
                correlation: header.correlation,
                oneway,
                size,
                method,
            })
        };
        let refuse = |reply: Reply, why: NotStarted| reply.fail(Failure::NotStarted(why));
        if let Some(why) = busy {
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
        if let Err(why) = export.admit() {
            return refuse(reply(&export.lane, method), why);
        }
        let left = annotations.deadline_ms().map_or(self.default_deadline, |ms| Duration::from_millis(ms.into()));
        if self.shared.verbose {
            slog::debug!(self.shared.log, "call"; "object" => &**export.object.label(), "method" => name,
                "peer" => &self.shared.caller.address, "correlation" => %header.correlation);
        }
        let invocation = Invocation::new(method, body, now + left, reply(&export.lane, method));
        if handle != self.arrived_for {
            self.deliver();
            self.arrived_for = handle;
        }
        self.arrived.push_back(invocation);
    }

    /// Hands the calls that have arrived to their object.
    fn deliver(&mut self) {
        if let Some(export) = self.exports.at(self.arrived_for) {
            export.object.submit_all(&mut self.arrived);
        }
    }

    /// Finds out which object, which method and what arguments a call names.
    fn open_call(&mut self, serializer: SerializerId, mut payload: Bytes) -> Result<(usize, u32, Body), NotStarted> {
        if serializer == SerializerId::POSTCARD {
            let (handle, method, at) = indexes(&payload).ok_or_else(|| NotStarted::NoSuchMethod {
                object: String::new(),
                method: String::new(),
                nearest: None,
            })?;
            payload.advance(at);
            return Ok((handle, method, Body::Encoded(payload)));
        }
        let call = NamedCall::decode(serializer, &payload, &self.shared.budget()).map_err(|problem| {
            NotStarted::WrongArguments {
                object: String::new(),
                method: String::new(),
                problem: format!("the call cannot be decoded: {problem}"),
                signature: "(object, method, arguments, named arguments)".to_owned(),
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

    /// Why no further call of the peer can be taken now.
    fn over_limit(&self) -> Option<NotStarted> {
        let limits = &self.shared.limits;
        // Looked up only when the answer might be yes: answers are counted under the lock.
        if self.admitted <= u64::from(limits.in_flight) && self.admitted_bytes <= u64::from(limits.in_flight_bytes) {
            return None;
        }
        let state = self.shared.lock();
        let what = if self.admitted - state.answered > u64::from(limits.in_flight) {
            "the table of calls in flight on this connection"
        } else if self.admitted_bytes - state.answered_bytes > u64::from(limits.in_flight_bytes) {
            "the budget of bytes in flight on this connection"
        } else {
            return None;
        };
        Some(NotStarted::Busy { what: what.to_owned(), retry_after_ms: 10 })
    }

    /// Sees to it that the task is woken in time for what must not wait for ever; ends the connection if something has.
    fn sleep(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let limits = &self.shared.limits;
        let frame_end = self.partial_since.map(|since| since + Duration::from_millis(limits.frame_ms.into()));
        let write_end = self.stalled_since.map(|since| since + Duration::from_millis(limits.write_ms.into()));
        loop {
            let next = [self.shared.lock().in_flight.next_expiry(), frame_end, write_end].into_iter().flatten().min();
            let Some(next) = next else {
                self.timer = None;
                return Ok(());
            };
            match &mut self.timer {
                Some(timer) if timer.deadline() <= next => {}
                Some(timer) => timer.as_mut().reset(next),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(next))),
            }
            let Some(timer) = &mut self.timer else { return Ok(()) };
            if timer.as_mut().poll(cx).is_pending() {
                return Ok(());
            }
            let now = Instant::now();
            self.timer = None;
            if frame_end.is_some_and(|end| end <= now) {
                return Err(broken("it began a frame and did not finish it in time"));
            }
            if write_end.is_some_and(|end| end <= now) {
                return Err(broken("it does not read what is sent to it"));
            }
            self.shared.lock().in_flight.expire(now, &mut self.wakers);
            self.wakers.drain(..).for_each(Waker::wake);
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Its runtime ended before it did.
        self.shared.close(&io::Error::other("its runtime has ended"));
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

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the peer breaks the protocol: {what}"))
}
