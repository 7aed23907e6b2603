//! The streams of one connection: those this end writes, each within the credit it has, and those it reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;

use crate::peer::credit::Allowance;
use crate::wire::{Carried, Credit, Flags, Frame, ItemBatch, SerializerId};

/// What [`State`](crate::peer::connection::State) knows of streams: a plain table, no IO.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// Written here.
    pub(super) outgoing: BTreeMap<u64, Outgoing>,
    /// Read here.
    pub(super) incoming: BTreeMap<u64, Incoming>,
    /// Streams that were opened here so far.
    opened: u64,
    /// The latest that the peer has opened.
    latest: u64,
}

/// A stream that this end writes. It stays for as long as the peer reads it, and there is more to come.
#[derive(Debug)]
pub(crate) struct Outgoing {
    allowance: Allowance,
    /// Its reader has asked for items.
    begun: bool,
    writer: Option<Waker>,
    pub(super) serializer: SerializerId,
    /// Whose it is.
    pub(super) object: Arc<str>,
}

/// A stream that this end reads. It stays until its reader has seen the end, or has gone.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(super) allowance: Allowance,
    /// Items that have come and have not been read.
    pub(super) items: Vec<u8>,
    pub(super) reader: Option<Waker>,
    pub(super) end: Option<End>,
}

/// How a stream of the peer ended.
#[derive(Debug)]
pub(crate) enum End {
    /// There are no more items.
    Complete,
    /// With a fault.
    Fault(SerializerId, Bytes),
    /// With the connection.
    Lost,
}

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breach {
    /// It is for a stream that there never was.
    Stray,
    /// It cannot go on after that.
    Broken(&'static str),
}

impl Streams {
    /// Opens a stream to the peer; its number.
    pub(super) fn open(&mut self, serializer: SerializerId, object: &Arc<str>) -> u64 {
        self.open_with(Allowance::default(), true, serializer, object)
    }

    /// Opens a stream that a call carries; its number.
    pub(super) fn open_carried(&mut self, serializer: SerializerId, object: &Arc<str>) -> u64 {
        self.open_with(Allowance::NONE, false, serializer, object)
    }

    fn open_with(&mut self, allowance: Allowance, begun: bool, serializer: SerializerId, object: &Arc<str>) -> u64 {
        self.opened += 1;
        let object = Arc::clone(object);
        self.outgoing.insert(self.opened, Outgoing { allowance, begun, writer: None, serializer, object });
        self.opened
    }

    /// Whether the reader has asked for items; `None` when nobody reads the stream any more. When not, `waker` is woken once it does.
    pub(super) fn is_begun(&mut self, stream: u64, waker: &Waker) -> Option<bool> {
        let outgoing = self.outgoing.get_mut(&stream)?;
        if !outgoing.begun {
            outgoing.wait(waker);
        }
        Some(outgoing.begun)
    }

    /// Whether so many items may be sent; `None` when nobody reads the stream any more. When not, `waker` is woken once they may.
    pub(super) fn spend(&mut self, stream: u64, bytes: usize, items: u32, waker: &Waker) -> Option<bool> {
        let outgoing = self.outgoing.get_mut(&stream)?;
        let admitted = outgoing.allowance.spend(bytes, items);
        if !admitted {
            outgoing.wait(waker);
        }
        Some(admitted)
    }

    /// Whether the stream is still read; `waker` is woken when not any more.
    pub(super) fn watch(&mut self, stream: u64, waker: &Waker) -> bool {
        let outgoing = self.outgoing.get_mut(&stream);
        outgoing.is_some_and(|outgoing| {
            outgoing.wait(waker);
            true
        })
    }

    /// Credit has come: whoever waited for it is to be woken.
    pub(crate) fn credit(&mut self, frame: &Frame) -> Result<Option<Waker>, Breach> {
        let credit = Credit::decode(&frame.payload).map_err(|_| Breach::Broken("it sent a CREDIT that is none"))?;
        if credit.stream == 0 || credit.stream > self.opened {
            return Err(Breach::Stray);
        }
        if credit.is_nothing() {
            return Ok(self.outgoing.remove(&credit.stream).and_then(|outgoing| outgoing.writer));
        }
        // Its end may have crossed the credit on the way.
        let Some(outgoing) = self.outgoing.get_mut(&credit.stream) else { return Ok(None) };
        if !outgoing.allowance.grant(credit.bytes, credit.items) {
            return Err(Breach::Broken("it gave a stream more credit than can be counted"));
        }
        outgoing.begun = true;
        Ok(outgoing.writer.take())
    }

    /// A call has come that carries these streams. Whether it is taken or not, what comes of them is not astray.
    pub(crate) fn announced(&mut self, streams: Carried) {
        self.latest = self.latest.max(streams.first + u64::from(streams.count) - 1);
    }

    /// The call is taken; its streams are to be read.
    pub(super) fn taken(&mut self, streams: Carried) {
        for stream in streams.numbers() {
            let incoming = Incoming { allowance: Allowance::NONE, items: Vec::new(), reader: None, end: None };
            self.incoming.insert(stream, incoming);
        }
    }

    /// The number of the stream that a reply opens.
    pub(crate) fn opened_by(serializer: SerializerId, payload: &[u8]) -> Option<u64> {
        crate::codec::decode(serializer, payload, &crate::codec::budget::Budget::default()).ok()
    }

    /// A reply has come that opens a stream.
    pub(crate) fn opened(&mut self, frame: &Frame) -> Result<u64, Breach> {
        let stream = Streams::opened_by(frame.header.serializer, &frame.payload);
        let stream = stream.ok_or(Breach::Broken("it opened a stream without a number"))?;
        if self.incoming.contains_key(&stream) {
            return Err(Breach::Broken("it opened a stream twice"));
        }
        let incoming = Incoming { allowance: Allowance::default(), items: Vec::new(), reader: None, end: None };
        self.incoming.insert(stream, incoming);
        self.latest = self.latest.max(stream);
        Ok(stream)
    }

    /// Items have come, or the end: whoever waits for them is to be woken.
    pub(crate) fn arrived(&mut self, frame: &Frame) -> Result<Option<Waker>, Breach> {
        const NONE: Breach = Breach::Broken("it sent an ITEM that is none");
        let (stream, rest) = ItemBatch::stream(&frame.payload).map_err(|_| NONE)?;
        if stream > self.latest {
            return Err(Breach::Stray);
        }
        // What was given up may still be under way.
        let Some(incoming) = self.incoming.get_mut(&stream) else { return Ok(None) };
        if incoming.end.is_some() {
            return Err(Breach::Broken("it sent an ITEM of a stream that it had ended"));
        }
        if frame.header.flags.contains(Flags::EXCEPTION) {
            incoming.end = Some(End::Fault(frame.header.serializer, Bytes::copy_from_slice(rest)));
        } else if rest.is_empty() {
            incoming.end = Some(End::Complete);
        } else {
            let batch = ItemBatch::decode(&frame.payload).map_err(|_| NONE)?;
            if !incoming.allowance.spend(batch.bytes.len(), batch.items) {
                return Err(Breach::Broken("it sent more items of a stream than it was given credit for"));
            }
            // Copied: a small frame is not to keep the large buffer it was read into.
            incoming.items.extend_from_slice(batch.bytes);
        }
        Ok(incoming.reader.take())
    }

    /// Whether the items are wanted that begin with `payload`, and are `bytes` long.
    ///
    /// # Errors
    /// There is no credit for them.
    pub(crate) fn expects(&self, payload: &[u8], bytes: u32, end: bool) -> Result<bool, &'static str> {
        let (stream, rest) = ItemBatch::stream(payload).map_err(|_| "it sent an ITEM that is none")?;
        let Some(incoming) = self.incoming.get(&stream) else { return Ok(false) };
        // Looked at once more when they are there, and can be counted.
        let bytes = (bytes as usize).saturating_sub(payload.len() - rest.len());
        let admitted = end || incoming.allowance.admits(bytes, 1);
        if admitted { Ok(true) } else { Err("it sent more items of a stream than it was given credit for") }
    }

    /// The connection is lost, and all streams with it.
    pub(crate) fn lose_all(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(std::mem::take(&mut self.outgoing).into_values().filter_map(|outgoing| outgoing.writer));
        for incoming in self.incoming.values_mut() {
            if incoming.end.is_none() {
                incoming.end = Some(End::Lost);
                wakers.extend(incoming.reader.take());
            }
        }
    }

    /// Whether nobody waits for a stream of either end.
    pub(crate) fn is_idle(&self) -> bool {
        self.outgoing.is_empty() && self.incoming.values().all(|incoming| incoming.end.is_some())
    }

    /// Whether any stream of this end is still to be written.
    pub(crate) fn is_written(&self) -> bool {
        self.outgoing.is_empty()
    }
}

impl Outgoing {
    fn wait(&mut self, waker: &Waker) {
        match &mut self.writer {
            Some(writer) => writer.clone_from(waker),
            None => self.writer = Some(waker.clone()),
        }
    }

    pub(super) fn into_writer(self) -> Option<Waker> {
        self.writer
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::wire::stream::WINDOW_BYTES;
    use crate::wire::{CorrelationId, FrameWriter, MessageType};

    fn frame(kind: MessageType, flags: Flags, payload: &[u8]) -> Frame {
        let mut out = Vec::new();
        let writer = FrameWriter::begin(&mut out, kind, SerializerId::POSTCARD, flags, 0, CorrelationId::NONE);
        out.extend_from_slice(payload);
        writer.finish(&mut out, u32::MAX).unwrap();
        Frame::decode(&mut BytesMut::from(&out[..]), u32::MAX).unwrap().unwrap()
    }

    fn items(stream: u64, items: &[&[u8]]) -> Frame {
        let mut out = Vec::new();
        ItemBatch::begin(stream, &mut out);
        items.iter().for_each(|item| ItemBatch::push(item, &mut out));
        frame(MessageType::Item, Flags::default(), &out)
    }

    fn credit(stream: u64, bytes: u32, items: u32) -> Frame {
        let mut out = Vec::new();
        Credit { stream, bytes, items }.encode(&mut out);
        frame(MessageType::Credit, Flags::default(), &out)
    }

    fn reading(stream: u8) -> Streams {
        let mut streams = Streams::default();
        assert_eq!(streams.opened(&frame(MessageType::Result, Flags::ITEM_STREAM, &[stream])), Ok(stream.into()));
        streams
    }

    fn writing() -> (Streams, u64) {
        let mut streams = Streams::default();
        let stream = streams.open(SerializerId::POSTCARD, &Arc::from("account"));
        (streams, stream)
    }

    #[test]
    fn items_wait_for_their_reader() {
        let mut streams = reading(3);
        streams.arrived(&items(3, &[b"a", b"b"])).unwrap();
        streams.arrived(&items(3, &[b"c"])).unwrap();
        assert_eq!(streams.incoming[&3].items, b"\x01a\x01b\x01c");
        streams.arrived(&items(3, &[])).unwrap();
        assert!(matches!(streams.incoming[&3].end, Some(End::Complete)));
        assert!(matches!(streams.arrived(&items(3, &[b"d"])), Err(Breach::Broken(_))), "after its end");
    }

    #[test]
    fn more_than_the_credit_is_not_taken() {
        let mut streams = reading(3);
        let large = vec![0; WINDOW_BYTES as usize / 2];
        streams.arrived(&items(3, &[&large])).unwrap();
        assert!(matches!(streams.arrived(&items(3, &[&large, &large])), Err(Breach::Broken(_))));
    }

    #[test]
    fn a_stream_that_never_was_is_told_from_one_that_has_ended() {
        let mut streams = reading(3);
        assert_eq!(streams.arrived(&items(4, &[b"a"])).err(), Some(Breach::Stray));
        assert!(streams.arrived(&items(2, &[b"a"])).unwrap().is_none(), "given up, perhaps");
        assert!(matches!(
            streams.opened(&frame(MessageType::Result, Flags::ITEM_STREAM, &[3])),
            Err(Breach::Broken(_))
        ));
        let (mut streams, stream) = writing();
        assert_eq!(streams.credit(&credit(stream + 1, 1, 1)).err(), Some(Breach::Stray));
        assert_eq!(streams.credit(&credit(0, 1, 1)).err(), Some(Breach::Stray));
    }

    #[test]
    fn credit_is_counted() {
        let (mut streams, stream) = writing();
        let window = WINDOW_BYTES as usize;
        assert_eq!(streams.spend(stream, window, 1, Waker::noop()), Some(true));
        assert_eq!(streams.spend(stream, 1, 1, Waker::noop()), Some(false));
        assert!(streams.credit(&credit(stream, 1, 1)).unwrap().is_some(), "its writer is woken");
        assert_eq!(streams.spend(stream, 1, 1, Waker::noop()), Some(true));
        assert!(matches!(streams.credit(&credit(stream, u32::MAX, 1)), Ok(None)));
        assert!(matches!(streams.credit(&credit(stream, u32::MAX, 1)), Err(Breach::Broken(_))));
    }

    #[test]
    fn what_is_given_up_is_not_written() {
        let (mut streams, stream) = writing();
        assert!(streams.watch(stream, Waker::noop()) && !streams.is_written());
        assert!(streams.credit(&credit(stream, 0, 0)).unwrap().is_some());
        assert!(streams.is_written());
        assert_eq!(streams.spend(stream, 1, 1, Waker::noop()), None);
        assert!(matches!(streams.credit(&credit(stream, 1, 1)), Ok(None)), "it crossed the end");
    }
}
