//! What Pyroxene promises, provoked: each test is named after the promise it checks.
//!
//! `support` has what they stand on: a daemon and a client in one process, networks that break, a peer made by hand.
#![cfg(all(feature = "macros", feature = "daemon"))]

mod support;

mod calls;
mod chaos;
mod faults;
mod limits;
mod order;
mod reconnect;
mod shutdown;
mod supervision;

mod macros;
