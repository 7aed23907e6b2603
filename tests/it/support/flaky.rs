//! A network whose streams break, stall, lose what they took, or come in crumbs, at the byte that a script says.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use pyroxene::transport::network::BoxFuture;
use pyroxene::transport::{Listener, Network, Stream};
use pyroxene::uri::Endpoint;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What happens to a direction once so many bytes have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is reset, both ways.
    Break,
    /// Nothing more is taken, or comes.
    Stall,
    /// What is sent is taken, and never arrives.
    Lose,
}

/// The fate of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// From the one who connects, after so many bytes.
    pub(crate) out: Option<(u64, Fault)>,
    /// To the one who connects, after so many bytes.
    pub(crate) back: Option<(u64, Fault)>,
    /// Bytes pass in pieces of 1 to 9, by this seed.
    pub(crate) crumbs: Option<u64>,
}

/// Bytes that have passed on all connections.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    out: AtomicU64,
    back: AtomicU64,
}

impl Traffic {
    /// From those who connect.
    pub(crate) fn out(&self) -> u64 {
        self.out.load(Ordering::Relaxed)
    }

    /// To those who connect.
    pub(crate) fn back(&self) -> u64 {
        self.back.load(Ordering::Relaxed)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Open,
    Shut,
    Gone,
}

/// Connections through it have the fates of its script, one after the other; those after the last are sound.
pub(crate) struct Flaky {
    inner: Arc<dyn Network>,
    script: Mutex<VecDeque<Plan>>,
    attempts: AtomicU64,
    resets: Arc<tokio::sync::watch::Sender<u64>>,
    /// What becomes of those who connect.
    door: tokio::sync::watch::Sender<Door>,
    pub(crate) traffic: Arc<Traffic>,
}

impl Flaky {
    pub(crate) fn new(inner: Arc<dyn Network>, script: impl IntoIterator<Item = Plan>) -> Flaky {
        Flaky {
            inner,
            script: Mutex::new(script.into_iter().collect()),
            attempts: AtomicU64::new(0),
            resets: Arc::default(),
            door: tokio::sync::watch::Sender::new(Door::Open),
            traffic: Arc::default(),
        }
    }

    /// Resets all connections that there are, both ways, whatever they are doing.
    pub(crate) fn reset_all(&self) {
        self.resets.send_modify(|resets| *resets += 1);
    }

    /// Nobody gets through, or hears why, until [`go_on`](Flaky::go_on).
    pub(crate) fn pause(&self) {
        self.door.send_replace(Door::Shut);
    }

    pub(crate) fn go_on(&self) {
        self.door.send_replace(Door::Open);
    }

    /// There is nobody any more.
    pub(crate) fn refuse(&self) {
        self.door.send_replace(Door::Gone);
    }

    /// How often somebody tried to connect.
    pub(crate) fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::Relaxed)
    }
}

impl Network for Flaky {
    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            self.attempts.fetch_add(1, Ordering::Relaxed);
            if *self.door.subscribe().wait_for(|door| *door != Door::Shut).await.unwrap() == Door::Gone {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let stream = self.inner.connect(endpoint).await?;
            let plan = self.script.lock().unwrap().pop_front().unwrap_or_default();
            let peer = stream.peer().to_owned();
            let rng = plan.crumbs.map(StdRng::seed_from_u64);
            let traffic = Arc::clone(&self.traffic);
            let mut resets = self.resets.subscribe();
            let reset = Box::pin(async move { drop(resets.changed().await) });
            let flaky = FlakyStream { inner: Some(stream), plan, sent: 0, received: 0, rng, traffic, reset };
            Ok(Stream::custom(flaky, peer))
        })
    }

    fn listen<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        self.inner.listen(endpoint)
    }
}

struct FlakyStream {
    /// Gone once the connection is reset.
    inner: Option<Stream>,
    plan: Plan,
    sent: u64,
    received: u64,
    rng: Option<StdRng>,
    traffic: Arc<Traffic>,
    /// Ends when the connection is to be reset at once.
    reset: BoxFuture<'static, ()>,
}

impl FlakyStream {
    /// The stream, unless it is to be reset by now.
    fn stream(&mut self) -> io::Result<&mut Stream> {
        let broken = |passed: u64, fate: Option<(u64, Fault)>| {
            fate.is_some_and(|(at, fault)| fault == Fault::Break && passed >= at)
        };
        if broken(self.sent, self.plan.out) || broken(self.received, self.plan.back) {
            self.inner = None;
        }
        self.inner.as_mut().ok_or_else(|| io::Error::new(io::ErrorKind::ConnectionReset, "reset by the script"))
    }

    /// How much of `len` may pass now; the fault, when none may.
    fn room(&mut self, passed: u64, fate: Option<(u64, Fault)>, len: usize) -> Result<usize, Fault> {
        let crumb = self.rng.as_mut().map_or(len, |rng| rng.random_range(1..10));
        let left = match fate {
            Some((at, fault)) if at <= passed => return Err(fault),
            Some((at, _)) => (at - passed) as usize,
            None => len,
        };
        Ok(len.min(crumb).min(left))
    }
}

impl AsyncWrite for FlakyStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?;
        let (sent, fate) = (self.sent, self.plan.out);
        let room = match self.room(sent, fate, bytes.len()) {
            Ok(room) => room,
            // Whoever waits here is woken by nobody but its own clock.
            Err(Fault::Stall) => return Poll::Pending,
            Err(Fault::Lose | Fault::Break) => return Poll::Ready(Ok(bytes.len())),
        };
        let written = ready!(Pin::new(self.stream()?).poll_write(cx, &bytes[..room]))?;
        self.sent += written as u64;
        self.traffic.out.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream()?).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream()?).poll_shutdown(cx)
    }
}

impl AsyncRead for FlakyStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.inner.is_some() && self.reset.as_mut().poll(cx).is_ready() {
            self.inner = None;
        }
        self.stream()?;
        let (received, fate) = (self.received, self.plan.back);
        let Ok(room) = self.room(received, fate, buf.remaining()) else { return Poll::Pending };
        let mut part = vec![0; room];
        let mut read = ReadBuf::new(&mut part);
        ready!(Pin::new(self.stream()?).poll_read(cx, &mut read))?;
        buf.put_slice(read.filled());
        let count = read.filled().len() as u64;
        self.received += count;
        self.traffic.back.fetch_add(count, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}
