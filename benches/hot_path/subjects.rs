//! What is measured: each subject is made once, and then does the same thing again and again.

use std::sync::Arc;
use std::time::Instant;

use actix::SystemRunner;
use bytes::{Bytes, BytesMut};
use pyroxene::client::client::{Client, ClientConfig};
use pyroxene::codec::budget::Budget;
use pyroxene::codec::call::NamedCall;
use pyroxene::codec::{decode, encode};
use pyroxene::daemon::placement::Here;
use pyroxene::daemon::program::system;
use pyroxene::naming::Name;
use pyroxene::naming::resolve::NameResolver;
use pyroxene::object::local::LocalDaemons;
use pyroxene::wire::{CorrelationId, Flags, FrameWriter, Frames, MessageType, SerializerId};
use pyroxene::{Daemon, DaemonConfig, Proxy, args};
use pyroxene_actors::name_server::registry::{Caller, Limits, NewName, OwnerId, Registry, Rights};
use serde::{Deserialize, Serialize};

#[allow(dead_code, reason = "the tests ask more of it")]
#[path = "../../tests/it/support/memory.rs"]
mod memory;
use memory::MemoryNetwork;

/// Frames and calls that are handled together.
pub(crate) const TOGETHER: usize = 64;

/// A message of the size that most have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    number: u64,
    customer: String,
    items: Vec<(u32, u16)>,
    note: Option<String>,
    signature: Bytes,
}

pub(crate) fn order() -> Order {
    Order {
        number: 1_000_017,
        customer: "Ada Lovelace".into(),
        items: (0..8).map(|item| (item * 1_000, 3)).collect(),
        note: None,
        signature: Bytes::from_static(&[7; 64]),
    }
}

/// A value in a serializer, to be written and read.
pub(crate) struct Codec<T> {
    value: T,
    bytes: Vec<u8>,
    write: fn(&T, &mut Vec<u8>),
    read: fn(&[u8]) -> T,
}

impl<T> Codec<T> {
    fn new(value: T, write: fn(&T, &mut Vec<u8>), read: fn(&[u8]) -> T) -> Codec<T> {
        let mut bytes = Vec::new();
        write(&value, &mut bytes);
        Codec { value, bytes, write, read }
    }

    pub(crate) fn write(&mut self) -> usize {
        self.bytes.clear();
        (self.write)(&self.value, &mut self.bytes);
        self.bytes.len()
    }

    pub(crate) fn read(&self) -> T {
        (self.read)(&self.bytes)
    }
}

/// A message as the proxies write it.
pub(crate) fn postcard() -> Codec<Order> {
    const ID: SerializerId = SerializerId::POSTCARD;
    Codec::new(
        order(),
        |order, out| encode(ID, order, out).unwrap(),
        |bytes| decode(ID, bytes, &Budget::default()).unwrap(),
    )
}

/// A call as those write it who know only names.
pub(crate) fn by_name() -> Codec<NamedCall> {
    const ID: SerializerId = SerializerId::MESSAGE_PACK;
    let args = args![1_000_017, "Ada Lovelace"; note: "before noon"];
    let call = NamedCall { object: "shop".into(), method: "order".into(), args };
    Codec::new(
        call,
        |call, out| call.encode(ID, out).unwrap(),
        |bytes| NamedCall::decode(ID, bytes, &Budget::default()).unwrap(),
    )
}

/// Calls as one read brings them.
pub(crate) fn frames() -> BytesMut {
    let mut out = Vec::new();
    for seq in 0..TOGETHER {
        let frame = FrameWriter::begin(
            &mut out,
            MessageType::Invoke,
            SerializerId::POSTCARD,
            Flags::default(),
            seq as u16,
            CorrelationId::NONE,
        );
        out.extend_from_slice(&[7; 64]);
        frame.finish(&mut out, u32::MAX).unwrap();
    }
    BytesMut::from(&out[..])
}

/// Takes them apart.
pub(crate) fn split(mut input: BytesMut) -> usize {
    Frames::split(&mut input, u32::MAX).map(|frame| frame.unwrap().payload.len()).sum()
}

#[derive(Default)]
pub(crate) struct Echo;

#[pyroxene::remote]
impl Echo {
    pub fn echo(&mut self, number: u64, payload: Bytes) -> (u64, Bytes) {
        (number, payload)
    }

    #[remote(oneway)]
    pub fn tell(&mut self, payload: Bytes) {
        std::hint::black_box(payload);
    }
}

/// An object and its callers, on one thread.
pub(crate) struct Conversation {
    system: SystemRunner,
    echo: EchoProxy,
    _daemon: Daemon,
}

impl Conversation {
    /// Over a connection, whose bytes stay in the process: all that a call costs but the system.
    pub(crate) fn over_a_connection() -> Conversation {
        let conversation = Conversation::new(LocalDaemons::default());
        assert!(!conversation.echo.proxy().is_local());
        conversation
    }

    /// Past it, as objects of one process are called.
    pub(crate) fn within_the_process() -> Conversation {
        let conversation = Conversation::new(LocalDaemons::of_process());
        assert!(conversation.echo.proxy().is_local());
        conversation
    }

    fn new(local: LocalDaemons) -> Conversation {
        let system = system();
        let (daemon, echo) = system.block_on(async {
            let network = Arc::new(MemoryNetwork::default());
            let client = |local| {
                let config = ClientConfig { network: network.clone(), local, ..ClientConfig::default() };
                Client::new(config, Arc::new(NameResolver::default()))
            };
            let config = DaemonConfig { placement: Some(Arc::new(Here)), ..DaemonConfig::default() };
            let server = client(LocalDaemons::of_process());
            let daemon = Daemon::bind_with(config, server, &"127.0.0.1:0".parse().unwrap()).await.unwrap();
            let uri = daemon.supervise("echo", Echo::default).await.unwrap().uri().clone();
            let echo = EchoProxy::from(Proxy::connect_with(&client(local), uri).await.unwrap());
            (daemon, echo)
        });
        Conversation { system, echo, _daemon: daemon }
    }

    /// So many calls, all in flight at once, and their replies.
    pub(crate) fn calls(&self, number: usize) -> u64 {
        self.system.block_on(async {
            let calls: Vec<_> = (0..number as u64)
                .map(|number| {
                    let call = self.echo.echo(number, Bytes::from_static(&[7; 64]));
                    tokio::spawn(async move { call.await.unwrap().0 })
                })
                .collect();
            let mut sum = 0;
            for call in calls {
                sum += call.await.unwrap();
            }
            sum
        })
    }
}

impl Conversation {
    /// So many oneways, and a call that shows that they were handled.
    pub(crate) fn oneways(&self, number: usize) -> u64 {
        self.system.block_on(async {
            for _ in 0..number {
                self.echo.tell(Bytes::from_static(&[7; 64]));
            }
            self.echo.echo(7, Bytes::new()).await.unwrap().0
        })
    }
}

/// Names in ten thousand, a hundred in each group.
pub(crate) struct Names {
    registry: Registry,
    known: Name,
    group: Name,
    further: NewName,
}

const OWNER: Caller = Caller { owner: OwnerId(7), rights: Rights::Admin };

impl Names {
    pub(crate) fn new() -> Names {
        let name = |text: String| text.parse::<Name>().unwrap();
        let limits = Limits { per_owner: 1 << 20, ..Limits::default() };
        let (mut registry, now) = (Registry::new(limits), Instant::now());
        let new = |name| NewName {
            name,
            uri: "PYRO://localhost:7766/lamp".parse().unwrap(),
            lease: None,
            replace: false,
            tags: Default::default(),
        };
        for street in 0..100 {
            for lamp in 0..100 {
                registry.register(OWNER, new(name(format!(":town.street{street}.lamp{lamp}"))), now).unwrap();
            }
        }
        Names {
            registry,
            known: name(":town.street42.lamp42".into()),
            group: name(":town.street42".into()),
            further: new(name(":town.street42.lantern".into())),
        }
    }

    pub(crate) fn resolve(&self) -> usize {
        self.registry.resolve(&self.known).unwrap().uri.to_string().len()
    }

    pub(crate) fn list(&self) -> usize {
        self.registry.list(&self.group, None, 1_000).unwrap().entries.len()
    }

    pub(crate) fn register(&mut self) {
        self.registry.register(OWNER, self.further.clone(), Instant::now()).unwrap();
        self.registry.unregister(OWNER, &self.further.name, None).unwrap();
    }
}
