//! What an object is doing, in a word.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an object is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Its actor is being made, for the first time or again; calls wait.
    Starting,
    /// It takes calls.
    Running,
    /// It takes no new calls; those that wait are still run.
    Draining,
    /// It failed more often than its policy allows.
    Failed(String),
    /// It is no more.
    Gone,
    /// Its next call makes it of what was saved of it.
    Passive,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Starting => f.write_str("starting"),
            State::Running => f.write_str("running"),
            State::Draining => f.write_str("draining"),
            State::Failed(problem) => write!(f, "failed: {problem}"),
            State::Gone => f.write_str("gone"),
            State::Passive => f.write_str("passive"),
        }
    }
}
