//! How a call ends when it does not end with what its handler returned.

use serde::{Deserialize, Serialize};

use crate::codec::budget::Budget;
use crate::codec::fault::{Detail, Fault};
use crate::codec::{self, Value};
use crate::object::attempts::Attempts;
use crate::object::message::RemoteError;
use crate::object::panic::PanicReport;
use crate::wire::SerializerId;

/// What a call ended with instead of the handler's own outcome.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// It surely never ran.
    NotStarted(NotStarted),
    /// It may have run, at most once.
    Unknown(Unknown),
    /// It ran and ended in a fault: a panic, or an error that its caller cannot decode.
    Failed(Box<Fault>),
}

/// Why a call surely never ran. Trying again is safe; [`retry_after`](NotStarted::retry_after) says whether it can help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum NotStarted {
    /// Nothing answers to this object id or name there.
    #[error("there is no object {object:?} in the daemon at that address; look its name up again")]
    NoSuchObject {
        /// The id or name that was asked for.
        object: String,
    },
    /// The object has no such method, or does not list it.
    #[error("{object} has no remote method {method:?}{}", offer(nearest.as_deref()))]
    NoSuchMethod {
        /// The object asked.
        object: String,
        /// The method asked for.
        method: String,
        /// The listed method with the most similar name.
        nearest: Option<String>,
    },
    /// The arguments do not fit the method.
    #[error("{problem}; the object expects {signature}{}", sent_by(caller.as_deref()))]
    WrongArguments {
        /// The object asked.
        object: String,
        /// The method asked for.
        method: String,
        /// Which argument, and what is wrong with it.
        problem: String,
        /// The method's signature as the object has it.
        signature: String,
        /// The method's signature as the caller has it, where that is another one. It does not travel: the caller fills it in.
        #[serde(skip)]
        caller: Option<String>,
    },
    /// A queue is full: the object's, the connection's or the daemon's.
    #[error("{what} is full; try again in {retry_after_ms} ms")]
    Busy {
        /// What is full.
        what: String,
        /// When to try again, milliseconds.
        retry_after_ms: u32,
    },
    /// The object has failed more often than its restart policy allows and is not restarted, or cannot be made of its snapshot.
    #[error("{object} has failed and takes no calls: {problem}")]
    ObjectFailed {
        /// The object asked.
        object: String,
        /// What its last failure said.
        problem: String,
    },
    /// The object or its daemon is about to end and takes no new calls.
    #[error("{what} is draining and takes no new calls")]
    Draining {
        /// The object or daemon.
        what: String,
    },
    /// Its time was over before it began.
    #[error("the time for {method} was over before it began{}", while_waiting(waiting_for.as_deref()))]
    OutOfTime {
        /// The method asked for.
        method: String,
        /// What it waited for, where it did not come as far as the object's queue. It does not travel: the caller fills it in.
        #[serde(skip)]
        waiting_for: Option<String>,
    },
    /// Its caller gave it up before it began.
    #[error("the call was given up before it began")]
    Cancelled,
    /// The object a proxy was made for is gone with an earlier incarnation of its daemon.
    #[error("the reference to {object} belongs to an earlier incarnation of its daemon; look its name up again")]
    StaleReference {
        /// The object id in the reference.
        object: String,
    },
    /// The URI is not one.
    #[error("{problem}")]
    BadUri {
        /// What is wrong with it, and how one is written.
        problem: String,
    },
    /// No connection could be made.
    #[error("cannot reach {uri}: {problem}")]
    Unreachable {
        /// Where to.
        uri: String,
        /// Why not, and what to do.
        problem: String,
    },
    /// The name could not be resolved.
    #[error("cannot resolve {name:?}: {problem}")]
    Unresolved {
        /// The name.
        name: String,
        /// Why not, and what to do.
        problem: String,
    },
    /// The call could not be written: too large, or a value no serializer can write.
    #[error("{method} was not sent: {problem}")]
    NotSent {
        /// The method.
        method: String,
        /// Why not.
        problem: String,
    },
    /// One of the two ends does not speak what the method needs.
    #[error("{method} cannot be called so: {problem}")]
    Unsupported {
        /// The method.
        method: String,
        /// What is missing, and what to do.
        problem: String,
    },
    /// The object waits for the call that this one was made in the course of.
    #[error(
        "it would wait for itself: {}; call back after the first handler has ended, or without waiting, by a oneway",
        chain.join(" → ")
    )]
    Deadlock {
        /// The objects that wait, each for the next; the first and the last are the object called.
        chain: Vec<String>,
    },
    /// The object failed and is being made anew, and no more calls can wait for it.
    #[error("{object} is being restarted, and its mailbox is full; try again in {retry_after_ms} ms")]
    Restarting {
        /// The object asked.
        object: String,
        /// When it is started again, milliseconds.
        retry_after_ms: u32,
    },
    /// A call before it in the same batch failed, which was to stop at the first fault.
    #[error("a call before it in the batch failed, and the batch stops at the first fault")]
    Skipped,
    /// The call failed that was to end with the object this one is made on.
    #[error("the call failed that it depends on: {problem}")]
    DependencyFailed {
        /// How that call failed.
        problem: String,
    },
    /// The object that a call ended with is not where that call was made. Its caller waits for the reference and calls the object itself.
    #[error("the object is elsewhere; call it by the reference, once it has arrived")]
    Elsewhere,
    /// The object does not let this caller call the method.
    #[error("{caller} may not call {method} of {object}; whoever runs {object} says who may")]
    Denied {
        /// The object asked.
        object: String,
        /// The method asked for.
        method: String,
        /// Who asked, as the object sees it.
        caller: String,
    },
    // The last one, since what does not travel is not counted where the others are by their places.
    /// None of its attempts ran; it was told to make several. It does not travel, and stays the last of them.
    #[error("{last}; it was tried {} times", attempts.count() + 1)]
    #[serde(skip)]
    Retried {
        /// Those before the last.
        attempts: Attempts,
        /// Why the last one did not run.
        last: Box<NotStarted>,
    },
}

fn offer(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

fn sent_by(caller: Option<&str>) -> String {
    caller.map(|signature| format!(", the caller has {signature}")).unwrap_or_default()
}

fn while_waiting(what: Option<&str>) -> String {
    what.map(|what| format!(": it waited for {what}")).unwrap_or_default()
}

impl NotStarted {
    /// The time of a call was over while it waited for this.
    pub(crate) fn out_of_time(method: &str, waiting_for: impl Into<Option<String>>) -> NotStarted {
        NotStarted::OutOfTime { method: method.to_owned(), waiting_for: waiting_for.into() }
    }

    /// The time of a call was over before its bytes were sent.
    pub(crate) fn unsent_in_time(method: &str) -> NotStarted {
        NotStarted::out_of_time(method, "its turn to be sent, behind what is large".to_owned())
    }

    /// The same as told to a caller whose own signature of the method is another one.
    pub(crate) fn told_to(mut self, signature: impl FnOnce() -> Option<String>) -> NotStarted {
        if let NotStarted::WrongArguments { caller, .. } = &mut self {
            *caller = signature();
        }
        self
    }

    /// After how many milliseconds trying again can help; `None` when it cannot.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            NotStarted::Busy { retry_after_ms, .. } | NotStarted::Restarting { retry_after_ms, .. } => {
                Some(*retry_after_ms)
            }
            NotStarted::Draining { .. } | NotStarted::Unreachable { .. } => Some(500),
            NotStarted::Retried { last, .. } => last.retry_after(),
            _ => None,
        }
    }

    /// The same without the attempts before the last one.
    pub fn last(&self) -> &NotStarted {
        match self {
            NotStarted::Retried { last, .. } => last.last(),
            why => why,
        }
    }

    /// The class of the fault that carries it. `Pyroxene.` is reserved: no error type of a user goes by such a name.
    fn class(&self) -> &'static str {
        match self {
            NotStarted::NoSuchObject { .. } => "Pyroxene.NoSuchObject",
            NotStarted::NoSuchMethod { .. } => "Pyroxene.NoSuchMethod",
            NotStarted::WrongArguments { .. } => "Pyroxene.WrongArguments",
            NotStarted::Busy { .. } => "Pyroxene.Busy",
            NotStarted::ObjectFailed { .. } => "Pyroxene.ObjectFailed",
            NotStarted::Draining { .. } => "Pyroxene.Draining",
            NotStarted::OutOfTime { .. } => "Pyroxene.OutOfTime",
            NotStarted::Cancelled => "Pyroxene.Cancelled",
            NotStarted::StaleReference { .. } => "Pyroxene.StaleReference",
            NotStarted::BadUri { .. } => "Pyroxene.BadUri",
            NotStarted::Unreachable { .. } => "Pyroxene.Unreachable",
            NotStarted::Unresolved { .. } => "Pyroxene.Unresolved",
            NotStarted::NotSent { .. } => "Pyroxene.NotSent",
            NotStarted::Unsupported { .. } => "Pyroxene.Unsupported",
            NotStarted::Skipped => "Pyroxene.Skipped",
            NotStarted::DependencyFailed { .. } => "Pyroxene.DependencyFailed",
            NotStarted::Elsewhere => "Pyroxene.Elsewhere",
            NotStarted::Deadlock { .. } => "Pyroxene.Deadlock",
            NotStarted::Restarting { .. } => "Pyroxene.Restarting",
            NotStarted::Denied { .. } => "Pyroxene.Denied",
            NotStarted::Retried { last, .. } => last.class(),
        }
    }
}

/// Why nobody knows whether a call ran. It ran at most once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Unknown {
    /// The connection was lost while the call was on its way or running.
    #[error("the connection to {peer} was lost while the call was under way: {problem}")]
    Disconnected {
        /// The other end.
        peer: String,
        /// What ended the connection.
        problem: String,
    },
    /// No reply came in time; the call may still be running.
    #[error("no reply from {method} within {timeout_ms} ms; it may still be running")]
    OutOfTime {
        /// The method.
        method: String,
        /// The time it was given, milliseconds.
        timeout_ms: u32,
    },
    /// The object ended, or was restarted, while the call was running.
    #[error("{object} ended while the call was running")]
    Aborted {
        /// The object.
        object: String,
    },
    /// The connection was lost while the call was under way, and the daemon does not know, or no longer knows, what became of it.
    #[error("{daemon} does not know what became of the call: {problem}")]
    SessionLost {
        /// The daemon that was asked.
        daemon: String,
        /// Why not.
        problem: String,
    },
    /// It ended in a fault for which the reply to its batch had no room.
    #[error("{method} ended in a fault for which the reply to its batch had no room")]
    Untold {
        /// The method.
        method: String,
    },
    /// One of its attempts may have run; it was told to make several. It does not travel, and stays the last of them.
    #[error("{last}; it was tried {} times", attempts.count() + 1)]
    #[serde(skip)]
    Retried {
        /// Those before the last.
        attempts: Attempts,
        /// Why nobody knows.
        last: Box<Unknown>,
    },
}

impl Unknown {
    /// The same without the attempts before the last one.
    pub fn last(&self) -> &Unknown {
        match self {
            Unknown::Retried { last, .. } => last.last(),
            why => why,
        }
    }

    fn class(&self) -> &'static str {
        match self {
            Unknown::Disconnected { .. } => "Pyroxene.Disconnected",
            Unknown::OutOfTime { .. } => "Pyroxene.TimedOut",
            Unknown::Aborted { .. } => "Pyroxene.Aborted",
            Unknown::Untold { .. } => "Pyroxene.Untold",
            Unknown::SessionLost { .. } => "Pyroxene.SessionLost",
            Unknown::Retried { last, .. } => last.class(),
        }
    }
}

/// The class of the fault that a panic becomes.
pub const PANICKED: &str = "Pyroxene.Panicked";
/// The class of the fault for a reply that its serializer could not write.
pub const UNWRITABLE: &str = "Pyroxene.UnwritableReply";

impl Failure {
    /// The fault that carries this failure to the caller, with its data in serializer `id`.
    pub fn to_fault(&self, id: SerializerId, object: &str, method: &str) -> Fault {
        let (class, message, detail) = match self {
            Failure::NotStarted(why) => (why.class(), why.to_string(), detail(id, why)),
            Failure::Unknown(why) => (why.class(), why.to_string(), detail(id, why)),
            Failure::Failed(fault) => return Fault::clone(fault),
        };
        Fault {
            class: class.to_owned(),
            message,
            detail,
            traceback: Vec::new(),
            object: object.to_owned(),
            method: method.to_owned(),
        }
    }

    /// What a fault from the wire says, unless it carries an error that the object raised.
    ///
    /// # Errors
    /// The fault, when it is not one of Pyroxene's own.
    pub fn from_fault(fault: Fault, budget: &Budget) -> Result<Failure, Fault> {
        if !fault.class.starts_with("Pyroxene.") {
            return Err(fault);
        }
        if let Ok(why) = fault.detail.decode::<NotStarted>(budget)
            && why.class() == fault.class
        {
            return Ok(Failure::NotStarted(why));
        }
        if let Ok(why) = fault.detail.decode::<Unknown>(budget)
            && why.class() == fault.class
        {
            return Ok(Failure::Unknown(why));
        }
        Ok(Failure::Failed(Box::new(fault)))
    }
}

/// The fault of a handler that panicked.
pub fn panicked(report: PanicReport, object: &str, method: &str) -> Fault {
    let mut traceback = vec![format!("panicked at {}", report.location)];
    traceback.extend(report.backtrace);
    Fault {
        class: PANICKED.to_owned(),
        message: report.message,
        detail: Detail::None,
        traceback,
        object: object.to_owned(),
        method: method.to_owned(),
    }
}

/// The fault that carries an error of the object's own: its class, its text, its data and the chain of its causes.
pub fn raised<E: RemoteError>(error: &E, id: SerializerId, object: &str, method: &str) -> Fault {
    let mut traceback = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        traceback.push(format!("caused by: {error}"));
        cause = error.source();
    }
    Fault {
        class: E::class().to_owned(),
        message: error.to_string(),
        detail: detail(id, error),
        traceback,
        object: object.to_owned(),
        method: method.to_owned(),
    }
}

/// The data of an error, as `id` carries it: its own bytes in postcard, a [`Value`] in what describes itself.
fn detail<T: Serialize>(id: SerializerId, value: &T) -> Detail {
    if id == SerializerId::POSTCARD {
        let mut bytes = Vec::new();
        match codec::encode(id, value, &mut bytes) {
            Ok(()) => Detail::Encoded(id, bytes.into()),
            Err(_) => Detail::None,
        }
    } else {
        Value::from_serialize(value).map_or(Detail::None, Detail::Value)
    }
}

/// The fault of a call that ran and whose reply cannot be sent.
pub(crate) fn unwritable((object, method): (&str, &str), problem: &str) -> Fault {
    Fault {
        class: UNWRITABLE.to_owned(),
        message: format!("{method} ran, but its reply cannot be sent: {problem}"),
        detail: Detail::None,
        traceback: Vec::new(),
        object: object.to_owned(),
        method: method.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_journey_in_every_serializer() {
        for id in codec::SUPPORTED {
            let failure = Failure::NotStarted(NotStarted::Busy { what: "the mailbox".into(), retry_after_ms: 5 });
            let fault = failure.to_fault(*id, "bank", "withdraw");
            let mut bytes = Vec::new();
            fault.encode(*id, &mut bytes).unwrap();
            let back = Fault::decode(*id, &bytes, &Budget::default()).unwrap();
            assert_eq!(Failure::from_fault(back, &Budget::default()), Ok(failure), "{id}");
        }
    }

    #[test]
    fn an_error_of_the_user_is_not_taken_for_ours() {
        let fault = Fault {
            class: "Busy".into(),
            message: "no time".into(),
            detail: Detail::None,
            traceback: Vec::new(),
            object: "clerk".into(),
            method: "ask".into(),
        };
        assert_eq!(Failure::from_fault(fault.clone(), &Budget::default()), Err(fault));
    }
}
