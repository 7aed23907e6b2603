//! How a connection goes on when it has lost its stream.
//!
//! Each end keeps what it has sent until the other has acknowledged it. The end that opened the connection opens another stream, both say
//! how much they have taken, and what is missing is sent again. Nobody above notices, but that it took a while.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, timeout, timeout_at};

use crate::peer::assembly::Landing;
use crate::peer::connection::Leaving;
use crate::peer::control;
use crate::peer::driver::{Driver, broken};
use crate::peer::greeting::{self, Comeback};
use crate::peer::receipts::Receipts;
use crate::peer::retained::Retained;
use crate::peer::room::Room;
use crate::peer::successor::Redial;
use crate::peer::tickets::Issued;
use crate::transport::Stream;
use crate::wire::{Frame, Limits, MessageType, Taken, Ticket};

/// What an end of a connection needs to go on over another stream.
pub(crate) struct Resumption {
    pub(super) retained: Retained,
    pub(super) receipts: Receipts,
    /// What the connection is known by, and how long the daemon waits; an end that opened it has to hear that first.
    ticket: Option<Ticket>,
    role: Role,
    keep_ms: u32,
    /// Streams that came to nothing since anything was taken, when the first of them was lost, and what had been taken by then.
    failures: u32,
    lost_at: Option<(Instant, u64)>,
    most: usize,
    /// Bytes that were sent before the count began.
    preamble: u64,
}

/// Which end it is.
pub(crate) enum Role {
    /// The one that opened the connection: how it gets another stream, and who it is.
    Caller { redial: Arc<dyn Redial>, session: u128 },
    /// The one that was called.
    Called(Issued),
}

impl Resumption {
    /// Of the end that opened the connection.
    pub(crate) fn of_caller(redial: Arc<dyn Redial>, session: u128, limits: &Limits) -> Resumption {
        Resumption::new(Role::Caller { redial, session }, None, limits)
    }

    /// Of the end that was called.
    pub(crate) fn of_called(issued: Issued, limits: &Limits) -> Resumption {
        let ticket = Ticket { ticket: issued.ticket(), keep_ms: limits.resume_ms };
        Resumption::new(Role::Called(issued), Some(ticket), limits)
    }

    fn new(role: Role, ticket: Option<Ticket>, limits: &Limits) -> Resumption {
        let retained = Retained::new(limits.resume_bytes);
        let (keep_ms, most) = (limits.resume_ms, limits.resume_bytes as usize);
        Resumption {
            retained,
            receipts: Receipts::default(),
            ticket,
            role,
            keep_ms,
            failures: 0,
            lost_at: None,
            most,
            preamble: 0,
        }
    }
}

impl Driver {
    /// The connection outlives its streams, if the peer wants that as well.
    pub(crate) fn resumable(&mut self, resumption: Resumption) {
        self.resumption = Some(Box::new(resumption));
    }

    /// These bytes go first; they end the handshake, and what is sent is counted from their end on.
    pub(crate) fn greet(&mut self, bytes: Vec<u8>) {
        self.shared.lock().taken += bytes.len() as u64;
        if let Some(resumption) = &mut self.resumption {
            resumption.preamble = bytes.len() as u64;
        }
        self.output = bytes;
    }

    /// Bytes of the peer that were taken, as whole frames.
    #[inline]
    pub(super) fn taken(&self) -> u64 {
        self.received - (self.input.len() + self.landing.as_ref().map_or(0, Landing::begun)) as u64
    }

    /// The peer has taken so many bytes.
    pub(super) fn acknowledged(&mut self, frame: &Frame) -> io::Result<()> {
        let Some(resumption) = &mut self.resumption else { return Err(broken("it acknowledges bytes unasked")) };
        let ack = Taken::decode(&frame.payload).map_err(|problem| broken(&problem.to_string()))?;
        resumption.retained.acknowledge(ack.taken).map_err(|_| broken("it acknowledges bytes that were never sent"))
    }

    /// What the connection is known by at the end that was called.
    pub(super) fn ticket(&mut self, frame: &Frame) -> io::Result<()> {
        let ticket = Ticket::decode(&frame.payload).map_err(|problem| broken(&problem.to_string()))?;
        match &mut self.resumption {
            Some(resumption) if matches!(resumption.role, Role::Caller { .. }) => resumption.ticket = Some(ticket),
            _ => return Err(broken("it gives a ticket unasked")),
        }
        Ok(())
    }

    /// Whether the connection is to go on over another stream, after its own was lost in this way.
    pub(super) fn outlives(&self, problem: &io::Error) -> bool {
        // What a peer does wrong, or this end wants, is not the stream's fault.
        let lost = !matches!(problem.kind(), io::ErrorKind::InvalidData | io::ErrorKind::Other);
        let Some(resumption) = self.resumption.as_ref().filter(|resumption| lost && resumption.ticket.is_some()) else {
            return false;
        };
        let state = self.shared.lock();
        if state.closed.is_some() || state.draining.is_some() || state.leaving != Leaving::No || state.hang_up {
            return false;
        }
        let told = state.told.saturating_sub(resumption.preamble);
        let hosts = self.shared.address.get().is_some_and(|address| address.is_used());
        state.successor.is_some()
            || state.in_flight.is_awaited()
            || !state.is_sent()
            || !state.streams.is_idle()
            || resumption.retained.has_before(told)
            // Whether the last replies have arrived, only the peer knows.
            || self.admitted > 0
            // Objects of this end are to be called back over it.
            || hosts
    }

    /// Waits for another stream, and goes on with it.
    ///
    /// # Errors
    /// None comes, or nobody waits any more; what ends the connection.
    pub(super) async fn resume(&mut self, problem: io::Error) -> io::Result<()> {
        let peer = self.shared.caller.address.clone();
        slog::info!(self.shared.log, "connection has lost its stream"; "peer" => &peer, "why" => %problem);
        // Half a frame is sent again as a whole.
        self.received = self.taken();
        self.input = BytesMut::new();
        if let Some(landing) = self.landing.take() {
            self.assemblies.take_back(&landing);
        }
        self.assemblies.pause();
        (self.output, self.sent, self.piece) = (Vec::new(), 0, Bytes::new());
        (self.partial_since, self.stalled_since) = (None, None);
        self.timer.stop();
        let Some(mut resumption) = self.resumption.take() else { return Err(problem) };
        let resumed = match &resumption.role {
            Role::Caller { redial, session } => {
                let (redial, session) = (Arc::clone(redial), *session);
                self.call_back(&mut resumption, &*redial, session, &problem).await
            }
            Role::Called(issued) => self.wait_for_successor(&resumption, issued).await,
        };
        let resumed = resumed.and_then(|stream| self.go_on(&mut resumption, stream));
        self.resumption = Some(resumption);
        match resumed {
            Ok(()) => {
                slog::info!(self.shared.log, "connection goes on over another stream"; "peer" => peer);
                self.silence.restart();
                self.assemblies.go_on(Instant::now());
                Ok(())
            }
            // The reason is what happened first.
            Err(then) => Err(io::Error::new(problem.kind(), format!("{problem}; {then}"))),
        }
    }

    /// Opens another stream.
    async fn call_back(
        &mut self,
        resumption: &mut Resumption,
        redial: &dyn Redial,
        session: u128,
        problem: &io::Error,
    ) -> io::Result<(Stream, u64, BytesMut)> {
        let Some(ticket) = resumption.ticket else { return Err(io::Error::other("it cannot be resumed")) };
        let keep = Duration::from_millis(resumption.keep_ms.min(ticket.keep_ms).into());
        let taken = self.received;
        // A stream over which nothing came has not helped.
        let lost_at = match resumption.lost_at {
            Some((at, before)) if before == taken => at,
            _ => {
                resumption.failures = 0;
                Instant::now()
            }
        };
        resumption.lost_at = Some((lost_at, taken));
        let until = lost_at + keep;
        let limits = self.shared.limits.clone();
        let mut last = problem.to_string();
        loop {
            let failures = resumption.failures;
            resumption.failures += 1;
            let attempt = async {
                let stream = redial.dial(failures).await?;
                let come_back = greeting::come_back(stream, &limits, session, ticket.ticket, taken);
                timeout(Duration::from_millis(limits.handshake_ms.into()), come_back).await?
            };
            match self.meanwhile(resumption, until, attempt).await? {
                None => {
                    return Err(io::Error::other(format!("no other stream within {} ms: {last}", keep.as_millis())));
                }
                Some(Ok(Comeback::Resumed { stream, taken, input })) => return Ok((stream, taken, input)),
                Some(Ok(Comeback::Refused(why))) => return Err(io::Error::other(why)),
                // Nobody is there any more.
                Some(Err(problem)) if is_gone(&problem) => return Err(problem),
                Some(Err(problem)) => last = problem.to_string(),
            }
        }
    }

    /// Waits for the peer to come back.
    async fn wait_for_successor(
        &mut self,
        resumption: &Resumption,
        issued: &Issued,
    ) -> io::Result<(Stream, u64, BytesMut)> {
        // What waits in queues of somebody who has gone is not run. Should he come back, he is told so.
        self.shared.given_up.insert_all();
        self.exports.sweep();
        self.shared.given_up.remove_all();
        issued.suspend();
        let until = Instant::now() + Duration::from_millis(resumption.keep_ms.into());
        let shared = Arc::clone(&self.shared);
        let successor = std::future::poll_fn(move |_| match shared.lock().successor.take() {
            Some(successor) => Poll::Ready(successor),
            None => Poll::Pending,
        });
        let successor = self.meanwhile(resumption, until, successor).await;
        issued.resume();
        let Some(successor) = successor? else {
            return Err(io::Error::other(format!("it did not come back within {} ms", resumption.keep_ms)));
        };
        let mut stream = successor.stream.attach()?;
        if resumption.retained.since(successor.taken).is_none() {
            let problem = "what the connection has sent is not kept any more";
            greeting::refuse(stream, problem).await;
            return Err(io::Error::other(problem));
        }
        greeting::resumed(&mut stream, self.received, &self.shared.limits).await?;
        Ok((stream, successor.taken, successor.input))
    }

    /// Goes on over this stream, whose other end has taken so many bytes.
    fn go_on(
        &mut self,
        resumption: &mut Resumption,
        (stream, taken, input): (Stream, u64, BytesMut),
    ) -> io::Result<()> {
        let missing = resumption.retained.since(taken);
        let Some(missing) = missing else {
            return Err(io::Error::other("what the other end has not taken is not kept any more"));
        };
        // It is as much as was checked just now.
        let _ = resumption.retained.acknowledge(taken);
        resumption.receipts = Receipts::until(self.received);
        self.received += input.len() as u64;
        (self.stream, self.input, self.output, self.room) = (stream, input, missing, Room::default());
        let mut state = self.shared.lock();
        state.written = resumption.preamble + taken;
        for seq in state.in_flight.overdue(state.written) {
            control::write(&mut state.out, MessageType::Cancel, seq, |_| Ok(()));
        }
        Ok(())
    }

    /// Waits for `other` until then, and does what is to be done for callers and calls in the meantime; `None` when the time is over.
    ///
    /// # Errors
    /// There is nobody left to wait for.
    async fn meanwhile<T>(
        &mut self,
        resumption: &Resumption,
        until: Instant,
        other: impl Future<Output = T>,
    ) -> io::Result<Option<T>> {
        let mut other = pin!(timeout_at(until, other));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(outcome) = other.as_mut().poll(cx) {
                return Poll::Ready(Ok(outcome.ok()));
            }
            match self.keep_house(resumption, cx) {
                Ok(()) => Poll::Pending,
                Err(problem) => Poll::Ready(Err(problem)),
            }
        })
        .await
    }

    fn keep_house(&mut self, resumption: &Resumption, cx: &mut Context<'_>) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.in_flight.begin(Instant::now);
        if let Some(problem) = &state.closed {
            return Err(io::Error::other(problem.to_string()));
        }
        if state.hang_up || state.leaving != Leaving::No {
            return Err(io::Error::other("this end has ended"));
        }
        let called = matches!(resumption.role, Role::Called(_));
        if state.released && !state.in_flight.is_awaited() && state.is_sent() && state.streams.is_idle() {
            return Err(io::Error::other("nobody uses it any more"));
        }
        if called && state.out.len() + state.bulk.answers() > resumption.most {
            return Err(io::Error::other("too much waits for another stream"));
        }
        state.task = Some(cx.waker().clone());
        drop(state);
        self.sleep(cx)
    }
}

/// Whether nobody is there, instead of the way being broken.
fn is_gone(problem: &io::Error) -> bool {
    matches!(problem.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}
