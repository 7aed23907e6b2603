//! The manual. It explains; the types' own pages say what exactly each thing does.
//!
//! 1. [`tutorial`]: an account of a bank, from a struct to three processes.
//! 2. [`how_to`]: timeouts, errors, embedding a name server, objects here and elsewhere, calls without async, changing a message,
//!    logging, configuration.
//! 3. [`design`]: why it is as it is, as questions.
//! 4. [`from_actix`] and [`from_pyro`]: for those who come from there.
//! 5. [`security`]: what a peer may do, and what keeps it from more.

#[doc = include_str!("tutorial.md")]
pub mod tutorial {}

#[doc = include_str!("how_to.md")]
pub mod how_to {}

#[doc = include_str!("design.md")]
pub mod design {}

#[doc = include_str!("from_actix.md")]
pub mod from_actix {}

#[doc = include_str!("from_pyro.md")]
pub mod from_pyro {}

#[doc = include_str!("security.md")]
pub mod security {}
