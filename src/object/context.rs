//! What a handler can know about the call it runs for.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
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
    pub(crate) fn local() -> Arc<Caller> {
        static LOCAL: std::sync::LazyLock<Arc<Caller>> =
            std::sync::LazyLock::new(|| Arc::new(Caller { address: "local".to_owned(), session: 0 }));
        Arc::clone(&LOCAL)
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

    /// Runs `f` as part of this call.
    pub fn enter<R>(self, f: impl FnOnce() -> R) -> R {
        struct Restore(Option<CallContext>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _restore = Restore(CURRENT.replace(Some(self)));
        f()
    }

    /// Runs a future as part of this call, whoever polls it.
    pub fn wrap<F: Future + Unpin>(self, future: F) -> InCall<F> {
        InCall { context: self, future }
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
            correlation: CorrelationId([7; 16]),
            deadline: Instant::now(),
            caller: Arc::new(Caller::default()),
        };
        call.enter(|| assert_eq!(CallContext::current().map(|c| c.correlation), Some(CorrelationId([7; 16]))));
        assert!(CallContext::current().is_none());
    }
}
