//! Distributed objects as supervised actors: define one, give it a name, call it from anywhere.
//!
//! ```text
//! proxy ──► frames ──► daemon ──► queue of the object ──► actix actor
//!   ▲                                                        │
//!   └───────────── value, or one of four true endings ◄──────┘
//! ```
//!
//! An object is an actix actor whose messages have one more derive, or a plain struct with one attribute. A [`Daemon`] hosts and supervises
//! it, a name server gives it a name, a [`Proxy`] calls it, in this process or in another one. A call that goes wrong says who must act,
//! and whether it ran: [`CallError`].
//!
//! ```no_run
//! # #[cfg(all(feature = "macros", feature = "daemon"))] {
//! #[derive(Default)]
//! struct Account {
//!     balance: u64,
//! }
//!
//! #[pyroxene::remote]
//! impl Account {
//!     pub fn deposit(&mut self, amount: u64) -> u64 {
//!         self.balance += amount;
//!         self.balance
//!     }
//! }
//!
//! # async fn serve() -> Result<(), pyroxene::ServeError> {
//! pyroxene::serve("bank.alice", Account::default).await
//! # }
//! # async fn call() -> Result<(), Box<dyn std::error::Error>> {
//! // In another process:
//! let account = AccountProxy::connect("PYRONAME://bank.alice").await?;
//! account.deposit(30).await?;
//! # Ok(()) }
//! # }
//! ```
//!
//! The modules, bottom to top; each begins with what it may use and what it must never know. The manual is in [`manual`], the protocol in
//! [`wire`].
#![cfg_attr(
    not(any(doc, doctest)),
    allow(rustdoc::broken_intra_doc_links, reason = "the manual exists only in documentation")
)]
#![cfg_attr(
    not(feature = "daemon"),
    expect(dead_code, unused_imports, reason = "a client has what it shares with a daemon, which uses more of it")
)]

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
#[cfg(feature = "macros")]
mod macros;
#[cfg(feature = "daemon")]
mod serve;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
#[cfg(any(doc, doctest))]
pub mod manual;

pub use client::attributes::{ChangesCall, GetCall, SetCall};
pub use client::batch::{Batch, DynBatch};
#[cfg(feature = "blocking")]
#[doc(inline)]
pub use client::blocking;
pub use client::call::{Annotated, Call};
pub use client::client::{Client, ClientConfig};
pub use client::connect::{Connect, IntoUri};
pub use client::dyn_proxy::DynProxy;
pub use client::ledger::Oneways;
pub use client::promise::{Promise, Reference};
pub use client::proxy::Proxy;
pub use client::report::report;
pub use client::watch::Watch;
pub use client::{CallError, ConnectError};
pub use codec::Value;
pub use codec::args::Args;
pub use codec::fault::Fault;
#[cfg(feature = "daemon")]
pub use daemon::daemon::{Daemon, DaemonConfig};
#[cfg(feature = "daemon")]
pub use daemon::host::Host;
#[cfg(feature = "daemon")]
pub use daemon::instances::Instances;
#[cfg(feature = "daemon")]
pub use daemon::keyed::{DirectoryStore, MemoryStore, Snapshot, SnapshotStore};
#[cfg(feature = "daemon")]
pub use daemon::remote_object::RemoteObject;
#[cfg(feature = "daemon")]
pub use daemon::restart::Restart;
#[cfg(feature = "daemon")]
pub use daemon::strategy::Strategy;
#[cfg(feature = "daemon")]
pub use daemon::usage::Usage;
#[cfg(feature = "daemon")]
pub use daemon::{BindError, SpawnError};
#[cfg(feature = "macros")]
pub use macros::{RemoteAttributes, RemoteMessage, RemoteObject, main, remote};
pub use naming::{Group, NameServer};
pub use object::attributes::AttributeError;
pub use object::context::CallContext;
pub use object::ended::{Ended, Ending};
pub use object::facts::AnnotationError;
pub use object::interface::{Accepts, Any, Interface};
pub use object::items::{ItemSender, Items};
pub use object::message::{Never, RemoteError, RemoteMessage};
pub use object::outcome::{NotStarted, Unknown};
pub use peer::spin::Spin;
#[cfg(feature = "daemon")]
pub use serve::{ServeError, serve};
pub use uri::Uri;

/// The README's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
