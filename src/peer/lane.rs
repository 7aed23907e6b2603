//! The way back for the replies of one object on one connection.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::codec::budget::Budget;
use crate::object::address;
use crate::object::context::Caller;
use crate::object::interface::Method;
use crate::object::items::producer::ItemSink;
use crate::object::oneways::OnewayEnd;
use crate::object::reply::ReplySink;
use crate::peer::accounts::{Accounts, Overflown, Settled};
use crate::peer::bulk::Order;
use crate::peer::connection::{Shared, wake};
use crate::peer::control;
use crate::peer::items::Outlet;
use crate::wire::{Flushed, MessageType, SerializerId};

/// Where replies of one object go, and how many calls of this connection have left that object's queue.
pub(crate) struct Lane {
    shared: Arc<Shared>,
    object: Arc<str>,
    methods: &'static [Method],
    left: AtomicU32,
    /// Calls that were taken out of the queue; counted apart, because any thread may do that.
    withdrawn: AtomicU32,
    /// Oneways whose caller may ask for them.
    accounts: Mutex<Accounts>,
}

impl Lane {
    pub(crate) fn new(shared: Arc<Shared>, object: Arc<str>, methods: &'static [Method]) -> Lane {
        Lane {
            shared,
            object,
            methods,
            left: AtomicU32::new(0),
            withdrawn: AtomicU32::new(0),
            accounts: Mutex::default(),
        }
    }

    /// The largest frame that the peer accepts, bytes.
    pub(crate) fn max_message(&self) -> u32 {
        self.shared.peer_limits.max_message
    }

    /// A oneway of this account has come.
    pub(crate) fn told(&self, account: u16) {
        self.accounts().came(account);
    }

    /// The call `seq` asks what has become of the oneways of this account, and is answered once they have ended.
    ///
    /// # Errors
    /// Some were not counted.
    pub(crate) fn flush(&self, account: u16, seq: u16) -> Result<(), Overflown> {
        let settled = self.accounts().flush(account, seq)?;
        self.settle(settled);
        Ok(())
    }

    fn settle(&self, settled: Option<Settled>) {
        let Some(Settled { flushes, account }) = settled else { return };
        let flushed = Flushed { executed: account.executed, failed: account.failed };
        for seq in flushes {
            self.shared.append(|out| control::write(out, MessageType::Flushed, seq, |out| flushed.encode(out)));
        }
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes an answer for the peer to `out`.
    #[inline]
    pub(crate) fn write(&self, write: &mut dyn FnMut(&mut Vec<u8>, u32), out: &mut Vec<u8>) {
        address::within(self.shared.address.get(), || write(out, self.max_message()));
    }

    /// Calls that have left the queue, modulo 2^32.
    pub(crate) fn left(&self) -> u32 {
        self.left.load(Ordering::Relaxed).wrapping_add(self.withdrawn.load(Ordering::Relaxed))
    }
}

impl ReplySink for Lane {
    fn answer(&self, _: u16, size: u32, write: &mut dyn FnMut(&mut Vec<u8>, u32)) {
        let mut state = self.shared.lock();
        state.answered += 1;
        state.answered_bytes += u64::from(size);
        if state.closed.is_none() {
            let start = state.out.len();
            let ((), parts) = self.shared.collect(&mut state.out, |out| self.write(write, out));
            // Only calls are ever refused.
            let _ = self.shared.set_apart(&mut state, start, parts, Order::Free, None);
        }
        wake(state);
    }

    fn started(&self, seq: u16) -> bool {
        // Only the one thread that runs the object counts, so no two do at a time.
        self.left.store(self.left.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        self.shared.given_up.contains(seq)
    }

    fn withdrawn(&self) {
        self.withdrawn.fetch_add(1, Ordering::Relaxed);
    }

    #[inline]
    fn is_given_up(&self, seq: u16) -> bool {
        self.shared.given_up.contains(seq)
    }

    fn ended(&self, account: u16, end: OnewayEnd) {
        let settled = self.accounts().ended(account, end);
        self.settle(settled);
    }

    fn watch(&self, seq: u16, waker: &Waker) {
        let mut state = self.shared.lock();
        match state.watching.get_mut(&seq) {
            Some(known) => known.clone_from(waker),
            None => drop(state.watching.insert(seq, waker.clone())),
        }
    }

    fn unwatch(&self, seq: u16) {
        self.shared.lock().watching.remove(&seq);
    }

    fn open_stream(&self, method: u32, serializer: SerializerId) -> Result<Arc<dyn ItemSink>, String> {
        let outlet = Outlet::open(&self.shared, &self.object, self.method(method), serializer)?;
        Ok(Arc::new(outlet))
    }

    fn budget(&self) -> Budget {
        self.shared.budget()
    }

    fn caller(&self) -> &Arc<Caller> {
        &self.shared.caller
    }

    fn object(&self) -> &str {
        &self.object
    }

    fn method(&self, index: u32) -> &'static str {
        self.methods.get(index as usize).map_or("", |method| method.name)
    }
}
