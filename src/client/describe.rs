//! Asking what is known of an object.

use std::sync::Arc;

use crate::client::binding::Binding;
use crate::client::dyn_proxy::DynProxy;
use crate::client::error::CallError;
use crate::client::link::Link;
use crate::client::proxy::Proxy;
use crate::object::description::{DAEMON_ID, Describe, Description, UnknownObject};
use crate::object::interface::{Any, Interface};
use crate::object::outcome::NotStarted;
use crate::uri::{ObjectId, Uri};

impl DynProxy {
    /// Asks the object's daemon what can be called: methods with their arguments and documentation, attributes, and what the object is doing.
    ///
    /// From then on, and until the proxy connects anew, arguments are compared with that before they are sent: a call that surely does not fit
    /// is [`WrongArguments`](NotStarted::WrongArguments) at once.
    ///
    /// ```no_run
    /// # use pyroxene::{DynProxy, args};
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let account = DynProxy::connect("PYRONAME://bank.alice").await?;
    /// for method in &account.describe().await?.methods {
    ///     println!("{}  {}", method.text, method.doc);
    ///     println!("{}", method.schemas().args);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The daemon cannot be asked; [`Raised`](CallError::Raised) if it does not know the object by itself, such as one that is called by way
    /// of it.
    pub async fn describe(&self) -> Result<Arc<Description>, CallError<UnknownObject>> {
        describe(&self.0).await
    }
}

impl<A: Interface + ?Sized> Proxy<A> {
    /// As [`DynProxy::describe`].
    ///
    /// # Errors
    /// The same.
    pub async fn describe(&self) -> Result<Arc<Description>, CallError<UnknownObject>> {
        describe(self.link()).await
    }
}

async fn describe(link: &Arc<Link>) -> Result<Arc<Description>, CallError<UnknownObject>> {
    let binding = bind(link).await.map_err(CallError::NotStarted)?;
    let daemon = daemon(link).await.map_err(CallError::NotStarted)?;
    let description = Arc::new(daemon.send(Describe { object: binding.object.to_string() }).await?);
    binding.describe(Arc::clone(&description));
    Ok(description)
}

/// A usable binding, in its turn.
pub(crate) async fn bind(link: &Arc<Link>) -> Result<Arc<Binding>, NotStarted> {
    let turn = link.queue().await;
    let binding = link.bind().await;
    drop(turn);
    binding
}

/// The object that tells about those of the daemon where this link ends.
pub(crate) async fn daemon(link: &Arc<Link>) -> Result<Proxy<Any>, NotStarted> {
    let (endpoint, _) = link.client.locate(&link.uri).await?;
    let id = ObjectId::new(DAEMON_ID).map_err(|error| NotStarted::BadUri { problem: error.to_string() })?;
    Ok(Proxy::lazy_with(&link.client, Uri::object(endpoint, id)))
}
