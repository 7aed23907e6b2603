//! Objects in this process, as proxies see them: a proxy to one of them puts messages straight into its queue.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use crate::object::ended::Ended;
use crate::object::interface::{Method, MethodFlags};
use crate::object::invocation::Invocation;
use crate::object::outcome::NotStarted;
use crate::uri::{Endpoint, ObjectId};
use crate::wire::{Chain, Target};

/// What is known of an object that runs in this process before it is called.
#[derive(Clone, Debug)]
pub struct Nameplate {
    /// Its id.
    pub id: Arc<str>,
    /// What faults call it.
    pub label: Arc<str>,
    /// Its methods.
    pub methods: &'static [Method],
    /// Calls that its queue holds at most.
    pub capacity: usize,
}

/// An object that runs in this process.
pub trait LocalObject: Send + Sync {
    /// What is known of it.
    fn nameplate(&self) -> &Nameplate;
    /// Its id.
    fn id(&self) -> &Arc<str> {
        &self.nameplate().id
    }
    /// What faults call it.
    fn label(&self) -> &Arc<str> {
        &self.nameplate().label
    }
    /// Its methods.
    fn methods(&self) -> &'static [Method] {
        self.nameplate().methods
    }
    /// Calls that its queue holds at most.
    fn capacity(&self) -> usize {
        self.nameplate().capacity
    }
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
    fn submit_all(&self, invocations: &mut VecDeque<Invocation>) {
        invocations.drain(..).for_each(|invocation| self.submit(invocation));
    }
    /// Whether it waits for the call that has this chain, and runs no such method meanwhile; then who waits, from itself to itself.
    fn waits_for(&self, _chain: &Chain, _method: MethodFlags) -> Option<Vec<String>> {
        None
    }
    /// Takes the calls out of its queue that nobody waits for or whose time is over, and answers them. The earliest deadline of those that
    /// are left.
    fn sweep(&self) -> Option<Instant> {
        None
    }
}

/// A daemon that runs in this process.
pub trait LocalDaemon: Send + Sync {
    /// The object that is meant.
    fn find(&self, target: &Target) -> Option<Arc<dyn LocalObject>>;
    /// Whether this is the address by which others know it.
    fn is_at(&self, endpoint: &Endpoint) -> bool;
    /// The connection behind which the object is that is meant, if it is one of a client of this daemon; who calls over connections knows what
    /// they are.
    ///
    /// # Errors
    /// The client is not connected.
    fn behind(&self, target: &Target) -> Option<Result<Behind, NotStarted>> {
        let _ = target;
        None
    }

    /// To be kept for as long as a connection has an object of it open: it knows by that how many are.
    fn opened(&self) -> Option<Arc<()>> {
        None
    }

    /// Its objects are called over this connection: it is to be kept open for as long as the daemon lives.
    fn keep(&self, connection: Box<dyn std::any::Any + Send>) {
        drop(connection);
    }
}

/// A connection, and what an object is called behind it.
pub struct Behind {
    /// The connection.
    pub connection: Box<dyn std::any::Any + Send>,
    /// The object there.
    pub target: Target,
}

/// The daemons of this process by the addresses they listen on. Simulations, where one process plays several machines, give each its own.
#[derive(Clone, Default)]
pub struct LocalDaemons(Arc<Table>);

#[derive(Default)]
struct Table(Mutex<BTreeMap<Endpoint, Weak<dyn LocalDaemon>>>);

impl LocalDaemons {
    /// The daemons of this process.
    pub fn of_process() -> LocalDaemons {
        static PROCESS: LazyLock<LocalDaemons> = LazyLock::new(LocalDaemons::default);
        PROCESS.clone()
    }

    /// Makes the daemon at `endpoint` known.
    pub fn insert(&self, endpoint: Endpoint, daemon: Weak<dyn LocalDaemon>) {
        let mut table = self.0.lock();
        table.retain(|_, daemon| daemon.strong_count() > 0);
        table.insert(endpoint, daemon);
    }

    /// Forgets the daemon at `endpoint`.
    pub fn remove(&self, endpoint: &Endpoint) {
        self.0.lock().remove(endpoint);
    }

    /// The object that is meant, if it is one of this process.
    pub fn find(&self, endpoint: &Endpoint, target: &Target) -> Option<Arc<dyn LocalObject>> {
        // Its own object may come back under the address that was lent for it.
        if let Some(own) = relayed(target)
            && let Some(object) = self.0.find(&own)
        {
            return Some(object);
        }
        self.at(endpoint)?.find(target)
    }

    /// The connection behind which the object is that is meant, if it is one of a client of a daemon of this process.
    ///
    /// # Errors
    /// The client is not connected.
    pub fn behind(&self, endpoint: &Endpoint, target: &Target) -> Option<Result<Behind, NotStarted>> {
        self.at(endpoint)?.behind(target)
    }

    /// Whether a daemon of this process does not listen.
    pub fn are_unbound(&self) -> bool {
        self.0.unbound().next().is_some()
    }

    /// The objects of the daemons that do not listen, as those see them who are connected to.
    pub fn unbound(&self) -> Weak<dyn LocalDaemon> {
        Arc::downgrade(&(Arc::clone(&self.0) as Arc<dyn LocalDaemon>))
    }

    fn at(&self, endpoint: &Endpoint) -> Option<Arc<dyn LocalDaemon>> {
        self.0.lock().get(endpoint)?.upgrade()
    }
}

/// What an object behind a connection is called there. Only what nobody chose is known for sure to be the same object.
fn relayed(target: &Target) -> Option<Target> {
    let Target::Id(id) = target else { return None };
    let (_, own) = ObjectId::relayed(id)?;
    ObjectId::is_generated(own).then(|| Target::Id(own.to_owned()))
}

impl Table {
    fn unbound(&self) -> impl Iterator<Item = Arc<dyn LocalDaemon>> + use<> {
        let table = self.lock();
        let unbound = table.iter().filter(|(endpoint, _)| matches!(endpoint, Endpoint::Unbound(_)));
        let daemons: Vec<_> = unbound.filter_map(|(_, daemon)| daemon.upgrade()).collect();
        daemons.into_iter()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Endpoint, Weak<dyn LocalDaemon>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All daemons that do not listen, as one. By name nobody finds anything: what others may call, they were given a reference to.
impl LocalDaemon for Table {
    fn find(&self, target: &Target) -> Option<Arc<dyn LocalObject>> {
        match target {
            Target::Id(_) => self.unbound().find_map(|daemon| daemon.find(target)),
            Target::Name(_) | Target::None | Target::Connection { .. } => None,
        }
    }

    fn is_at(&self, endpoint: &Endpoint) -> bool {
        self.unbound().any(|daemon| daemon.is_at(endpoint))
    }

    /// By one of them: which of them an object is of that a message refers to is not known here.
    fn keep(&self, connection: Box<dyn std::any::Any + Send>) {
        if let Some(daemon) = self.unbound().last() {
            daemon.keep(connection);
        }
    }
}

impl std::fmt::Debug for LocalDaemons {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.lock().keys()).finish()
    }
}
