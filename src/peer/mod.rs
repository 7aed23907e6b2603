//! One connection, both directions: calls out and the table of those in flight, invocations in and the objects they are for.
//! Roles switch all the time, so both ends are the same thing.
//!
//! - May use: `transport`, `object`, `codec`, `wire`, `uri`.
//! - Must never know: who stands above it, actix.

mod accounts;
mod assembly;
mod batch;
mod bulk;
pub mod connection;
mod control;
mod credit;
mod deadlines;
pub mod driver;
mod expiry;
pub mod export;
mod given_up;
pub mod greeting;
pub mod handshake;
pub(crate) mod hold;
pub mod in_flight;
mod items;
pub mod lane;
pub(crate) mod passages;
mod promise_lane;
mod promises;
mod receipts;
pub(crate) mod relays;
mod replies;
mod retained;
mod room;
pub mod session;
mod silence;
pub mod spin;
mod stream;
pub mod successor;
mod tickets;
pub(crate) mod timer;
pub(crate) mod uploads;
