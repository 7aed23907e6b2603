//! Hosting objects that are told apart by a key.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::client::proxy::Proxy;
use crate::daemon::allow::Allow;
use crate::daemon::daemon::Daemon;
use crate::daemon::error::SpawnError;
use crate::daemon::host::{Host, Hosted};
use crate::daemon::instances::Family;
use crate::daemon::keyed::snapshot::{self, Snapshot};
use crate::daemon::keyed::store::{MemoryStore, SnapshotStore};
use crate::daemon::keyed::{Active, Keyed, Make, Settings};
use crate::daemon::remote_object::RemoteObject;
use crate::daemon::restart::Restart;
use crate::daemon::spawn::{Registration, make_actor, proxy};
use crate::daemon::strategy::Strategy;
use crate::daemon::supervisor::Supervise;

/// Objects of one name about to be hosted; see [`Daemon::keyed`].
#[must_use = "the objects are hosted by `spawn`"]
pub struct SpawnKeyed<O: Snapshot> {
    daemon: Daemon,
    name: String,
    factory: Factory<O>,
    store: Arc<dyn SnapshotStore>,
    mailbox: usize,
    allow: Option<Arc<dyn Allow>>,
    settings: Settings,
}

/// Makes an object of its key and of what was kept of it.
type Factory<O> = Mutex<Box<dyn Fn(&str, Option<<O as Snapshot>::Kept>) -> O + Send>>;

impl Daemon {
    /// Hosts many objects under one name, of which those are in memory that are used: each has a key, and is found as `NAME.KEY` or by
    /// [`Proxy::key`]. A call to an object that is passive activates it: the factory makes it of its key and of what was
    /// [kept](Snapshot::snapshot) of it, if anything was. When nobody has called it for a while, its state is saved and it is let go; so a million
    /// accounts take the memory of those in use. Callers do not notice, and references to it outlive this and the next daemon.
    ///
    /// What a call has changed is saved within some seconds ([`save_within_secs`](SpawnKeyed::save_within_secs)), and when the daemon ends. An
    /// object that panics is started again from what was saved last. One whose snapshot cannot be read takes no calls, and is tried again with
    /// the next one.
    ///
    /// ```no_run
    /// # #[cfg(feature = "macros")] {
    /// use pyroxene::{Daemon, DirectoryStore, Snapshot, remote};
    ///
    /// struct Account {
    ///     pence: u64,
    /// }
    ///
    /// #[remote]
    /// impl Account {
    ///     pub fn deposit(&mut self, pence: u64) -> u64 {
    ///         self.pence += pence;
    ///         self.pence
    ///     }
    /// }
    ///
    /// impl Snapshot for Account {
    ///     type Kept = u64;
    ///     fn snapshot(&self) -> Option<u64> {
    ///         Some(self.pence)
    ///     }
    /// }
    ///
    /// # async fn example(daemon: Daemon) -> Result<(), Box<dyn std::error::Error>> {
    /// let accounts = daemon
    ///     .keyed("accounts", |_key: &str, kept: Option<u64>| Account { pence: kept.unwrap_or(0) })
    ///     .store(DirectoryStore::open("accounts")?)
    ///     .at_most(1_000)
    ///     .idle_secs(60)
    ///     .spawn()
    ///     .await?;
    /// let bob = AccountProxy::from(accounts.key("bob")?);
    /// bob.deposit(30).await?;
    /// # Ok(()) }
    /// # }
    /// ```
    pub fn keyed<O>(&self, name: &str, factory: impl Fn(&str, Option<O::Kept>) -> O + Send + 'static) -> SpawnKeyed<O>
    where
        O: RemoteObject<Actor = Host<O>> + Hosted + Snapshot,
    {
        let config = &self.0.config;
        let settings = Settings {
            idle: Duration::from_secs(60),
            save_within: Duration::from_secs(10),
            drain: Duration::from_millis(config.drain_ms.into()),
            at_most: config.instances,
            policy: Restart::default(),
            keys: None,
        };
        let (mailbox, factory) = (config.mailbox, Mutex::new(Box::new(factory) as Box<_>));
        let store = Arc::new(MemoryStore::default());
        SpawnKeyed { daemon: self.clone(), name: name.to_owned(), factory, store, mailbox, allow: None, settings }
    }
}

impl<O> SpawnKeyed<O>
where
    O: RemoteObject<Actor = Host<O>> + Hosted + Snapshot,
{
    /// Where snapshots are; in memory, unless this is said.
    pub fn store(mut self, store: impl SnapshotStore) -> SpawnKeyed<O> {
        self.store = Arc::new(store);
        self
    }

    /// For how long an object stays active that nobody calls, seconds; 60 unless this is said. One stays longer while a call of it runs or an
    /// attribute of it is watched.
    pub fn idle_secs(mut self, secs: u32) -> SpawnKeyed<O> {
        self.settings.idle = Duration::from_secs(secs.into());
        self
    }

    /// Within how long the state of an object is saved after a call, seconds; 10 unless this is said. As much may be lost when it panics or the
    /// process dies. With 0, it is saved as soon as the store keeps up.
    pub fn save_within_secs(mut self, secs: u32) -> SpawnKeyed<O> {
        self.settings.save_within = Duration::from_secs(secs.into());
        self
    }

    /// Objects that are active at a time, at most. When there are as many, one that is not in use makes room for the next, the one that was not
    /// called for the longest time; if all are, callers of others are told that there is no room, and when to try again.
    pub fn at_most(mut self, objects: usize) -> SpawnKeyed<O> {
        self.settings.at_most = objects.max(1);
        self
    }

    /// Which keys there are; any, unless this is said. Others are [`NoSuchObject`](crate::NotStarted::NoSuchObject). It is asked
    /// whenever somebody connects to an object, on whatever thread, and has to answer at once.
    ///
    /// ```no_run
    /// # #[cfg(feature = "macros")] {
    /// # use pyroxene::{Daemon, Snapshot, remote};
    /// # #[derive(Default)] struct Account;
    /// # #[remote] impl Account { pub fn ping(&self) {} }
    /// # impl Snapshot for Account { type Kept = (); fn snapshot(&self) -> Option<()> { None } }
    /// # async fn example(daemon: Daemon) -> Result<(), Box<dyn std::error::Error>> {
    /// let accounts = daemon.keyed("accounts", |_: &str, _: Option<()>| Account);
    /// let accounts = accounts.keys(|key| key.len() == 8 && key.bytes().all(|byte| byte.is_ascii_digit()));
    /// # Ok(()) }
    /// # }
    /// ```
    pub fn keys(mut self, is_key: impl Fn(&str) -> bool + Send + Sync + 'static) -> SpawnKeyed<O> {
        self.settings.keys = Some(Box::new(is_key));
        self
    }

    /// Calls that the queue of each holds; beyond them a caller is told at once that it is full. One connection may hold half.
    pub fn mailbox(mut self, calls: usize) -> SpawnKeyed<O> {
        self.mailbox = calls.max(1);
        self
    }

    /// What happens when one of them fails. One that stays failed is made anew when nobody has called it for as long as it may be idle.
    pub fn restart(mut self, policy: Restart) -> SpawnKeyed<O> {
        self.settings.policy = policy;
        self
    }

    /// Who may call them; see [`Spawn::allow`](crate::daemon::spawn::Spawn::allow).
    pub fn allow(mut self, allow: impl Allow) -> SpawnKeyed<O> {
        self.allow = Some(Arc::new(allow));
        self
    }

    /// Makes them callable; none is made before it is called. The proxy is that of all of them: [`Proxy::key`] says which one is meant.
    ///
    /// # Errors
    /// The name is taken or cannot be one.
    pub async fn spawn(self) -> Result<Proxy<O>, SpawnError> {
        let SpawnKeyed { daemon, name, factory, store, mailbox, allow, settings } = self;
        let make = make(factory);
        let seat = daemon.0.placement.choose();
        let (name, id) = (Some(name.as_str()), Some(name.as_str()));
        let registration = Registration { name, id, owner: None, mailbox, allow, seat, while_held: false };
        let keyed = |common: &Arc<_>| Some(Family::Keyed(Keyed::new(&daemon, common, settings, store, make)));
        let registered = registration.register::<O>(&daemon, keyed);
        let (placed, id) = registered.inspect_err(|_| daemon.0.placement.leave(seat))?;
        placed.entry.open();
        let made = proxy(&daemon, &placed, &id);
        let (policy, strategy) = (Restart::never(), Strategy::OneForOne);
        daemon.0.supervisor.do_send(Supervise { placed, start: None, policy, strategy });
        Ok(made)
    }
}

/// How the actor of an object is made.
fn make<O>(factory: Factory<O>) -> Make
where
    O: RemoteObject<Actor = Host<O>> + Hosted + Snapshot,
{
    Box::new(move |active: &Arc<Active>, kept: Option<Vec<u8>>| {
        let kept = kept.map(|kept| snapshot::read(&kept)).transpose()?;
        let state = || (factory.lock().unwrap_or_else(PoisonError::into_inner))(&active.key, kept).into_actor();
        // What its factory panics of, its policy is for.
        if let Ok((generation, addr)) = make_actor(&active.entry, state) {
            active.begun(addr.clone().recipient());
            active.entry.running(generation, addr);
        }
        Ok(())
    })
}
