//! Where an object is, or how to find out: [`Uri`] and the parts it is made of.
//!
//! Text becomes a [`Uri`] once, at the edge; from there on it is valid, bounded and cheap to clone. This is a pure type: it
//! opens nothing and looks nothing up.
//!
//! | text | means |
//! |---|---|
//! | `PYRO://host:port/object-id` | the object with that id in the daemon there |
//! | `PYRO://./u:path/object-id` | the same over a Unix socket; the id follows the last `/` |
//! | `PYRO://~0123456789abcdef/object-id` | the same in a daemon that does not listen; it means something in that daemon's process only |
//! | `PYRONAME://[host[:port]/]name` | ask that name server, or the one that is found, for the name |
//! | `PYROLOC://host[:port]/name` | ask the daemon there for the object it was given under that name |
//! | `PYROMETA:tag,tag[@host[:port]]` | ask a name server for any object that carries all the tags |
//!
//! An IPv6 address stands in brackets: `PYRO://[::1]:7766/echo`. Pyro 5's spelling of the same is read as well
//! (`PYRO:object-id@host:port`, `PYRO:object-id@./u:path`, `PYRONAME:name[@host[:port]]`) and written by [`Uri::pyro5`].
//!
//! ```
//! use pyroxene::uri::Uri;
//!
//! let uri: Uri = "PYRO:bank.alice@localhost:7766".parse()?;
//! assert_eq!(uri.to_string(), "PYRO://localhost:7766/bank.alice");
//! # Ok::<(), pyroxene::uri::UriError>(())
//! ```

mod endpoint;
mod error;
mod parse;
mod text;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};

use self::error::Flaw;
pub use self::{
    endpoint::{Endpoint, Host, SocketPath},
    error::{UriError, UriProblem},
    text::{NameText, ObjectId, Tag},
};
pub(crate) use self::{error::quoted, text::misleads};

/// The longest URI that is read, in bytes.
pub const MAX_URI_BYTES: usize = 1_024;

/// The port of a daemon whose `PYROLOC` URI names none.
pub const DAEMON_PORT: u16 = 7_766;

/// The port of a name server whose `PYRONAME` or `PYROMETA` URI names a host but no port.
pub const NAME_SERVER_PORT: u16 = 9_090;

/// How many bytes the tags of one `PYROMETA` URI may have together, commas included.
pub const MAX_META_BYTES: usize = 512;

/// Where an object is, or how to find out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum Uri {
    /// `PYRO`: the object itself.
    Object(ObjectUri),
    /// `PYRONAME`: a name, for a name server to resolve.
    Name(NameUri),
    /// `PYROLOC`: a name, for one daemon to resolve.
    Location(LocationUri),
    /// `PYROMETA`: tags, for a name server to find an object by.
    Meta(MetaUri),
}

/// `PYRO://host:port/object-id`: a daemon and the id of an object in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectUri {
    /// Where the daemon listens.
    pub endpoint: Endpoint,
    /// What the daemon calls the object.
    pub object: ObjectId,
}

/// `PYRONAME://[host[:port]/]name`: a name and, if the URI says so, whom to ask for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameUri {
    /// The name server to ask; `None` is the one the client is configured with or finds.
    pub server: Option<Endpoint>,
    /// The name as it was written, relative or absolute.
    pub name: NameText,
}

/// `PYROLOC://host[:port]/name`: a name and the daemon to ask for it, without any name server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocationUri {
    /// Where the daemon listens.
    pub endpoint: Endpoint,
    /// The name the daemon was given for the object.
    pub name: NameText,
}

/// `PYROMETA:tag,tag[@host[:port]]`: the tags an object must carry, and whom to ask.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MetaUri {
    tags: Arc<[Tag]>,
    /// The name server to ask; `None` is the one the client is configured with or finds.
    pub server: Option<Endpoint>,
}

impl Uri {
    /// The URI of the object `object` in the daemon at `endpoint`.
    pub fn object(endpoint: Endpoint, object: ObjectId) -> Self {
        Self::Object(ObjectUri { endpoint, object })
    }

    /// The object this URI points at, if it does so without asking anybody.
    pub fn as_object(&self) -> Option<&ObjectUri> {
        match self {
            Self::Object(uri) => Some(uri),
            Self::Name(_) | Self::Location(_) | Self::Meta(_) => None,
        }
    }

    /// The URI of the object with this key, where this one is that of many that are told apart by one.
    ///
    /// ```
    /// use pyroxene::uri::Uri;
    ///
    /// let accounts: Uri = "PYRONAME://bank.accounts".parse()?;
    /// assert_eq!(accounts.key("bob")?.to_string(), "PYRONAME://bank.accounts.bob");
    /// # Ok::<(), pyroxene::uri::UriError>(())
    /// ```
    ///
    /// # Errors
    /// The key has a character that a name or id must not have, or is too long, or this URI means any object with some tags.
    pub fn key(&self, key: &str) -> Result<Uri, UriError> {
        if key.is_empty() {
            return Err(Flaw { part: "the key", problem: UriProblem::Missing }.in_text("key", key, "bob"));
        }
        match self {
            Self::Object(ObjectUri { endpoint, object }) => {
                Ok(Self::object(endpoint.clone(), ObjectId::new(&format!("{object}.{key}"))?))
            }
            Self::Name(NameUri { server, name }) => {
                Ok(Self::Name(NameUri { server: server.clone(), name: NameText::new(&format!("{name}.{key}"))? }))
            }
            Self::Location(LocationUri { endpoint, name }) => {
                let name = NameText::new(&format!("{name}.{key}"))?;
                Ok(Self::Location(LocationUri { endpoint: endpoint.clone(), name }))
            }
            Self::Meta(uri) => {
                let flaw = Flaw { part: "it", problem: UriProblem::Keyless };
                Err(flaw.in_text("name of many objects", &uri.to_string(), "PYRONAME://bank.accounts"))
            }
        }
    }

    /// The URI as Pyro 5 writes it; `None` for `PYROLOC`, which Pyro 5 does not have.
    ///
    /// ```
    /// use pyroxene::uri::Uri;
    ///
    /// let uri: Uri = "PYRO://localhost:7766/bank.alice".parse()?;
    /// assert_eq!(uri.pyro5().as_deref(), Some("PYRO:bank.alice@localhost:7766"));
    /// # Ok::<(), pyroxene::uri::UriError>(())
    /// ```
    pub fn pyro5(&self) -> Option<String> {
        match self {
            Self::Object(ObjectUri { endpoint, object }) => Some(format!("PYRO:{object}@{endpoint}")),
            Self::Name(NameUri { server: Some(server), name }) => Some(format!("PYRONAME:{name}@{server}")),
            Self::Name(NameUri { server: None, name }) => Some(format!("PYRONAME:{name}")),
            Self::Location(_) => None,
            Self::Meta(uri) => Some(uri.to_string()),
        }
    }
}

impl MetaUri {
    /// A URI for any object that carries all of `tags`; their order and repetitions do not matter.
    ///
    /// # Errors
    /// There is no tag, or the tags have more than [`MAX_META_BYTES`] bytes together.
    pub fn new(tags: impl IntoIterator<Item = Tag>, server: Option<Endpoint>) -> Result<Self, UriError> {
        Self::checked(tags.into_iter().collect(), server)
            .map_err(|(tags, flaw)| flaw.in_text("URI", &tags, parse::META_EXAMPLE))
    }

    /// The tags an object must carry, sorted, each once; at least one.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(uri) => uri.fmt(f),
            Self::Name(uri) => uri.fmt(f),
            Self::Location(uri) => uri.fmt(f),
            Self::Meta(uri) => uri.fmt(f),
        }
    }
}

impl fmt::Display for ObjectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PYRO://{}/{}", self.endpoint, self.object)
    }
}

impl fmt::Display for NameUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            Some(server) => write!(f, "PYRONAME://{server}/{}", self.name),
            None => write!(f, "PYRONAME://{}", self.name),
        }
    }
}

impl fmt::Display for LocationUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PYROLOC://{}/{}", self.endpoint, self.name)
    }
}

impl fmt::Display for MetaUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PYROMETA:")?;
        for (position, tag) in self.tags.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            write!(f, "{comma}{tag}")?;
        }
        match &self.server {
            Some(server) => write!(f, "@{server}"),
            None => Ok(()),
        }
    }
}

impl Serialize for Uri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<ObjectUri> for Uri {
    fn from(uri: ObjectUri) -> Self {
        Self::Object(uri)
    }
}

impl From<NameUri> for Uri {
    fn from(uri: NameUri) -> Self {
        Self::Name(uri)
    }
}

impl From<LocationUri> for Uri {
    fn from(uri: LocationUri) -> Self {
        Self::Location(uri)
    }
}

impl From<MetaUri> for Uri {
    fn from(uri: MetaUri) -> Self {
        Self::Meta(uri)
    }
}

#[cfg(test)]
mod tests;
