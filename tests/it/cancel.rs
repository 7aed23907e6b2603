//! Calls that their callers give up.

mod kinds;
mod queued;
mod stopped;
