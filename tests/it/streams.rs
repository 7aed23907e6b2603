//! Streams of items: how they end, how fast they go, and what a peer that breaks their rules may do.

mod endings;
mod hostile;
mod pace;
mod printer;
mod scribe;
mod uploads;
mod uploads_hostile;
mod uploads_shapes;
