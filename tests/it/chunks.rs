//! Large messages go in chunks, between which others pass.

mod blobs;
mod endings;
mod hostile;
mod order;
