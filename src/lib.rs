//! Distributed objects as supervised actors.

pub mod naming;
pub mod uri;
