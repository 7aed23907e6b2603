//! What a handler can know about the call it runs for.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

use tokio::time::Instant;

use crate::object::facts::{AnnotationError, Facts, Passed};
use crate::wire::{AnnotationId, CorrelationId};

/// The call that the current handler runs for: calls made in its course inherit its correlation id and its deadline.
///
/// ```
/// use pyroxene::CallContext;
///
/// // Outside of a handler there is no call.
/// assert!(CallContext::current().is_none());
/// ```
#[derive(Clone, Debug)]
pub struct CallContext {
    /// The same for every log line and every nested call of one call.
    pub correlation: CorrelationId,
    /// When the caller gives up.
    pub deadline: Instant,
    /// Who calls.
    pub caller: Arc<Caller>,
    /// What else is known of it, if anything is.
    facts: Option<Arc<Facts>>,
    /// The object, where it can do nothing else until the handler ends.
    waits: Option<Waiting>,
}

/// An object that can do nothing else until one of its handlers ends.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// A number that no other object anywhere has.
    pub(crate) object: u64,
    /// Which of its handlers.
    pub(crate) handler: u64,
    pub(crate) name: Arc<str>,
}

/// Where callers in this process are.
const HERE: &str = "local";

/// The other end of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Where it calls from, such as `127.0.0.1:40312`; `local` in this process.
    pub address: String,
    /// The session its connections belong to; 0 in this process.
    pub session: u128,
}

impl Caller {
    /// Whether it is in this process. Others may say that they have its session; its address they do not have, as theirs have a port or a path.
    pub fn is_local(&self) -> bool {
        self.session == 0 && self.address == HERE
    }

    /// A caller in this process.
    pub(crate) fn local() -> &'static Arc<Caller> {
        static LOCAL: LazyLock<Arc<Caller>> =
            LazyLock::new(|| Arc::new(Caller { address: HERE.to_owned(), session: 0 }));
        &LOCAL
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

thread_local! {
    static CURRENT: RefCell<Option<CallContext>> = const { RefCell::new(None) };
}

impl CallContext {
    /// The call that the running handler serves; `None` outside of handlers.
    pub fn current() -> Option<CallContext> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Whether there is one.
    #[inline]
    pub(crate) fn is_any_current() -> bool {
        CURRENT.with_borrow(Option::is_some)
    }

    /// The same without taking a copy.
    #[inline]
    pub(crate) fn with_current<R>(f: impl FnOnce(Option<&CallContext>) -> R) -> R {
        CURRENT.with_borrow(|current| f(current.as_ref()))
    }

    /// The annotation with these letters that the caller has put on the call.
    ///
    /// ```no_run
    /// # fn check() -> Option<()> {
    /// let call = pyroxene::CallContext::current()?;
    /// println!("on behalf of {}", String::from_utf8_lossy(call.annotation(*b"USER")?));
    /// # Some(()) }
    /// ```
    pub fn annotation(&self, id: [u8; 4]) -> Option<&[u8]> {
        self.facts.as_ref()?.annotations().find(AnnotationId(id))
    }

    /// Puts an annotation on the reply, for a caller that has put some on the call ([`Call::annotated`](crate::Call::annotated)).
    ///
    /// # Errors
    /// Its letters mean something already, all of them together have more than 4 KiB, or the caller would not read it.
    pub fn annotate_reply(&self, id: [u8; 4], value: &[u8]) -> Result<(), AnnotationError> {
        self.facts.as_ref().ok_or(AnnotationError::Unasked)?.annotate_reply(id, value)
    }

    /// The W3C `traceparent` of the call. Calls that are made on its behalf have the same.
    pub fn traceparent(&self) -> Option<&str> {
        Some(self.facts.as_ref()?.traceparent()?.as_str())
    }

    /// What calls that are made in its course inherit besides.
    #[inline]
    pub(crate) fn passed(&self) -> Option<Passed> {
        Facts::passed(self.facts.as_deref(), self.waits.as_ref())
    }

    /// The same call, for whose handler this object waits.
    pub(crate) fn waiting(self, object: Waiting) -> CallContext {
        CallContext { waits: Some(object), ..self }
    }

    /// Runs `f` as part of this call.
    pub fn enter<R>(self, f: impl FnOnce() -> R) -> R {
        let scope = CallScope::begin();
        CURRENT.set(Some(self));
        let result = f();
        drop(scope);
        result
    }

    /// Runs a future as part of this call, whoever polls it.
    pub fn wrap<F: Future + Unpin>(self, future: F) -> InCall<F> {
        InCall { context: self, future }
    }
}

/// Makes one call after the other the current one; in the end the one before is it again.
pub(crate) struct CallScope(Option<CallContext>);

impl CallScope {
    pub(crate) fn begin() -> CallScope {
        CallScope(CURRENT.take())
    }

    /// From now on this call is the current one. Calls of one caller, one after the other, share what is known of it.
    #[inline]
    pub(crate) fn set(
        &self,
        correlation: CorrelationId,
        deadline: Instant,
        caller: &Arc<Caller>,
        facts: Option<&Arc<Facts>>,
    ) {
        CURRENT.with_borrow_mut(|current| match current {
            Some(call) if Arc::ptr_eq(&call.caller, caller) => {
                call.correlation = correlation;
                call.deadline = deadline;
                call.facts = facts.cloned();
                call.waits = None;
            }
            _ => {
                let (caller, facts) = (Arc::clone(caller), facts.cloned());
                *current = Some(CallContext { correlation, deadline, caller, facts, waits: None });
            }
        });
    }
}

impl Drop for CallScope {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// A future that runs as part of a call, made by [`CallContext::wrap`].
#[derive(Debug)]
pub struct InCall<F> {
    context: CallContext,
    future: F,
}

impl<F: Future + Unpin> Future for InCall<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let context = self.context.clone();
        context.enter(|| Pin::new(&mut self.future).poll(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_current_only_while_it_runs() {
        let call = CallContext {
            correlation: CorrelationId::from_bytes([7; 16]),
            deadline: Instant::now(),
            caller: Arc::new(Caller::default()),
            facts: None,
            waits: None,
        };
        call.enter(|| {
            assert_eq!(CallContext::current().map(|c| c.correlation), Some(CorrelationId::from_bytes([7; 16])));
        });
        assert!(CallContext::current().is_none());
    }
}
