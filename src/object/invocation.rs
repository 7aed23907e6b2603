//! A call on its way to an object.

use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;

use crate::codec::args::Args;
use crate::codec::blob;
use crate::object::context::{CallScope, Caller};
use crate::object::facts::Facts;
use crate::object::interface::{Interface, signature_of};
use crate::object::items::{Incoming, carried};
use crate::object::local_caller::{LocalCaller, LocalReply};
use crate::object::message::RemoteMessage;
use crate::object::outcome::{Failure, NotStarted, Unknown};
use crate::object::reply::Reply;
use crate::wire::{Chain, Payload};

/// One call: which method, with what, until when, and where its outcome goes.
///
/// Whatever happens to it, its caller gets an answer: an invocation that is dropped says so itself.
pub struct Invocation {
    method: u32,
    body: Body,
    /// When the caller gives up.
    pub deadline: Instant,
    reply: Reply,
}

/// The arguments of an invocation, as they arrived.
pub enum Body {
    /// A whole message in the serializer of the call.
    Encoded(Payload),
    /// Positional and named values, to be matched with the message's fields.
    Arguments(Box<Args>),
    /// The message itself, held by the caller's reply.
    Local,
    /// Any of these, with streams of items that the message has places for.
    Streamed(Box<Streamed>),
}

/// The arguments of a call that carries streams.
pub struct Streamed {
    /// Everything else.
    pub body: Body,
    /// The streams, each at the place by which the arguments name it.
    pub inlets: Vec<Box<dyn Incoming>>,
}

impl Invocation {
    /// A call that arrived over a connection.
    pub fn new(method: u32, body: Body, deadline: Instant, reply: Reply) -> Invocation {
        Invocation { method, body, deadline, reply }
    }

    /// A call from this process: the message is handed over as it is.
    pub(crate) fn local<M: RemoteMessage>(
        method: u32,
        deadline: Instant,
        facts: Option<Arc<Facts>>,
        caller: LocalCaller<M>,
    ) -> Invocation {
        Invocation { method, body: Body::Local, deadline, reply: Reply::local(Box::new(caller), facts) }
    }

    /// A call from this process by somebody who knows only names.
    pub(crate) fn local_dyn(
        method: u32,
        args: Args,
        deadline: Instant,
        facts: Option<Arc<Facts>>,
        caller: impl LocalReply,
    ) -> Invocation {
        let reply = Reply::local(Box::new(caller), facts);
        Invocation { method, body: Body::Arguments(Box::new(args)), deadline, reply }
    }

    /// The place of the method in the object's table.
    pub fn method(&self) -> usize {
        self.method as usize
    }

    /// The same call, of a table of methods that begins at this place of the object's.
    pub fn within(self, first: usize) -> Invocation {
        Invocation { method: self.method.saturating_sub(first as u32), ..self }
    }

    /// Who waits for it, if anybody does.
    #[cfg(feature = "daemon")]
    pub(crate) fn chain(&self) -> Option<&Chain> {
        self.reply.facts().map(|facts| facts.chain())
    }

    /// Makes it the current call of this thread.
    #[inline]
    pub(crate) fn enter(&self, scope: &CallScope) {
        scope.set(self.reply.correlation(), self.deadline, self.reply.caller(), self.reply.facts());
    }

    /// It leaves the object's queue: why it need not be run any more, if so.
    #[inline]
    pub(crate) fn unwanted(&self, is_past: impl FnOnce(Instant) -> bool) -> Option<NotStarted> {
        let abandoned = self.reply.dequeued();
        self.why_not(abandoned, is_past)
    }

    /// The same while it waits in the queue.
    pub(crate) fn is_unwanted(&self, now: Instant) -> bool {
        self.deadline <= now || self.reply.is_abandoned()
    }

    /// It is taken out of the queue, where it waited for nothing.
    pub(crate) fn withdraw(self, now: Instant) {
        self.reply.withdrawn();
        let why = self.why_not(self.reply.is_abandoned(), |deadline| deadline <= now).unwrap_or(NotStarted::Cancelled);
        self.refuse(why);
    }

    #[inline]
    fn why_not(&self, abandoned: bool, is_past: impl FnOnce(Instant) -> bool) -> Option<NotStarted> {
        if abandoned {
            Some(NotStarted::Cancelled)
        } else if is_past(self.deadline) {
            Some(NotStarted::out_of_time(&self.reply.names().1, None))
        } else {
            None
        }
    }

    /// The message. From here on the call has run. Arguments that do not fit are answered here, and the call never runs.
    #[inline]
    pub fn begin<M: RemoteMessage>(&mut self) -> Option<M> {
        match read::<M>(&mut self.body, &mut self.reply) {
            Ok(message) => {
                self.reply.begin();
                Some(message)
            }
            Err(problem) => {
                self.misfit::<M>(problem);
                None
            }
        }
    }

    /// Ends the call with what its handler returned.
    #[inline]
    pub fn end<M: RemoteMessage>(&mut self, output: M::Output) {
        self.reply.send::<M>(output);
    }

    /// The same as [`begin`](Invocation::begin), for handlers that end later.
    pub fn open<M: RemoteMessage>(mut self) -> Option<(M, ReplyTo<M>)> {
        let message = self.begin::<M>()?;
        Some((message, ReplyTo { reply: self.reply, message: std::marker::PhantomData }))
    }

    #[cold]
    fn misfit<M: RemoteMessage>(&mut self, problem: String) {
        let (object, method) = self.reply.names();
        let signature = signature_of::<M>().to_string();
        self.reply.end(Failure::NotStarted(NotStarted::WrongArguments {
            object,
            method,
            problem,
            signature,
            caller: None,
        }));
    }

    /// Who calls.
    pub(crate) fn caller(&self) -> &Caller {
        self.reply.caller()
    }

    /// There is no room for it in the queue: the place that its connection took there is free again.
    pub(crate) fn turn_away(self, why: NotStarted) {
        self.reply.withdrawn();
        self.refuse(why);
    }

    /// Ends the call without running it.
    pub fn refuse(self, why: NotStarted) {
        self.reply.fail(Failure::NotStarted(why));
    }

    /// Ends a call of a method that the object does not list.
    pub fn refuse_unlisted<I: Interface + ?Sized>(self) {
        let (object, method) = self.reply.names();
        self.refuse(NotStarted::NoSuchMethod {
            object,
            nearest: nearest(&method, I::METHODS.iter().map(|m| m.name)),
            method,
        });
    }
}

#[inline(always)]
fn read<M: RemoteMessage>(body: &mut Body, reply: &mut Reply) -> Result<M, String> {
    match body {
        Body::Encoded(bytes) => {
            blob::decode(reply.serializer(), bytes, &reply.budget(), M::show_lists).map_err(|e| e.to_string())
        }
        Body::Arguments(args) => {
            std::mem::take(&mut **args).into_message::<M>(M::METHOD, &reply.budget()).map_err(|e| e.to_string())
        }
        Body::Local => reply.message::<M>().ok_or_else(|| format!("{} was called with another message", M::METHOD)),
        Body::Streamed(streamed) => read_streamed(streamed, reply),
    }
}

#[cold]
fn read_streamed<M: RemoteMessage>(streamed: &mut Streamed, reply: &mut Reply) -> Result<M, String> {
    let Streamed { body, inlets } = streamed;
    let inlets = std::mem::take(inlets);
    let (message, left) = carried::with_inlets(inlets, || read::<M>(body, reply));
    match message {
        Ok(_) if left > 0 => Err(format!("{left} of the streams that come with it have no place in its arguments")),
        message => message,
    }
}

/// Where the outcome of the handler for `M` goes. Dropped without one, it tells the caller so.
pub struct ReplyTo<M: RemoteMessage> {
    reply: Reply,
    message: std::marker::PhantomData<fn(M)>,
}

impl<M: RemoteMessage> ReplyTo<M> {
    /// Ends the call with what the handler returned.
    pub fn send(mut self, output: M::Output) {
        self.reply.send::<M>(output);
    }

    /// Ready once nobody waits for the outcome any more.
    pub(crate) fn poll_abandoned(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.reply.poll_abandoned(cx)
    }

    /// Nobody asks any more whether anybody waits.
    pub(crate) fn unwatch(&self) {
        self.reply.unwatch();
    }

    /// Ends the call, whose handler was stopped: its time was over, or else its caller had gone.
    pub(crate) fn stopped(self, late: bool) {
        let (object, method) = self.reply.names();
        // How much time it had, only its caller knows.
        let late = late.then_some(Unknown::OutOfTime { method, timeout_ms: 0 });
        self.reply.fail(Failure::Unknown(late.unwrap_or(Unknown::Aborted { object })));
    }

    /// Ends the call with the panic that ended its handler.
    pub fn panicked(self, report: crate::object::panic::PanicReport) {
        self.reply.panicked(report);
    }
}

/// The name among `known` that is most like `name`, if one is alike.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let limit = name.chars().count().div_ceil(3).max(1);
    let best = known.map(|other| (distance(name, other), other)).min()?;
    (best.0 <= limit).then(|| best.1.to_owned())
}

/// Edits between two short texts (Levenshtein); long ones are simply far apart.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_fits_two_cache_lines() {
        assert!(size_of::<Invocation>() <= 128, "{} bytes", size_of::<Invocation>());
    }

    #[test]
    fn a_slip_of_the_finger_finds_its_method() {
        let methods = ["withdraw", "balance", "remark"];
        assert_eq!(nearest("withdrow", methods.into_iter()), Some("withdraw".into()));
        assert_eq!(nearest("balanse", methods.into_iter()), Some("balance".into()));
        assert_eq!(nearest("fly_to_the_moon", methods.into_iter()), None);
    }
}
