//! How a call ends, or goes on with another attempt.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::client::binding::{Binding, Route};
use crate::client::error::CallError;
use crate::client::exchange::{ATTEMPTS, Ended, Exchange, State};
use crate::client::link::Link;
use crate::client::request::Request;
use crate::codec::fault::Fault;
use crate::object::outcome::{Failure, NotStarted, Unknown};
use crate::peer::in_flight::{Answer, Ending};
use crate::wire::Flags;

/// Time that an attempt must have left after the pause before it: timers go by the millisecond, and end after it.
const LEAST: Duration = Duration::from_millis(2);

impl<R: Request> Exchange<R> {
    /// The call ended on its connection, which would have waited for it until `expiry`.
    pub(super) fn end(&mut self, ending: Ending, expiry: Option<Instant>) -> Option<Ended<R>> {
        let State::Waiting { binding, .. } = std::mem::replace(&mut self.state, State::Done) else { return None };
        let Route::Remote(connection, _) = &binding.route else { return None };
        if let Ending::Reply(Answer { annotations: Some(annotations), .. }) = &ending
            && let Some(facts) = &self.facts
        {
            facts.replied(annotations);
        }
        match ending {
            Ending::Reply(answer) if answer.flags.contains(Flags::EXCEPTION) => {
                match fault_of(self.request.as_ref()?, &answer, &binding, &self.link) {
                    CallError::NotStarted(why) => {
                        self.recall(expiry);
                        self.again(&binding, why)
                    }
                    error => Some(Err(error)),
                }
            }
            Ending::Reply(answer) if answer.flags.contains(Flags::ITEM_STREAM) => {
                let items = connection.items(&answer).and_then(|items| R::open(Box::new(items)));
                let problem = "it is a stream of items, which was not asked for";
                Some(items.ok_or_else(|| {
                    let method = self.request.as_ref().map_or("", R::method);
                    CallError::Failed(Box::new(unreadable(method, &self.link, problem)))
                }))
            }
            Ending::Reply(mut answer) => Some(value_of(self.request.as_ref()?, &mut answer, &binding, &self.link)),
            Ending::OutOfTime { sent: true } => Some(Err(CallError::Unknown(self.out_of_time()))),
            Ending::OutOfTime { sent: false } => {
                let method = self.request.as_ref().map_or("", R::method);
                Some(Err(CallError::NotStarted(NotStarted::unsent_in_time(method))))
            }
            Ending::Lost { written: true } => {
                self.link.forget(&binding);
                let (peer, problem) = (connection.peer().to_owned(), connection.problem());
                Some(Err(CallError::Unknown(Unknown::Disconnected { peer, problem })))
            }
            Ending::Lost { written: false } => {
                let why = if connection.is_draining() {
                    NotStarted::Draining { what: connection.peer().to_owned() }
                } else {
                    NotStarted::Unreachable { uri: self.link.uri.to_string(), problem: connection.problem() }
                };
                self.recall(expiry);
                self.again(&binding, why)
            }
        }
    }

    pub(super) fn out_of_time(&self) -> Unknown {
        let method = self.request.as_ref().map_or("the call", R::method).to_owned();
        Unknown::OutOfTime { method, timeout_ms: self.time_ms }
    }

    pub(super) fn log(&self, ended: &Ended<R>) {
        if let Err(error) = ended {
            let (log, method) = (&self.link.client.config().log, self.request.as_ref().map_or("", R::method));
            let ran = if error.may_have_run() { "may have run" } else { "did not run" };
            slog::debug!(log, "call failed"; "uri" => %self.link.uri, "method" => method, "ran" => ran,
                "correlation" => %self.correlation);
        }
    }

    /// The call surely did not run: once more, where that can help; otherwise that is its end.
    pub(super) fn again(&mut self, binding: &Arc<Binding>, why: NotStarted) -> Option<Ended<R>> {
        let elsewhere = match &why {
            NotStarted::Unreachable { .. } => true,
            NotStarted::StaleReference { .. } | NotStarted::Draining { .. } => self.link.is_named(),
            // It waited in a queue when its connection was lost for a while, and its caller seemed to have gone.
            NotStarted::Cancelled => !self.link.is_overtaken(self.number),
            _ => false,
        };
        let told = self.retry.is_some();
        if !elsewhere || self.request.is_none() || (self.attempts >= ATTEMPTS && !told) {
            return Some(Err(CallError::NotStarted(why)));
        }
        if let Some(uploads) = self.uploads.take() {
            uploads.recall();
        }
        if matches!(why, NotStarted::Draining { .. }) {
            self.link.not_taken(binding, self.number);
        }
        if !matches!(why, NotStarted::Cancelled) {
            self.link.forget(binding);
        }
        if told {
            // Its next attempt comes after a pause, and is written into its history.
            return Some(Err(CallError::NotStarted(why)));
        }
        slog::debug!(self.link.client.config().log, "call is sent again"; "uri" => %self.link.uri, "why" => %why,
            "correlation" => %self.correlation);
        self.state = State::Binding(self.bind());
        None
    }

    /// An attempt of a call that was told to try again has ended: once more, where that is safe and can help and time is left; otherwise
    /// that is the call's end.
    #[cold]
    pub(super) fn once_more(&mut self, ended: Ended<R>) -> Option<Ended<R>> {
        let deadline = self.deadline();
        let Some(retry) = &mut self.retry else { return Some(ended) };
        let error = match ended {
            Ok(value) => return Some(Ok(value)),
            Err(error) => error,
        };
        let inner = &self.link.client.0;
        let pause = retry.hint(&error, self.link.was_found()).map(|hint| {
            Duration::from_millis(hint.into()) + inner.backoff.pause(inner.config.retry_ms, retry.failed() + 1)
        });
        match pause {
            Some(pause) if self.request.is_some() && Instant::now() + pause + LEAST < deadline => {
                slog::debug!(inner.config.log, "call is tried again"; "uri" => %self.link.uri, "why" => %error,
                    "attempts" => retry.failed() + 1, "pause_ms" => pause.as_millis() as u64,
                    "correlation" => %self.correlation);
                retry.add(&error);
                self.state = State::Binding(self.bind_after(pause));
                None
            }
            _ => Some(Err(retry.conclude(error))),
        }
    }
}

/// The value that a reply carries.
#[inline]
pub(crate) fn value_of<R: Request>(request: &R, answer: &mut Answer, binding: &Binding, link: &Link) -> Ended<R> {
    request.read(answer, binding, &link.client.budget()).map_err(|mut problem| {
        if let Some(signature) = request.other_signature(binding) {
            problem.push_str(&format!("; the object has another signature, the caller has {signature}"));
        }
        CallError::Failed(Box::new(unreadable(request.method(), link, &problem)))
    })
}

/// The fault that a reply carries.
#[cold]
pub(crate) fn fault_of<R: Request>(
    request: &R,
    answer: &Answer,
    binding: &Binding,
    link: &Link,
) -> CallError<R::Raised> {
    let budget = link.client.budget();
    let fault = match Fault::decode(answer.serializer, &answer.payload, &budget) {
        Ok(fault) => fault,
        Err(problem) => {
            return CallError::Failed(Box::new(unreadable(request.method(), link, &problem.to_string())));
        }
    };
    match Failure::from_fault(fault, &budget) {
        Ok(Failure::NotStarted(why)) => CallError::NotStarted(why.told_to(|| request.other_signature(binding))),
        Ok(failure) => failure.into(),
        Err(fault) => match R::raised(&fault, &budget) {
            Some(error) => CallError::Raised(error),
            None => CallError::Failed(Box::new(fault)),
        },
    }
}

pub(crate) fn unreadable(method: &str, link: &Link, problem: &str) -> Fault {
    Fault {
        class: "Pyroxene.UnreadableReply".to_owned(),
        message: format!("{method} ran, but its reply cannot be read here: {problem}"),
        detail: crate::codec::fault::Detail::None,
        traceback: Vec::new(),
        object: link.uri.to_string(),
        method: method.to_owned(),
    }
}
