//! Calls of the peer that end with a reference, and calls on such references before they have arrived.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::codec::call::NamedCall;
use crate::object::facts::Facts;
use crate::object::interface::MethodFlags;
use crate::object::invocation::{Body, Invocation};
use crate::object::outcome::{Failure, NotStarted};
use crate::object::reply::{Reply, ReplySink, WireReply};
use crate::peer::driver::{Driver, broken};
use crate::peer::lane::Lane;
use crate::peer::promise_lane::{PromiseLane, method, refusal};
use crate::peer::promises::{Outcome, Parked, Waiting};
use crate::wire::{Flags, Frame, Payload, Pipeline, SerializerId, Target};

impl Driver {
    pub(super) fn pipeline(&mut self, frame: &Frame) -> io::Result<()> {
        let header = frame.header;
        let (kind, call) = Pipeline::decode(&frame.payload).map_err(|problem| broken(&problem.to_string()))?;
        let call = frame.payload.slice_ref(call);
        let oneway = header.flags.contains(Flags::ONEWAY);
        self.admitted += 1;
        self.admitted_bytes += u64::from(header.payload_len);
        if self.cancelled > 0 && !oneway {
            self.shared.given_up.remove(header.seq);
        }
        let reply = WireReply {
            sink: Arc::clone(&self.root) as Arc<dyn ReplySink>,
            seq: header.seq,
            serializer: header.serializer,
            correlation: header.correlation,
            oneway,
            size: header.payload_len,
            method: 0,
        };
        let left = frame.annotations.deadline_ms().map_or(self.default_deadline, |ms| Duration::from_millis(ms.into()));
        let deadline = Instant::now() + left;
        let facts = if frame.annotations.is_empty() { None } else { Facts::received(&frame.annotations) };
        match kind {
            Pipeline::Promise => self.promise(call, reply, facts, deadline),
            Pipeline::On(seq) => self.on_promise(seq, &call, reply, facts, deadline),
        }
        Ok(())
    }

    /// A call that ends with a reference. However it ends, those who wait for the reference hear of it.
    fn promise(&mut self, call: Payload, mut reply: WireReply, facts: Option<Arc<Facts>>, deadline: Instant) {
        self.shared.promises().begin(reply.seq);
        let sink = |driver: &Driver, lane: &Arc<Lane>| -> Arc<dyn ReplySink> {
            let (shared, lane, daemon) = (Arc::clone(&driver.shared), Arc::clone(lane), driver.exports.daemon());
            Arc::new(PromiseLane { shared, lane, daemon })
        };
        reply.sink = sink(self, &self.root);
        let unwelcome = self.unwelcome();
        let opened = unwelcome.map_or(Ok(()), Err).and_then(|()| self.open_call(reply.serializer, call));
        let taken = opened.and_then(|(handle, method, body)| {
            let no_object = || NotStarted::NoSuchObject { object: format!("handle {handle}") };
            let export = self.exports.at(handle).ok_or_else(no_object)?;
            if export.methods.get(method as usize).is_none() {
                let object = export.object.label().to_string();
                return Err(NotStarted::NoSuchMethod { object, method: format!("number {method}"), nearest: None });
            }
            if let Some(why) = facts.as_ref().and_then(|facts| facts.deadlock(&*export.object, MethodFlags::NONE)) {
                return Err(why);
            }
            export.admit(1)?;
            Ok((handle, method, body, Arc::clone(&export.lane)))
        });
        match taken {
            Ok((handle, method, body, lane)) => {
                reply.sink = sink(self, &lane);
                reply.method = method;
                self.arrive(handle, Invocation::new(method, body, deadline, Reply::wire(reply, facts)));
            }
            Err(why) => Reply::wire(reply, facts).fail(Failure::NotStarted(why)),
        }
    }

    /// A call of the object that the call `seq` ends with.
    fn on_promise(&mut self, seq: u16, call: &[u8], reply: WireReply, facts: Option<Arc<Facts>>, deadline: Instant) {
        let unwelcome = self.unwelcome();
        let read = || {
            let budget = self.shared.budget();
            NamedCall::decode(SerializerId::MESSAGE_PACK, call, &budget).map_err(|problem| NotStarted::WrongArguments {
                object: String::new(),
                method: String::new(),
                problem: format!("the call cannot be decoded: {problem}"),
                signature: "(object, method, arguments, named arguments)".to_owned(),
                caller: None,
            })
        };
        let call = match unwelcome.map_or_else(read, Err) {
            Ok(call) => call,
            Err(why) => return Reply::wire(reply, facts).fail(Failure::NotStarted(why)),
        };
        let parked = self.shared.promises().park(seq, Waiting { call, deadline, reply, facts });
        let (waiting, why) = match parked {
            Parked::Waits => return,
            Parked::Full(waiting) => {
                let what = "the number of calls that wait for references on this connection".to_owned();
                (waiting, NotStarted::Busy { what, retry_after_ms: 10 })
            }
            Parked::Over(waiting, Outcome::Kept(id)) => return self.on_object(id, waiting),
            Parked::Over(waiting, outcome) => (waiting, refusal(outcome)),
        };
        Reply::wire(waiting.reply, waiting.facts).fail(Failure::NotStarted(why));
    }

    /// The reference is known by now, though not yet to the peer.
    fn on_object(&mut self, id: String, waiting: Waiting) {
        let Waiting { call, deadline, mut reply, facts } = waiting;
        let taken = self.exports.bind(&Target::Id(id), &self.shared).and_then(|handle| {
            let export = self.exports.at(handle).ok_or(NotStarted::Elsewhere)?;
            let method = method(&*export.object, &call.method)?;
            if let Some(why) = facts.as_ref().and_then(|facts| facts.deadlock(&*export.object, MethodFlags::NONE)) {
                return Err(why);
            }
            export.admit(1)?;
            Ok((handle, method, Arc::clone(&export.lane)))
        });
        match taken {
            Ok((handle, method, lane)) => {
                (reply.sink, reply.method) = (lane, method);
                let body = Body::Arguments(Box::new(call.args));
                self.arrive(handle, Invocation::new(method, body, deadline, Reply::wire(reply, facts)));
            }
            Err(why) => Reply::wire(reply, facts).fail(Failure::NotStarted(why)),
        }
    }

    fn arrive(&mut self, handle: usize, invocation: Invocation) {
        self.expiry.add(invocation.deadline);
        if handle != self.arrived_for {
            self.deliver();
            self.arrived_for = handle;
        }
        self.arrived.push_back(invocation);
    }
}
