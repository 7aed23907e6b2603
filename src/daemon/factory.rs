//! Objects that only those know who were given a reference to them.

use crate::client::proxy::Proxy;
use crate::daemon::daemon::Daemon;
use crate::daemon::remote_object::RemoteObject;
use crate::daemon::spawn::Spawn;
use crate::object::interface::Interface;
use crate::uri::{ObjectId, Uri};

impl Daemon {
    /// Hosts an object without a name, such as one that a method makes and returns: nobody finds it but by the proxy. It lives until it is
    /// [ended](Daemon::end), or the daemon ends.
    ///
    /// ```no_run
    /// # #[cfg(feature = "macros")] {
    /// # use pyroxene::{Daemon, remote};
    /// # #[derive(Default)] struct Account;
    /// # #[remote] impl Account { pub fn ping(&self) {} }
    /// struct Bank {
    ///     daemon: Daemon,
    /// }
    ///
    /// #[remote]
    /// impl Bank {
    ///     pub async fn open(&mut self) -> Option<AccountProxy> {
    ///         self.daemon.host(Account::default).spawn().await.ok().map(AccountProxy::from)
    ///     }
    /// }
    /// # }
    /// ```
    pub fn host<O: RemoteObject>(&self, factory: impl Fn() -> O + Send + 'static) -> Spawn<O> {
        Spawn::new(self.clone(), None, factory)
    }

    /// Ends the object that the proxy refers to, if it is one of this daemon: those who wait are told. Says whether there was one.
    ///
    /// ```no_run
    /// # #[cfg(feature = "macros")] {
    /// # use pyroxene::{Daemon, remote};
    /// # #[derive(Default)] struct Account;
    /// # #[remote] impl Account { pub fn ping(&self) {} }
    /// # async fn example(daemon: Daemon) -> Result<(), Box<dyn std::error::Error>> {
    /// let account = daemon.host(Account::default).spawn().await?;
    /// assert!(daemon.end(&account));
    /// # Ok(()) }
    /// # }
    /// ```
    pub fn end<A: Interface + ?Sized>(&self, proxy: &Proxy<A>) -> bool {
        match proxy.uri() {
            Uri::Object(uri) if uri.endpoint == *self.endpoint() => self.stop(uri.object.as_str()),
            // One that comes home under the address that was lent for it.
            Uri::Object(uri) => match ObjectId::relayed(uri.object.as_str()) {
                Some((_, own)) if ObjectId::is_generated(own) => self.stop(own),
                _ => false,
            },
            Uri::Location(uri) if uri.endpoint == *self.endpoint() => self.stop(uri.name.as_str()),
            _ => false,
        }
    }
}
