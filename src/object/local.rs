//! Objects in this process, as proxies see them: a proxy to one of them puts messages straight into its queue.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use crate::object::ended::Ended;
use crate::object::interface::Method;
use crate::object::invocation::Invocation;
use crate::object::outcome::NotStarted;
use crate::uri::Endpoint;
use crate::wire::{Chain, Target};

/// An object that runs in this process.
pub trait LocalObject: Send + Sync {
    /// Its id.
    fn id(&self) -> &Arc<str>;
    /// What faults call it.
    fn label(&self) -> &Arc<str>;
    /// Its methods.
    fn methods(&self) -> &'static [Method];
    /// Calls that its queue holds at most.
    fn capacity(&self) -> usize;
    /// Whether each session calls an instance of its own, which [`of_session`](LocalObject::of_session) finds.
    fn is_per_session(&self) -> bool {
        false
    }
    /// The instance that this session calls, and keeps as long as it is held; `None` when all sessions call the object itself.
    fn of_session(&self, _session: u128) -> Option<Result<Arc<dyn LocalObject>, NotStarted>> {
        None
    }
    /// Its end, once it is gone.
    fn ended(&self) -> Receiver<Option<Ended>>;
    /// Puts a call into its queue; what it does not take, it answers.
    fn submit(&self, invocation: Invocation);
    /// Puts calls into its queue, in their order; what it does not take, it answers. Afterwards `invocations` is empty.
    fn submit_all(&self, invocations: &mut VecDeque<Invocation>);
    /// Whether it waits for the call that has this chain; then who does, from itself to itself.
    fn waits_for(&self, chain: &Chain) -> Option<Vec<String>>;
    /// Takes the calls out of its queue that nobody waits for or whose time is over, and answers them. The earliest deadline of those that
    /// are left.
    fn sweep(&self) -> Option<Instant>;
}

/// A daemon that runs in this process.
pub trait LocalDaemon: Send + Sync {
    /// The object that is meant.
    fn find(&self, target: &Target) -> Option<Arc<dyn LocalObject>>;
    /// Whether this is the address by which others know it.
    fn is_at(&self, endpoint: &Endpoint) -> bool;
}

/// The daemons of this process by the addresses they listen on. Simulations, where one process plays several machines, give each its own.
#[derive(Clone, Default)]
pub struct LocalDaemons(Arc<Mutex<BTreeMap<Endpoint, Weak<dyn LocalDaemon>>>>);

impl LocalDaemons {
    /// The daemons of this process.
    pub fn of_process() -> LocalDaemons {
        static PROCESS: LazyLock<LocalDaemons> = LazyLock::new(LocalDaemons::default);
        PROCESS.clone()
    }

    /// Makes the daemon at `endpoint` known.
    pub fn insert(&self, endpoint: Endpoint, daemon: Weak<dyn LocalDaemon>) {
        let mut table = self.lock();
        table.retain(|_, daemon| daemon.strong_count() > 0);
        table.insert(endpoint, daemon);
    }

    /// Forgets the daemon at `endpoint`.
    pub fn remove(&self, endpoint: &Endpoint) {
        self.lock().remove(endpoint);
    }

    /// The object that is meant, if it is one of this process.
    pub fn find(&self, endpoint: &Endpoint, target: &Target) -> Option<Arc<dyn LocalObject>> {
        let daemon = self.lock().get(endpoint)?.upgrade()?;
        daemon.find(target)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Endpoint, Weak<dyn LocalDaemon>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for LocalDaemons {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.lock().keys()).finish()
    }
}
