//! Reading, writing and watching attributes.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::call::{Call, Typed};
use crate::client::dyn_proxy::DynProxy;
use crate::client::error::CallError;
use crate::client::proxy::Proxy;
use crate::codec::Value;
use crate::object::attributes::AttributeError;
use crate::object::attributes::messages::{CompareAndSet, GetAttribute, GetAttributes, SetAttribute, WatchAttribute};
use crate::object::interface::{Accepts, Interface};
use crate::object::items::Items;
use crate::object::message::RemoteMessage;
use crate::object::outcome::NotStarted;
use crate::object::signature::shape_of;

/// Attributes go by paths: a name, the name of a nested one behind a dot, and a place in a list or a key of a map in brackets, such as
/// `address.street`, `history[3]` or `rates["eur"]`.
impl<A: Interface + ?Sized> Proxy<A> {
    /// Reads an attribute.
    ///
    /// ```
    /// # #[cfg(all(feature = "macros", feature = "daemon"))] {
    /// # use pyroxene::Daemon;
    /// struct Account {
    ///     owner: String,
    /// }
    ///
    /// #[pyroxene::remote]
    /// impl Account {
    ///     #[remote(attr)]
    ///     pub fn owner(&self) -> &str {
    ///         &self.owner
    ///     }
    ///     pub fn set_owner(&mut self, owner: String) {
    ///         self.owner = owner;
    ///     }
    /// }
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// # let daemon = Daemon::bind("127.0.0.1:0").await?;
    /// let account = daemon.supervise("account", || Account { owner: "alice".into() }).await?;
    /// assert_eq!(account.get::<String>("owner").await?, "alice");
    /// account.set("owner", "eve").await?;
    /// // The proxy that `remote` writes has it by name.
    /// assert_eq!(AccountProxy::from(account).owner().await?, "eve");
    /// # Ok(()) }
    /// # actix_rt::System::new().block_on(example()).unwrap();
    /// # }
    /// ```
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> GetCall<T>
    where
        A: Accepts<GetAttribute>,
    {
        GetCall::new(self.send(GetAttribute { name: path.to_owned() }), path)
    }

    /// Reads several attributes at one moment, in one round trip: a list, or a tuple of their types.
    pub fn get_all<'p, T: DeserializeOwned>(
        &self,
        paths: impl IntoIterator<Item = &'p str>,
    ) -> GetCall<T, GetAttributes>
    where
        A: Accepts<GetAttributes>,
    {
        let names: Vec<String> = paths.into_iter().map(str::to_owned).collect();
        let path = names.join(", ");
        GetCall::new(self.send(GetAttributes { names }), &path)
    }

    /// Writes an attribute. A map gets a key that it has not got; a list gets no further places, and nothing gets new names.
    pub fn set<T: Serialize + ?Sized>(&self, path: &str, value: &T) -> SetCall
    where
        A: Accepts<SetAttribute>,
    {
        SetCall::new(
            Value::from_serialize(value).map(|value| self.send(SetAttribute { name: path.to_owned(), value })),
            path,
        )
    }

    /// Writes an attribute if it has the value `expected`; otherwise the call raises [`AttributeError::Changed`] with the value it has.
    pub fn compare_and_set<T: Serialize + ?Sized>(&self, path: &str, expected: &T, value: &T) -> SetCall<CompareAndSet>
    where
        A: Accepts<CompareAndSet>,
    {
        let values = Value::from_serialize(expected).and_then(|expected| Ok((expected, Value::from_serialize(value)?)));
        let call = |(expected, value)| self.send(CompareAndSet { name: path.to_owned(), expected, value });
        SetCall::new(values.map(call), path)
    }

    /// Watches an attribute: its value now, and then each that it has after the object has done something. A slow reader gets the latest and
    /// misses those between. The stream ends with an error once the object is gone, or started anew.
    pub fn changes<T: DeserializeOwned + Send + 'static>(&self, path: &str) -> ChangesCall<T>
    where
        A: Accepts<WatchAttribute>,
    {
        ChangesCall { call: self.send(WatchAttribute { name: path.to_owned() }), values: PhantomData }
    }

    /// The same object for whoever knows only names.
    pub fn untyped(&self) -> DynProxy {
        DynProxy(Arc::clone(self.link()))
    }
}

/// The same by name. Paths are those of [`Proxy::get`].
impl DynProxy {
    /// Reads an attribute. Nested state as a whole is a map.
    ///
    /// ```no_run
    /// use pyroxene::DynProxy;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let account = DynProxy::connect("PYRONAME://bank.alice").await?;
    /// account.set("owner", "eve").await?;
    /// println!("{} in {}", account.get("owner").await?, account.get("address.street").await?);
    /// # Ok(()) }
    /// ```
    pub fn get(&self, path: &str) -> Call<GetAttribute> {
        self.access(GetAttribute { name: path.to_owned() })
    }

    /// Reads several attributes at one moment, in one round trip.
    pub fn get_all<'p>(&self, paths: impl IntoIterator<Item = &'p str>) -> Call<GetAttributes> {
        self.access(GetAttributes { names: paths.into_iter().map(str::to_owned).collect() })
    }

    /// As [`Proxy::set`].
    pub fn set(&self, path: &str, value: impl Into<Value>) -> Call<SetAttribute> {
        self.access(SetAttribute { name: path.to_owned(), value: value.into() })
    }

    /// As [`Proxy::compare_and_set`].
    pub fn compare_and_set(
        &self,
        path: &str,
        expected: impl Into<Value>,
        value: impl Into<Value>,
    ) -> Call<CompareAndSet> {
        self.access(CompareAndSet { name: path.to_owned(), expected: expected.into(), value: value.into() })
    }

    /// As [`Proxy::changes`].
    pub fn changes(&self, path: &str) -> Call<WatchAttribute> {
        self.access(WatchAttribute { name: path.to_owned() })
    }

    fn access<M: RemoteMessage>(&self, message: M) -> Call<M> {
        // Which place the method has is known only once it is connected.
        Call::new(Arc::clone(&self.0), Typed::new(message, usize::MAX), None)
    }
}

/// A reading that ends with a value of one type; made when it is awaited.
#[must_use = "a call is made when it is awaited"]
pub struct GetCall<T, M: RemoteMessage = GetAttribute> {
    pub(crate) call: Call<M>,
    path: String,
    value: PhantomData<fn() -> T>,
}

impl<T, M: RemoteMessage> GetCall<T, M> {
    fn new(call: Call<M>, path: &str) -> GetCall<T, M> {
        GetCall { call, path: path.to_owned(), value: PhantomData }
    }

    /// As [`Call::timeout_ms`].
    pub fn timeout_ms(mut self, ms: u32) -> Self {
        self.call = self.call.timeout_ms(ms);
        self
    }

    /// As [`Call::retry`].
    pub fn retry(mut self) -> Self {
        self.call = self.call.retry();
        self
    }
}

impl<T: DeserializeOwned, M: RemoteMessage<Error = AttributeError, Reply: Into<Value>>> Future for GetCall<T, M> {
    type Output = Result<T, CallError<AttributeError>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let ended = std::task::ready!(Pin::new(&mut this.call).poll(cx));
        let budget = this.call.0.link.client.budget();
        Poll::Ready(ended.and_then(|value| {
            value.into().to(&budget).map_err(|problem| {
                CallError::Raised(AttributeError::WrongType {
                    path: std::mem::take(&mut this.path),
                    expected: shape_of::<T>().to_string(),
                    problem: format!("it was read, and {problem}"),
                })
            })
        }))
    }
}

/// A writing; made when it is awaited.
#[must_use = "a call is made when it is awaited"]
pub struct SetCall<M: RemoteMessage = SetAttribute>(pub(crate) Result<Call<M>, Option<NotStarted>>);

impl<M: RemoteMessage> SetCall<M> {
    fn new(call: Result<Call<M>, impl std::fmt::Display>, path: &str) -> SetCall<M> {
        SetCall(call.map_err(|problem| {
            Some(NotStarted::NotSent { method: format!("the value for {path:?}"), problem: problem.to_string() })
        }))
    }

    /// As [`Call::timeout_ms`].
    pub fn timeout_ms(self, ms: u32) -> Self {
        SetCall(self.0.map(|call| call.timeout_ms(ms)))
    }

    /// As [`Call::retry`].
    pub fn retry(self) -> Self {
        SetCall(self.0.map(Call::retry))
    }

    /// As [`Call::once`].
    pub fn once(self) -> Self {
        SetCall(self.0.map(Call::once))
    }
}

impl<M: RemoteMessage<Error = AttributeError>> Future for SetCall<M> {
    type Output = Result<M::Reply, CallError<AttributeError>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            Ok(call) => Pin::new(call).poll(cx),
            Err(problem) => match problem.take() {
                Some(problem) => Poll::Ready(Err(CallError::NotStarted(problem))),
                None => Poll::Pending,
            },
        }
    }
}

/// A watching; begun when it is awaited.
#[must_use = "a call is made when it is awaited"]
pub struct ChangesCall<T> {
    pub(crate) call: Call<WatchAttribute>,
    values: PhantomData<fn() -> T>,
}

impl<T> ChangesCall<T> {
    /// The time it has until the stream is open, milliseconds; the stream itself may take any time.
    pub fn timeout_ms(mut self, ms: u32) -> Self {
        self.call = self.call.timeout_ms(ms);
        self
    }
}

impl<T: DeserializeOwned + Send + 'static> Future for ChangesCall<T> {
    type Output = Result<Items<T>, CallError<AttributeError>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.get_mut().call).poll(cx).map(|opened| opened.map(Items::typed))
    }
}
