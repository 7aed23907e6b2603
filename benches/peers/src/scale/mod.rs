//! What becomes of it when there is much of it.

pub mod curve;
pub mod idle;
pub mod large;
pub mod objects;
pub mod slow;
mod svg;
