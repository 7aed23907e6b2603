//! What has become of oneways.

use std::sync::Arc;
use std::time::Duration;

use crate::client::binding::Route;
use crate::client::error::CallError;
use crate::client::ledger::{Oneways, To};
use crate::client::link::Link;
use crate::object::outcome::Unknown;
use crate::peer::handshake;

impl Link {
    /// Waits until all oneways that were sent have ended; what became of them.
    ///
    /// # Errors
    /// They have not ended in time, or cannot be asked for.
    pub(crate) async fn flush(self: &Arc<Self>) -> Result<Oneways, CallError> {
        let timeout_ms = self.client.config().timeout_ms;
        let limit = Duration::from_millis(timeout_ms.into());
        match tokio::time::timeout(limit, self.settle(timeout_ms)).await {
            Ok(settled) => settled,
            Err(_) => Err(CallError::Unknown(Unknown::OutOfTime { method: "flush".to_owned(), timeout_ms })),
        }
    }

    async fn settle(self: &Arc<Self>, timeout_ms: u32) -> Result<Oneways, CallError> {
        let _one = self.flushing.lock().await;
        // Those that still wait for a connection are sent first.
        drop(self.queue().await);
        loop {
            let Some(to) = self.ledger().next() else { break };
            let counted = match to {
                To::Here(account) => {
                    let account = account.settled().await;
                    Some((account.executed, account.failed))
                }
                To::There { binding, number } => match &binding.route {
                    Route::Local(_) => None,
                    Route::Remote(connection, handle) => {
                        match handshake::flush(connection, *handle, number, timeout_ms).await {
                            Ok(flushed) => Some((flushed.executed, flushed.failed)),
                            Err(_) if connection.is_closed() => None,
                            Err(why) => return Err(CallError::NotStarted(why)),
                        }
                    }
                },
            };
            self.ledger().settle(counted);
        }
        Ok(self.ledger().known)
    }
}
