//! How calls and connects fail, as their callers see it.

use crate::codec::fault::Fault;
use crate::object::attempts::Attempts;
use crate::object::message::Never;
use crate::object::outcome::{Failure, NotStarted, Unknown};

/// How a call ended, when not well. It says who must act, and whether the call ran.
///
/// ```
/// use pyroxene::{CallError, NotStarted};
///
/// let full = NotStarted::Busy { what: "the mailbox of bank".into(), retry_after_ms: 10 };
/// let error: CallError = CallError::NotStarted(full);
/// assert!(!error.may_have_run());
/// assert_eq!(error.retry_after(), Some(10));
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E = Never> {
    /// The object said no: its own error, as it raised it.
    #[error("{0}")]
    Raised(E),
    /// It ran and ended in a panic, or raised an error that this client cannot decode.
    #[error("{0}")]
    Failed(Box<Fault>),
    /// It surely never ran: trying again is safe.
    #[error("did not run: {0}")]
    NotStarted(NotStarted),
    /// It may have run, at most once.
    #[error("may have run: {0}")]
    Unknown(Unknown),
}

impl<E> CallError<E> {
    /// Whether the handler may have run.
    pub fn may_have_run(&self) -> bool {
        !matches!(self, CallError::NotStarted(_))
    }

    /// After how many milliseconds trying again can help; `None` when it cannot, or is the caller's decision.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            CallError::NotStarted(why) => why.retry_after(),
            _ => None,
        }
    }

    /// The attempts before the last one, if it was told to make several.
    pub fn history(&self) -> Option<&Attempts> {
        match self {
            CallError::NotStarted(NotStarted::Retried { attempts, .. })
            | CallError::Unknown(Unknown::Retried { attempts, .. }) => Some(attempts),
            _ => None,
        }
    }

    /// How often it was tried.
    pub fn attempts(&self) -> u32 {
        self.history().map_or(1, |attempts| attempts.count().saturating_add(1))
    }

    /// What happened at the other end, line by line: the backtrace of a panic, the chain of causes of an error.
    pub fn remote_traceback(&self) -> &[String] {
        match self {
            CallError::Failed(fault) => &fault.traceback,
            _ => &[],
        }
    }

    /// The same for another error type: a raised one goes through `map`.
    pub fn map_raised<F>(self, map: impl FnOnce(E) -> F) -> CallError<F> {
        match self {
            CallError::Raised(error) => CallError::Raised(map(error)),
            CallError::Failed(fault) => CallError::Failed(fault),
            CallError::NotStarted(why) => CallError::NotStarted(why),
            CallError::Unknown(why) => CallError::Unknown(why),
        }
    }
}

impl<E> From<Failure> for CallError<E> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotStarted(why) => CallError::NotStarted(why),
            Failure::Unknown(why) => CallError::Unknown(why),
            Failure::Failed(fault) => CallError::Failed(fault),
        }
    }
}

/// Why a proxy could not be connected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct ConnectError {
    /// The URI that was to be connected to.
    pub uri: String,
    /// Why not.
    pub why: NotStarted,
}
