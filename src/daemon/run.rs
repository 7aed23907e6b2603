//! Serving until the process is asked to end.

use std::io;
use std::pin::Pin;

use crate::daemon::daemon::Daemon;
use crate::daemon::drain;

/// A daemon that hears when the process is asked to end (Ctrl-C, SIGTERM), from the moment [`Daemon::run`] made this; awaited, it serves
/// until then and ends in order.
#[must_use = "the process no longer ends by a signal; the daemon ends when this is awaited"]
pub struct Run {
    daemon: Daemon,
    signals: io::Result<Signals>,
    asked: bool,
}

impl Run {
    // Here, and in nothing that comes before: whoever calls `run` says that from now on ending is the daemon's business. A program that only
    // hosts and calls, or has its own way to end, never says so; as a handler cannot be taken back, installing it in `bind` or in
    // `#[pyroxene::main]` would leave such a program deaf to Ctrl-C. And not later: a signal that comes after `run` was called and
    // before it is first polled would end the process with calls in it.
    pub(crate) fn new(daemon: Daemon) -> Run {
        Run { daemon, signals: Signals::hear(), asked: false }
    }

    /// Waits until the process is asked to end, and leaves it at that: a program that is still starting can give that up, and then await
    /// the rest, which ends in order at once.
    pub async fn asked(&mut self) {
        if self.asked {
            return;
        }
        let log = &self.daemon.0.config.log;
        match &mut self.signals {
            Ok(signals) => signals.next().await,
            Err(problem) => {
                slog::error!(log, "cannot hear signals; running until killed"; "problem" => %problem);
                std::future::pending::<()>().await;
            }
        }
        self.asked = true;
        slog::info!(log, "asked to end; draining");
    }

    async fn until_ended(mut self) {
        self.asked().await;
        let Run { daemon, signals, .. } = self;
        let again = async {
            match signals {
                Ok(mut signals) => signals.next().await,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = drain::shutdown(&daemon.0) => {}
            () = again => slog::warn!(daemon.0.config.log, "asked again; ending at once"),
        }
    }
}

impl IntoFuture for Run {
    type Output = ();
    type IntoFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.until_ended())
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("daemon", &self.daemon).field("asked", &self.asked).finish_non_exhaustive()
    }
}

/// The signals that ask a process to end. Those that come while nobody waits are kept.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn hear() -> io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The signals that ask a process to end. Those that come while nobody waits are kept.
#[cfg(not(unix))]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(not(unix))]
impl Signals {
    fn hear() -> io::Result<Signals> {
        tokio::signal::windows::ctrl_c().map(Signals)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
