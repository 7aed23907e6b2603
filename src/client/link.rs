//! From a proxy to its object: connects when it has to, and keeps the order of those who wait for that.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::client::behind;
use crate::client::binding::Binding;
use crate::client::client::Client;
use crate::client::ledger::Ledger;
use crate::object::interface::Method;
use crate::object::local::LocalObject;
use crate::object::outcome::NotStarted;
use crate::transport::network::BoxFuture;
use crate::uri::{Endpoint, Uri};
use crate::wire::CorrelationId;

/// What the clones of a proxy share.
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) uri: Uri,
    interface: &'static [Method],
    /// Each call keeps its turn until it has ended.
    strict: bool,
    place: Mutex<Place>,
    /// There was a binding.
    found: AtomicBool,
    /// Whoever needs a new binding stands in this queue; it is first come, first served.
    queue: Arc<tokio::sync::Mutex<()>>,
    /// How many stand in it; one more where every call has to.
    queued: AtomicUsize,
    /// The correlation id of a call is its number beyond this.
    correlations: u128,
    /// The latest call that was sent.
    sent: AtomicU64,
    /// What is known of the oneways.
    ledger: Mutex<Ledger>,
    /// One asks for them at a time.
    pub(crate) flushing: tokio::sync::Mutex<()>,
}

/// Where calls go.
#[derive(Default)]
struct Place {
    binding: Option<Arc<Binding>>,
    /// The daemon that was looked for last.
    endpoint: Option<Endpoint>,
    /// Calls that were made.
    made: u64,
}

impl Link {
    pub(crate) fn new(client: Client, uri: Uri, interface: &'static [Method]) -> Arc<Link> {
        Link::make(client, uri, interface, None, false)
    }

    /// The same way to the same object, for calls of which each waits for the end of the one before.
    pub(crate) fn strict(&self) -> Arc<Link> {
        Link::make(self.client.clone(), self.uri.clone(), self.interface, self.last(), true)
    }

    fn make(
        client: Client,
        uri: Uri,
        interface: &'static [Method],
        binding: Option<Arc<Binding>>,
        strict: bool,
    ) -> Arc<Link> {
        let correlations = client.correlations();
        Arc::new(Link {
            client,
            strict,
            correlations,
            uri,
            interface,
            found: AtomicBool::new(binding.is_some()),
            place: Mutex::new(Place { binding, endpoint: None, made: 0 }),
            queue: Arc::default(),
            queued: AtomicUsize::new(strict.into()),
            sent: AtomicU64::new(0),
            ledger: Mutex::default(),
            flushing: tokio::sync::Mutex::default(),
        })
    }

    /// A link to an object of this process.
    pub(crate) fn local(
        client: Client,
        uri: Uri,
        interface: &'static [Method],
        object: Arc<dyn LocalObject>,
    ) -> Arc<Link> {
        let binding = Arc::new(Binding::local(object, interface));
        Link::make(client, uri, interface, Some(binding), false)
    }

    /// A new call: its number, in the order in which calls are made, and the binding, if calls can start on it now and nobody who came
    /// earlier still waits for one.
    #[inline]
    pub(crate) fn call(&self) -> (u64, Option<Arc<Binding>>) {
        let mut place = self.place();
        place.made += 1;
        let free = self.queued.load(Ordering::Acquire) == 0;
        (place.made, if free { place.binding.clone() } else { None })
    }

    /// The number of a call that is made once more, as if it were made only now.
    pub(crate) fn number(&self) -> u64 {
        let mut place = self.place();
        place.made += 1;
        place.made
    }

    /// The correlation id of the call with this number.
    #[inline]
    pub(crate) fn correlation(&self, number: u64) -> CorrelationId {
        CorrelationId::numbered(self.correlations.wrapping_add(number.into()))
    }

    /// The call with this number was sent.
    #[inline]
    pub(crate) fn sent(&self, number: u64) {
        self.sent.fetch_max(number, Ordering::Relaxed);
    }

    /// Whether a call that was made after the one with this number was sent: then that one comes too late to be sent in order.
    pub(crate) fn is_overtaken(&self, number: u64) -> bool {
        self.sent.load(Ordering::Relaxed) > number
    }

    /// The call with this number was sent over `binding`, whose daemon did not take it since it is ending. Then it took none of those that
    /// were sent over it later either, and they do not count as sent.
    pub(crate) fn not_taken(&self, binding: &Arc<Binding>, number: u64) {
        let place = self.place();
        // Over another binding, later ones may have been sent in earnest.
        if place.binding.as_ref().is_none_or(|current| Arc::ptr_eq(current, binding)) {
            self.sent.fetch_min(number.saturating_sub(1), Ordering::Relaxed);
        }
    }

    /// The binding, usable or not.
    pub(crate) fn last(&self) -> Option<Arc<Binding>> {
        self.place().binding.clone()
    }

    /// Calls on `binding` find nobody any more; the next one asks anew where the object is.
    pub(crate) fn forget(&self, binding: &Arc<Binding>) {
        let mut place = self.place();
        if place.binding.as_ref().is_some_and(|current| Arc::ptr_eq(current, binding)) {
            place.binding = None;
        }
    }

    fn set(&self, binding: Option<Arc<Binding>>) {
        self.place().binding = binding;
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stands in the queue from this moment on. The turn that it resolves to keeps later callers waiting until it is dropped.
    pub(crate) fn queue(self: &Arc<Self>) -> Queued {
        self.queued.fetch_add(1, Ordering::AcqRel);
        let ticket = Ticket(Arc::clone(self));
        let mut lock: BoxFuture<'static, tokio::sync::OwnedMutexGuard<()>> =
            Box::pin(Arc::clone(&self.queue).lock_owned());
        // Asked once, it has its place in the queue, whenever it is asked again.
        let ready = match lock.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(guard) => Some(guard),
            Poll::Pending => None,
        };
        Queued { lock, ready, ticket: Some(ticket) }
    }

    /// A usable binding; call it with a [`Turn`] in hand.
    pub(crate) async fn bind(&self) -> Result<Arc<Binding>, NotStarted> {
        if let Some(binding) = self.last().filter(|binding| binding.is_open()) {
            return Ok(binding);
        }
        let (endpoint, target) = self.client.locate(&self.uri).await?;
        self.place().endpoint = Some(endpoint.clone());
        let inner = &self.client.0;
        let binding = match inner.config.local.find(&endpoint, &target) {
            Some(object) => {
                let object = object.of_session(inner.session).unwrap_or(Ok(object))?;
                Binding::local(object, self.interface)
            }
            None => {
                let (connection, table) = match behind::bind(&inner.config, &endpoint, &target).await? {
                    Some(bound) => bound,
                    None => inner.pool.bind(&inner.config, &inner.backoff, inner.session, &endpoint, &target).await?,
                };
                Binding::remote(connection, table, self.interface, self.label())
            }
        };
        let binding = Arc::new(binding);
        self.found.store(true, Ordering::Relaxed);
        self.set(Some(Arc::clone(&binding)));
        Ok(binding)
    }

    /// Why the daemon could not be reached when that was tried last.
    pub(crate) fn trouble(&self) -> Option<NotStarted> {
        let endpoint = self.place().endpoint.clone()?;
        self.client.0.pool.trouble(&endpoint)
    }

    /// What its caller calls the object.
    fn label(&self) -> String {
        match &self.uri {
            Uri::Name(uri) => uri.name.to_string(),
            Uri::Location(uri) => uri.name.to_string(),
            Uri::Object(_) | Uri::Meta(_) => self.uri.to_string(),
        }
    }

    /// Whether there was such an object.
    pub(crate) fn was_found(&self) -> bool {
        self.found.load(Ordering::Relaxed)
    }

    /// Whether each call waits for the end of the one before.
    pub(crate) fn is_strict(&self) -> bool {
        self.strict
    }

    /// Whether asking anew can find the object elsewhere.
    pub(crate) fn is_named(&self) -> bool {
        !matches!(self.uri, Uri::Object(_))
    }
}

/// A place in the queue of a [`Link`].
pub(crate) struct Queued {
    lock: BoxFuture<'static, tokio::sync::OwnedMutexGuard<()>>,
    ready: Option<tokio::sync::OwnedMutexGuard<()>>,
    ticket: Option<Ticket>,
}

/// The turn of one caller; those behind it wait until it is dropped.
pub(crate) struct Turn {
    // Dropped in this order: the lock passes on before the count says that nobody waits.
    _guard: tokio::sync::OwnedMutexGuard<()>,
    _ticket: Option<Ticket>,
}

struct Ticket(Arc<Link>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Future for Queued {
    type Output = Turn;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn> {
        let guard = match self.ready.take() {
            Some(guard) => guard,
            None => std::task::ready!(self.lock.as_mut().poll(cx)),
        };
        Poll::Ready(Turn { _guard: guard, _ticket: self.ticket.take() })
    }
}
