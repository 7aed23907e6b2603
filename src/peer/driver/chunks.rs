//! Large messages of the peer, which come in chunks.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use crate::object::outcome::{Failure, NotStarted};
use crate::object::reply::{Reply, ReplySink, WireReply};
use crate::peer::assembly::Verdict;
use crate::peer::driver::{Driver, broken, ended};
use crate::peer::spin::Moved;
use crate::wire::{Carried, Flags, Frame, HEADER_LEN, Header, MessageType};

impl Driver {
    /// A piece of a message. Once it is whole, the message is taken as if it had come so.
    #[cold]
    pub(super) fn chunk(&mut self, frame: &Frame) -> io::Result<()> {
        let now = Instant::now();
        let limit = self.shared.limits.max_message;
        let mut assemblies = std::mem::take(&mut self.assemblies);
        let claimed = assemblies.claimed();
        let arrived = assemblies.arrived(frame, limit, now, |header, payload| self.judge(header, payload, claimed));
        self.assemblies = assemblies;
        match arrived.map_err(broken)? {
            Some(frame) => self.put_together(frame, now),
            None => Ok(()),
        }
    }

    /// What is left of the input is no whole frame. If it begins a chunk of a message that is being put together, the rest of that is read
    /// straight to where it belongs.
    #[cold]
    pub(super) fn land(&mut self) -> io::Result<()> {
        let Ok(Some(header)) = Header::decode(&self.input) else { return Ok(()) };
        if header.kind != MessageType::Chunk || header.annotations_len > 0 || header.flags != Flags::default() {
            return Ok(());
        }
        self.landing = self.assemblies.land(&header, &self.input[HEADER_LEN..], Instant::now()).map_err(broken)?;
        if self.landing.is_some() {
            self.input.clear();
            self.partial_since = None;
        }
        Ok(())
    }

    /// Reads more of the chunk that has begun, which stays begun if the stream is lost; how many bytes came.
    #[cold]
    pub(super) fn read_landing(&mut self, cx: &mut Context<'_>) -> io::Result<usize> {
        let room = self.landing.as_ref().and_then(|landing| self.assemblies.room(landing));
        let Some(mut room) = room else { return Err(broken("it goes on with a message that is over")) };
        let read = match pin!(self.stream.read_buf(&mut room)).poll(cx)? {
            Poll::Pending => return Ok(0),
            Poll::Ready(0) => return Err(ended()),
            Poll::Ready(read) => read,
        };
        self.received += read as u64;
        self.spinner.note(Moved::In);
        let (now, limit) = (Instant::now(), self.shared.limits.max_message);
        let Some(landing) = &mut self.landing else { return Ok(read) };
        let whole = self.assemblies.landed(landing, read, limit, now).map_err(broken)?;
        self.landing.take_if(|landing| landing.is_over());
        if let Some(frame) = whole {
            self.put_together(frame, now)?;
            let shared = Arc::clone(&self.shared);
            self.hand_over(shared.lock());
            self.check_stray()?;
        }
        Ok(read)
    }

    /// A large message is whole.
    fn put_together(&mut self, frame: Frame, now: Instant) -> io::Result<()> {
        if let Some(resumption) = &mut self.resumption {
            // Until the sender hears that the last piece has come, it keeps the whole message.
            resumption.receipts.hurry();
        }
        match frame.header.kind {
            MessageType::Invoke => self.invoke(frame, now),
            MessageType::Batch => self.batch(&frame),
            MessageType::Pipeline => return self.pipeline(&frame),
            MessageType::Result if frame.header.flags.contains(Flags::ITEM_STREAM) => {
                let shared = Arc::clone(&self.shared);
                return self.opened(&mut shared.lock(), frame);
            }
            MessageType::Result => {
                let completed = self.shared.lock().in_flight.complete(frame);
                match completed {
                    Ok(waker) => self.wakers.extend(waker),
                    Err(_) => self.stray += 1,
                }
            }
            _ => {
                let woken = self.shared.lock().streams.arrived(&frame);
                return self.streamed(woken);
            }
        }
        Ok(())
    }

    /// Whether the message is wanted that begins so; `claimed` bytes are promised to calls that are on their way already. A call that is
    /// not is answered at once: its caller need not send the rest.
    fn judge(&mut self, header: &Header, payload: &[u8], claimed: u64) -> Result<Verdict, &'static str> {
        match header.kind {
            MessageType::Invoke | MessageType::Batch | MessageType::Pipeline => {
                let Some(why) = self.unwelcome_large(header.payload_len, claimed) else { return Ok(Verdict::Keep) };
                if header.flags.contains(Flags::ITEM_STREAM)
                    && let Ok((streams, _)) = Carried::decode(payload)
                {
                    self.shared.lock().streams.announced(streams);
                }
                self.admitted += 1;
                self.admitted_bytes += u64::from(header.payload_len);
                // Counted before it is answered.
                self.shared.lock().admitted = self.admitted;
                let wire = WireReply {
                    sink: Arc::clone(&self.root) as Arc<dyn ReplySink>,
                    seq: header.seq,
                    serializer: header.serializer,
                    correlation: header.correlation,
                    oneway: header.flags.contains(Flags::ONEWAY),
                    size: header.payload_len,
                    method: 0,
                };
                Reply::wire(wire, None).fail(Failure::NotStarted(why));
                Ok(Verdict::PassOver)
            }
            MessageType::Result => {
                let expected = self.shared.lock().in_flight.expects(header.seq);
                self.stray += u32::from(!expected);
                Ok(if expected { Verdict::Keep } else { Verdict::PassOver })
            }
            _ => {
                let end = header.flags.contains(Flags::EXCEPTION);
                let expected = self.shared.lock().streams.expects(payload, header.payload_len, end)?;
                Ok(if expected { Verdict::Keep } else { Verdict::PassOver })
            }
        }
    }

    fn unwelcome_large(&mut self, size: u32, claimed: u64) -> Option<NotStarted> {
        if let Some(why) = self.unwelcome() {
            return Some(why);
        }
        let answered = self.shared.lock().answered_bytes;
        let budget = u64::from(self.shared.limits.in_flight_bytes);
        (self.admitted_bytes - answered + claimed + u64::from(size) > budget).then(|| NotStarted::Busy {
            what: "the budget of bytes in flight on this connection".to_owned(),
            retry_after_ms: 10,
        })
    }
}
