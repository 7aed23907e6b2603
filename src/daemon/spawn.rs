//! Spawning an object with everything said.

use std::sync::{Arc, Mutex, PoisonError};

use actix::Addr;

use crate::client::proxy::Proxy;
use crate::daemon::allow::Allow;
use crate::daemon::daemon::Daemon;
use crate::daemon::entry::{Entry, Loss};
use crate::daemon::error::SpawnError;
use crate::daemon::instances::{Blueprint, Family, Instances};
use crate::daemon::objects::Placed;
use crate::daemon::own::{self, Home};
use crate::daemon::remote_object::{ObjectActor, RemoteObject};
use crate::daemon::restart::Restart;
use crate::daemon::strategy::Strategy;
use crate::daemon::supervisor::{Start, Supervise};
use crate::object::interface::{Interface, Kind};
use crate::object::panic;
use crate::uri::{NameText, ObjectId};
use crate::wire::Target;

/// An object about to be hosted.
///
/// ```no_run
/// # #[cfg(feature = "macros")] {
/// # use pyroxene::{Daemon, Restart, remote};
/// # #[derive(Default)] struct Account;
/// # #[remote] impl Account { pub fn ping(&self) {} }
/// # async fn example(daemon: Daemon) -> Result<(), Box<dyn std::error::Error>> {
/// let bob = daemon
///     .object("bank.bob", Account::default)
///     .mailbox(128)
///     .restart(Restart::on_failure().at_most(5).within_secs(60))
///     .spawn()
///     .await?;
/// # Ok(()) }
/// # }
/// ```
#[must_use = "the object is hosted by `spawn`"]
pub struct Spawn<O: RemoteObject> {
    daemon: Daemon,
    /// `None` for one that only those find who have a reference.
    name: Option<String>,
    id: Option<String>,
    owner: Option<String>,
    factory: Box<dyn Fn() -> O + Send>,
    mailbox: usize,
    restart: Restart,
    strategy: Strategy,
    instances: Instances,
    max_instances: usize,
    while_held: bool,
    allow: Option<Arc<dyn Allow>>,
}

/// Makes the state of an object, each time it is called; its instances share it.
type Factory<O> = Arc<Mutex<Box<dyn Fn() -> O + Send>>>;

impl<O: RemoteObject> Spawn<O> {
    pub(crate) fn new(daemon: Daemon, name: Option<&str>, factory: impl Fn() -> O + Send + 'static) -> Spawn<O> {
        let (mailbox, max_instances) = (daemon.0.config.mailbox, daemon.0.config.instances);
        Spawn {
            daemon,
            name: name.map(str::to_owned),
            id: None,
            owner: None,
            factory: Box::new(factory),
            mailbox,
            restart: Restart::default(),
            strategy: Strategy::default(),
            instances: Instances::default(),
            max_instances,
            while_held: false,
            allow: None,
        }
    }

    /// Calls that its queue holds; beyond them a caller is told at once that it is full. One connection may hold half.
    pub fn mailbox(mut self, calls: usize) -> Spawn<O> {
        self.mailbox = calls.max(1);
        self
    }

    /// What happens when it fails.
    pub fn restart(mut self, policy: Restart) -> Spawn<O> {
        self.restart = policy;
        self
    }

    /// Whether each session or each call has an instance of its own. Each has a queue of its own, fails for itself, and is started again by
    /// the policy if it is kept.
    pub fn instances(mut self, instances: Instances) -> Spawn<O> {
        self.instances = instances;
        self
    }

    /// Instances that there may be at a time, unless all callers share one; whoever would need a further one is told that it is
    /// [`Busy`](crate::NotStarted::Busy).
    pub fn max_instances(mut self, instances: usize) -> Spawn<O> {
        self.max_instances = instances.max(1);
        self
    }

    /// It belongs to this object of the daemon, by name or id: it ends before its owner is stopped, and when its owner stops itself or stays
    /// failed. Of several the one that was hosted last ends first. To end is to run no more calls; states are dropped soon after, each on the
    /// thread of its object. An owner that is started again keeps what belongs to it.
    pub fn owner(mut self, owner: &str) -> Spawn<O> {
        self.owner = Some(owner.to_owned());
        self
    }

    /// Who may call it; everybody, unless this is said. A call that is not allowed does not run, and is
    /// [`Denied`](crate::NotStarted::Denied). Attributes are read by the methods `__getattr__` and `__getattrs__`, written by `__setattr__` and
    /// `__casattr__`, and watched by `__watchattr__`. A call that another daemon passes on comes from that daemon.
    ///
    /// ```no_run
    /// # #[cfg(feature = "macros")] {
    /// # use pyroxene::{Daemon, remote};
    /// use pyroxene::object::context::Caller;
    /// # #[derive(Default)] struct Till;
    /// # #[remote] impl Till { pub fn count(&self) -> u64 { 0 } pub fn empty(&mut self) {} }
    /// # async fn example(daemon: Daemon) -> Result<(), Box<dyn std::error::Error>> {
    /// // Others may count what is in it.
    /// let till = daemon.object("till", Till::default).allow(|caller: &Caller, method: &str| caller.is_local() || method == "count");
    /// till.spawn().await?;
    /// # Ok(()) }
    /// # }
    /// ```
    pub fn allow(mut self, allow: impl Allow) -> Spawn<O> {
        self.allow = Some(Arc::new(allow));
        self
    }

    /// What becomes of the others that belong to it when one of them fails and is started again. Objects that nobody can start again, such as
    /// actors that were exported, and objects with instances go on as they are.
    ///
    /// ```no_run
    /// # #[cfg(feature = "macros")] {
    /// # use pyroxene::{Daemon, Restart, Strategy, remote};
    /// # #[derive(Default)] struct Part;
    /// # #[remote] impl Part { pub fn ping(&self) {} }
    /// # async fn example(daemon: Daemon) -> Result<(), Box<dyn std::error::Error>> {
    /// daemon.object("shop", Part::default).strategy(Strategy::RestForOne).spawn().await?;
    /// daemon.object("shop.store", Part::default).owner("shop").spawn().await?;
    /// // When the store is started again, so is the till; if it fails too often, so has the shop.
    /// let often = Restart::on_failure().at_most(3).within_secs(5).escalate();
    /// daemon.object("shop.till", Part::default).owner("shop").restart(often).spawn().await?;
    /// # Ok(()) }
    /// # }
    /// ```
    pub fn strategy(mut self, strategy: Strategy) -> Spawn<O> {
        self.strategy = strategy;
        self
    }

    /// An id of its own, so that references to it outlive this incarnation of the daemon.
    pub fn id(mut self, id: &str) -> Spawn<O> {
        self.id = Some(id.to_owned());
        self
    }

    /// It lives for as long as somebody holds it: a proxy of this process that is connected to it, or a process elsewhere that has one. When
    /// nobody has held it for 30 seconds ([`Limits::lease_ms`](crate::wire::Limits::lease_ms)) it is ended. So a reference that was passed on is to
    /// be connected, or called, within that time; and whoever loses the connection has as long to come back.
    ///
    /// ```no_run
    /// # #[cfg(feature = "macros")] {
    /// # use pyroxene::{Daemon, remote};
    /// # #[derive(Default)] struct Cart;
    /// # #[remote] impl Cart { pub fn ping(&self) {} }
    /// # async fn example(daemon: Daemon) -> Result<(), Box<dyn std::error::Error>> {
    /// let cart = daemon.host(Cart::default).while_held().spawn().await?;
    /// # Ok(()) }
    /// # }
    /// ```
    pub fn while_held(mut self) -> Spawn<O> {
        self.while_held = true;
        self
    }

    /// Starts it. Where each session or each call has an instance, nothing is made until it is called.
    ///
    /// # Errors
    /// The name or id is taken or cannot be one, its owner is not there, or the factory panics.
    pub async fn spawn(self) -> Result<Proxy<O>, SpawnError> {
        let Spawn {
            daemon,
            name,
            id,
            owner,
            factory,
            mailbox,
            restart,
            strategy,
            instances,
            max_instances,
            while_held,
            allow,
        } = self;
        let placement = Arc::clone(&daemon.0.placement);
        let seat = placement.choose();
        let factory: Factory<O> = Arc::new(Mutex::new(factory));
        let family = |common: &Arc<Entry>| {
            let factory = Arc::clone(&factory);
            let blueprint = Blueprint {
                common: Arc::clone(common),
                seat,
                most: max_instances,
                policy: restart.clone(),
                starter: Box::new(move |entry| start::<O>(entry, Arc::clone(&factory))),
                daemon: Arc::downgrade(&daemon.0),
            };
            Family::new(instances, blueprint)
        };
        let (name, id, owner) = (name.as_deref(), id.as_deref(), owner.as_deref());
        let registered =
            Registration { name, id, owner, mailbox, allow, seat, while_held }.register::<O>(&daemon, family);
        let (placed, id) = registered.inspect_err(|_| placement.leave(seat))?;
        let entry = Arc::clone(&placed.entry);
        if placed.family.is_some() {
            entry.open();
            let made = proxy(&daemon, &placed, &id);
            daemon.0.supervisor.do_send(Supervise {
                placed,
                start: None,
                policy: Restart::never(),
                strategy: Strategy::OneForOne,
            });
            return Ok(made);
        }
        let made = proxy(&daemon, &placed, &id);
        let start = start::<O>(Arc::clone(&entry), factory);
        let supervise = Supervise { placed, start: Some(Arc::clone(&start)), policy: restart, strategy };
        daemon.0.supervisor.do_send(supervise);
        let (sender, started) = tokio::sync::oneshot::channel();
        placement.run(seat, Box::new(move || drop(sender.send(start()))));
        match started.await {
            Ok(Ok(())) => Ok(made),
            Ok(Err(problem)) => {
                daemon.stop(entry.id());
                Err(SpawnError::Factory { name: entry.label().to_string(), problem })
            }
            Err(_) => Err(SpawnError::Draining),
        }
    }
}

impl Daemon {
    /// Makes an actor that already runs callable from afar. When it ends, its callers are told, and it is not started again: nobody has
    /// said how.
    ///
    /// # Errors
    /// The name is taken or cannot be one, or the daemon is ending.
    pub fn export<A>(&self, name: &str, addr: &Addr<A>) -> Result<Proxy<A>, SpawnError>
    where
        A: ObjectActor + Interface + RemoteObject,
    {
        export(self, Some(name), addr, false)
    }

    /// The same without a name: only those find the actor who are given the proxy. It is callable until it ends, or is
    /// [ended](Daemon::end); the actor itself goes on then.
    ///
    /// ```no_run
    /// # #[cfg(feature = "macros")] {
    /// # use actix::{Actor, Context, Handler};
    /// # use pyroxene::{Daemon, RemoteMessage, RemoteObject};
    /// # #[derive(serde::Serialize, serde::Deserialize, actix::Message, RemoteMessage)]
    /// # #[rtype(result = "()")]
    /// # struct Ping;
    /// # #[derive(RemoteObject)]
    /// # #[remote(methods(Ping))]
    /// # struct Till;
    /// # impl Actor for Till { type Context = Context<Self>; }
    /// # impl Handler<Ping> for Till { type Result = (); fn handle(&mut self, _: Ping, _: &mut Context<Self>) {} }
    /// # async fn example(daemon: Daemon) -> Result<(), Box<dyn std::error::Error>> {
    /// let till = daemon.export_nameless(&Till.start())?;
    /// till.send(Ping).await?;
    /// assert!(daemon.end(&till));
    /// # Ok(()) }
    /// # }
    /// ```
    ///
    /// # Errors
    /// The daemon is ending.
    pub fn export_nameless<A>(&self, addr: &Addr<A>) -> Result<Proxy<A>, SpawnError>
    where
        A: ObjectActor + Interface + RemoteObject,
    {
        export(self, None, addr, false)
    }

    /// The same, until nobody holds it.
    pub(super) fn export_while_held<A>(&self, addr: &Addr<A>) -> Result<Proxy<A>, SpawnError>
    where
        A: ObjectActor + Interface + RemoteObject,
    {
        export(self, None, addr, true)
    }
}

fn export<A>(daemon: &Daemon, name: Option<&str>, addr: &Addr<A>, while_held: bool) -> Result<Proxy<A>, SpawnError>
where
    A: ObjectActor + Interface + RemoteObject,
{
    let placement = &daemon.0.placement;
    let seat = placement.choose();
    let mailbox = daemon.0.config.mailbox;
    let registration = Registration { name, id: None, owner: None, mailbox, allow: None, seat, while_held };
    let registered = registration.register::<A>(daemon, |_| None);
    let (placed, id) = registered.inspect_err(|_| placement.leave(seat))?;
    let (entry, made) = (Arc::clone(&placed.entry), proxy(daemon, &placed, &id));
    let policy = Restart::never();
    daemon.0.supervisor.do_send(Supervise { placed, start: None, policy, strategy: Strategy::OneForOne });
    if let Some(generation) = entry.begin() {
        own::remember(addr, &entry);
        entry.running(generation, addr.clone());
    }
    Ok(made)
}

/// What an object is called, who may call it, and for how long.
pub(crate) struct Registration<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) id: Option<&'a str>,
    pub(crate) owner: Option<&'a str>,
    pub(crate) mailbox: usize,
    pub(crate) allow: Option<Arc<dyn Allow>>,
    pub(crate) seat: usize,
    pub(crate) while_held: bool,
}

impl Registration<'_> {
    /// Gives the object its place in the daemon's table.
    pub(crate) fn register<O: RemoteObject>(
        self,
        daemon: &Daemon,
        family: impl FnOnce(&Arc<Entry>) -> Option<Family>,
    ) -> Result<(Placed, ObjectId), SpawnError> {
        if daemon.0.is_draining() {
            return Err(SpawnError::Draining);
        }
        let bad = |text: &str, problem: String| SpawnError::BadName { name: text.to_owned(), problem };
        let named = |name| NameText::new(name).map_err(|error| bad(name, error.to_string()));
        let name = self.name.map(named).transpose()?;
        let id = match self.id {
            Some(id) => ObjectId::new(id).map_err(|error| bad(id, error.to_string()))?,
            None => ObjectId::generate(),
        };
        let name = name.map(Into::into);
        let on_loss = Arc::clone(&daemon.0.on_loss);
        let entry = Entry::new(id.clone().into(), name, Kind::of::<O>(), self.mailbox, on_loss);
        let entry = Arc::new(entry.allow(self.allow).at(Home::new(daemon, &id)));
        let family = family(&entry);
        let mut objects = daemon.0.objects();
        let owner = match self.owner {
            Some(owner) => {
                let found = objects
                    .find(&Target::Name(owner.to_owned()))
                    .or_else(|| objects.find(&Target::Id(owner.to_owned())));
                let found =
                    found.filter(Placed::is_there).ok_or_else(|| SpawnError::NoOwner { owner: owner.to_owned() })?;
                Some(Arc::clone(found.entry.id()))
            }
            None => None,
        };
        let placed = Placed { entry, seat: self.seat, family, owner };
        objects.insert(placed.clone()).map_err(|name| SpawnError::Taken { name })?;
        drop(objects);
        if self.while_held {
            daemon.0.held.insert(placed.entry.id());
        }
        daemon.0.changed.send_replace(());
        Ok((placed, id))
    }
}

/// Makes the object's actor, each time it is called.
fn start<O: RemoteObject>(entry: Arc<Entry>, factory: Factory<O>) -> Start {
    Arc::new(move || {
        let make = || (factory.lock().unwrap_or_else(PoisonError::into_inner))().into_actor();
        let (generation, addr) = make_actor(&entry, make)?;
        entry.running(generation, addr);
        Ok(())
    })
}

/// Makes an object's next actor, on this thread; it takes no calls yet.
///
/// # Errors
/// The object was stopped, or its factory panicked, which counts as a failure of it.
pub(crate) fn make_actor<A: ObjectActor>(
    entry: &Arc<Entry>,
    make: impl FnOnce() -> A,
) -> Result<(u64, Addr<A>), String> {
    let Some(generation) = entry.begin() else { return Err("it was stopped".to_owned()) };
    // A factory that panicked before may well succeed now.
    match panic::guard(|| make().start()) {
        Ok(addr) => {
            own::remember(&addr, entry);
            Ok((generation, addr))
        }
        Err(report) => {
            let problem = format!("{} at {}", report.message, report.location);
            entry.lost(generation, Loss::Panicked(format!("its factory panicked: {problem}")));
            Err(problem)
        }
    }
}

/// The proxy to an object of the daemon.
pub(crate) fn proxy<A: Interface + ?Sized>(daemon: &Daemon, placed: &Placed, id: &ObjectId) -> Proxy<A> {
    let client = &daemon.0.client;
    let object = match &placed.family {
        None => daemon.0.held.object(Arc::clone(&placed.entry), &daemon.0),
        Some(family @ (Family::PerCall(_) | Family::Keyed(_) | Family::Key(_))) => family.object(),
        // It finds the client's instance when it is first used.
        Some(Family::PerSession(_)) => return Proxy::lazy_with(client, daemon.uri(id)),
    };
    Proxy::local(client.clone(), daemon.uri(id), object)
}
