//! A batch as one request.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::client::batch::calls::{CallList, End, IntoSlot, Visit};
use crate::client::batch::join::{Join, Slot, Under};
use crate::client::batch::spawn;
use crate::client::binding::{Binding, Choice, Route};
use crate::client::error::CallError;
use crate::client::exchange::end::{fault_of, unreadable, value_of};
use crate::client::exchange::{Ended, Exchange};
use crate::client::link::Link;
use crate::client::request::{Queue, Request, Terms};
use crate::codec::budget::Budget;
use crate::codec::fault::{Detail, Fault};
use crate::object::first_fault::FirstFault;
use crate::object::interface::MethodFlags;
use crate::object::invocation::Invocation;
use crate::object::items::Incoming;
use crate::object::local::LocalObject;
use crate::object::local_caller::Place;
use crate::object::message::Never;
use crate::object::outcome::{NotStarted, UNWRITABLE, Unknown};
use crate::peer::in_flight::Answer;
use crate::peer::passages::is_passage;
use crate::wire::batch::SizedParts;
use crate::wire::{BatchHead, BatchedCall, BatchedResult, Features, Flags, MessageType, SerializerId};

/// What it is called where a method is named.
const NAME: &str = "a batch";

/// All calls of a batch, and what is known of each on the binding that it is sent by.
pub(crate) struct Together<C> {
    link: Arc<Link>,
    calls: Option<C>,
    stop_at_fault: bool,
    /// A call of another proxy is among them.
    strange: bool,
    choices: Vec<Result<Choice, Box<NotStarted>>>,
    /// Why nothing of it can be sent.
    problem: Option<NotStarted>,
    /// The peer speaks no batches, or not for this object.
    unspoken: bool,
}

impl<C: CallList> Together<C> {
    pub(crate) fn new(link: Arc<Link>, calls: C, stop_at_fault: bool, strange: bool) -> Together<C> {
        let choices = Vec::with_capacity(calls.count());
        Together { link, calls: Some(calls), stop_at_fault, strange, choices, problem: None, unspoken: false }
    }

    /// What a batch without calls ends with.
    pub(crate) fn nothing(&self) -> Option<C::Outcomes> {
        let calls = self.calls.as_ref().filter(|calls| calls.count() == 0)?;
        Some(calls.end(&mut Failing { choices: &[], at: 0, error: &CallError::NotStarted(NotStarted::Skipped) }))
    }

    /// What its calls end with when all of it ended so.
    pub(crate) fn failed(&self, error: &CallError) -> Option<C::Outcomes> {
        Some(self.calls.as_ref()?.end(&mut Failing { choices: &self.choices, at: 0, error }))
    }

    /// The calls one by one, if that is what the peer speaks.
    pub(crate) fn singly(&mut self, link: &Arc<Link>, deadline: Instant) -> Option<Join<C>> {
        let calls = if self.unspoken { self.calls.take() } else { None }?;
        let slots = calls.into_slots(&mut Alone(link));
        Some(Join { slots, deadline, time_ms: 0, one_by_one: self.stop_at_fault })
    }
}

impl<C: CallList> Unpin for Together<C> {}

impl<C: CallList> Request for Together<C> {
    type Value = C::Outcomes;
    type Raised = Never;
    type Local = LocalBatch<C>;

    fn kind(&self) -> MessageType {
        MessageType::Batch
    }

    fn method(&self) -> &str {
        NAME
    }

    fn prepare(&mut self, binding: &Binding) {
        let Some(calls) = &self.calls else { return };
        let not_sent = |problem| NotStarted::NotSent { method: NAME.to_owned(), problem };
        self.problem = self.strange.then(|| not_sent("a call of another object's proxy is among its calls".to_owned()));
        self.unspoken = false;
        if let Route::Remote(connection, handle) = &binding.route {
            // Whoever passes calls on does so one by one.
            self.unspoken = is_passage(*handle as usize) || !connection.shared().features.contains(Features::BATCHES);
            let most = connection.shared().peer_limits.in_flight;
            if !self.unspoken && calls.count() > most.into() {
                let problem = format!("it has {} calls, and its peer takes {most} at a time", calls.count());
                self.problem = Some(not_sent(problem));
            }
        }
        self.choices.clear();
        calls.each(&mut Choosing { binding, stop_at_fault: self.stop_at_fault, choices: &mut self.choices });
    }

    fn choose(&self, _: &Binding) -> Result<Choice, NotStarted> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        if self.unspoken {
            let problem = "the peer speaks no batches".to_owned();
            return Err(NotStarted::Unsupported { method: NAME.to_owned(), problem });
        }
        // With nothing to send there is nothing to wait for; each call says why.
        if self.choices.iter().all(Result::is_err) {
            return Err(NotStarted::Skipped);
        }
        Ok(Choice { index: 0, flags: MethodFlags::NONE, same: true })
    }

    fn serializer(&self, _: Choice) -> SerializerId {
        SerializerId::POSTCARD
    }

    fn write(&self, _: Choice, handle: u32, object: &str, out: &mut Vec<u8>) -> Result<(), String> {
        BatchHead { handle, stop_at_fault: self.stop_at_fault }.encode(out);
        let choices = self.choices.iter();
        let mut writing = Writing { choices, object, out, parts: SizedParts::default(), problem: None };
        if let Some(calls) = &self.calls {
            calls.each(&mut writing);
        }
        writing.problem.map_or(Ok(()), Err)
    }

    fn write_message(&self, choice: Choice, object: &str, out: &mut Vec<u8>) -> Result<(), String> {
        self.write(choice, 0, object, out)
    }

    fn other_signature(&self, _: &Binding) -> Option<String> {
        None
    }

    fn read(&self, answer: &mut Answer, binding: &Binding, _: &Budget) -> Result<C::Outcomes, String> {
        if !answer.flags.contains(Flags::BATCH) {
            return Err("it is not the reply to a batch".to_owned());
        }
        let mut reading = Reading {
            rest: &answer.payload,
            answer,
            binding,
            link: &self.link,
            choices: self.choices.iter(),
            problem: None,
        };
        let outcomes = self.calls.as_ref().map(|calls| calls.end(&mut reading));
        match reading.rest {
            [] => outcomes.ok_or_else(|| "it was not asked for".to_owned()),
            _ => Err("bytes follow the last outcome".to_owned()),
        }
    }

    fn open(_: Box<dyn Incoming>) -> Option<C::Outcomes> {
        None
    }

    fn raised(_: &Fault, _: &Budget) -> Option<Never> {
        None
    }

    fn submit(mut self, _: Choice, object: &Arc<dyn LocalObject>, call: Terms, _: &mut impl Queue) -> LocalBatch<C> {
        let join = self.calls.take().map(|calls| {
            let (deadline, time_ms) = (call.deadline, call.time_ms);
            let mut submitting = Submitting {
                object,
                choices: self.choices.into_iter(),
                places: places(self.stop_at_fault),
                call,
                oneway: false,
                uri: &self.link,
                queue: VecDeque::new(),
            };
            let slots = calls.into_slots(&mut submitting);
            // They follow one another in the queue, and nothing comes in between.
            object.submit_all(&mut submitting.queue);
            Join { slots, deadline, time_ms, one_by_one: false }
        });
        LocalBatch(join)
    }

    fn take_back(_: &mut LocalBatch<C>) -> Option<Together<C>> {
        None
    }

    fn submitted(_: &LocalBatch<C>) -> &str {
        NAME
    }

    fn tell(mut self, _: Choice, object: &Arc<dyn LocalObject>, call: Terms, _: &mut impl Queue) {
        let Some(calls) = self.calls.take() else { return };
        let mut submitting = Submitting {
            object,
            choices: self.choices.into_iter(),
            places: places(self.stop_at_fault),
            call,
            oneway: true,
            uri: &self.link,
            queue: VecDeque::new(),
        };
        drop(calls.into_slots(&mut submitting));
        object.submit_all(&mut submitting.queue);
    }

    fn tell_otherwise(&mut self, link: &Arc<Link>, ms: u32) -> bool {
        if !self.unspoken {
            return false;
        }
        if self.stop_at_fault {
            // Somebody has to see how they end.
            if let Some(join) = self.singly(link, Instant::now() + Duration::from_millis(ms.into())) {
                spawn(join);
            }
        } else if let Some(calls) = self.calls.take() {
            drop(calls.into_slots(&mut Telling(link, ms)));
        }
        true
    }
}

fn places(stop_at_fault: bool) -> Option<Place> {
    stop_at_fault.then(|| Place { first_fault: Arc::new(FirstFault::default()), at: 0 })
}

/// The outcome of a batch in this process.
pub(crate) struct LocalBatch<C: CallList>(Option<Join<C>>);

impl<C: CallList> Future for LocalBatch<C> {
    type Output = Option<Result<C::Outcomes, CallError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Some(join) => Pin::new(join).poll(cx).map(|outcomes| Some(Ok(outcomes))),
            None => Poll::Ready(None),
        }
    }
}

struct Choosing<'a> {
    binding: &'a Binding,
    stop_at_fault: bool,
    choices: &'a mut Vec<Result<Choice, Box<NotStarted>>>,
}

impl Visit for Choosing<'_> {
    #[inline]
    fn visit<R: Request>(&mut self, request: &R) {
        let choice = match request.choose(self.binding) {
            // The one before is known to fail.
            _ if self.stop_at_fault && self.choices.last().is_some_and(Result::is_err) => Err(NotStarted::Skipped),
            Ok(choice) if choice.flags.contains(MethodFlags::STREAM) => {
                let problem = "its reply is a stream of items, which has no place in a batch; call it by itself";
                Err(NotStarted::Unsupported { method: request.method().to_owned(), problem: problem.to_owned() })
            }
            choice => choice,
        };
        self.choices.push(choice.map_err(Box::new));
    }
}

struct Writing<'a> {
    choices: std::slice::Iter<'a, Result<Choice, Box<NotStarted>>>,
    object: &'a str,
    out: &'a mut Vec<u8>,
    parts: SizedParts,
    problem: Option<String>,
}

impl Visit for Writing<'_> {
    #[inline]
    fn visit<R: Request>(&mut self, request: &R) {
        let Some(Ok(choice)) = self.choices.next() else { return };
        if self.problem.is_some() {
            return;
        }
        let by_number = request.serializer(*choice) == SerializerId::POSTCARD;
        BatchedCall::begin(by_number.then_some(choice.index), self.out);
        let object = self.object;
        let written = self.parts.push(self.out, |out| request.write_message(*choice, object, out));
        self.problem = written.err().map(|problem| format!("{}: {problem}", request.method()));
    }
}

struct Reading<'a> {
    rest: &'a [u8],
    answer: &'a Answer,
    binding: &'a Binding,
    link: &'a Link,
    choices: std::slice::Iter<'a, Result<Choice, Box<NotStarted>>>,
    /// Nothing behind it can be read.
    problem: Option<String>,
}

impl End for Reading<'_> {
    #[inline]
    fn end<R: Request>(&mut self, request: &R) -> Ended<R> {
        let choice = match self.choices.next() {
            Some(Ok(choice)) => *choice,
            Some(Err(why)) => return Err(CallError::NotStarted(NotStarted::clone(why))),
            None => return Err(CallError::NotStarted(NotStarted::Skipped)),
        };
        let outcome = match BatchedResult::take(&mut self.rest) {
            Ok(outcome) if self.problem.is_none() => outcome,
            Ok(_) => BatchedResult::FaultTooLarge,
            Err(problem) => {
                self.rest = &[];
                self.problem.get_or_insert_with(|| problem.to_string());
                BatchedResult::FaultTooLarge
            }
        };
        if let Some(problem) = &self.problem {
            return Err(CallError::Failed(Box::new(unreadable(request.method(), self.link, problem))));
        }
        let part = |flags, bytes| Answer {
            flags,
            serializer: request.serializer(choice),
            payload: self.answer.payload.slice_ref(bytes),
            annotations: None,
        };
        match outcome {
            BatchedResult::Value(bytes) => {
                value_of(request, &mut part(Flags::default(), bytes), self.binding, self.link)
            }
            BatchedResult::Fault(bytes) => {
                Err(fault_of(request, &part(Flags::EXCEPTION, bytes), self.binding, self.link))
            }
            BatchedResult::Skipped => Err(CallError::NotStarted(NotStarted::Skipped)),
            BatchedResult::ValueTooLarge => Err(CallError::Failed(Box::new(no_room(request.method(), self.link)))),
            BatchedResult::FaultTooLarge => {
                Err(CallError::Unknown(Unknown::Untold { method: request.method().to_owned() }))
            }
        }
    }
}

#[cold]
fn no_room(method: &str, link: &Link) -> Fault {
    Fault {
        class: UNWRITABLE.to_owned(),
        message: format!("{method} ran, but the reply to its batch had no room for what it returned"),
        detail: Detail::None,
        traceback: Vec::new(),
        object: link.uri.to_string(),
        method: method.to_owned(),
    }
}

/// All end alike, but for those that were not to be sent at all.
struct Failing<'a> {
    choices: &'a [Result<Choice, Box<NotStarted>>],
    at: usize,
    error: &'a CallError,
}

impl End for Failing<'_> {
    fn end<R: Request>(&mut self, request: &R) -> Ended<R> {
        self.at += 1;
        if let Some(Err(why)) = self.choices.get(self.at - 1) {
            return Err(CallError::NotStarted(NotStarted::clone(why)));
        }
        let mut error = self.error.clone().map_raised(|never| match never {});
        if let CallError::Unknown(Unknown::OutOfTime { method, .. }) = &mut error {
            request.method().clone_into(method);
        }
        Err(error)
    }
}

/// Calls like any others.
struct Alone<'a>(&'a Arc<Link>);

impl IntoSlot for Alone<'_> {
    fn slot<R: Request>(&mut self, request: R) -> Slot<R> {
        Slot(Under::Single(Box::new(Exchange::new(Arc::clone(self.0), request))))
    }
}

/// Oneways like any others, with so many milliseconds.
struct Telling<'a>(&'a Arc<Link>, u32);

impl IntoSlot for Telling<'_> {
    fn slot<R: Request>(&mut self, request: R) -> Slot<R> {
        let mut exchange = Exchange::new(Arc::clone(self.0), request);
        exchange.asked_ms = Some(self.1);
        exchange.send_oneway();
        Slot(Under::Over)
    }
}

/// Calls to an object of this process.
struct Submitting<'a> {
    object: &'a Arc<dyn LocalObject>,
    choices: std::vec::IntoIter<Result<Choice, Box<NotStarted>>>,
    /// That of the next call, if one of them may be the last.
    places: Option<Place>,
    call: Terms,
    oneway: bool,
    uri: &'a Link,
    queue: VecDeque<Invocation>,
}

impl IntoSlot for Submitting<'_> {
    fn slot<R: Request>(&mut self, request: R) -> Slot<R> {
        let place = self.places.clone();
        if let Some(place) = &mut self.places {
            place.at += 1;
        }
        let choice = match self.choices.next() {
            Some(Ok(choice)) => choice,
            Some(Err(why)) => return Slot(Under::Ended(Err(CallError::NotStarted(*why)))),
            None => return Slot(Under::Over),
        };
        let call = Terms { place, ..self.call.clone() };
        if self.oneway {
            request.tell(choice, self.object, call, &mut self.queue);
            return Slot(Under::Over);
        }
        let (method, object) = (request.method().to_owned(), self.uri.uri.to_string());
        let outcome = request.submit(choice, self.object, call, &mut self.queue);
        Slot(Under::Local { outcome, method, object })
    }
}
