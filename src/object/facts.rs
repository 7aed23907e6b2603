//! What goes beside a call, where anything does: annotations of its caller and for its caller, and where it comes from. Most calls have none
//! of it, and pay nothing for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::object::context::Waiting;
use crate::object::interface::MethodFlags;
use crate::object::local::LocalObject;
use crate::object::outcome::NotStarted;
use crate::wire::{AnnotationId, Annotations, Chain, ChainLink, FrameWriter, TraceParent};

/// Bytes of the annotations that a caller may put on a call, and a handler on a reply: they are facts, and what is larger is an argument.
const MOST: usize = 4 * 1024;

/// The facts of one call.
#[derive(Debug, Default)]
pub struct Facts {
    /// The caller's own.
    annotations: Annotations,
    trace: Option<TraceParent>,
    /// Who waits for it.
    chain: Chain,
    /// What cannot be said so; the call is not made.
    problem: Option<String>,
    /// What the handler puts on the reply.
    reply: Mutex<Annotations>,
}

/// What a call passes on to those made on its behalf.
#[derive(Debug)]
pub(crate) struct Passed {
    trace: Option<TraceParent>,
    chain: Chain,
}

/// Why an annotation cannot be put on a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnnotationError {
    /// Its letters mean something to Pyroxene or to Pyro.
    #[error("an annotation with these letters is not yours to write; choose others")]
    Reserved,
    /// All of them together would be too large.
    #[error("annotations may have {MOST} bytes together; what is larger belongs into the value")]
    TooLarge,
    /// The caller has put no annotations on the call, and would read none.
    #[error("the caller put no annotations on the call, so the reply has none either")]
    Unasked,
}

impl Facts {
    /// Those of a call that has arrived with these annotations; `None` when they tell nothing but how much time there is.
    #[cold]
    pub(crate) fn received(all: &Annotations) -> Option<Arc<Facts>> {
        let annotations: Annotations = all.iter().filter(|(id, _)| !id.is_reserved()).collect();
        let trace = all.find(AnnotationId::TRACE).and_then(TraceParent::parse);
        let chain = all.find(AnnotationId::CHAIN).and_then(Chain::decode).unwrap_or_default();
        let any = !annotations.is_empty() || trace.is_some() || !chain.is_empty();
        any.then(|| Arc::new(Facts { annotations, trace, chain, ..Facts::default() }))
    }

    /// What the call in whose course this one is made passes on; what the caller said itself counts more.
    pub(crate) fn inherit(&mut self, passed: Passed) {
        self.trace = self.trace.take().or(passed.trace);
        self.chain = passed.chain;
    }

    /// Nobody waits for the call: it is a oneway.
    pub(crate) fn unchain(&mut self) {
        self.chain = Chain::default();
    }

    /// What a call passes on that has these facts, if any, and whose object waits for those made in its course, if it does.
    #[inline]
    pub(crate) fn passed(facts: Option<&Facts>, waits: Option<&Waiting>) -> Option<Passed> {
        if facts.is_none() && waits.is_none() { None } else { Facts::pass(facts, waits) }
    }

    #[cold]
    fn pass(facts: Option<&Facts>, waits: Option<&Waiting>) -> Option<Passed> {
        let (trace, mut chain) = facts.map(|facts| (facts.trace.clone(), facts.chain.clone())).unwrap_or_default();
        if let Some(Waiting { object, handler, name }) = waits {
            chain = chain.with(ChainLink { object: *object, handler: *handler, name: name.to_string() });
        }
        (trace.is_some() || !chain.is_empty()).then_some(Passed { trace, chain })
    }

    /// Why the call can never be answered, if so: `object` waits for it, and does not run its method meanwhile.
    pub(crate) fn deadlock(&self, object: &dyn LocalObject, method: MethodFlags) -> Option<NotStarted> {
        if self.chain.is_empty() {
            return None;
        }
        Some(NotStarted::Deadlock { chain: object.waits_for(&self.chain, method)? })
    }

    /// Who waits for the call.
    #[cfg(feature = "daemon")]
    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Adds an annotation of the caller's.
    pub(crate) fn annotate(&mut self, id: [u8; 4], value: &[u8]) {
        match add(&self.annotations, AnnotationId(id), value) {
            Ok(annotations) => self.annotations = annotations,
            Err(problem) => self.problem = Some(format!("annotation {:?}: {problem}", String::from_utf8_lossy(&id))),
        }
    }

    /// Says which trace the call belongs to.
    pub(crate) fn trace(&mut self, traceparent: &str) {
        self.trace = TraceParent::parse(traceparent.as_bytes());
        if self.trace.is_none() {
            self.problem =
                Some(format!("{traceparent:?} is not a traceparent, as in 00-{{32 digits}}-{{16 digits}}-01"));
        }
    }

    /// Why the call cannot be made, if so.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Writes them into the frame of the call.
    pub(crate) fn write(&self, frame: &mut FrameWriter, out: &mut Vec<u8>) {
        for (id, value) in self.annotations.iter() {
            frame.annotate(out, id, value);
        }
        if let Some(trace) = &self.trace {
            frame.annotate(out, AnnotationId::TRACE, trace.as_str().as_bytes());
        }
        if !self.chain.is_empty() {
            frame.annotate(out, AnnotationId::CHAIN, &self.chain.encode());
        }
    }

    /// Writes those for the caller into the frame of the reply.
    pub(crate) fn write_reply(&self, frame: &mut FrameWriter, out: &mut Vec<u8>) {
        for (id, value) in self.lock_reply().iter() {
            frame.annotate(out, id, value);
        }
    }

    /// The reply has come with these.
    pub(crate) fn replied(&self, annotations: &Annotations) {
        *self.lock_reply() = annotations.iter().filter(|(id, _)| !id.is_reserved()).collect();
    }

    /// What the reply has beside its value.
    pub(crate) fn of_reply(&self) -> Annotations {
        self.lock_reply().clone()
    }

    /// The caller's own.
    pub(crate) fn annotations(&self) -> &Annotations {
        &self.annotations
    }

    pub(crate) fn traceparent(&self) -> Option<&TraceParent> {
        self.trace.as_ref()
    }

    /// Puts an annotation on the reply.
    ///
    /// # Errors
    /// It cannot stand there.
    pub(crate) fn annotate_reply(&self, id: [u8; 4], value: &[u8]) -> Result<(), AnnotationError> {
        if self.annotations.is_empty() {
            return Err(AnnotationError::Unasked);
        }
        let mut reply = self.lock_reply();
        *reply = add(&reply, AnnotationId(id), value)?;
        Ok(())
    }

    fn lock_reply(&self) -> MutexGuard<'_, Annotations> {
        self.reply.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The annotations with one more.
fn add(annotations: &Annotations, id: AnnotationId, value: &[u8]) -> Result<Annotations, AnnotationError> {
    if id.is_reserved() {
        return Err(AnnotationError::Reserved);
    }
    let more: Annotations = annotations.iter().chain([(id, value)]).collect();
    if more.len() > MOST { Err(AnnotationError::TooLarge) } else { Ok(more) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_have_letters_of_their_own_and_little_room() {
        let mut facts = Facts::default();
        facts.annotate(*b"USER", b"eve");
        assert_eq!((facts.annotations().find(AnnotationId(*b"USER")), facts.problem()), (Some(&b"eve"[..]), None));
        facts.annotate(*b"DLIN", &[0; 4]);
        assert!(facts.problem().unwrap().contains("not yours"));
        let mut facts = Facts::default();
        facts.annotate(*b"BLOB", &[0; MOST - 8]);
        assert_eq!(facts.problem(), None);
        facts.annotate(*b"USER", b"");
        assert!(facts.problem().unwrap().contains("4096 bytes"));
    }

    #[test]
    fn a_reply_is_annotated_for_those_who_annotate() {
        let quiet = Facts::default();
        assert_eq!(quiet.annotate_reply(*b"COST", b"7"), Err(AnnotationError::Unasked));
        let mut facts = Facts::default();
        facts.annotate(*b"USER", b"eve");
        assert_eq!(facts.annotate_reply(*b"STRM", b""), Err(AnnotationError::Reserved));
        assert_eq!(facts.annotate_reply(*b"COST", b"7"), Ok(()));
        assert_eq!(facts.annotate_reply(*b"BLOB", &[0; MOST]), Err(AnnotationError::TooLarge));
        assert_eq!(facts.of_reply().find(AnnotationId(*b"COST")), Some(&b"7"[..]));
    }

    #[test]
    fn time_alone_is_no_fact() {
        let time: Annotations = [(AnnotationId::DEADLINE, &[0, 0, 0, 9][..])].into_iter().collect();
        assert!(Facts::received(&time).is_none());
        let bad: Annotations = [(AnnotationId::TRACE, &b"nonsense"[..])].into_iter().collect();
        assert!(Facts::received(&bad).is_none(), "a trace that cannot be read is none");
    }
}
