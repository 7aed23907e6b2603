//! What stands behind a name: [`Entry`].

use std::{collections::BTreeSet, time::Duration};

use pyroxene::{
    naming::{Name, name_server::Registered},
    uri::{Tag, Uri},
};

use super::{caller::OwnerId, lease::Lease};

/// What is to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewName {
    /// The name.
    pub name: Name,
    /// What the name stands for.
    pub uri: Uri,
    /// How long it lives without being renewed, at most [`LONGEST_LEASE`](super::registry::LONGEST_LEASE); `None` is until it is removed.
    pub lease: Option<Duration>,
    /// Whether a registration of this name that the caller may change gives way.
    pub replace: bool,
    /// The tags it can be found by.
    pub tags: BTreeSet<Tag>,
}

/// What a name stands for, and whose it is.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The object.
    pub uri: Uri,
    /// Greater than that of every registration before it.
    pub generation: u64,
    /// Whose name it is.
    pub owner: OwnerId,
    /// The tags it can be found by.
    pub tags: BTreeSet<Tag>,
    pub(super) lease: Option<Lease>,
}

impl From<&Entry> for Registered {
    fn from(entry: &Entry) -> Self {
        let metadata = entry.tags.iter().cloned().collect();
        Self { uri: entry.uri.clone(), generation: entry.generation, metadata }
    }
}

/// A name that stands for nothing any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The name.
    pub name: Name,
    /// What it stood for.
    pub uri: Uri,
    /// The registration that is over.
    pub generation: u64,
}
