//! A call with a typed message.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::client::binding::{Binding, Choice, Route};
use crate::client::error::CallError;
use crate::client::exchange::Exchange;
use crate::client::link::Link;
use crate::client::request::{Queue, Request, Terms};
use crate::client::retry::Retry;
use crate::codec::args::Args;
use crate::codec::blob;
use crate::codec::budget::Budget;
use crate::codec::call::NamedCall;
use crate::codec::fault::Fault;
use crate::codec::lists::{self, Lists};
use crate::codec::{self, Value};
use crate::object::interface::{Method, MethodFlags, signature_of};
use crate::object::invocation::Invocation;
use crate::object::items::Incoming;
use crate::object::local::LocalObject;
use crate::object::local_caller::{LocalCaller, LocalEnd};
use crate::object::message::{RemoteError, RemoteMessage};
use crate::object::outcome::NotStarted;
use crate::peer::in_flight::Answer;
use crate::wire::{Annotations, SerializerId};

/// A call that is made when it is awaited. Calls of one proxy and its clones start in the order in which they are first polled.
///
/// Dropping it gives the call up: one that waits in its object's queue, here or elsewhere, is not run.
#[must_use = "a call is made when it is awaited; a oneway by `do_send`"]
pub struct Call<M: RemoteMessage>(pub(crate) Exchange<Typed<M>>);

impl<M: RemoteMessage> Call<M> {
    #[inline]
    pub(crate) fn new(link: Arc<Link>, call: Typed<M>, retry: Option<Box<Retry>>) -> Call<M> {
        Call(Exchange::with(link, call, retry))
    }

    /// The time the call has, milliseconds; it travels with the call and limits the calls made on its behalf.
    pub fn timeout_ms(mut self, ms: u32) -> Call<M> {
        self.0.asked_ms = Some(ms);
        self
    }

    /// Tries again until the call's time is over, with growing pauses, what surely did not run and where that can help: what found a full
    /// queue, a daemon that is ending, or nobody. A method that is [idempotent] is also tried again when nobody knows whether it ran.
    ///
    /// Each further attempt stands at the end of the queue, as if the call were made only then. The error says what came of those before:
    /// [`CallError::history`].
    ///
    /// ```no_run
    /// # #[cfg(all(feature = "macros", feature = "daemon"))] {
    /// # #[derive(Default)] pub struct Account { balance: u64 }
    /// #[pyroxene::remote]
    /// impl Account {
    ///     #[remote(idempotent)]
    ///     pub fn balance(&self) -> u64 {
    ///         self.balance
    ///     }
    /// }
    ///
    /// # async fn example(account: AccountProxy) -> Result<(), pyroxene::CallError> {
    /// let balance = account.balance().retry().timeout_ms(5_000).await?;
    /// # let _ = balance; Ok(()) }
    /// # }
    /// ```
    ///
    /// [idempotent]: crate::object::interface::MethodFlags::IDEMPOTENT
    pub fn retry(mut self) -> Call<M> {
        self.0.retry();
        self
    }

    /// Tries again as [`retry`](Call::retry) does, and when the connection is lost while the call is under way as well; yet it runs once.
    ///
    /// The call has a key, by which the daemon knows it again: a further attempt waits for the one that runs, or gets its reply, which is kept
    /// for ten minutes. A daemon that was started anew, or has forgotten the session, cannot know; then the call ends as
    /// [`SessionLost`](crate::Unknown::SessionLost), and is not run again. The first such call on a connection costs a round trip more.
    ///
    /// An object of this process has no connection to lose, and keeps nothing.
    ///
    /// ```no_run
    /// # #[cfg(all(feature = "macros", feature = "daemon"))] {
    /// # #[derive(Default)] pub struct Account { balance: u64 }
    /// # #[pyroxene::remote] impl Account { pub fn pay(&mut self, amount: u64) -> u64 { self.balance -= amount; self.balance } }
    /// # async fn example(account: AccountProxy) -> Result<(), pyroxene::CallError> {
    /// let left = account.pay(30).once().timeout_ms(60_000).await?;
    /// # let _ = left; Ok(()) }
    /// # }
    /// ```
    pub fn once(mut self) -> Call<M> {
        self.0.once();
        self
    }

    /// Puts an annotation on the call, which the handler reads from its [`CallContext`](crate::CallContext): a fact beside the arguments, such
    /// as on whose behalf it is made. Its four letters are yours to choose, but for those of Pyroxene and Pyro; all annotations together may
    /// have 4 KiB. One that cannot be is `NotStarted(NotSent)`.
    pub fn annotation(mut self, id: [u8; 4], value: impl AsRef<[u8]>) -> Call<M> {
        self.0.say(|facts| facts.annotate(id, value.as_ref()));
        self
    }

    /// Says which trace the call belongs to, as the W3C's *Trace Context* spells it. Calls that handlers make on its behalf have the same. One
    /// that is spelled in another way is `NotStarted(NotSent)`.
    pub fn traceparent(mut self, traceparent: &str) -> Call<M> {
        self.0.say(|facts| facts.trace(traceparent));
        self
    }

    /// Ends with what the handler has put on the reply as well; it can where the call carries an annotation itself.
    ///
    /// ```no_run
    /// # #[derive(Default)] pub struct Account { balance: u64 }
    /// # #[pyroxene::remote] impl Account { pub fn balance(&self) -> u64 { self.balance } }
    /// # async fn example(account: AccountProxy) -> Result<(), pyroxene::CallError> {
    /// let (balance, annotations) = account.balance().annotation(*b"USER", "eve").annotated().await;
    /// println!("{}, for {:?}", balance?, annotations.find(pyroxene::wire::AnnotationId(*b"COST")));
    /// # Ok(()) }
    /// ```
    pub fn annotated(self) -> Annotated<Call<M>> {
        Annotated(self)
    }

    /// Takes it apart, if it has not begun.
    pub(crate) fn into_parts(mut self) -> Option<(Arc<Link>, Typed<M>)> {
        let request = self.0.unbegun()?;
        Some((Arc::clone(&self.0.link), request))
    }

    pub(crate) fn send_oneway(self) {
        self.0.send_oneway();
    }
}

impl<M: RemoteMessage> Future for Call<M> {
    type Output = Result<M::Reply, CallError<M::Error>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll(cx)
    }
}

/// A call that ends with what its reply has beside its value; made by [`Call::annotated`].
#[must_use = "a call is made when it is awaited"]
pub struct Annotated<C>(pub(crate) C);

impl<M: RemoteMessage> Future for Annotated<Call<M>> {
    type Output = (Result<M::Reply, CallError<M::Error>>, Annotations);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let exchange = &mut self.get_mut().0.0;
        exchange.poll(cx).map(|ended| (ended, exchange.of_reply()))
    }
}

// Nothing in it is pinned: its futures are boxed.
impl<M: RemoteMessage> Unpin for Call<M> {}

/// A message, and its method's place in the proxy's interface; what calls and batches are made of.
pub struct Typed<M> {
    message: M,
    index: usize,
    /// What was taken out of the message to be sent from where it is.
    lists: Option<Box<Lists>>,
}

impl<M> Typed<M> {
    pub(crate) fn new(message: M, index: usize) -> Typed<M> {
        Typed { message, index, lists: None }
    }

    /// Writes the message, as it was given.
    ///
    /// # Errors
    /// It cannot be written.
    #[inline]
    pub(crate) fn written<R, E: Display>(&self, write: impl FnOnce(&M) -> Result<R, E>) -> Result<R, String> {
        match &self.lists {
            None => write(&self.message).map_err(|problem| problem.to_string()),
            Some(lists) => lists.written(|| write(&self.message)),
        }
    }
}

impl<M> Unpin for Typed<M> {}

impl<M: RemoteMessage> Request for Typed<M> {
    type Value = M::Reply;
    type Raised = M::Error;
    type Local = LocalCall<M>;

    #[inline]
    fn prepare(&mut self, binding: &Binding) {
        if self.lists.is_none() && matches!(binding.route, Route::Remote(..)) {
            self.lists = Lists::take(|each| self.message.show_lists(each));
        }
    }

    fn method(&self) -> &str {
        M::METHOD
    }

    fn choose(&self, binding: &Binding) -> Result<Choice, NotStarted> {
        let choice = binding.method(self.index, &const { Method::of::<M>() })?;
        let stream = const { M::FLAGS.contains(MethodFlags::STREAM) };
        if choice.flags.contains(MethodFlags::STREAM) == stream { Ok(choice) } else { Err(mismatch(M::METHOD, stream)) }
    }

    fn serializer(&self, choice: Choice) -> SerializerId {
        // Sides that disagree on the shape of a message do not guess: fields travel with their names.
        if choice.same { SerializerId::POSTCARD } else { SerializerId::MESSAGE_PACK }
    }

    #[inline]
    fn write_message(&self, choice: Choice, object: &str, out: &mut Vec<u8>) -> Result<(), String> {
        if choice.same {
            self.written(|message| codec::encode(SerializerId::POSTCARD, message, out))
        } else {
            let args = self.written(Args::from_message)?;
            let call = NamedCall { object: object.to_owned(), method: M::METHOD.to_owned(), args };
            call.encode(SerializerId::MESSAGE_PACK, out).map_err(|e| e.to_string())
        }
    }

    fn other_signature(&self, binding: &Binding) -> Option<String> {
        let same = self.choose(binding).map_or(true, |choice| choice.same);
        (!same).then(|| signature_of::<M>().to_string())
    }

    #[inline]
    fn read(&self, answer: &mut Answer, _: &Binding, budget: &Budget) -> Result<M::Reply, String> {
        let Answer { serializer, payload, .. } = answer;
        blob::decode(*serializer, payload, budget, lists::show).map_err(|problem| match *serializer {
            SerializerId::POSTCARD => problem.to_string(),
            // What has names is read once more as a value, which tells the one that does not fit.
            id => codec::decode::<Value>(id, payload, budget)
                .and_then(|value| value.to::<M::Reply>(budget))
                .map_or_else(|told| told.to_string(), |_| problem.to_string()),
        })
    }

    fn open(items: Box<dyn Incoming>) -> Option<M::Reply> {
        M::from_items(items)
    }

    fn raised(fault: &Fault, budget: &Budget) -> Option<M::Error> {
        if fault.class != M::Error::class() {
            return None;
        }
        fault.detail.decode(budget).ok()
    }

    fn submit(
        self,
        choice: Choice,
        object: &Arc<dyn LocalObject>,
        call: Terms,
        queue: &mut impl Queue,
    ) -> LocalCall<M> {
        let (sender, receiver) = oneshot::channel();
        let index = self.index;
        queue.put(self.invocation(choice, object, call, Some(sender)));
        LocalCall { receiver, index, back: None }
    }

    fn take_back(outcome: &mut LocalCall<M>) -> Option<Typed<M>> {
        outcome.back.take().map(|message| Typed::new(*message, outcome.index))
    }

    fn submitted(_: &LocalCall<M>) -> &str {
        M::METHOD
    }

    fn tell(self, choice: Choice, object: &Arc<dyn LocalObject>, call: Terms, queue: &mut impl Queue) {
        queue.put(self.invocation(choice, object, call, None));
    }
}

impl<M: RemoteMessage> Typed<M> {
    fn invocation(
        mut self,
        choice: Choice,
        object: &Arc<dyn LocalObject>,
        call: Terms,
        sender: Option<oneshot::Sender<LocalEnd<M>>>,
    ) -> Invocation {
        if let Some(lists) = self.lists.take() {
            // It was to be sent over a connection before.
            lists.put_back(|each| self.message.show_lists(each));
        }
        let caller = LocalCaller {
            message: Some(self.message),
            sender,
            object: Arc::clone(object.label()),
            correlation: call.correlation,
            again: call.again,
            place: call.place,
            told: call.account.map(|account| account.tell()),
        };
        Invocation::local(choice.index, call.deadline, call.facts, caller)
    }
}

/// The outcome of a call in this process.
pub(crate) struct LocalCall<M: RemoteMessage> {
    receiver: oneshot::Receiver<LocalEnd<M>>,
    index: usize,
    /// The message of a call that did not run; boxed, since it hardly ever comes back.
    back: Option<Box<M>>,
}

impl<M: RemoteMessage> Unpin for LocalCall<M> {}

impl<M: RemoteMessage> Future for LocalCall<M> {
    type Output = Option<Result<M::Reply, CallError<M::Error>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = std::task::ready!(Pin::new(&mut self.receiver).poll(cx));
        Poll::Ready(ended.ok().map(|outcome| match outcome {
            Ok(outcome) => outcome.map_err(CallError::Raised),
            Err(refusal) => {
                self.back = refusal.message.map(Box::new);
                Err(refusal.failure.into())
            }
        }))
    }
}

/// One end takes a method's reply for a stream, and the other does not.
#[cold]
pub(crate) fn mismatch(method: &str, wanted: bool) -> NotStarted {
    let problem =
        if wanted { "its reply is not a stream of items there" } else { "its reply is a stream of items there" };
    NotStarted::Unsupported { method: method.to_owned(), problem: problem.to_owned() }
}
