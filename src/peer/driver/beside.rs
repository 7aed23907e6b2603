//! What comes with a call of the peer beside its arguments: facts, a key, streams. Most calls have nothing of it.

use std::sync::Arc;
use std::time::Duration;

use crate::object::facts::Facts;
use crate::object::interface::MethodFlags;
use crate::object::invocation::Body;
use crate::object::outcome::NotStarted;
use crate::object::reply::ReplySink;
use crate::peer::connection::Shared;
use crate::peer::driver::{Driver, inlets, once};
use crate::peer::export::Export;
use crate::peer::session::{Session, Waiter};
use crate::wire::{AnnotationId, Annotations, Carried, Features, Flags, Header, Payload, SerializerId};

/// What came beside one call.
pub(super) struct Beside {
    pub(super) annotations: Annotations,
    facts: Option<Arc<Facts>>,
    streams: Option<Carried>,
    /// Why its streams cannot be taken; then nobody knows where the arguments begin.
    pub(super) problem: Option<NotStarted>,
}

/// Where the reply of a call goes.
pub(super) enum Sink {
    /// To its caller.
    Lane,
    /// Into the session, and from there to all who wait for it.
    Session(Arc<dyn ReplySink>),
    /// It runs already, or has: nothing is to be done.
    Joined,
}

impl Driver {
    /// Reads it, and takes it off the payload.
    #[inline(never)]
    pub(super) fn beside(
        &self,
        header: Header,
        annotations: &Annotations,
        mut payload: Payload,
    ) -> (Option<Box<Beside>>, Payload) {
        let facts = if annotations.is_empty() { None } else { Facts::received(annotations) };
        let (mut streams, mut problem) = (None, None);
        if header.flags.contains(Flags::ITEM_STREAM) && self.shared.features.contains(Features::INLETS) {
            match inlets::announced(&self.shared, payload.clone()) {
                Ok((announced, rest)) => (streams, payload) = (Some(announced), rest),
                Err(why) => problem = Some(why),
            }
        }
        (Some(Box::new(Beside { annotations: annotations.clone(), facts, streams, problem })), payload)
    }
}

impl Beside {
    /// Where the reply goes.
    ///
    /// # Errors
    /// Why the call is not taken.
    #[inline(never)]
    pub(super) fn sink(
        &self,
        export: &Export,
        session: Option<&Arc<Session>>,
        header: Header,
        method: (&'static str, MethodFlags),
    ) -> Result<Sink, NotStarted> {
        let oneway = header.flags.contains(Flags::ONEWAY);
        if let Some(facts) = &self.facts
            && !oneway
            && let Some(why) = facts.deadlock(&*export.object, method.1)
        {
            return Err(why);
        }
        let Some(key) = self.annotations.find(AnnotationId::ONCE) else { return Ok(Sink::Lane) };
        let waiter = Waiter { lane: Arc::clone(&export.lane), seq: header.seq, size: header.claimed() as u32 };
        let sink = once::admit(session, key, method, waiter, oneway)?;
        Ok(sink.map_or(Sink::Joined, Sink::Session))
    }

    /// The call is taken: its arguments, with the reading ends of its streams; the time it has; and its facts.
    #[inline(never)]
    pub(super) fn take(
        self,
        shared: &Arc<Shared>,
        body: Body,
        serializer: SerializerId,
        default: Duration,
    ) -> (Body, Duration, Option<Arc<Facts>>) {
        let body = match self.streams {
            None => body,
            Some(streams) => inlets::open(shared, body, streams, serializer),
        };
        let left = self.annotations.deadline_ms().map_or(default, |ms| Duration::from_millis(ms.into()));
        (body, left, self.facts)
    }
}
