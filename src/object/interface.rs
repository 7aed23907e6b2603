//! Method tables: what an object answers to.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::object::message::{RemoteError, RemoteMessage};
use crate::object::signature::Signature;

/// The methods of an object, as its clients know them.
///
/// Implemented by the macros: for an object by `RemoteObject`, for a shared trait by `remote`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not remote",
    label = "nothing of it can be called from afar",
    note = "an actor becomes so by `#[derive(RemoteObject)]`, a plain struct by `#[pyroxene::remote]` on its `impl`, a trait by the same on the trait"
)]
pub trait Interface: 'static {
    /// The name of the object's type or trait, for `describe` and errors.
    const NAME: &'static str;
    /// The version of the package that it is from, for `describe`; the macros know it.
    const VERSION: &'static str = "";
    /// Its methods; a call names one by its place in this table.
    const METHODS: &'static [Method];
}

/// What an object is, where its type is not known any more.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) methods: &'static [Method],
    id: TypeId,
}

impl Kind {
    pub(crate) fn of<I: Interface + ?Sized>() -> &'static Kind {
        &const { Kind { name: I::NAME, version: I::VERSION, methods: I::METHODS, id: TypeId::of::<I>() } }
    }

    /// Whether it is of this type.
    #[cfg(feature = "daemon")]
    pub(crate) fn is<I: Interface + ?Sized>(&self) -> bool {
        self.id == TypeId::of::<I>()
    }
}

/// Says that an object has a method for the message `M`, so that a wrong message is a compile error.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no remote method for the message `{M}`",
    label = "this message is not one of its methods",
    note = "list it, `#[remote(methods({M}, …))]` on the object, or the trait that it is of, `#[remote(facets(…))]`; nothing is callable \
            unless it is listed"
)]
pub trait Accepts<M> {
    /// The method's place in [`Interface::METHODS`].
    const INDEX: usize;
}

/// A message of a shared trait; written by `#[pyroxene::remote]` on the trait.
pub trait OfTrait: RemoteMessage {
    /// The trait, as `dyn Trait`.
    type Trait: Interface + Accepts<Self> + ?Sized;
}

/// An object that has a shared trait, `dyn Trait`, as one of its facets.
pub trait Facet<S: ?Sized> {
    /// The place of the first of its methods in the object's table.
    const FIRST: usize;
}

/// An object of which only the messages are known: its methods are checked when a proxy connects, not by the compiler.
#[derive(Clone, Copy, Debug)]
pub enum Any {}

#[diagnostic::do_not_recommend]
impl Interface for Any {
    const NAME: &'static str = "Any";
    const METHODS: &'static [Method] = &[];
}

#[diagnostic::do_not_recommend]
impl<M: RemoteMessage> Accepts<M> for Any {
    const INDEX: usize = usize::MAX;
}

/// One method of an [`Interface`].
#[derive(Clone, Copy)]
pub struct Method {
    /// Its name on the wire.
    pub name: &'static str,
    /// What callers may assume about it.
    pub flags: MethodFlags,
    /// The first paragraph of its documentation.
    pub doc: &'static str,
    /// Finds out its signature; costs some microseconds.
    pub signature: fn() -> Signature,
}

impl Method {
    /// The method that the message `M` calls.
    pub const fn of<M: RemoteMessage>() -> Method {
        Method { name: M::METHOD, flags: M::FLAGS, doc: M::DOC, signature: signature_of::<M> }
    }

    /// The fingerprint of its signature; found out once per process.
    pub fn fingerprint(&self) -> u64 {
        static KNOWN: Mutex<BTreeMap<usize, u64>> = Mutex::new(BTreeMap::new());
        let key = self.signature as usize;
        if let Some(known) = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return *known;
        }
        // Not under the lock: it runs the user's `Deserialize`.
        let fingerprint = (self.signature)().fingerprint();
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(key, fingerprint);
        fingerprint
    }
}

impl std::fmt::Debug for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Method").field("name", &self.name).field("flags", &self.flags).finish_non_exhaustive()
    }
}

/// What the method of the message `M` takes, replies and raises.
pub(crate) fn signature_of<M: RemoteMessage>() -> Signature {
    let raises = TypeId::of::<M::Error>() != TypeId::of::<crate::object::message::Never>();
    debug_assert!(!M::Error::class().is_empty());
    Signature::of::<M, M::Reply, M::Error>(M::METHOD, raises)
}

/// What callers may assume about a method; travels in the binding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MethodFlags(u8);

impl MethodFlags {
    /// Nothing special.
    pub const NONE: MethodFlags = MethodFlags(0);
    /// No reply is sent; the caller does not wait.
    pub const ONEWAY: MethodFlags = MethodFlags(1);
    /// It replies with a stream of items.
    pub const STREAM: MethodFlags = MethodFlags(2);
    /// Running it twice is as good as once, so a proxy that is told to may retry it.
    pub const IDEMPOTENT: MethodFlags = MethodFlags(4);
    /// It is stopped where it waits once its caller has given it up or its time is over.
    pub const CANCELLABLE: MethodFlags = MethodFlags(8);
    /// It runs while its object waits for the call that it is part of.
    pub const REENTRANT: MethodFlags = MethodFlags(16);
    /// It is an attribute, which is read, written and watched, and not called.
    pub const ATTRIBUTE: MethodFlags = MethodFlags(64);
    /// It is an attribute that can be written.
    pub const WRITABLE: MethodFlags = MethodFlags(128);

    /// Both sets together.
    pub const fn with(self, other: MethodFlags) -> MethodFlags {
        MethodFlags(self.0 | other.0)
    }

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: MethodFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// As on the wire.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// From the wire; bits of a newer peer are kept.
    pub const fn from_bits(bits: u8) -> MethodFlags {
        MethodFlags(bits)
    }
}
