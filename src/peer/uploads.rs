//! The streams of items that a call of this end carries.

use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;

use crate::object::items::carried::Loan;
use crate::object::items::producer::Producer;
use crate::object::outcome::{Failure, Unknown};
use crate::peer::connection::{Connection, StartError, wake};
use crate::peer::items::{self, Outlet};
use crate::wire::stream::MOST_STREAMS;
use crate::wire::{Carried, SerializerId};

/// The streams of one call while it is under way. Dropped before the call has ended, it tells their reader that the caller has gone.
pub(crate) struct Uploads {
    connection: Connection,
    streams: Range<u64>,
    seq: u16,
    method: String,
}

/// To which method of which object a call with streams goes, and what it is written in.
pub(crate) struct Destination<'a> {
    pub(crate) handle: u32,
    pub(crate) object: &'a Arc<str>,
    pub(crate) method: &'a str,
    pub(crate) serializer: SerializerId,
}

impl Connection {
    /// Starts a call that carries streams, as [`start`](Connection::start) does; their sources are first asked for items when their readers
    /// want some.
    ///
    /// # Errors
    /// Why it was not started.
    pub(crate) fn start_with_items(
        &self,
        to: &Destination<'_>,
        ms: u32,
        waker: &Waker,
        loans: Vec<Box<dyn Loan>>,
        write: impl FnOnce(&mut Vec<u8>, u16, Carried) -> Result<(), String>,
    ) -> Result<(u16, Uploads), StartError> {
        let shared = self.shared();
        if loans.len() > MOST_STREAMS as usize {
            return Err(StartError::Unwritable(format!("it has more than {MOST_STREAMS} streams of items")));
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return Err(StartError::Unwritable(
                "its streams of items need the runtime that it is called on".to_owned(),
            ));
        };
        let first = {
            let streams = &mut shared.lock().streams;
            if streams.outgoing.len() + loans.len() > usize::from(shared.limits.streams) {
                return Err(StartError::Full { what: "the table of streams of the connection" });
            }
            loans.iter().map(|_| streams.open_carried(to.serializer, to.object)).min().unwrap_or(0)
        };
        let carried = Carried { first, count: loans.len() as u32 };
        let started = self.start(to.handle, ms, waker, |out, seq| write(out, seq, carried));
        let method = to.method.to_owned();
        let uploads = |seq| Uploads { connection: self.clone(), streams: carried.numbers(), seq, method };
        match started {
            Ok(seq) => {
                for (stream, loan) in carried.numbers().zip(loans) {
                    let outlet = Outlet::carried(shared, stream, to.object, to.method);
                    runtime.spawn(upload(self.clone(), Arc::new(outlet), loan, to.serializer));
                }
                Ok((seq, uploads(seq)))
            }
            Err(error) => {
                uploads(0).recall();
                Err(error)
            }
        }
    }
}

/// Writes one stream. The connection is kept open for it.
async fn upload(connection: Connection, outlet: Arc<Outlet>, loan: Box<dyn Loan>, serializer: SerializerId) {
    if !std::future::poll_fn(|cx| outlet.poll_begun(cx)).await {
        return;
    }
    if let Some(source) = loan.take() {
        Producer::new(source, outlet, serializer).await;
    }
    drop(connection);
}

impl Uploads {
    /// The call was answered: its streams go on for as long as somebody reads them.
    pub(crate) fn detach(mut self) {
        self.streams = 0..0;
    }

    /// The call did not run: nobody reads its streams, or ever did.
    pub(crate) fn recall(mut self) {
        let streams = std::mem::take(&mut self.streams);
        let mut state = self.connection.shared().lock();
        let gone: Vec<Waker> = streams
            .filter_map(|stream| state.streams.outgoing.remove(&stream))
            .filter_map(|outgoing| outgoing.into_writer())
            .collect();
        drop(state);
        gone.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        if self.streams.is_empty() {
            return;
        }
        let shared = self.connection.shared();
        let mut state = shared.lock();
        // Of a call that was not sent the peer knows nothing, and need not.
        let silent = state.in_flight.is_unsent(self.seq) || state.closed.is_some();
        let mut gone = Vec::new();
        for stream in self.streams.clone() {
            gone.extend(if silent {
                state.streams.outgoing.remove(&stream).and_then(|outgoing| outgoing.into_writer())
            } else {
                let failure = Failure::Unknown(Unknown::Aborted { object: "the caller".to_owned() });
                items::end(shared, &mut state, stream, &self.method, Some(failure))
            });
        }
        wake(state);
        gone.into_iter().for_each(Waker::wake);
    }
}
