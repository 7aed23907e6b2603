//! A peer made by hand: sends whatever it likes, and looks at each frame that comes back.

use bytes::BytesMut;
use pyroxene::codec::budget::Budget;
use pyroxene::codec::fault::Fault;
use pyroxene::transport::{Network, Stream};
use pyroxene::uri::Endpoint;
use pyroxene::wire::handshake::HANDSHAKE_VERSION;
use pyroxene::wire::{
    AnnotationId, BindingTable, BoundMethod, CorrelationId, Features, Flags, Frame, FrameWriter, Hello, MessageType,
    PeerLimits, SerializerId, Target, Welcome,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What it speaks unless it says otherwise: whoever loses a connection to it has lost it.
pub(crate) const SPOKEN: Features = Features::OURS.without(Features::RESUME);

/// One end of a connection.
pub(crate) struct RawPeer {
    stream: Stream,
    input: BytesMut,
}

impl RawPeer {
    /// Connects, and says nothing.
    pub(crate) async fn connect(network: &dyn Network, endpoint: &Endpoint) -> RawPeer {
        RawPeer { stream: network.connect(endpoint).await.unwrap(), input: BytesMut::new() }
    }

    /// Connects to the object with this id.
    pub(crate) async fn greet(network: &dyn Network, endpoint: &Endpoint, object: &str) -> (RawPeer, Welcome) {
        let mut peer = RawPeer::connect(network, endpoint).await;
        peer.send(&connect(object)).await;
        let answer = peer.frame().await.unwrap();
        assert_eq!(answer.header.kind, MessageType::ConnectOk);
        (peer, Welcome::decode(&answer.payload).unwrap())
    }

    /// Offers an object with these methods, of whose signatures it says nothing, and takes what is large; where, and who connects.
    pub(crate) async fn offer(
        network: &dyn Network,
        features: Features,
        methods: &[(&str, u8)],
    ) -> (String, impl Future<Output = RawPeer> + use<>) {
        let mut listener = network.listen(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let uri = format!("PYRO://{}/thing", listener.endpoint());
        let bound = |(name, flags): &(&str, u8)| BoundMethod { name: (*name).into(), flags: *flags, fingerprint: 0 };
        let table = BindingTable { handle: 0, object: "thing".into(), methods: methods.iter().map(bound).collect() };
        let accepted = async move {
            let mut peer = RawPeer { stream: listener.accept().await.unwrap(), input: BytesMut::new() };
            assert_eq!(peer.frame().await.unwrap().header.kind, MessageType::Connect);
            let limits = PeerLimits { max_message: 128 * 1024 * 1024, in_flight: 64 };
            let welcome = Welcome { version: 1, features, limits, incarnation: 1, binding: Some(table) };
            peer.send(&frame(MessageType::ConnectOk, 0, |out| welcome.encode(out).unwrap())).await;
            peer
        };
        (uri, accepted)
    }

    /// Takes so many bytes of what the other end sends, and no more.
    pub(crate) async fn pass(&mut self, bytes: usize) {
        let mut passed = vec![0; bytes];
        self.stream.read_exact(&mut passed).await.unwrap();
        self.input.extend_from_slice(&passed);
    }

    /// Sends bytes as they are; whoever has hung up does not hear them.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// The next frame; `None` when the other end has closed the connection.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::decode(&mut self.input, u32::MAX).unwrap() {
                return Some(frame);
            }
            match self.stream.read_buf(&mut self.input).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// What comes with one read, whole frames all of it.
    pub(crate) async fn read(&mut self) -> Vec<Frame> {
        self.input.reserve(64 * 1024);
        self.stream.read_buf(&mut self.input).await.unwrap();
        std::iter::from_fn(|| self.received()).collect()
    }

    /// The next frame of what has come already, if all of it is there.
    pub(crate) fn received(&mut self) -> Option<Frame> {
        Frame::decode(&mut self.input, u32::MAX).unwrap()
    }

    /// The answer to its CONNECT: the places of the object's methods.
    pub(crate) async fn places(&mut self) -> super::pair::Places {
        Welcome::decode(&self.frame().await.unwrap().payload).unwrap().into()
    }

    /// Whether the other end has closed the connection by now.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let soon = std::time::Duration::from_millis(1);
        matches!(tokio::time::timeout(soon, self.frame()).await, Ok(None))
    }

    /// The next frame, which is the fault of a call.
    pub(crate) async fn fault(&mut self) -> Fault {
        let frame = self.frame().await.unwrap();
        assert_eq!(frame.header.kind, MessageType::Result);
        assert!(frame.header.flags.contains(Flags::EXCEPTION), "{frame:?}");
        Fault::decode(frame.header.serializer, &frame.payload, &Budget::default()).unwrap()
    }

    /// Passes over what comes until the other end closes the connection; the last frame before that.
    pub(crate) async fn until_closed(&mut self) -> Option<Frame> {
        let mut last = None;
        while let Some(frame) = self.frame().await {
            last = Some(frame);
        }
        last
    }
}

/// A CONNECT frame for the object with this id.
pub(crate) fn connect(object: &str) -> Vec<u8> {
    connect_speaking(object, SPOKEN)
}

/// The same from a peer that speaks no more than this.
pub(crate) fn connect_speaking(object: &str, features: Features) -> Vec<u8> {
    connect_as(&Hello { features, ..hello(Target::Id(object.to_owned())) })
}

/// The same from a peer that says this of itself.
pub(crate) fn connect_as(hello: &Hello) -> Vec<u8> {
    frame(MessageType::Connect, 0, |out| hello.encode(out).unwrap())
}

/// What it says of itself unless it says otherwise.
pub(crate) fn hello(target: Target) -> Hello {
    Hello {
        version: HANDSHAKE_VERSION,
        target,
        features: SPOKEN,
        session: 7,
        timeout_ms: 30_000,
        limits: PeerLimits { max_message: 16 * 1024 * 1024, in_flight: 1024 },
    }
}

/// An INVOKE frame of the method at place `method`, on the first object of the connection.
pub(crate) fn invoke(seq: u16, method: u8, message: &impl serde::Serialize) -> Vec<u8> {
    frame(MessageType::Invoke, seq, |out| {
        out.extend_from_slice(&[0, method]);
        pyroxene::codec::encode(SerializerId::POSTCARD, message, out).unwrap();
    })
}

/// The same of a oneway.
pub(crate) fn invoke_oneway(seq: u16, method: u8, message: &impl serde::Serialize) -> Vec<u8> {
    let mut out = invoke(seq, method, message);
    // The low byte of the flags.
    out[9] |= 4;
    out
}

/// The same with the time that the call has left.
pub(crate) fn invoke_within(seq: u16, method: u8, message: &impl serde::Serialize, ms: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let kind = MessageType::Invoke;
    let mut writer =
        FrameWriter::begin(&mut out, kind, SerializerId::POSTCARD, Flags::default(), seq, CorrelationId::NONE);
    writer.annotate(&mut out, AnnotationId::DEADLINE, &ms.to_be_bytes());
    out.extend_from_slice(&[0, method]);
    pyroxene::codec::encode(SerializerId::POSTCARD, message, &mut out).unwrap();
    writer.finish(&mut out, u32::MAX).unwrap();
    out
}

/// A frame in postcard with this payload.
pub(crate) fn frame(kind: MessageType, seq: u16, payload: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    let writer = FrameWriter::begin(&mut out, kind, SerializerId::POSTCARD, Flags::default(), seq, CorrelationId::NONE);
    payload(&mut out);
    writer.finish(&mut out, u32::MAX).unwrap();
    out
}
