//! The timer of a task that is polled far more often than any time is over.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, Sleep};

/// Wakes its task at a time, or earlier. While that time is the same or a later one, to poll it costs no more than a look.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whom it wakes.
    task: Option<Waker>,
}

impl Timer {
    /// Ready, once, at this time or somewhat before it.
    #[inline]
    pub(crate) fn poll(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if let (Some(sleep), Some(task)) = (&self.sleep, &self.task)
            && sleep.deadline() <= at
            && !sleep.is_elapsed()
            && task.will_wake(cx.waker())
        {
            return Poll::Pending;
        }
        self.arm(at, cx)
    }

    fn arm(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                if sleep.deadline() > at {
                    sleep.as_mut().reset(at);
                }
                sleep
            }
            None => self.sleep.insert(Box::pin(tokio::time::sleep_until(at))),
        };
        if sleep.as_mut().poll(cx).is_pending() {
            self.task = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.stop();
        Poll::Ready(())
    }

    /// It wakes nobody.
    pub(crate) fn stop(&mut self) {
        (self.sleep, self.task) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_is_ready_at_its_time_and_when_that_becomes_an_earlier_one() {
        let (start, mut timer) = (Instant::now(), Timer::default());
        poll_fn(|cx| timer.poll(start + SECOND, cx)).await;
        assert_eq!(start.elapsed(), SECOND);
        let mut asked = 0;
        poll_fn(|cx| {
            asked += 1;
            if asked == 1 {
                // As if something else had come.
                cx.waker().wake_by_ref();
                return timer.poll(start + SECOND * 9, cx);
            }
            timer.poll(start + SECOND * 3, cx)
        })
        .await;
        assert_eq!(start.elapsed(), SECOND * 3);
    }

    #[tokio::test(start_paused = true)]
    async fn with_a_later_time_it_may_be_early_and_is_asked_again() {
        let (start, mut timer) = (Instant::now(), Timer::default());
        let mut asked = 0;
        poll_fn(|cx| {
            asked += 1;
            if asked == 1 {
                cx.waker().wake_by_ref();
            }
            timer.poll(start + SECOND * asked, cx)
        })
        .await;
        assert_eq!(start.elapsed(), SECOND, "that of the first time");
        poll_fn(|cx| timer.poll(start + SECOND * 2, cx)).await;
        assert_eq!(start.elapsed(), SECOND * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn another_task_is_woken_if_that_polls_it() {
        let (start, mut timer) = (Instant::now(), Timer::default());
        let mut noop = Context::from_waker(Waker::noop());
        assert!(timer.poll(start + SECOND, &mut noop).is_pending());
        poll_fn(|cx| timer.poll(start + SECOND, cx)).await;
        assert_eq!(start.elapsed(), SECOND);
    }
}
