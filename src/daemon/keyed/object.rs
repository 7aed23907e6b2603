//! Keyed objects as their callers see them.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use crate::daemon::entry::Entry;
use crate::daemon::instances::Family;
use crate::daemon::keyed::Keyed;
use crate::object::ended::Ended;
use crate::object::interface::{Method, MethodFlags};
use crate::object::invocation::Invocation;
use crate::object::local::LocalObject;
use crate::object::outcome::NotStarted;
use crate::uri::ObjectId;
use crate::wire::Chain;

/// One object of many, active or not. Whoever holds this does not keep it active.
pub(crate) struct KeyedObject {
    keyed: Arc<Keyed>,
    object_id: ObjectId,
    id: Arc<str>,
}

impl KeyedObject {
    pub(super) fn new(keyed: Arc<Keyed>, object_id: ObjectId) -> KeyedObject {
        let id = Arc::from(object_id.as_str());
        KeyedObject { keyed, object_id, id }
    }

    pub(super) fn object_id(&self) -> &ObjectId {
        &self.object_id
    }

    /// What runs its calls, if it is active.
    pub(crate) fn entry(&self) -> Option<Arc<Entry>> {
        self.keyed.lock().find(&self.id).map(|active| Arc::clone(&active.entry))
    }
}

impl From<Arc<KeyedObject>> for Family {
    fn from(object: Arc<KeyedObject>) -> Family {
        Family::Key(object)
    }
}

impl LocalObject for Arc<KeyedObject> {
    fn id(&self) -> &Arc<str> {
        &self.id
    }

    fn label(&self) -> &Arc<str> {
        &self.id
    }

    fn methods(&self) -> &'static [Method] {
        self.keyed.common.methods()
    }

    fn capacity(&self) -> usize {
        self.keyed.common.capacity()
    }

    /// That it is passive is not its end.
    fn ended(&self) -> Receiver<Option<Ended>> {
        self.keyed.common.ended()
    }

    fn submit(&self, invocation: Invocation) {
        if let Some(why) = self.keyed.common.denies(&invocation) {
            return invocation.turn_away(why);
        }
        match self.keyed.called(&self.object_id) {
            Ok(coming) => coming.entry().push(invocation),
            Err(why) => invocation.turn_away(why),
        }
    }

    fn submit_all(&self, invocations: &mut VecDeque<Invocation>) {
        self.keyed.common.turn_away_strangers(invocations);
        if invocations.is_empty() {
            return;
        }
        match self.keyed.called(&self.object_id) {
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
impl LocalObject for Arc<Keyed> {
    fn id(&self) -> &Arc<str> {
        self.common.id()
    }

    fn label(&self) -> &Arc<str> {
        self.common.label()
    }

    fn methods(&self) -> &'static [Method] {
        self.common.methods()
    }

    fn capacity(&self) -> usize {
        self.common.capacity()
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

    fn submit_all(&self, invocations: &mut VecDeque<Invocation>) {
        invocations.drain(..).for_each(|invocation| self.submit(invocation));
    }

    fn waits_for(&self, _: &Chain, _: MethodFlags) -> Option<Vec<String>> {
        None
    }

    fn sweep(&self) -> Option<Instant> {
        None
    }
}
