//! What Pyroxene promises, proved from outside: one binary, so that it links once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod golden;
mod macros;
mod wire_properties;
