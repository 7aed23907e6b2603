//! What the peer sends, frame by frame.

use std::io;
use std::sync::{Arc, MutexGuard};
use std::task::Waker;

use tokio::time::Instant;

use crate::object::outcome::NotStarted;
use crate::peer::connection::State;
use crate::peer::control;
use crate::peer::driver::{Driver, PING, broken};
use crate::peer::in_flight::Stray;
use crate::peer::items;
use crate::peer::passages::is_passage;
use crate::peer::stream::Breach;
use crate::wire::{Bind, Flags, Frame, FrameWriter, Frames, GoAway, MessageType, Release};

/// Replies to calls that were never made, before the peer is taken for broken.
const MAX_STRAY: u32 = 16;

impl Driver {
    /// Takes the whole frames that have come, but no more than so many.
    pub(super) fn take_frames(&mut self, most: usize) -> io::Result<()> {
        let now = Instant::now();
        let shared = Arc::clone(&self.shared);
        // Replies are delivered under one lock; it is let go before anything else is done.
        let mut state: Option<MutexGuard<'_, State>> = None;
        let mut result = Ok(());
        let mut begun = self.partial_since;
        let mut frames = Frames::split_first(&mut self.input, shared.limits.max_message, most);
        while let Some(frame) = frames.next_frame() {
            begun = None;
            match frame.header.kind {
                MessageType::Result | MessageType::Bound | MessageType::Opened | MessageType::Flushed => {
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
                        Err(Stray) => self.stray += 1,
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
        if result.is_ok()
            && let Some(problem) = frames.problem()
        {
            result = Err(io::Error::new(io::ErrorKind::InvalidData, problem.to_string()));
        }
        self.hand_over(state.unwrap_or_else(|| shared.lock()));
        // A frame has its time from its first byte on, however often a further one drips in.
        self.partial_since = if self.input.is_empty() || frames.has_rest() { None } else { begun.or(Some(now)) };
        if !self.assemblies.is_empty() && !frames.has_rest() && result.is_ok() {
            result = self.land();
        }
        self.check_stray()?;
        result
    }

    /// Objects get what was taken for them, and callers their turn.
    pub(super) fn hand_over(&mut self, mut state: MutexGuard<'_, State>) {
        state.admitted = self.admitted;
        drop(state);
        if !self.arrived.is_empty() {
            self.settled = false;
            self.deliver();
        }
        if std::mem::take(&mut self.sweep) {
            self.exports.sweep();
        }
        self.wakers.drain(..).for_each(Waker::wake);
    }

    /// # Errors
    /// The peer has said too often what it was not asked.
    pub(super) fn check_stray(&self) -> io::Result<()> {
        if self.stray > MAX_STRAY {
            return Err(broken("it replies to calls that were never made"));
        }
        Ok(())
    }

    /// One frame that is neither a call nor a reply.
    fn take(&mut self, frame: Frame) -> io::Result<()> {
        match frame.header.kind {
            MessageType::Bind => self.bind(&frame),
            MessageType::Ping => self.ping(&frame),
            MessageType::Session => self.open_session(&frame),
            MessageType::Flush => self.flush(&frame),
            MessageType::Release => self.release(&frame),
            MessageType::Address => self.address(&frame),
            MessageType::Addressed => self.addressed(frame),
            MessageType::GoAway => {
                let away = GoAway::decode(&frame.payload);
                let mut state = self.shared.lock();
                if let Ok(away) = &away {
                    state.peer_takes = state.peer_takes.min(away.taken);
                }
                state.draining = Some(away.map_or_else(|e| e.to_string(), |away| away.reason));
            }
            MessageType::Batch => self.batch(&frame),
            MessageType::Pipeline => return self.pipeline(&frame),
            MessageType::Cancel => return self.cancel(frame.header.seq),
            MessageType::Chunk => return self.chunk(&frame),
            MessageType::Ack => return self.acknowledged(&frame),
            MessageType::Ticket => return self.ticket(&frame),
            MessageType::Item => {
                let woken = self.shared.lock().streams.arrived(&frame);
                return self.streamed(woken);
            }
            MessageType::Credit => {
                let woken = self.shared.lock().streams.credit(&frame);
                return self.streamed(woken);
            }
            kind => return Err(broken(&format!("it sent a {kind:?} message in the middle of the conversation"))),
        }
        Ok(())
    }

    /// A caller of the peer waits no more. It may name a call whose reply is on its way, but no more calls than there were.
    fn cancel(&mut self, seq: u16) -> io::Result<()> {
        self.cancelled += 1;
        if self.cancelled > self.admitted + u64::from(MAX_STRAY) {
            return Err(broken("it gives up more calls than it made"));
        }
        self.shared.given_up.insert(seq);
        self.wakers.extend(self.shared.lock().watching.remove(&seq));
        // Once for all that came together: it looks at everything that waits.
        self.sweep = true;
        Ok(())
    }

    /// A reply that opens a stream.
    #[cold]
    pub(super) fn opened(&mut self, state: &mut State, frame: Frame) -> io::Result<()> {
        let seq = frame.header.seq;
        let stream = match state.streams.opened(&frame) {
            Ok(stream) => stream,
            Err(breach) => return self.streamed(Err(breach)),
        };
        match state.in_flight.complete(frame) {
            Ok(waker) => self.wakers.extend(waker),
            Err(Stray) => self.stray += 1,
        }
        if state.in_flight.opened(seq).is_none() {
            items::give_up(state, stream);
        }
        Ok(())
    }

    /// What a frame of a stream has led to.
    pub(super) fn streamed(&mut self, woken: Result<Option<Waker>, Breach>) -> io::Result<()> {
        match woken {
            Ok(waker) => self.wakers.extend(waker),
            Err(Breach::Stray) => self.stray += 1,
            Err(Breach::Broken(what)) => return Err(broken(what)),
        }
        Ok(())
    }

    fn ping(&mut self, frame: &Frame) {
        let header = frame.header;
        if &frame.payload[..] == b"pong" {
            // That it has come is all there is to it, however late.
            self.stray += u32::from(header.seq != PING);
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

    /// An object that the peer needs no more.
    fn release(&mut self, frame: &Frame) {
        let Ok(release) = Release::decode(&frame.payload) else { return };
        // What has arrived for it goes first.
        self.deliver();
        if is_passage(release.handle as usize) {
            self.release_passage(release);
        } else {
            self.exports.release(release);
        }
    }

    fn bind(&mut self, frame: &Frame) {
        if self.bind_passage(frame) {
            return;
        }
        let bound = match Bind::decode(&frame.payload) {
            Ok(bind) => self.exports.bind(&bind.target, &self.shared),
            Err(problem) => Err(NotStarted::NoSuchObject { object: problem.to_string() }),
        };
        let gone = || NotStarted::NoSuchObject { object: String::new() };
        let table = bound.and_then(|handle| self.exports.name(handle).ok_or_else(gone));
        let limit = self.shared.peer_limits.max_message;
        self.shared.append(|out| {
            control::answer(out, MessageType::Bound, frame.header.seq, limit, table, |table, out| table.encode(out));
        });
    }
}
