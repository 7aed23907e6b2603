//! What the macros' code names. Not for anybody else: it changes without notice.

pub use serde;

pub use crate::client::call::Call;
pub use crate::client::connect::{Connect, IntoProxy, IntoUri};
pub use crate::client::proxy::Proxy;
pub use crate::object::interface::{Accepts, Interface, Method, MethodFlags};
pub use crate::object::message::{Never, RemoteMessage};

#[cfg(feature = "daemon")]
pub use actix;

#[cfg(feature = "daemon")]
pub use crate::daemon::{
    deliver::Deliver,
    host::{Host, Hosted},
    remote_object::{ObjectActor, RemoteObject},
    respond,
};
#[cfg(feature = "daemon")]
pub use crate::object::invocation::Invocation;
