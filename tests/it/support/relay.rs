//! A network between a client and a daemon that writes down what passes, and can make the daemon an older one.

use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use pyroxene::transport::network::BoxFuture;
use pyroxene::transport::{Listener, Network, Stream, memory};
use pyroxene::uri::Endpoint;
use pyroxene::wire::{Features, Frame, FrameWriter, MessageType, Welcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Passes frames on, one by one.
pub(crate) struct Relay {
    below: Arc<dyn Network>,
    /// What daemons do not say that they speak.
    hidden: Features,
    passed: Arc<Mutex<Passed>>,
}

/// The kinds of the frames that have passed, but for those of handshakes.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    pub(crate) out: Vec<MessageType>,
    pub(crate) back: Vec<MessageType>,
}

impl Relay {
    pub(crate) fn new(below: &Arc<dyn Network>, hidden: Features) -> Arc<Relay> {
        Arc::new(Relay { below: Arc::clone(below), hidden, passed: Arc::default() })
    }

    /// What has passed since this was asked before.
    pub(crate) fn passed(&self) -> Passed {
        std::mem::take(&mut self.passed.lock().unwrap())
    }
}

impl Network for Relay {
    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, std::io::Result<Stream>> {
        Box::pin(async move {
            let daemon = self.below.connect(endpoint).await?;
            let (ours, theirs) = memory::pair();
            let (passed, hidden) = (Arc::clone(&self.passed), self.hidden);
            actix_rt::spawn(relay(theirs, daemon, passed, hidden));
            Ok(ours)
        })
    }

    fn listen<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, std::io::Result<Box<dyn Listener>>> {
        self.below.listen(endpoint)
    }
}

async fn relay(mut client: Stream, mut daemon: Stream, passed: Arc<Mutex<Passed>>, hidden: Features) {
    let (mut out, mut back) = (BytesMut::new(), BytesMut::new());
    loop {
        let written = tokio::select! {
            read = client.read_buf(&mut out) => {
                if !read.is_ok_and(|read| read > 0) { return }
                let mut bytes = Vec::new();
                while let Some(frame) = Frame::decode(&mut out, u32::MAX).unwrap() {
                    if frame.header.kind != MessageType::Connect {
                        passed.lock().unwrap().out.push(frame.header.kind);
                    }
                    write(&frame, &frame.payload, &mut bytes);
                }
                daemon.write_all(&bytes).await
            }
            read = daemon.read_buf(&mut back) => {
                if !read.is_ok_and(|read| read > 0) { return }
                let mut bytes = Vec::new();
                while let Some(frame) = Frame::decode(&mut back, u32::MAX).unwrap() {
                    if frame.header.kind == MessageType::ConnectOk {
                        let mut welcome = Welcome::decode(&frame.payload).unwrap();
                        welcome.features.0 &= !hidden.0;
                        let mut payload = Vec::new();
                        welcome.encode(&mut payload).unwrap();
                        write(&frame, &payload, &mut bytes);
                        continue;
                    }
                    passed.lock().unwrap().back.push(frame.header.kind);
                    write(&frame, &frame.payload, &mut bytes);
                }
                client.write_all(&bytes).await
            }
        };
        if written.is_err() {
            return;
        }
    }
}

fn write(frame: &Frame, payload: &[u8], out: &mut Vec<u8>) {
    let header = frame.header;
    let mut writer =
        FrameWriter::begin(out, header.kind, header.serializer, header.flags, header.seq, header.correlation);
    for (id, value) in frame.annotations.iter() {
        writer.annotate(out, id, value);
    }
    out.extend_from_slice(payload);
    writer.finish(out, u32::MAX).unwrap();
}
