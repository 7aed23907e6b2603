//! Where the snapshots of passive objects are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::transport::network::BoxFuture;

/// What a store does, once it has: or why it could not.
pub type StoreFuture<'a, T> = BoxFuture<'a, Result<T, Box<dyn std::error::Error + Send + Sync>>>;

/// Keeps the snapshots of passive objects, by their ids. [`MemoryStore`] and [`DirectoryStore`](crate::daemon::keyed::DirectoryStore) are two; a
/// database makes a third.
///
/// For one id one thing is asked for at a time, for different ones several. What was saved must be there when `save` has ended, also after the
/// process and the machine have.
pub trait SnapshotStore: Send + Sync + 'static {
    /// What was saved last for this id; `None` if nothing was, or it was removed.
    fn load<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<Vec<u8>>>;

    /// Keeps a snapshot instead of the one before: all of it, or, on an error, still the one before.
    fn save<'a>(&'a self, id: &'a str, snapshot: Vec<u8>) -> StoreFuture<'a, ()>;

    /// Keeps nothing for this id; nothing may be there.
    fn remove<'a>(&'a self, id: &'a str) -> StoreFuture<'a, ()>;
}

/// Snapshots in memory: smaller than the objects, and gone with the process. A handle: clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<BTreeMap<Box<str>, Vec<u8>>>>);

impl MemoryStore {
    /// How many snapshots there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SnapshotStore for MemoryStore {
    fn load<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move { Ok(self.lock().get(id).cloned()) })
    }

    fn save<'a>(&'a self, id: &'a str, mut snapshot: Vec<u8>) -> StoreFuture<'a, ()> {
        snapshot.shrink_to_fit();
        Box::pin(async move {
            self.lock().insert(id.into(), snapshot);
            Ok(())
        })
    }

    fn remove<'a>(&'a self, id: &'a str) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.lock().remove(id);
            Ok(())
        })
    }
}
