//! Distributed objects as supervised actors.

pub mod uri;
