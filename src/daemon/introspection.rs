//! `Pyro.Daemon`: every daemon has an object that tells about it, as Pyro's do.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context as TaskContext, Poll};

use actix::{Actor, Context, Handler};
use futures_core::Stream;
use serde::{Deserialize, Serialize};

use crate::daemon::daemon::{Daemon, Inner};
use crate::daemon::deliver::Deliver;
use crate::daemon::entry::{Entry, Loss};
use crate::daemon::instances::Family;
use crate::daemon::objects::Placed;
use crate::daemon::remote_object::ObjectActor;
use crate::daemon::usage::Usage;
use crate::object::attributes;
pub use crate::object::description::{
    AttributeDescription, DAEMON_ID, Describe, Description, InstanceDescription, MethodDescription, UnknownObject,
};
use crate::object::ended::{Ended, Ending, Told, Watch};
use crate::object::interface::{Accepts, Interface, Kind, Method, MethodFlags};
use crate::object::invocation::Invocation;
use crate::object::items::Items;
use crate::object::message::{Never, RemoteMessage};
use crate::transport::network::BoxFuture;
use crate::wire::Target;

/// Instances that are described of one object; of more, only some.
const MAX_INSTANCES: usize = 256;

/// Asks whether the daemon is there.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Ping;
/// Asks for the ids of its objects.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Registered;
/// Asks what it is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Info;
/// Asks what it has at the moment.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct GetUsage;
/// Asks what can be called on one of its objects, as Pyro does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetMetadata {
    /// Its id.
    pub object_id: String,
}
/// The answer to [`GetMetadata`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Its methods.
    pub methods: Vec<String>,
    /// Those that do not reply.
    pub oneway: Vec<String>,
    /// Its attributes.
    pub attrs: Vec<String>,
}

macro_rules! methods {
    ($($index:literal $message:ident $name:literal $reply:ty, $error:ty, $output:ty, $doc:literal, $outcome:expr;)*) => {
        $(
            #[diagnostic::do_not_recommend]
            impl RemoteMessage for $message {
                type Output = $output;
                type Reply = $reply;
                type Error = $error;
                const METHOD: &'static str = $name;
                const FLAGS: MethodFlags = MethodFlags::IDEMPOTENT;
                const DOC: &'static str = $doc;

                fn outcome(output: $output) -> Result<$reply, $error> {
                    $outcome(output)
                }
            }

            #[diagnostic::do_not_recommend]
            impl Accepts<$message> for DaemonObject {
                const INDEX: usize = $index;
            }
        )*

        #[diagnostic::do_not_recommend]
        impl Interface for DaemonObject {
            const NAME: &'static str = "Daemon";
            const VERSION: &'static str = env!("CARGO_PKG_VERSION");
            const METHODS: &'static [Method] =
                &[$(Method::of::<$message>(),)* Method::of::<Describe>(), Method::of::<Watch>()];
        }
    };
}

methods! {
    0 Ping "ping" (), Never, (), "Does nothing, successfully.", Ok;
    1 Registered "registered" Vec<String>, Never, Vec<String>, "The ids of its objects.", Ok;
    2 Info "info" String, Never, String, "What it is.", Ok;
    3 GetMetadata "get_metadata" Metadata, UnknownObject, Result<Metadata, UnknownObject>, "What can be called on an object.", |r| r;
    4 GetUsage "usage" Usage, Never, Usage, "What it has at the moment.", Ok;
}

#[diagnostic::do_not_recommend]
impl Accepts<Describe> for DaemonObject {
    const INDEX: usize = 5;
}

#[diagnostic::do_not_recommend]
impl Accepts<Watch> for DaemonObject {
    const INDEX: usize = 6;
}

/// The object `Pyro.Daemon`; name it to connect to one.
pub struct DaemonObject {
    daemon: Weak<Inner>,
}

/// Puts the object into its daemon.
pub(crate) fn spawn(daemon: &Daemon) {
    // It stays as long as the daemon does: it has no state that could be lost.
    let on_loss = Arc::new(|_: Arc<str>, _: u64, _: Loss| {});
    let (id, capacity) = (Arc::from(DAEMON_ID), daemon.0.config.mailbox);
    let entry = Arc::new(Entry::new(id, None, Kind::of::<DaemonObject>(), capacity, on_loss));
    let object = DaemonObject { daemon: Arc::downgrade(&daemon.0) };
    if let Some(generation) = entry.begin() {
        entry.running(generation, object.start());
    }
    // The table is empty, so the id is free.
    let _ = daemon.0.objects().insert(Placed { entry, seat: 0, family: None, owner: None });
}

impl DaemonObject {
    fn find(&self, object: &str) -> Result<Placed, UnknownObject> {
        let unknown = || UnknownObject { object: object.to_owned() };
        let inner = self.daemon.upgrade().ok_or_else(unknown)?;
        let by = |target: Target| inner.place_of(&target);
        by(Target::Id(object.to_owned())).or_else(|| by(Target::Name(object.to_owned()))).ok_or_else(unknown)
    }

    fn describe(&self, placed: &Placed) -> Description {
        let owner = placed.owner.as_ref().and_then(|owner| self.find(owner).ok());
        description(placed, owner.map(|owner| owner.entry.label().to_string()))
    }

    fn info(&self) -> String {
        let Some(inner) = self.daemon.upgrade() else { return "a daemon that has ended".to_owned() };
        let (version, objects) = (env!("CARGO_PKG_VERSION"), inner.entries().len());
        format!("Pyroxene {version} daemon, incarnation {:032x}, {objects} objects", inner.incarnation)
    }
}

/// The end of an object, as soon as it is known.
fn watch(placed: Option<Placed>) -> Items<Told> {
    let Some(placed) = placed else { return Items::of([Told::from(Ended::now(Ending::Missing))]) };
    let mut ended = placed.ended();
    // Not held, or it would never be found out that it was dropped.
    drop(placed);
    let told = async move {
        let ended = ended.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone());
        Told::from(ended.unwrap_or_else(|| Ended::now(Ending::Stopped)))
    };
    Items::stream(Once(Some(Box::pin(told))))
}

/// A stream of one item.
struct Once(Option<BoxFuture<'static, Told>>);

impl Stream for Once {
    type Item = Told;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Told>> {
        let Some(told) = &mut self.0 else { return Poll::Ready(None) };
        let told = std::task::ready!(told.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(Some(told))
    }
}

fn metadata(entry: &Entry) -> Metadata {
    let names = |is: fn(&str, MethodFlags) -> bool| {
        entry
            .methods()
            .iter()
            .filter(|method| is(method.name, method.flags))
            .map(|method| method.name.to_owned())
            .collect()
    };
    Metadata {
        methods: names(attributes::is_listed),
        oneway: names(|_, flags| flags.contains(MethodFlags::ONEWAY)),
        attrs: names(attributes::is_own_attribute),
    }
}

fn description(Placed { entry, family, .. }: &Placed, owner: Option<String>) -> Description {
    let describe = |method: &Method| {
        let signature = (method.signature)();
        MethodDescription {
            name: method.name.to_owned(),
            doc: method.doc.to_owned(),
            oneway: method.flags.contains(MethodFlags::ONEWAY),
            idempotent: method.flags.contains(MethodFlags::IDEMPOTENT),
            cancellable: method.flags.contains(MethodFlags::CANCELLABLE),
            reentrant: method.flags.contains(MethodFlags::REENTRANT),
            stream: method.flags.contains(MethodFlags::STREAM),
            // That of a nested one has its own name only.
            text: format!("{}{signature}", method.name.strip_suffix(signature.method.as_str()).unwrap_or_default()),
            signature,
        }
    };
    let attribute = |method: &Method| {
        let shape = (method.signature)().reply;
        AttributeDescription {
            name: method.name.to_owned(),
            doc: method.doc.to_owned(),
            writable: method.flags.contains(MethodFlags::WRITABLE),
            text: shape.to_string(),
            shape,
        }
    };
    let instance = |entry: &Arc<Entry>| InstanceDescription {
        id: entry.id().to_string(),
        state: entry.condition(),
        generation: entry.generation(),
        waiting: entry.waiting() as u64,
    };
    let instances: Vec<_> = family.iter().flat_map(Family::entries).collect();
    let methods = || entry.methods().iter();
    Description {
        id: entry.id().to_string(),
        name: entry.name().map(ToString::to_string),
        kind: entry.kind().to_owned(),
        version: entry.version().to_owned(),
        owner,
        state: entry.condition(),
        generation: entry.generation(),
        waiting: (entry.waiting() + instances.iter().map(|entry| entry.waiting()).sum::<usize>()) as u64,
        mailbox: entry.capacity() as u64,
        methods: methods().filter(|method| attributes::is_listed(method.name, method.flags)).map(describe).collect(),
        attributes: methods().filter(|method| method.flags.contains(MethodFlags::ATTRIBUTE)).map(attribute).collect(),
        instances: instances.iter().take(MAX_INSTANCES).map(instance).collect(),
    }
}

impl Actor for DaemonObject {
    type Context = Context<Self>;
}

impl Handler<Deliver> for DaemonObject {
    type Result = ();

    fn handle(&mut self, deliver: Deliver, ctx: &mut Context<Self>) {
        deliver.run(self, ctx);
    }
}

impl ObjectActor for DaemonObject {
    fn dispatch(&mut self, invocation: Invocation, _: &mut Context<Self>) {
        match invocation.method() {
            0 => answer::<Ping>(invocation, |_| ()),
            1 => answer::<Registered>(invocation, |_| {
                let entries = self.daemon.upgrade().map(|inner| inner.entries()).unwrap_or_default();
                entries.iter().map(|entry| entry.id().to_string()).collect()
            }),
            2 => answer::<Info>(invocation, |_| self.info()),
            3 => {
                answer::<GetMetadata>(invocation, |ask| {
                    self.find(&ask.object_id).map(|placed| metadata(&placed.entry))
                });
            }
            4 => {
                answer::<GetUsage>(invocation, |_| {
                    self.daemon.upgrade().map(|inner| inner.usage()).unwrap_or_default()
                });
            }
            5 => answer::<Describe>(invocation, |ask| self.find(&ask.object).map(|placed| self.describe(&placed))),
            6 => answer::<Watch>(invocation, |ask| watch(self.find(&ask.object).ok())),
            _ => invocation.refuse_unlisted::<Self>(),
        }
    }
}

fn answer<M: RemoteMessage>(invocation: Invocation, reply: impl FnOnce(M) -> M::Output) {
    if let Some((message, to)) = invocation.open::<M>() {
        to.send(reply(message));
    }
}
