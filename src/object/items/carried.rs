//! Items that a call carries: lent to whoever sends the message, and found again by whoever reads it.
//!
//! A message is written and read by serde, which knows nothing of connections. So a stream in it is written as its place among the streams of
//! the call, and the streams themselves wait beside it for as long as that takes.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::object::items::{Incoming, ItemSource, Items, Produce};

/// Each until the message asks for it.
type Inlets = Vec<Option<Box<dyn Incoming>>>;

thread_local! {
    /// A stream was met where none can be written.
    static MET: Cell<bool> = const { Cell::new(false) };
    /// The streams of the message that is being written.
    static LOANS: RefCell<Option<Vec<Box<dyn Loan>>>> = const { RefCell::new(None) };
    /// The streams of the message that is being read.
    static INLETS: RefCell<Option<Inlets>> = const { RefCell::new(None) };
}

/// Items of a message that is being sent. As long as nobody takes them they are still those of the message, which may be sent again.
pub(crate) trait Loan: Send {
    /// The items, once.
    fn take(&self) -> Option<Box<dyn ItemSource>>;
}

/// Where lent items wait.
pub(super) struct Lent<T>(Mutex<Option<Box<dyn Produce<T>>>>);

impl<T> Lent<T> {
    pub(super) fn new(source: Box<dyn Produce<T>>) -> Arc<Lent<T>> {
        Arc::new(Lent(Mutex::new(Some(source))))
    }

    pub(super) fn take(&self) -> Option<Box<dyn Produce<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn is_there(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

struct OnLoan<T>(Arc<Lent<T>>);

impl<T: Serialize + Send + 'static> Loan for OnLoan<T> {
    fn take(&self) -> Option<Box<dyn ItemSource>> {
        let source = self.0.take()?;
        Some(Box::new(Items::here(source)))
    }
}

/// Lends items to the message that is being written; their place, if streams can be written with it.
pub(super) fn lend<T: Serialize + Send + 'static>(lent: &Arc<Lent<T>>) -> Option<u32> {
    LOANS.with_borrow_mut(|loans| match loans {
        Some(loans) => {
            loans.push(Box::new(OnLoan(Arc::clone(lent))));
            Some((loans.len() - 1) as u32)
        }
        None => {
            MET.set(true);
            None
        }
    })
}

/// Whether a message could not be written, since it has streams. Asked only when one could not, so that others pay nothing for it.
pub(crate) fn were_met() -> bool {
    MET.replace(false)
}

/// Writes a message with its streams.
pub(crate) fn collect<R>(write: impl FnOnce() -> R) -> (R, Vec<Box<dyn Loan>>) {
    LOANS.set(Some(Vec::new()));
    let written = write();
    (written, LOANS.take().unwrap_or_default())
}

/// The streams of the message that is being read, unless it has none; the one at this place is asked for.
pub(super) fn found(place: u32) -> Option<Box<dyn Incoming>> {
    INLETS.with_borrow_mut(|inlets| inlets.as_mut()?.get_mut(place as usize)?.take())
}

/// Whether the message that is being read has streams.
pub(super) fn are_expected() -> bool {
    INLETS.with_borrow(Option::is_some)
}

/// Reads a message with its streams; says how many of them it has no place for.
pub(crate) fn with_inlets<R>(inlets: Vec<Box<dyn Incoming>>, read: impl FnOnce() -> R) -> (R, usize) {
    /// What a reader that panics leaves behind is not the next one's.
    struct Reading;
    impl Drop for Reading {
        fn drop(&mut self) {
            INLETS.take();
        }
    }
    INLETS.set(Some(inlets.into_iter().map(Some).collect()));
    let reading = Reading;
    let read = read();
    let left = INLETS.take().map_or(0, |inlets| inlets.iter().flatten().count());
    drop(reading);
    (read, left)
}
