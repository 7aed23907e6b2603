//! One call from its caller's side: send, wait, and say truthfully how it ended.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::client::binding::{Binding, Choice, Route};
use crate::client::error::CallError;
use crate::client::link::{Link, Queued, Turn};
use crate::client::retry::Retry;
use crate::client::runtime;
use crate::codec::budget::Budget;
use crate::codec::fault::Fault;
use crate::object::facts::Facts;
use crate::object::interface::MethodFlags;
use crate::object::items::{Incoming, carried};
use crate::object::local::LocalObject;
use crate::object::outcome::{Failure, NotStarted, Unknown};
use crate::object::panic;
use crate::peer::connection::StartError;
use crate::peer::handshake;
use crate::peer::in_flight::{Answer, Ending};
use crate::peer::uploads::{Destination, Uploads};
use crate::transport::network::BoxFuture;
use crate::wire::{AnnotationId, Annotations, CorrelationId, Features, Flags, FrameWriter, MessageType, SerializerId};

/// What differs between calls with a typed message and calls by name.
pub(crate) trait Request: Sized + Send + Unpin + 'static {
    type Value;
    type Raised: Display;
    /// The outcome of a call in this process.
    type Local: Future<Output = Option<Result<Self::Value, CallError<Self::Raised>>>> + Send + Unpin;

    fn method(&self) -> &str;
    fn choose(&self, binding: &Binding) -> Result<Choice, NotStarted>;
    /// The serializer that `write` will use.
    fn serializer(&self, choice: Choice) -> SerializerId;
    /// Appends the payload of the request.
    fn write(&self, choice: Choice, handle: u32, object: &str, out: &mut Vec<u8>) -> Result<(), String>;
    /// The method's signature as the caller has it, if the object has another one; asked only when something does not fit.
    fn other_signature(&self, binding: &Binding) -> Option<String>;
    fn read(answer: &Answer, budget: &Budget) -> Result<Self::Value, String>;
    /// The value whose items come over the connection; `None` if the call does not end with any.
    fn open(items: Box<dyn Incoming>) -> Option<Self::Value>;
    /// The error that the object raised, if this client knows its type.
    fn raised(fault: &Fault, budget: &Budget) -> Option<Self::Raised>;
    /// Puts the call into the queue of an object of this process.
    fn submit(self, choice: Choice, object: &Arc<dyn LocalObject>, call: Terms) -> Self::Local;
    /// The call of which this is the outcome, if it did not run and `call` said that it may be made again.
    fn take_back(outcome: &mut Self::Local) -> Option<Self>;
    /// The method that such a call is of.
    fn submitted(local: &Self::Local) -> &str;
    /// As `submit`, when nobody waits for the outcome.
    fn tell(self, choice: Choice, object: &Arc<dyn LocalObject>, call: Terms);
}

/// What goes with a call to an object of this process.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) deadline: Instant,
    pub(crate) correlation: CorrelationId,
    /// What does not run may be made again.
    pub(crate) again: bool,
    pub(crate) facts: Option<Arc<Facts>>,
}

/// Attempts that a call makes without having been told to: what surely did not run is tried again where that can help.
const ATTEMPTS: u32 = 3;

/// One call under way.
pub(crate) struct Exchange<R: Request> {
    pub(crate) link: Arc<Link>,
    /// Kept until the end, since what surely did not run may be sent again.
    request: Option<R>,
    pub(crate) asked_ms: Option<u32>,
    /// Of a call that was told to try again.
    retry: Option<Box<Retry>>,
    /// Shared only once it is sent.
    facts: Option<Arc<Facts>>,
    correlation: CorrelationId,
    /// Known once somebody had to know it: most calls leave it to their connection, which asks the clock once for many.
    deadline: Option<Instant>,
    time_ms: u32,
    /// What was left of its time when it was sent.
    left_ms: u32,
    /// Its place among the calls of the proxy.
    number: u64,
    attempts: u32,
    state: State<R>,
    /// The streams that the call carries over its connection.
    uploads: Option<Box<Uploads>>,
}

enum State<R: Request> {
    New,
    Binding(BoxFuture<'static, Bound>),
    Waiting { binding: Arc<Binding>, seq: u16 },
    Local { outcome: R::Local, binding: Arc<Binding>, timer: Option<Pin<Box<Sleep>>> },
    Done,
}

/// A binding, and the turn in which the call is to be sent.
struct Bound {
    binding: Result<Arc<Binding>, NotStarted>,
    turn: Option<Turn>,
    /// The call's place among those of the proxy.
    number: u64,
}

type Ended<R> = Result<<R as Request>::Value, CallError<<R as Request>::Raised>>;

impl<R: Request> Exchange<R> {
    #[inline]
    pub(crate) fn new(link: Arc<Link>, request: R) -> Exchange<R> {
        Exchange {
            link,
            request: Some(request),
            asked_ms: None,
            retry: None,
            facts: None,
            correlation: CorrelationId::NONE,
            deadline: None,
            time_ms: 0,
            left_ms: 0,
            number: 0,
            attempts: 0,
            state: State::New,
            uploads: None,
        }
    }

    /// It is to be tried again where that is safe and can help.
    pub(crate) fn retry(&mut self) {
        self.retry.get_or_insert_default();
    }

    /// The same, and it runs once, however often it is tried.
    pub(crate) fn once(&mut self) {
        self.retry.get_or_insert_default().once = true;
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended<R>> {
        loop {
            let ended = match &mut self.state {
                State::New => {
                    match self.begin().filter(|binding| self.is_ready(binding)) {
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
                    let Bound { binding, turn, number } = std::task::ready!(bind.as_mut().poll(cx));
                    (self.left_ms, self.number) = (self.left(), number);
                    let ended = match binding {
                        Ok(binding) => self.start(binding, cx),
                        Err(why) => Some(Err(CallError::NotStarted(why))),
                    };
                    // Only now may those behind go on: the order of calls is the order of sending.
                    drop(turn);
                    ended
                }
                State::Waiting { binding, seq } => {
                    let Route::Remote(connection, _) = &binding.route else { return Poll::Pending };
                    let Some((ending, expiry)) = connection.poll(*seq, cx.waker()) else { return Poll::Pending };
                    // Straight to the caller: an ending is large, and what is large is slow to move on at once.
                    if self.retry.is_none()
                        && self.uploads.is_none()
                        && self.facts.is_none()
                        && let Ending::Reply(answer) = &ending
                        && answer.is_value()
                        && let Ok(value) = R::read(answer, &Budget::default())
                    {
                        self.state = State::Done;
                        return Poll::Ready(Ok(value));
                    }
                    if self.retry.is_some() {
                        self.recall(expiry);
                    }
                    self.end(ending, expiry)
                }
                State::Local { outcome, binding, timer } => {
                    if let Poll::Ready(ended) = Pin::new(&mut *outcome).poll(cx) {
                        self.request = R::take_back(outcome);
                        Some(ended.unwrap_or_else(|| {
                            let object = self.link.uri.to_string();
                            Err(CallError::Unknown(Unknown::Aborted { object }))
                        }))
                    } else {
                        let deadline = self.deadline.unwrap_or_else(Instant::now);
                        let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
                        std::task::ready!(timer.as_mut().poll(cx));
                        if timer.deadline() <= deadline {
                            // If it still waits in the queue, it is told so now. If not, it may be about to end, or to be refused.
                            sweep(binding);
                            let grace = self.link.client.grace(self.time_ms).max(1);
                            timer.as_mut().reset(deadline + Duration::from_millis(grace.into()));
                            continue;
                        }
                        let method = R::submitted(outcome).to_owned();
                        Some(Err(CallError::Unknown(Unknown::OutOfTime { method, timeout_ms: self.time_ms })))
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
                if let Some(uploads) = self.uploads.take() {
                    match &ended {
                        Err(CallError::NotStarted(_)) => uploads.recall(),
                        // Nobody waits for it any more, wherever it is.
                        Err(CallError::Unknown(Unknown::OutOfTime { .. })) => drop(uploads),
                        _ => uploads.detach(),
                    }
                    if self.retry.is_some() && !matches!(ended, Err(CallError::NotStarted(_))) {
                        // Items that may have been read are not there to be sent again.
                        self.request = None;
                    }
                }
                if self.retry.is_some() {
                    ended = match self.once_more(ended) {
                        Some(ended) => ended,
                        None => continue,
                    };
                    // Its key is needed no more.
                    self.retry = None;
                }
                self.log(&ended);
                return Poll::Ready(ended);
            }
        }
    }

    /// The call is made now; the binding to send it on, if it need not wait for one.
    fn begin(&mut self) -> Option<Arc<Binding>> {
        let (number, binding) = self.link.call();
        self.number = number;
        let own = self.link.correlation(self.number);
        let (time_ms, correlation, passed) = self.link.client.inherit(self.asked_ms, own);
        (self.time_ms, self.correlation, self.left_ms) = (time_ms, correlation, time_ms);
        if let Some(passed) = passed {
            self.say(|facts| facts.inherit(passed));
        }
        if let Some(retry) = &mut self.retry {
            retry.begin(&self.link.client.0.keys);
        }
        binding
    }

    /// Whether the call can be sent over this binding as it is.
    fn is_ready(&self, binding: &Binding) -> bool {
        self.retry.as_ref().is_none_or(|retry| retry.is_ready(&binding.route))
    }

    /// Adds to what goes beside the call, before it is sent.
    pub(crate) fn say(&mut self, what: impl FnOnce(&mut Facts)) {
        if let Some(facts) = Arc::get_mut(self.facts.get_or_insert_default()) {
            what(facts);
        }
    }

    /// What the reply had beside its value.
    pub(crate) fn of_reply(&self) -> Annotations {
        self.facts.as_ref().map(|facts| facts.of_reply()).unwrap_or_default()
    }

    fn terms(&mut self) -> Terms {
        Terms {
            deadline: self.deadline(),
            correlation: self.correlation,
            again: self.retry.is_some(),
            facts: self.facts.clone(),
        }
    }

    /// When its time ends, which begins now if it has not yet.
    fn deadline(&mut self) -> Instant {
        let ms = self.time_ms;
        *self.deadline.get_or_insert_with(|| Instant::now() + Duration::from_millis(ms.into()))
    }

    /// Its time began when its connection said so, and ended before that lost patience.
    fn recall(&mut self, expiry: Option<Instant>) {
        let grace = Duration::from_millis(self.link.client.grace(self.left_ms).into());
        self.deadline = self.deadline.or_else(|| expiry?.checked_sub(grace));
    }

    /// What is left of its time now, milliseconds.
    fn left(&mut self) -> u32 {
        let left = self.deadline().saturating_duration_since(Instant::now()).as_millis();
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// Stands in the queue from now on, and then looks for a binding; for no longer than the call has time.
    fn bind(&mut self) -> BoxFuture<'static, Bound> {
        let (link, queued, number) = (Arc::clone(&self.link), self.link.queue(), self.number);
        Box::pin(bound(link, queued, number, self.deadline(), self.is_once()))
    }

    /// The same after a pause: then the call stands at the end of the queue, as if it were made only now.
    fn bind_after(&mut self, pause: Duration) -> BoxFuture<'static, Bound> {
        let (link, deadline, once) = (Arc::clone(&self.link), self.deadline(), self.is_once());
        Box::pin(async move {
            tokio::time::sleep(pause).await;
            let (number, queued) = (link.number(), link.queue());
            bound(link, queued, number, deadline, once).await
        })
    }

    fn is_once(&self) -> bool {
        self.retry.as_ref().is_some_and(|retry| retry.once)
    }

    /// Sends the call; `None` when its end is to be waited for.
    fn start(&mut self, binding: Arc<Binding>, cx: &mut Context<'_>) -> Option<Ended<R>> {
        self.attempts += 1;
        if self.attempts > 1 && self.retry.is_none() && self.link.is_overtaken(self.number) {
            // Order goes before delivery: it is a gap, and its caller is told.
            let problem =
                "the connection was lost before it was sent, and a later call of this proxy was sent since".to_owned();
            return Some(Err(CallError::NotStarted(NotStarted::Unreachable {
                uri: self.link.uri.to_string(),
                problem,
            })));
        }
        let request = self.request.as_ref()?;
        if self.left_ms == 0 {
            let method = request.method().to_owned();
            return Some(Err(CallError::NotStarted(NotStarted::OutOfTime { method })));
        }
        if let Some(problem) = self.facts.as_ref().and_then(|facts| facts.problem()) {
            let (method, problem) = (request.method().to_owned(), problem.to_owned());
            return Some(Err(CallError::NotStarted(NotStarted::NotSent { method, problem })));
        }
        let choice = match request.choose(&binding) {
            Ok(choice) => choice,
            Err(why) => return Some(Err(CallError::NotStarted(why))),
        };
        if let Some(retry) = &mut self.retry {
            retry.idempotent = choice.flags.contains(MethodFlags::IDEMPOTENT);
            if let Err(error) = retry.send(&binding.route, request.method()) {
                return Some(Err(error));
            }
        }
        match &binding.route {
            Route::Local(object) => {
                if let Some(why) = self.facts.as_ref().and_then(|facts| facts.deadlock(&**object)) {
                    return Some(Err(CallError::NotStarted(why)));
                }
                self.link.sent(self.number);
                let terms = self.terms();
                let outcome = self.request.take()?.submit(choice, object, terms);
                self.state = State::Local { outcome, binding, timer: None };
                None
            }
            Route::Remote(connection, handle) => {
                let limit = connection.max_message();
                let patience = self.left_ms.saturating_add(self.link.client.grace(self.left_ms));
                let started = connection.start(*handle, patience, cx.waker(), |out, seq| {
                    let flags = Flags::default();
                    self.write(request, choice, *handle, &binding.object, flags, seq, limit, out)
                });
                match started {
                    Ok(seq) => {
                        self.link.sent(self.number);
                        self.state = State::Waiting { binding, seq };
                        None
                    }
                    Err(StartError::Unwritable(_)) if carried::were_met() => self.start_with_items(binding, choice, cx),
                    Err(StartError::Unwritable(problem)) => {
                        let method = request.method().to_owned();
                        Some(Err(CallError::NotStarted(NotStarted::NotSent { method, problem })))
                    }
                    Err(error) => self.again(&binding, refusal(&self.link, error)),
                }
            }
        }
    }

    /// The same for a call whose message has streams of items.
    #[cold]
    fn start_with_items(&mut self, binding: Arc<Binding>, choice: Choice, cx: &mut Context<'_>) -> Option<Ended<R>> {
        let (request, Route::Remote(connection, handle)) = (self.request.as_ref()?, &binding.route) else {
            return None;
        };
        let (method, serializer) = (request.method(), request.serializer(choice));
        let fail = |why| Some(Err(CallError::NotStarted(why)));
        if !connection.speaks(Features::INLETS) {
            let problem = "it takes a stream of items, which the other end does not speak; call it by name with a list \
                           of the items, or bring the other end up to date";
            return fail(NotStarted::Unsupported { method: method.to_owned(), problem: problem.to_owned() });
        }
        let mut payload = Vec::new();
        let (written, loans) =
            carried::collect(|| panic::guard(|| request.write(choice, *handle, &binding.object, &mut payload)));
        let written = written.unwrap_or_else(|report| Err(report.message));
        if let Err(problem) = written {
            return fail(NotStarted::NotSent { method: method.to_owned(), problem });
        }
        let to = Destination { handle: *handle, object: &binding.object, method, serializer };
        let limit = connection.max_message();
        let started = connection.start_with_items(&to, self.left_ms, cx.waker(), loans, |out, seq, streams| {
            self.frame(serializer, Flags::ITEM_STREAM, seq, limit, out, |out| {
                streams.encode(out);
                out.extend_from_slice(&payload);
                Ok(())
            })
        });
        match started {
            Ok((seq, uploads)) => {
                self.link.sent(self.number);
                self.uploads = Some(Box::new(uploads));
                self.state = State::Waiting { binding, seq };
                None
            }
            Err(StartError::Unwritable(problem)) => fail(NotStarted::NotSent { method: method.to_owned(), problem }),
            Err(error) => self.again(&binding, refusal(&self.link, error)),
        }
    }

    /// The call surely did not run: once more, where that can help; otherwise that is its end.
    fn again(&mut self, binding: &Arc<Binding>, why: NotStarted) -> Option<Ended<R>> {
        let elsewhere = match &why {
            NotStarted::Unreachable { .. } => true,
            NotStarted::StaleReference { .. } | NotStarted::Draining { .. } => self.link.is_named(),
            _ => false,
        };
        let told = self.retry.is_some();
        if !elsewhere || self.request.is_none() || (self.attempts >= ATTEMPTS && !told) {
            return Some(Err(CallError::NotStarted(why)));
        }
        if let Some(uploads) = self.uploads.take() {
            uploads.recall();
        }
        if matches!(why, NotStarted::Draining { .. }) {
            self.link.not_taken(binding, self.number);
        }
        self.link.forget(binding);
        if told {
            // Its next attempt comes after a pause, and is written into its history.
            return Some(Err(CallError::NotStarted(why)));
        }
        slog::debug!(self.link.client.config().log, "call is sent again"; "uri" => %self.link.uri, "why" => %why,
            "correlation" => %self.correlation);
        self.state = State::Binding(self.bind());
        None
    }

    /// An attempt of a call that was told to try again has ended: once more, where that is safe and can help and time is left; otherwise
    /// that is the call's end.
    #[cold]
    fn once_more(&mut self, ended: Ended<R>) -> Option<Ended<R>> {
        let deadline = self.deadline();
        let Some(retry) = &mut self.retry else { return Some(ended) };
        let error = match ended {
            Ok(value) => return Some(Ok(value)),
            Err(error) => error,
        };
        let inner = &self.link.client.0;
        let pause = retry.hint(&error, self.link.was_found()).map(|hint| {
            Duration::from_millis(hint.into()) + inner.backoff.pause(inner.config.retry_ms, retry.failed() + 1)
        });
        match pause {
            Some(pause) if self.request.is_some() && Instant::now() + pause < deadline => {
                slog::debug!(inner.config.log, "call is tried again"; "uri" => %self.link.uri, "why" => %error,
                    "attempts" => retry.failed() + 1, "pause_ms" => pause.as_millis() as u64,
                    "correlation" => %self.correlation);
                retry.add(&error);
                self.state = State::Binding(self.bind_after(pause));
                None
            }
            _ => Some(Err(retry.conclude(error))),
        }
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
        self.frame(serializer, flags, seq, limit, out, |out| request.write(choice, handle, object, out))
    }

    #[inline]
    fn frame(
        &self,
        serializer: SerializerId,
        flags: Flags,
        seq: u16,
        limit: u32,
        out: &mut Vec<u8>,
        payload: impl FnOnce(&mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut frame = FrameWriter::begin(out, MessageType::Invoke, serializer, flags, seq, self.correlation);
        let default = self.link.client.config().timeout_ms;
        if self.left_ms != default {
            frame.annotate(out, AnnotationId::DEADLINE, &self.left_ms.to_be_bytes());
        }
        if let Some(key) = self.retry.as_ref().and_then(|retry| retry.key()) {
            frame.annotate(out, AnnotationId::ONCE, &key.encode());
        }
        if let Some(facts) = &self.facts {
            facts.write(&mut frame, out);
        }
        match payload(out) {
            Ok(()) => frame.finish(out, limit).map_err(|e| e.to_string()),
            Err(problem) => {
                frame.abandon(out);
                Err(problem)
            }
        }
    }

    /// The call ended on its connection, which would have waited for it until `expiry`.
    fn end(&mut self, ending: Ending, expiry: Option<Instant>) -> Option<Ended<R>> {
        let State::Waiting { binding, .. } = std::mem::replace(&mut self.state, State::Done) else { return None };
        let Route::Remote(connection, _) = &binding.route else { return None };
        let budget = Budget::default();
        if let Ending::Reply(Answer { annotations: Some(annotations), .. }) = &ending
            && let Some(facts) = &self.facts
        {
            facts.replied(annotations);
        }
        match ending {
            Ending::Reply(answer) if answer.flags.contains(Flags::EXCEPTION) => {
                let fault = match Fault::decode(answer.serializer, &answer.payload, &budget) {
                    Ok(fault) => fault,
                    Err(problem) => {
                        return Some(Err(CallError::Failed(Box::new(self.unreadable(&problem.to_string())))));
                    }
                };
                match Failure::from_fault(fault, &budget) {
                    Ok(Failure::NotStarted(why)) => {
                        let why = why.told_to(|| self.other_signature(&binding));
                        self.recall(expiry);
                        self.again(&binding, why)
                    }
                    Ok(failure) => Some(Err(failure.into())),
                    Err(fault) => Some(Err(match R::raised(&fault, &budget) {
                        Some(error) => CallError::Raised(error),
                        None => CallError::Failed(Box::new(fault)),
                    })),
                }
            }
            Ending::Reply(answer) if answer.flags.contains(Flags::ITEM_STREAM) => {
                let items = connection.items(&answer).and_then(|items| R::open(Box::new(items)));
                let problem = "it is a stream of items, which was not asked for";
                Some(items.ok_or_else(|| CallError::Failed(Box::new(self.unreadable(problem)))))
            }
            Ending::Reply(answer) => Some(R::read(&answer, &budget).map_err(|mut problem| {
                if let Some(signature) = self.other_signature(&binding) {
                    problem.push_str(&format!("; the object has another signature, the caller has {signature}"));
                }
                CallError::Failed(Box::new(self.unreadable(&problem)))
            })),
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
                self.recall(expiry);
                self.again(&binding, why)
            }
        }
    }

    fn other_signature(&self, binding: &Binding) -> Option<String> {
        self.request.as_ref()?.other_signature(binding)
    }

    fn out_of_time(&self) -> Unknown {
        let method = self.request.as_ref().map_or("the call", R::method).to_owned();
        Unknown::OutOfTime { method, timeout_ms: self.time_ms }
    }

    fn unreadable(&self, problem: &str) -> Fault {
        let method = self.request.as_ref().map_or("", R::method).to_owned();
        Fault {
            class: "Pyroxene.UnreadableReply".to_owned(),
            message: format!("{method} ran, but its reply cannot be read here: {problem}"),
            detail: crate::codec::fault::Detail::None,
            traceback: Vec::new(),
            object: self.link.uri.to_string(),
            method,
        }
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
        let binding = self.begin();
        if self.facts.is_some() {
            self.say(Facts::unchain);
        }
        if let Some(binding) = binding
            && self.oneway(&binding).is_ok()
        {
            return;
        }
        let bind = self.bind();
        runtime::spawn(async move {
            let Bound { binding, turn, .. } = bind.await;
            self.left_ms = self.left();
            let sent = match binding {
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
        let Some(request) = self.request.as_ref() else { return Ok(()) };
        let choice = request.choose(binding)?;
        match &binding.route {
            Route::Local(object) => {
                self.link.sent(self.number);
                let terms = self.terms();
                if let Some(request) = self.request.take() {
                    request.tell(choice, object, terms);
                }
                Ok(())
            }
            Route::Remote(connection, handle) => {
                let limit = connection.max_message();
                let sent = connection.send(*handle, |out, seq| {
                    self.write(request, choice, *handle, &binding.object, Flags::ONEWAY, seq, limit, out)
                });
                match sent {
                    Ok(()) => {
                        self.link.sent(self.number);
                        Ok(())
                    }
                    Err(StartError::Unwritable(_)) if carried::were_met() => {
                        let problem = "a oneway carries no streams: nobody would say when its items are not wanted";
                        let (method, problem) = (request.method().to_owned(), problem.to_owned());
                        Err(NotStarted::Unsupported { method, problem })
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
        // The end of its streams goes to the other end before it hears that the call is given up.
        drop(self.uploads.take());
        match std::mem::replace(&mut self.state, State::Done) {
            State::Waiting { binding, seq } => {
                if let Route::Remote(connection, _) = &binding.route {
                    connection.abandon(seq);
                }
            }
            State::Local { outcome, binding, .. } => {
                // First it is known that nobody waits; then the call can leave the queue.
                drop(outcome);
                sweep(&binding);
            }
            State::New | State::Binding(_) | State::Done => {}
        }
    }
}

async fn bound(link: Arc<Link>, queued: Queued, number: u64, deadline: Instant, once: bool) -> Bound {
    let mut turn = None;
    let bind = async {
        turn = Some(queued.await);
        let binding = link.bind().await?;
        if once
            && let Route::Remote(connection, _) = &binding.route
            && connection.speaks(Features::SESSIONS)
            && connection.session().is_none()
        {
            handshake::open_session(connection, link.client.config().connect_timeout_ms).await?;
        }
        Ok(binding)
    };
    let binding = tokio::time::timeout_at(deadline, bind).await;
    Bound { binding: binding.unwrap_or_else(|_| Err(late(&link))), turn, number }
}

/// Calls to an object of this process that need not run any more leave its queue.
fn sweep(binding: &Binding) {
    if let Route::Local(object) = &binding.route {
        object.sweep();
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
