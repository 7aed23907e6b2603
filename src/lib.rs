//! Distributed objects as supervised actors: define one, give it a name, call it from anywhere.

extern crate self as pyroxene;

pub mod wire;
pub mod codec;
pub mod uri;
pub mod object;
pub mod transport;
pub mod peer;
pub mod client;
pub mod naming;
#[cfg(feature = "daemon")]
pub mod daemon;
mod ambient;
pub mod config;
pub mod log;
#[cfg(feature = "daemon")]
mod serve;
#[cfg(any(doc, doctest))]
pub mod manual;
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use client::client::{Client, ClientConfig};
pub use client::call::Call;
pub use client::connect::{Connect, IntoUri};
pub use client::dyn_proxy::DynProxy;
pub use client::proxy::Proxy;
pub use client::report::report;
pub use client::{CallError, ConnectError};
pub use codec::Value;
pub use codec::args::Args;
pub use codec::fault::Fault;
pub use naming::NameServer;
pub use object::context::CallContext;
pub use object::interface::{Accepts, Any, Interface};
pub use object::message::{Never, RemoteError, RemoteMessage};
pub use object::outcome::{NotStarted, Unknown};
pub use uri::Uri;
#[cfg(feature = "daemon")]
pub use daemon::daemon::{Daemon, DaemonConfig};
#[cfg(feature = "daemon")]
pub use daemon::host::Host;
#[cfg(feature = "daemon")]
pub use daemon::remote_object::RemoteObject;
#[cfg(feature = "daemon")]
pub use daemon::restart::Restart;
#[cfg(feature = "daemon")]
pub use daemon::{BindError, SpawnError};
#[cfg(feature = "daemon")]
pub use serve::{ServeError, serve};
#[cfg(feature = "macros")]
pub use pyroxene_macros::{RemoteMessage, RemoteObject, main, remote};

/// The README's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
