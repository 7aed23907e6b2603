//! The reference to an object, wherever it is.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::client::batch::Batch;
use crate::client::call::{Call, Typed};
use crate::client::client::Client;
use crate::client::connect::{Connect, FromLink, IntoUri};
use crate::client::link::Link;
use crate::object::interface::{Accepts, Any, Interface};
use crate::object::local::LocalObject;
use crate::object::message::RemoteMessage;
use crate::uri::Uri;

/// A reference to an object of type, or interface, `A`. Cheap to clone, shared by any number of tasks and threads.
///
/// To an object in this process it puts messages straight into the queue, and nothing is serialized. Anywhere else they travel over a
/// connection that all proxies to one daemon share; when it breaks, the next call makes a new one.
///
/// ```no_run
/// # #[cfg(all(feature = "macros", feature = "daemon"))] {
/// use pyroxene::{Any, Proxy, RemoteMessage};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, actix::Message, RemoteMessage)]
/// #[rtype(result = "u64")]
/// struct Balance;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let account = Proxy::<Any>::connect("PYRONAME://bank.alice").await?;
/// let balance: u64 = account.send(Balance).timeout_ms(200).await?;
/// # Ok(()) }
/// # }
/// ```
pub struct Proxy<A: ?Sized = Any> {
    link: Arc<Link>,
    /// Its calls are tried again.
    retrying: bool,
    object: PhantomData<fn(&A)>,
}

impl<A: Interface + ?Sized> Proxy<A> {
    /// Connects with this client; [`Proxy::connect`] uses that of the current runtime.
    pub fn connect_with(client: &Client, uri: impl IntoUri) -> Connect<Proxy<A>> {
        Connect::new(client.clone(), uri.into_uri(), A::METHODS)
    }

    /// A proxy that connects with its first call.
    pub fn lazy_with(client: &Client, uri: Uri) -> Proxy<A> {
        Proxy::from_link(Link::new(client.clone(), uri, A::METHODS))
    }

    /// A proxy to an object of this process.
    pub(crate) fn local(client: Client, uri: Uri, object: Arc<dyn LocalObject>) -> Proxy<A> {
        Proxy::from_link(Link::local(client, uri, A::METHODS, object))
    }

    /// A call with this message, made when it is awaited.
    #[inline]
    pub fn send<M: RemoteMessage>(&self, message: M) -> Call<M>
    where
        A: Accepts<M>,
    {
        self.call(Typed::new(message, A::INDEX))
    }

    /// The same proxy, each of whose calls is told to [`retry`](Call::retry).
    pub fn retrying(&self) -> Proxy<A> {
        Proxy { retrying: true, ..self.clone() }
    }

    #[inline]
    pub(crate) fn call<M: RemoteMessage>(&self, call: Typed<M>) -> Call<M> {
        // Made first: a call is large, and is to be put together where it stays.
        let retry = if self.retrying { Some(Box::default()) } else { None };
        Call::new(Arc::clone(&self.link), call, retry)
    }

    /// Sends a message without waiting for anything, in order with the calls made through this proxy. Whether it arrives and how it ends,
    /// nobody says.
    ///
    /// # Panics
    /// Outside of a tokio runtime when it is not connected, unless the feature `blocking` is on.
    pub fn do_send<M: RemoteMessage>(&self, message: M)
    where
        A: Accepts<M>,
    {
        self.send(message).send_oneway();
    }

    /// The same object by way of a proxy whose calls, and those of its clones, each wait for the end of the one before: the order in which they
    /// are made is the order in which they end, and how a call ended is known before the next one begins.
    ///
    /// A call that fails, or is given up, is no hindrance to the ones behind it. The time that a call waits for its turn is its own: what has no
    /// turn in time is [`OutOfTime`](crate::NotStarted::OutOfTime) and has not run. A call that has begun keeps its turn until it is awaited to
    /// its end, or dropped. Nobody hears of a oneway's end, so nobody waits for it; but it waits for the calls before it.
    ///
    /// ```no_run
    /// # #[cfg(all(feature = "macros", feature = "daemon"))] {
    /// # struct Account;
    /// # #[pyroxene::remote]
    /// # impl Account {
    /// #     pub fn balance(&self) -> u64 { 0 }
    /// # }
    /// # fn example(account: AccountProxy) {
    /// let strict = AccountProxy::from(account.proxy().strict());
    /// # }
    /// # }
    /// ```
    pub fn strict(&self) -> Proxy<A> {
        Proxy::from_link(self.link.strict())
    }

    /// Calls that are made together, in one frame.
    pub fn batch(&self) -> Batch<A> {
        Batch::new(Arc::clone(&self.link))
    }

    /// The same object as seen through another interface, such as a shared trait. Which of its methods the object has, shows when they are
    /// called.
    pub fn cast<B: Interface + ?Sized>(&self) -> Proxy<B> {
        let client = self.link.client.clone();
        if let Some(binding) = self.link.last()
            && let crate::client::binding::Route::Local(object) = &binding.route
        {
            return Proxy::local(client, self.link.uri.clone(), Arc::clone(object));
        }
        Proxy::lazy_with(&client, self.link.uri.clone())
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Where the object was said to be.
    pub fn uri(&self) -> &Uri {
        &self.link.uri
    }

    /// Whether the object runs in this process, so that messages are handed over as they are.
    pub fn is_local(&self) -> bool {
        self.link.last().is_some_and(|binding| matches!(binding.route, crate::client::binding::Route::Local(_)))
    }
}

impl<A: ?Sized> FromLink for Proxy<A> {
    fn from_link(link: Arc<Link>) -> Self {
        Proxy { link, retrying: false, object: PhantomData }
    }
}

impl<A: ?Sized> Clone for Proxy<A> {
    fn clone(&self) -> Self {
        Proxy { link: Arc::clone(&self.link), retrying: self.retrying, object: PhantomData }
    }
}

impl<A: ?Sized> std::fmt::Debug for Proxy<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Proxy").field(&self.link.uri).finish()
    }
}

/// A proxy travels as its URI.
impl<A: ?Sized> serde::Serialize for Proxy<A> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.link.uri.serialize(serializer)
    }
}
