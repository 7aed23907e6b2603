//! One connection's bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

/// What [`Stream::custom`] takes.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connected stream of bytes, and who is at its other end.
pub struct Stream {
    inner: Inner,
    peer: String,
}

enum Inner {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Custom(Box<dyn Duplex>),
}

/// A stream that belongs to no runtime, on its way to another thread.
pub struct Detached {
    inner: DetachedInner,
    peer: String,
}

enum DetachedInner {
    Tcp(std::net::TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
    Custom(Box<dyn Duplex>),
}

impl Stream {
    /// A stream of the system's TCP.
    pub fn tcp(stream: TcpStream) -> Stream {
        let peer = stream.peer_addr().map_or_else(|_| "unknown".to_owned(), |addr| addr.to_string());
        Stream { inner: Inner::Tcp(stream), peer }
    }

    /// A Unix socket; `peer` is its path.
    #[cfg(unix)]
    pub fn unix(stream: UnixStream, peer: String) -> Stream {
        Stream { inner: Inner::Unix(stream), peer }
    }

    /// Any other pair of byte directions: a pair in memory, a simulated network.
    pub fn custom(stream: impl Duplex + 'static, peer: String) -> Stream {
        Stream { inner: Inner::Custom(Box::new(stream)), peer }
    }

    /// The address of the other end.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Ready when a read may bring something; whoever cannot know says so.
    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.inner {
            Inner::Tcp(stream) => stream.poll_read_ready(cx).map(drop),
            #[cfg(unix)]
            Inner::Unix(stream) => stream.poll_read_ready(cx).map(drop),
            Inner::Custom(_) => Poll::Ready(()),
        }
    }

    /// Takes the stream off its runtime, so that another thread's can go on with it.
    ///
    /// # Errors
    /// The system refuses to.
    pub fn detach(self) -> io::Result<Detached> {
        let inner = match self.inner {
            Inner::Tcp(stream) => DetachedInner::Tcp(stream.into_std()?),
            #[cfg(unix)]
            Inner::Unix(stream) => DetachedInner::Unix(stream.into_std()?),
            Inner::Custom(stream) => DetachedInner::Custom(stream),
        };
        Ok(Detached { inner, peer: self.peer })
    }
}

impl Detached {
    /// Goes on with the stream on the runtime of this thread.
    ///
    /// # Errors
    /// The system refuses to.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn attach(self) -> io::Result<Stream> {
        let inner = match self.inner {
            DetachedInner::Tcp(stream) => Inner::Tcp(TcpStream::from_std(stream)?),
            #[cfg(unix)]
            DetachedInner::Unix(stream) => Inner::Unix(UnixStream::from_std(stream)?),
            DetachedInner::Custom(stream) => Inner::Custom(stream),
        };
        Ok(Stream { inner, peer: self.peer })
    }
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Inner::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            #[cfg(unix)]
            Inner::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Inner::Custom(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().inner {
            Inner::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            #[cfg(unix)]
            Inner::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Inner::Custom(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().inner {
            Inner::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            #[cfg(unix)]
            Inner::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Inner::Custom(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Inner::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(unix)]
            Inner::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Inner::Custom(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Inner::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(unix)]
            Inner::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Inner::Custom(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("peer", &self.peer).finish_non_exhaustive()
    }
}
