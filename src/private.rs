//! What the macros write code with. It changes without notice; nobody else names it.

pub use serde;

pub use crate::client::attributes::{GetCall, SetCall};
pub use crate::client::call::Call;
pub use crate::client::connect::{IntoProxy, IntoUri};
pub use crate::client::promise::Reference;
pub use crate::client::proxy::Proxy;
pub use crate::codec::Value;
pub use crate::codec::lists::{Each, show as show_list};
pub use crate::object::attributes::access::Access;
pub use crate::object::attributes::{
    AttributeError, Attributes, NoMethods, messages as attribute_messages, run as run_nested, table as attribute_table,
};
pub use crate::object::interface::{Accepts, Facet, Interface, Method, MethodFlags, OfTrait};
pub use crate::object::invocation::Invocation;
pub use crate::object::items::{Incoming, ItemSource, Items};
pub use crate::object::message::{Never, RemoteMessage};

#[cfg(feature = "daemon")]
pub use actix;

#[cfg(feature = "daemon")]
pub use crate::daemon::{
    attributes::{AttributeActor, dispatch as dispatch_attribute},
    deliver::Deliver,
    host::{Host, Hosted},
    program::main,
    remote_object::{ObjectActor, RemoteObject},
    respond,
    shared::{SharedBy, methods_shared_by},
};

pub use crate::__with_daemon as with_daemon;

/// Code that means something only where objects are hosted, as this build of pyroxene can.
#[cfg(feature = "daemon")]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_daemon {
    ($($code:tt)*) => { $($code)* };
}

/// Code that means something only where objects are hosted, as this build of pyroxene cannot.
#[cfg(not(feature = "daemon"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_daemon {
    ($($code:tt)*) => {};
}

/// Whether no earlier method has the name of the one at this place. Names are known only to the compiler: a derive sees the messages' types.
pub const fn is_new_name(methods: &[Method], place: usize) -> bool {
    let mut earlier = 0;
    while earlier < place {
        if same(methods[earlier].name.as_bytes(), methods[place].name.as_bytes()) {
            return false;
        }
        earlier += 1;
    }
    true
}

/// Whether no two methods have the same name.
pub const fn are_new_names(methods: &[Method]) -> bool {
    are_new_names_between(methods, 0, methods.len())
}

/// Whether no earlier method has the name of one of these.
pub const fn are_new_names_between(methods: &[Method], first: usize, end: usize) -> bool {
    let mut place = first;
    while place < end {
        if !is_new_name(methods, place) {
            return false;
        }
        place += 1;
    }
    true
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_only_as_a_whole() {
        assert!(same(b"balance", b"balance"));
        for (a, b) in [("balance", "balanc"), ("", "b"), ("a", "b"), ("total", "balance")] {
            assert!(!same(a.as_bytes(), b.as_bytes()) && !same(b.as_bytes(), a.as_bytes()));
        }
        assert!(same(b"", b""));
    }
}
