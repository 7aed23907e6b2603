//! One call from its caller's side: send, wait, and say truthfully how it ended.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::client::binding::{Binding, Choice, Route};
use crate::client::error::CallError;
use crate::client::link::{Link, Turn};
use crate::client::runtime;
use crate::codec::budget::Budget;
use crate::codec::fault::Fault;
use crate::object::invocation::Invocation;
use crate::object::items::Incoming;
use crate::object::local::LocalObject;
use crate::object::outcome::{Failure, NotStarted, Unknown};
use crate::object::reply::Place;
use crate::peer::connection::{Connection, StartError};
use crate::peer::in_flight::{Answer, Ending};
use crate::transport::network::BoxFuture;
use crate::wire::varint::write_varint;
use crate::wire::{AnnotationId, CorrelationId, Flags, FrameWriter, MessageType, SerializerId};

/// What differs between calls with a typed message and calls by name.
pub(crate) trait Request: Send + Unpin + 'static {
    type Value: Send + 'static;
    type Raised: Send + 'static;
    /// The outcome of a call in this process.
    type Local: Future<Output = Option<Result<Self::Value, CallError<Self::Raised>>>> + Send + Unpin;

    /// What its frame is.
    #[inline]
    fn kind(&self) -> MessageType {
        MessageType::Invoke
    }

    /// Looks at the binding it is to be sent by, before it is asked anything else about it.
    fn prepare(&mut self, _: &Binding) {}
    fn method(&self) -> &str;
    fn choose(&self, binding: &Binding) -> Result<Choice, NotStarted>;
    /// The serializer that `write` will use.
    fn serializer(&self, choice: Choice) -> SerializerId;
    /// Appends the message: in postcard itself, otherwise as a call by name.
    fn write_message(&self, choice: Choice, object: &str, out: &mut Vec<u8>) -> Result<(), String>;
    /// Appends the payload of the request.
    #[inline]
    fn write(&self, choice: Choice, handle: u32, object: &str, out: &mut Vec<u8>) -> Result<(), String> {
        if self.serializer(choice) == SerializerId::POSTCARD {
            write_varint(handle.into(), out);
            write_varint(choice.index.into(), out);
        }
        self.write_message(choice, object, out)
    }
    /// The method's signature as the caller has it, if the object has another one; asked only when something does not fit.
    fn other_signature(&self, binding: &Binding) -> Option<String>;
    fn read(&self, answer: &Answer, binding: &Binding, budget: &Budget) -> Result<Self::Value, String>;
    /// The value whose items come over the connection; `None` if the call does not end with any.
    fn open(items: Box<dyn Incoming>) -> Option<Self::Value>;
    /// The error that the object raised, if this client knows its type.
    fn raised(fault: &Fault, budget: &Budget) -> Option<Self::Raised>;
    /// Puts the call into the queue of an object of this process.
    fn submit(self, choice: Choice, object: &Arc<dyn LocalObject>, call: Terms, queue: &mut impl Queue) -> Self::Local;
    /// The same, when nobody waits for the outcome.
    fn tell(self, choice: Choice, object: &Arc<dyn LocalObject>, call: Terms, queue: &mut impl Queue);
    /// The peer does not speak what the request needs: sends it in another way, if there is one, when nobody waits for the outcome.
    fn tell_otherwise(&mut self, _: &Arc<Link>, _: u32) -> bool {
        false
    }
}

/// Where calls to an object of this process go.
pub(crate) trait Queue {
    fn put(&mut self, invocation: Invocation);
}

/// Each goes into the object's own queue at once.
impl Queue for &Arc<dyn LocalObject> {
    fn put(&mut self, invocation: Invocation) {
        self.submit(invocation);
    }
}

/// They go together afterwards.
impl Queue for VecDeque<Invocation> {
    fn put(&mut self, invocation: Invocation) {
        self.push_back(invocation);
    }
}

/// What goes with a call to an object of this process.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) deadline: Instant,
    pub(crate) time_ms: u32,
    pub(crate) correlation: CorrelationId,
    /// Its place in a batch that stops at the first fault.
    pub(crate) place: Option<Place>,
}

/// Attempts that one call may make: what surely did not run is tried again where that can help.
const ATTEMPTS: u32 = 3;

/// One call under way.
pub(crate) struct Exchange<R: Request> {
    pub(crate) link: Arc<Link>,
    /// Kept until the end, since what surely did not run may be sent again.
    request: Option<R>,
    pub(crate) asked_ms: Option<u32>,
    correlation: CorrelationId,
    /// Known once somebody had to know it: most calls leave it to their connection, which asks the clock once for many.
    deadline: Option<Instant>,
    time_ms: u32,
    /// What was left of its time when it was sent.
    left_ms: u32,
    /// Its place among the calls of the proxy.
    number: u64,
    attempts: u32,
    /// Kept until its end by a call of a strict proxy.
    turn: Option<Turn>,
    state: State<R>,
}

enum State<R: Request> {
    New,
    Binding(BoxFuture<'static, Bound>),
    Waiting { binding: Arc<Binding>, seq: u16 },
    Local { outcome: R::Local, timer: Option<Pin<Box<Sleep>>> },
    Done,
}

/// A binding, and the turn in which the call is to be sent.
type Bound = (Result<Arc<Binding>, NotStarted>, Option<Turn>);
pub(crate) type Ended<R> = Result<<R as Request>::Value, CallError<<R as Request>::Raised>>;

impl<R: Request> Exchange<R> {
    pub(crate) fn new(link: Arc<Link>, request: R) -> Exchange<R> {
        Exchange {
            link,
            request: Some(request),
            asked_ms: None,
            correlation: CorrelationId::NONE,
            deadline: None,
            time_ms: 0,
            left_ms: 0,
            number: 0,
            attempts: 0,
            turn: None,
            state: State::New,
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended<R>> {
        loop {
            let ended = match &mut self.state {
                State::New => {
                    self.begin();
                    match self.link.bound() {
                        Some(binding) => match self.start(binding, cx) {
                            // It was only just sent; its waker is in the table.
                            None if matches!(self.state, State::Waiting { .. }) => return Poll::Pending,
                            ended => ended,
                        },
                        None => {
                            self.state = State::Binding(self.bind());
                            None
                        }
                    }
                }
                State::Binding(bind) => {
                    let (bound, mut turn) = std::task::ready!(bind.as_mut().poll(cx));
                    self.left_ms = self.left();
                    if self.link.is_strict() {
                        self.turn = turn.take();
                    }
                    let ended = match bound {
                        Ok(binding) => self.start(binding, cx),
                        Err(why) => Some(Err(CallError::NotStarted(why))),
                    };
                    // Only now may those behind go on: the order of calls is the order of sending.
                    drop(turn);
                    ended
                }
                State::Waiting { binding, seq } => {
                    let Route::Remote(connection, _) = &binding.route else { return Poll::Pending };
                    let Some((ending, deadline)) = connection.poll(*seq, cx.waker()) else { return Poll::Pending };
                    self.deadline = self.deadline.or(deadline);
                    self.end(ending)
                }
                State::Local { outcome, timer } => {
                    if let Poll::Ready(outcome) = Pin::new(outcome).poll(cx) {
                        Some(outcome.unwrap_or_else(|| {
                            let object = self.link.uri.to_string();
                            Err(CallError::Unknown(Unknown::Aborted { object }))
                        }))
                    } else {
                        let deadline = self.deadline.unwrap_or_else(Instant::now);
                        let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
                        std::task::ready!(timer.as_mut().poll(cx));
                        Some(Err(CallError::Unknown(self.out_of_time())))
                    }
                }
                State::Done => return Poll::Pending,
            };
            if let Some(mut ended) = ended {
                // How much time it had, an object that stopped it does not know.
                if let Err(CallError::Unknown(Unknown::OutOfTime { timeout_ms, .. })) = &mut ended {
                    *timeout_ms = self.time_ms;
                }
                self.state = State::Done;
                self.turn = None;
                self.log(&ended);
                return Poll::Ready(ended);
            }
        }
    }

    fn begin(&mut self) {
        self.number = self.link.number();
        let own = self.link.correlation(self.number);
        (self.time_ms, self.correlation) = self.link.client.inherit(self.asked_ms, own);
        self.left_ms = self.time_ms;
    }

    fn terms(&mut self) -> Terms {
        Terms { deadline: self.deadline(), time_ms: self.time_ms, correlation: self.correlation, place: None }
    }

    /// The request, as long as it has not been handed over.
    pub(crate) fn request(&self) -> Option<&R> {
        self.request.as_ref()
    }

    /// The request of a call that has not begun, which now never will.
    pub(crate) fn unbegun(&mut self) -> Option<R> {
        if matches!(self.state, State::New) { self.request.take() } else { None }
    }

    /// Where it is under way, if that is over a connection.
    pub(crate) fn in_flight(&self) -> Option<(&Connection, u16)> {
        match &self.state {
            State::Waiting { binding, seq } => match &binding.route {
                Route::Remote(connection, _) => Some((connection, *seq)),
                Route::Local(_) => None,
            },
            _ => None,
        }
    }

    pub(crate) fn request_mut(&mut self) -> Option<&mut R> {
        self.request.as_mut()
    }

    /// When its time ends, which begins now if it has not yet.
    pub(crate) fn deadline(&mut self) -> Instant {
        let ms = self.time_ms;
        *self.deadline.get_or_insert_with(|| Instant::now() + Duration::from_millis(ms.into()))
    }

    /// What is left of its time now, milliseconds.
    fn left(&mut self) -> u32 {
        let left = self.deadline().saturating_duration_since(Instant::now()).as_millis();
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// Stands in the queue from now on, and then looks for a binding; for no longer than the call has time.
    fn bind(&mut self) -> BoxFuture<'static, Bound> {
        let (link, deadline, mut turn) = (Arc::clone(&self.link), self.deadline(), self.turn.take());
        let queued = if turn.is_none() { Some(self.link.queue()) } else { None };
        let method = self.request.as_ref().map_or("", R::method).to_owned();
        Box::pin(async move {
            let bind = async {
                if let Some(queued) = queued {
                    turn = Some(queued.await);
                }
                link.bind().await
            };
            let bound = tokio::time::timeout_at(deadline, bind).await;
            let bound = bound.unwrap_or_else(|_| {
                // Whoever has had no turn was waiting for the calls before, and not for a connection.
                Err(if link.is_strict() && turn.is_none() { NotStarted::OutOfTime { method } } else { late(&link) })
            });
            (bound, turn)
        })
    }

    /// Sends the call; `None` when its end is to be waited for.
    fn start(&mut self, binding: Arc<Binding>, cx: &mut Context<'_>) -> Option<Ended<R>> {
        self.attempts += 1;
        if self.attempts > 1 && self.link.is_overtaken(self.number) {
            // Order goes before delivery: it is a gap, and its caller is told.
            let problem =
                "the connection was lost before it was sent, and a later call of this proxy was sent since".to_owned();
            return Some(Err(CallError::NotStarted(NotStarted::Unreachable {
                uri: self.link.uri.to_string(),
                problem,
            })));
        }
        self.request.as_mut()?.prepare(&binding);
        let request = self.request.as_ref()?;
        let choice = match request.choose(&binding) {
            Ok(choice) => choice,
            Err(why) => return Some(Err(CallError::NotStarted(why))),
        };
        match &binding.route {
            Route::Local(object) => {
                self.link.sent(self.number);
                let terms = self.terms();
                let outcome = self.request.take()?.submit(choice, object, terms, &mut { object });
                self.state = State::Local { outcome, timer: None };
                None
            }
            Route::Remote(connection, handle) => {
                let limit = connection.max_message();
                let started = connection.start(self.left_ms, cx.waker(), |out, seq| {
                    let flags = Flags::default();
                    self.write(request, choice, *handle, &binding.object, flags, seq, limit, out)
                });
                match started {
                    Ok(seq) => {
                        self.link.sent(self.number);
                        self.state = State::Waiting { binding, seq };
                        None
                    }
                    Err(StartError::Unwritable(problem)) => {
                        let method = request.method().to_owned();
                        Some(Err(CallError::NotStarted(NotStarted::NotSent { method, problem })))
                    }
                    Err(error) => self.again(&binding, refusal(&self.link, error)),
                }
            }
        }
    }

    /// The call surely did not run: once more, where that can help; otherwise that is its end.
    fn again(&mut self, binding: &Arc<Binding>, why: NotStarted) -> Option<Ended<R>> {
        let elsewhere = match &why {
            NotStarted::Unreachable { .. } => true,
            NotStarted::StaleReference { .. } | NotStarted::Draining { .. } => self.link.is_named(),
            _ => false,
        };
        if !elsewhere || self.attempts >= ATTEMPTS || self.request.is_none() {
            return Some(Err(CallError::NotStarted(why)));
        }
        slog::debug!(self.link.client.config().log, "call is sent again"; "uri" => %self.link.uri, "why" => %why,
            "correlation" => %self.correlation);
        if matches!(why, NotStarted::Draining { .. }) {
            self.link.not_taken(binding, self.number);
        }
        self.link.forget(binding);
        self.state = State::Binding(self.bind());
        None
    }

    #[expect(clippy::too_many_arguments, reason = "they are the parts of one frame")]
    fn write(
        &self,
        request: &R,
        choice: Choice,
        handle: u32,
        object: &str,
        flags: Flags,
        seq: u16,
        limit: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let serializer = request.serializer(choice);
        let mut frame = FrameWriter::begin(out, request.kind(), serializer, flags, seq, self.correlation);
        let default = self.link.client.config().timeout_ms;
        if self.left_ms != default {
            frame.annotate(out, AnnotationId::DEADLINE, &self.left_ms.to_be_bytes());
        }
        match request.write(choice, handle, object, out) {
            Ok(()) => frame.finish(out, limit).map_err(|e| e.to_string()),
            Err(problem) => {
                frame.abandon(out);
                Err(problem)
            }
        }
    }

    fn end(&mut self, ending: Ending) -> Option<Ended<R>> {
        let State::Waiting { binding, .. } = std::mem::replace(&mut self.state, State::Done) else { return None };
        let Route::Remote(connection, _) = &binding.route else { return None };
        match ending {
            Ending::Reply(answer) if answer.flags.contains(Flags::EXCEPTION) => {
                match fault_of(self.request.as_ref()?, &answer, &binding, &self.link) {
                    CallError::NotStarted(why) => self.again(&binding, why),
                    error => Some(Err(error)),
                }
            }
            Ending::Reply(answer) if answer.flags.contains(Flags::ITEM_STREAM) => {
                let items = connection.items(&answer).and_then(|items| R::open(Box::new(items)));
                let problem = "it is a stream of items, which was not asked for";
                Some(items.ok_or_else(|| {
                    let method = self.request.as_ref().map_or("", R::method);
                    CallError::Failed(Box::new(unreadable(method, &self.link, problem)))
                }))
            }
            Ending::Reply(answer) => Some(value_of(self.request.as_ref()?, &answer, &binding, &self.link)),
            Ending::OutOfTime => Some(Err(CallError::Unknown(self.out_of_time()))),
            Ending::Lost { written: true } => {
                self.link.forget(&binding);
                let (peer, problem) = (connection.peer().to_owned(), connection.problem());
                Some(Err(CallError::Unknown(Unknown::Disconnected { peer, problem })))
            }
            Ending::Lost { written: false } => {
                let why = if connection.is_draining() {
                    NotStarted::Draining { what: connection.peer().to_owned() }
                } else {
                    NotStarted::Unreachable { uri: self.link.uri.to_string(), problem: connection.problem() }
                };
                self.again(&binding, why)
            }
        }
    }

    fn out_of_time(&self) -> Unknown {
        let method = self.request.as_ref().map_or("the call", R::method).to_owned();
        Unknown::OutOfTime { method, timeout_ms: self.time_ms }
    }

    fn log(&self, ended: &Ended<R>) {
        if let Err(error) = ended {
            let (log, method) = (&self.link.client.config().log, self.request.as_ref().map_or("", R::method));
            let ran = if error.may_have_run() { "may have run" } else { "did not run" };
            slog::debug!(log, "call failed"; "uri" => %self.link.uri, "method" => method, "ran" => ran,
                "correlation" => %self.correlation);
        }
    }

    /// Sends the call without waiting for anything, now or as soon as the proxy is connected.
    pub(crate) fn send_oneway(mut self) {
        self.begin();
        if let Some(binding) = self.link.bound()
            && self.oneway(&binding).is_ok()
        {
            return;
        }
        let bind = self.bind();
        runtime::spawn(async move {
            let (bound, turn) = bind.await;
            self.left_ms = self.left();
            let sent = match bound {
                Ok(binding) => self.oneway(&binding),
                Err(why) => Err(why),
            };
            if let Err(why) = sent {
                slog::warn!(self.link.client.config().log, "oneway lost"; "uri" => %self.link.uri, "why" => %why,
                    "correlation" => %self.correlation);
            }
            drop(turn);
        });
    }

    fn oneway(&mut self, binding: &Arc<Binding>) -> Result<(), NotStarted> {
        let Some(request) = self.request.as_mut() else { return Ok(()) };
        request.prepare(binding);
        if request.tell_otherwise(&self.link, self.time_ms) {
            return Ok(());
        }
        let Some(request) = self.request.as_ref() else { return Ok(()) };
        let choice = request.choose(binding)?;
        match &binding.route {
            Route::Local(object) => {
                self.link.sent(self.number);
                let terms = self.terms();
                if let Some(request) = self.request.take() {
                    request.tell(choice, object, terms, &mut { object });
                }
                Ok(())
            }
            Route::Remote(connection, handle) => {
                let limit = connection.max_message();
                let sent = connection.send(|out, seq| {
                    self.write(request, choice, *handle, &binding.object, Flags::ONEWAY, seq, limit, out)
                });
                match sent {
                    Ok(()) => {
                        self.link.sent(self.number);
                        Ok(())
                    }
                    Err(error) => {
                        self.link.forget(binding);
                        Err(refusal(&self.link, error))
                    }
                }
            }
        }
    }
}

impl<R: Request> Drop for Exchange<R> {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Waiting { binding, seq } => {
                if let Route::Remote(connection, _) = &binding.route {
                    connection.abandon(seq);
                }
            }
            State::Local { outcome, .. } => {
                // First it is known that nobody waits; then the call can leave the queue.
                drop(outcome);
                if let Some(binding) = self.link.last()
                    && let Route::Local(object) = &binding.route
                {
                    object.sweep();
                }
            }
            State::New | State::Binding(_) | State::Done => {}
        }
    }
}

/// The value that a reply carries.
#[inline]
pub(crate) fn value_of<R: Request>(request: &R, answer: &Answer, binding: &Binding, link: &Link) -> Ended<R> {
    request.read(answer, binding, &Budget::default()).map_err(|mut problem| {
        if let Some(signature) = request.other_signature(binding) {
            problem.push_str(&format!("; the object has another signature, the caller has {signature}"));
        }
        CallError::Failed(Box::new(unreadable(request.method(), link, &problem)))
    })
}

/// The fault that a reply carries.
#[cold]
pub(crate) fn fault_of<R: Request>(
    request: &R,
    answer: &Answer,
    binding: &Binding,
    link: &Link,
) -> CallError<R::Raised> {
    let budget = Budget::default();
    let fault = match Fault::decode(answer.serializer, &answer.payload, &budget) {
        Ok(fault) => fault,
        Err(problem) => {
            return CallError::Failed(Box::new(unreadable(request.method(), link, &problem.to_string())));
        }
    };
    match Failure::from_fault(fault, &budget) {
        Ok(Failure::NotStarted(why)) => CallError::NotStarted(why.told_to(|| request.other_signature(binding))),
        Ok(failure) => failure.into(),
        Err(fault) => match R::raised(&fault, &budget) {
            Some(error) => CallError::Raised(error),
            None => CallError::Failed(Box::new(fault)),
        },
    }
}

pub(crate) fn unreadable(method: &str, link: &Link, problem: &str) -> Fault {
    Fault {
        class: "Pyroxene.UnreadableReply".to_owned(),
        message: format!("{method} ran, but its reply cannot be read here: {problem}"),
        detail: crate::codec::fault::Detail::None,
        traceback: Vec::new(),
        object: link.uri.to_string(),
        method: method.to_owned(),
    }
}

fn late(link: &Link) -> NotStarted {
    NotStarted::Unreachable {
        uri: link.uri.to_string(),
        problem: "the call's time was over before it was connected".into(),
    }
}

fn refusal(link: &Link, error: StartError) -> NotStarted {
    match error {
        StartError::Closed { problem, .. } => NotStarted::Unreachable { uri: link.uri.to_string(), problem },
        StartError::Draining { peer, .. } => NotStarted::Draining { what: peer },
        StartError::Full { what } => NotStarted::Busy { what: what.to_owned(), retry_after_ms: 10 },
        StartError::Unwritable(problem) => NotStarted::NotSent { method: String::new(), problem },
    }
}
