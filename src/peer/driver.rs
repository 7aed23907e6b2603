//! The task of a connection: moves bytes, both ways.
//!
//! One write per wake-up carries every frame that waits, one read brings as many as the socket has; then the objects and callers those
//! are for get their turn before the next write. That is what makes many small calls cheap.

mod address;
mod batches;
mod beside;
mod calls;
mod chunks;
mod flush;
mod frames;
mod inlets;
mod once;
mod passages;
mod pipelines;
pub(crate) mod resume;

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use crate::object::invocation::Invocation;
use crate::object::local::LocalDaemon;
use crate::peer::assembly::{Assemblies, Landing};
use crate::peer::connection::{Connection, Leaving, Shared, State};
use crate::peer::control;
use crate::peer::driver::resume::Resumption;
use crate::peer::expiry::Expiry;
use crate::peer::export::Exports;
use crate::peer::lane::Lane;
use crate::peer::passages::Passages;
use crate::peer::relays::Relays;
use crate::peer::room::Room;
use crate::peer::session::{Session, Sessions};
use crate::peer::silence::{Looked, Silence};
use crate::peer::spin::{Moved, Spin, Spinner};
use crate::peer::timer::Timer;
use crate::transport::Stream;
use crate::wire::chunk::CHUNK_BYTES;
use crate::wire::{Features, GoAway, MessageType, Taken};

/// An outgoing buffer larger than this is given back when it has been written.
const KEEP_BUFFER: usize = 256 * 1024;
/// Bytes that are read until others on this thread get their turn: a peer that never pauses must not keep them waiting.
const TURN: usize = 64 * 1024;
/// Bytes of large messages that are written until the peer is read again: as much as a socket's buffer usually takes.
const WRITTEN: usize = 4 * CHUNK_BYTES;
/// Of a message that is read to its place, so many bytes count as one of the turn: nobody has to do anything with them.
const EASE: usize = 8;
/// Bytes that are read at a time while large messages come: the header of the next chunk, and little of what is read to its place.
const BETWEEN: usize = 1024;
/// The number of a PING: no call has it.
const PING: u16 = u16::MAX;
/// How long a peer that was hung up on may take to read to the end and hang up itself.
const PART: Duration = Duration::from_secs(1);

/// The task of one connection. It ends when the connection does, and tells every caller.
pub(crate) struct Driver {
    stream: Stream,
    shared: Arc<Shared>,
    exports: Exports,
    sessions: Option<Arc<Sessions>>,
    /// The clients of the daemon that host objects.
    relays: Option<Arc<Relays>>,
    /// Objects behind other connections that the peer has opened.
    passages: Arc<Mutex<Passages<Connection>>>,
    /// That of the peer, once it has asked for it.
    session: Option<Arc<Session>>,
    /// Where answers go that belong to no object.
    root: Arc<Lane>,
    /// Received, and not yet a whole frame.
    input: BytesMut,
    room: Room,
    /// Calls of the peer for the object behind `arrived_for`, which it gets all at once.
    arrived: VecDeque<Invocation>,
    arrived_for: usize,
    /// Bytes received since the handshake.
    received: u64,
    /// No new calls are taken.
    leaving: bool,
    /// On its way out, of which `sent` bytes are gone.
    output: Vec<u8>,
    sent: usize,
    /// A piece of a large message, which follows.
    piece: Bytes,
    /// Large messages of which some chunks have come.
    assemblies: Assemblies,
    /// The chunk of which the rest is read straight to its message.
    landing: Option<Landing>,
    /// Calls of the peer that were taken in, and their bytes.
    admitted: u64,
    admitted_bytes: u64,
    /// Those that were taken in last have had the chance to be answered.
    settled: bool,
    /// As many may be taken in before the answers are counted again.
    admissible: u64,
    admissible_bytes: u64,
    /// Calls that the peer has given up, and whether some of them may still wait in a queue.
    cancelled: u64,
    sweep: bool,
    /// When calls of the peer may be out of time in a queue.
    expiry: Expiry,
    /// Time that a call of the peer has which says nothing.
    default_deadline: Duration,
    /// Since when half a frame has been waiting for its other half.
    partial_since: Option<Instant>,
    /// Since when the network has taken nothing.
    stalled_since: Option<Instant>,
    /// Whether the peer is still there.
    silence: Silence,
    timer: Timer,
    spinner: Spinner,
    stray: u32,
    wakers: Vec<Waker>,
    /// What it takes to go on over another stream, if the peer speaks of that.
    resumption: Option<Box<Resumption>>,
}

impl Driver {
    pub(crate) fn new(
        stream: Stream,
        shared: Arc<Shared>,
        input: BytesMut,
        default_deadline: Duration,
        daemon: Weak<dyn LocalDaemon>,
        sessions: Option<Arc<Sessions>>,
        spin: Spin,
    ) -> Driver {
        let root = Arc::new(Lane::new(Arc::clone(&shared), Arc::from(""), &[]));
        // Pyro 5 expects nothing that it has not asked for.
        let answers = shared.features.contains(Features::GO_AWAY);
        let silence = Silence::new(if answers { shared.limits.silence_ms } else { 0 });
        Driver {
            stream,
            shared,
            exports: Exports::new(daemon),
            sessions,
            relays: None,
            passages: Arc::default(),
            session: None,
            root,
            received: input.len() as u64,
            input,
            room: Room::default(),
            arrived: VecDeque::new(),
            arrived_for: 0,
            leaving: false,
            output: Vec::new(),
            sent: 0,
            piece: Bytes::new(),
            assemblies: Assemblies::default(),
            landing: None,
            admitted: 0,
            admitted_bytes: 0,
            settled: true,
            admissible: 0,
            admissible_bytes: 0,
            cancelled: 0,
            sweep: false,
            expiry: Expiry::default(),
            default_deadline,
            partial_since: None,
            stalled_since: None,
            silence,
            timer: Timer::default(),
            spinner: Spinner::new(spin),
            stray: 0,
            wakers: Vec::new(),
            resumption: None,
        }
    }

    pub(crate) fn exports(&mut self) -> &mut Exports {
        &mut self.exports
    }

    /// Moves bytes until the connection ends.
    // Boxed, as what rarely happens: a future keeps what it is given, what that was moved to and all that it may ever wait for side by side.
    pub(crate) async fn run(mut self: Box<Self>) {
        let problem = loop {
            let problem = std::future::poll_fn(|cx| self.poll(cx)).await;
            if !self.outlives(&problem) {
                break problem;
            }
            if let Err(problem) = Box::pin(self.resume(problem)).await {
                break problem;
            }
        };
        if self.shared.lock().hang_up {
            Box::pin(self.part()).await;
        }
        slog::debug!(self.shared.log, "connection ended"; "peer" => &self.shared.caller.address, "why" => %problem);
        self.shared.close(&problem);
    }

    /// Lets the peer read to the end. A socket that is closed while something unread is in it takes with it what was written last.
    async fn part(&mut self) {
        let part = async {
            self.stream.shutdown().await?;
            loop {
                // Nothing of it is taken: it lies behind what GOAWAY said.
                self.input.clear();
                if self.stream.read_buf(&mut self.input).await? == 0 {
                    return io::Result::Ok(());
                }
            }
        };
        let _ = tokio::time::timeout(PART, part).await;
    }

    /// Ready when the connection has ended, with the reason.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        match self.step(cx) {
            Ok(()) => {
                if self.has_rest() || self.spinner.looks(std::time::Instant::now) {
                    // Everybody else on this thread has a turn first, and the runtime looks at its sockets.
                    let _ = pin!(tokio::task::yield_now()).poll(cx);
                }
                Poll::Pending
            }
            Err(problem) => Poll::Ready(problem),
        }
    }

    fn step(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.has_rest() {
            self.take_frames(usize::MAX)?;
        }
        let mut turn = TURN;
        loop {
            if !self.write(cx)? {
                return self.sleep(cx);
            }
            if turn == 0 {
                cx.waker().wake_by_ref();
                return self.sleep(cx);
            }
            let landing = self.landing.is_some();
            let read = self.read(cx)?;
            if read == 0 {
                return self.sleep(cx);
            }
            if self.has_rest() {
                // Callers run first. Nothing that may fail comes before the rest is taken, or what has come were lost with it.
                return Ok(());
            }
            turn = turn.saturating_sub(if landing { read / EASE } else { read });
            if self.landing.is_some() {
                continue;
            }
            // Whoever was read for runs first; then their frames leave together.
            let mut state = self.shared.lock();
            if state.is_sent() && self.is_written() {
                state.task = Some(cx.waker().clone());
                drop(state);
                if self.read_ready(cx) {
                    cx.waker().wake_by_ref();
                }
                return self.sleep(cx);
            }
        }
    }

    /// Writes what waits; says whether the peer may be read. Afterwards the task is woken when there is more.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut written = 0;
        loop {
            if self.is_written() {
                self.output.clear();
                self.sent = 0;
                if self.output.capacity() > KEEP_BUFFER {
                    self.output = Vec::new();
                }
                let taken = self.taken();
                let mut state = self.shared.lock();
                state.in_flight.begin(Instant::now);
                if let Leaving::Asked(reason) = state.leaving {
                    drop(state);
                    self.go_away(reason);
                    continue;
                }
                let idle = state.is_sent();
                if let Some(resumption) = &mut self.resumption
                    && let Some(taken) = resumption.receipts.due(taken, idle)
                {
                    control::write(&mut state.out, MessageType::Ack, 0, |out| Taken { taken }.encode(out));
                } else if idle {
                    if state.released && state.in_flight.is_idle() {
                        if self.resumption.is_some() && state.leaving == Leaving::No {
                            // Or the peer would wait for it to come back.
                            state.leaving = Leaving::Asked("nobody uses the connection any more");
                            continue;
                        }
                        return Err(io::Error::other("nobody uses it any more"));
                    }
                    if state.hang_up {
                        return Err(io::Error::other("this end has ended"));
                    }
                    if state.successor.is_some() {
                        return Err(superseded());
                    }
                    if !state.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
                        state.task = Some(cx.waker().clone());
                    }
                    return Ok(true);
                }
                std::mem::swap(&mut self.output, &mut state.out);
                if !state.bulk.is_empty() {
                    if written >= WRITTEN {
                        // What was read for must not wait for all of it.
                        std::mem::swap(&mut self.output, &mut state.out);
                        cx.waker().wake_by_ref();
                        return Ok(true);
                    }
                    let State { bulk, in_flight, taken, .. } = &mut *state;
                    self.piece = bulk.next(&mut self.output, *taken, in_flight);
                    written += self.output.len() + self.piece.len();
                }
                state.taken += (self.output.len() + self.piece.len()) as u64;
                if let Some(resumption) = &mut self.resumption {
                    resumption.retained.push(&self.output, &self.piece);
                }
                if self.output.is_empty() {
                    continue;
                }
            }
            match self.poll_write(cx) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => {
                    self.spinner.note(Moved::Out);
                    let small = n.min(self.output.len() - self.sent);
                    self.sent += small;
                    let piece = n - small;
                    self.piece.advance(piece);
                    self.stalled_since = None;
                    let mut state = self.shared.lock();
                    state.written += n as u64;
                    if piece > 0 && self.piece.is_empty() {
                        state.bulk.learn(piece, true);
                    }
                }
                Poll::Ready(Err(problem)) => return Err(problem),
                Poll::Pending => {
                    self.stalled_since.get_or_insert_with(Instant::now);
                    let mut state = self.shared.lock();
                    state.bulk.learn(0, false);
                    state.in_flight.begin(Instant::now);
                    if state.successor.is_some() {
                        return Err(superseded());
                    }
                    state.task = Some(cx.waker().clone());
                    // Who does not read its replies is not read either; nor is one that has been answered for the last time, or it could
                    // keep the end away by calling on.
                    let limits = &self.shared.limits;
                    let waiting = self.output.len() - self.sent + state.out.len();
                    let full =
                        waiting > limits.out_buffer as usize || state.bulk.answers() > limits.in_flight_bytes as usize;
                    return Ok(!full && !state.hang_up);
                }
            }
        }
    }

    /// Whether whole frames wait to be taken: they came together with the handshake, or others are to have their turn before.
    #[inline]
    fn has_rest(&self) -> bool {
        !self.input.is_empty() && self.partial_since.is_none()
    }

    /// Whether all that was taken is gone.
    #[inline]
    fn is_written(&self) -> bool {
        self.sent == self.output.len() && self.piece.is_empty()
    }

    #[inline]
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let small = &self.output[self.sent..];
        let stream = Pin::new(&mut self.stream);
        if self.piece.is_empty() {
            return stream.poll_write(cx, small);
        }
        stream.poll_write_vectored(cx, &[IoSlice::new(small), IoSlice::new(&self.piece)])
    }

    /// Says what was taken so far; whatever comes from here on is refused.
    fn go_away(&mut self, reason: &str) {
        self.leaving = true;
        let taken = self.taken();
        let mut state = self.shared.lock();
        state.leaving = Leaving::Said;
        if state.closed.is_some() || !self.shared.features.contains(Features::GO_AWAY) {
            return;
        }
        let away = GoAway { reason: reason.to_owned(), taken };
        control::write(&mut state.out, MessageType::GoAway, 0, |out| away.encode(out));
    }

    /// Reads once; how many bytes came.
    fn read(&mut self, cx: &mut Context<'_>) -> io::Result<usize> {
        if self.landing.is_some() {
            return self.read_landing(cx);
        }
        let large = !self.assemblies.is_empty();
        if large {
            self.input.reserve(BETWEEN);
        } else {
            self.room.make(&mut self.input);
        }
        let mut room = (&mut self.input).limit(if large { BETWEEN } else { usize::MAX });
        match pin!(self.stream.read_buf(&mut room)).poll(cx) {
            Poll::Pending => Ok(0),
            Poll::Ready(Ok(0)) => Err(ended()),
            Poll::Ready(Ok(read)) => {
                if !large {
                    self.room.learn(read);
                }
                self.received += read as u64;
                self.spinner.note(Moved::In);
                let most = self.spinner.portion(|| self.shared.lock().in_flight.len());
                self.take_frames(most).map(|()| read)
            }
            Poll::Ready(Err(problem)) => Err(problem),
        }
    }

    /// Whether the socket may have more; when not, the task is woken once it has.
    fn read_ready(&mut self, cx: &mut Context<'_>) -> bool {
        self.stream.poll_read_ready(cx).is_ready()
    }

    /// Sees to it that the task is woken in time for what must not wait for ever; ends the connection if something has.
    fn sleep(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let limits = &self.shared.limits;
        let frame_time = Duration::from_millis(limits.frame_ms.into());
        let frame_end = self.partial_since.map(|since| since + frame_time);
        let frame_end = [frame_end, self.assemblies.due(frame_time)].into_iter().flatten().min();
        let write_end = self.stalled_since.map(|since| since + Duration::from_millis(limits.write_ms.into()));
        loop {
            let state = self.shared.lock();
            let (own, answered) = (state.in_flight.next_expiry(), state.answered);
            drop(state);
            let (theirs, silence) = (self.expiry_of_theirs(answered, cx), self.silence.next(Instant::now));
            let next = [own, theirs, frame_end, write_end, silence].into_iter().flatten().min();
            let Some(next) = next else {
                self.timer.stop();
                return Ok(());
            };
            if self.timer.poll(next, cx).is_pending() {
                return Ok(());
            }
            let now = Instant::now();
            if frame_end.is_some_and(|end| end <= now) {
                return Err(broken("it began a frame and did not finish it in time"));
            }
            if write_end.is_some_and(|end| end <= now) {
                return Err(broken("it does not read what is sent to it"));
            }
            if silence.is_some_and(|end| end <= now) {
                self.look(now)?;
            }
            self.shared.lock().in_flight.expire(now, &mut self.wakers);
            self.wakers.drain(..).for_each(Waker::wake);
            if self.expiry.next().is_some_and(|next| next <= now) {
                let earliest = self.exports.sweep();
                self.expiry.looked(now, earliest);
            }
        }
    }
}

impl Driver {
    /// When calls of the peer are to be looked for whose time is over, of which so many are answered. Those that were taken in last are
    /// mostly answered before the task is polled again, and a timer is dear: for them there is none until then.
    fn expiry_of_theirs(&mut self, answered: u64, cx: &mut Context<'_>) -> Option<Instant> {
        if self.admitted == answered {
            return None;
        }
        if !self.settled {
            self.settled = true;
            cx.waker().wake_by_ref();
            return None;
        }
        self.expiry.next()
    }
}

impl Driver {
    /// Looks whether the peer is still there.
    #[cold]
    fn look(&mut self, now: Instant) -> io::Result<()> {
        match self.silence.look(self.received, now) {
            Looked::Heard => {}
            Looked::Ask => self.shared.append(|out| {
                control::write(out, MessageType::Ping, PING, |out| {
                    out.extend_from_slice(b"ping");
                    Ok(())
                });
            }),
            Looked::Gone => {
                let problem = "the other end says nothing, not even that it is there";
                return Err(io::Error::new(io::ErrorKind::TimedOut, problem));
            }
        }
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Its runtime ended before it did.
        self.shared.close(&io::Error::other("its runtime has ended"));
        // Nobody waits for the calls of this connection any more.
        self.exports.sweep();
    }
}

#[cold]
fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the other end closed it")
}

/// The peer has lost the stream, which is not known here yet.
#[cold]
fn superseded() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the other end goes on over another stream")
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the peer breaks the protocol: {what}"))
}
