//! What two Pyroxene peers tell each other: at the beginning, when a further object is opened, and at the end.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::wire::error::PayloadError;

/// Methods that a binding may list.
const MAX_METHODS: usize = 4_096;
/// Bytes of a name in any of these messages.
const MAX_TEXT: usize = 1_024;

/// Optional parts of the protocol that a peer speaks. A bit that the other side does not know changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features(pub u64);

impl Features {
    /// BIND and BOUND.
    pub const BIND: Features = Features(1);
    /// GOAWAY.
    pub const GO_AWAY: Features = Features(2);
    /// CANCEL.
    pub const CANCEL: Features = Features(4);
    /// ITEM and CREDIT.
    pub const STREAMS: Features = Features(8);
    /// SESSION and OPENED, and the annotation `ONCE`.
    pub const SESSIONS: Features = Features(16);

    /// CHUNK.
    pub const CHUNKS: Features = Features(128);
    /// Streams of items that a call carries.
    pub const INLETS: Features = Features(256);
    /// TICKET, ACK and RESUMED.
    pub const RESUME: Features = Features(512);
    /// FLUSH and FLUSHED.
    pub const FLUSH: Features = Features(16_384);

    /// BATCH.
    pub const BATCHES: Features = Features(32);
    /// PIPELINE.
    pub const PIPELINES: Features = Features(64);

    /// ADDRESS and ADDRESSED, and calls of a client's objects over the connection that the client has opened.
    pub const CALLBACKS: Features = Features(2048);

    /// RELEASE.
    pub const RELEASES: Features = Features(4096);

    /// What this version speaks.
    pub const OURS: Features = Features(
        Features::BIND.0
            | Features::GO_AWAY.0
            | Features::CANCEL.0
            | Features::STREAMS.0
            | Features::SESSIONS.0
            | Features::BATCHES.0
            | Features::PIPELINES.0
            | Features::CHUNKS.0
            | Features::INLETS.0
            | Features::RESUME.0
            | Features::FLUSH.0
            | Features::CALLBACKS.0
            | Features::RELEASES.0,
    );

    /// Whether all of `other` is spoken.
    pub const fn contains(self, other: Features) -> bool {
        self.0 & other.0 == other.0
    }

    /// This without `other`.
    pub const fn without(self, other: Features) -> Features {
        Features(self.0 & !other.0)
    }
}

/// Which object is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// None: only the connection.
    None,
    /// The one with this id.
    Id(String),
    /// The one that the daemon was given under this name.
    Name(String),
    /// None: the stream takes the place of one that a connection has lost.
    Connection {
        /// What the connection is known by.
        ticket: [u8; 16],
        /// Bytes that the sender has taken from the daemon, counted from the end of the CONNECTOK.
        taken: u64,
    },
}

/// What a peer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerLimits {
    /// Bytes of one frame.
    pub max_message: u32,
    /// Calls in flight on the connection.
    pub in_flight: u16,
}

/// CONNECT: what the client wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of these messages.
    pub version: u16,
    /// The object it will mostly call; the connection goes to that object's thread.
    pub target: Target,
    /// What it speaks.
    pub features: Features,
    /// Who it is, over all its connections.
    pub session: u128,
    /// The time of calls that carry none, milliseconds.
    pub timeout_ms: u32,
    /// What it takes.
    pub limits: PeerLimits,
}

/// CONNECTOK: what the daemon offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version of these messages.
    pub version: u16,
    /// What it speaks.
    pub features: Features,
    /// What it takes.
    pub limits: PeerLimits,
    /// Which start of the daemon this is.
    pub incarnation: u128,
    /// The object that was meant; `None` when there is none.
    pub binding: Option<BindingTable>,
}

/// The answer to "what can I call there".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingTable {
    /// What calls name the object by on this connection.
    pub handle: u32,
    /// Its id.
    pub object: String,
    /// Its methods; calls name one by its place.
    pub methods: Vec<BoundMethod>,
}

/// One method of a [`BindingTable`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundMethod {
    /// Its name.
    pub name: String,
    /// What callers may assume about it.
    pub flags: u8,
    /// Of its signature; peers that have different ones send named fields.
    pub fingerprint: u64,
}

/// BIND: opens a further object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// Which.
    pub target: Target,
}

/// GOAWAY: the sender takes no new calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoAway {
    /// Why.
    pub reason: String,
    /// Bytes that it has taken from the other end, counted from the end of the CONNECT. A call that ends behind them never runs, whether
    /// it is still answered or not.
    pub taken: u64,
}

/// OPENED: the session of the client is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOpened {
    /// The same as long as the daemon knows what became of the calls of this session. A session that it has forgotten in between has
    /// another number.
    pub number: u64,
}

/// TICKET: should the connection lose its stream, it can go on over another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// What the connection is then known by. Nobody else may learn it.
    pub ticket: [u8; 16],
    /// How long the daemon waits for the other stream, milliseconds.
    pub keep_ms: u32,
}

/// ACK and RESUMED: bytes that the sender has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// From the end of the CONNECT or CONNECTOK on; they end with a whole message.
    pub taken: u64,
}

/// FLUSH: asks what has become of the oneways of one account. There will be no further ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flush {
    /// The object they were for.
    pub handle: u32,
    /// Their sequence number, which is that of the account.
    pub account: u16,
}

/// FLUSHED: all of them have ended. Those that are in neither number did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flushed {
    /// Those that ended with a value.
    pub executed: u64,
    /// Those that ended with a fault.
    pub failed: u64,
}

/// ADDRESSED: where others call the objects of the client that asked. The object that the client calls `x` has there the id `via_`, `relay`
/// in 32 hex digits, `~x`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addressed {
    /// The daemon, as others reach it.
    pub endpoint: String,
    /// What it calls the client; the same as long as it knows the client's session.
    pub relay: u128,
    /// The time of the daemon's calls that carry none, milliseconds.
    pub timeout_ms: u32,
}

/// RELEASE: an object that was opened is not needed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its handle.
    pub handle: u32,
    /// So many of the answers that named this handle are done with; when all are, the handle may come to name another object.
    pub count: u32,
}

/// The version of the messages in this file.
pub const HANDSHAKE_VERSION: u16 = 1;

/// A later version may lay its messages out in another way.
fn is_ours(version: u16) -> bool {
    version == HANDSHAKE_VERSION
}

impl Target {
    fn is_short(&self) -> bool {
        match self {
            Target::None | Target::Connection { .. } => true,
            Target::Id(text) | Target::Name(text) => text.len() <= MAX_TEXT,
        }
    }
}

impl BindingTable {
    fn is_short(&self) -> bool {
        self.object.len() <= MAX_TEXT
            && self.methods.len() <= MAX_METHODS
            && self.methods.iter().all(|method| method.name.len() <= MAX_TEXT)
    }
}

macro_rules! payload {
    ($($name:ident $what:literal $check:expr;)*) => {$(
        impl $name {
            /// Appends the message.
            ///
            /// # Errors
            /// A name in it is too long.
            pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), PayloadError> {
                write($what, self, $check, out)
            }

            /// Reads the message, which fills `payload`.
            ///
            /// # Errors
            /// It does not, or a name in it is too long.
            pub fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
                read($what, payload, $check)
            }
        }
    )*};
}

payload! {
    Hello "CONNECT" |hello: &Hello| is_ours(hello.version) && hello.target.is_short();
    Welcome "CONNECTOK" |welcome: &Welcome| {
        is_ours(welcome.version) && welcome.binding.as_ref().is_none_or(BindingTable::is_short)
    };
    Bind "BIND" |bind: &Bind| bind.target.is_short();
    BindingTable "BOUND" BindingTable::is_short;
    Addressed "ADDRESSED" |addressed: &Addressed| addressed.endpoint.len() <= MAX_TEXT;
    Release "RELEASE" |_: &Release| true;
    SessionOpened "OPENED" |_: &SessionOpened| true;
    Ticket "TICKET" |_: &Ticket| true;
    Taken "ACK" |_: &Taken| true;
    Flush "FLUSH" |_: &Flush| true;
    Flushed "FLUSHED" |_: &Flushed| true;
    GoAway "GOAWAY" |away: &GoAway| away.reason.len() <= MAX_TEXT;
}

const UNACCEPTABLE: &str = "it is of another version, or a name in it is too long, or there are too many";

fn write<T: Serialize>(
    what: &'static str,
    value: &T,
    short: impl Fn(&T) -> bool,
    out: &mut Vec<u8>,
) -> Result<(), PayloadError> {
    let fail = |problem: &str| PayloadError { what, verb: "written", problem: problem.to_owned() };
    if !short(value) {
        return Err(fail(UNACCEPTABLE));
    }
    let bytes = postcard::to_stdvec(value).map_err(|error| fail(&error.to_string()))?;
    out.extend_from_slice(&bytes);
    Ok(())
}

/// These messages are flat, and postcard takes memory only for what has come, so that reading one costs no more than its bytes.
fn read<T: DeserializeOwned>(
    what: &'static str,
    payload: &[u8],
    short: impl Fn(&T) -> bool,
) -> Result<T, PayloadError> {
    let fail = |problem: &str| PayloadError { what, verb: "read", problem: problem.to_owned() };
    let (value, rest) = postcard::take_from_bytes::<T>(payload).map_err(|error| fail(&error.to_string()))?;
    if !rest.is_empty() {
        return Err(fail("bytes follow it"));
    }
    if short(&value) { Ok(value) } else { Err(fail(UNACCEPTABLE)) }
}
