//! What people read when they make a mistake with the macros: `ui/<mistake>.rs` and, beside it, what the compiler says.
//!
//! `TRYBUILD=overwrite cargo test --test ui` writes the answers anew.
#![cfg(all(feature = "macros", feature = "daemon"))]

#[test]
fn every_mistake_is_told_what_to_write_instead() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
