//! One call from its caller's side: send, wait, and say truthfully how it ended.

pub(crate) mod end;
mod start;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::client::binding::{Binding, Route};
use crate::client::error::CallError;
use crate::client::link::{Link, Queued, Turn};
use crate::client::patience::Patience;
use crate::client::request::{Request, Terms};
use crate::client::retry::Retry;
use crate::object::facts::Facts;
use crate::object::outcome::{NotStarted, Unknown};
use crate::peer::connection::Connection;
use crate::peer::handshake;
use crate::peer::in_flight::Ending;
use crate::peer::uploads::Uploads;
use crate::transport::network::BoxFuture;
use crate::wire::{Annotations, CorrelationId, Features};

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
    /// Kept until its end by a call of a strict proxy.
    turn: Option<Box<Turn>>,
    /// The streams that the call carries over its connection.
    uploads: Option<Box<Uploads>>,
}

enum State<R: Request> {
    New,
    Binding(BoxFuture<'static, Bound>),
    Waiting { binding: Arc<Binding>, seq: u16 },
    Local { outcome: R::Local, binding: Arc<Binding>, patience: Option<Patience>, late: bool },
    Done,
}

/// A binding, and the turn in which the call is to be sent.
struct Bound {
    binding: Result<Arc<Binding>, NotStarted>,
    turn: Option<Box<Turn>>,
    /// The call's place among those of the proxy.
    number: u64,
}

pub(crate) type Ended<R> = Result<<R as Request>::Value, CallError<<R as Request>::Raised>>;

impl<R: Request> Exchange<R> {
    #[inline]
    pub(crate) fn new(link: Arc<Link>, request: R) -> Exchange<R> {
        Exchange::with(link, request, None)
    }

    /// A call that is to be tried again, if it is.
    #[inline]
    pub(crate) fn with(link: Arc<Link>, request: R, retry: Option<Box<Retry>>) -> Exchange<R> {
        Exchange {
            link,
            request: Some(request),
            asked_ms: None,
            retry,
            facts: None,
            correlation: CorrelationId::NONE,
            deadline: None,
            time_ms: 0,
            left_ms: 0,
            number: 0,
            attempts: 0,
            state: State::New,
            turn: None,
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
                            None => continue,
                            Some(ended) => Some(*ended),
                        },
                        None => {
                            self.state = State::Binding(self.bind());
                            None
                        }
                    }
                }
                State::Binding(bind) => {
                    let Bound { binding, mut turn, number } = std::task::ready!(bind.as_mut().poll(cx));
                    (self.left_ms, self.number) = (self.left(), number);
                    if self.link.is_strict() {
                        self.turn = turn.take();
                    }
                    let ended = match binding {
                        Ok(binding) => self.start(binding, cx).map(|ended| *ended),
                        Err(why) => Some(Err(CallError::NotStarted(why))),
                    };
                    // Only now may those behind go on: the order of calls is the order of sending.
                    drop(turn);
                    ended
                }
                State::Waiting { binding, seq } => {
                    let Route::Remote(connection, _) = &binding.route else { return Poll::Pending };
                    let alone = self.retry.is_none() && self.uploads.is_none() && self.facts.is_none();
                    // Straight to the caller: an ending is large, and what is large is slow to move on at once.
                    if alone && let Some((mut answer, expiry)) = connection.reply(*seq) {
                        if answer.is_value()
                            && let Some(request) = &self.request
                            && let Ok(value) = request.read(&mut answer, binding, &self.link.client.budget())
                        {
                            self.state = State::Done;
                            self.turn = None;
                            return Poll::Ready(Ok(value));
                        }
                        self.end(Ending::Reply(answer), expiry)
                    } else {
                        let Some((ending, expiry)) = connection.poll(*seq, cx.waker()) else { return Poll::Pending };
                        if self.retry.is_some() {
                            self.recall(expiry);
                        }
                        self.end(ending, expiry)
                    }
                }
                State::Local { outcome, binding, patience, late } => {
                    if let Poll::Ready(ended) = Pin::new(&mut *outcome).poll(cx) {
                        match ended {
                            // Straight to the caller here as well.
                            Some(Ok(value)) if self.retry.is_none() => {
                                self.state = State::Done;
                                self.turn = None;
                                return Poll::Ready(Ok(value));
                            }
                            Some(ended) => {
                                self.request = R::take_back(outcome);
                                Some(ended)
                            }
                            None => {
                                let object = self.link.uri.to_string();
                                Some(Err(CallError::Unknown(Unknown::Aborted { object })))
                            }
                        }
                    } else {
                        let deadline = self.deadline.unwrap_or_else(Instant::now);
                        let grace = if *late { self.link.client.grace(self.time_ms).max(1) } else { 0 };
                        let until = deadline + Duration::from_millis(grace.into());
                        std::task::ready!(patience.get_or_insert_with(Patience::new).poll(until, cx));
                        if !std::mem::replace(late, true) {
                            // If it still waits in the queue, it is told so now. If not, it may be about to end, or to be refused.
                            sweep(binding);
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
                self.turn = None;
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
            self.say(|facts| facts.inherit(*passed));
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
            time_ms: self.time_ms,
            correlation: self.correlation,
            place: None,
            account: None,
            again: self.retry.is_some(),
            facts: self.facts.clone(),
        }
    }

    /// The request, as long as it has not been handed over.
    pub(crate) fn request(&self) -> Option<&R> {
        self.request.as_ref()
    }

    pub(crate) fn request_mut(&mut self) -> Option<&mut R> {
        self.request.as_mut()
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

    /// When its time ends, which begins now if it has not yet.
    pub(crate) fn deadline(&mut self) -> Instant {
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
        let search = self.search();
        let standing = self.turn.take().map_or_else(|| Standing::InLine(self.link.queue()), Standing::Up);
        Box::pin(search.run(standing))
    }

    /// The same after a pause: then the call stands at the end of the queue, as if it were made only now.
    fn bind_after(&mut self, pause: Duration) -> BoxFuture<'static, Bound> {
        let (mut search, turn) = (self.search(), self.turn.take());
        Box::pin(async move {
            tokio::time::sleep(pause).await;
            search.number = search.link.number();
            let standing = turn.map_or_else(|| Standing::InLine(search.link.queue()), Standing::Up);
            search.run(standing).await
        })
    }

    fn search(&mut self) -> Search {
        Search {
            link: Arc::clone(&self.link),
            number: self.number,
            deadline: self.deadline(),
            once: self.is_once(),
            method: self.request.as_ref().map_or("", R::method).to_owned(),
        }
    }

    fn is_once(&self) -> bool {
        self.retry.as_ref().is_some_and(|retry| retry.once)
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

/// A call that looks for a binding.
struct Search {
    link: Arc<Link>,
    number: u64,
    deadline: Instant,
    once: bool,
    method: String,
}

/// Where a call stands that needs a binding.
enum Standing {
    InLine(Queued),
    Up(Box<Turn>),
}

impl Search {
    async fn run(self, standing: Standing) -> Bound {
        let Search { link, number, deadline, once, method } = self;
        let mut turn = None;
        let bind = async {
            turn = Some(match standing {
                Standing::InLine(queued) => Box::new(queued.await),
                Standing::Up(turn) => turn,
            });
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
        let binding = binding.unwrap_or_else(|_| {
            if link.is_strict() && turn.is_none() {
                return Err(NotStarted::out_of_time(&method, "the calls before it".to_owned()));
            }
            // That nobody could be reached says more than that there was no time to try once more.
            let out_of_time = || NotStarted::out_of_time(&method, format!("a connection to {}", link.uri));
            Err(link.trouble().unwrap_or_else(out_of_time))
        });
        Bound { binding, turn, number }
    }
}

/// Calls to an object of this process that need not run any more leave its queue.
fn sweep(binding: &Binding) {
    if let Route::Local(object) = &binding.route {
        object.sweep();
    }
}
