//! Ending in order.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::daemon::daemon::Inner;

/// How often a daemon that ends looks whether its calls have been answered.
pub(crate) const LOOK: Duration = Duration::from_millis(10);

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
    save(inner).await;
    inner.keyed().iter().for_each(|keyed| keyed.close());
    inner.lives().iter().for_each(|entry| entry.remove());
    // What was just answered still has to leave.
    let last = Instant::now() + Duration::from_secs(1);
    inner.hang_up();
    while Instant::now() < last && inner.connections().iter().any(|connection| !connection.is_closed()) {
        tokio::time::sleep(LOOK).await;
    }
    inner.ended.send_replace(true);
}

/// Saves what is only in memory of objects that have snapshots; it gets as long as the calls got.
async fn save(inner: &Arc<Inner>) {
    let keyed = inner.keyed();
    let saved = async {
        let mut unsaved = Vec::new();
        for keyed in &keyed {
            unsaved.extend(keyed.save_all().await);
        }
        unsaved
    };
    let lost = match tokio::time::timeout(Duration::from_millis(inner.config.drain_ms.into()), saved).await {
        Ok(unsaved) if unsaved.is_empty() => return,
        Ok(unsaved) => unsaved.join(", "),
        Err(_) => "the store took too long".to_owned(),
    };
    slog::error!(inner.config.log, "the latest calls of some objects are not saved"; "objects" => lost);
}

fn is_quiet(inner: &Inner) -> bool {
    inner.lives().iter().all(|entry| entry.is_idle())
        && inner.connections().iter().all(|connection| connection.is_answered())
}
