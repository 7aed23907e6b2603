//! What a handler can know about the call it runs for.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

use tokio::time::Instant;

use crate::wire::CorrelationId;

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
}

/// The other end of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Where it calls from, such as `127.0.0.1:40312`; `local` in this process.
    pub address: String,
    /// The session its connections belong to; 0 in this process.
    pub session: u128,
}

impl Caller {
    /// A caller in this process.
    pub(crate) fn local() -> &'static Arc<Caller> {
        static LOCAL: LazyLock<Arc<Caller>> =
            LazyLock::new(|| Arc::new(Caller { address: "local".to_owned(), session: 0 }));
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

    /// The same without taking a copy.
    #[inline]
    pub(crate) fn with_current<R>(f: impl FnOnce(Option<&CallContext>) -> R) -> R {
        CURRENT.with_borrow(|current| f(current.as_ref()))
    }

    /// Runs `f` as part of this call.
    pub fn enter<R>(self, f: impl FnOnce() -> R) -> R {
        let scope = CallScope::begin();
        scope.set(self.correlation, self.deadline, &self.caller);
        f()
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
    pub(crate) fn set(&self, correlation: CorrelationId, deadline: Instant, caller: &Arc<Caller>) {
        CURRENT.with_borrow_mut(|current| match current {
            Some(call) if Arc::ptr_eq(&call.caller, caller) => {
                call.correlation = correlation;
                call.deadline = deadline;
            }
            _ => *current = Some(CallContext { correlation, deadline, caller: Arc::clone(caller) }),
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
        };
        call.enter(|| {
            assert_eq!(CallContext::current().map(|c| c.correlation), Some(CorrelationId::from_bytes([7; 16])));
        });
        assert!(CallContext::current().is_none());
    }
}
