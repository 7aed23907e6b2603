//! Items of iterators and streams, and of items whose type nobody knows.

use std::marker::PhantomData;
use std::task::{Context, Poll};

use futures_core::Stream;
use serde::de::DeserializeOwned;

use crate::codec::Value;
use crate::codec::budget::Budget;
use crate::object::items::{ItemSource, Items, Pinned, Produce, unreadable};
use crate::object::outcome::Failure;

/// The items of an iterator.
pub(super) struct OfIterator<I>(pub(super) I);

impl<T, I: Iterator<Item = Result<T, Failure>> + Send> Produce<T> for OfIterator<I> {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<T, Failure>>> {
        Poll::Ready(self.0.next())
    }
}

/// The items of a stream, and what becomes of each.
pub(super) struct OfStream<S: Stream, T>(pub(super) Pinned<S>, pub(super) fn(S::Item) -> Result<T, Failure>);

impl<T, S: Stream + Send> Produce<T> for OfStream<S, T> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Failure>>> {
        self.0.as_mut().poll_next(cx).map(|item| item.map(self.1))
    }
}

/// Items of some type, as values.
pub(super) struct Values(pub(super) Box<dyn ItemSource>);

impl Produce<Value> for Values {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Value, Failure>>> {
        self.0.poll_value(cx)
    }
}

/// Values, as items of one type.
pub(super) struct OfValues<T>(pub(super) Items<Value>, pub(super) PhantomData<fn() -> T>);

impl<T: DeserializeOwned> Produce<T> for OfValues<T> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Failure>>> {
        self.0.poll_item(cx).map(|item| {
            item.map(|item| item?.to(&Budget::default()).map_err(|problem| unreadable(&problem.to_string())))
        })
    }
}
