//! Objects of which each session, or each call, has an instance of its own.

mod per_call;
mod per_session;
mod table;

use std::sync::{Arc, Weak};

use crate::daemon::daemon::Inner;
use crate::daemon::entry::{Entry, OnLoss};
use crate::daemon::instances::per_call::PerCall;
use crate::daemon::instances::per_session::PerSession;
use crate::daemon::keyed::Keyed;
use crate::daemon::keyed::object::KeyedObject;
use crate::daemon::restart::Restart;
use crate::daemon::supervisor::Start;
use crate::object::local::LocalObject;
use crate::object::outcome::NotStarted;

/// After how long a caller that found all instances taken may try again, milliseconds.
const RETRY_MS: u32 = 100;

/// Which callers of an object share its state; said when it is hosted, with [`Spawn::instances`](crate::daemon::spawn::Spawn::instances).
///
/// ```no_run
/// # #[cfg(feature = "macros")] {
/// use pyroxene::{Daemon, Instances, remote};
///
/// #[derive(Default)]
/// struct Basket(Vec<String>);
///
/// #[remote]
/// impl Basket {
///     pub fn add(&mut self, item: String) -> u64 {
///         self.0.push(item);
///         self.0.len() as u64
///     }
/// }
///
/// # async fn example(daemon: Daemon) -> Result<(), Box<dyn std::error::Error>> {
/// // Each client fills a basket of its own.
/// daemon.object("basket", Basket::default).instances(Instances::PerSession).spawn().await?;
/// # Ok(()) }
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Instances {
    /// All of them.
    #[default]
    Single,
    /// Those of one client: each session has an instance, which is made at the first call, and dropped when the last connection of the
    /// session ends. In the daemon's own process it stays as long as a proxy through which the client has called it.
    PerSession,
    /// None: each call has an instance, which is made for it and dropped when it has ended.
    PerCall,
}

/// An object with instances, and those that there are.
#[derive(Clone)]
pub(crate) enum Family {
    PerSession(Arc<PerSession>),
    PerCall(Arc<PerCall>),
    /// Those that are active, of all keys.
    Keyed(Arc<Keyed>),
    /// That of one key, if it is active.
    Key(Arc<KeyedObject>),
}

/// What instances are made of.
pub(crate) struct Blueprint {
    /// What all of them are called, who may call them, and whether there may be new ones. It has no actor.
    pub(crate) common: Arc<Entry>,
    pub(crate) seat: usize,
    /// Instances that there may be.
    pub(crate) most: usize,
    pub(crate) policy: Restart,
    pub(crate) starter: Starter,
    pub(crate) daemon: Weak<Inner>,
}

/// Says how the actor of an entry is made.
pub(crate) type Starter = Box<dyn Fn(Arc<Entry>) -> Start + Send + Sync>;

impl Family {
    /// The family of an object; `None` where all callers share one.
    pub(crate) fn new(instances: Instances, blueprint: Blueprint) -> Option<Family> {
        match instances {
            Instances::Single => None,
            Instances::PerSession => Some(Family::PerSession(PerSession::new(blueprint))),
            Instances::PerCall => Some(Family::PerCall(PerCall::new(blueprint))),
        }
    }

    /// As callers find it.
    pub(crate) fn object(&self) -> Arc<dyn LocalObject> {
        match self {
            Family::PerSession(family) => Arc::new(Arc::clone(family)),
            Family::PerCall(family) => Arc::new(Arc::clone(family)),
            Family::Keyed(family) => Arc::clone(family) as Arc<dyn LocalObject>,
            Family::Key(object) => Arc::clone(object) as Arc<dyn LocalObject>,
        }
    }

    /// The objects of all keys, if this is them.
    pub(crate) fn keyed(&self) -> Option<Arc<Keyed>> {
        match self {
            Family::Keyed(keyed) => Some(Arc::clone(keyed)),
            Family::PerSession(_) | Family::PerCall(_) | Family::Key(_) => None,
        }
    }

    /// The instances that there are.
    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        match self {
            Family::PerSession(family) => family.entries(),
            Family::PerCall(family) => family.entries(),
            Family::Keyed(family) => family.entries(),
            // It stands for itself.
            Family::Key(_) => Vec::new(),
        }
    }
}

impl Blueprint {
    /// What stays of an instance while its actors come and go.
    fn entry(&self, number: u64, capacity: usize, on_loss: OnLoss) -> Arc<Entry> {
        let common = &self.common;
        let id = Arc::from(format!("{}#{number}", common.id()));
        Arc::new(common.instance(id, capacity, on_loss))
    }

    /// The daemon that hosts them.
    ///
    /// # Errors
    /// There are to be no new ones.
    fn daemon(&self) -> Result<Arc<Inner>, NotStarted> {
        let gone = || NotStarted::Draining { what: self.common.label().to_string() };
        self.common.refuses().map_or(Ok(()), Err)?;
        self.daemon.upgrade().ok_or_else(gone)
    }

    /// What is said when there are as many as there may be.
    fn full(&self) -> NotStarted {
        NotStarted::Busy { what: format!("the instances of {}", self.common.label()), retry_after_ms: RETRY_MS }
    }
}
