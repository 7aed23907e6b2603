//! A call that was told to try again: what for, and what is known of its attempts so far.

use crate::client::binding::Route;
use crate::client::error::CallError;
use crate::client::keys::{Key, Keys};
use crate::object::attempts::Attempts;
use crate::object::outcome::{NotStarted, Unknown};
use crate::wire::{Features, OnceKey};

/// What such a call has beside its exchange; a call that was not told so has none.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    /// The object says that running the method twice is as good as once.
    pub(crate) idempotent: bool,
    /// It is to run once, over all its attempts.
    pub(crate) once: bool,
    key: Option<Key>,
    /// Where the last attempt was sent, and where the one that may have run: which incarnation of the daemon, and which session there.
    last: Option<Place>,
    sent: Option<Place>,
    past: Attempts,
    /// The first attempt that may have run. From then on nobody can say of the call that it did not.
    doubt: Option<Unknown>,
}

type Place = (u128, u64);

impl Retry {
    /// The call begins.
    pub(crate) fn begin(&mut self, keys: &Keys) {
        if self.once && self.key.is_none() {
            self.key = Some(keys.take());
        }
    }

    /// What goes with each attempt of a call that is to run once.
    pub(crate) fn key(&self) -> Option<OnceKey> {
        self.key.as_ref().map(Key::wire)
    }

    /// Whether the call can be sent there at once.
    pub(crate) fn is_ready(&self, route: &Route) -> bool {
        match route {
            Route::Remote(connection, _) if self.once => {
                connection.session().is_some() || !connection.speaks(Features::SESSIONS)
            }
            _ => true,
        }
    }

    /// It is to be sent there now.
    ///
    /// # Errors
    /// It must not: nobody there knows whether it has run already, or will know afterwards.
    pub(crate) fn send<E>(&mut self, route: &Route, method: &str) -> Result<(), CallError<E>> {
        if !self.once {
            return Ok(());
        }
        let (place, daemon) = match route {
            Route::Local(_) => (None, "the daemon in this process"),
            Route::Remote(connection, _) => {
                (connection.session().map(|number| (connection.incarnation(), number)), connection.peer())
            }
        };
        if self.sent.is_some() && self.sent != place {
            let problem = "it is not the one that the call was sent to, or has forgotten the session since".to_owned();
            return Err(CallError::Unknown(Unknown::SessionLost { daemon: daemon.to_owned(), problem }));
        }
        if place.is_none() && matches!(route, Route::Remote(..)) {
            let problem = format!("{daemon} keeps no replies, so that it could run more than once");
            return Err(CallError::NotStarted(NotStarted::Unsupported { method: method.to_owned(), problem }));
        }
        self.last = place;
        Ok(())
    }

    /// Attempts that have failed.
    pub(crate) fn failed(&self) -> u32 {
        self.past.count()
    }

    /// Whether another attempt is safe and can help after one that ended so, and before how many milliseconds it cannot.
    /// `found` says that there was such an object, so that it may come back.
    pub(crate) fn hint<E>(&self, error: &CallError<E>, found: bool) -> Option<u32> {
        match error {
            CallError::NotStarted(NotStarted::Busy { retry_after_ms, .. }) => Some(*retry_after_ms),
            CallError::NotStarted(why) if why.retry_after().is_some() => Some(0),
            // While a server is replaced, nobody has its name, or somebody who does not have the object yet.
            CallError::NotStarted(
                NotStarted::Unresolved { .. } | NotStarted::NoSuchObject { .. } | NotStarted::StaleReference { .. },
            ) if found => Some(0),
            // It waited for a caller who seemed to have gone, when a connection was lost.
            CallError::NotStarted(NotStarted::Cancelled) => Some(0),
            CallError::Unknown(Unknown::Disconnected { .. }) if self.once || self.idempotent => Some(0),
            CallError::Unknown(Unknown::Aborted { .. }) if self.idempotent && !self.once => Some(0),
            _ => None,
        }
    }

    /// An attempt ended so, and there will be another one.
    pub(crate) fn add<E: std::fmt::Display>(&mut self, error: &CallError<E>) {
        self.past.add(error.to_string());
        if let CallError::Unknown(why) = error {
            self.doubt.get_or_insert_with(|| why.clone());
            self.sent = self.last;
        }
    }

    /// How the call ends, whose last attempt ended so.
    pub(crate) fn conclude<E: std::fmt::Display>(&mut self, mut error: CallError<E>) -> CallError<E> {
        if let (CallError::NotStarted(_), Some(doubt)) = (&error, self.doubt.take()) {
            // That the last attempt did not run says nothing of those before.
            self.past.add(error.to_string());
            error = CallError::Unknown(doubt);
        }
        if self.past.count() == 0 {
            return error;
        }
        let attempts = std::mem::take(&mut self.past);
        match error {
            CallError::NotStarted(last) => {
                CallError::NotStarted(NotStarted::Retried { attempts, last: Box::new(last) })
            }
            CallError::Unknown(last) => CallError::Unknown(Unknown::Retried { attempts, last: Box::new(last) }),
            ran => ran,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy() -> CallError {
        CallError::NotStarted(NotStarted::Busy { what: "the mailbox".into(), retry_after_ms: 30 })
    }

    fn lost() -> CallError {
        CallError::Unknown(Unknown::Disconnected { peer: "bank".into(), problem: "reset".into() })
    }

    #[test]
    fn what_did_not_run_is_tried_again_where_that_can_help() {
        let retry = Retry::default();
        assert_eq!(retry.hint(&busy(), false), Some(30));
        let draining: CallError = CallError::NotStarted(NotStarted::Draining { what: "bank".into() });
        assert_eq!(retry.hint(&draining, false), Some(0));
        let unresolved: CallError =
            CallError::NotStarted(NotStarted::Unresolved { name: "bank".into(), problem: String::new() });
        assert_eq!(retry.hint(&unresolved, false), None, "a name that never was is a mistake");
        assert_eq!(retry.hint(&unresolved, true), Some(0));
        let misspelt: CallError = CallError::NotStarted(NotStarted::NoSuchMethod {
            object: "bank".into(),
            method: "withdrow".into(),
            nearest: None,
        });
        assert_eq!(retry.hint(&misspelt, true), None);
    }

    #[test]
    fn what_may_have_run_is_tried_again_only_if_twice_is_as_good_as_once() {
        assert_eq!(Retry::default().hint(&lost(), true), None);
        assert_eq!(Retry { idempotent: true, ..Retry::default() }.hint(&lost(), true), Some(0));
    }

    #[test]
    fn once_an_attempt_may_have_run_nobody_says_that_the_call_did_not() {
        let mut retry = Retry { idempotent: true, ..Retry::default() };
        retry.add(&lost());
        let error = retry.conclude(busy());
        assert!(error.may_have_run(), "{error:?}");
        let CallError::Unknown(Unknown::Retried { attempts, last }) = error else { panic!("{error:?}") };
        assert!(matches!(*last, Unknown::Disconnected { .. }), "{last:?}");
        assert_eq!(attempts.count(), 2);
    }

    #[test]
    fn the_only_attempt_has_no_history() {
        assert_eq!(Retry::default().conclude(busy()), busy());
        let mut retry = Retry::default();
        retry.add(&busy());
        let error = retry.conclude(busy());
        assert_eq!(error.attempts(), 2);
        assert_eq!(error.retry_after(), Some(30));
    }
}
