//! Calls for programs without async: the same proxies and the same endings, with [`wait`](Wait::wait) in place of `.await`.
//!
//! ```no_run
//! use pyroxene::blocking::{Proxy, Wait};
//! # #[cfg(all(feature = "macros", feature = "daemon"))] {
//! use pyroxene::RemoteMessage;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, actix::Message, RemoteMessage)]
//! #[rtype(result = "u64")]
//! struct Balance;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let account: Proxy = Proxy::connect("PYRONAME://bank.alice").wait_secs(5).wait()?;
//!     let teller = account.clone();
//!     std::thread::spawn(move || teller.send(Balance).wait());
//!     println!("{}", account.send(Balance).timeout_ms(200).wait()?);
//!     Ok(())
//! }
//! # }
//! ```
//!
//! A proxy is the same type here and there, the one that `#[pyroxene::remote]` writes as well: `account.withdraw(30).wait()?`. It may be
//! used by any number of threads. Batches are waited for likewise. Oneways wait for nothing, as ever; one that is sent right before the program ends may end with it.
//!
//! Connections live on one thread in the background, which is started when it is first needed and shared by all.

use serde::de::DeserializeOwned;

use crate::client::attributes::{ChangesCall, GetCall, SetCall};
use crate::client::background::{Background, Gone, drives_tasks};
use crate::client::batch::{BatchCall, CallList};
use crate::client::call::Call;
use crate::client::connect::{Connect, IntoProxy};
use crate::client::dyn_proxy::DynCall;
pub use crate::client::dyn_proxy::DynProxy;
use crate::client::error::{CallError, ConnectError};
use crate::client::promise::PipelinedCall;
pub use crate::client::proxy::Proxy;
use crate::codec::Value;
use crate::object::attributes::AttributeError;
use crate::object::interface::Interface;
use crate::object::items::Items;
use crate::object::message::RemoteMessage;
use crate::object::outcome::{NotStarted, Unknown};
use crate::uri::Uri;

/// What a thread without async can wait for: calls, and proxies being connected.
pub trait Wait: IntoFuture + Sized {
    /// Makes the call, or the connection, and keeps the thread waiting until it has ended.
    ///
    /// ```no_run
    /// use pyroxene::args;
    /// use pyroxene::blocking::{DynProxy, Wait};
    ///
    /// let account = DynProxy::connect("PYRONAME://bank.alice").wait()?;
    /// println!("{}", account.call("balance", args![]).timeout_ms(200).wait()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of the call, or of connecting. It never waits in vain: should the thread in the background end, a call that was under way is
    /// [`Unknown`](CallError::Unknown), and everything else has not run.
    ///
    /// # Panics
    /// In async code, such as a handler: waiting would stop every task that the thread drives. Write `.await` there, or wait on a thread
    /// of its own, such as one of `tokio::task::spawn_blocking`.
    #[track_caller]
    fn wait(self) -> Self::Output;
}

impl<M: RemoteMessage> Wait for Call<M> {
    fn wait(self) -> Self::Output {
        let link = self.0.link.clone();
        run(self).unwrap_or_else(|gone| Err(gone.call(&link.uri)))
    }
}

impl<T, M> Wait for GetCall<T, M>
where
    T: DeserializeOwned + Send + 'static,
    M: RemoteMessage<Error = AttributeError, Reply: Into<Value>>,
{
    fn wait(self) -> Self::Output {
        let link = self.call.0.link.clone();
        run(self).unwrap_or_else(|gone| Err(gone.call(&link.uri)))
    }
}

impl<M: RemoteMessage<Error = AttributeError>> Wait for SetCall<M> {
    fn wait(self) -> Self::Output {
        match self.0 {
            Ok(call) => call.wait(),
            Err(problem) => Err(CallError::NotStarted(problem.unwrap_or(NotStarted::Cancelled))),
        }
    }
}

impl<T: DeserializeOwned + Send + 'static> Wait for ChangesCall<T> {
    fn wait(self) -> Self::Output {
        self.call.wait().map(Items::typed)
    }
}

impl Wait for DynCall {
    fn wait(self) -> Self::Output {
        let link = self.0.link.clone();
        run(self).unwrap_or_else(|gone| Err(gone.call(&link.uri)))
    }
}

impl<C: CallList> Wait for BatchCall<C> {
    fn wait(self) -> Self::Output {
        // The calls go away with the thread that makes them, so what would be said of them is kept here.
        let gone = |begun| {
            let problem = "the thread that runs calls without async has ended".to_owned();
            self.ended(|uri| Gone { begun, problem }.call(uri))
        };
        let (before, after) = (gone(false), gone(true));
        match run(self) {
            Ok(outcomes) => outcomes,
            Err(gone) => match if gone.begun { after } else { before } {
                Some(outcomes) => outcomes,
                None => panic!("a batch that has begun elsewhere cannot be waited for here"),
            },
        }
    }
}

impl<M, A, N> Wait for PipelinedCall<M, A, N>
where
    M: RemoteMessage,
    A: Interface + ?Sized,
    N: RemoteMessage,
{
    fn wait(self) -> Self::Output {
        let uri = self.uri();
        run(self).unwrap_or_else(|gone| Err(gone.call(&uri)))
    }
}

impl<P: Send + 'static> Wait for Connect<P> {
    fn wait(self) -> Self::Output {
        let uri = self.uri();
        run(self.into_future()).unwrap_or_else(|gone| Err(gone.connect(uri)))
    }
}

impl<P: Send + 'static, Q: Send + 'static> Wait for IntoProxy<P, Q> {
    fn wait(self) -> Self::Output {
        let uri = self.uri();
        run(self.into_future()).unwrap_or_else(|gone| Err(gone.connect(uri)))
    }
}

#[track_caller]
fn run<F>(future: F) -> Result<F::Output, Gone>
where
    F: Future<Output: Send> + Send + 'static,
{
    assert!(
        !drives_tasks(),
        "waiting here would stop every task of this thread's runtime: in async code write `.await` in place of `.wait()`"
    );
    Background::of_process().map_err(|problem| Gone { begun: false, problem })?.run(future)
}

impl Gone {
    /// What is true of a call: whether it ran, nobody knows of one that had begun.
    fn call<E>(self, uri: &Uri) -> CallError<E> {
        let Gone { begun, problem } = self;
        if begun {
            CallError::Unknown(Unknown::Disconnected { peer: uri.to_string(), problem })
        } else {
            CallError::NotStarted(NotStarted::Unreachable { uri: uri.to_string(), problem })
        }
    }

    fn connect(self, uri: String) -> ConnectError {
        let why = NotStarted::Unreachable { uri: uri.clone(), problem: self.problem };
        ConnectError { uri, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_has_ended_is_a_true_ending() {
        let uri: Uri = "PYRO://127.0.0.1:7766/bank".parse().unwrap();
        let gone = |begun| Gone { begun, problem: "it has ended".to_owned() };
        let text = |error: CallError| error.to_string();
        assert_eq!(text(gone(false).call(&uri)), "did not run: cannot reach PYRO://127.0.0.1:7766/bank: it has ended");
        let unknown = "may have run: the connection to PYRO://127.0.0.1:7766/bank was lost while the call was under way: it has ended";
        assert_eq!(text(gone(true).call(&uri)), unknown);
        let error = gone(true).connect(uri.to_string());
        assert_eq!(error.to_string(), "cannot reach PYRO://127.0.0.1:7766/bank: it has ended");
    }
}
