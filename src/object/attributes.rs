//! Attributes: what of an object's state can be read and written from afar, by path.
//!
//! Every attribute has a place in the object's method table, which says its name, its type and whether it can be written; what reads and writes
//! it are five methods that every object with attributes has. So they stand in the object's queue with its other calls, in order.

pub mod access;
mod error;
pub mod messages;
mod path;
pub mod table;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::Value;
use crate::object::attributes::access::Access;
use crate::object::interface::{Method, MethodFlags};
use crate::object::invocation::Invocation;
use crate::object::message::RemoteMessage;

pub use error::AttributeError;

/// State that can be reached from afar. Written by the macros: for the fields of a struct by `RemoteObject` and `RemoteAttributes`, for methods
/// such as `owner` and `set_owner` by `remote`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no remote attributes",
    label = "nothing in it can be reached from afar",
    note = "derive them: `#[derive(RemoteAttributes)]`, with `#[remote(attr)]` on the fields; a value that is read as a whole is an `attr`, not `nested`"
)]
pub trait Attributes: 'static {
    /// Its attributes, and below each one that is nested what that has, by path.
    const TABLE: &'static [Method];

    /// The value at a path.
    ///
    /// # Errors
    /// There is none.
    fn read(&mut self, at: Access<'_>) -> Result<Value, AttributeError>;

    /// Gives what is at a path another value.
    ///
    /// # Errors
    /// There is nothing, or it cannot be written, or does not take this value.
    fn write(&mut self, at: Access<'_>, value: Value) -> Result<(), AttributeError>;

    /// Runs the method at this place of the [`TABLE`](Attributes::TABLE).
    fn call(&mut self, place: usize, invocation: Invocation);
}

/// What an attribute can be: a value that owns what it holds, and that serde can write and read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an attribute",
    label = "serde cannot write and read this",
    note = "derive `Serialize` and `Deserialize` for it, or leave the field hidden; a struct that has attributes of its own is `#[remote(nested)]`"
)]
pub trait AttributeValue: Serialize + DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + 'static> AttributeValue for T {}

/// Nested state without methods: where `#[pyroxene::remote(nested)]` has written none, these are found.
pub trait NoMethods {
    /// None.
    const __METHODS: &'static [Method] = &[];

    /// There are none to run; dropped, it says so.
    fn __call(&mut self, _: usize, invocation: Invocation) {
        drop(invocation);
    }
}

#[diagnostic::do_not_recommend]
impl<T> NoMethods for T {}

/// Runs a method of nested state.
pub fn run<T, M: RemoteMessage>(
    state: &mut T,
    mut invocation: Invocation,
    method: impl FnOnce(&mut T, M) -> M::Output,
) {
    if let Some(message) = invocation.begin::<M>() {
        let output = method(state, message);
        invocation.end::<M>(output);
    }
}

/// Whether a method of this name is an attribute, and not one of something nested.
pub(crate) fn is_own_attribute(name: &str, flags: MethodFlags) -> bool {
    flags.contains(MethodFlags::ATTRIBUTE) && !name.contains('.')
}

/// Whether it is one that users wrote: no attribute, and not what reads and writes those.
pub(crate) fn is_listed(name: &str, flags: MethodFlags) -> bool {
    !flags.contains(MethodFlags::ATTRIBUTE) && !messages::is_reserved(name)
}
