//! Keyed objects as their callers see them.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use crate::daemon::entry::Entry;
use crate::daemon::keyed::Keyed;
use crate::object::ended::Ended;
use crate::object::interface::MethodFlags;
use crate::object::invocation::Invocation;
use crate::object::local::{LocalObject, Nameplate};
use crate::object::outcome::NotStarted;
use crate::wire::Chain;

/// One object of many, active or not. Whoever holds this does not keep it active.
pub(crate) struct KeyedObject {
    keyed: Arc<Keyed>,
    nameplate: Nameplate,
}

impl KeyedObject {
    pub(super) fn new(keyed: Arc<Keyed>, id: Arc<str>) -> KeyedObject {
        let nameplate = Nameplate { label: Arc::clone(&id), id, ..keyed.common.nameplate().clone() };
        KeyedObject { keyed, nameplate }
    }

    /// What runs its calls, if it is active.
    pub(crate) fn entry(&self) -> Option<Arc<Entry>> {
        self.keyed.lock().find(self.id()).map(|active| Arc::clone(&active.entry))
    }
}

impl LocalObject for KeyedObject {
    fn nameplate(&self) -> &Nameplate {
        &self.nameplate
    }

    /// That it is passive is not its end.
    fn ended(&self) -> Receiver<Option<Ended>> {
        self.keyed.common.ended()
    }

    fn submit(&self, invocation: Invocation) {
        if let Some(why) = self.keyed.common.denies(&invocation) {
            return invocation.turn_away(why);
        }
        match self.keyed.called(self.id()) {
            Ok(coming) => coming.entry().push(invocation),
            Err(why) => invocation.turn_away(why),
        }
    }

    fn submit_all(&self, invocations: &mut VecDeque<Invocation>) {
        self.keyed.common.turn_away_strangers(invocations);
        if invocations.is_empty() {
            return;
        }
        match self.keyed.called(self.id()) {
            Ok(coming) => coming.entry().push_all(invocations),
            Err(why) => invocations.drain(..).for_each(|invocation| invocation.turn_away(why.clone())),
        }
    }

    fn waits_for(&self, chain: &Chain, method: MethodFlags) -> Option<Vec<String>> {
        self.entry()?.waits_for(chain, method)
    }

    fn sweep(&self) -> Option<Instant> {
        Entry::sweep(&*self.entry()?, Instant::now())
    }
}

/// All of them: what callers find who do not say a key.
impl LocalObject for Keyed {
    fn nameplate(&self) -> &Nameplate {
        self.common.nameplate()
    }

    fn ended(&self) -> Receiver<Option<Ended>> {
        self.common.ended()
    }

    fn submit(&self, invocation: Invocation) {
        let label = self.common.label();
        let method = self.common.methods().get(invocation.method()).map_or("", |method| method.name);
        let problem = format!(
            "there are many {label}; say which one is meant by its key, as in `{label}.KEY` or `proxy.key(\"KEY\")`"
        );
        invocation.turn_away(NotStarted::Unsupported { method: method.to_owned(), problem });
    }
}
