//! Traits that clients and objects share.

use actix::Context;

use crate::daemon::host::{Host, Hosted};
use crate::object::interface::{Interface, Method};
use crate::object::invocation::Invocation;

/// How an object runs the methods of a shared trait, which is named by `dyn Trait`: written by `#[pyroxene::remote]` on the trait, used by the
/// same attribute on an implementation of it.
#[diagnostic::on_unimplemented(
    message = "the trait of `{Self}` is not remote",
    label = "this trait",
    note = "write `#[pyroxene::remote]` above its declaration as well"
)]
pub trait SharedBy<T: Hosted>: Interface {
    /// Runs one call with [`Host::call`] or [`Host::call_async`].
    fn dispatch(host: &mut Host<T>, invocation: Invocation, ctx: &mut Context<Host<T>>);
}

/// The methods of an object with a shared trait.
pub const fn methods_shared_by<S: SharedBy<T> + ?Sized, T: Hosted>() -> &'static [Method] {
    S::METHODS
}
