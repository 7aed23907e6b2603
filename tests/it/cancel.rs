//! Calls that their callers give up.

mod queued;
mod stopped;
