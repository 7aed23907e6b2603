//! The reference to an object, wherever it is.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::client::batch::Batch;
use crate::client::call::{Call, Typed};
use crate::client::client::Client;
use crate::client::connect::{Connect, FromLink, IntoUri};
use crate::client::error::CallError;
use crate::client::ledger::Oneways;
use crate::client::link::Link;
use crate::client::watch::Watch;
use crate::object::address;
use crate::object::interface::{Accepts, Any, Interface};
use crate::object::local::LocalObject;
use crate::object::message::RemoteMessage;
use crate::uri::{ObjectId, Uri, UriError};

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

    /// Sends a message without waiting for anything, in order with the calls made through this proxy. What became of such messages,
    /// [`flush`](Proxy::flush) says.
    ///
    /// # Panics
    /// Outside of a tokio runtime when it is not connected, unless the feature `blocking` is on.
    pub fn do_send<M: RemoteMessage>(&self, message: M)
    where
        A: Accepts<M>,
    {
        self.send(message).send_oneway();
    }

    /// Waits until everything that was sent without waiting, through this proxy and its clones, has ended, and says what became of it since
    /// the proxy was made. Batches are not counted.
    ///
    /// ```no_run
    /// # #[cfg(all(feature = "macros", feature = "daemon"))] {
    /// # struct Account;
    /// # #[pyroxene::remote]
    /// # impl Account {
    /// #     #[remote(oneway)] pub fn remark(&mut self, line: String) {}
    /// # }
    /// # async fn example(account: AccountProxy) -> Result<(), pyroxene::CallError> {
    /// account.remark("paid".to_owned());
    /// let ended = account.proxy().flush().await?;
    /// println!("{} remarks were written down, {} were lost", ended.executed, ended.dropped + ended.unknown);
    /// # Ok(()) }
    /// # }
    /// ```
    ///
    /// # Errors
    /// They have not ended within the time that calls of the client have, or what became of them cannot be asked; it can be tried again.
    pub async fn flush(&self) -> Result<Oneways, CallError> {
        self.link.flush().await
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

    /// Watches the object: ends when it is gone, wherever it is, and says why and since when. An object that is being started again is not
    /// gone; one that stays failed is. Through a lost connection it goes on watching, and gives up when its daemon cannot be reached for as
    /// long as a call has time ([`ClientConfig::timeout_ms`](crate::ClientConfig::timeout_ms)).
    ///
    /// Of an object with [instances](crate::Instances), the object as a whole is watched. A daemon that ends in order says that its objects
    /// are stopped as soon as they take no new calls.
    ///
    /// ```no_run
    /// # async fn example(account: pyroxene::Proxy) {
    /// let ended = account.watch().await;
    /// println!("the account is gone: {ended}");
    /// # }
    /// ```
    pub fn watch(&self) -> Watch {
        Watch::new(Arc::clone(&self.link))
    }

    /// The object with this key, where this proxy is that of many objects which are hosted under one name
    /// ([`Daemon::keyed`](crate::Daemon::keyed)). It connects with its first call.
    ///
    /// ```no_run
    /// # #[cfg(all(feature = "macros", feature = "daemon"))] {
    /// # struct Account;
    /// # #[pyroxene::remote]
    /// # impl Account {
    /// #     pub fn balance(&self) -> u64 { 0 }
    /// # }
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let accounts = pyroxene::Proxy::<Account>::connect("PYRONAME://bank.accounts").await?;
    /// let bob = AccountProxy::from(accounts.key("bob")?);
    /// bob.balance().await?;
    /// # Ok(()) }
    /// # }
    /// ```
    ///
    /// # Errors
    /// The key has a character that an id must not have, or is too long.
    pub fn key(&self, key: &str) -> Result<Proxy<A>, UriError> {
        Ok(Proxy::lazy_with(&self.link.client, self.link.uri.key(key)?))
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

/// Proxies are equal if they refer to the same object, as far as that can be seen without asking anybody: by the id that the object was given
/// when it was made, under whatever address; otherwise by the URI. So a proxy to a name equals one to the same name only.
impl<A: ?Sized> PartialEq for Proxy<A> {
    fn eq(&self, other: &Self) -> bool {
        identity(&self.link.uri) == identity(&other.link.uri)
    }
}

impl<A: ?Sized> Eq for Proxy<A> {}

impl<A: ?Sized> std::hash::Hash for Proxy<A> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        identity(&self.link.uri).hash(state);
    }
}

/// What tells objects apart.
#[derive(PartialEq, Eq, Hash)]
enum Identity<'a> {
    /// An id that no other object anywhere has.
    Id(&'a str),
    Uri(&'a Uri),
}

fn identity(uri: &Uri) -> Identity<'_> {
    let Uri::Object(object) = uri else { return Identity::Uri(uri) };
    let id = object.object.as_str();
    // Behind a connection it has its own id.
    let own = ObjectId::relayed(id).map_or(id, |(_, own)| own);
    if ObjectId::is_generated(own) { Identity::Id(own) } else { Identity::Uri(uri) }
}

/// A proxy travels as its URI. That of an object whose daemon does not listen has an address only in a message, by which the daemon that reads
/// it is asked to pass calls on.
impl<A: ?Sized> serde::Serialize for Proxy<A> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        address::spell(&self.link.uri).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}
