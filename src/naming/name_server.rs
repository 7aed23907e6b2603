//! What can be asked of a name server, as messages and answers.
//!
//! Methods that Pyro's name server has keep Pyro's names (`register`, `lookup`, `remove`, `list`, `set_metadata`, `ping`,
//! `count`). Names and tags travel as they were written and are checked where they arrive, so that a wrong one is answered with
//! a [`NamingError`]; relative names start at the root. Who calls, and so who owns what, is known from the session.

use serde::{Deserialize, Serialize};

use crate::{
    naming::{Name, NamingError},
    uri::{Tag, Uri},
};

/// The object id of every name server.
pub const NAME_SERVER_ID: &str = "Pyro.NameServer";

/// How many entries an answer holds at most; even with the longest names and URIs they fit into a frame.
pub const PAGE_ENTRIES: usize = 500;

/// `register`: gives a name to an object. Answered with a [`Registration`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// The name; groups it is in come into being.
    pub name: String,
    /// What the name stands for.
    pub uri: Uri,
    /// For how many milliseconds the name lives without being renewed; `None` is until it is removed.
    pub lease_ms: Option<u32>,
    /// Whether the caller's own registration of this name, if there is one, gives way to this.
    pub replace: bool,
    /// The tags it can be found by.
    pub metadata: Vec<String>,
}

/// A name was registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Greater than that of every registration before it, of any name: a fencing token.
    pub generation: u64,
}

/// `renew`: all leases of the caller start anew. Answered with how many there are (`u32`): fewer than the caller has registered
/// means that the name server has lost some, and they must be registered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renew;

/// `renew_name`: the lease of one name starts anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewName {
    /// The name.
    pub name: String,
    /// The registration that is meant.
    pub generation: u64,
}

/// `remove`: the name stands for nothing any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unregister {
    /// The name.
    pub name: String,
    /// The registration that is meant, so that a later one is left alone; `None` is whichever there is.
    pub generation: Option<u64>,
}

/// `withdraw`: all names the caller holds under a lease are removed at once, for a daemon that ends. Answered with how many
/// there were (`u32`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdraw;

/// `lookup`: what a name stands for. Answered with [`Registered`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolve {
    /// The name.
    pub name: String,
}

/// The tag of a name that stands for many objects: `accounts.bob` is resolved to the one with the key `bob` where `accounts` has it. A daemon
/// gives it to the names of what it hosts by [`Daemon::keyed`](crate::Daemon::keyed).
pub const KEYED: &str = "keyed";

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The object.
    pub uri: Uri,
    /// Which registration this is; see [`Registration::generation`].
    pub generation: u64,
    /// The tags it can be found by, sorted.
    pub metadata: Vec<Tag>,
}

/// `list`: the groups and objects right in a group. Answered with a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// The group.
    pub group: String,
    /// Where to go on: the last name of the listing before.
    pub after: Option<Name>,
}

/// `tree`: the objects in a group and in all groups below it. Answered with a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// The group.
    pub group: String,
    /// Where to go on: the last name of the listing before.
    pub after: Option<Name>,
}

/// `find`: the objects that carry tags. Answered with a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Find {
    /// The tags; none of them finds nothing.
    pub tags: Vec<String>,
    /// How many of the tags an object must carry.
    pub carrying: Carrying,
    /// Where to go on: the last name of the listing before.
    pub after: Option<Name>,
}

/// How many of the tags that are looked for an object must carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Carrying {
    /// Every one of them.
    All,
    /// At least one of them.
    Any,
}

/// A page of names, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// At most [`PAGE_ENTRIES`] entries.
    pub entries: Vec<ListEntry>,
    /// Whether there are more; ask again `after` the last name here.
    pub more: bool,
}

/// One name of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry {
    /// The absolute name.
    pub name: Name,
    /// What has this name.
    pub kind: EntryKind,
}

/// What has a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// A group of names.
    Group,
    /// The object at this URI.
    Object(Uri),
}

/// `create_group`: makes a group that stays when it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateGroup {
    /// The group; groups it is in come into being.
    pub group: String,
}

/// `delete_group`: removes a group. Answered with how many names were removed with it (`u32`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteGroup {
    /// The group.
    pub group: String,
    /// Whether everything in it, at any depth, is removed as well.
    pub recursive: bool,
}

/// `set_metadata`: the tags of a name are these from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetMetadata {
    /// The name.
    pub name: String,
    /// The tags.
    pub metadata: Vec<String>,
}

/// `ping`: is answered, if the name server is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping;

/// `count`: how many objects have names (`u64`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count;

/// The tags in `metadata`, each checked.
///
/// # Errors
/// [`NamingError::BadTag`] for the first text that is no tag.
pub fn tags<T: AsRef<str>>(metadata: impl IntoIterator<Item = T>) -> Result<Vec<Tag>, NamingError> {
    metadata.into_iter().map(|text| Ok(Tag::new(text.as_ref())?)).collect()
}
