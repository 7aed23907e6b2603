//! How a call is sent.

use std::sync::Arc;
use std::task::Context;

use crate::client::binding::{Binding, Choice, Route};
use crate::client::error::CallError;
use crate::client::exchange::{Bound, Ended, Exchange, State};
use crate::client::request::{Request, Terms};
use crate::client::runtime;
use crate::object::facts::Facts;
use crate::object::interface::MethodFlags;
use crate::object::items::carried;
use crate::object::outcome::NotStarted;
use crate::object::panic;
use crate::peer::connection::StartError;
use crate::peer::uploads::Destination;
use crate::wire::{AnnotationId, Features, Flags, FrameWriter, MessageType, SerializerId};

impl<R: Request> Exchange<R> {
    /// Sends the call; `None` when its end is to be waited for. An end that is there at once is rare, and boxed.
    pub(super) fn start(&mut self, binding: Arc<Binding>, cx: &mut Context<'_>) -> Option<Box<Ended<R>>> {
        let fail = |error| Some(Box::new(Err(error)));
        self.attempts += 1;
        if self.attempts > 1 && self.retry.is_none() && self.link.is_overtaken(self.number) {
            // Order goes before delivery: it is a gap, and its caller is told.
            let problem =
                "the connection was lost before it was sent, and a later call of this proxy was sent since".to_owned();
            return fail(CallError::NotStarted(NotStarted::Unreachable { uri: self.link.uri.to_string(), problem }));
        }
        self.request.as_mut()?.prepare(&binding);
        let request = self.request.as_ref()?;
        if self.left_ms == 0 {
            return fail(CallError::NotStarted(NotStarted::out_of_time(request.method(), None)));
        }
        if let Some(problem) = self.facts.as_ref().and_then(|facts| facts.problem()) {
            let (method, problem) = (request.method().to_owned(), problem.to_owned());
            return fail(CallError::NotStarted(NotStarted::NotSent { method, problem }));
        }
        let choice = match request.choose(&binding) {
            Ok(choice) => choice,
            Err(why) => return fail(CallError::NotStarted(why)),
        };
        if let Some(retry) = &mut self.retry {
            retry.idempotent = choice.flags.contains(MethodFlags::IDEMPOTENT);
            if let Err(error) = retry.send(&binding.route, request.method()) {
                return fail(error);
            }
        }
        match &binding.route {
            Route::Local(object) => {
                if let Some(why) = self.facts.as_ref().and_then(|facts| facts.deadlock(&**object, choice.flags)) {
                    return fail(CallError::NotStarted(why));
                }
                self.link.sent(self.number);
                let terms = self.terms();
                let outcome = self.request.take()?.submit(choice, object, terms, &mut { object });
                self.state = State::Local { outcome, binding, patience: None, late: false };
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
                        fail(CallError::NotStarted(NotStarted::NotSent { method, problem }))
                    }
                    Err(error) => self.again(&binding, error.not_started(self.link.uri.to_string())).map(Box::new),
                }
            }
        }
    }

    /// The same for a call whose message has streams of items.
    #[cold]
    pub(super) fn start_with_items(
        &mut self,
        binding: Arc<Binding>,
        choice: Choice,
        cx: &mut Context<'_>,
    ) -> Option<Box<Ended<R>>> {
        let (request, Route::Remote(connection, handle)) = (self.request.as_ref()?, &binding.route) else {
            return None;
        };
        let (method, serializer) = (request.method(), request.serializer(choice));
        let fail = |why| Some(Box::new(Err(CallError::NotStarted(why))));
        if !connection.speaks(Features::INLETS) {
            let problem = "it takes a stream of items, which the other end does not speak; call it by name with a list \
                           of the items, or bring the other end up to date";
            return fail(NotStarted::Unsupported { method: method.to_owned(), problem: problem.to_owned() });
        }
        let mut payload = Vec::new();
        let (written, loans) = carried::collect(|| {
            connection.addressed(|| panic::guard(|| request.write(choice, *handle, &binding.object, &mut payload)))
        });
        let written = written.unwrap_or_else(|report| Err(report.message));
        if let Err(problem) = written {
            return fail(NotStarted::NotSent { method: method.to_owned(), problem });
        }
        let to = Destination { handle: *handle, object: &binding.object, method, serializer };
        let limit = connection.max_message();
        let patience = self.left_ms.saturating_add(self.link.client.grace(self.left_ms));
        let started = connection.start_with_items(&to, patience, cx.waker(), loans, |out, seq, streams| {
            self.frame(MessageType::Invoke, serializer, Flags::ITEM_STREAM, seq, limit, out, |out| {
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
            Err(error) => self.again(&binding, error.not_started(self.link.uri.to_string())).map(Box::new),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "they are the parts of one frame")]
    pub(super) fn write(
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
        self.frame(request.kind(), serializer, flags, seq, limit, out, |out| request.write(choice, handle, object, out))
    }

    #[expect(clippy::too_many_arguments, reason = "they are the parts of one frame")]
    #[inline]
    pub(super) fn frame(
        &self,
        kind: MessageType,
        serializer: SerializerId,
        flags: Flags,
        seq: u16,
        limit: u32,
        out: &mut Vec<u8>,
        payload: impl FnOnce(&mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut frame = FrameWriter::begin(out, kind, serializer, flags, seq, self.correlation);
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
                if self.request.as_ref().is_some_and(counts) {
                    self.link.ledger().known.dropped += 1;
                }
                slog::warn!(self.link.client.config().log, "oneway lost"; "uri" => %self.link.uri, "why" => %why,
                    "correlation" => %self.correlation);
            }
            drop(turn);
        });
    }

    pub(super) fn oneway(&mut self, binding: &Arc<Binding>) -> Result<(), NotStarted> {
        let Some(request) = self.request.as_mut() else { return Ok(()) };
        request.prepare(binding);
        if request.tell_otherwise(&self.link, self.time_ms) {
            return Ok(());
        }
        let Some(request) = self.request.as_ref() else { return Ok(()) };
        let choice = request.choose(binding)?;
        let counts = counts(request);
        match &binding.route {
            Route::Local(object) => {
                self.link.sent(self.number);
                let account = counts.then(|| self.link.ledger().send_here());
                let terms = Terms { account, ..self.terms() };
                if let Some(request) = self.request.take() {
                    request.tell(choice, object, terms, &mut { object });
                }
                Ok(())
            }
            Route::Remote(connection, handle) => {
                let limit = connection.max_message();
                // Counted before it is sent, or it could end before that.
                let counted = counts && connection.speaks(Features::FLUSH);
                let account = if counted { self.link.ledger().send_there(binding, connection) } else { 0 };
                let sent = connection.send(*handle, account, |out, seq| {
                    self.write(request, choice, *handle, &binding.object, Flags::ONEWAY, seq, limit, out)
                });
                match &sent {
                    Ok(()) if counts && !counted => self.link.ledger().known.unknown += 1,
                    Err(_) if counted => self.link.ledger().unsend(binding, account),
                    _ => {}
                }
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
                        Err(error.not_started(self.link.uri.to_string()))
                    }
                }
            }
        }
    }
}

/// Whether a oneway is one by itself, so that it is known afterwards what became of it.
fn counts<R: Request>(request: &R) -> bool {
    request.kind() == MessageType::Invoke
}
