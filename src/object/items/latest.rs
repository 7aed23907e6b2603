//! The latest of values that replace one another: who reads slowly misses those between.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::object::items::Produce;
use crate::object::outcome::Failure;

/// The writing end. Dropping it ends the stream, as an object that is gone does.
pub(crate) struct LatestSender<T>(Arc<Mutex<Slot<T>>>);

/// The reading end.
pub(crate) struct Latest<T>(Arc<Mutex<Slot<T>>>);

struct Slot<T> {
    value: Option<T>,
    /// How it ends, once it has.
    end: Option<Failure>,
    /// What is said when the writer is dropped.
    gone: Failure,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Nobody reads any more.
    unread: bool,
}

/// Both ends, with the first value; `gone` is how the stream ends when the writer is dropped.
pub(crate) fn latest<T>(first: T, gone: Failure) -> (LatestSender<T>, Latest<T>) {
    let slot = Slot { value: Some(first), end: None, gone, reader: None, writer: None, unread: false };
    let slot = Arc::new(Mutex::new(slot));
    (LatestSender(Arc::clone(&slot)), Latest(slot))
}

fn lock<T>(slot: &Mutex<Slot<T>>) -> MutexGuard<'_, Slot<T>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> LatestSender<T> {
    /// A newer value, in place of one that was not read.
    pub(crate) fn put(&self, value: T) {
        let mut slot = lock(&self.0);
        slot.value = Some(value);
        wake(slot, |slot| &mut slot.reader);
    }

    /// The stream ends so, behind the value that was not read.
    pub(crate) fn fail(&self, failure: Failure) {
        lock(&self.0).end.get_or_insert(failure);
    }

    /// Whether nobody reads any more; wakes when so.
    pub(crate) fn is_unread(&self, waker: &Waker) -> bool {
        let mut slot = lock(&self.0);
        if !slot.writer.as_ref().is_some_and(|known| known.will_wake(waker)) {
            slot.writer = Some(waker.clone());
        }
        slot.unread
    }
}

/// Not under the lock: who is woken may run at once.
fn wake<T>(mut slot: MutexGuard<'_, Slot<T>>, whom: impl FnOnce(&mut Slot<T>) -> &mut Option<Waker>) {
    let waker = whom(&mut slot).take();
    drop(slot);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<T> Drop for LatestSender<T> {
    fn drop(&mut self) {
        let mut slot = lock(&self.0);
        let gone = slot.gone.clone();
        slot.end.get_or_insert(gone);
        wake(slot, |slot| &mut slot.reader);
    }
}

impl<T> Drop for Latest<T> {
    fn drop(&mut self) {
        let mut slot = lock(&self.0);
        slot.unread = true;
        wake(slot, |slot| &mut slot.writer);
    }
}

impl<T: Send> Produce<T> for Latest<T> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Failure>>> {
        let mut slot = lock(&self.0);
        if let Some(value) = slot.value.take() {
            return Poll::Ready(Some(Ok(value)));
        }
        if let Some(end) = slot.end.clone() {
            return Poll::Ready(Some(Err(end)));
        }
        slot.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::outcome::Unknown;

    fn gone() -> Failure {
        Failure::Unknown(Unknown::Aborted { object: "bank".to_owned() })
    }

    fn next(latest: &mut Latest<u8>) -> Poll<Option<Result<u8, Failure>>> {
        latest.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_value_that_was_not_read_is_replaced() {
        let (sender, mut latest) = latest(1, gone());
        assert_eq!(next(&mut latest), Poll::Ready(Some(Ok(1))));
        assert_eq!(next(&mut latest), Poll::Pending);
        sender.put(2);
        sender.put(3);
        assert_eq!(next(&mut latest), Poll::Ready(Some(Ok(3))));
        assert_eq!(next(&mut latest), Poll::Pending);
    }

    #[test]
    fn the_last_value_is_read_before_the_end() {
        let (sender, mut latest) = latest(1, gone());
        drop(sender);
        assert_eq!(next(&mut latest), Poll::Ready(Some(Ok(1))));
        assert_eq!(next(&mut latest), Poll::Ready(Some(Err(gone()))));
    }

    #[test]
    fn the_writer_hears_that_nobody_reads() {
        let (sender, latest) = latest(1, gone());
        assert!(!sender.is_unread(Waker::noop()));
        drop(latest);
        assert!(sender.is_unread(Waker::noop()));
    }
}
