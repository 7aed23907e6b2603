//! A name server, as its clients see it.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use crate::client::client::Client;
use crate::client::error::CallError;
use crate::client::proxy::Proxy;
use crate::naming::interface::NameServerInterface;
use crate::naming::name_server::{
    Carrying, Count, CreateGroup, DeleteGroup, Find, List, ListEntry, Listing, NAME_SERVER_ID, Ping, Register,
    Registered, Registration, Renew, Resolve, SetMetadata, Tree, Unregister, Withdraw,
};
use crate::naming::{Name, NamingError};
use crate::uri::{Endpoint, ObjectId, Uri, UriError};

/// How asking a name server fails.
pub type AskError = CallError<NamingError>;

/// A name server. Cheap to clone.
///
/// ```no_run
/// use pyroxene::NameServer;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let ns = NameServer::locate().await?;
/// for entry in ns.list(":bank").await? {
///     println!("{}", entry.name);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct NameServer {
    proxy: Proxy<NameServerInterface>,
}

impl NameServer {
    /// The name server at this address, asked with this client.
    ///
    /// # Errors
    /// The address cannot be written in a URI.
    pub fn at(client: &Client, endpoint: &Endpoint) -> Result<NameServer, UriError> {
        let uri = Uri::object(endpoint.clone(), ObjectId::new(NAME_SERVER_ID)?);
        Ok(NameServer::with_uri(client, uri))
    }

    /// The name server with this URI, asked with this client.
    pub fn with_uri(client: &Client, uri: Uri) -> NameServer {
        NameServer { proxy: Proxy::lazy_with(client, uri) }
    }

    /// Where it is.
    pub fn uri(&self) -> &Uri {
        self.proxy.uri()
    }

    /// Its proxy, for what this type has no method for.
    pub fn proxy(&self) -> &Proxy<NameServerInterface> {
        &self.proxy
    }

    /// Gives an object a name, when awaited.
    pub fn register(&self, name: &str, uri: &Uri) -> Registering {
        let register =
            Register { name: name.to_owned(), uri: uri.clone(), lease_ms: None, replace: false, metadata: Vec::new() };
        Registering { proxy: self.proxy.clone(), register }
    }

    /// Takes a name away.
    ///
    /// # Errors
    /// There is no such name, or it belongs to somebody else.
    pub async fn unregister(&self, name: &str) -> Result<(), AskError> {
        self.proxy.send(Unregister { name: name.to_owned(), generation: None }).await
    }

    /// Where the object with this name is.
    ///
    /// # Errors
    /// There is no such name.
    pub async fn resolve(&self, name: &str) -> Result<Uri, AskError> {
        Ok(self.lookup(name).await?.uri)
    }

    /// All that is known of a name.
    ///
    /// # Errors
    /// There is no such name.
    pub async fn lookup(&self, name: &str) -> Result<Registered, AskError> {
        self.proxy.send(Resolve { name: name.to_owned() }).await
    }

    /// What is in a group: its groups and its objects.
    ///
    /// # Errors
    /// There is no such group.
    pub async fn list(&self, group: &str) -> Result<Vec<ListEntry>, AskError> {
        self.pages(|after| self.proxy.send(List { group: group.to_owned(), after })).await
    }

    /// All names in a group and in its groups.
    ///
    /// # Errors
    /// There is no such group.
    pub async fn tree(&self, group: &str) -> Result<Vec<ListEntry>, AskError> {
        self.pages(|after| self.proxy.send(Tree { group: group.to_owned(), after })).await
    }

    /// The names that carry all of these tags.
    ///
    /// # Errors
    /// A tag is not one.
    pub async fn find_all<T: AsRef<str>>(&self, tags: impl IntoIterator<Item = T>) -> Result<Vec<ListEntry>, AskError> {
        self.find(tags, Carrying::All).await
    }

    /// The names that carry any of these tags.
    ///
    /// # Errors
    /// A tag is not one.
    pub async fn find_any<T: AsRef<str>>(&self, tags: impl IntoIterator<Item = T>) -> Result<Vec<ListEntry>, AskError> {
        self.find(tags, Carrying::Any).await
    }

    async fn find<T: AsRef<str>>(
        &self,
        tags: impl IntoIterator<Item = T>,
        carrying: Carrying,
    ) -> Result<Vec<ListEntry>, AskError> {
        let tags: Vec<String> = tags.into_iter().map(|tag| tag.as_ref().to_owned()).collect();
        self.pages(|after| self.proxy.send(Find { tags: tags.clone(), carrying, after })).await
    }

    /// Makes a group.
    ///
    /// # Errors
    /// There is one by that name.
    pub async fn create_group(&self, group: &str) -> Result<(), AskError> {
        self.proxy.send(CreateGroup { group: group.to_owned() }).await
    }

    /// Deletes a group; with `recursive`, all that is in it. Says how many names went with it.
    ///
    /// # Errors
    /// There is no such group, it is not empty, or something in it belongs to somebody else.
    pub async fn delete_group(&self, group: &str, recursive: bool) -> Result<u64, AskError> {
        self.proxy.send(DeleteGroup { group: group.to_owned(), recursive }).await
    }

    /// Replaces the tags of a name.
    ///
    /// # Errors
    /// There is no such name, or it belongs to somebody else.
    pub async fn set_metadata<T: AsRef<str>>(
        &self,
        name: &str,
        tags: impl IntoIterator<Item = T>,
    ) -> Result<(), AskError> {
        let metadata = tags.into_iter().map(|tag| tag.as_ref().to_owned()).collect();
        self.proxy.send(SetMetadata { name: name.to_owned(), metadata }).await
    }

    /// How many names there are.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn count(&self) -> Result<u64, AskError> {
        self.proxy.send(Count).await
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), AskError> {
        self.proxy.send(Ping).await
    }

    /// Renews the leases of all names of this client; says how many.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn renew(&self) -> Result<u64, AskError> {
        self.proxy.send(Renew).await
    }

    /// Takes all names of this client away; says how many.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn withdraw(&self) -> Result<u64, AskError> {
        self.proxy.send(Withdraw).await
    }

    async fn pages<F>(&self, page: impl Fn(Option<Name>) -> F) -> Result<Vec<ListEntry>, AskError>
    where
        F: Future<Output = Result<Listing, AskError>>,
    {
        let mut entries: Vec<ListEntry> = Vec::new();
        loop {
            let listing = page(entries.last().map(|entry| entry.name.clone())).await?;
            let more = listing.more && !listing.entries.is_empty();
            entries.extend(listing.entries);
            if !more {
                return Ok(entries);
            }
        }
    }
}

/// A name about to be registered; done when awaited.
#[must_use = "the name is registered when this is awaited"]
pub struct Registering {
    proxy: Proxy<NameServerInterface>,
    register: Register,
}

impl Registering {
    /// The name goes away by itself unless it is renewed within so many seconds.
    pub fn lease_secs(mut self, secs: u32) -> Registering {
        self.register.lease_ms = Some(secs.saturating_mul(1000));
        self
    }

    /// Tags by which the name can be found.
    pub fn metadata<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Registering {
        self.register.metadata = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Whether a registration of one's own with another URI gives way.
    pub fn replace(mut self, replace: bool) -> Registering {
        self.register.replace = replace;
        self
    }
}

impl IntoFuture for Registering {
    type Output = Result<Registration, AskError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.proxy.send(self.register).await })
    }
}
