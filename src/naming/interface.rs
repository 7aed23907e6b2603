//! The name server's methods: which message calls which, and how each ends.

use crate::naming::NamingError;
use crate::naming::name_server::{
    Count, CreateGroup, DeleteGroup, Find, List, Listing, Ping, Register, Registered, Registration, Renew, RenewName,
    Resolve, SetMetadata, Tree, Unregister, Withdraw,
};
use crate::object::interface::{Accepts, Interface, Method, MethodFlags};
use crate::object::message::RemoteMessage;

/// What every name server answers to.
#[derive(Clone, Copy, Debug)]
pub enum NameServerInterface {}

/// The macros are above this layer: the user's crate has them, the host does not need them.
macro_rules! methods {
    ($($message:ident $method:literal $reply:ty, $flags:expr, $doc:literal;)*) => {
        $(
            #[diagnostic::do_not_recommend]
            impl RemoteMessage for $message {
                type Output = Result<$reply, NamingError>;
                type Reply = $reply;
                type Error = NamingError;
                const METHOD: &'static str = $method;
                const FLAGS: MethodFlags = $flags;
                const DOC: &'static str = $doc;

                fn outcome(output: Self::Output) -> Result<$reply, NamingError> {
                    output
                }
            }

            #[cfg(feature = "daemon")]
            impl actix::Message for $message {
                type Result = Result<$reply, NamingError>;
            }
        )*

        #[diagnostic::do_not_recommend]
        impl Interface for NameServerInterface {
            const NAME: &'static str = "NameServer";
            const METHODS: &'static [Method] = &[$(Method::of::<$message>()),*];
        }

        methods!(@index 0usize; $($message)*);
    };
    (@index $index:expr; $message:ident $($rest:ident)*) => {
        #[diagnostic::do_not_recommend]
        impl Accepts<$message> for NameServerInterface {
            const INDEX: usize = $index;
        }
        methods!(@index $index + 1; $($rest)*);
    };
    (@index $index:expr;) => {};
}

methods! {
    Register "register" Registration, MethodFlags::NONE, "Gives an object a name.";
    Renew "renew" u64, MethodFlags::IDEMPOTENT, "Renews the leases of all names of the caller; says how many.";
    RenewName "renew_name" (), MethodFlags::IDEMPOTENT, "Renews the lease of one name.";
    Unregister "remove" (), MethodFlags::NONE, "Takes a name away.";
    Withdraw "withdraw" u64, MethodFlags::IDEMPOTENT, "Takes all names of the caller away; says how many.";
    Resolve "lookup" Registered, MethodFlags::IDEMPOTENT, "Says where the object with this name is.";
    List "list" Listing, MethodFlags::IDEMPOTENT, "Lists a group, one level.";
    Tree "tree" Listing, MethodFlags::IDEMPOTENT, "Lists all names in a group and its groups.";
    Find "find" Listing, MethodFlags::IDEMPOTENT, "Lists the names that carry tags.";
    CreateGroup "create_group" (), MethodFlags::NONE, "Makes a group.";
    DeleteGroup "delete_group" u64, MethodFlags::NONE, "Deletes a group; says how many names went with it.";
    SetMetadata "set_metadata" (), MethodFlags::IDEMPOTENT, "Replaces the tags of a name.";
    Ping "ping" (), MethodFlags::IDEMPOTENT, "Does nothing, successfully.";
    Count "count" u64, MethodFlags::IDEMPOTENT, "Says how many names there are.";
}
