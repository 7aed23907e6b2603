//! A connection, as those who call over it see it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;

use tokio::time::Instant;

use crate::codec::budget::Budget;
use crate::object::address::{self, Address};
use crate::object::context::Caller;
use crate::object::outcome::NotStarted;
use crate::object::panic;
use crate::peer::bulk::{Bulk, Order};
use crate::peer::control;
use crate::peer::given_up::GivenUp;
use crate::peer::in_flight::{Answer, Ending, InFlight};
use crate::peer::items::{self, Inlet};
use crate::peer::promises::Promises;
use crate::peer::stream::Streams;
use crate::peer::successor::Successor;
use crate::wire::apart::{self, Part};
use crate::wire::chunk::CHUNK_BYTES;
use crate::wire::{Features, Limits, MessageType, PeerLimits};

/// One connection. Cheap to clone; the connection ends when the last clone is dropped and its calls have been answered.
#[derive(Clone)]
pub struct Connection(Arc<Owner>);

/// A connection that others keep open, or not.
#[derive(Clone)]
pub struct WeakConnection(Weak<Owner>);

impl WeakConnection {
    /// The connection, while anybody else holds it.
    pub fn upgrade(&self) -> Option<Connection> {
        self.0.upgrade().map(Connection)
    }
}

/// Ends the connection when nobody can call over it any more, if this end has opened it.
struct Owner {
    shared: Arc<Shared>,
    opened: bool,
}

/// What the connection's task, its callers and the replies on their way out share.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) limits: Limits,
    pub(crate) peer_limits: PeerLimits,
    /// What the peer speaks.
    pub(crate) features: Features,
    /// The number of this end's session, once the peer has opened it.
    pub(crate) session: OnceLock<u64>,
    /// Where others call the objects of this end, once the peer has said so.
    pub(crate) address: OnceLock<Arc<Address>>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) log: slog::Logger,
    /// Calls are logged one by one.
    pub(crate) verbose: bool,
    /// Calls of the peer for whose replies nobody waits any more.
    pub(crate) given_up: GivenUp,
    /// Calls of the peer that end with references, and those that wait for these. Locked before the state, never after it.
    promises: Mutex<Promises>,
}

pub(crate) struct State {
    /// Bytes for the peer; the task takes them all at once.
    pub(crate) out: Vec<u8>,
    /// The same in large pieces, which the task takes one by one.
    pub(crate) bulk: Bulk,
    /// Bytes taken from `out` since the connection began.
    pub(crate) taken: u64,
    /// Bytes given to the network since the connection began.
    pub(crate) written: u64,
    /// The task, while it sleeps.
    pub(crate) task: Option<Waker>,
    pub(crate) in_flight: InFlight,
    /// Calls of the peer that were answered, and the bytes they held.
    pub(crate) answered: u64,
    pub(crate) answered_bytes: u64,
    /// Calls of the peer that were taken in; the task counts them here once per read.
    pub(crate) admitted: u64,
    /// Handlers that are to be stopped when their callers give them up.
    pub(crate) watching: BTreeMap<u16, Waker>,
    /// The last oneway ends there in the stream of all bytes sent.
    pub(crate) told: u64,
    /// Accounts of oneways that were opened.
    pub(crate) accounts: u16,
    /// The stream that is to take the place of the one there is, or was.
    pub(crate) successor: Option<Box<Successor>>,
    /// This end wants the connection to end once everything is written.
    pub(crate) hang_up: bool,
    /// Whether this end takes new calls.
    pub(crate) leaving: Leaving,
    /// The peer takes no new calls.
    pub(crate) draining: Option<String>,
    /// Bytes that the peer takes, at most; it says so when it takes no new calls.
    pub(crate) peer_takes: u64,
    /// No caller is left.
    pub(crate) released: bool,
    /// What ended the connection.
    pub(crate) closed: Option<Arc<str>>,
    pub(crate) streams: Streams,
}

/// How far this end is with telling its peer that it takes no new calls. The task says it, since only the task knows what was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// It takes new calls.
    No,
    /// The task is to say it, with this reason.
    Asked(&'static str),
    /// It has been said: nothing was taken since.
    Said,
}

/// Why a call could not be started on a connection. It surely never ran.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The connection has ended.
    #[error("the connection to {peer} has ended: {problem}")]
    Closed {
        /// The other end.
        peer: String,
        /// What ended it.
        problem: String,
    },
    /// The peer is about to end.
    #[error("{peer} is draining: {reason}")]
    Draining {
        /// The other end.
        peer: String,
        /// What it said.
        reason: String,
    },
    /// Too many calls wait for a reply, or too many bytes for the network.
    #[error("{what} is full")]
    Full {
        /// Which.
        what: &'static str,
    },
    /// The request could not be written.
    #[error("{0}")]
    Unwritable(String),
}

impl StartError {
    /// The same as its caller is told, who knows the object by this name.
    pub(crate) fn not_started(self, object: String) -> NotStarted {
        match self {
            StartError::Closed { problem, .. } => NotStarted::Unreachable { uri: object, problem },
            StartError::Draining { peer, .. } => NotStarted::Draining { what: peer },
            StartError::Full { what } => NotStarted::Busy { what: what.to_owned(), retry_after_ms: 10 },
            StartError::Unwritable(problem) => NotStarted::NotSent { method: String::new(), problem },
        }
    }
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>) -> Connection {
        Connection(Arc::new(Owner { shared, opened: true }))
    }

    /// A connection that the peer has opened, and keeps open or not.
    pub(crate) fn lent(shared: Arc<Shared>) -> Connection {
        Connection(Arc::new(Owner { shared, opened: false }))
    }

    /// The same, without keeping it open.
    pub fn downgrade(&self) -> WeakConnection {
        WeakConnection(Arc::downgrade(&self.0))
    }

    /// The address of the other end.
    pub fn peer(&self) -> &str {
        &self.0.shared.caller.address
    }

    /// Whether new calls can be started.
    pub fn is_open(&self) -> bool {
        let state = self.0.shared.lock();
        state.closed.is_none() && state.draining.is_none()
    }

    /// Whether the peer has said that it takes no new calls.
    pub fn is_draining(&self) -> bool {
        self.0.shared.lock().draining.is_some()
    }

    /// Whether the peer speaks this.
    pub(crate) fn speaks(&self, features: Features) -> bool {
        self.0.shared.features.contains(features)
    }

    /// The largest frame the peer takes, bytes.
    pub fn max_message(&self) -> u32 {
        self.0.shared.peer_limits.max_message
    }

    /// Which start of the daemon is at the other end.
    pub(crate) fn incarnation(&self) -> u128 {
        self.0.shared.caller.session
    }

    /// The number of this end's session at the other end, once it is open.
    pub(crate) fn session(&self) -> Option<u64> {
        self.0.shared.session.get().copied()
    }

    /// Starts a call to the object with this handle that has so many milliseconds: `write` appends its frame. Returns the place to
    /// [`poll`](Connection::poll) for its end.
    ///
    /// # Errors
    /// Why it was not started.
    pub fn start(
        &self,
        handle: u32,
        ms: u32,
        waker: &Waker,
        write: impl FnOnce(&mut Vec<u8>, u16) -> Result<(), String>,
    ) -> Result<u16, StartError> {
        let mut state = self.open()?;
        let Some(seq) = state.in_flight.insert(waker.clone(), ms) else {
            return Err(StartError::Full { what: "the table of calls in flight on the connection" });
        };
        let start = state.out.len();
        let parts = match self.append(&mut state.out, |out| write(out, seq)) {
            Ok(parts) => parts,
            Err(problem) => {
                state.in_flight.remove(seq);
                return Err(StartError::Unwritable(problem));
            }
        };
        let end = match self.0.shared.set_apart(&mut state, start, parts, Order::Object(handle), Some(seq)) {
            Ok(None) => state.taken + state.out.len() as u64,
            Ok(Some(end)) => end,
            Err(full) => {
                state.in_flight.remove(seq);
                return Err(full);
            }
        };
        state.in_flight.written_until(seq, end);
        wake(state);
        self.keep();
        Ok(seq)
    }

    /// Sends a call to the object with this handle that nobody answers; it counts in this account, if that is not 0.
    ///
    /// # Errors
    /// Why it was not sent.
    pub fn send(
        &self,
        handle: u32,
        account: u16,
        write: impl FnOnce(&mut Vec<u8>, u16) -> Result<(), String>,
    ) -> Result<(), StartError> {
        let mut state = self.open()?;
        let start = state.out.len();
        let parts = self.append(&mut state.out, |out| write(out, account)).map_err(StartError::Unwritable)?;
        self.0.shared.set_apart(&mut state, start, parts, Order::Object(handle), None)?;
        state.told = state.taken + state.out.len() as u64;
        wake(state);
        self.keep();
        Ok(())
    }

    #[inline]
    fn append(
        &self,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), String>,
    ) -> Result<Vec<Part>, String> {
        let (written, parts) = self.0.shared.collect(out, |out| self.addressed(|| append(out, write)));
        written.map(|()| parts)
    }

    /// Once a message has referred to objects of this process that have no address, these keep the connection open.
    #[inline]
    fn keep(&self) {
        if address::is_needed()
            && let Some(address) = self.0.shared.address.get()
        {
            address.keep(|| Box::new(self.clone()));
        }
    }

    /// Writes a part of a message for the other end.
    #[inline]
    pub(crate) fn addressed<R>(&self, write: impl FnOnce() -> R) -> R {
        address::within(self.0.shared.address.get(), write)
    }

    /// The reply to the call, if it has come, and the deadline it had.
    #[inline(always)]
    pub(crate) fn reply(&self, seq: u16) -> Option<(Answer, Option<Instant>)> {
        self.0.shared.lock().in_flight.reply(seq)
    }

    /// How the call ended, if it has, and the deadline it had.
    #[inline(always)]
    pub fn poll(&self, seq: u16, waker: &Waker) -> Option<(Ending, Option<Instant>)> {
        self.0.shared.lock().in_flight.poll(seq, waker)
    }

    /// The caller of `seq` waits no more. The peer is told, so that a call that still waits there is not run.
    pub fn abandon(&self, seq: u16) {
        let shared = &self.0.shared;
        let mut state = shared.lock();
        let opened = state.in_flight.opened(seq).cloned();
        if let Some(answer) = &opened {
            items::give_up_reply(&mut state, answer);
        }
        let cancels =
            state.in_flight.abandon(seq) && shared.features.contains(Features::CANCEL) && state.closed.is_none();
        if cancels {
            control::write(&mut state.out, MessageType::Cancel, seq, |_| Ok(()));
        }
        if cancels || opened.is_some() {
            wake(state);
        }
    }

    /// Nobody waits any more for the answer to `seq`, which is no call, so that the peer need not hear of it.
    pub(crate) fn forget(&self, seq: u16) {
        self.0.shared.lock().in_flight.abandon(seq);
    }

    /// The reader of the stream that a reply has opened.
    pub(crate) fn items(&self, answer: &Answer) -> Option<Inlet> {
        Inlet::new(self, answer)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// A number for an account of oneways that no other has, for as long as anybody remembers; not 0, which is that of those not counted.
    pub(crate) fn account(&self) -> u16 {
        let mut state = self.0.shared.lock();
        state.accounts = state.accounts.checked_add(1).unwrap_or(1);
        state.accounts
    }

    /// Whether a call waits for its turn to be sent.
    pub(crate) fn is_unsent(&self, seq: u16) -> bool {
        self.0.shared.lock().in_flight.is_unsent(seq)
    }

    /// Whether it has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.shared.is_closed()
    }

    /// What ended the connection.
    pub fn problem(&self) -> String {
        self.0.shared.lock().closed.as_deref().unwrap_or("it is open").to_owned()
    }

    fn open(&self) -> Result<MutexGuard<'_, State>, StartError> {
        let state = self.0.shared.lock();
        let peer = || self.peer().to_owned();
        if let Some(problem) = &state.closed {
            return Err(StartError::Closed { peer: peer(), problem: problem.to_string() });
        }
        if let Some(reason) = &state.draining {
            return Err(StartError::Draining { peer: peer(), reason: reason.clone() });
        }
        if state.out.len() > self.0.shared.limits.out_buffer as usize {
            return Err(StartError::Full { what: "the connection's outgoing buffer" });
        }
        Ok(state)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer()).finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if self.opened {
            let mut state = self.shared.lock();
            state.released = true;
            wake(state);
        }
    }
}

impl Shared {
    pub(crate) fn new(
        limits: Limits,
        peer_limits: PeerLimits,
        features: Features,
        caller: Arc<Caller>,
        log: slog::Logger,
    ) -> Arc<Shared> {
        let in_flight = InFlight::new(limits.in_flight.min(peer_limits.in_flight));
        let state = State {
            out: Vec::new(),
            bulk: Bulk::default(),
            taken: 0,
            written: 0,
            task: None,
            in_flight,
            answered: 0,
            answered_bytes: 0,
            admitted: 0,
            watching: BTreeMap::new(),
            told: 0,
            accounts: 0,
            successor: None,
            hang_up: false,
            leaving: Leaving::No,
            draining: None,
            peer_takes: u64::MAX,
            released: false,
            closed: None,
            streams: Streams::default(),
        };
        let verbose = slog::Drain::is_enabled(&log, slog::Level::Debug);
        let (state, given_up, promises) = (Mutex::new(state), GivenUp::default(), Mutex::default());
        Arc::new(Shared {
            state,
            limits,
            peer_limits,
            features,
            session: OnceLock::new(),
            address: OnceLock::new(),
            caller,
            log,
            verbose,
            given_up,
            promises,
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn promises(&self) -> MutexGuard<'_, Promises> {
        self.promises.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What decoding one message of the peer may cost.
    pub(crate) fn budget(&self) -> Budget {
        Budget::within(&self.limits)
    }

    /// Appends to the outgoing buffer, unless the connection is gone.
    pub(crate) fn append(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        if state.closed.is_none() {
            write(&mut state.out);
            wake(state);
        }
    }

    /// Parts that are left out of what is written to the outgoing buffer, if the peer takes them so.
    #[inline]
    pub(crate) fn collect<R>(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> R) -> (R, Vec<Part>) {
        if self.features.contains(Features::CHUNKS) { apart::collect(out, write) } else { (write(out), Vec::new()) }
    }

    /// A frame was appended at `start`, but for these parts. If it is large, or may not overtake one that is, it leaves the outgoing buffer
    /// again; for a call returns what stands for the end of its bytes until they are sent.
    ///
    /// # Errors
    /// Too many large calls wait; what was appended is taken back.
    #[inline]
    pub(crate) fn set_apart(
        &self,
        state: &mut State,
        start: usize,
        parts: Vec<Part>,
        order: Order,
        seq: Option<u16>,
    ) -> Result<Option<u64>, StartError> {
        let large = state.out.len() - start > CHUNK_BYTES || !parts.is_empty();
        if !large && state.bulk.is_empty() {
            return Ok(None);
        }
        self.set_apart_rarely(state, (start, parts), order, seq, large)
    }

    #[cold]
    fn set_apart_rarely(
        &self,
        state: &mut State,
        (start, parts): (usize, Vec<Part>),
        order: Order,
        seq: Option<u16>,
        large: bool,
    ) -> Result<Option<u64>, StartError> {
        let large = large && self.features.contains(Features::CHUNKS);
        let State { out, bulk, .. } = state;
        if !large && !bulk.holds_back(order) {
            return Ok(None);
        }
        // One that is larger than all together may be goes alone.
        let left_out: usize = parts.iter().map(|part| part.bytes.len()).sum();
        let (waiting, len) = (bulk.calls(), out.len() - start + left_out);
        if matches!(order, Order::Object(_)) && waiting > 0 && waiting + len > self.limits.in_flight_bytes as usize {
            out.truncate(start);
            return Err(StartError::Full { what: "the line of large calls that wait to be sent on the connection" });
        }
        Ok(Some(bulk.push(out, start, parts, order, seq)))
    }

    /// Takes no new calls from now on, and tells the peer so.
    pub(crate) fn go_away(&self, reason: &'static str) {
        let mut state = self.lock();
        if state.leaving == Leaving::No {
            state.leaving = Leaving::Asked(reason);
            wake(state);
        }
    }

    /// Ends the connection once everything is written.
    pub(crate) fn hang_up(&self) {
        // Whoever did not hear it before must know which of its calls were not taken.
        self.go_away("the daemon has ended");
        let mut state = self.lock();
        state.hang_up = true;
        let writers = items::abort_all(self, &mut state);
        wake(state);
        writers.into_iter().for_each(Waker::wake);
    }

    /// Whether every call of the peer has been answered, and the answers have left. While new calls may still come, nobody can say.
    pub(crate) fn is_answered(&self) -> bool {
        let state = self.lock();
        state.closed.is_some()
            || (state.leaving == Leaving::Said
                && state.admitted == state.answered
                && state.streams.is_written()
                && state.is_sent()
                && state.written == state.taken)
    }

    /// Whether it has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed.is_some()
    }

    /// The connection has ended: every caller is told, and nobody waits at the other end.
    pub(crate) fn close(&self, problem: &io::Error) {
        self.given_up.insert_all();
        let mut wakers = Vec::new();
        let mut state = self.lock();
        if state.closed.is_none() {
            state.closed = Some(problem.to_string().into());
            let written = state.written.min(state.peer_takes);
            state.in_flight.lose_all(written, &mut wakers);
            state.streams.lose_all(&mut wakers);
            state.out = Vec::new();
            state.bulk = Bulk::default();
            state.successor = None;
        }
        wakers.extend(std::mem::take(&mut state.watching).into_values());
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl State {
    /// Whether nothing waits for the task.
    #[inline]
    pub(crate) fn is_sent(&self) -> bool {
        self.out.is_empty() && self.bulk.is_empty()
    }
}

/// Appends a frame. A message that panics when it is asked to write itself leaves nothing of it behind.
#[inline]
fn append(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), String>) -> Result<(), String> {
    let start = out.len();
    panic::guard(|| write(out)).unwrap_or_else(|report| {
        out.truncate(start);
        Err(format!("the message panicked when it was written: {}", report.message))
    })
}

/// Wakes the task when there is something for it to do and it sleeps.
pub(crate) fn wake(mut state: MutexGuard<'_, State>) {
    if let Some(task) = state.task.take() {
        drop(state);
        task.wake();
    }
}
