//! Unix sockets.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use tokio::net::{UnixListener, UnixStream};

use crate::transport::network::{BoxFuture, Listener};
use crate::transport::stream::Stream;
use crate::uri::{Endpoint, SocketPath};

/// A stream to the socket at `path`.
pub(crate) async fn connect(path: &Path) -> io::Result<Stream> {
    Ok(Stream::unix(UnixStream::connect(path).await?, format!("./u:{}", path.display())))
}

/// Listens at `path`, for this user only. What a dead process left there is removed; anything else is left alone.
pub(crate) fn listen(socket: &SocketPath) -> io::Result<Unix> {
    let path: &Path = socket.as_ref();
    if is_stale(path) {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(Unix { listener, socket: socket.clone() })
}

/// A socket nobody listens on.
fn is_stale(path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    is_socket
        && std::os::unix::net::UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// A listening Unix socket; its file goes with it.
pub(crate) struct Unix {
    listener: UnixListener,
    socket: SocketPath,
}

impl Listener for Unix {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(async move {
            let (stream, _) = self.listener.accept().await?;
            Ok(Stream::unix(stream, format!("./u:{}", self.socket)))
        })
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Unix(self.socket.clone())
    }
}

impl Drop for Unix {
    fn drop(&mut self) {
        let _ = std::fs::remove_file::<&Path>(self.socket.as_ref());
    }
}
