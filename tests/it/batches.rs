//! Batches: one frame each way, how each call ends, what stops them, and peers that break their rules.

mod bounds;
mod hostile;
mod outcomes;
mod stopping;
