//! The objects of this process that the peer calls over one connection.

use std::sync::{Arc, Weak};

use tokio::time::Instant;

use crate::object::interface::Method;
use crate::object::local::{LocalDaemon, LocalObject};
use crate::object::outcome::NotStarted;
use crate::peer::connection::Shared;
use crate::peer::lane::Lane;
use crate::uri::ObjectId;
use crate::wire::{BindingTable, BoundMethod, Release, Target};

/// Objects that one connection may have open.
const MAX_EXPORTS: usize = 4096;

/// What the peer has opened. A handle is a place in this table.
pub(crate) struct Exports {
    daemon: Weak<dyn LocalDaemon>,
    /// `None` where one was let go.
    open: Vec<Option<Export>>,
    /// Objects that were let go while calls of them waited.
    late: bool,
}

/// One object that the peer has opened.
pub(crate) struct Export {
    pub(crate) object: Arc<dyn LocalObject>,
    pub(crate) lane: Arc<Lane>,
    pub(crate) methods: &'static [Method],
    /// Calls that this connection may have in its queue.
    share: u32,
    /// Calls put into its queue, modulo 2^32.
    pushed: u32,
    /// Answers that named its handle and that the peer is not done with.
    named: u32,
    /// The daemon counts it.
    _opened: Option<Arc<()>>,
}

impl Exports {
    /// Nothing is open yet.
    pub(crate) fn new(daemon: Weak<dyn LocalDaemon>) -> Exports {
        Exports { daemon, open: Vec::new(), late: false }
    }

    /// Opens the object that is meant, once.
    ///
    /// # Errors
    /// There is no such object, or too many are open.
    pub(crate) fn bind(&mut self, target: &Target, shared: &Arc<Shared>) -> Result<usize, NotStarted> {
        if let Target::Id(id) = target
            && let Some(at) = self.position(id)
        {
            return Ok(at);
        }
        let daemon = self.daemon.upgrade();
        let object = daemon.as_ref().and_then(|daemon| daemon.find(target)).ok_or_else(|| missing(target))?;
        if let Some(at) = self.position(object.id()) {
            return Ok(at);
        }
        if std::mem::take(&mut self.late) {
            (0..self.open.len()).for_each(|at| self.let_go(at));
        }
        let free = self.open.iter().position(Option::is_none);
        if free.is_none() && self.open.len() >= MAX_EXPORTS {
            return Err(NotStarted::Busy {
                what: "the connection's table of objects".to_owned(),
                retry_after_ms: 1000,
            });
        }
        // As long as it is open, the session's instance stays.
        let object = object.of_session(shared.caller.session).unwrap_or(Ok(object))?;
        let lane = Arc::new(Lane::new(Arc::clone(shared), Arc::clone(object.label()), object.methods()));
        let (methods, share) = (object.methods(), (object.capacity() / 2).max(1) as u32);
        let opened = daemon.and_then(|daemon| daemon.opened());
        let export = Some(Export { object, lane, methods, share, pushed: 0, named: 0, _opened: opened });
        match free {
            Some(at) => self.open[at] = export,
            None => self.open.push(export),
        }
        Ok(free.unwrap_or(self.open.len() - 1))
    }

    /// What the peer is told of an object that it has opened.
    pub(crate) fn name(&mut self, handle: usize) -> Option<BindingTable> {
        let export = self.at(handle)?;
        export.named = export.named.saturating_add(1);
        Some(export.table(handle))
    }

    /// The peer is done with so many answers that named this handle.
    pub(crate) fn release(&mut self, release: Release) {
        let at = release.handle as usize;
        if let Some(export) = self.at(at) {
            export.named = export.named.saturating_sub(release.count);
            self.late |= export.named == 0 && export.waiting() > 0;
        }
        self.let_go(at);
    }

    /// Lets an object go that the peer needs no more. One of whose calls some wait is still to be looked after.
    fn let_go(&mut self, at: usize) {
        if let Some(place) = self.open.get_mut(at) {
            place.take_if(|export| export.named == 0 && export.waiting() == 0);
        }
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.open.iter().position(|export| export.as_ref().is_some_and(|export| **export.object.id() == *id))
    }

    /// The daemon whose objects they are.
    pub(crate) fn daemon(&self) -> Weak<dyn LocalDaemon> {
        self.daemon.clone()
    }

    pub(crate) fn at(&mut self, handle: usize) -> Option<&mut Export> {
        self.open.get_mut(handle)?.as_mut()
    }

    /// Takes the calls that need not run any more out of the queues in which some of this connection wait. The earliest deadline of those
    /// that are left.
    pub(crate) fn sweep(&self) -> Option<Instant> {
        self.open
            .iter()
            .flatten()
            .filter(|export| export.waiting() > 0)
            .filter_map(|export| export.object.sweep())
            .min()
    }
}

impl Export {
    /// Calls of this connection in its queue.
    fn waiting(&self) -> u32 {
        self.pushed.wrapping_sub(self.lane.left())
    }

    /// The answer to "what can I call there".
    fn table(&self, handle: usize) -> BindingTable {
        let bound = |method: &Method| BoundMethod {
            name: method.name.to_owned(),
            flags: method.flags.bits(),
            fingerprint: method.fingerprint(),
        };
        BindingTable {
            handle: handle as u32,
            object: self.object.id().to_string(),
            methods: self.methods.iter().map(bound).collect(),
        }
    }

    /// Takes places for so many calls in the object's queue, or none; this connection may hold at most half of them.
    ///
    /// # Errors
    /// It would hold more than half.
    #[inline]
    pub(crate) fn admit(&mut self, calls: u32) -> Result<(), NotStarted> {
        if u64::from(self.waiting()) + u64::from(calls) > u64::from(self.share) {
            if calls > self.share {
                return Err(NotStarted::Unsupported {
                    method: "a batch".to_owned(),
                    problem: format!(
                        "{} takes at most {} calls of one connection at a time; make smaller batches",
                        self.object.label(),
                        self.share
                    ),
                });
            }
            let what = format!("this connection's half of the mailbox of {}", self.object.label());
            return Err(NotStarted::Busy { what, retry_after_ms: 10 });
        }
        self.pushed = self.pushed.wrapping_add(calls);
        Ok(())
    }
}

/// Ids that nobody chose die with their daemon, so one that is not known is a reference to an earlier one.
fn missing(target: &Target) -> NotStarted {
    match target {
        Target::Id(id) if ObjectId::is_generated(id) => NotStarted::StaleReference { object: id.clone() },
        Target::Id(object) | Target::Name(object) => NotStarted::NoSuchObject { object: object.clone() },
        Target::None | Target::Connection { .. } => NotStarted::NoSuchObject { object: String::new() },
    }
}
