//! Calling objects: proxies, the connections they share, and how calls end.
//!
//! - May use: `peer`, `transport`, `object`, `codec`, `wire`, `uri`. What is in this process goes through a trait of `object/`; names
//!   through the [`Resolver`](client::Resolver) it is given.
//! - Must never know: actix, the daemon, name servers.

pub mod attributes;
#[cfg(feature = "blocking")]
mod background;
mod backoff;
pub mod batch;
mod behind;
mod binding;
#[cfg(feature = "blocking")]
pub mod blocking;
pub mod call;
#[expect(clippy::module_inception, reason = "the file of `Client`, as each type has its own")]
pub mod client;
pub mod connect;
mod describe;
pub mod dyn_proxy;
pub mod error;
mod exchange;
mod flush;
mod keys;
pub mod ledger;
mod link;
mod patience;
mod pool;
pub mod promise;
pub mod proxy;
pub mod repeat;
pub mod report;
mod request;
pub(crate) mod retry;
pub(crate) mod runtime;
pub mod stream;
pub mod watch;

pub use error::{CallError, ConnectError};
