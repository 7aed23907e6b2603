//! How a connection begins: CONNECT and what answers it. "Connected" means that the other end has said so.

use std::io;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;

use crate::codec::budget::Budget;
use crate::codec::call::{NamedAccept, NamedConnect};
use crate::codec::fault::Fault;
use crate::object::attributes;
use crate::object::context::Caller;
use crate::object::interface::MethodFlags;
use crate::object::local::LocalDaemon;
use crate::object::outcome::{Failure, NotStarted};
use crate::peer::connection::{Connection, Shared};
use crate::peer::control;
use crate::peer::driver::Driver;
use crate::peer::driver::resume::Resumption;
use crate::peer::greeting::{begin, features, finish, invalid, read_frame, reason, refuse};
use crate::peer::in_flight::{Answer, Ending};
use crate::peer::session::Sessions;
use crate::peer::spin::Spin;
use crate::peer::successor::{Redial, Successor};
use crate::peer::tickets::Tickets;
use crate::transport::Stream;
use crate::transport::stream::Detached;
use crate::wire::handshake::HANDSHAKE_VERSION;
use crate::wire::{
    Bind, BindingTable, CorrelationId, Features, Flags, Flush, Flushed, Frame, FrameWriter, Hello, Limits, MessageType,
    PayloadError, PeerLimits, SerializerId, SessionOpened, Target, Ticket, Welcome,
};

/// What a peer that does not speak postcard is taken to accept.
const FOREIGN: PeerLimits = PeerLimits { max_message: 64 * 1024 * 1024, in_flight: 1024 };
/// The time of its calls, which carry none, milliseconds.
const FOREIGN_TIMEOUT_MS: u32 = 30_000;

/// In place of the handle of an object that is yet to be opened.
pub(crate) const NO_OBJECT: u32 = u32::MAX;

/// Who opens a connection.
pub struct Opener {
    /// What it takes.
    pub limits: Limits,
    /// The same on every connection that it opens.
    pub session: u128,
    /// The time of its calls that say nothing else, milliseconds.
    pub timeout_ms: u32,
    /// What the other end may call.
    pub objects: Weak<dyn LocalDaemon>,
    /// How it gets another stream, should it lose the one it has.
    pub redial: Arc<dyn Redial>,
    /// Whether the connection looks for more before it sleeps.
    pub spin: Spin,
    /// Where log lines go.
    pub log: slog::Logger,
}

/// A connection that a client opened.
pub struct Opened {
    /// Calls go out over it.
    pub connection: Connection,
    /// The object that was asked for, if the daemon has it.
    pub table: Option<BindingTable>,
}

/// Opens a connection over `stream`, for `target`; its task runs on the runtime of this thread.
///
/// # Errors
/// The other end does not let us in, or is not a daemon.
pub async fn connect(mut stream: Stream, target: &Target, opener: Opener) -> Result<Opened, NotStarted> {
    let Opener { limits, session, timeout_ms, objects, redial, spin, log } = opener;
    let peer = stream.peer().to_owned();
    let fail = |problem: String| NotStarted::Unreachable { uri: peer.clone(), problem };
    let hello = Hello {
        version: HANDSHAKE_VERSION,
        target: target.clone(),
        features: features(&limits),
        session,
        timeout_ms,
        limits: PeerLimits { max_message: limits.max_message, in_flight: limits.in_flight },
    };
    let mut out = Vec::new();
    let frame = begin(&mut out, MessageType::Connect, SerializerId::POSTCARD, 0);
    hello.encode(&mut out).map_err(|problem| fail(problem.to_string()))?;
    frame.finish(&mut out, limits.max_handshake).map_err(|problem| fail(problem.to_string()))?;
    stream.write_all(&out).await.map_err(|problem| fail(problem.to_string()))?;
    let mut input = BytesMut::new();
    // What a daemon offers may be long; it was we who called it.
    let answer =
        read_frame(&mut stream, &mut input, limits.max_message).await.map_err(|problem| fail(problem.to_string()))?;
    let welcome = match answer.header.kind {
        MessageType::ConnectOk if answer.header.serializer == SerializerId::POSTCARD => {
            Welcome::decode(&answer.payload).map_err(|problem| fail(problem.to_string()))?
        }
        MessageType::ConnectFail => return Err(fail(format!("connection rejected: {}", reason(&answer)))),
        kind => return Err(fail(format!("it answers {kind:?} where CONNECTOK belongs; is it a Pyroxene daemon?"))),
    };
    let caller = Arc::new(Caller { address: peer, session: welcome.incarnation });
    let shared = Shared::new(limits, welcome.limits, welcome.features, caller, log);
    let timeout = Duration::from_millis(timeout_ms.into());
    let mut driver = Driver::new(stream, Arc::clone(&shared), input, timeout, objects, None, spin);
    if hello.features.contains(Features::RESUME) && welcome.features.contains(Features::RESUME) {
        driver.resumable(Resumption::of_caller(redial, session, &shared.limits));
    }
    tokio::spawn(Box::new(driver).run());
    Ok(Opened { connection: Connection::new(shared), table: welcome.binding })
}

/// Opens a further object on a connection.
///
/// # Errors
/// The daemon has no such object, or the connection has ended.
pub async fn bind(connection: &Connection, target: &Target, timeout_ms: u32) -> Result<BindingTable, NotStarted> {
    let bind = Bind { target: target.clone() };
    let answer = ask(connection, NO_OBJECT, MessageType::Bind, timeout_ms, |out| bind.encode(out)).await?;
    BindingTable::decode(&answer.payload).map_err(|problem| unreachable(connection, problem.to_string()))
}

/// Opens this end's session, so that calls with keys can be made over the connection.
///
/// # Errors
/// The daemon knows too many, or the connection has ended.
pub(crate) async fn open_session(connection: &Connection, timeout_ms: u32) -> Result<(), NotStarted> {
    let answer = ask(connection, NO_OBJECT, MessageType::Session, timeout_ms, |_| Ok(())).await?;
    let opened = SessionOpened::decode(&answer.payload);
    let opened = opened.map_err(|problem| unreachable(connection, problem.to_string()))?;
    // As long as the connection lives it is always the same.
    connection.shared().session.get_or_init(|| opened.number);
    Ok(())
}

/// Asks the daemon for an address for the objects of this process that have none, unless it has lent one.
///
/// # Errors
/// The daemon lends none, or the connection has ended.
pub(crate) async fn address(connection: &Connection, timeout_ms: u32) -> Result<(), NotStarted> {
    if connection.shared().address.get().is_none() && connection.speaks(Features::CALLBACKS) {
        ask(connection, NO_OBJECT, MessageType::Address, timeout_ms, |_| Ok(())).await?;
    }
    Ok(())
}

/// What has become of the oneways of this account, which were for the object with this handle, once they have ended.
///
/// # Errors
/// They were not counted, have not ended in time, or the connection has ended.
pub(crate) async fn flush(
    connection: &Connection,
    handle: u32,
    account: u16,
    timeout_ms: u32,
) -> Result<Flushed, NotStarted> {
    let flush = Flush { handle, account };
    let answer = ask(connection, handle, MessageType::Flush, timeout_ms, |out| flush.encode(out)).await?;
    Flushed::decode(&answer.payload).map_err(|problem| unreachable(connection, problem.to_string()))
}

/// A question that nobody waits for is given up.
struct Asked<'a> {
    connection: &'a Connection,
    place: Option<u16>,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Some(seq) = self.place {
            self.connection.forget(seq);
        }
    }
}

/// Asks the other end for something that is not a call, behind what was sent to the object with this handle.
async fn ask(
    connection: &Connection,
    handle: u32,
    kind: MessageType,
    timeout_ms: u32,
    payload: impl Fn(&mut Vec<u8>) -> Result<(), PayloadError>,
) -> Result<Answer, NotStarted> {
    let fail = |problem: String| unreachable(connection, problem);
    let mut asked = Asked { connection, place: None };
    let ending = std::future::poll_fn(|cx| {
        let seq = match asked.place {
            Some(seq) => seq,
            None => {
                let started = connection.start(handle, timeout_ms, cx.waker(), |out, seq| {
                    let frame = begin(out, kind, SerializerId::POSTCARD, seq);
                    match payload(out) {
                        Ok(()) => frame.finish(out, connection.max_message()).map_err(|e| e.to_string()),
                        Err(problem) => {
                            frame.abandon(out);
                            Err(problem.to_string())
                        }
                    }
                });
                match started {
                    Ok(seq) => *asked.place.insert(seq),
                    Err(problem) => return Poll::Ready(Err(fail(problem.to_string()))),
                }
            }
        };
        match connection.poll(seq, cx.waker()) {
            Some((ending, _)) => {
                asked.place = None;
                Poll::Ready(Ok(ending))
            }
            None => Poll::Pending,
        }
    })
    .await?;
    match ending {
        Ending::Reply(answer) if answer.flags.contains(Flags::EXCEPTION) => {
            let fault = Fault::decode(answer.serializer, &answer.payload, &Budget::default());
            match fault.map_err(|e| e.to_string()).map(|fault| Failure::from_fault(fault, &Budget::default())) {
                Ok(Ok(Failure::NotStarted(why))) => Err(why),
                Ok(Ok(failure)) => Err(fail(format!("{failure:?}"))),
                Ok(Err(fault)) => Err(fail(fault.to_string())),
                Err(problem) => Err(fail(problem)),
            }
        }
        Ending::Reply(answer) => Ok(answer),
        Ending::OutOfTime { .. } => Err(fail(format!("no answer within {timeout_ms} ms"))),
        Ending::Lost { .. } => Err(fail(connection.problem())),
    }
}

fn unreachable(connection: &Connection, problem: String) -> NotStarted {
    NotStarted::Unreachable { uri: connection.peer().to_owned(), problem }
}

/// A client that has said what it wants.
pub struct Greeting {
    stream: Stream,
    request: Request,
}

/// The same on its way to another thread.
pub struct DetachedGreeting {
    stream: Detached,
    request: Request,
}

struct Request {
    /// Received behind the CONNECT frame.
    input: BytesMut,
    seq: u16,
    serializer: SerializerId,
    correlation: CorrelationId,
    hello: Hello,
}

/// Hears what a client wants.
///
/// # Errors
/// It does not say it in time, or not in this protocol; it has been told so if it can understand that.
pub async fn accept(mut stream: Stream, limits: &Limits) -> io::Result<Greeting> {
    let limit = Duration::from_millis(limits.handshake_ms.into());
    let mut input = BytesMut::new();
    let heard = tokio::time::timeout(limit, read_frame(&mut stream, &mut input, limits.max_handshake)).await;
    let request = match heard {
        Ok(Ok(frame)) => request(&frame, input),
        Ok(Err(problem)) => Err(problem),
        Err(_) => {
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("no handshake within {} ms", limits.handshake_ms)))
        }
    };
    match request {
        Ok(request) => Ok(Greeting { stream, request }),
        Err(problem) => {
            refuse(stream, &problem.to_string()).await;
            Err(problem)
        }
    }
}

fn request(frame: &Frame, input: BytesMut) -> io::Result<Request> {
    let header = frame.header;
    if header.kind != MessageType::Connect {
        return Err(invalid(&format!("invalid msg type {} received (expected: 1)", header.kind as u8)));
    }
    let hello = if header.serializer == SerializerId::POSTCARD {
        Hello::decode(&frame.payload).map_err(|problem| invalid(&problem.to_string()))?
    } else {
        let connect = NamedConnect::decode(header.serializer, &frame.payload, &Budget::default());
        let connect = connect.map_err(|problem| invalid(&problem.to_string()))?;
        Hello {
            version: HANDSHAKE_VERSION,
            target: Target::Id(connect.object),
            features: Features::default(),
            session: 0,
            timeout_ms: FOREIGN_TIMEOUT_MS,
            limits: FOREIGN,
        }
    };
    Ok(Request { input, seq: header.seq, serializer: header.serializer, correlation: header.correlation, hello })
}

impl Greeting {
    /// The object it wants.
    pub fn target(&self) -> &Target {
        &self.request.hello.target
    }

    /// Takes it off this thread.
    ///
    /// # Errors
    /// The system refuses to.
    pub fn detach(self) -> io::Result<DetachedGreeting> {
        Ok(DetachedGreeting { stream: self.stream.detach()?, request: self.request })
    }
}

impl DetachedGreeting {
    /// The object it wants.
    pub(crate) fn target(&self) -> &Target {
        &self.request.hello.target
    }

    /// Hands the stream to the connection that the client wants to go on with; tells it if there is none.
    pub(crate) async fn hand_over(self, sessions: &Sessions) {
        let Request { input, hello, .. } = self.request;
        let Target::Connection { ticket, taken } = hello.target else { return };
        let successor = Successor { stream: self.stream, input, taken };
        if let Err(successor) = sessions.tickets.hand_over(ticket, hello.session, successor)
            && let Ok(stream) = successor.stream.attach()
        {
            refuse(stream, "there is no such connection any more").await;
        }
    }

    /// Lets the client in, on this thread; the returned task is still to be spawned here.
    ///
    /// # Errors
    /// The system refuses to, or the object has too many methods to say.
    pub(crate) fn serve(
        self,
        daemon: Weak<dyn LocalDaemon>,
        sessions: &Arc<Sessions>,
        limits: &Limits,
        incarnation: u128,
        (spin, log): (Spin, &slog::Logger),
    ) -> io::Result<(Arc<Shared>, Driver)> {
        let Request { input, seq, serializer, correlation, hello } = self.request;
        let stream = self.stream.attach()?;
        let caller = Arc::new(Caller { address: stream.peer().to_owned(), session: hello.session });
        let shared = Shared::new(limits.clone(), hello.limits, hello.features, caller, log.clone());
        let timeout = Duration::from_millis(hello.timeout_ms.into());
        let sessions_of = Some(Arc::clone(sessions));
        let mut driver = Driver::new(stream, Arc::clone(&shared), input, timeout, daemon, sessions_of, spin);
        let bound = driver.exports().bind(&hello.target, &shared);
        let handle = bound.as_ref().ok().copied();
        let table = handle.and_then(|handle| driver.exports().name(handle));
        let mut out = Vec::new();
        let ticket = features(limits).contains(Features::RESUME) && hello.features.contains(Features::RESUME);
        let ticket = ticket.then(|| {
            let issued = Tickets::issue(&sessions.tickets, &shared);
            let ticket = Ticket { ticket: issued.ticket(), keep_ms: limits.resume_ms };
            driver.resumable(Resumption::of_called(issued, limits));
            ticket
        });
        let written = if serializer == SerializerId::POSTCARD {
            let welcome = Welcome {
                version: HANDSHAKE_VERSION,
                features: features(limits),
                limits: PeerLimits { max_message: limits.max_message, in_flight: limits.in_flight },
                incarnation,
                binding: table,
            };
            let frame =
                FrameWriter::begin(&mut out, MessageType::ConnectOk, serializer, Flags::default(), seq, correlation);
            welcome.encode(&mut out).map_err(|e| e.to_string()).and_then(|()| finish(frame, &mut out))
        } else {
            foreign_answer(bound.err(), table, serializer, seq, correlation, &mut out)
        };
        written.map_err(|problem| invalid(&problem))?;
        driver.greet(out);
        if let Some(ticket) = ticket {
            shared.append(|out| control::write(out, MessageType::Ticket, 0, |out| ticket.encode(out)));
        }
        Ok((shared, driver))
    }
}

/// The answer to a client that knows objects and methods by name only.
fn foreign_answer(
    refusal: Option<NotStarted>,
    table: Option<BindingTable>,
    serializer: SerializerId,
    seq: u16,
    correlation: CorrelationId,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let kind = if refusal.is_some() { MessageType::ConnectFail } else { MessageType::ConnectOk };
    let frame = FrameWriter::begin(out, kind, serializer, Flags::default(), seq, correlation);
    let methods = table.map(|table| table.methods).unwrap_or_default();
    let names = |is: &dyn Fn(&str, MethodFlags) -> bool| {
        let named = methods.iter().filter(|method| is(&method.name, MethodFlags::from_bits(method.flags)));
        named.map(|method| method.name.clone()).collect()
    };
    let accept = NamedAccept {
        methods: names(&attributes::is_listed),
        oneway: names(&|_, flags| flags.contains(MethodFlags::ONEWAY)),
        attrs: names(&attributes::is_own_attribute),
    };
    let written = match refusal {
        Some(why) => crate::codec::encode(serializer, &why.to_string(), out),
        None => accept.encode(serializer, out),
    };
    written.map_err(|problem| problem.to_string()).and_then(|()| finish(frame, out))
}
