//! The call that ends with a reference: a call like any other, but that its peer is told what will come.

use std::sync::Arc;

use crate::client::binding::{Binding, Choice, Route};
use crate::client::call::{LocalCall, Typed};
use crate::client::request::{Queue, Request, Terms};
use crate::codec::budget::Budget;
use crate::codec::fault::Fault;
use crate::object::items::Incoming;
use crate::object::local::LocalObject;
use crate::object::message::RemoteMessage;
use crate::object::outcome::NotStarted;
use crate::peer::in_flight::Answer;
use crate::wire::{Features, MessageType, Pipeline, SerializerId};

pub(crate) struct Promised<M> {
    typed: Typed<M>,
    /// The peer makes calls on what this one will end with.
    spoken: bool,
}

impl<M> Promised<M> {
    pub(crate) fn new(typed: Typed<M>) -> Promised<M> {
        Promised { typed, spoken: false }
    }

    pub(crate) fn is_spoken(&self) -> bool {
        self.spoken
    }
}

impl<M: RemoteMessage> Request for Promised<M> {
    type Value = M::Reply;
    type Raised = M::Error;
    type Local = LocalCall<M>;

    fn kind(&self) -> MessageType {
        if self.spoken { MessageType::Pipeline } else { MessageType::Invoke }
    }

    fn prepare(&mut self, binding: &Binding) {
        self.typed.prepare(binding);
        self.spoken = match &binding.route {
            Route::Remote(connection, _) => connection.shared().features.contains(Features::PIPELINES),
            Route::Local(_) => false,
        };
    }

    fn method(&self) -> &str {
        self.typed.method()
    }

    fn choose(&self, binding: &Binding) -> Result<Choice, NotStarted> {
        self.typed.choose(binding)
    }

    fn serializer(&self, choice: Choice) -> SerializerId {
        self.typed.serializer(choice)
    }

    fn write_message(&self, choice: Choice, object: &str, out: &mut Vec<u8>) -> Result<(), String> {
        self.typed.write_message(choice, object, out)
    }

    fn write(&self, choice: Choice, handle: u32, object: &str, out: &mut Vec<u8>) -> Result<(), String> {
        if self.spoken {
            Pipeline::Promise.encode(out);
        }
        self.typed.write(choice, handle, object, out)
    }

    fn other_signature(&self, binding: &Binding) -> Option<String> {
        self.typed.other_signature(binding)
    }

    fn read(&self, answer: &mut Answer, binding: &Binding, budget: &Budget) -> Result<M::Reply, String> {
        self.typed.read(answer, binding, budget)
    }

    fn open(_: Box<dyn Incoming>) -> Option<M::Reply> {
        None
    }

    fn raised(fault: &Fault, budget: &Budget) -> Option<M::Error> {
        Typed::<M>::raised(fault, budget)
    }

    fn submit(
        self,
        choice: Choice,
        object: &Arc<dyn LocalObject>,
        call: Terms,
        queue: &mut impl Queue,
    ) -> LocalCall<M> {
        self.typed.submit(choice, object, call, queue)
    }

    fn take_back(outcome: &mut LocalCall<M>) -> Option<Promised<M>> {
        Typed::take_back(outcome).map(Promised::new)
    }

    fn submitted(local: &LocalCall<M>) -> &str {
        Typed::submitted(local)
    }

    fn tell(self, choice: Choice, object: &Arc<dyn LocalObject>, call: Terms, queue: &mut impl Queue) {
        self.typed.tell(choice, object, call, queue);
    }
}
