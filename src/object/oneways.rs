//! What becomes of messages for whose end nobody waits: plain counts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::object::outcome::Failure;

/// How a oneway ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnewayEnd {
    /// The handler returned a value.
    Executed,
    /// It returned an error, or panicked.
    Failed,
    /// It did not run.
    Dropped,
}

impl From<&Failure> for OnewayEnd {
    fn from(failure: &Failure) -> OnewayEnd {
        match failure {
            Failure::NotStarted(_) => OnewayEnd::Dropped,
            Failure::Unknown(_) | Failure::Failed(_) => OnewayEnd::Failed,
        }
    }
}

/// Oneways that are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// That have come.
    came: u64,
    /// That have ended.
    ended: u64,
    pub(crate) executed: u64,
    pub(crate) failed: u64,
}

impl Account {
    pub(crate) fn came(&mut self) {
        self.came += 1;
    }

    pub(crate) fn ended(&mut self, end: OnewayEnd) {
        self.ended += 1;
        match end {
            OnewayEnd::Executed => self.executed += 1,
            OnewayEnd::Failed => self.failed += 1,
            OnewayEnd::Dropped => {}
        }
    }

    /// Whether all that came have ended.
    pub(crate) fn is_settled(&self) -> bool {
        self.came == self.ended
    }
}

/// The account of a caller in the object's own process.
#[derive(Debug, Default)]
pub(crate) struct LocalAccount {
    account: Mutex<Account>,
    settled: Notify,
}

impl LocalAccount {
    /// A oneway is handed over; how it ends is said to what is returned.
    pub(crate) fn tell(self: &Arc<Self>) -> Told {
        self.lock().came();
        Told(Arc::clone(self))
    }

    /// Waits until all that were handed over have ended.
    pub(crate) async fn settled(&self) -> Account {
        loop {
            let account = *self.lock();
            if account.is_settled() {
                return account;
            }
            self.settled.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One oneway that was handed over.
#[derive(Debug)]
pub(crate) struct Told(Arc<LocalAccount>);

impl Told {
    pub(crate) fn ended(self, end: OnewayEnd) {
        let mut account = self.0.lock();
        account.ended(end);
        if account.is_settled() {
            self.0.settled.notify_one();
        }
    }
}
