//! Entries as their callers see them.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::daemon::entry::Entry;
use crate::object::ended::Ended;
use crate::object::interface::MethodFlags;
use crate::object::invocation::Invocation;
use crate::object::local::{LocalObject, Nameplate};
use crate::wire::Chain;

impl LocalObject for Arc<Entry> {
    fn nameplate(&self) -> &Nameplate {
        Entry::nameplate(self)
    }

    fn submit(&self, invocation: Invocation) {
        self.push(invocation);
    }

    fn submit_all(&self, invocations: &mut VecDeque<Invocation>) {
        self.push_all(invocations);
    }

    fn ended(&self) -> watch::Receiver<Option<Ended>> {
        Entry::ended(self)
    }

    fn waits_for(&self, chain: &Chain, method: MethodFlags) -> Option<Vec<String>> {
        let runs = method.contains(MethodFlags::REENTRANT) && self.exclusive.is_open();
        if runs { None } else { self.exclusive.waits_for(chain) }
    }

    fn sweep(&self) -> Option<Instant> {
        Entry::sweep(self, Instant::now())
    }
}
