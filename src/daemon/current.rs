//! Actors that are put in messages without having been exported, and the daemon that does it for them.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use actix::Addr;

use crate::client::client::Client;
use crate::client::proxy::Proxy;
use crate::daemon::daemon::{Daemon, DaemonConfig, Inner};
use crate::daemon::deliver::Current;
use crate::daemon::error::{BindError, SpawnError};
use crate::daemon::own;
use crate::daemon::placement::Here;
use crate::daemon::remote_object::{ObjectActor, RemoteObject};
use crate::object::interface::Interface;

thread_local! {
    /// The first daemon that was bound here, of those that there are.
    static BOUND: RefCell<Weak<Inner>> = const { RefCell::new(Weak::new()) };
    /// The one that was made because there was none; it stays for as long as the thread.
    static MADE: RefCell<Option<Daemon>> = const { RefCell::new(None) };
}

/// A daemon was bound on this thread.
pub(super) fn remember(daemon: &Daemon) {
    BOUND.with_borrow_mut(|bound| {
        if bound.strong_count() == 0 {
            *bound = Arc::downgrade(&daemon.0);
        }
    });
}

impl Daemon {
    /// The daemon of whoever asks: in a method of an object that of the object, elsewhere the one that was bound first on this thread. Where there is
    /// none, one that does not [listen](Daemon::unbound) is made, and stays for as long as the thread; objects that it hosts live on this thread.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?}", pyroxene::Daemon::current().await?.usage());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// There is none, and none can be made.
    ///
    /// # Panics
    /// Outside of an actix system.
    pub async fn current() -> Result<Daemon, BindError> {
        let own = Current::of_thread().and_then(|current| current.entry.home()?.daemon());
        let found =
            own.or_else(|| BOUND.with_borrow(Weak::upgrade).map(Daemon)).filter(|daemon| !daemon.0.is_draining());
        if let Some(daemon) = found {
            return Ok(daemon);
        }
        // The actors that it exports have their threads.
        let config = DaemonConfig { placement: Some(Arc::new(Here)), ..DaemonConfig::default() };
        let daemon = Daemon::unbound_with(config, Client::current()).await?;
        MADE.set(Some(daemon.clone()));
        Ok(daemon)
    }
}

impl<A: ObjectActor + Interface + RemoteObject> Proxy<A> {
    /// The proxy to an actor of this process, ready to be put in a message. If no daemon knows the actor, the [current](Daemon::current) one
    /// exports it, for as long as somebody holds a proxy to it that has been connected, here or elsewhere; when nobody has for 30 seconds
    /// ([`Limits::lease_ms`](crate::wire::Limits::lease_ms)), or the actor ends, it is withdrawn. The actor itself does not notice.
    ///
    /// ```no_run
    /// # #[cfg(feature = "macros")] {
    /// use actix::{Actor, Addr, Context, Handler};
    /// use pyroxene::{Proxy, RemoteMessage, RemoteObject};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, actix::Message, RemoteMessage)]
    /// #[rtype(result = "()")]
    /// struct Say(String);
    ///
    /// #[derive(RemoteObject)]
    /// #[remote(methods(Say))]
    /// struct Guest;
    ///
    /// impl Actor for Guest {
    ///     type Context = Context<Self>;
    /// }
    ///
    /// impl Handler<Say> for Guest {
    ///     type Result = ();
    ///     fn handle(&mut self, Say(line): Say, _: &mut Context<Self>) {
    ///         println!("{line}");
    ///     }
    /// }
    ///
    /// # struct Room;
    /// # #[pyroxene::remote]
    /// # impl Room { pub fn enter(&mut self, guest: Proxy) {} }
    /// # async fn example(room: RoomProxy) -> Result<(), Box<dyn std::error::Error>> {
    /// let guest: Addr<Guest> = Guest.start();
    /// room.enter(Proxy::to(&guest).await?.cast()).await?;
    /// # Ok(()) }
    /// # }
    /// ```
    ///
    /// # Errors
    /// There is no daemon that could export it.
    ///
    /// # Panics
    /// Outside of an actix system.
    pub async fn to(addr: &Addr<A>) -> Result<Proxy<A>, SpawnError> {
        if let Some(proxy) = own::of(addr) {
            return Ok(proxy);
        }
        let daemon =
            Daemon::current().await.map_err(|problem| SpawnError::NoDaemon { problem: problem.to_string() })?;
        daemon.export_while_held(addr)
    }
}
