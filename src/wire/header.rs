//! The 40 bytes that every frame begins with.

use serde::{Deserialize, Serialize};

use crate::wire::error::FrameError;

/// The version of the PYRO protocol, which is that of Pyro 5.
pub const VERSION: u16 = 502;
/// Bytes of a header.
pub const HEADER_LEN: usize = 40;
/// How every frame begins.
pub const TAG: [u8; 4] = *b"PYRO";
/// The last two bytes of every header.
pub const MAGIC: u16 = 0x4dc5;

/// Which serializer a payload is written in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct SerializerId(pub u8);

impl SerializerId {
    /// Python literals, Pyro 5's default.
    pub const SERPENT: SerializerId = SerializerId(1);
    /// Python's own `marshal`.
    pub const MARSHAL: SerializerId = SerializerId(2);
    /// JSON.
    pub const JSON: SerializerId = SerializerId(3);
    /// MessagePack.
    pub const MESSAGE_PACK: SerializerId = SerializerId(4);
    /// postcard, the default between Pyroxene peers.
    pub const POSTCARD: SerializerId = SerializerId(112);
}

impl std::fmt::Display for SerializerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            SerializerId::SERPENT => f.write_str("serpent"),
            SerializerId::MARSHAL => f.write_str("marshal"),
            SerializerId::JSON => f.write_str("JSON"),
            SerializerId::MESSAGE_PACK => f.write_str("MessagePack"),
            SerializerId::POSTCARD => f.write_str("postcard"),
            SerializerId(other) => write!(f, "serializer {other}"),
        }
    }
}

/// What a frame is. Those from 16 up exist only between Pyroxene peers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum MessageType {
    /// The first frame of a connection: what the client wants.
    Connect = 1,
    /// It may go on.
    ConnectOk = 2,
    /// It may not.
    ConnectFail = 3,
    /// A call.
    Invoke = 4,
    /// Its outcome.
    Result = 5,
    /// Asks whether the other end is there; answered by one of its kind.
    Ping = 6,
    /// Opens a further object on the connection.
    Bind = 16,
    /// What can be called there.
    Bound = 17,
    /// The call with this sequence number is given up.
    Cancel = 18,
    /// Items of a stream.
    Item = 19,
    /// More items may be sent.
    Credit = 20,
    /// Finish what is in flight, send nothing new.
    GoAway = 21,
    /// The sender hosts objects that have no address; where do others call them?
    Address = 22,
    /// There.
    Addressed = 23,
    /// Opens the session of the sender, so that it may make calls with keys.
    Session = 24,
    /// It is open.
    Opened = 25,
    /// The sender needs an object no more that it has opened.
    Release = 26,
    /// Many calls of one object.
    Batch = 28,
    /// A call that ends with a reference, or one on such a reference before it has arrived.
    Pipeline = 29,
    /// A piece of a large message.
    Chunk = 30,
    /// What the connection is known by, should its stream be lost.
    Ticket = 31,
    /// How many bytes of the other end were taken.
    Ack = 32,
    /// The connection goes on over this stream.
    Resumed = 33,
    /// Asks what has become of oneways.
    Flush = 34,
    /// What has, once all of them have ended.
    Flushed = 35,
}

impl TryFrom<u8> for MessageType {
    type Error = FrameError;

    fn try_from(byte: u8) -> Result<Self, FrameError> {
        Ok(match byte {
            1 => MessageType::Connect,
            2 => MessageType::ConnectOk,
            3 => MessageType::ConnectFail,
            4 => MessageType::Invoke,
            5 => MessageType::Result,
            6 => MessageType::Ping,
            16 => MessageType::Bind,
            17 => MessageType::Bound,
            18 => MessageType::Cancel,
            19 => MessageType::Item,
            20 => MessageType::Credit,
            21 => MessageType::GoAway,
            22 => MessageType::Address,
            23 => MessageType::Addressed,
            24 => MessageType::Session,
            25 => MessageType::Opened,
            26 => MessageType::Release,
            28 => MessageType::Batch,
            29 => MessageType::Pipeline,
            30 => MessageType::Chunk,
            31 => MessageType::Ticket,
            32 => MessageType::Ack,
            33 => MessageType::Resumed,
            34 => MessageType::Flush,
            35 => MessageType::Flushed,
            found => return Err(FrameError::UnknownType { found }),
        })
    }
}

/// What else is said about a frame. Unknown flags are kept and ignored, as Pyro does.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flags(u16);

impl Flags {
    /// The payload is a fault.
    pub const EXCEPTION: Flags = Flags(0x01);
    /// The payload is compressed.
    pub const COMPRESSED: Flags = Flags(0x02);
    /// Nobody waits for a reply.
    pub const ONEWAY: Flags = Flags(0x04);
    /// The payload is a list of calls, or of results.
    pub const BATCH: Flags = Flags(0x08);
    /// The result is a stream of items, or the call carries some.
    pub const ITEM_STREAM: Flags = Flags(0x10);
    /// The payload is passed on undecoded.
    pub const KEEP_SERIALIZED: Flags = Flags(0x20);
    /// The header carries a correlation id.
    pub const CORRELATION: Flags = Flags(0x40);

    /// Whether all of `other` is set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// As on the wire.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// From the wire.
    pub const fn from_bits(bits: u16) -> Flags {
        Flags(bits)
    }
}

impl std::ops::BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// Follows a call, and the calls made on its behalf, through every process.
// A number, so that it travels in registers: it is in every frame, and 16 bytes put together one by one are slow to copy.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CorrelationId(u128);

impl CorrelationId {
    /// None: all zeros.
    pub const NONE: CorrelationId = CorrelationId(0);

    /// The id that these bytes are on the wire.
    #[inline]
    pub const fn from_bytes(bytes: [u8; 16]) -> CorrelationId {
        CorrelationId(u128::from_be_bytes(bytes))
    }

    /// As on the wire.
    #[inline]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The id with this number.
    #[inline]
    pub(crate) const fn numbered(number: u128) -> CorrelationId {
        CorrelationId(number)
    }

    /// Whether it is [`NONE`](CorrelationId::NONE).
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl std::fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CorrelationId({self})")
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the frame is.
    pub kind: MessageType,
    /// What its payload is written in.
    pub serializer: SerializerId,
    /// What else is said about it.
    pub flags: Flags,
    /// Names a call; its reply has the same.
    pub seq: u16,
    /// Bytes of the payload.
    pub payload_len: u32,
    /// Bytes of the annotations.
    pub annotations_len: u32,
    /// The correlation id of the call.
    pub correlation: CorrelationId,
}

impl Header {
    /// Bytes that it says come behind it.
    #[inline]
    pub(crate) fn claimed(&self) -> u64 {
        u64::from(self.payload_len) + u64::from(self.annotations_len)
    }

    /// Appends the header's bytes.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        // Written in place: what is put together first would have to be copied before it has settled in the cache.
        let start = out.len();
        out.resize(start + HEADER_LEN, 0);
        let Some(bytes) = out[start..].first_chunk_mut::<HEADER_LEN>() else { return };
        bytes[0..4].copy_from_slice(&TAG);
        bytes[4..6].copy_from_slice(&VERSION.to_be_bytes());
        bytes[6] = self.kind as u8;
        bytes[7] = self.serializer.0;
        bytes[8..10].copy_from_slice(&self.flags.bits().to_be_bytes());
        bytes[10..12].copy_from_slice(&self.seq.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.payload_len.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.annotations_len.to_be_bytes());
        bytes[20..36].copy_from_slice(&self.correlation.to_bytes());
        bytes[38..40].copy_from_slice(&MAGIC.to_be_bytes());
    }

    /// Judges what has come of a header, which may be too little: then it is `None`. Tag and version are judged as soon as their six bytes are there.
    ///
    /// # Errors
    /// It is not a header, or not one of this version.
    #[inline(always)]
    pub fn decode(bytes: &[u8]) -> Result<Option<Header>, FrameError> {
        let Some((first, version)) = bytes.first_chunk::<6>().map(|b| ([b[0], b[1], b[2], b[3]], [b[4], b[5]])) else {
            return Ok(None);
        };
        if first != TAG {
            return Err(FrameError::NotPyro { first });
        }
        let found = u16::from_be_bytes(version);
        if found != VERSION {
            return Err(FrameError::Version { found });
        }
        let Some(bytes) = bytes.first_chunk::<HEADER_LEN>() else { return Ok(None) };
        let u16_at = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if u16_at(38) != MAGIC {
            return Err(FrameError::BadMagic { found: u16_at(38) });
        }
        let flags = Flags::from_bits(u16_at(8));
        let correlation = match bytes[20..36].first_chunk::<16>() {
            Some(id) if flags.contains(Flags::CORRELATION) => CorrelationId::from_bytes(*id),
            _ => CorrelationId::NONE,
        };
        Ok(Some(Header {
            kind: MessageType::try_from(bytes[6])?,
            serializer: SerializerId(bytes[7]),
            flags,
            seq: u16_at(10),
            payload_len: u32_at(12),
            annotations_len: u32_at(16),
            correlation,
        }))
    }
}

/// Makes a whole frame one of another call: the one with this sequence number.
pub(crate) fn readdress(frame: &mut [u8], seq: u16) {
    if let Some(place) = frame.get_mut(10..12) {
        place.copy_from_slice(&seq.to_be_bytes());
    }
}
