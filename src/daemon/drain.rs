//! Ending in order.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::daemon::daemon::{Daemon, Inner};

/// How often a daemon that ends looks whether its calls have been answered.
const LOOK: Duration = Duration::from_millis(10);

/// Until the process is asked to end; then [`shutdown`], which a second request cuts short.
pub(crate) async fn run(daemon: &Daemon) {
    let log = &daemon.0.config.log;
    if let Err(problem) = asked_to_end().await {
        slog::error!(log, "cannot hear signals; running until killed"; "problem" => %problem);
        return std::future::pending().await;
    }
    slog::info!(log, "asked to end; draining");
    tokio::select! {
        biased;
        () = shutdown(&daemon.0) => {}
        _ = asked_to_end() => slog::warn!(log, "asked again; ending at once"),
    }
}

/// Names first, so that nobody new comes; then no new calls; running ones get their time; the rest are told the truth.
pub(crate) async fn shutdown(inner: &Arc<Inner>) {
    let mut ended = inner.ended.subscribe();
    if inner.begin_drain() {
        // Somebody else is at it.
        let _ = ended.wait_for(|ended| *ended).await;
        return;
    }
    for farewell in inner.take_farewells() {
        farewell().await;
    }
    inner.closing.send_replace(true);
    // Its address is free from here on.
    inner.closing.closed().await;
    let entries = inner.entries();
    entries.iter().for_each(|entry| entry.drain());
    for connection in inner.connections() {
        connection.go_away("the daemon is ending");
    }
    let deadline = Instant::now() + Duration::from_millis(inner.config.drain_ms.into());
    while Instant::now() < deadline && !is_quiet(inner) {
        tokio::time::sleep(LOOK).await;
    }
    entries.iter().for_each(|entry| entry.remove());
    // What was just answered still has to leave.
    let last = Instant::now() + Duration::from_secs(1);
    for connection in inner.connections() {
        connection.hang_up();
    }
    while Instant::now() < last && inner.connections().iter().any(|connection| !connection.is_closed()) {
        tokio::time::sleep(LOOK).await;
    }
    inner.ended.send_replace(true);
}

fn is_quiet(inner: &Inner) -> bool {
    inner.entries().iter().all(|entry| entry.is_idle())
        && inner.connections().iter().all(|connection| connection.is_answered())
}

#[cfg(unix)]
async fn asked_to_end() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        biased;
        _ = terminate.recv() => Ok(()),
        interrupt = tokio::signal::ctrl_c() => interrupt,
    }
}

#[cfg(not(unix))]
async fn asked_to_end() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
