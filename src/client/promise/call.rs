//! A call on a reference that need not have arrived.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use crate::client::call::{Call, Typed};
use crate::client::error::CallError;
use crate::client::exchange::end::unreadable;
use crate::client::promise::{Promise, Stage, State};
use crate::client::proxy::Proxy;
use crate::codec::args::Args;
use crate::codec::call::NamedCall;
use crate::codec::fault::Fault;
use crate::codec::{blob, lists};
use crate::object::facts::Facts;
use crate::object::interface::{Interface, signature_of};
use crate::object::message::{RemoteError, RemoteMessage};
use crate::object::outcome::{Failure, NotStarted, Unknown};
use crate::peer::connection::Connection;
use crate::peer::handshake::NO_OBJECT;
use crate::peer::in_flight::{Answer, Ending};
use crate::transport::network::BoxFuture;
#[cfg(feature = "blocking")]
use crate::uri::Uri;
use crate::wire::chunk::CHUNK_BYTES;
use crate::wire::{AnnotationId, CorrelationId, Flags, FrameWriter, MessageType, Pipeline, SerializerId};

type Ended<N> = Result<<N as RemoteMessage>::Reply, CallError<<N as RemoteMessage>::Error>>;

/// A call on a [`Promise`], made when it is awaited. Dropping it gives it up.
#[must_use = "a call is made when it is awaited"]
pub struct PipelinedCall<M: RemoteMessage, A: ?Sized, N: RemoteMessage> {
    promise: Promise<M, A>,
    /// Kept until the end, since it may have to be sent again.
    call: Option<Typed<N>>,
    asked_ms: Option<u32>,
    time_ms: u32,
    deadline: Instant,
    correlation: CorrelationId,
    /// What it has from the call in whose course it is made.
    facts: Option<Arc<Facts>>,
    step: Step<M, A, N>,
}

/// The head of the line.
type Turn = OwnedMutexGuard<()>;
/// What the call that it depends on has come to.
type Known<M, A> = Result<Proxy<A>, Arc<CallError<<M as RemoteMessage>::Error>>>;

enum Step<M: RemoteMessage, A: ?Sized, N: RemoteMessage> {
    New,
    /// Others are before it.
    InLine(BoxFuture<'static, Turn>),
    /// Its turn: for the reference, or until the call that ends with it is under way.
    Waits(BoxFuture<'static, Option<Known<M, A>>>, Option<Turn>),
    /// On its way to whatever the reference will be.
    Sent(Connection, u16),
    /// On its way to the object.
    Direct(Call<N>),
    Over,
}

impl<M, A, N> PipelinedCall<M, A, N>
where
    M: RemoteMessage,
    A: Interface + ?Sized,
    N: RemoteMessage,
{
    pub(super) fn new(promise: Promise<M, A>, call: Typed<N>) -> PipelinedCall<M, A, N> {
        PipelinedCall {
            promise,
            call: Some(call),
            asked_ms: None,
            time_ms: 0,
            deadline: Instant::now(),
            correlation: CorrelationId::NONE,
            facts: None,
            step: Step::New,
        }
    }

    /// The time the call has, milliseconds; it begins now, and not when the reference is there.
    pub fn timeout_ms(mut self, ms: u32) -> PipelinedCall<M, A, N> {
        self.asked_ms = Some(ms);
        self
    }

    /// Where the call was made that ends with the object.
    #[cfg(feature = "blocking")]
    pub(crate) fn uri(&self) -> Uri {
        self.promise.0.link.uri.clone()
    }

    fn begin(&mut self) {
        let link = &self.promise.0.link;
        let (time_ms, correlation, passed) = link.client.inherit(self.asked_ms, link.correlation(link.number()));
        (self.time_ms, self.correlation) = (time_ms, correlation);
        self.facts = passed.map(|passed| {
            let mut facts = Facts::default();
            facts.inherit(*passed);
            Arc::new(facts)
        });
        self.deadline = Instant::now() + Duration::from_millis(self.time_ms.into());
    }

    fn left_ms(&self) -> u32 {
        let left = self.deadline.saturating_duration_since(Instant::now()).as_millis();
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// It is its turn: on its way, or waiting for what it needs.
    fn go(&mut self, turn: Option<Turn>, cx: &mut Context<'_>) -> Option<Ended<N>> {
        let shared = Arc::clone(&self.promise.0);
        // Under the lock that ends the call it depends on, so that its number cannot become another's.
        let state = shared.lock();
        if let State::Known(known) = &*state {
            let known = known.clone();
            drop(state);
            return self.direct(known, turn, cx);
        }
        let waits_for = match state.under_way() {
            Ok((connection, on)) => match self.start(connection, on, cx.waker()) {
                Ok(seq) => {
                    self.step = Step::Sent(connection.clone(), seq);
                    return None;
                }
                // Then it waits, and is sent in its own right.
                Err(()) => Stage::Known,
            },
            Err(stage) => stage,
        };
        drop(state);
        self.wait(waits_for, turn);
        None
    }

    /// Waits for the call it depends on to come so far.
    fn wait(&mut self, waits_for: Stage, turn: Option<Turn>) {
        let mut stage = self.promise.0.stage.subscribe();
        let (shared, deadline) = (Arc::clone(&self.promise.0), self.deadline);
        let known = async move {
            // It is there as long as it is held here.
            let _ = stage.wait_for(|stage| *stage >= waits_for).await;
            match &*shared.lock() {
                State::Known(known) => Some(known.clone()),
                State::Calling(_) => None,
            }
        };
        let late = || Some(Err(Arc::new(CallError::NotStarted(NotStarted::out_of_time(M::METHOD, None)))));
        self.step = Step::Waits(
            Box::pin(async move { tokio::time::timeout_at(deadline, known).await.unwrap_or_else(|_| late()) }),
            turn,
        );
    }

    fn start(&self, connection: &Connection, on: u16, waker: &Waker) -> Result<u16, ()> {
        let call = self.call.as_ref().ok_or(())?;
        let args = connection.addressed(|| call.written(Args::from_message)).map_err(drop)?;
        let call = NamedCall { object: String::new(), method: N::METHOD.to_owned(), args };
        let (left_ms, correlation) = (self.left_ms(), self.correlation);
        let client = &self.promise.0.link.client;
        let (default, patience) = (client.config().timeout_ms, left_ms.saturating_add(client.grace(left_ms)));
        let started = connection.start(NO_OBJECT, patience, waker, |out, seq| {
            let (kind, serializer) = (MessageType::Pipeline, SerializerId::MESSAGE_PACK);
            let mut frame = FrameWriter::begin(out, kind, serializer, Flags::default(), seq, correlation);
            if left_ms != default {
                frame.annotate(out, AnnotationId::DEADLINE, &left_ms.to_be_bytes());
            }
            if let Some(facts) = &self.facts {
                facts.write(&mut frame, out);
            }
            Pipeline::On(on).encode(out);
            match call.encode(serializer, out) {
                // A large one waits for the object: on its way it could be overtaken by those that are sent straight to it.
                Ok(()) => {
                    let limit = connection.max_message().min(CHUNK_BYTES as u32);
                    frame.finish(out, limit).map_err(|error| error.to_string())
                }
                Err(error) => {
                    frame.abandon(out);
                    Err(error.to_string())
                }
            }
        });
        started.map_err(drop)
    }

    /// Calls the object itself, or says why there is none.
    fn direct(&mut self, known: Known<M, A>, turn: Option<Turn>, cx: &mut Context<'_>) -> Option<Ended<N>> {
        let ended = match known {
            Ok(proxy) => {
                let left_ms = self.left_ms();
                let mut call = proxy.call(self.call.take()?).timeout_ms(left_ms);
                let polled = Pin::new(&mut call).poll(cx);
                self.step = Step::Direct(call);
                match polled {
                    Poll::Ready(ended) => Some(ended),
                    Poll::Pending => None,
                }
            }
            Err(error) => Some(Err(CallError::NotStarted(match &*error {
                CallError::NotStarted(NotStarted::OutOfTime { .. }) if self.deadline <= Instant::now() => {
                    NotStarted::out_of_time(N::METHOD, format!("the reply of {}", M::METHOD))
                }
                error => NotStarted::DependencyFailed { problem: error.to_string() },
            }))),
        };
        // Only now may those behind go on: this one has been sent.
        drop(turn);
        ended
    }

    fn end(&mut self, connection: &Connection, ending: Ending) -> Option<Ended<N>> {
        let again = |this: &mut Self| {
            this.wait(Stage::Known, None);
            None
        };
        match ending {
            Ending::Reply(answer) if answer.flags.contains(Flags::EXCEPTION) => match self.fault(&answer) {
                CallError::NotStarted(NotStarted::Elsewhere) => again(self),
                error => Some(Err(error)),
            },
            Ending::Reply(mut answer) => {
                let budget = self.promise.0.link.client.budget();
                let value = blob::decode(answer.serializer, &mut answer.payload, &budget, lists::show);
                Some(value.map_err(|problem| self.unreadable(&problem.to_string())))
            }
            Ending::OutOfTime { sent: false } => {
                Some(Err(CallError::NotStarted(NotStarted::unsent_in_time(N::METHOD))))
            }
            Ending::OutOfTime { sent: true } => {
                let (method, timeout_ms) = (N::METHOD.to_owned(), self.time_ms);
                Some(Err(CallError::Unknown(Unknown::OutOfTime { method, timeout_ms })))
            }
            Ending::Lost { written: true } => {
                let (peer, problem) = (connection.peer().to_owned(), connection.problem());
                Some(Err(CallError::Unknown(Unknown::Disconnected { peer, problem })))
            }
            Ending::Lost { written: false } => again(self),
        }
    }

    fn fault(&self, answer: &Answer) -> CallError<N::Error> {
        let budget = self.promise.0.link.client.budget();
        let fault = match Fault::decode(answer.serializer, &answer.payload, &budget) {
            Ok(fault) => fault,
            Err(problem) => return self.unreadable(&problem.to_string()),
        };
        match Failure::from_fault(fault, &budget) {
            Ok(Failure::NotStarted(why)) => {
                CallError::NotStarted(why.told_to(|| Some(signature_of::<N>().to_string())))
            }
            Ok(failure) => failure.into(),
            Err(fault) if fault.class == N::Error::class() => match fault.detail.decode(&budget) {
                Ok(error) => CallError::Raised(error),
                Err(_) => CallError::Failed(Box::new(fault)),
            },
            Err(fault) => CallError::Failed(Box::new(fault)),
        }
    }

    fn unreadable(&self, problem: &str) -> CallError<N::Error> {
        CallError::Failed(Box::new(unreadable(N::METHOD, &self.promise.0.link, problem)))
    }
}

// Nothing in it is pinned: its futures are boxed.
impl<M: RemoteMessage, A: ?Sized, N: RemoteMessage> Unpin for PipelinedCall<M, A, N> {}

impl<M: RemoteMessage, A: Interface + ?Sized, N: RemoteMessage> Future for PipelinedCall<M, A, N> {
    type Output = Ended<N>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended<N>> {
        let this = self.get_mut();
        loop {
            let ended = match &mut this.step {
                Step::New => {
                    this.begin();
                    match Arc::clone(&this.promise.0.line).try_lock_owned() {
                        Ok(turn) => this.go(Some(turn), cx),
                        Err(_) => {
                            this.step = Step::InLine(Box::pin(Arc::clone(&this.promise.0.line).lock_owned()));
                            None
                        }
                    }
                }
                Step::InLine(line) => {
                    let turn = std::task::ready!(line.as_mut().poll(cx));
                    this.go(Some(turn), cx)
                }
                Step::Waits(known, turn) => {
                    let known = std::task::ready!(known.as_mut().poll(cx));
                    let turn = turn.take();
                    match known {
                        Some(known) => this.direct(known, turn, cx),
                        None => this.go(turn, cx),
                    }
                }
                Step::Sent(connection, seq) => {
                    let connection = connection.clone();
                    let Some((ending, _)) = connection.poll(*seq, cx.waker()) else { return Poll::Pending };
                    this.step = Step::Over;
                    this.end(&connection, ending)
                }
                Step::Direct(call) => Some(std::task::ready!(Pin::new(call).poll(cx))),
                Step::Over => return Poll::Pending,
            };
            if let Some(ended) = ended {
                this.step = Step::Over;
                return Poll::Ready(ended);
            }
        }
    }
}

impl<M: RemoteMessage, A: ?Sized, N: RemoteMessage> Drop for PipelinedCall<M, A, N> {
    fn drop(&mut self) {
        if let Step::Sent(connection, seq) = &self.step {
            connection.abandon(*seq);
        }
    }
}
