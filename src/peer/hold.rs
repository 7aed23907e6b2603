//! An object of the peer that this end has opened, for as long as somebody here calls it.

use crate::peer::connection::Connection;
use crate::wire::{CorrelationId, Features, Flags, FrameWriter, MessageType, Release, SerializerId};

/// One answer that named a handle. Dropped, it tells the peer that it is done with.
#[derive(Debug)]
pub(crate) struct Hold {
    connection: Connection,
    handle: u32,
}

impl Hold {
    pub(crate) fn new(connection: Connection, handle: u32) -> Hold {
        Hold { connection, handle }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.connection.speaks(Features::RELEASES) {
            return;
        }
        let release = Release { handle: self.handle, count: 1 };
        // It stays behind the calls of the object, however large they are. A connection that has ended has let go of everything.
        let _ = self.connection.send(self.handle, 0, |out, seq| {
            let (kind, serializer) = (MessageType::Release, SerializerId::POSTCARD);
            let frame = FrameWriter::begin(out, kind, serializer, Flags::default(), seq, CorrelationId::NONE);
            match release.encode(out) {
                Ok(()) => frame.finish(out, u32::MAX).map_err(|error| error.to_string()),
                Err(error) => {
                    frame.abandon(out);
                    Err(error.to_string())
                }
            }
        });
    }
}
