//! A network within the process: with paused time, everything on it happens in no time and always alike.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use pyroxene::transport::network::BoxFuture;
use pyroxene::transport::{Listener, Network, Stream, memory};
use pyroxene::uri::Endpoint;
use tokio::sync::mpsc;

/// Streams between those who have the same `MemoryNetwork`.
#[derive(Clone, Default)]
pub(crate) struct MemoryNetwork(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    listeners: BTreeMap<Endpoint, mpsc::UnboundedSender<Stream>>,
    ports: u16,
    connected: usize,
}

impl MemoryNetwork {
    /// How many connections were made so far.
    pub(crate) fn connected(&self) -> usize {
        self.0.lock().unwrap().connected
    }
}

impl Network for MemoryNetwork {
    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            let mut table = self.0.lock().unwrap();
            let (ours, theirs) = memory::pair();
            let listener = table.listeners.get(endpoint);
            match listener.map(|listener| listener.send(theirs)) {
                Some(Ok(())) => {
                    table.connected += 1;
                    Ok(ours)
                }
                Some(Err(_)) | None => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }

    fn listen<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let mut table = self.0.lock().unwrap();
            let endpoint = match endpoint {
                Endpoint::Tcp { host, port: 0 } => {
                    table.ports += 1;
                    Endpoint::Tcp { host: host.clone(), port: table.ports }
                }
                other => other.clone(),
            };
            if table.listeners.get(&endpoint).is_some_and(|listener| !listener.is_closed()) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            let (sender, accepted) = mpsc::unbounded_channel();
            table.listeners.insert(endpoint.clone(), sender);
            Ok(Box::new(MemoryListener { endpoint, accepted }) as Box<dyn Listener>)
        })
    }
}

struct MemoryListener {
    endpoint: Endpoint,
    accepted: mpsc::UnboundedReceiver<Stream>,
}

impl Listener for MemoryListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(async move { self.accepted.recv().await.ok_or_else(|| io::ErrorKind::NotConnected.into()) })
    }

    fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }
}
