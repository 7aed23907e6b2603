//! The calls of a batch where each ends by itself: in this process, and with a peer that speaks no batches.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::client::batch::calls::{CallList, VisitSlot};
use crate::client::error::CallError;
use crate::client::exchange::{Ended, Exchange};
use crate::client::request::Request;
use crate::object::outcome::{NotStarted, Unknown};

/// One call.
pub(crate) struct Slot<R: Request>(pub(crate) Under<R>);

pub(crate) enum Under<R: Request> {
    /// In the queue of an object of this process, or running.
    Local {
        outcome: R::Local,
        method: String,
        object: String,
    },
    /// A call like any other.
    Single(Box<Exchange<R>>),
    Ended(Ended<R>),
    /// Its outcome has been taken, or nobody wants one.
    Over,
}

impl<R: Request> Slot<R> {
    pub(crate) fn into_ended(self) -> Option<Ended<R>> {
        match self.0 {
            Under::Ended(ended) => Some(ended),
            _ => None,
        }
    }

    pub(crate) fn take_ended(&mut self) -> Option<Ended<R>> {
        Slot(std::mem::replace(&mut self.0, Under::Over)).into_ended()
    }

    fn poll(&mut self, cx: &mut Context<'_>, left_ms: u32) {
        let ended = match &mut self.0 {
            Under::Local { outcome, object, .. } => match Pin::new(outcome).poll(cx) {
                Poll::Ready(ended) => ended
                    .unwrap_or_else(|| Err(CallError::Unknown(Unknown::Aborted { object: std::mem::take(object) }))),
                Poll::Pending => return,
            },
            Under::Single(exchange) => {
                // It counts when the call begins.
                exchange.asked_ms = Some(left_ms);
                match exchange.poll(cx) {
                    Poll::Ready(ended) => ended,
                    Poll::Pending => return,
                }
            }
            Under::Ended(_) | Under::Over => return,
        };
        self.0 = Under::Ended(ended);
    }
}

/// All calls of a batch, until each has ended.
pub(crate) struct Join<C: CallList> {
    pub(crate) slots: C::Slots,
    pub(crate) deadline: Instant,
    pub(crate) time_ms: u32,
    /// Each waits for the one before it, and does not begin if that has failed.
    pub(crate) one_by_one: bool,
}

// Nothing in it is pinned: its futures are boxed, or `Unpin` themselves.
impl<C: CallList> Unpin for Join<C> {}

impl<C: CallList> Future for Join<C> {
    type Output = C::Outcomes;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Outcomes> {
        let this = self.get_mut();
        let left = this.deadline.saturating_duration_since(Instant::now());
        let mut polling =
            Polling { cx, left, time_ms: this.time_ms, one_by_one: this.one_by_one, pending: false, failed: false };
        C::each_slot(&mut this.slots, &mut polling);
        if polling.pending {
            return Poll::Pending;
        }
        C::outcomes(&mut this.slots).map_or(Poll::Pending, Poll::Ready)
    }
}

struct Polling<'a, 'w> {
    cx: &'a mut Context<'w>,
    left: Duration,
    time_ms: u32,
    one_by_one: bool,
    /// A call before has not ended.
    pending: bool,
    /// A call before has failed.
    failed: bool,
}

impl VisitSlot for Polling<'_, '_> {
    fn visit<R: Request>(&mut self, slot: &mut Slot<R>) {
        let begun = !matches!(slot.0, Under::Ended(_));
        if self.one_by_one && begun {
            if self.pending {
                return;
            }
            if self.failed {
                slot.0 = Under::Ended(Err(CallError::NotStarted(NotStarted::Skipped)));
            }
        }
        slot.poll(self.cx, u32::try_from(self.left.as_millis()).unwrap_or(u32::MAX));
        // Whoever waits for a call of this process is woken by a clock beside it.
        if self.left.is_zero()
            && let Under::Local { method, .. } = &mut slot.0
        {
            let (method, timeout_ms) = (std::mem::take(method), self.time_ms);
            slot.0 = Under::Ended(Err(CallError::Unknown(Unknown::OutOfTime { method, timeout_ms })));
        }
        self.pending |= !matches!(slot.0, Under::Ended(_));
        self.failed |= matches!(slot.0, Under::Ended(Err(_)));
    }
}
