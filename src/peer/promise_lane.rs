//! The way back for the reply of a call that ends with a reference: the calls that wait for it go on first.

use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::codec;
use crate::codec::budget::Budget;
use crate::codec::fault::Fault;
use crate::object::context::Caller;
use crate::object::interface::MethodFlags;
use crate::object::invocation::{Body, Invocation, nearest};
use crate::object::items::producer::ItemSink;
use crate::object::local::{LocalDaemon, LocalObject};
use crate::object::outcome::{Failure, NotStarted};
use crate::object::reply::{Reply, ReplySink};
use crate::peer::connection::Shared;
use crate::peer::lane::Lane;
use crate::peer::promises::{Outcome, Waiting};
use crate::uri::Uri;
use crate::wire::{Flags, HEADER_LEN, Header, SerializerId, Target};

/// A [`Lane`] for the reply of one such call.
pub(crate) struct PromiseLane {
    pub(crate) shared: Arc<Shared>,
    pub(crate) lane: Arc<Lane>,
    pub(crate) daemon: Weak<dyn LocalDaemon>,
}

impl PromiseLane {
    /// The object that the reply refers to, if it is one of this daemon.
    fn referred(&self, reply: &[u8]) -> Result<Arc<dyn LocalObject>, Outcome> {
        let Ok(Some(header)) = Header::decode(reply) else {
            return Err(Outcome::Broken("it has no reply".to_owned()));
        };
        let payload = reply.get(HEADER_LEN + header.annotations_len as usize..).unwrap_or_default();
        let (serializer, budget) = (header.serializer, Budget::default());
        if header.flags.contains(Flags::EXCEPTION) {
            let fault = Fault::decode(serializer, payload, &budget);
            return Err(Outcome::Broken(fault.map_or_else(|error| error.to_string(), |fault| fault.message)));
        }
        let uri = codec::decode::<String>(serializer, payload, &budget).ok().and_then(|text| text.parse().ok());
        let (endpoint, target) = match uri {
            Some(Uri::Object(uri)) => (uri.endpoint, Target::Id(uri.object.to_string())),
            Some(Uri::Location(uri)) => (uri.endpoint, Target::Name(uri.name.to_string())),
            _ => return Err(Outcome::Elsewhere),
        };
        let daemon = self.daemon.upgrade().filter(|daemon| daemon.is_at(&endpoint));
        let object = daemon.and_then(|daemon| daemon.find(&target));
        // Nobody would keep a session's instance here; its caller makes the calls when it has the reference.
        object.filter(|object| !object.is_per_session()).ok_or(Outcome::Elsewhere)
    }
}

impl ReplySink for PromiseLane {
    fn answer(&self, seq: u16, size: u32, write: &mut dyn FnMut(&mut Vec<u8>, u32)) {
        let mut reply = Vec::new();
        self.lane.write(write, &mut reply);
        let referred = self.referred(&reply);
        let outcome = match &referred {
            Ok(object) => Outcome::Kept(object.id().to_string()),
            Err(outcome) => outcome.clone(),
        };
        // Under the lock, so that no call that comes now overtakes those that have waited; and before the reply leaves, so that none does that
        // is made when it has arrived.
        let mut promises = self.shared.promises();
        let waiting = promises.end(seq, outcome);
        match referred {
            Ok(object) => {
                let lane = Lane::new(Arc::clone(&self.shared), Arc::clone(object.label()), object.methods());
                let lane: Arc<dyn ReplySink> = Arc::new(lane);
                for Waiting { call, deadline, mut reply, facts } in waiting {
                    reply.sink = Arc::clone(&lane);
                    match method(&*object, &call.method) {
                        Ok(method) => {
                            reply.method = method;
                            let body = Body::Arguments(Box::new(call.args));
                            object.submit(Invocation::new(method, body, deadline, Reply::wire(reply, facts)));
                        }
                        Err(why) => Reply::wire(reply, facts).fail(Failure::NotStarted(why)),
                    }
                }
            }
            Err(outcome) => {
                let why = refusal(outcome);
                let failed =
                    |waiting: Waiting| Reply::wire(waiting.reply, waiting.facts).fail(Failure::NotStarted(why.clone()));
                waiting.into_iter().for_each(failed);
            }
        }
        drop(promises);
        self.lane.answer(seq, size, &mut |out, _| out.extend_from_slice(&reply));
    }

    fn started(&self, seq: u16) -> bool {
        self.lane.started(seq)
    }

    fn withdrawn(&self) {
        self.lane.withdrawn();
    }

    fn is_given_up(&self, seq: u16) -> bool {
        self.lane.is_given_up(seq)
    }

    fn watch(&self, seq: u16, waker: &Waker) {
        self.lane.watch(seq, waker);
    }

    fn unwatch(&self, seq: u16) {
        self.lane.unwatch(seq);
    }

    fn open_stream(&self, method: u32, serializer: SerializerId) -> Result<Arc<dyn ItemSink>, String> {
        self.lane.open_stream(method, serializer)
    }

    fn budget(&self) -> Budget {
        self.lane.budget()
    }

    fn caller(&self) -> &Arc<Caller> {
        self.lane.caller()
    }

    fn object(&self) -> &str {
        self.lane.object()
    }

    fn method(&self, index: u32) -> &'static str {
        self.lane.method(index)
    }
}

/// Why a call on a promise that is over is not made here.
pub(crate) fn refusal(outcome: Outcome) -> NotStarted {
    match outcome {
        Outcome::Broken(problem) => NotStarted::DependencyFailed { problem },
        Outcome::Kept(_) | Outcome::Elsewhere => NotStarted::Elsewhere,
    }
}

/// The place of a method with one reply.
pub(crate) fn method(object: &dyn LocalObject, name: &str) -> Result<u32, NotStarted> {
    let methods = object.methods();
    match methods.iter().position(|method| method.name == name) {
        Some(at) if methods[at].flags.contains(MethodFlags::STREAM) => Err(NotStarted::Unsupported {
            method: name.to_owned(),
            problem: "its reply is a stream of items; call it when the reference has arrived".to_owned(),
        }),
        Some(at) => Ok(at as u32),
        None => Err(NotStarted::NoSuchMethod {
            object: object.label().to_string(),
            method: name.to_owned(),
            nearest: nearest(name, methods.iter().map(|method| method.name)),
        }),
    }
}
