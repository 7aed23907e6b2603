//! The calls that wait for a reply: a plain table, no IO, time handed in.

use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::wire::{Annotations, Flags, Frame, SerializerId};

/// Calls out on one connection. A call's place is its sequence number on the wire.
///
/// A place is free again only when its reply has come: a call that was given up keeps it until then, so that a late reply never reaches
/// another call.
#[derive(Debug)]
pub struct InFlight {
    slots: Vec<Slot>,
    free: Vec<u16>,
    capacity: u16,
    /// Calls whose time has not begun.
    new: Vec<u16>,
    /// No call that waits has an earlier deadline; it may be earlier than all of them.
    earliest: Option<Instant>,
}

#[derive(Debug)]
enum Slot {
    Free,
    /// Until `deadline`, which it has from the moment its time begins.
    Waiting {
        waker: Waker,
        ms: u32,
        deadline: Option<Instant>,
        end: u64,
    },
    /// With the deadline it had.
    Ready(Ending, Option<Instant>),
    Abandoned,
}

/// What of a reply its caller needs.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether it is a fault.
    pub flags: Flags,
    /// What it is written in.
    pub serializer: SerializerId,
    /// The value or the fault.
    pub payload: Bytes,
    /// What came beside it, if anything did.
    pub annotations: Option<Box<Annotations>>,
}

impl From<Frame> for Answer {
    fn from(frame: Frame) -> Answer {
        let annotations = (!frame.annotations.is_empty()).then(|| Box::new(frame.annotations));
        let (flags, serializer) = (frame.header.flags, frame.header.serializer);
        Answer { flags, serializer, payload: frame.payload, annotations }
    }
}

/// How waiting for a reply ended.
#[derive(Debug)]
pub enum Ending {
    /// The reply came.
    Reply(Answer),
    /// The deadline passed.
    OutOfTime,
    /// The connection was lost; whether the peer may have taken the call.
    Lost {
        /// All of it had been given to the network, and the peer has not said that it did not take it.
        written: bool,
    },
}

impl InFlight {
    /// A table for at most `capacity` calls.
    pub fn new(capacity: u16) -> InFlight {
        InFlight { slots: Vec::new(), free: Vec::new(), capacity, new: Vec::new(), earliest: None }
    }

    /// The peer takes fewer, or more, calls at a time.
    pub fn set_capacity(&mut self, capacity: u16) {
        self.capacity = capacity;
    }

    /// A place for a call that has so many milliseconds; `None` when too many wait.
    pub fn insert(&mut self, waker: Waker, ms: u32) -> Option<u16> {
        let slot = Slot::Waiting { waker, ms, deadline: None, end: 0 };
        let seq = match self.free.pop() {
            Some(seq) => {
                self.slots[usize::from(seq)] = slot;
                seq
            }
            None if self.slots.len() < usize::from(self.capacity) => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u16
            }
            None => return None,
        };
        self.new.push(seq);
        Some(seq)
    }

    /// The time of new calls begins. That is asked for once for all calls that leave together: a clock is dear.
    pub fn begin(&mut self, now: impl FnOnce() -> Instant) {
        if self.new.is_empty() {
            return;
        }
        let now = now();
        for seq in self.new.drain(..) {
            if let Slot::Waiting { ms, deadline: deadline @ None, .. } = &mut self.slots[usize::from(seq)] {
                let end = now + Duration::from_millis((*ms).into());
                *deadline = Some(end);
                if self.earliest.is_none_or(|earliest| end < earliest) {
                    self.earliest = Some(end);
                }
            }
        }
    }

    /// The call's bytes end at `end` in the stream of all bytes sent.
    pub fn written_until(&mut self, seq: u16, at: u64) {
        if let Some(Slot::Waiting { end, .. }) = self.slots.get_mut(usize::from(seq)) {
            *end = at;
        }
    }

    /// The call was not sent after all.
    pub fn remove(&mut self, seq: u16) {
        if let Some(slot) = self.slots.get_mut(usize::from(seq)) {
            *slot = Slot::Free;
            self.free.push(seq);
        }
    }

    /// A reply has come. `Err` when nobody ever asked for it; `Ok(None)` when nobody waits any more.
    ///
    /// # Errors
    /// The frame, when its sequence number is not one in flight.
    pub fn complete(&mut self, frame: Frame) -> Result<Option<Waker>, Frame> {
        let seq = frame.header.seq;
        match self.slots.get_mut(usize::from(seq)) {
            Some(slot @ Slot::Waiting { .. }) => {
                let Slot::Waiting { waker, deadline, .. } = std::mem::replace(slot, Slot::Free) else {
                    return Ok(None);
                };
                *slot = Slot::Ready(Ending::Reply(frame.into()), deadline);
                Ok(Some(waker))
            }
            Some(slot @ Slot::Abandoned) => {
                *slot = Slot::Free;
                self.free.push(seq);
                Ok(None)
            }
            Some(Slot::Ready(ending @ Ending::OutOfTime, _)) => {
                // The caller has not seen yet that its time is over; now it need not.
                *ending = Ending::Reply(frame.into());
                Ok(None)
            }
            _ => Err(frame),
        }
    }

    /// How the call ended, and the deadline it had if its time had begun; or nothing yet: then `waker` is woken when it does.
    pub fn poll(&mut self, seq: u16, waker: &Waker) -> Option<(Ending, Option<Instant>)> {
        let slot = self.slots.get_mut(usize::from(seq))?;
        match slot {
            Slot::Waiting { waker: old, .. } => {
                if !old.will_wake(waker) {
                    old.clone_from(waker);
                }
                None
            }
            Slot::Ready(..) => {
                let Slot::Ready(ending, deadline) = std::mem::replace(slot, Slot::Free) else { return None };
                if matches!(ending, Ending::OutOfTime) {
                    *slot = Slot::Abandoned;
                } else {
                    self.free.push(seq);
                }
                Some((ending, deadline))
            }
            Slot::Free | Slot::Abandoned => None,
        }
    }

    /// The caller waits no more. Says whether the other end should hear of it: that somebody's time is over it knows by itself.
    pub fn abandon(&mut self, seq: u16) -> bool {
        let Some(slot) = self.slots.get_mut(usize::from(seq)) else { return false };
        match slot {
            Slot::Waiting { .. } => {
                *slot = Slot::Abandoned;
                return true;
            }
            Slot::Ready(Ending::OutOfTime, _) => *slot = Slot::Abandoned,
            Slot::Ready(..) => self.remove(seq),
            Slot::Free | Slot::Abandoned => {}
        }
        false
    }

    /// The reply of a call whose caller has not seen yet that it opens a stream.
    pub fn opened(&self, seq: u16) -> Option<&Answer> {
        match self.slots.get(usize::from(seq)) {
            Some(Slot::Ready(Ending::Reply(answer), _)) if answer.flags.contains(Flags::ITEM_STREAM) => Some(answer),
            _ => None,
        }
    }

    /// When [`expire`](InFlight::expire) is to be called.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.earliest
    }

    /// Ends the calls whose deadline has passed. It looks at every call in flight, but only when the earliest deadline that was ever
    /// given is over: with equal timeouts that is once in that time.
    pub fn expire(&mut self, now: Instant, wakers: &mut Vec<Waker>) {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return;
        }
        let mut earliest = None;
        for slot in &mut self.slots {
            let Slot::Waiting { deadline: Some(deadline), .. } = slot else { continue };
            if *deadline <= now {
                let ended = Slot::Ready(Ending::OutOfTime, Some(*deadline));
                if let Slot::Waiting { waker, .. } = std::mem::replace(slot, ended) {
                    wakers.push(waker);
                }
            } else if earliest.is_none_or(|earliest| *deadline < earliest) {
                earliest = Some(*deadline);
            }
        }
        self.earliest = earliest;
    }

    /// The connection is lost after `written` bytes: ends every call. Their callers are to be woken in the order in which they called, so
    /// that they can call again in that order.
    pub fn lose_all(&mut self, written: u64, wakers: &mut Vec<Waker>) {
        let mut lost = Vec::new();
        for slot in &mut self.slots {
            match slot {
                Slot::Waiting { end, deadline, .. } => {
                    let end = *end;
                    let ending = Slot::Ready(Ending::Lost { written: end <= written }, *deadline);
                    if let Slot::Waiting { waker, .. } = std::mem::replace(slot, ending) {
                        lost.push((end, waker));
                    }
                }
                Slot::Abandoned => *slot = Slot::Free,
                Slot::Free | Slot::Ready(..) => {}
            }
        }
        lost.sort_by_key(|(end, _)| *end);
        wakers.extend(lost.into_iter().map(|(_, waker)| waker));
        self.earliest = None;
    }

    /// Whether any call waits for its reply.
    pub fn is_idle(&self) -> bool {
        !self.slots.iter().any(|slot| matches!(slot, Slot::Waiting { .. } | Slot::Abandoned))
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::wire::{CorrelationId, Flags, FrameWriter, MessageType, SerializerId};

    fn reply(seq: u16) -> Frame {
        let mut out = Vec::new();
        let writer = FrameWriter::begin(
            &mut out,
            MessageType::Result,
            SerializerId::POSTCARD,
            Flags::default(),
            seq,
            CorrelationId::NONE,
        );
        writer.finish(&mut out, 1024).unwrap();
        Frame::decode(&mut BytesMut::from(&out[..]), 1024).unwrap().unwrap()
    }

    const SOON: u32 = 30_000;

    #[test]
    fn a_late_reply_never_reaches_another_call() {
        let mut table = InFlight::new(1);
        let first = table.insert(Waker::noop().clone(), SOON).unwrap();
        assert!(table.abandon(first), "the other end is told");
        assert!(!table.abandon(first), "once");
        assert_eq!(table.insert(Waker::noop().clone(), SOON), None, "its place is not given away");
        assert!(table.complete(reply(first)).unwrap().is_none());
        let second = table.insert(Waker::noop().clone(), SOON).unwrap();
        assert!(table.poll(second, Waker::noop()).is_none());
    }

    #[test]
    fn a_reply_nobody_asked_for_is_told_apart() {
        let mut table = InFlight::new(4);
        assert!(table.complete(reply(3)).is_err());
        let seq = table.insert(Waker::noop().clone(), SOON).unwrap();
        assert!(table.complete(reply(seq)).unwrap().is_some());
        assert!(table.complete(reply(seq)).is_err(), "answered twice");
    }

    #[test]
    fn only_those_whose_time_is_over_expire() {
        let now = Instant::now();
        let mut table = InFlight::new(4);
        let short = table.insert(Waker::noop().clone(), 5).unwrap();
        let long = table.insert(Waker::noop().clone(), 5_000).unwrap();
        assert_eq!(table.next_expiry(), None, "their time has not begun");
        table.begin(|| now);
        let mut wakers = Vec::new();
        table.expire(now + Duration::from_millis(5), &mut wakers);
        assert_eq!(wakers.len(), 1);
        assert!(matches!(table.poll(short, Waker::noop()), Some((Ending::OutOfTime, _))));
        assert!(table.poll(long, Waker::noop()).is_none());
        assert_eq!(table.next_expiry(), Some(now + Duration::from_secs(5)));
    }

    #[test]
    fn a_lost_connection_tells_what_was_written() {
        let mut table = InFlight::new(4);
        let (first, second) =
            (table.insert(Waker::noop().clone(), SOON).unwrap(), table.insert(Waker::noop().clone(), SOON).unwrap());
        table.written_until(first, 100);
        table.written_until(second, 200);
        table.lose_all(150, &mut Vec::new());
        assert!(matches!(table.poll(first, Waker::noop()), Some((Ending::Lost { written: true }, _))));
        assert!(matches!(table.poll(second, Waker::noop()), Some((Ending::Lost { written: false }, _))));
    }
}
