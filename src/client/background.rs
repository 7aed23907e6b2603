//! The thread in the background, which runs what threads without a runtime wait for.

use std::future::Future;
use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Builder, Handle};
use tokio::task::coop;

/// A thread with a runtime of its own. All that waits on it in vain hears so when it ends.
#[derive(Clone, Debug)]
pub(crate) struct Background(Handle);

/// Nothing came of it, since the thread has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    /// Whether it had begun by then.
    pub(crate) begun: bool,
    pub(crate) problem: String,
}

impl Background {
    /// The one that this process shares, started when it is first asked for.
    ///
    /// # Errors
    /// It cannot be started; the next one who asks tries again.
    pub(crate) fn of_process() -> Result<Background, String> {
        static SHARED: Mutex<Option<Background>> = Mutex::new(None);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(background) = &*shared {
            return Ok(background.clone());
        }
        let started = Background::start(std::future::pending::<()>());
        let background =
            started.map_err(|error| format!("the thread for calls without async cannot start: {error}"))?;
        Ok(shared.insert(background).clone())
    }

    /// Starts one that runs as long as `until`.
    fn start(until: impl Future + Send + 'static) -> io::Result<Background> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let background = Background(runtime.handle().clone());
        let thread = std::thread::Builder::new().name("pyroxene-blocking".to_owned());
        thread.spawn(move || {
            runtime.block_on(until);
        })?;
        Ok(background)
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.0
    }

    /// Has the future run there, and waits for its end. A panic in it goes on here.
    ///
    /// # Errors
    /// The thread has ended.
    ///
    /// # Panics
    /// On a thread that drives tasks of a runtime.
    #[track_caller]
    pub(crate) fn run<F>(&self, future: F) -> Result<F::Output, Gone>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let begun = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&begun);
        let task = async move {
            begins.store(true, Ordering::Release);
            future.await
        };
        // A runtime that ends drops its tasks, and whoever waits for one of them is told.
        let ended = self.0.block_on(async { tokio::spawn(task).await });
        ended.map_err(|error| match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Gone {
                begun: begun.load(Ordering::Acquire),
                problem: "the thread that runs calls without async has ended".to_owned(),
            },
        })
    }
}

/// More than tokio lets a task do before it has to let others go on, which is 128 steps.
const MORE_THAN_A_TURN: usize = 1_024;

/// Whether this thread drives tasks of a runtime, which would all stand still if it waited. Tokio tells nobody, but lets only what it
/// drives do so many steps and no more; a thread that belongs to a runtime and may block, as those of `spawn_blocking`, takes any number.
pub(crate) fn drives_tasks() -> bool {
    if Handle::try_current().is_err() {
        return false;
    }
    let mut cx = Context::from_waker(Waker::noop());
    let mut steps = Vec::new();
    let limited = loop {
        match coop::poll_proceed(&mut cx) {
            Poll::Ready(step) if steps.len() < MORE_THAN_A_TURN => steps.push(step),
            Poll::Ready(_) => break false,
            Poll::Pending => break true,
        }
    };
    // Given back from the last to the first, so that in the end the task has what it had.
    while steps.pop().is_some() {}
    limited
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn stoppable() -> (Background, oneshot::Sender<()>) {
        let (stop, stopped) = oneshot::channel();
        (Background::start(stopped).unwrap(), stop)
    }

    #[test]
    fn it_runs_what_others_wait_for() {
        let (background, _stop) = stoppable();
        let name = background.run(async { std::thread::current().name().map(str::to_owned) });
        assert_eq!(name, Ok(Some("pyroxene-blocking".to_owned())));
    }

    #[test]
    fn whoever_waits_when_it_ends_is_told() {
        let (background, stop) = stoppable();
        let (began, begins) = oneshot::channel();
        let waiting = std::thread::spawn({
            let background = background.clone();
            move || {
                background.run(async move {
                    began.send(()).unwrap();
                    std::future::pending::<()>().await;
                })
            }
        });
        begins.blocking_recv().unwrap();
        stop.send(()).unwrap();
        let gone = waiting.join().unwrap().unwrap_err();
        assert!(gone.begun, "{gone:?}");
        // And who comes too late; what they asked for surely did not run.
        let gone = background.run(async {}).unwrap_err();
        assert_eq!((gone.begun, gone.problem.as_str()), (false, "the thread that runs calls without async has ended"));
    }

    #[test]
    fn a_panic_goes_on_where_it_is_waited_for_and_the_thread_lives() {
        let (background, _stop) = stoppable();
        let waiting = std::thread::spawn({
            let background = background.clone();
            move || background.run(async { panic!("unreadable") })
        });
        let panic = waiting.join().unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"unreadable"));
        assert_eq!(background.run(async { 7 }), Ok(7));
    }

    #[test]
    fn a_thread_that_drives_tasks_is_told_from_one_that_may_wait() {
        assert!(!drives_tasks());
        let runtime = Builder::new_current_thread().build().unwrap();
        {
            let _entered = runtime.enter();
            assert!(!drives_tasks(), "it only has the runtime at hand");
        }
        runtime.block_on(async {
            assert!(drives_tasks());
            assert!(coop::has_budget_remaining(), "nothing of the turn is used up");
            assert!(tokio::spawn(async { drives_tasks() }).await.unwrap());
            assert!(!tokio::task::spawn_blocking(drives_tasks).await.unwrap());
            let local = tokio::task::LocalSet::new();
            assert!(local.run_until(async { tokio::task::spawn_local(async { drives_tasks() }).await.unwrap() }).await);
        });
    }
}
