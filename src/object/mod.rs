//! What can be called: messages, methods and their signatures, invocations on their way to an object, and how a call ends.
//!
//! - May use: `codec`, `wire`, `uri`.
//! - Must never know: who runs an object, sockets, actix.

pub(crate) mod address;
pub mod attempts;
pub mod attributes;
pub mod context;
pub mod description;
pub mod ended;
pub mod facts;
pub(crate) mod first_fault;
pub(crate) mod fnv;
pub mod interface;
pub mod invocation;
pub mod items;
pub mod local;
pub mod local_caller;
pub mod message;
pub mod oneways;
pub mod outcome;
pub mod panic;
pub mod reply;
pub mod signature;
