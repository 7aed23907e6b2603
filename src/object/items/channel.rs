//! Items that somebody sends.

use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::sync::mpsc;

use crate::object::items::{Produce, raised};
use crate::object::message::RemoteError;
use crate::object::outcome::{self, Failure};
use crate::object::panic;

/// Sends the items of a stream made by [`Items::channel`](crate::Items::channel). Dropping it ends the stream; if that happens because its
/// task panics, the stream's reader is told.
#[derive(Debug)]
pub struct ItemSender<T> {
    items: mpsc::Sender<T>,
    /// How the stream ends, if not well: said here, since the channel may be full.
    end: Arc<OnceLock<Failure>>,
}

/// The other side.
pub(super) struct Channel<T> {
    items: mpsc::Receiver<T>,
    end: Arc<OnceLock<Failure>>,
}

pub(super) fn channel<T>(capacity: usize) -> (ItemSender<T>, Channel<T>) {
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    let end = Arc::default();
    (ItemSender { items: sender, end: Arc::clone(&end) }, Channel { items: receiver, end })
}

impl<T> ItemSender<T> {
    /// Sends an item once there is room for it.
    ///
    /// # Errors
    /// Nobody reads the stream any more; the item comes back.
    pub async fn send(&self, item: T) -> Result<(), T> {
        // Hardly ever is there none, and a place in the line for it costs more than the item.
        match self.items.try_send(item) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(item)) => Err(item),
            Err(mpsc::error::TrySendError::Full(item)) => self.items.send(item).await.map_err(|refused| refused.0),
        }
    }

    /// Sends an item if there is room for it now.
    ///
    /// # Errors
    /// There is none, or nobody reads the stream any more; the item comes back.
    pub fn try_send(&self, item: T) -> Result<(), T> {
        self.items.try_send(item).map_err(mpsc::error::TrySendError::into_inner)
    }

    /// Ends the stream with an error, which reaches its reader as a fault behind the items that were sent.
    pub fn fail<E: RemoteError>(self, error: &E) {
        let _ = self.end.set(raised(error));
    }

    /// Whether nobody reads the stream any more.
    pub fn is_closed(&self) -> bool {
        self.items.is_closed()
    }

    /// Waits until nobody reads the stream any more.
    pub async fn closed(&self) {
        self.items.closed().await;
    }
}

impl<T> Drop for ItemSender<T> {
    fn drop(&mut self) {
        if let Some(report) = panic::unwinding() {
            let _ = self.end.set(Failure::Failed(Box::new(outcome::panicked(report, "", ""))));
        }
    }
}

impl<T: Send> Produce<T> for Channel<T> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Failure>>> {
        let item = std::task::ready!(self.items.poll_recv(cx));
        Poll::Ready(item.map(Ok).or_else(|| self.end.get().cloned().map(Err)))
    }
}
