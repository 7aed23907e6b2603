//! Nothing but a benchmark.
