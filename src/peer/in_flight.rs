//! The calls that wait for a reply: a plain table, no IO, time handed in.

use std::task::Waker;

use bytes::Bytes;
use tokio::time::Instant;

use crate::wire::{Flags, Frame, SerializerId};

/// Calls out on one connection. A call's place is its sequence number on the wire.
///
/// A place is free again only when its reply has come: a call that was given up keeps it until then, so that a late reply never reaches
/// another call.
#[derive(Debug)]
pub struct InFlight {
    slots: Vec<Slot>,
    free: Vec<u16>,
    capacity: u16,
    /// No call that waits has an earlier deadline; it may be earlier than all of them.
    earliest: Option<Instant>,
}

#[derive(Debug)]
enum Slot {
    Free,
    Waiting { waker: Waker, deadline: Instant, end: u64 },
    Ready(Ending),
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
}

impl From<Frame> for Answer {
    fn from(frame: Frame) -> Answer {
        Answer { flags: frame.header.flags, serializer: frame.header.serializer, payload: frame.payload }
    }
}

/// How waiting for a reply ended.
#[derive(Debug)]
pub enum Ending {
    /// The reply came.
    Reply(Answer),
    /// The deadline passed.
    OutOfTime,
    /// The connection was lost; whether the last byte of the call had been given to the network.
    Lost {
        /// All of it.
        written: bool,
    },
}

impl InFlight {
    /// A table for at most `capacity` calls.
    pub fn new(capacity: u16) -> InFlight {
        InFlight { slots: Vec::new(), free: Vec::new(), capacity, earliest: None }
    }

    /// The peer takes fewer, or more, calls at a time.
    pub fn set_capacity(&mut self, capacity: u16) {
        self.capacity = capacity;
    }

    /// A place for a call; `None` when too many wait.
    pub fn insert(&mut self, waker: Waker, deadline: Instant) -> Option<u16> {
        let slot = Slot::Waiting { waker, deadline, end: 0 };
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
        if self.earliest.is_none_or(|earliest| deadline < earliest) {
            self.earliest = Some(deadline);
        }
        Some(seq)
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
                let before = std::mem::replace(slot, Slot::Ready(Ending::Reply(frame.into())));
                let Slot::Waiting { waker, .. } = before else { return Ok(None) };
                Ok(Some(waker))
            }
            Some(slot @ Slot::Abandoned) => {
                *slot = Slot::Free;
                self.free.push(seq);
                Ok(None)
            }
            Some(Slot::Ready(Ending::OutOfTime)) => {
                // The caller has not seen yet that its time is over; now it need not.
                self.slots[usize::from(seq)] = Slot::Ready(Ending::Reply(frame.into()));
                Ok(None)
            }
            _ => Err(frame),
        }
    }

    /// How the call ended, or nothing yet: then `waker` is woken when it does.
    pub fn poll(&mut self, seq: u16, waker: &Waker) -> Option<Ending> {
        let slot = self.slots.get_mut(usize::from(seq))?;
        match slot {
            Slot::Waiting { waker: old, .. } => {
                if !old.will_wake(waker) {
                    old.clone_from(waker);
                }
                None
            }
            Slot::Ready(_) => {
                let Slot::Ready(ending) = std::mem::replace(slot, Slot::Free) else { return None };
                if matches!(ending, Ending::OutOfTime) {
                    *slot = Slot::Abandoned;
                } else {
                    self.free.push(seq);
                }
                Some(ending)
            }
            Slot::Free | Slot::Abandoned => None,
        }
    }

    /// The caller waits no more.
    pub fn abandon(&mut self, seq: u16) {
        let Some(slot) = self.slots.get_mut(usize::from(seq)) else { return };
        match slot {
            Slot::Waiting { .. } | Slot::Ready(Ending::OutOfTime) => *slot = Slot::Abandoned,
            Slot::Ready(_) => self.remove(seq),
            Slot::Free | Slot::Abandoned => {}
        }
    }

    /// The reply of a call whose caller has not seen yet that it opens a stream.
    pub fn opened(&self, seq: u16) -> Option<&Answer> {
        match self.slots.get(usize::from(seq)) {
            Some(Slot::Ready(Ending::Reply(answer))) if answer.flags.contains(Flags::ITEM_STREAM) => Some(answer),
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
            let Slot::Waiting { deadline, .. } = slot else { continue };
            if *deadline <= now {
                if let Slot::Waiting { waker, .. } = std::mem::replace(slot, Slot::Ready(Ending::OutOfTime)) {
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
                Slot::Waiting { end, .. } => {
                    let end = *end;
                    let ending = Slot::Ready(Ending::Lost { written: end <= written });
                    if let Slot::Waiting { waker, .. } = std::mem::replace(slot, ending) {
                        lost.push((end, waker));
                    }
                }
                Slot::Abandoned => *slot = Slot::Free,
                Slot::Free | Slot::Ready(_) => {}
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
    use std::time::Duration;

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

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[test]
    fn a_late_reply_never_reaches_another_call() {
        let mut table = InFlight::new(1);
        let first = table.insert(Waker::noop().clone(), soon()).unwrap();
        table.abandon(first);
        assert_eq!(table.insert(Waker::noop().clone(), soon()), None, "its place is not given away");
        assert!(table.complete(reply(first)).unwrap().is_none());
        let second = table.insert(Waker::noop().clone(), soon()).unwrap();
        assert!(table.poll(second, Waker::noop()).is_none());
    }

    #[test]
    fn a_reply_nobody_asked_for_is_told_apart() {
        let mut table = InFlight::new(4);
        assert!(table.complete(reply(3)).is_err());
        let seq = table.insert(Waker::noop().clone(), soon()).unwrap();
        assert!(table.complete(reply(seq)).unwrap().is_some());
        assert!(table.complete(reply(seq)).is_err(), "answered twice");
    }

    #[test]
    fn only_those_whose_time_is_over_expire() {
        let now = Instant::now();
        let mut table = InFlight::new(4);
        let short = table.insert(Waker::noop().clone(), now + Duration::from_millis(5)).unwrap();
        let long = table.insert(Waker::noop().clone(), now + Duration::from_secs(5)).unwrap();
        let mut wakers = Vec::new();
        table.expire(now + Duration::from_millis(5), &mut wakers);
        assert_eq!(wakers.len(), 1);
        assert!(matches!(table.poll(short, Waker::noop()), Some(Ending::OutOfTime)));
        assert!(table.poll(long, Waker::noop()).is_none());
        assert_eq!(table.next_expiry(), Some(now + Duration::from_secs(5)));
    }

    #[test]
    fn a_lost_connection_tells_what_was_written() {
        let mut table = InFlight::new(4);
        let (first, second) = (
            table.insert(Waker::noop().clone(), soon()).unwrap(),
            table.insert(Waker::noop().clone(), soon()).unwrap(),
        );
        table.written_until(first, 100);
        table.written_until(second, 200);
        table.lose_all(150, &mut Vec::new());
        assert!(matches!(table.poll(first, Waker::noop()), Some(Ending::Lost { written: true })));
        assert!(matches!(table.poll(second, Waker::noop()), Some(Ending::Lost { written: false })));
    }
}
