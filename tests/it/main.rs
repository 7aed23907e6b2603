//! What Pyroxene promises, proved from outside: one binary, so that it links once. Each test is named after the promise it checks.
//!
//! `support` has what they stand on: a daemon and a client in one process, networks that break, a peer made by hand.
#![cfg(all(feature = "macros", feature = "daemon"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod support;

mod allow;
mod announce;
mod attributes;
mod batches;
mod blocking;
mod calls;
mod cancel;
mod chaos;
mod chunks;
mod cut;
mod describe;
mod drain;
mod faults;
mod flush;
mod fuzz_seeds;
mod golden;
mod groups;
mod instances;
mod keyed;
mod limits;
mod macros;
mod once;
mod order;
mod owners;
mod pipelining;
#[cfg(unix)]
mod processes;
mod reconnect;
mod references;
mod resume;
mod retries;
mod shutdown;
mod silence;
mod simulation;
mod spin;
mod streams;
mod strict;
mod supervision;
mod town;
mod trees;
mod watch;
mod wire_properties;
