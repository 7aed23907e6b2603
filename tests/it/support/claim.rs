//! What the end of a call says about the call, and whether that is true.

use pyroxene::CallError;

/// What the end of a call says about whether it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Claim {
    /// Once.
    Ran,
    /// Surely not.
    DidNotRun,
    /// At most once.
    MayHaveRun,
}

impl Claim {
    pub(crate) fn of<T, E>(ended: &Result<T, CallError<E>>) -> Claim {
        match ended {
            Ok(_) | Err(CallError::Raised(_) | CallError::Failed(_)) => Claim::Ran,
            Err(CallError::NotStarted(_)) => Claim::DidNotRun,
            Err(_) => Claim::MayHaveRun,
        }
    }

    /// Whether it is true of a call that ran so often.
    pub(crate) fn is_true(self, ran: usize) -> bool {
        match self {
            Claim::Ran => ran == 1,
            Claim::DidNotRun => ran == 0,
            Claim::MayHaveRun => ran <= 1,
        }
    }
}
