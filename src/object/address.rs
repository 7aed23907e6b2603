//! How the objects of a daemon that does not listen are written into a message: by the address that the peer has lent for them.
//!
//! A message is encoded without knowing where it goes. So while a connection writes, it says on this thread what address it has; but only
//! in a process that has such a daemon at all.

use std::any::Any;
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crate::object::local::LocalDaemon;
use crate::uri::{Endpoint, ObjectId, Uri};

/// Where others call the objects of this process that are behind one connection: a daemon that passes the calls on.
pub(crate) struct Address {
    /// The daemon.
    pub(crate) endpoint: Endpoint,
    /// The number by which it knows this client.
    pub(crate) relay: u128,
    /// Whose objects these are.
    objects: Weak<dyn LocalDaemon>,
    /// A message has referred to an object by it.
    used: AtomicBool,
    /// The connection is kept open.
    kept: AtomicBool,
}

impl Address {
    pub(crate) fn new(endpoint: Endpoint, relay: u128, objects: Weak<dyn LocalDaemon>) -> Address {
        Address { endpoint, relay, objects, used: AtomicBool::new(false), kept: AtomicBool::new(false) }
    }

    /// Whether a message has referred to an object by it.
    pub(crate) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Once it is in use, those whose objects these are keep the connection.
    pub(crate) fn keep(&self, connection: impl FnOnce() -> Box<dyn Any + Send>) {
        if self.is_used()
            && !self.kept.swap(true, Ordering::Relaxed)
            && let Some(objects) = self.objects.upgrade()
        {
            objects.keep(connection());
        }
    }
}

/// There was a daemon that does not listen. It is looked at before each message, and set at most once.
static NEEDED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// What a message on this thread is written for; `None` when none is.
    static WRITING: RefCell<Option<Option<Arc<Address>>>> = const { RefCell::new(None) };
}

/// From now on messages may refer to objects that have no address of their own.
#[cfg(feature = "daemon")]
pub(crate) fn need() {
    NEEDED.store(true, Ordering::Relaxed);
}

/// Whether messages may refer to such objects.
#[inline]
pub(crate) fn is_needed() -> bool {
    NEEDED.load(Ordering::Relaxed)
}

/// Runs `write`, which writes a message for the peer that has lent this address, if it has.
#[inline]
pub(crate) fn within<R>(address: Option<&Arc<Address>>, write: impl FnOnce() -> R) -> R {
    if is_needed() { scoped(address.cloned(), write) } else { write() }
}

#[cold]
fn scoped<R>(address: Option<Arc<Address>>, write: impl FnOnce() -> R) -> R {
    let _before = Before(WRITING.replace(Some(address)));
    write()
}

/// A message that panics leaves nothing behind.
struct Before(Option<Option<Arc<Address>>>);

impl Drop for Before {
    fn drop(&mut self) {
        WRITING.set(self.0.take());
    }
}

/// The URI under which whoever reads what is being written finds the object at `uri`. Outside of messages it is the URI itself.
///
/// # Errors
/// Nobody else can find it.
pub(crate) fn spell(uri: &Uri) -> Result<Cow<'_, Uri>, String> {
    let Uri::Object(object) = uri else { return Ok(Cow::Borrowed(uri)) };
    if !matches!(object.endpoint, Endpoint::Unbound(_)) {
        return Ok(Cow::Borrowed(uri));
    }
    match WRITING.with_borrow(Clone::clone) {
        None => Ok(Cow::Borrowed(uri)),
        Some(None) => Err(format!(
            "{uri} is in a daemon that does not listen, and the other end cannot call back over this connection; bring it up to date, or bind \
             the daemon to an address"
        )),
        Some(Some(address)) => {
            address.used.store(true, Ordering::Relaxed);
            let id = ObjectId::via(address.relay, &object.object).map_err(|error| error.to_string())?;
            Ok(Cow::Owned(Uri::object(address.endpoint.clone(), id)))
        }
    }
}

#[cfg(all(test, feature = "daemon"))]
mod tests {
    use super::*;

    fn lent() -> Arc<Address> {
        Arc::new(Address::new(
            Endpoint::tcp("bank", 7766).expect("an address"),
            7,
            crate::object::local::LocalDaemons::default().unbound(),
        ))
    }

    #[test]
    fn an_object_without_an_address_is_written_with_the_one_that_was_lent() {
        need();
        let uri: Uri = "PYRO://~00000000000000ff/listener".parse().unwrap();
        let address = lent();
        address.keep(|| panic!("no message has referred to it"));
        let written = within(Some(&address), || spell(&uri).unwrap().to_string());
        assert!(address.used.load(Ordering::Relaxed));
        assert_eq!(written, "PYRO://bank:7766/via_00000000000000000000000000000007~listener");
        assert_eq!(ObjectId::relayed("via_00000000000000000000000000000007~listener"), Some((7, "listener")));
        assert_eq!(spell(&uri).unwrap().as_ref(), &uri, "no message is written");
    }

    #[test]
    fn it_cannot_be_sent_to_whoever_cannot_call_back() {
        need();
        let uri: Uri = "PYRO://~00000000000000ff/listener".parse().unwrap();
        let problem = within(None, || spell(&uri).map(|_| ()).unwrap_err());
        assert!(problem.contains("does not listen") && problem.contains("bring it up to date"), "{problem}");
        let _ = std::panic::catch_unwind(|| within(None, || panic!("a message")));
        assert!(spell(&uri).is_ok(), "a panic leaves nothing behind");
    }

    #[test]
    fn every_other_object_is_written_as_it_is() {
        need();
        let uri: Uri = "PYRO://bank:7766/alice".parse().unwrap();
        assert_eq!(within(Some(&lent()), || spell(&uri).unwrap().into_owned()), uri);
    }
}
