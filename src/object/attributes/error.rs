//! Why an attribute is not read or written.

use serde::{Deserialize, Serialize};

use crate::codec::Value;

/// Why an attribute was not read or written. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// The path cannot be read as one.
    #[error(
        "{path:?} is no path of an attribute: {problem}; write it as in `address.street`, `history[3]` or `rates[\"eur\"]`"
    )]
    BadPath {
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no attribute of this name; none is ever made by writing it.
    #[error("there is no attribute {path:?}{}", offer(nearest.as_deref()))]
    Unknown {
        /// What was asked for.
        path: String,
        /// The path that was probably meant.
        nearest: Option<String>,
    },
    /// It can be read only.
    #[error("the attribute {path:?} can be read, but not written{}", instead.as_deref().unwrap_or_default())]
    ReadOnly {
        /// What was to be written.
        path: String,
        /// What to write instead, if there is anything.
        instead: Option<String>,
    },
    /// The value is not one of the attribute's type.
    #[error("the attribute {path:?} takes {expected}: {problem}")]
    WrongType {
        /// What was to be written, or read.
        path: String,
        /// The type that is expected there.
        expected: String,
        /// What is wrong with the value.
        problem: String,
    },
    /// A list has no such place, or a map no such key.
    #[error("there is no {path:?}: {problem}")]
    NoSuchItem {
        /// What was asked for.
        path: String,
        /// What there is.
        problem: String,
    },
    /// The object does not take this value.
    #[error("the attribute {path:?} was not set: {problem}")]
    Refused {
        /// What was to be written.
        path: String,
        /// What the object says.
        problem: String,
    },
    /// It does not have the value that was expected, so it was not set.
    #[error("the attribute {path:?} was not set: it is {found} by now")]
    Changed {
        /// What was to be written.
        path: String,
        /// The value it has.
        found: Value,
    },
    /// Its value cannot be sent.
    #[error("the attribute {path:?} cannot be read: {problem}")]
    Unreadable {
        /// What was asked for.
        path: String,
        /// Why not.
        problem: String,
    },
}

fn offer(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}
