//! The calls that wait for a reply: a plain table, no IO, time handed in.

use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::peer::deadlines::Deadlines;
use crate::wire::{Annotations, Flags, Frame, Payload, SerializerId};

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
    deadlines: Deadlines,
}

// Parts that are written and read one by one, not an enum of them: what is put together and moved on at once is slow to move.
#[derive(Debug)]
struct Slot {
    phase: Phase,
    /// Wakes the caller; none but while it waits.
    waker: Option<Waker>,
    /// The time the call has, and when it ends: that it has from the moment its time begins.
    ms: u32,
    deadline: Option<Instant>,
    /// The call's bytes end there in the stream of all bytes sent.
    end: u64,
    /// While [`Phase::Replied`].
    answer: Option<Answer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Free,
    Waiting,
    Replied,
    /// Its time is over, which its caller has not seen yet; its reply may still come.
    Late,
    /// The same when no reply will come.
    OutOfTime,
    Lost {
        written: bool,
    },
    /// Its caller has seen that its time is over; its reply may still come.
    Overdue,
    /// Its caller waits no more; its reply may still come.
    Abandoned,
}

impl Slot {
    /// It ends; its caller is to be woken.
    #[inline]
    fn finish(&mut self, phase: Phase) -> Option<Waker> {
        self.phase = phase;
        self.waker.take()
    }
}

/// A call that ends behind this has not been given to the network: it waits for its turn among those that are sent in chunks.
pub(crate) const UNSENT: u64 = 1 << 63;

/// What of a reply its caller needs.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether it is a fault.
    pub flags: Flags,
    /// What it is written in.
    pub serializer: SerializerId,
    /// The value or the fault.
    pub payload: Payload,
    /// What came beside it, if anything did.
    pub annotations: Option<Box<Annotations>>,
}

impl Answer {
    /// Whether it is the value that the handler returned: no fault, and no stream.
    #[inline]
    pub(crate) fn is_value(&self) -> bool {
        !self.flags.contains(Flags::EXCEPTION) && !self.flags.contains(Flags::ITEM_STREAM)
    }
}

impl From<Frame> for Answer {
    #[inline]
    fn from(frame: Frame) -> Answer {
        let annotations = (!frame.annotations.is_empty()).then(|| Box::new(frame.annotations));
        let (flags, serializer) = (frame.header.flags, frame.header.serializer);
        Answer { flags, serializer, payload: frame.payload, annotations }
    }
}

/// A reply to a call that was never made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stray;

/// How waiting for a reply ended.
#[derive(Debug)]
pub enum Ending {
    /// The reply came.
    Reply(Answer),
    /// The deadline passed.
    OutOfTime {
        /// Whether the peer may have taken the call; a call that has not been sent by now never will be.
        sent: bool,
    },
    /// The connection was lost; whether the peer may have taken the call.
    Lost {
        /// All of it had been given to the network, and the peer has not said that it did not take it.
        written: bool,
    },
}

impl InFlight {
    /// A table for at most `capacity` calls.
    pub fn new(capacity: u16) -> InFlight {
        InFlight { slots: Vec::new(), free: Vec::new(), capacity, new: Vec::new(), deadlines: Deadlines::default() }
    }

    /// Places that are taken.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The peer takes fewer, or more, calls at a time.
    pub fn set_capacity(&mut self, capacity: u16) {
        self.capacity = capacity;
    }

    /// A place for a call that has so many milliseconds; `None` when too many wait.
    #[inline]
    pub fn insert(&mut self, waker: Waker, ms: u32) -> Option<u16> {
        let seq = match self.free.pop() {
            Some(seq) => {
                let slot = &mut self.slots[usize::from(seq)];
                slot.phase = Phase::Waiting;
                slot.waker = Some(waker);
                slot.ms = ms;
                slot.deadline = None;
                slot.end = 0;
                seq
            }
            None if self.slots.len() < usize::from(self.capacity) => {
                let (phase, waker) = (Phase::Waiting, Some(waker));
                self.slots.push(Slot { phase, waker, ms, deadline: None, end: 0, answer: None });
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
            let slot = &mut self.slots[usize::from(seq)];
            if slot.phase == Phase::Waiting && slot.deadline.is_none() {
                let end = now + Duration::from_millis(slot.ms.into());
                slot.deadline = Some(end);
                self.deadlines.add(end, seq);
            }
        }
    }

    /// The call's bytes end at `end` in the stream of all bytes sent.
    #[inline]
    pub fn written_until(&mut self, seq: u16, end: u64) {
        if let Some(slot) = self.slots.get_mut(usize::from(seq)) {
            slot.end = end;
        }
    }

    /// The call was not sent after all.
    pub fn remove(&mut self, seq: u16) {
        if let Some(slot) = self.slots.get_mut(usize::from(seq)) {
            slot.finish(Phase::Free);
            slot.answer = None;
            self.free.push(seq);
        }
    }

    /// A reply has come. `Err` when nobody ever asked for it; `Ok(None)` when nobody waits any more.
    ///
    /// # Errors
    /// Its sequence number is not one in flight.
    #[inline(always)]
    pub fn complete(&mut self, frame: Frame) -> Result<Option<Waker>, Stray> {
        let seq = frame.header.seq;
        let Some(slot) = self.slots.get_mut(usize::from(seq)) else { return Err(Stray) };
        match slot.phase {
            // Who has not seen yet that its time is over need not.
            Phase::Waiting | Phase::Late => {
                slot.answer = Some(frame.into());
                Ok(slot.finish(Phase::Replied))
            }
            Phase::Abandoned | Phase::Overdue => {
                slot.phase = Phase::Free;
                self.free.push(seq);
                Ok(None)
            }
            Phase::Free | Phase::Replied | Phase::OutOfTime | Phase::Lost { .. } => Err(Stray),
        }
    }

    /// The reply to the call and the deadline it had, if it has come: what `poll` says of most calls in the end, with less in hand.
    #[inline(always)]
    pub(crate) fn reply(&mut self, seq: u16) -> Option<(Answer, Option<Instant>)> {
        let slot = self.slots.get_mut(usize::from(seq)).filter(|slot| slot.phase == Phase::Replied)?;
        slot.phase = Phase::Free;
        self.free.push(seq);
        Some((slot.answer.take()?, slot.deadline))
    }

    /// How the call ended, and the deadline it had if its time had begun; or nothing yet: then `waker` is woken when it does.
    // Always inlined, as what calls it: how a call ended is large, and would be moved from hand to hand.
    #[inline(always)]
    pub fn poll(&mut self, seq: u16, waker: &Waker) -> Option<(Ending, Option<Instant>)> {
        let slot = self.slots.get_mut(usize::from(seq))?;
        let ending = match slot.phase {
            Phase::Waiting => {
                match &mut slot.waker {
                    Some(old) if old.will_wake(waker) => {}
                    old => *old = Some(waker.clone()),
                }
                return None;
            }
            Phase::Free | Phase::Abandoned | Phase::Overdue => return None,
            Phase::Late => {
                slot.phase = Phase::Overdue;
                return Some((Ending::OutOfTime { sent: slot.end < UNSENT }, slot.deadline));
            }
            Phase::OutOfTime => Ending::OutOfTime { sent: slot.end < UNSENT },
            Phase::Lost { written } => Ending::Lost { written },
            Phase::Replied => Ending::Reply(slot.answer.take()?),
        };
        slot.phase = Phase::Free;
        self.free.push(seq);
        Some((ending, slot.deadline))
    }

    /// The caller waits no more. Says whether the other end should hear of it: that somebody's time is over it knows by itself, and a call
    /// that was not sent it does not know.
    pub fn abandon(&mut self, seq: u16) -> bool {
        let Some(slot) = self.slots.get_mut(usize::from(seq)) else { return false };
        match slot.phase {
            Phase::Waiting => {
                slot.finish(Phase::Abandoned);
                return slot.end < UNSENT;
            }
            Phase::Late => slot.phase = Phase::Overdue,
            Phase::Replied | Phase::OutOfTime | Phase::Lost { .. } => self.remove(seq),
            Phase::Free | Phase::Abandoned | Phase::Overdue => {}
        }
        false
    }

    /// Whether the reply to the call is still waited for, which is not sent yet and ends at `end`. When not, it need not be sent; and if it
    /// was given up, its place is free now: no reply will come.
    pub(crate) fn is_wanted(&mut self, seq: u16, end: u64) -> bool {
        let Some(slot) = self.slots.get_mut(usize::from(seq)).filter(|slot| slot.end == end) else { return false };
        match slot.phase {
            Phase::Waiting => return true,
            Phase::Abandoned | Phase::Overdue => self.remove(seq),
            Phase::Late => slot.phase = Phase::OutOfTime,
            _ => {}
        }
        false
    }

    /// Whether the call waits for its turn to be sent, or was given up before that.
    pub(crate) fn is_unsent(&self, seq: u16) -> bool {
        let Some(slot) = self.slots.get(usize::from(seq)) else { return true };
        match slot.phase {
            Phase::Waiting | Phase::Late | Phase::Overdue | Phase::Abandoned => slot.end >= UNSENT,
            Phase::Replied | Phase::OutOfTime | Phase::Lost { .. } => false,
            Phase::Free => true,
        }
    }

    /// Whether a reply may come to `seq`.
    pub(crate) fn expects(&self, seq: u16) -> bool {
        let slot = self.slots.get(usize::from(seq));
        slot.is_some_and(|slot| matches!(slot.phase, Phase::Waiting | Phase::Late | Phase::Overdue | Phase::Abandoned))
    }

    /// The reply of a call whose caller has not seen yet that it opens a stream.
    pub fn opened(&self, seq: u16) -> Option<&Answer> {
        let answer = self.slots.get(usize::from(seq))?.answer.as_ref()?;
        answer.flags.contains(Flags::ITEM_STREAM).then_some(answer)
    }

    /// When [`expire`](InFlight::expire) is to be called.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Ends the calls whose deadline has passed.
    pub fn expire(&mut self, now: Instant, wakers: &mut Vec<Waker>) {
        while let Some((at, seq)) = self.deadlines.due(now) {
            if let Some(slot) = self.slots.get_mut(usize::from(seq))
                && slot.phase == Phase::Waiting
                && slot.deadline == Some(at)
            {
                wakers.extend(slot.finish(Phase::Late));
            }
        }
        if !self.deadlines.are_unknown(now) {
            return;
        }
        let mut left = Vec::new();
        for (seq, slot) in self.slots.iter_mut().enumerate() {
            let (Phase::Waiting, Some(deadline)) = (slot.phase, slot.deadline) else { continue };
            if deadline <= now {
                wakers.extend(slot.finish(Phase::Late));
            } else {
                left.push((deadline, seq as u16));
            }
        }
        self.deadlines.know(left);
    }

    /// The connection is lost after `written` bytes: ends every call. Their callers are to be woken in the order in which they called, so
    /// that they can call again in that order.
    pub fn lose_all(&mut self, written: u64, wakers: &mut Vec<Waker>) {
        let mut lost = Vec::new();
        for slot in &mut self.slots {
            match slot.phase {
                Phase::Waiting => {
                    let ending = Phase::Lost { written: slot.end <= written };
                    lost.extend(slot.finish(ending).map(|waker| (slot.end, waker)));
                }
                Phase::Late => {
                    slot.phase = Phase::OutOfTime;
                    if slot.end > written {
                        slot.end = UNSENT;
                    }
                }
                Phase::Abandoned | Phase::Overdue => slot.phase = Phase::Free,
                _ => {}
            }
        }
        lost.sort_by_key(|(end, _)| *end);
        wakers.extend(lost.into_iter().map(|(_, waker)| waker));
        self.deadlines = Deadlines::default();
    }

    /// Whether any call waits for its reply.
    pub fn is_idle(&self) -> bool {
        !self.slots.iter().any(|slot| matches!(slot.phase, Phase::Waiting | Phase::Overdue | Phase::Abandoned))
    }

    /// Whether anybody waits for a reply.
    pub(crate) fn is_awaited(&self) -> bool {
        self.slots.iter().any(|slot| slot.phase == Phase::Waiting)
    }

    /// The calls whose time is over and whose bytes end behind the first `taken`. The other end, which has not got them, cannot know.
    pub(crate) fn overdue(&self, taken: u64) -> Vec<u16> {
        let is_such =
            |slot: &Slot| matches!(slot.phase, Phase::Late | Phase::Overdue) && slot.end > taken && slot.end < UNSENT;
        self.slots.iter().enumerate().filter(|(_, slot)| is_such(slot)).map(|(seq, _)| seq as u16).collect()
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
    fn a_reply_is_taken_once_and_frees_its_place() {
        let mut table = InFlight::new(1);
        let seq = table.insert(Waker::noop().clone(), SOON).unwrap();
        table.begin(Instant::now);
        assert!(table.reply(seq).is_none(), "it has not come");
        table.complete(reply(seq)).unwrap().unwrap();
        assert_eq!(table.len(), 1, "it waits for its caller");
        let (answer, deadline) = table.reply(seq).unwrap();
        assert!(answer.is_value() && deadline.is_some());
        assert!(table.reply(seq).is_none() && table.poll(seq, Waker::noop()).is_none());
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn of_a_call_that_ended_otherwise_there_is_no_reply() {
        let mut table = InFlight::new(2);
        let late = table.insert(Waker::noop().clone(), 0).unwrap();
        table.begin(Instant::now);
        table.expire(Instant::now() + Duration::from_secs(1), &mut Vec::new());
        let lost = table.insert(Waker::noop().clone(), SOON).unwrap();
        table.lose_all(0, &mut Vec::new());
        for seq in [late, lost] {
            assert!(table.reply(seq).is_none());
            assert!(table.poll(seq, Waker::noop()).is_some(), "how it ended is still there");
        }
    }

    #[test]
    fn a_call_that_was_not_sent_leaves_nothing_behind() {
        let mut table = InFlight::new(1);
        let now = Instant::now();
        for give_up in [
            |table: &mut InFlight, seq| assert!(!table.abandon(seq), "the other end does not know it"),
            |table: &mut InFlight, seq| {
                table.expire(Instant::now() + Duration::from_secs(60), &mut Vec::new());
                assert!(matches!(table.poll(seq, Waker::noop()), Some((Ending::OutOfTime { sent: false }, _))));
            },
        ] {
            let seq = table.insert(Waker::noop().clone(), SOON).unwrap();
            table.begin(|| now);
            assert!(!table.is_unsent(seq));
            table.written_until(seq, UNSENT + 7);
            assert!(table.is_unsent(seq));
            assert!(table.is_wanted(seq, UNSENT + 7));
            assert!(!table.is_wanted(seq, UNSENT + 8), "another call had this place");
            give_up(&mut table, seq);
            assert!(table.is_unsent(seq));
            assert!(!table.is_wanted(seq, UNSENT + 8));
            assert_eq!(table.insert(Waker::noop().clone(), SOON), None, "its bytes may be under way");
            assert!(!table.is_wanted(seq, UNSENT + 7));
        }
        assert!(table.insert(Waker::noop().clone(), SOON).is_some());
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
        assert!(matches!(table.poll(short, Waker::noop()), Some((Ending::OutOfTime { sent: true }, _))));
        assert!(table.poll(long, Waker::noop()).is_none());
        assert_eq!(table.next_expiry(), Some(now + Duration::from_secs(5)));
    }

    #[test]
    fn a_call_out_of_time_on_a_connection_that_is_lost_then_was_sent_or_was_not() {
        let mut table = InFlight::new(4);
        for (end, was_sent) in [(100, true), (101, false)] {
            let seq = table.insert(Waker::noop().clone(), 5).unwrap();
            table.begin(Instant::now);
            table.written_until(seq, end);
            table.expire(Instant::now() + Duration::from_secs(1), &mut Vec::new());
            table.lose_all(100, &mut Vec::new());
            let ending = table.poll(seq, Waker::noop());
            assert!(matches!(ending, Some((Ending::OutOfTime { sent }, _)) if sent == was_sent), "{ending:?}");
        }
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
