//! The client of the current runtime, and the short ways that use it.
//!
//! Each runtime has a client of its own, so that a connection's task and those who call over it live together. One that is not given is
//! made from the configuration. Threads without a runtime share, with the feature `blocking`, that of the thread in the background.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use tokio::runtime::Id;

use crate::client::client::{Client, ClientConfig, Inner, Resolver};
use crate::client::connect::{Connect, IntoUri};
use crate::client::dyn_proxy::DynProxy;
use crate::client::proxy::Proxy;
use crate::client::runtime;
use crate::config::{Config, ConfigError};
use crate::naming::locate::LocateError;
use crate::naming::{ConnectGroup, Group, NameServer};
use crate::object::interface::Interface;
use crate::object::outcome::NotStarted;
use crate::transport::Stream;
use crate::transport::network::{BoxFuture, Listener, Network};
use crate::uri::{Endpoint, Uri};

/// Kept alive by the proxies that use it, and by whoever installed it.
static CLIENTS: LazyLock<Mutex<HashMap<Id, Weak<Inner>>>> = LazyLock::new(Mutex::default);

thread_local! {
    /// The last one made for the runtime of this thread, so that it outlives the pause between two proxies.
    static LAST: std::cell::RefCell<Option<Client>> = const { std::cell::RefCell::new(None) };
}

impl Client {
    /// The client of the current runtime, made from the configuration when there is none. With a configuration that cannot be used it
    /// reaches nobody, and says why.
    ///
    /// # Panics
    /// Outside of a tokio runtime, unless the feature `blocking` is on.
    pub fn current() -> Client {
        let runtime = runtime::expect();
        let id = runtime.id();
        let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inner) = clients.get(&id).and_then(Weak::upgrade) {
            return Client(inner);
        }
        let client = Client::from_config().unwrap_or_else(|problem| {
            let nowhere = Arc::new(Nowhere(problem));
            Client::new(ClientConfig { network: nowhere.clone(), ..ClientConfig::default() }, nowhere)
        });
        clients.retain(|_, inner| inner.strong_count() > 0);
        clients.insert(id, Arc::downgrade(&client.0));
        drop(clients);
        if tokio::runtime::Handle::try_current().is_ok() {
            LAST.set(Some(client.clone()));
        } else {
            let last = client.clone();
            runtime.spawn(async { LAST.set(Some(last)) });
        }
        client
    }

    /// A client as the configuration wants it.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn from_config() -> Result<Client, ConfigError> {
        let config = Config::load()?;
        Ok(Client::new(config.client(), Arc::new(config.resolver())))
    }

    /// Makes this the client of the current runtime, for as long as it, or a proxy of it, lives.
    ///
    /// # Panics
    /// Outside of a tokio runtime, unless the feature `blocking` is on.
    pub fn install(&self) {
        let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
        clients.insert(runtime::expect().id(), Arc::downgrade(&self.0));
    }
}

/// Where everything is for a client whose configuration cannot be used: with half of what was said it might reach the wrong objects.
struct Nowhere(ConfigError);

impl Nowhere {
    fn refuse<T: Send>(&self) -> BoxFuture<'_, io::Result<T>> {
        Box::pin(async { Err(io::Error::new(io::ErrorKind::InvalidInput, self.0.to_string())) })
    }
}

impl Network for Nowhere {
    fn connect<'a>(&'a self, _: &'a Endpoint) -> BoxFuture<'a, io::Result<Stream>> {
        self.refuse()
    }

    fn listen<'a>(&'a self, _: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        self.refuse()
    }
}

impl Resolver for Nowhere {
    fn resolve<'a>(&'a self, _: &'a Client, uri: &'a Uri) -> BoxFuture<'a, Result<Uri, NotStarted>> {
        Box::pin(async { Err(NotStarted::Unresolved { name: uri.to_string(), problem: self.0.to_string() }) })
    }

    fn members<'a>(
        &'a self,
        client: &'a Client,
        uri: &'a Uri,
    ) -> BoxFuture<'a, Result<Vec<(String, Uri)>, NotStarted>> {
        Box::pin(async { self.resolve(client, uri).await.map(|_| Vec::new()) })
    }

    fn name_server<'a>(&'a self, _: &'a Client) -> BoxFuture<'a, Result<Uri, Vec<String>>> {
        Box::pin(async { Err(vec![self.0.to_string()]) })
    }
}

impl<A: Interface + ?Sized> Proxy<A> {
    /// Connects to the object at `uri`: `PYRO://…`, `PYRONAME://…` or `PYROLOC://…`.
    ///
    /// # Panics
    /// Outside of a tokio runtime, unless the feature `blocking` is on.
    pub fn connect(uri: impl IntoUri) -> Connect<Proxy<A>> {
        Proxy::connect_with(&Client::current(), uri)
    }
}

impl DynProxy {
    /// Connects to the object at `uri`.
    ///
    /// # Panics
    /// Outside of a tokio runtime, unless the feature `blocking` is on.
    pub fn connect(uri: impl IntoUri) -> Connect<DynProxy> {
        DynProxy::connect_with(&Client::current(), uri)
    }
}

impl<A: Interface + ?Sized> Group<A> {
    /// Connects to the objects in the group at `uri`, such as `PYRONAME://workers`.
    ///
    /// # Panics
    /// Outside of a tokio runtime, unless the feature `blocking` is on.
    pub fn connect(uri: impl IntoUri) -> ConnectGroup<A> {
        Group::connect_with(&Client::current(), uri)
    }
}

impl NameServer {
    /// The name server: the configured one, else the one that answers a broadcast, else the one on this machine, else the one whose URI
    /// stands in the configured file.
    ///
    /// # Errors
    /// There is none.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn locate() -> Result<NameServer, LocateError> {
        let client = Client::current();
        let found = client.0.resolver.name_server(&client).await;
        found.map(|uri| NameServer::with_uri(&client, uri)).map_err(|tried| LocateError { tried })
    }
}

/// A proxy that arrives opens nothing: it connects with its first call.
impl<'de, A: Interface + ?Sized> serde::Deserialize<'de> for Proxy<A> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let uri = Uri::deserialize(deserializer)?;
        if let Err(problem) = runtime::current() {
            let problem = format!("a proxy can be read only where it can call: {problem}");
            return Err(serde::de::Error::custom(problem));
        }
        Ok(Proxy::lazy_with(&Client::current(), uri))
    }
}
