//! Ending in order.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::daemon::daemon::Inner;

/// How often a daemon that ends looks whether its calls have been answered.
const LOOK: Duration = Duration::from_millis(10);

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
    inner.lives().iter().for_each(|entry| entry.drain());
    inner.go_away();
    let deadline = Instant::now() + Duration::from_millis(inner.config.drain_ms.into());
    while Instant::now() < deadline && !is_quiet(inner) {
        tokio::time::sleep(LOOK).await;
    }
    inner.lives().iter().for_each(|entry| entry.remove());
    // What was just answered still has to leave.
    let last = Instant::now() + Duration::from_secs(1);
    inner.hang_up();
    while Instant::now() < last && inner.connections().iter().any(|connection| !connection.is_closed()) {
        tokio::time::sleep(LOOK).await;
    }
    inner.ended.send_replace(true);
}

fn is_quiet(inner: &Inner) -> bool {
    inner.lives().iter().all(|entry| entry.is_idle())
        && inner.connections().iter().all(|connection| connection.is_answered())
}
