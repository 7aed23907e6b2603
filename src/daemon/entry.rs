//! What stays of an object while its actors come and go: its id, its queue and its state.

mod local;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use actix::{Actor, Addr, Context};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::daemon::allow::{Allow, denies};
use crate::daemon::deliver::{Deliver, Mailbox};
use crate::daemon::exclusive::Exclusive;
use crate::daemon::own::Home;
use crate::daemon::state::State;
use crate::object::ended::{Ended, Ending};
use crate::object::interface::{Kind, Method};
use crate::object::invocation::Invocation;
use crate::object::local::Nameplate;
use crate::object::outcome::NotStarted;

/// Calls that one object runs before the others on its arbiter get their turn.
const TURN: usize = 64;
/// After how long a caller that found a full queue may try again, milliseconds.
const RETRY_MS: u32 = 10;

/// An object of a daemon.
pub struct Entry {
    nameplate: Nameplate,
    name: Option<Arc<str>>,
    kind: &'static Kind,
    /// Where its callers find it; `None` for what no proxy leads to.
    home: Option<Home>,
    /// Who may call it; `None` lets everybody.
    allow: Option<Arc<dyn Allow>>,
    exclusive: Exclusive,
    queue: Mutex<Queue>,
    /// The generation, beside the queue, so that a turn can look before each call whether it is still its own.
    current: AtomicU64,
    /// Attributes of it that are watched.
    observed: AtomicU32,
    /// Told to whoever watches it. It takes more memory than all the rest, and few are watched.
    ended: OnceLock<watch::Sender<Option<Ended>>>,
    /// Tells the supervisor; with the generation that was lost.
    on_loss: OnLoss,
}

/// Hears that the actor of an object was lost: its id, the generation, and how. The objects of a daemon share one.
pub(crate) type OnLoss = Arc<dyn Fn(Arc<str>, u64, Loss) + Send + Sync>;

struct Queue {
    waiting: VecDeque<Invocation>,
    /// The actor of `generation`, while it lives.
    actor: Option<Arc<dyn Mailbox>>,
    generation: u64,
    /// A [`Deliver`] is on its way, or being run.
    scheduled: bool,
    /// Calls have left the queue in a turn that has not ended; they go before those that wait.
    turn: bool,
    /// When it is to be started again, while it is not there after a failure.
    restarts_at: Option<Instant>,
    state: State,
}

/// How an actor was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// A handler or the factory panicked, with this text.
    Panicked(String),
    /// A handler stopped the actor on purpose.
    Stopped,
    /// The actor ended outside of a handler.
    Died,
}

impl Entry {
    pub(crate) fn new(
        id: Arc<str>,
        name: Option<Arc<str>>,
        kind: &'static Kind,
        capacity: usize,
        on_loss: OnLoss,
    ) -> Entry {
        let queue = Queue {
            waiting: VecDeque::new(),
            actor: None,
            generation: 0,
            scheduled: false,
            turn: false,
            restarts_at: None,
            state: State::Starting,
        };
        let (exclusive, queue, current) = (Exclusive::new(), Mutex::new(queue), AtomicU64::new(0));
        let (observed, ended) = (AtomicU32::new(0), OnceLock::new());
        let label = Arc::clone(name.as_ref().unwrap_or(&id));
        let nameplate = Nameplate { id, label, methods: kind.methods, capacity };
        Entry { nameplate, name, kind, home: None, allow: None, exclusive, queue, current, observed, ended, on_loss }
    }

    /// The same, callable by those only whom it allows.
    pub(crate) fn allow(self, allow: Option<Arc<dyn Allow>>) -> Entry {
        Entry { allow, ..self }
    }

    /// The same, found here by its callers.
    pub(crate) fn at(self, home: Home) -> Entry {
        Entry { home: Some(home), ..self }
    }

    /// Where its callers find it.
    pub(crate) fn home(&self) -> Option<&Home> {
        self.home.as_ref()
    }

    /// What it is.
    pub(crate) fn what(&self) -> &'static Kind {
        self.kind
    }

    /// Whether this is its actor.
    pub(crate) fn is_run_by<A: Actor<Context = Context<A>>>(&self, actor: &Addr<A>) -> bool {
        self.lock().actor.as_ref().is_some_and(|own| own.is(actor))
    }

    /// What its callers know of it.
    pub(crate) fn nameplate(&self) -> &Nameplate {
        &self.nameplate
    }

    /// Its id.
    pub fn id(&self) -> &Arc<str> {
        &self.nameplate.id
    }

    /// The name it was given, by which a `PYROLOC` URI finds it.
    pub fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// The name of its type.
    pub fn kind(&self) -> &'static str {
        self.kind.name
    }

    /// The version of the package that its type is from.
    pub fn version(&self) -> &'static str {
        self.kind.version
    }

    /// The same for instances of it.
    pub(crate) fn instance(&self, id: Arc<str>, capacity: usize, on_loss: OnLoss) -> Entry {
        let made = Entry::new(id, Some(Arc::clone(self.label())), self.kind, capacity, on_loss);
        // Callers know it by that of the object.
        Entry { home: self.home.clone(), ..made }
    }

    /// Its methods.
    pub fn methods(&self) -> &'static [Method] {
        self.nameplate.methods
    }

    /// Calls that its queue holds at most.
    pub fn capacity(&self) -> usize {
        self.nameplate.capacity
    }

    /// What it is doing.
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// The same as a person reads it; a failed object says since when.
    pub(crate) fn condition(&self) -> String {
        let state = self.state();
        // Not held while the queue is locked, which is the other way round elsewhere.
        match (&state, self.ended_ago()) {
            (State::Failed(problem), Some(ago)) => format!("failed {ago}: {problem}"),
            _ => state.to_string(),
        }
    }

    /// Its end, once it is gone or about to go.
    pub(crate) fn ended(&self) -> watch::Receiver<Option<Ended>> {
        self.ending().subscribe()
    }

    fn ending(&self) -> &watch::Sender<Option<Ended>> {
        self.ended.get_or_init(|| watch::Sender::new(None))
    }

    /// For how long it has been gone, as a person reads it.
    fn ended_ago(&self) -> Option<String> {
        self.ended.get()?.borrow().as_ref().and_then(Ended::ago)
    }

    /// Calls that wait in its queue.
    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// How often its state was built.
    pub fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// What faults call it: its name if it has one.
    pub fn label(&self) -> &Arc<str> {
        &self.nameplate.label
    }

    /// Which of its handlers has it to itself.
    pub(crate) fn exclusive(&self) -> &Exclusive {
        &self.exclusive
    }

    /// Takes a call into the queue, or answers it.
    pub fn push(self: &Arc<Self>, invocation: Invocation) {
        if let Some(why) = self.denies(&invocation) {
            return invocation.turn_away(why);
        }
        let mut queue = self.lock();
        if self.room(&queue) > 0 {
            queue.waiting.push_back(invocation);
            return self.wake(queue);
        }
        let why = self.full(&queue);
        drop(queue);
        invocation.turn_away(why);
    }

    /// Takes calls into the queue, in their order, or answers them.
    pub fn push_all(self: &Arc<Self>, invocations: &mut VecDeque<Invocation>) {
        self.turn_away_strangers(invocations);
        let mut queue = self.lock();
        let room = self.room(&queue);
        if queue.waiting.is_empty() && invocations.len() <= room {
            std::mem::swap(&mut queue.waiting, invocations);
            return self.wake(queue);
        }
        let taken = invocations.len().min(room);
        queue.waiting.extend(invocations.drain(..taken));
        let why = (!invocations.is_empty()).then(|| self.full(&queue));
        self.wake(queue);
        // Without the lock: an answer takes that of the connection.
        invocations.drain(..).zip(why.iter().cycle()).for_each(|(invocation, why)| invocation.turn_away(why.clone()));
    }

    /// Why the call is not allowed; `None` if it is.
    #[inline]
    pub(crate) fn denies(&self, invocation: &Invocation) -> Option<NotStarted> {
        let allow = self.allow.as_ref()?;
        let method = self.methods().get(invocation.method()).map_or("", |method| method.name);
        denies(allow, invocation.caller(), self.label(), method)
    }

    /// Answers the calls that are not allowed.
    #[inline]
    pub(crate) fn turn_away_strangers(&self, invocations: &mut VecDeque<Invocation>) {
        if self.allow.is_none() {
            return;
        }
        for invocation in std::mem::take(invocations) {
            match self.denies(&invocation) {
                Some(why) => invocation.turn_away(why),
                None => invocations.push_back(invocation),
            }
        }
    }

    /// How many calls it takes now.
    fn room(&self, queue: &Queue) -> usize {
        match queue.state {
            State::Starting | State::Running => self.capacity().saturating_sub(queue.waiting.len()),
            _ => 0,
        }
    }

    /// What a call is told that it does not take now.
    fn full(&self, queue: &Queue) -> NotStarted {
        match queue.restarts_at {
            Some(at) if queue.state == State::Starting => {
                let pause = at.saturating_duration_since(Instant::now()).as_millis();
                let retry_after_ms = u32::try_from(pause).unwrap_or(u32::MAX).max(RETRY_MS);
                NotStarted::Restarting { object: self.label().to_string(), retry_after_ms }
            }
            _ => self.refusal(&queue.state),
        }
    }

    /// What a call is told that comes now; `None` when it is taken.
    pub(crate) fn refuses(&self) -> Option<NotStarted> {
        let queue = self.lock();
        (self.room(&queue) == 0).then(|| self.full(&queue))
    }

    /// What a call is told in this state.
    fn refusal(&self, state: &State) -> NotStarted {
        let label = self.label().to_string();
        match state {
            State::Starting | State::Running | State::Passive => {
                NotStarted::Busy { what: format!("the mailbox of {label}"), retry_after_ms: RETRY_MS }
            }
            State::Draining | State::Gone => NotStarted::Draining { what: label },
            State::Failed(problem) => {
                let problem = self.ended_ago().map_or_else(|| problem.clone(), |ago| format!("{problem} ({ago})"));
                NotStarted::ObjectFailed { object: label, problem }
            }
        }
    }

    /// Moves the next calls for the actor of this generation into `turn`, which is empty: all that wait, but not more than a fair share.
    /// Says whether there are any; when not, the queue keeps its memory, unless it is much.
    pub(crate) fn take_turn(&self, generation: u64, turn: &mut VecDeque<Invocation>) -> bool {
        let mut queue = self.lock();
        if queue.generation != generation {
            return false;
        }
        if queue.waiting.is_empty() {
            (queue.scheduled, queue.turn) = (false, false);
            if queue.waiting.capacity() > TURN {
                queue.waiting = VecDeque::new();
            }
            return false;
        }
        // What is in a turn has left the queue, so a small queue has small turns.
        let share = (self.capacity() / 16).clamp(1, TURN);
        if queue.waiting.len() <= share {
            std::mem::swap(&mut queue.waiting, turn);
        } else {
            turn.extend(queue.waiting.drain(..share));
        }
        (queue.scheduled, queue.turn) = (true, true);
        true
    }

    /// Puts back what the turn of this generation did not come to, in its old place; or else its memory. Says whether calls wait for it.
    pub(crate) fn give_back(self: &Arc<Self>, generation: u64, turn: &mut VecDeque<Invocation>) -> bool {
        let mut queue = self.lock();
        queue.turn = false;
        if matches!(queue.state, State::Failed(_) | State::Gone) {
            // Those who waited have been told without these.
            let why = self.refusal(&queue.state);
            drop(queue);
            turn.drain(..).for_each(|invocation| invocation.refuse(why.clone()));
            return false;
        }
        while let Some(invocation) = turn.pop_back() {
            queue.waiting.push_front(invocation);
        }
        if queue.waiting.is_empty() {
            std::mem::swap(&mut queue.waiting, turn);
        }
        if queue.generation != generation {
            // Another one may have come meanwhile, and waits for these.
            self.wake(queue);
            return false;
        }
        !queue.waiting.is_empty()
    }

    /// Moves such calls into `turn`, which is empty.
    pub(crate) fn take_such(&self, such: impl Fn(&Invocation) -> bool, turn: &mut VecDeque<Invocation>) {
        let mut queue = self.lock();
        let waiting = std::mem::take(&mut queue.waiting);
        (*turn, queue.waiting) = waiting.into_iter().partition(such);
    }

    /// Takes the calls out of the queue that need not run any more: their callers are told, and others get their places. The earliest
    /// deadline of those that are left.
    pub(crate) fn sweep(&self, now: Instant) -> Option<Instant> {
        let mut queue = self.lock();
        let earliest = |waiting: &VecDeque<Invocation>| waiting.iter().map(|invocation| invocation.deadline).min();
        if !queue.waiting.iter().any(|invocation| invocation.is_unwanted(now)) {
            return earliest(&queue.waiting);
        }
        let mut unwanted = Vec::new();
        for invocation in std::mem::take(&mut queue.waiting) {
            if invocation.is_unwanted(now) {
                unwanted.push(invocation);
            } else {
                queue.waiting.push_back(invocation);
            }
        }
        let earliest = earliest(&queue.waiting);
        drop(queue);
        // Without the lock: an answer takes that of the connection.
        unwanted.into_iter().for_each(|invocation| invocation.withdraw(now));
        earliest
    }

    /// The generation of the actor about to be made; `None` when the object is not to be started any more.
    pub(crate) fn begin(&self) -> Option<u64> {
        let mut queue = self.lock();
        if !matches!(queue.state, State::Starting | State::Draining) {
            return None;
        }
        Some(self.next(&mut queue))
    }

    /// The actor of this generation takes calls from now on.
    pub(crate) fn running(self: &Arc<Self>, generation: u64, actor: impl Mailbox) {
        let mut queue = self.lock();
        if queue.generation != generation || queue.state == State::Gone {
            return;
        }
        if queue.state == State::Starting {
            queue.state = State::Running;
        }
        queue.actor = Some(Arc::new(actor));
        queue.scheduled = false;
        queue.restarts_at = None;
        self.wake(queue);
    }

    /// It takes calls, although no actor of its own runs them.
    pub(crate) fn open(&self) {
        self.lock().state = State::Running;
    }

    /// It takes calls only once somebody makes it anew.
    pub(crate) fn rest(&self) {
        self.lock().state = State::Passive;
    }

    /// Whether an attribute of it is being watched.
    pub(crate) fn is_observed(&self) -> bool {
        self.observed.load(Ordering::Acquire) > 0
    }

    /// An attribute of it is watched until this is dropped.
    pub(crate) fn observe(self: &Arc<Self>) -> Observed {
        self.observed.fetch_add(1, Ordering::AcqRel);
        Observed(Arc::clone(self))
    }

    /// It gets no more calls than it has: its actor ends with them.
    pub(crate) fn let_go(&self) {
        let actor = self.lock().actor.take();
        drop(actor);
    }

    /// The actor of this generation is no more; what waits goes on to the next one.
    pub(crate) fn lost(&self, generation: u64, loss: Loss) {
        let mut queue = self.lock();
        if queue.generation != generation || matches!(queue.state, State::Failed(_) | State::Gone) {
            return;
        }
        queue.actor = None;
        queue.scheduled = true;
        queue.turn = false;
        // Nobody else may report this generation's end.
        self.next(&mut queue);
        if queue.state == State::Running {
            queue.state = State::Starting;
        }
        drop(queue);
        (self.on_loss)(Arc::clone(self.id()), generation, loss);
    }

    /// Its actor is to be made anew although it has not failed, at this time: what runs comes to its end, what waits goes on to the next state.
    /// Says whether it takes calls, or will again.
    pub(crate) fn recall(&self, at: Instant) -> bool {
        let mut queue = self.lock();
        if !matches!(queue.state, State::Starting | State::Running) {
            return false;
        }
        queue.state = State::Starting;
        queue.scheduled = true;
        queue.restarts_at = Some(at);
        self.next(&mut queue);
        let actor = queue.actor.take();
        drop(queue);
        // It ends when it has nothing to do any more.
        drop(actor);
        true
    }

    /// It is started again at this time.
    pub(crate) fn restarts(&self, at: Instant) {
        self.lock().restarts_at = Some(at);
    }

    /// Takes no new calls.
    pub(crate) fn drain(&self) {
        let mut queue = self.lock();
        if matches!(queue.state, State::Starting | State::Running) {
            queue.state = State::Draining;
            drop(queue);
            // Its streams would keep the daemon from ending, and this is one.
            self.tell(Ending::Stopped);
        }
    }

    /// Nothing waits or runs any more.
    pub(crate) fn is_idle(&self) -> bool {
        let queue = self.lock();
        queue.waiting.is_empty() && !queue.turn && (!queue.scheduled || queue.actor.is_none())
    }

    /// It is not started again; everybody who waits is told.
    pub(crate) fn fail(&self, problem: &str) {
        self.end(State::Failed(problem.to_owned()), Ending::Failed { problem: problem.to_owned() });
    }

    /// It is no more.
    pub(crate) fn remove(&self) {
        self.end(State::Gone, Ending::Stopped);
    }

    /// It does not begin after all; those who wait are told why.
    pub(crate) fn turn_all_away(&self, why: &NotStarted) {
        let mut queue = self.lock();
        // Who found it before may still come, and is told to come again.
        queue.state = State::Passive;
        let waiting = std::mem::take(&mut queue.waiting);
        drop(queue);
        waiting.into_iter().for_each(|invocation| invocation.turn_away(why.clone()));
    }

    /// Whether calls are still run on the state of this generation, whatever has been taken out of the queue for it.
    #[inline]
    pub(crate) fn is_current(&self, generation: u64) -> bool {
        self.current.load(Ordering::Relaxed) == generation
    }

    /// The next generation; whatever the one before still does is of no account.
    fn next(&self, queue: &mut Queue) -> u64 {
        queue.generation += 1;
        self.current.store(queue.generation, Ordering::Relaxed);
        queue.generation
    }

    /// Tells whoever watches it; the first end counts.
    fn tell(&self, why: Ending) {
        self.ending().send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert_with(|| Ended::now(why));
            first
        });
    }

    fn end(&self, state: State, why_gone: Ending) {
        let why = self.refusal(&state);
        let mut queue = self.lock();
        queue.state = state;
        self.next(&mut queue);
        let (actor, waiting) = (queue.actor.take(), std::mem::take(&mut queue.waiting));
        drop(queue);
        drop(actor);
        for invocation in waiting {
            invocation.refuse(why.clone());
        }
        self.tell(why_gone);
    }

    fn wake(self: &Arc<Self>, mut queue: MutexGuard<'_, Queue>) {
        if queue.scheduled || queue.turn || queue.waiting.is_empty() {
            drop(queue);
            return self.exclusive.wake();
        }
        if let Some(actor) = queue.actor.clone() {
            queue.scheduled = true;
            let deliver = Deliver::new(Arc::clone(self), queue.generation);
            // Sent without the lock: a closed mailbox drops it, and its drop reports the loss.
            drop(queue);
            actor.deliver(deliver);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody watches an attribute of an object.
pub(crate) struct Observed(Arc<Entry>);

impl Drop for Observed {
    fn drop(&mut self) {
        self.0.observed.fetch_sub(1, Ordering::AcqRel);
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("id", self.id()).field("kind", &self.kind).finish_non_exhaustive()
    }
}
