//! An object's own proxy: how it finds itself, by the address of its actor or because a method of it runs.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use actix::{Actor, Addr, AsyncContext, Context};

use crate::client::proxy::Proxy;
use crate::daemon::daemon::{Daemon, Inner};
use crate::daemon::deliver::Current;
use crate::daemon::entry::Entry;
use crate::daemon::remote_object::{ObjectActor, RemoteObject};
use crate::daemon::spawn;
use crate::object::interface::Interface;
use crate::uri::ObjectId;
use crate::wire::Target;

/// Addresses that are kept before those of actors that are no more are looked for.
const FEW: usize = 64;

/// Where the callers of an object find it.
#[derive(Clone)]
pub(crate) struct Home {
    daemon: Weak<Inner>,
    id: ObjectId,
}

impl Home {
    pub(crate) fn new(daemon: &Daemon, id: &ObjectId) -> Home {
        Home { daemon: Arc::downgrade(&daemon.0), id: id.clone() }
    }

    /// The daemon, while it is there.
    pub(crate) fn daemon(&self) -> Option<Daemon> {
        self.daemon.upgrade().map(Daemon)
    }

    /// The proxy to what is found there; `None` when it is gone.
    fn proxy<A: Interface + ?Sized>(&self) -> Option<Proxy<A>> {
        let daemon = Daemon(self.daemon.upgrade()?);
        let placed = daemon.0.place_of(&Target::Id(self.id.as_str().to_owned()))?;
        Some(spawn::proxy(&daemon, &placed, &self.id))
    }
}

impl<A: ObjectActor + Interface> Proxy<A> {
    /// The own proxy of an actor that is hosted or exported, ready to be put in a message; `None` for an actor that no daemon knows. It can be
    /// asked for wherever the actor has its context, also in `started`.
    ///
    /// Of an object with [instances](crate::Instances) it is the object's: where each session has an instance, whoever gets it calls the
    /// instance of its own session. An actor that was exported twice has the proxy of the latest export. An object that lives
    /// [while it is held](crate::daemon::spawn::Spawn::while_held) and keeps its own proxy holds itself.
    ///
    /// ```
    /// # #[cfg(feature = "macros")] {
    /// use actix::{Actor, Context, Handler};
    /// use pyroxene::{Proxy, RemoteMessage, RemoteObject};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, actix::Message, RemoteMessage)]
    /// #[rtype(result = "Option<Proxy>")]
    /// struct Introduce;
    ///
    /// #[derive(RemoteObject)]
    /// #[remote(methods(Introduce))]
    /// struct Guest;
    ///
    /// impl Actor for Guest {
    ///     type Context = Context<Self>;
    /// }
    ///
    /// impl Handler<Introduce> for Guest {
    ///     type Result = Option<Proxy>;
    ///     fn handle(&mut self, _: Introduce, ctx: &mut Context<Self>) -> Option<Proxy> {
    ///         Proxy::of(ctx).map(|own| own.cast())
    ///     }
    /// }
    /// # }
    /// ```
    pub fn of(ctx: &Context<A>) -> Option<Proxy<A>> {
        of(&ctx.address())
    }
}

/// The proxy to an actor that a daemon knows.
pub(super) fn of<A: ObjectActor + Interface>(addr: &Addr<A>) -> Option<Proxy<A>> {
    let entry = lock().find(hash(addr))?;
    // The address of an actor that has ended may belong to another one now.
    if entry.is_run_by(addr) { entry.home()?.proxy() } else { None }
}

impl<O: RemoteObject> Proxy<O> {
    /// The own proxy of the object whose method runs here, ready to be put in a message; `None` outside of its methods, and in those of objects
    /// of another type. It is what [`of`](Proxy::of) is, for plain structs, which have no context.
    ///
    /// ```
    /// # #[cfg(feature = "macros")] {
    /// # struct Room;
    /// # #[pyroxene::remote]
    /// # impl Room { pub fn enter(&mut self, guest: GuestProxy) {} }
    /// use pyroxene::Proxy;
    ///
    /// struct Guest {
    ///     room: RoomProxy,
    /// }
    ///
    /// #[pyroxene::remote]
    /// impl Guest {
    ///     pub async fn arrive(&mut self) {
    ///         let Some(own) = Proxy::<Guest>::current() else { return };
    ///         let _ = self.room.enter(own.into()).await;
    ///     }
    /// }
    /// # }
    /// ```
    pub fn current() -> Option<Proxy<O>> {
        let Current { entry, .. } = Current::of_thread()?;
        if entry.what().is::<O>() { entry.home()?.proxy() } else { None }
    }
}

/// Objects by the addresses of their actors.
#[derive(Default)]
struct Addresses {
    objects: BTreeMap<u64, Weak<Entry>>,
    /// How many of them there may be before those that are gone are looked for.
    many: usize,
}

impl Addresses {
    fn insert(&mut self, address: u64, entry: &Arc<Entry>) {
        if self.objects.len() >= self.many {
            self.objects.retain(|_, entry| entry.strong_count() > 0);
            self.many = FEW.max(2 * self.objects.len());
        }
        self.objects.insert(address, Arc::downgrade(entry));
    }

    fn find(&self, address: u64) -> Option<Arc<Entry>> {
        self.objects.get(&address)?.upgrade()
    }
}

static ADDRESSES: Mutex<Addresses> = Mutex::new(Addresses { objects: BTreeMap::new(), many: FEW });

fn lock() -> std::sync::MutexGuard<'static, Addresses> {
    ADDRESSES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on this is the actor of the object.
pub(crate) fn remember<A: Actor>(addr: &Addr<A>, entry: &Arc<Entry>) {
    lock().insert(hash(addr), entry);
}

fn hash<A: Actor>(addr: &Addr<A>) -> u64 {
    let mut hasher = DefaultHasher::new();
    addr.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::interface::{Any, Kind};

    fn entry() -> Arc<Entry> {
        Arc::new(Entry::new("id".into(), None, Kind::of::<Any>(), 1, Arc::new(|_, _, _| {})))
    }

    #[test]
    fn objects_that_are_gone_leave_no_trace() {
        let mut addresses = Addresses::default();
        let kept = entry();
        addresses.insert(0, &kept);
        for address in 1..10_000 {
            addresses.insert(address, &entry());
        }
        assert!(addresses.objects.len() <= FEW, "{}", addresses.objects.len());
        assert!(addresses.find(0).is_some_and(|found| Arc::ptr_eq(&found, &kept)));
        assert!(addresses.find(9_999).is_none());
    }
}
