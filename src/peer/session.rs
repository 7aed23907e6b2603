//! Sessions: what a daemon knows of a client over all its connections, so that a call with a key runs once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::codec::budget::Budget;
use crate::codec::fault::Fault;
use crate::object::context::Caller;
use crate::object::items::producer::ItemSink;
use crate::object::outcome::{Failure, NotStarted, Unknown};
use crate::object::reply::ReplySink;
use crate::peer::lane::Lane;
use crate::peer::replies::{Admission, Replies};
use crate::peer::tickets::Tickets;
use crate::wire::{Flags, HEADER_LEN, Header, Limits, OnceKey, SerializerId, readdress};

/// The sessions of a daemon.
pub struct Sessions {
    limits: Limits,
    table: Mutex<Table>,
    /// Their connections.
    pub(crate) tickets: Arc<Tickets>,
}

#[derive(Default)]
struct Table {
    /// Sessions that there were: a session that is forgotten and comes back is another one, and has another number.
    opened: u64,
    known: BTreeMap<u128, Arc<Session>>,
}

/// One client, over all its connections.
pub(crate) struct Session {
    pub(crate) number: u64,
    kept: Mutex<Kept>,
}

struct Kept {
    replies: Replies<Waiter>,
    used: Instant,
}

/// Somebody who waits for the reply of a call with a key.
pub(crate) struct Waiter {
    pub(crate) lane: Arc<Lane>,
    pub(crate) seq: u16,
    /// Bytes of the call.
    pub(crate) size: u32,
}

impl Sessions {
    /// None yet.
    pub fn new(limits: &Limits) -> Sessions {
        Sessions { limits: limits.clone(), table: Mutex::default(), tickets: Arc::new(Tickets::new(limits.suspended)) }
    }

    /// The session of the client with this id. Whoever holds it keeps it from being forgotten.
    ///
    /// # Errors
    /// All that can be known are in use.
    pub(crate) fn open(&self, id: u128) -> Result<Arc<Session>, NotStarted> {
        let now = Instant::now();
        let mut table = self.lock();
        self.forget(&mut table, now);
        if let Some(session) = table.known.get(&id) {
            return Ok(Arc::clone(session));
        }
        if table.known.len() >= self.limits.sessions as usize {
            let idle = table.known.iter().filter(|(_, session)| !session.is_held());
            let Some(oldest) = idle.min_by_key(|(_, session)| session.lock().used).map(|(id, _)| *id) else {
                let what = "the daemon's table of sessions".to_owned();
                return Err(NotStarted::Busy { what, retry_after_ms: 1_000 });
            };
            table.known.remove(&oldest);
        }
        table.opened += 1;
        let kept = Mutex::new(Kept { replies: Replies::new(&self.limits), used: now });
        let session = Arc::new(Session { number: table.opened, kept });
        table.known.insert(id, Arc::clone(&session));
        Ok(session)
    }

    /// Forgets what is old, and says how many are left.
    pub(crate) fn tidy(&self, now: Instant) -> usize {
        let mut table = self.lock();
        self.forget(&mut table, now);
        table.known.len()
    }

    /// Forgets the sessions of clients that have been away for too long. Only while the table is locked somebody gets hold of one that nobody
    /// holds.
    fn forget(&self, table: &mut Table, now: Instant) {
        let age = Duration::from_millis(self.limits.session_ms.into());
        table.known.retain(|_, session| session.is_held() || now.duration_since(session.lock().used) < age);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// A connection is open on it, or a call runs for it.
    fn is_held(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
    }

    /// A call with a key has come. If it is new it is to run, and its reply goes to what is returned; otherwise it is answered, or will be.
    ///
    /// # Errors
    /// Too many are on their way.
    pub(crate) fn begin(
        self: &Arc<Self>,
        key: OnceKey,
        waiter: Waiter,
    ) -> Result<Option<Arc<dyn ReplySink>>, NotStarted> {
        let lane = Arc::clone(&waiter.lane);
        let now = Instant::now();
        let mut kept = self.lock();
        kept.used = now;
        let admission = kept.replies.begin(key.sequence, key.done, waiter, now);
        drop(kept);
        match admission {
            Admission::Run => {
                let (session, started) = (Arc::clone(self), AtomicBool::new(false));
                return Ok(Some(Arc::new(Once { session, sequence: key.sequence, lane, started })));
            }
            Admission::Joined => {}
            Admission::Ended(reply, waiter) => waiter.answer(&reply),
            Admission::Forgotten(waiter) => waiter.forgotten(),
            Admission::Full(_) => {
                let what = "the session's table of calls".to_owned();
                return Err(NotStarted::Busy { what, retry_after_ms: 10 });
            }
        }
        Ok(None)
    }

    /// A call with a key has ended, and this frame says how.
    fn end(&self, sequence: u64, reply: Vec<u8>) {
        let reply = Bytes::from(reply);
        let now = Instant::now();
        let mut kept = self.lock();
        kept.used = now;
        let waiters = kept.replies.end(sequence, ran(&reply).then(|| reply.clone()), now);
        drop(kept);
        // Without the lock: an answer takes that of the connection.
        waiters.into_iter().for_each(|waiter| waiter.answer(&reply));
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    fn answer(self, reply: &[u8]) {
        self.lane.answer(self.seq, self.size, &mut |out, _| {
            let start = out.len();
            out.extend_from_slice(reply);
            readdress(&mut out[start..], self.seq);
        });
    }

    fn forgotten(self) {
        let failure = Failure::Unknown(Unknown::SessionLost {
            daemon: "the daemon".to_owned(),
            problem: "its reply is no longer kept".to_owned(),
        });
        let fault = failure.to_fault(SerializerId::POSTCARD, self.lane.object(), "");
        let mut reply = Vec::new();
        crate::object::reply::write_fault(&fault, self.seq, &mut reply);
        self.answer(&reply);
    }
}

/// Whether a reply says that the call has run, or may have.
fn ran(reply: &[u8]) -> bool {
    let Ok(Some(header)) = Header::decode(reply) else { return true };
    if !header.flags.contains(Flags::EXCEPTION) {
        return true;
    }
    let payload = &reply[HEADER_LEN + header.annotations_len as usize..];
    let budget = Budget::default();
    let fault = Fault::decode(header.serializer, &Bytes::copy_from_slice(payload), &budget);
    !matches!(fault.map(|fault| Failure::from_fault(fault, &budget)), Ok(Ok(Failure::NotStarted(_))))
}

/// Where the reply of a call with a key goes: into its session, and to all who wait for it.
struct Once {
    session: Arc<Session>,
    sequence: u64,
    /// That of whoever called first.
    lane: Arc<Lane>,
    started: AtomicBool,
}

impl ReplySink for Once {
    fn answer(&self, _: u16, _: u32, write: &mut dyn FnMut(&mut Vec<u8>, u32)) {
        let mut reply = Vec::new();
        self.lane.write(write, &mut reply);
        self.session.end(self.sequence, reply);
    }

    fn started(&self, seq: u16) -> bool {
        let given_up = self.is_given_up(seq);
        self.started.store(true, Ordering::Relaxed);
        self.lane.started(seq);
        given_up
    }

    fn withdrawn(&self) {
        self.lane.withdrawn();
    }

    /// Once it has left the queue it runs to its end: who has lost the connection comes back for its reply.
    fn is_given_up(&self, _: u16) -> bool {
        !self.started.load(Ordering::Relaxed)
            && !self.session.lock().replies.is_awaited(self.sequence, |waiter| !waiter.lane.is_given_up(waiter.seq))
    }

    fn watch(&self, _: u16, _: &Waker) {}

    fn unwatch(&self, _: u16) {}

    fn open_stream(&self, _: u32, _: SerializerId) -> Result<Arc<dyn ItemSink>, String> {
        // Refused before it ran.
        Err("a stream of items cannot be kept".to_owned())
    }

    fn budget(&self) -> Budget {
        self.lane.budget()
    }

    fn caller(&self) -> &Arc<Caller> {
        self.lane.caller()
    }

    fn object(&self) -> &str {
        self.lane.object()
    }

    fn method(&self, index: u32) -> &'static str {
        self.lane.method(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(most: u32) -> Sessions {
        Sessions::new(&Limits { sessions: most, ..Limits::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_outlives_those_who_hold_it_and_is_forgotten_in_time() {
        let sessions = sessions(8);
        let number = sessions.open(7).unwrap().number;
        tokio::time::advance(Duration::from_secs(599)).await;
        let session = sessions.open(7).unwrap();
        assert_eq!(session.number, number);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!(sessions.open(7).unwrap().number, number, "somebody holds it");
        drop(session);
        assert_ne!(sessions.open(7).unwrap().number, number);
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_was_idle_for_longest_makes_room_but_never_one_in_use() {
        let sessions = sessions(2);
        let (first, second) = (sessions.open(1).unwrap(), sessions.open(2).unwrap());
        assert!(matches!(sessions.open(3), Err(NotStarted::Busy { .. })));
        let (number, second) = (first.number, {
            drop(first);
            second
        });
        tokio::time::advance(Duration::from_secs(1)).await;
        sessions.open(3).unwrap();
        assert_eq!(sessions.open(2).unwrap().number, second.number);
        assert_ne!(sessions.open(1).unwrap().number, number);
    }
}
