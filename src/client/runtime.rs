//! The runtime that a proxy's tasks run on: that of the thread that uses it.

use std::future::Future;

use tokio::runtime::Handle;

/// The runtime of this thread; where there is none, and with the feature `blocking`, that of the thread in the background.
///
/// # Errors
/// There is neither.
pub(crate) fn current() -> Result<Handle, String> {
    Handle::try_current().or_else(|_| in_background())
}

#[cfg(feature = "blocking")]
fn in_background() -> Result<Handle, String> {
    crate::client::background::Background::of_process().map(|background| background.runtime().clone())
}

#[cfg(not(feature = "blocking"))]
fn in_background() -> Result<Handle, String> {
    Err("this thread has no tokio runtime; with the feature `blocking` of pyroxene it needs none".to_owned())
}

/// The same where there must be one.
///
/// # Panics
/// There is none.
#[track_caller]
pub(crate) fn expect() -> Handle {
    current().unwrap_or_else(|problem| panic!("{problem}"))
}

/// Runs a task that nobody waits for.
///
/// # Panics
/// There is no runtime to run it on.
#[track_caller]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    expect().spawn(task);
}
