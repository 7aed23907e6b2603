//! Large messages go in chunks, between which others pass.

mod endings;
mod hostile;
mod order;
