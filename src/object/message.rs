//! Messages: one serde struct for each method of an object.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::lists::Each;
use crate::object::interface::MethodFlags;
use crate::object::items::{Incoming, ItemSource};

/// A message that can be sent to an object in another process; each is one method.
///
/// It is derived, next to actix's own derive:
///
/// ```
/// # #[cfg(all(feature = "macros", feature = "daemon"))] {
/// use pyroxene::RemoteMessage;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, actix::Message, RemoteMessage)]
/// #[rtype(result = "u64")]
/// struct Balance;
///
/// assert_eq!(Balance::METHOD, "balance");
/// # }
/// ```
///
/// A handler's `Result<T, E>` is taken apart: the caller gets `T`, or its own `E` back as
/// [`CallError::Raised`](crate::client::CallError::Raised).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a remote message",
    label = "this cannot be sent to another process",
    note = "derive it: `#[derive(Serialize, Deserialize, Message, RemoteMessage)]`"
)]
pub trait RemoteMessage: Serialize + DeserializeOwned + Send + 'static {
    /// What the handler returns.
    type Output: Send + 'static;
    /// The value a call ends with when all is well.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// The error the object may raise; [`Never`] when the handler does not return a `Result`.
    type Error: RemoteError;
    /// The name of the method.
    const METHOD: &'static str;
    /// What callers may assume about the method.
    const FLAGS: MethodFlags = MethodFlags::NONE;
    /// The first paragraph of its documentation, for `describe`.
    const DOC: &'static str = "";

    /// Takes what the handler returned apart.
    ///
    /// # Errors
    /// The error that the object raised.
    fn outcome(output: Self::Output) -> Result<Self::Reply, Self::Error>;

    /// The items that the reply stands for; a method that has the flag [`STREAM`](MethodFlags::STREAM) replies with them.
    ///
    /// # Errors
    /// The reply itself, which is not a stream.
    fn into_items(reply: Self::Reply) -> Result<Box<dyn ItemSource>, Self::Reply> {
        Err(reply)
    }

    /// The reply whose items come from the other end; `None` if it is not a stream.
    fn from_items(_: Box<dyn Incoming>) -> Option<Self::Reply> {
        None
    }

    /// Shows those lists of bytes in the message that [`blob`](crate::codec::blob) writes, and only those. Large ones that are shown move, out of the
    /// message that is sent and into the one that is received; others are copied. The derive and the macro do it.
    fn show_lists(&mut self, _: Each<'_>) {}
}

/// An error that travels: the caller of a remote object gets the value itself back.
///
/// Implemented for every error type that serde can write and read.
pub trait RemoteError: std::error::Error + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name the error goes by on the wire: its type's name without the path.
    fn class() -> &'static str {
        let full = std::any::type_name::<Self>();
        let generic = full.find('<').unwrap_or(full.len());
        full[..generic].rfind("::").map_or(full, |at| &full[at + 2..])
    }
}

impl<E: std::error::Error + Serialize + DeserializeOwned + Send + Sync + 'static> RemoteError for E {}

/// The error of methods that raise none; it has no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
pub enum Never {}

impl std::fmt::Display for Never {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Never {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, serde::Deserialize)]
    struct Overdrawn;
    impl std::fmt::Display for Overdrawn {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("overdrawn")
        }
    }
    impl std::error::Error for Overdrawn {}

    #[test]
    fn an_error_goes_by_its_short_name() {
        assert_eq!(Overdrawn::class(), "Overdrawn");
    }
}
