//! The objects of a group of names, called as one.

mod members;

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::client::client::Client;
use crate::client::connect::{IntoUri, is_too_early};
use crate::client::error::{CallError, ConnectError};
use crate::client::promise::Reference;
use crate::client::proxy::Proxy;
use crate::client::repeat::{self, Repeat};
use crate::client::retry::Retry;
use crate::client::runtime;
use crate::naming::group::members::{Choice, Member, Members};
use crate::object::fnv::Fnv;
use crate::object::interface::{Accepts, Any, Interface};
use crate::object::message::RemoteMessage;
use crate::object::outcome::NotStarted;
use crate::uri::{Uri, UriError};

/// How old what is known of the members may be before the name server is asked again.
const FRESH: Duration = Duration::from_secs(5);
/// After how long it is asked again when a member could not take a call.
const SOON: Duration = Duration::from_millis(500);
/// How long to wait before asking again for a group that has no members yet.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The objects in a group of names, such as `:workers`, or those with the tags of a `PYROMETA` URI, called as one object: each call goes to one of them, or to [`all`](Group::all).
///
/// A call that a member surely did not run, since it is full, failed, ending or not there, goes on to the next one, within the time it has; so does
/// one that is idempotent when nobody knows whether it ran. One that could not be reached is left out for a while. Who is a member is
/// asked of the name server, every five seconds while calls are made and when a member fails; so one that comes has its share soon.
///
/// ```no_run
/// # #[cfg(all(feature = "macros", feature = "daemon"))] {
/// use pyroxene::Group;
///
/// # #[derive(Default)] pub struct Worker;
/// # #[pyroxene::remote] impl Worker { pub fn render(&mut self, page: u32) -> u32 { page } }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let workers = Group::<Worker>::connect("PYRONAME://workers").wait_secs(5).await?;
/// // One after the other.
/// let page = workers.call(|worker: &WorkerProxy| worker.render(7)).await?;
/// // The one with the fewest calls of this group under way.
/// workers.least_in_flight().call(|worker: &WorkerProxy| worker.render(8)).await?;
/// // Always the same one for the same key, as long as the members stay.
/// workers.by_key("alice").call(|worker: &WorkerProxy| worker.render(9)).await?;
/// for (name, page) in workers.all(|worker: &WorkerProxy| worker.render(1)).await {
///     println!("{name}: {page:?}");
/// }
/// # Ok(()) }
/// # }
/// ```
///
/// Cheap to clone; clones share what is known of the members. Order is promised for the calls to one member, and not for those to the group.
pub struct Group<A: ?Sized = Any> {
    shared: Arc<Shared<A>>,
    choice: Choice,
}

/// How a call ends.
type Ended<C> = Result<<C as Repeat>::Value, CallError<<C as Repeat>::Raised>>;

/// A name in this group that nobody else has, for each of several programs that are the same.
///
/// ```
/// let name = pyroxene::naming::group::member("workers");
/// assert!(name.starts_with("workers."));
/// assert_ne!(name, pyroxene::naming::group::member("workers"));
/// ```
pub fn member(group: &str) -> String {
    format!("{group}.{:016x}", rand::random::<u64>())
}

struct Shared<A: ?Sized> {
    client: Client,
    uri: Uri,
    members: Mutex<Members<Proxy<A>>>,
    turn: AtomicUsize,
    asked: Mutex<Instant>,
    /// Somebody is asking.
    asking: AtomicBool,
}

impl<A: Interface + ?Sized> Group<A> {
    /// Connects with this client; [`Group::connect`] uses that of the current runtime.
    pub fn connect_with(client: &Client, uri: impl IntoUri) -> ConnectGroup<A> {
        ConnectGroup {
            client: client.clone(),
            uri: uri.into_uri(),
            wait: Duration::ZERO,
            object: std::marker::PhantomData,
        }
    }

    /// The same members, called one after the other.
    pub fn round_robin(&self) -> Group<A> {
        self.by(Choice::RoundRobin)
    }

    /// The same members, of which the one is called that has the fewest calls of this group and its clones under way.
    pub fn least_in_flight(&self) -> Group<A> {
        self.by(Choice::LeastInFlight)
    }

    /// The same members, of which the same one is called for the same key, whoever calls and in whatever process: by rendezvous hashing. When a
    /// member comes, it takes over its share of the keys, and when one goes, its keys are shared among the others; all other keys stay.
    pub fn by_key(&self, key: impl AsRef<[u8]>) -> Group<A> {
        self.by(Choice::Key(Fnv::of(key.as_ref())))
    }

    fn by(&self, choice: Choice) -> Group<A> {
        Group { shared: Arc::clone(&self.shared), choice }
    }

    /// The names of the members, as far as is known, sorted.
    pub fn members(&self) -> Vec<String> {
        self.shared.members().all().iter().map(|member| member.name.clone()).collect()
    }

    /// The member that would be called now, for what needs one object: several calls in order, a stream, a watch.
    ///
    /// # Errors
    /// There is none.
    pub fn choose(&self) -> Result<Proxy<A>, NotStarted> {
        self.shared.keep_fresh(FRESH);
        self.next(&[]).map(|member| member.proxy.clone()).ok_or_else(|| self.shared.nobody())
    }

    /// Makes a call at a member, and at another one if that cannot take it. `make` makes the call anew for each attempt; the type of its
    /// argument says as what the members are called: `|worker: &WorkerProxy| worker.render(7)`.
    ///
    /// # Errors
    /// As calls of objects. The error has the history of the attempts, as those of calls that are tried again.
    pub async fn call<P, C>(&self, make: impl Fn(&P) -> C) -> Ended<C>
    where
        P: Reference<A>,
        C: Repeat,
    {
        self.shared.keep_fresh(FRESH);
        let (mut tried, mut attempts, mut deadline, mut last) = (Vec::new(), Retry::default(), None, None);
        while let Some(member) = self.next(&tried) {
            let call = make(&P::from(member.proxy.clone()));
            let deadline = *deadline.get_or_insert_with(|| {
                let ms = repeat::time_ms(&self.shared.client, call.asked_ms());
                Instant::now() + Duration::from_millis(ms.into())
            });
            let left_ms = deadline.saturating_duration_since(Instant::now()).as_millis();
            if last.is_some() && left_ms == 0 {
                break;
            }
            if let Some(error) = last.take() {
                attempts.add(&error);
            }
            let idempotent = call.is_idempotent();
            let under_way = member.begin();
            let ended = call.within_ms(u32::try_from(left_ms).unwrap_or(u32::MAX)).await;
            drop(under_way);
            self.shared.learn(&member, &ended);
            match ended {
                Err(error) if repeat::may_go_elsewhere(&error, idempotent) => last = Some(error),
                ended => return ended.map_err(|error| attempts.conclude(error)),
            }
            tried.push(member);
        }
        let error = last.unwrap_or_else(|| CallError::NotStarted(self.shared.nobody()));
        Err(attempts.conclude(error))
    }

    /// The same with a message.
    ///
    /// # Errors
    /// As [`call`](Group::call).
    pub async fn send<M>(&self, message: M) -> Result<M::Reply, CallError<M::Error>>
    where
        M: RemoteMessage + Clone,
        A: Accepts<M>,
    {
        self.call(|member: &Proxy<A>| member.send(message.clone())).await
    }

    /// Sends a message to a member without waiting for anything; where there is none it is lost.
    pub fn do_send<M: RemoteMessage>(&self, message: M)
    where
        A: Accepts<M>,
    {
        match self.choose() {
            Ok(member) => member.do_send(message),
            Err(why) => {
                let log = &self.shared.client.config().log;
                slog::warn!(log, "oneway lost"; "uri" => %self.shared.uri, "why" => %why);
            }
        }
    }

    /// Makes a call at each member, all at once, and gathers how they ended, by the members' names.
    pub async fn all<P, C>(&self, make: impl Fn(&P) -> C) -> Vec<(String, Ended<C>)>
    where
        P: Reference<A>,
        C: Repeat,
    {
        self.shared.keep_fresh(FRESH);
        let members = self.shared.members().all().to_vec();
        let calls = members.iter().map(|member| (member.begin(), make(&P::from(member.proxy.clone())))).collect();
        let ended = Together { calls, ended: members.iter().map(|_| None).collect() }.await;
        let told = members.iter().zip(ended).map(|(member, ended)| {
            self.shared.learn(member, &ended);
            (member.name.clone(), ended)
        });
        told.collect()
    }

    fn next(&self, tried: &[Arc<Member<Proxy<A>>>]) -> Option<Arc<Member<Proxy<A>>>> {
        let turn = self.shared.turn.fetch_add(usize::from(tried.is_empty()), Ordering::Relaxed);
        self.shared.members().choose(self.choice, turn, tried, Instant::now())
    }
}

impl<A: Interface + ?Sized> Shared<A> {
    fn members(&self) -> MutexGuard<'_, Members<Proxy<A>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> MutexGuard<'_, Instant> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks who is a member.
    async fn ask(&self) -> Result<(), NotStarted> {
        *self.asked() = Instant::now();
        let listed = self.client.0.resolver.members(&self.client, &self.uri).await?;
        let places: Vec<_> = listed.iter().map(|(name, uri)| (name.clone(), uri.to_string())).collect();
        self.members().set(&places, |at| Proxy::lazy_with(&self.client, listed[at].1.clone()));
        Ok(())
    }

    /// Sees to it that what is known is not older than that, without waiting for it.
    fn keep_fresh(self: &Arc<Self>, age: Duration) {
        if self.asked().elapsed() < age || self.asking.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = Arc::clone(self);
        runtime::spawn(async move {
            if let Err(why) = shared.ask().await {
                slog::warn!(shared.client.config().log, "the members of a group are not known anew";
                    "uri" => %shared.uri, "why" => %why);
            }
            shared.asking.store(false, Ordering::Release);
        });
    }

    /// What the end of a call says about the member: whether it is there, and takes calls.
    fn learn<T, E: std::fmt::Display>(self: &Arc<Self>, member: &Member<Proxy<A>>, ended: &Result<T, CallError<E>>) {
        let Err(error) = ended else { return member.took() };
        if !repeat::is_out_of_order(error) {
            return member.took();
        }
        slog::debug!(self.client.config().log, "a member is left out"; "member" => &member.name, "why" => %error);
        self.members().leave_out(member, Instant::now());
        self.keep_fresh(SOON);
    }

    fn nobody(&self) -> NotStarted {
        let problem = "the group has no members; register objects in it, or wait for them with `wait_secs`".to_owned();
        NotStarted::Unresolved { name: self.uri.to_string(), problem }
    }
}

/// A group being connected; made by [`Group::connect`], done when awaited: then it has a member.
#[must_use = "it connects when it is awaited"]
pub struct ConnectGroup<A: ?Sized> {
    client: Client,
    uri: Result<Uri, UriError>,
    wait: Duration,
    object: std::marker::PhantomData<fn(&A)>,
}

impl<A: Interface + ?Sized> ConnectGroup<A> {
    /// Waits at most so long for the first member, so that start order does not matter.
    pub fn wait_secs(mut self, secs: u32) -> ConnectGroup<A> {
        self.wait = Duration::from_secs(secs.into());
        self
    }

    async fn run(self) -> Result<Group<A>, ConnectError> {
        let fail = |uri: &str, why: NotStarted| ConnectError { uri: uri.to_owned(), why };
        let uri = self.uri.map_err(|error| fail("", NotStarted::BadUri { problem: error.to_string() }))?;
        let deadline = Instant::now() + self.wait;
        let shared = Arc::new(Shared {
            client: self.client,
            uri,
            members: Mutex::new(Members::new(Instant::now())),
            turn: AtomicUsize::new(0),
            asked: Mutex::new(Instant::now()),
            asking: AtomicBool::new(false),
        });
        loop {
            let asked = shared.ask().await;
            if asked.is_ok() && !shared.members().all().is_empty() {
                return Ok(Group { shared, choice: Choice::default() });
            }
            let why = asked.err().unwrap_or_else(|| shared.nobody());
            if Instant::now() >= deadline || !is_too_early(&why) {
                return Err(fail(&shared.uri.to_string(), why));
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

impl<A: Interface + ?Sized> IntoFuture for ConnectGroup<A> {
    type Output = Result<Group<A>, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// Calls at several members; ends when all have.
struct Together<U, C: Repeat> {
    calls: Vec<(U, C)>,
    ended: Vec<Option<Ended<C>>>,
}

// Nothing in it is pinned: calls are not.
impl<U, C: Repeat> Unpin for Together<U, C> {}

impl<U, C: Repeat> Future for Together<U, C> {
    type Output = Vec<Ended<C>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Together { calls, ended } = self.get_mut();
        for ((_, call), ended) in calls.iter_mut().zip(ended.iter_mut()).filter(|(_, ended)| ended.is_none()) {
            if let Poll::Ready(end) = Pin::new(call).poll(cx) {
                *ended = Some(end);
            }
        }
        if ended.iter().any(Option::is_none) {
            return Poll::Pending;
        }
        Poll::Ready(ended.drain(..).flatten().collect())
    }
}

impl<A: ?Sized> Clone for Group<A> {
    fn clone(&self) -> Self {
        Group { shared: Arc::clone(&self.shared), choice: self.choice }
    }
}

impl<A: ?Sized> std::fmt::Debug for Group<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("uri", &self.shared.uri).field("choice", &self.choice).finish()
    }
}
