//! What a peer may send and hold. Every length is compared with one of these before memory is taken for it.

/// Limits of one daemon or client. All are configurable; the defaults are what the comments say they are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one frame without its header. More than that is for streams.
    pub max_message: u32,
    /// Bytes of a frame before the handshake is done: a stranger gets no more.
    pub max_handshake: u32,
    /// Nesting of a value: decoding recurses, and stacks are finite.
    pub max_depth: u16,
    /// Elements of a value, empty ones too: five bytes may claim four thousand million units.
    pub max_elements: u32,
    /// Calls that wait for a reply on one connection, each way.
    pub in_flight: u16,
    /// Bytes of the calls that a peer has in flight on one connection; and of the large messages that wait there to be sent to it, calls
    /// and replies each.
    pub in_flight_bytes: u32,
    /// Streams open on one connection, each way. Each may hold a window of items at both ends, so together they hold as much as calls do.
    pub streams: u16,
    /// Connections of one daemon.
    pub connections: u32,
    /// The time a handshake has, milliseconds.
    pub handshake_ms: u32,
    /// The time a begun frame has to come to its end, milliseconds.
    pub frame_ms: u32,
    /// Bytes that wait for a peer to read them; beyond that it is not read either.
    pub out_buffer: u32,
    /// Sessions that a daemon knows. Each may keep replies.
    pub sessions: u32,
    /// Replies that are kept for a session, and calls of it that may be on their way.
    pub session_replies: u32,
    /// Their bytes.
    pub session_bytes: u32,
    /// How long they are kept, and a session that nobody uses is known, milliseconds.
    pub session_ms: u32,
    /// How long a peer may take nothing of what waits for it, milliseconds.
    pub write_ms: u32,
    /// How long a peer may say nothing before it is asked whether it is there, and then once more before its stream counts as lost, milliseconds;
    /// 0 if it may be silent for ever. A thread that a handler blocks answers as little as one that is gone.
    pub silence_ms: u32,
    /// How long a connection that has lost its stream waits for another one, milliseconds; 0 if it does not.
    pub resume_ms: u32,
    /// How long an object lives that nobody holds, and references to the objects of a client that is away lead there once it is back,
    /// milliseconds.
    pub lease_ms: u32,
    /// Bytes that are kept until the other end has acknowledged them, so that they can be sent over another stream; and bytes that wait for
    /// that stream.
    pub resume_bytes: u32,
    /// Connections of one daemon that wait for another stream.
    pub suspended: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_message: 16 * 1024 * 1024,
            max_handshake: 4 * 1024,
            max_depth: 64,
            max_elements: 1024 * 1024,
            in_flight: 1024,
            in_flight_bytes: 64 * 1024 * 1024,
            streams: 256,
            connections: 10_000,
            handshake_ms: 5_000,
            frame_ms: 30_000,
            out_buffer: 8 * 1024 * 1024,
            sessions: 1_024,
            session_replies: 1_024,
            session_bytes: 1024 * 1024,
            session_ms: 600_000,
            write_ms: 10_000,
            silence_ms: 60_000,
            resume_ms: 30_000,
            lease_ms: 30_000,
            resume_bytes: 1024 * 1024,
            suspended: 256,
        }
    }
}

impl Limits {
    /// Each limit: its name, its value, its unit.
    pub fn table(&self) -> [(&'static str, u64, &'static str); 21] {
        [
            ("max_message", self.max_message.into(), "bytes"),
            ("max_handshake", self.max_handshake.into(), "bytes"),
            ("max_depth", self.max_depth.into(), "levels"),
            ("max_elements", self.max_elements.into(), "elements"),
            ("in_flight", self.in_flight.into(), "calls"),
            ("in_flight_bytes", self.in_flight_bytes.into(), "bytes"),
            ("streams", self.streams.into(), "streams"),
            ("connections", self.connections.into(), "connections"),
            ("handshake_ms", self.handshake_ms.into(), "ms"),
            ("frame_ms", self.frame_ms.into(), "ms"),
            ("out_buffer", self.out_buffer.into(), "bytes"),
            ("sessions", self.sessions.into(), "sessions"),
            ("session_replies", self.session_replies.into(), "replies"),
            ("session_bytes", self.session_bytes.into(), "bytes"),
            ("session_ms", self.session_ms.into(), "ms"),
            ("write_ms", self.write_ms.into(), "ms"),
            ("silence_ms", self.silence_ms.into(), "ms"),
            ("resume_ms", self.resume_ms.into(), "ms"),
            ("lease_ms", self.lease_ms.into(), "ms"),
            ("resume_bytes", self.resume_bytes.into(), "bytes"),
            ("suspended", self.suspended.into(), "connections"),
        ]
    }
}
