//! How a command fails: [`Failure`].

use std::error::Error;
use std::fmt::Display;

use pyroxene::client::report::report;

use pyroxene::config::ConfigError;
use pyroxene::naming::locate::LocateError;
use pyroxene::{BindError, CallError, ConnectError, Fault, NotStarted, ServeError, SpawnError};
use serde::Serialize;

use crate::discovery::DiscoveryError;

/// An error as its user sees it: what, where and what to do, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Failure {
    /// The line.
    pub(super) error: String,
    /// Whether a call that failed may have run.
    pub(super) may_have_run: bool,
    /// After how long another attempt can help, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u32>,
    /// The class of the fault, if an object raised one.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    /// What happened at the other end, line by line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    traceback: Vec<String>,
    /// The same as a person wants to read it, if asked for more.
    #[serde(skip)]
    pub(super) report: Option<String>,
}

impl Failure {
    /// An error of this program, before anything was called.
    pub(super) fn new(error: impl Into<String>) -> Failure {
        Failure {
            error: error.into(),
            may_have_run: false,
            retry_after_ms: None,
            class: None,
            traceback: Vec::new(),
            report: None,
        }
    }

    /// What was being done.
    pub(super) fn during(mut self, what: impl Display) -> Failure {
        self.error = format!("{what}: {}", self.error);
        self
    }

    /// What to do about it.
    pub(super) fn hint(mut self, hint: impl Display) -> Failure {
        self.error = format!("{}; {hint}", self.error);
        self
    }
}

impl<E: Error + 'static> From<CallError<E>> for Failure {
    fn from(error: CallError<E>) -> Failure {
        let text = match &error {
            CallError::Failed(fault) => failed(fault),
            other => other.to_string(),
        };
        let class = match &error {
            CallError::Failed(fault) => Some(fault.class.clone()),
            _ => None,
        };
        Failure {
            error: text,
            may_have_run: error.may_have_run(),
            retry_after_ms: error.retry_after(),
            class,
            traceback: error.remote_traceback().to_vec(),
            report: (!error.remote_traceback().is_empty()).then(|| report(&error)),
        }
    }
}

/// It did run; what is not known is how far it came.
fn failed(fault: &Fault) -> String {
    format!("may have run: {} raised {}: {}", fault.object, fault.class, fault.message)
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Failure {
        let ConnectError { uri, why } = error;
        let text = why.to_string();
        let retry_after_ms = why.retry_after();
        let failure = match &why {
            // These name where by themselves.
            NotStarted::Unreachable { .. } | NotStarted::Unresolved { .. } | NotStarted::BadUri { .. } => {
                Failure::new(text)
            }
            _ => Failure::new(text).during(uri),
        };
        Failure { retry_after_ms, ..failure }
    }
}

macro_rules! plain {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                Failure::new(error.to_string())
            }
        }
    )*};
}

plain!(ConfigError, LocateError, BindError, SpawnError, ServeError, DiscoveryError);

#[cfg(test)]
mod tests {
    use pyroxene::codec::fault::Detail;

    use super::*;

    #[test]
    fn a_call_says_whether_it_ran() {
        let error: CallError = CallError::NotStarted(NotStarted::Cancelled);
        let failure = Failure::from(error);
        assert!(failure.error.starts_with("did not run: ") && !failure.may_have_run, "{failure:?}");

        let fault = Fault {
            class: "Overdrawn".into(),
            message: "7 short".into(),
            detail: Detail::None,
            traceback: vec!["caused by: greed".into()],
            object: "bank.alice".into(),
            method: "withdraw".into(),
        };
        let error: CallError = CallError::Failed(Box::new(fault));
        let failure = Failure::from(error).during("calling withdraw");
        assert_eq!(failure.error, "calling withdraw: may have run: bank.alice raised Overdrawn: 7 short");
        assert!(failure.may_have_run && failure.report.is_some());
        let json = serde_json::to_value(&failure).unwrap();
        assert_eq!(json["may_have_run"], true);
        assert_eq!(json["traceback"][0], "caused by: greed");
    }

    #[test]
    fn what_never_called_anything_did_not_run() {
        let json = serde_json::to_value(Failure::new("the port is taken")).unwrap();
        assert_eq!(json, serde_json::json!({"error": "the port is taken", "may_have_run": false}));
    }
}
