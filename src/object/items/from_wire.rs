//! Items that come over a connection.

use std::marker::PhantomData;
use std::task::{Context, Poll};

use serde::de::DeserializeOwned;

use crate::codec;
use crate::codec::budget::Budget;
use crate::object::items::{Produce, unreadable};
use crate::object::outcome::Failure;
use crate::wire::SerializerId;
use crate::wire::stream::next_item;

/// The reading end of a stream on a connection. Dropped before its end it gives the stream up.
pub trait Incoming: Send {
    /// Puts the items that have come into `batch`, which is empty: each with its length before it.
    fn poll_batch(&mut self, cx: &mut Context<'_>, batch: &mut Vec<u8>) -> Poll<Option<Result<(), Failure>>>;
    /// An item that took so many bytes has been read: there is room for others.
    fn taken(&mut self, bytes: usize);
    /// What the items are written in.
    fn serializer(&self) -> SerializerId;
    /// What decoding one may cost.
    fn budget(&self) -> Budget;
}

/// Reads items out of batches.
pub(crate) struct FromWire<T> {
    incoming: Box<dyn Incoming>,
    batch: Vec<u8>,
    /// How much of it has been read.
    at: usize,
    budget: Budget,
    item: PhantomData<fn() -> T>,
}

impl<T> FromWire<T> {
    pub(crate) fn new(incoming: Box<dyn Incoming>) -> FromWire<T> {
        let budget = incoming.budget();
        FromWire { incoming, batch: Vec::new(), at: 0, budget, item: PhantomData }
    }
}

impl<T: DeserializeOwned> Produce<T> for FromWire<T> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Failure>>> {
        while self.at == self.batch.len() {
            self.batch.clear();
            self.at = 0;
            match std::task::ready!(self.incoming.poll_batch(cx, &mut self.batch)) {
                Some(Ok(())) => {}
                Some(Err(failure)) => return Poll::Ready(Some(Err(failure))),
                None => return Poll::Ready(None),
            }
        }
        let mut rest = &self.batch[self.at..];
        let before = rest.len();
        // The connection has looked at the lengths already.
        let item = next_item(&mut rest).unwrap_or_default();
        let bytes = before - rest.len();
        let read = codec::decode::<T>(self.incoming.serializer(), item, &self.budget);
        self.at += bytes.max(1);
        self.incoming.taken(bytes);
        Poll::Ready(Some(read.map_err(|problem| unreadable(&problem.to_string()))))
    }
}
