//! Hosting objects: a supervisor that starts and restarts them, the arbiters they live on, and the connections that call them.
//!
//! - The only folder that names actix. May use: `client` and below.
//! - Must never know: naming; they meet in `serve.rs`.

pub mod allow;
pub mod attributes;
mod current;
#[expect(clippy::module_inception, reason = "the file of `Daemon`, as each type has its own")]
pub mod daemon;
pub mod deliver;
mod drain;
pub mod entry;
pub mod error;
mod exclusive;
mod factory;
mod held;
pub mod host;
pub mod instances;
pub mod introspection;
pub mod keyed;
mod listener;
mod objects;
mod own;
mod owners;
pub mod placement;
pub mod program;
mod reentry;
pub mod remote_object;
pub mod respond;
pub mod restart;
mod revivals;
pub mod run;
pub mod shared;
pub mod spawn;
pub mod state;
mod stop;
pub mod strategy;
mod supervisor;
mod turn_clock;
mod unbound;
pub mod usage;

pub use error::{BindError, SpawnError};
