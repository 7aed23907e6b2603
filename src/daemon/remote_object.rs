//! What makes a type an object that a daemon can host.

use actix::{Actor, Context, Handler};

use crate::daemon::deliver::Deliver;
use crate::object::interface::Interface;
use crate::object::invocation::Invocation;

/// A type whose values a daemon can host. It is derived for an actix actor, or written by `#[pyroxene::remote]` for a plain struct.
///
/// ```
/// # #[cfg(feature = "macros")] {
/// use actix::{Actor, Context, Handler};
/// use pyroxene::{Interface, RemoteMessage, RemoteObject};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, actix::Message, RemoteMessage)]
/// #[rtype(result = "u64")]
/// struct Balance;
///
/// #[derive(RemoteObject)]
/// #[remote(methods(Balance))]
/// struct Account {
///     balance: u64,
/// }
///
/// impl Actor for Account {
///     type Context = Context<Self>;
/// }
///
/// impl Handler<Balance> for Account {
///     type Result = u64;
///     fn handle(&mut self, _: Balance, _: &mut Context<Self>) -> u64 {
///         self.balance
///     }
/// }
///
/// assert_eq!(Account::METHODS[0].name, "balance");
/// # }
/// ```
pub trait RemoteObject: Interface + Sized {
    /// The actor that runs it: itself, or [`Host`](crate::daemon::host::Host) around a plain struct.
    type Actor: ObjectActor;

    /// The actor around this value.
    fn into_actor(self) -> Self::Actor;
}

/// An actor that takes the calls of an object out of its queue. Written by the macros.
pub trait ObjectActor: Actor<Context = Context<Self>> + Handler<Deliver> {
    /// Runs one call.
    fn dispatch(&mut self, invocation: Invocation, ctx: &mut Context<Self>);
}
