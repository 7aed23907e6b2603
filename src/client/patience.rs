//! How long the caller of an object of this process waits. Such a call is over so soon that a timer of its own would cost a third of it; so
//! timers are used again, and left to run: one that goes off too early is set anew, and hardly any ever does.

use std::cell::RefCell;
use std::task::{Context, Poll};

use tokio::runtime::{Handle, Id};
use tokio::time::Instant;

use crate::peer::timer::Timer;

/// Timers that a thread keeps.
const KEPT: usize = 64;

thread_local! {
    /// Those that nobody uses, of whichever runtime.
    #[expect(clippy::vec_box, reason = "they move with every call, as one register instead of four")]
    static SPARE: RefCell<Vec<Box<Lent>>> = const { RefCell::new(Vec::new()) };
}

/// The patience of one caller.
pub(crate) struct Patience(Option<Box<Lent>>);

/// A timer, and the runtime that it is of.
struct Lent {
    runtime: Id,
    timer: Timer,
}

impl Patience {
    /// On the runtime of this thread.
    ///
    /// # Panics
    /// There is none.
    pub(crate) fn new() -> Patience {
        let runtime = Handle::current().id();
        let spare = SPARE.with_borrow_mut(|spare| spare.pop_if(|lent| lent.runtime == runtime));
        Patience(Some(spare.unwrap_or_else(|| Box::new(Lent { runtime, timer: Timer::default() }))))
    }

    /// Ready once it is that late.
    pub(crate) fn poll(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let Some(lent) = &mut self.0 else { return Poll::Ready(()) };
        loop {
            std::task::ready!(lent.timer.poll(at, cx));
            if Instant::now() >= at {
                return Poll::Ready(());
            }
        }
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        let Some(lent) = self.0.take() else { return };
        // A thread that ends keeps none.
        let left = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            let fits = spare.last().is_none_or(|other| other.runtime == lent.runtime) && spare.len() < KEPT;
            if fits {
                spare.push(lent);
                return None;
            }
            Some(lent)
        });
        if let Ok(Some(left)) = left {
            instead_of_others(left);
        }
    }
}

/// Keeps a timer for which there is no room, unless those that are kept are of the same runtime: others may not be used any more, and must not
/// stand in its way.
#[cold]
fn instead_of_others(lent: Box<Lent>) {
    // What is let go is so after the borrow: with it may go whoever it would wake.
    let _let_go = SPARE.with_borrow_mut(|spare| {
        if spare.last().is_some_and(|other| other.runtime == lent.runtime) {
            return vec![lent];
        }
        std::mem::replace(spare, vec![lent])
    });
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn kept() -> usize {
        SPARE.with_borrow(Vec::len)
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_used_again_is_never_early() {
        let start = Instant::now();
        for round in 0..3 {
            // Somebody has waited for less, and went.
            let mut other = Patience::new();
            assert!(
                other.poll(start + SECOND * (10 * round + 1), &mut Context::from_waker(Waker::noop())).is_pending()
            );
            drop(other);
            let mut patience = Patience::new();
            poll_fn(|cx| patience.poll(start + SECOND * (10 * round + 5), cx)).await;
            assert_eq!(start.elapsed(), SECOND * (10 * round + 5));
        }
        assert_eq!(kept(), 1);
    }

    #[tokio::test]
    async fn no_more_are_kept_than_may_be() {
        let many: Vec<_> = (0..2 * KEPT).map(|_| Patience::new()).collect();
        drop(many);
        assert_eq!(kept(), KEPT);
    }

    #[test]
    fn those_of_a_runtime_that_is_gone_are_not_used() {
        for _ in 0..3 {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let (mut one, mut other) = (Patience::new(), Patience::new());
                let soon = Instant::now() + Duration::from_millis(1);
                poll_fn(|cx| one.poll(soon, cx)).await;
                assert!(other.poll(soon + SECOND * 60, &mut Context::from_waker(Waker::noop())).is_pending());
            });
            assert_eq!(kept(), 2);
        }
    }
}
