//! Whether the peer is still there when it says nothing: plain bookkeeping, time handed in.

use std::time::Duration;

use tokio::time::Instant;

/// Looks now and then whether anything was heard; what is heard in between costs nothing here.
#[derive(Debug)]
pub(crate) struct Silence {
    /// The time from one look to the next; none if there are to be none.
    pace: Option<Duration>,
    next: Option<Instant>,
    /// Bytes that had been heard at the last look.
    heard: u64,
    asked: bool,
}

/// What a look has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// Something was heard since the one before.
    Heard,
    /// Nothing was: the peer is to be asked.
    Ask,
    /// It was asked, and has not answered.
    Gone,
}

impl Silence {
    /// The peer may say nothing for so long, milliseconds, before it is asked; for ever, if that is 0.
    pub(crate) fn new(silence_ms: u32) -> Silence {
        let pace = (silence_ms > 0).then(|| Duration::from_millis(silence_ms.into()));
        Silence { pace, next: None, heard: 0, asked: false }
    }

    /// When to look.
    #[inline]
    pub(crate) fn next(&mut self, now: impl FnOnce() -> Instant) -> Option<Instant> {
        let pace = self.pace?;
        Some(*self.next.get_or_insert_with(|| now() + pace))
    }

    /// So many bytes have been heard.
    pub(crate) fn look(&mut self, heard: u64, now: Instant) -> Looked {
        self.next = self.pace.map(|pace| now + pace);
        if std::mem::replace(&mut self.heard, heard) != heard {
            self.asked = false;
            return Looked::Heard;
        }
        if std::mem::replace(&mut self.asked, true) { Looked::Gone } else { Looked::Ask }
    }

    /// The peer is there, over another stream.
    pub(crate) fn restart(&mut self) {
        (self.next, self.asked) = (None, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_nothing_is_asked_and_who_does_not_answer_is_gone() {
        let (mut silence, start) = (Silence::new(100), Instant::now());
        let pace = Duration::from_millis(100);
        assert_eq!(silence.next(|| start), Some(start + pace));
        assert_eq!(silence.look(7, start + pace), Looked::Heard);
        assert_eq!(silence.next(|| start), Some(start + pace * 2));
        assert_eq!(silence.look(7, start + pace * 2), Looked::Ask);
        assert_eq!(silence.look(9, start + pace * 3), Looked::Heard);
        assert_eq!(silence.look(9, start + pace * 4), Looked::Ask);
        assert_eq!(silence.look(9, start + pace * 5), Looked::Gone);
    }

    #[test]
    fn over_another_stream_it_has_its_time_again() {
        let (mut silence, start) = (Silence::new(100), Instant::now());
        silence.look(1, start);
        silence.look(1, start);
        silence.restart();
        assert_eq!(silence.next(|| start), Some(start + Duration::from_millis(100)));
        assert_eq!(silence.look(1, start), Looked::Ask);
    }

    #[test]
    fn where_silence_may_last_nobody_looks() {
        assert_eq!(Silence::new(0).next(Instant::now), None);
    }
}
