//! A reply that comes in pieces: a stream of items, produced as fast as its reader takes them and no faster.

pub(crate) mod carried;
mod channel;
mod from_wire;
pub(crate) mod latest;
mod of;
pub mod producer;

use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::fault::{Detail, Fault};
use crate::codec::{self, Value};
use crate::object::message::RemoteError;
use crate::object::outcome::{self, Failure};
use crate::object::panic;
use crate::wire::SerializerId;

pub use channel::ItemSender;
pub use from_wire::Incoming;

/// Many items, one after the other: a long list, a file in pieces, what happens from now on. A method replies with them, or takes them as an
/// argument, or both.
///
/// An object makes one from an iterator ([`of`](Items::of)), a stream ([`stream`](Items::stream)) or what somebody sends
/// ([`channel`](Items::channel)), and returns it; its caller reads it with [`next`](Items::next), or as a `futures` stream.
///
/// ```
/// # #[cfg(all(feature = "macros", feature = "daemon"))] {
/// use pyroxene::{Daemon, Items};
///
/// struct Account {
///     entries: Vec<u64>,
/// }
///
/// #[pyroxene::remote]
/// impl Account {
///     pub fn history(&self) -> Items<u64> {
///         Items::of(self.entries.clone())
///     }
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let daemon = Daemon::bind("127.0.0.1:0").await?;
/// let account = daemon.supervise("account", || Account { entries: vec![3, 4] }).await?;
/// let account = AccountProxy::from(account);
/// let (mut history, mut sum) = (account.history().await?, 0);
/// while let Some(entry) = history.next().await {
///     sum += entry?;
/// }
/// assert_eq!(sum, 7);
/// # Ok(()) }
/// # actix_rt::System::new().block_on(example()).unwrap();
/// # }
/// ```
///
/// # What it promises
///
/// * Items come in order, each once, and then the stream ends: with `None` when its object had no more, or else with one error, and `None`
///   after that. What the error says is true: the fault of its producer, or that the connection was lost and nobody knows what else there
///   was.
/// * Its producer runs when there is room, a window of 256 KiB or 4,096 items ahead of the reader; a reader that is slow slows its producer
///   down, and nobody else. A stream that nobody reads costs that window.
/// * Dropping it stops the producer.
/// * The time that a call has is for its reply, which is the stream being open. The stream itself may go on for days.
/// * It is not part of the object any more: an object that is started again leaves the streams it has returned to themselves. A daemon that
///   ends waits for them as it does for calls, and then ends them with an error.
/// * In one process items are handed over as they are, and the producer runs where they are read.
///
/// It is the whole reply of a method, the value of its `Result`, or an argument; as a part of anything else it cannot be written.
///
/// # To an object
///
/// A caller makes the items in the same ways, and gives them to a method that takes `Items<T>`:
///
/// ```
/// # #[cfg(all(feature = "macros", feature = "daemon"))] {
/// use pyroxene::{CallError, Daemon, Items};
///
/// struct Account;
///
/// #[pyroxene::remote]
/// impl Account {
///     pub async fn deposit_all(&mut self, mut amounts: Items<u64>) -> u64 {
///         let mut sum = 0;
///         while let Some(Ok(amount)) = amounts.next().await {
///             sum += amount;
///         }
///         sum
///     }
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let daemon = Daemon::bind("127.0.0.1:0").await?;
/// let account = AccountProxy::from(daemon.supervise("account", || Account).await?);
/// assert_eq!(account.deposit_all(Items::of([3, 4])).await?, 7);
/// # Ok(()) }
/// # actix_rt::System::new().block_on(example()).unwrap();
/// # }
/// ```
///
/// What it promises is the same, with the ends exchanged. The items are first asked for when the object begins to read them, so a call that
/// did not run has lost none, and may be sent again. An object that drops them stops their source. It may also keep them and answer: then they
/// go on after the call. But when the caller gives the call up, or its time is over, or the connection is lost before the call is answered,
/// their reader is told so with an error. A oneway carries no streams. Who calls by name gives a list instead.
#[must_use = "a stream that is dropped is given up"]
pub struct Items<T>(RefCell<Place<T>>);

/// Where the source of items is.
enum Place<T> {
    Here(Box<dyn Produce<T>>),
    /// It was lent to the call whose message this is part of.
    Lent(Arc<carried::Lent<T>>),
    Ended,
}

/// Where items come from.
pub(crate) trait Produce<T>: Send {
    /// The next one; an error is the last.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Failure>>>;
}

/// Items behind whatever type they are.
pub trait ItemSource: Send {
    /// Appends the next item in serializer `id`.
    fn poll_encoded(
        &mut self,
        cx: &mut Context<'_>,
        id: SerializerId,
        out: &mut Vec<u8>,
    ) -> Poll<Option<Result<(), Failure>>>;

    /// The next item as a value.
    fn poll_value(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Value, Failure>>>;
}

impl<T: Send + 'static> Items<T> {
    /// The items of an iterator, asked for one by one as they are read. It must not block.
    pub fn of<I>(items: I) -> Items<T>
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        Items::from_source(of::OfIterator(items.into_iter().map(Ok)))
    }

    /// The same for items that may fail: the first error ends the stream, and reaches its reader as a fault.
    pub fn of_results<I, E>(items: I) -> Items<T>
    where
        I: IntoIterator<Item = Result<T, E>>,
        I::IntoIter: Send + 'static,
        E: RemoteError,
    {
        Items::from_source(of::OfIterator(items.into_iter().map(|item| item.map_err(|error| raised(&error)))))
    }

    /// The items of a stream.
    pub fn stream<S: Stream<Item = T> + Send + 'static>(items: S) -> Items<T> {
        Items::from_source(of::OfStream(Box::pin(items), Ok))
    }

    /// The same for items that may fail: the first error ends the stream, and reaches its reader as a fault.
    pub fn stream_of_results<S, E>(items: S) -> Items<T>
    where
        S: Stream<Item = Result<T, E>> + Send + 'static,
        E: RemoteError,
    {
        let item: fn(Result<T, E>) -> Result<T, Failure> = |item| item.map_err(|error| raised(&error));
        Items::from_source(of::OfStream(Box::pin(items), item))
    }

    /// What is sent from now on, of which `capacity` items wait at most; the stream ends when the sender is dropped.
    pub fn channel(capacity: usize) -> (ItemSender<T>, Items<T>) {
        let (sender, receiver) = channel::channel(capacity);
        (sender, Items::from_source(receiver))
    }

    /// Items without a type, as values of one.
    pub(crate) fn from_source(source: impl Produce<T> + 'static) -> Items<T> {
        Items::here(Box::new(source))
    }
}

impl Items<Value> {
    /// Items of any type, as values.
    pub(crate) fn values(source: Box<dyn ItemSource>) -> Items<Value> {
        Items::from_source(of::Values(source))
    }

    /// The same items as values of one type; one that is not ends them.
    pub(crate) fn typed<T: DeserializeOwned + Send + 'static>(self) -> Items<T> {
        Items::from_source(of::OfValues(self, std::marker::PhantomData))
    }
}

impl<T: DeserializeOwned + Send + 'static> Items<T> {
    /// Items that come over a connection.
    #[doc(hidden)]
    pub fn incoming(incoming: Box<dyn Incoming>) -> Items<T> {
        Items::from_source(from_wire::FromWire::new(incoming))
    }
}

impl<T> Items<T> {
    fn here(source: Box<dyn Produce<T>>) -> Items<T> {
        Items(RefCell::new(Place::Here(source)))
    }

    /// The next item, or how the stream ended. It ends once; after that there is nothing.
    pub(crate) fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Failure>>> {
        let place = self.0.get_mut();
        if let Place::Lent(lent) = place {
            // Nobody took it, so it is still ours.
            *place = lent.take().map_or(Place::Ended, Place::Here);
        }
        let Place::Here(source) = place else { return Poll::Ready(None) };
        let item = match panic::guard(|| source.poll_next(cx)) {
            Ok(polled) => std::task::ready!(polled),
            Err(report) => Some(Err(Failure::Failed(Box::new(outcome::panicked(report, "", ""))))),
        };
        if !matches!(item, Some(Ok(_))) {
            // What ends with a panic may panic again when it is dropped.
            let source = std::mem::replace(place, Place::Ended);
            let _ = panic::guard(move || drop(source));
        }
        Poll::Ready(item)
    }
}

impl<T: Serialize> ItemSource for Items<T> {
    fn poll_encoded(
        &mut self,
        cx: &mut Context<'_>,
        id: SerializerId,
        out: &mut Vec<u8>,
    ) -> Poll<Option<Result<(), Failure>>> {
        let item = std::task::ready!(self.poll_item(cx));
        Poll::Ready(item.map(|item| codec::encode(id, &item?, out).map_err(|problem| unwritable(&problem.to_string()))))
    }

    fn poll_value(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Value, Failure>>> {
        let item = std::task::ready!(self.poll_item(cx));
        Poll::Ready(item.map(|item| Value::from_serialize(&item?).map_err(|problem| unwritable(&problem.to_string()))))
    }
}

/// An item that is of another type than its reader wants.
fn unreadable(problem: &str) -> Failure {
    fault("Pyroxene.UnreadableReply", format!("an item of the stream cannot be read here: {problem}"))
}

/// An item that cannot be sent.
pub(crate) fn unwritable(problem: &str) -> Failure {
    fault(outcome::UNWRITABLE, format!("an item cannot be sent: {problem}"))
}

fn fault(class: &str, message: String) -> Failure {
    Failure::Failed(Box::new(Fault {
        class: class.to_owned(),
        message,
        detail: Detail::None,
        traceback: Vec::new(),
        object: String::new(),
        method: String::new(),
    }))
}

/// The end of a stream whose producer failed. Who reads it need not know the error's type, so its data describes itself.
fn raised<E: RemoteError>(error: &E) -> Failure {
    Failure::Failed(Box::new(outcome::raised(error, SerializerId::MESSAGE_PACK, "", "")))
}

/// As an argument of a call it is written as its place among the call's streams; its items travel in frames of their own. Anywhere else it
/// cannot be written.
impl<T: Serialize + Send + 'static> Serialize for Items<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut place = self.0.borrow_mut();
        let lent = match std::mem::replace(&mut *place, Place::Ended) {
            Place::Here(source) => carried::Lent::new(source),
            Place::Lent(lent) => lent,
            Place::Ended => return Err(serde::ser::Error::custom("the items of this stream have been read already")),
        };
        let taken = !lent.is_there();
        *place = Place::Lent(Arc::clone(&lent));
        if taken {
            return Err(serde::ser::Error::custom("the items of this stream have been sent already"));
        }
        match carried::lend(&lent) {
            Some(at) => serializer.serialize_u32(at),
            None => Err(serde::ser::Error::custom(
                "a stream of items is a whole reply, `Items<T>` or `Result<Items<T>, E>`, or an argument of a call",
            )),
        }
    }
}

/// As an argument of a call with streams it is the one at the place that is read. Otherwise, and for its signature, it is a list: who calls by
/// name gives one.
impl<'de, T: DeserializeOwned + Send + 'static> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !carried::are_expected() {
            return Vec::<T>::deserialize(deserializer).map(Items::of);
        }
        let place = u32::deserialize(deserializer)?;
        let stream = carried::found(place);
        stream.map(Items::incoming).ok_or_else(|| serde::de::Error::custom("there is no such stream with this call"))
    }
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("ended", &matches!(&*self.0.borrow(), Place::Ended)).finish_non_exhaustive()
    }
}

// Nothing in it is pinned: its sources are boxed.
impl<T> Unpin for Items<T> {}

/// A stream that is pinned where it is.
pub(crate) type Pinned<S> = Pin<Box<S>>;

#[cfg(test)]
mod tests;
