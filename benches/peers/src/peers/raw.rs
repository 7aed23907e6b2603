//! The practical limit of the machine: length-prefixed frames over tokio on one thread, many for each system call, no task for a call.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, LocalSet};

use crate::calls::{self, Tally, check, number, stamped};
use crate::peer::{Connection, Peer, Support};
use crate::peers::runtime;
use crate::process::announce;
use crate::workload::{Figures, Task, Workload};

pub struct Raw;

/// What a frame is: u32 length of what follows, u8 kind, payload.
const ECHO: u8 = 0;
const TELL: u8 = 1;
const TOLD: u8 = 2;
const HEAD: usize = 4 + 1;
/// What an input buffer begins with, and what is gathered of oneway calls before it is written, bytes.
const BUFFER: usize = 16 << 10;
/// From this size on a payload is not copied to gather it.
const BULK: usize = 32 << 10;

impl Peer for Raw {
    fn id(&self) -> &'static str {
        "raw"
    }

    fn title(&self) -> &'static str {
        "raw tokio echo"
    }

    fn support(&self, _: Workload) -> Support {
        Support::Yes
    }

    fn serve(&self, _: Workload) -> Result<()> {
        LocalSet::new().block_on(&runtime()?, async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            announce(listener.local_addr()?)?;
            let told = Rc::new(Cell::new((0, 0)));
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tokio::task::spawn_local(serve(stream, Rc::clone(&told)));
            }
        })
    }

    fn call(&self, task: &Task) -> Result<Figures> {
        LocalSet::new().block_on(&runtime()?, calls::run(task, async || Wire::connect(&task.address).await))
    }
}

fn put(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.extend_from_slice(&head(kind, payload.len()));
    out.extend_from_slice(payload);
}

fn head(kind: u8, payload: usize) -> [u8; HEAD] {
    let [a, b, c, d] = (1 + payload as u32).to_le_bytes();
    [a, b, c, d, kind]
}

/// The kind and the payload of the next whole frame of `input` from `at` on, which moves behind it.
fn take<'a>(input: &'a [u8], at: &mut usize) -> Option<(u8, &'a [u8])> {
    let rest = input.get(*at..)?;
    let len = u32::from_le_bytes(*rest.first_chunk()?) as usize;
    let (kind, payload) = rest.get(4..4 + len)?.split_first()?;
    *at += 4 + len;
    Some((*kind, payload))
}

async fn serve(mut stream: TcpStream, told: Rc<Cell<(u64, u64)>>) -> Result<()> {
    let (mut input, mut out) = (Vec::with_capacity(BUFFER), Vec::new());
    while stream.read_buf(&mut input).await? > 0 {
        let mut at = 0;
        loop {
            let begin = at;
            let Some((kind, payload)) = take(&input, &mut at) else { break };
            match kind {
                ECHO if payload.len() > BULK => {
                    stream.write_all(&out).await?;
                    out.clear();
                    // The reply has the same bytes as the call.
                    stream.write_all(&input[begin..at]).await?;
                }
                ECHO => put(&mut out, ECHO, payload),
                TELL => {
                    let (calls, sum) = told.get();
                    told.set((calls + 1, sum.wrapping_add(number(payload))));
                }
                _ => {
                    let (calls, sum) = told.get();
                    put(&mut out, TOLD, &[calls.to_le_bytes(), sum.to_le_bytes()].concat());
                }
            }
        }
        input.drain(..at);
        if !out.is_empty() {
            stream.write_all(&out).await?;
            out.clear();
        }
    }
    Ok(())
}

/// A client's end. Whoever calls takes it, and puts it back with the reply.
#[derive(Clone)]
struct Wire(Rc<Cell<Option<Box<Open>>>>);

struct Open {
    stream: TcpStream,
    input: Vec<u8>,
    out: Vec<u8>,
}

impl Wire {
    async fn connect(address: &str) -> Result<Wire> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let open = Open { stream, input: Vec::with_capacity(BUFFER), out: Vec::new() };
        Ok(Wire(Rc::new(Cell::new(Some(Box::new(open))))))
    }

    async fn ask<T>(&self, kind: u8, payload: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let mut open = self.0.take().context("it makes one call at a time")?;
        if payload.len() > BULK {
            open.out.extend_from_slice(&head(kind, payload.len()));
            open.flush().await?;
            open.stream.write_all(payload).await?;
        } else {
            put(&mut open.out, kind, payload);
            open.flush().await?;
        }
        let reply = loop {
            let mut at = 0;
            if let Some((_, reply)) = take(&open.input, &mut at) {
                let reply = read(reply);
                open.input.drain(..at);
                break reply;
            }
            open.fill().await?;
        };
        self.0.set(Some(open));
        Ok(reply)
    }
}

impl Open {
    async fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.out).await?;
        self.out.clear();
        Ok(())
    }

    async fn fill(&mut self) -> Result<()> {
        ensure!(self.stream.read_buf(&mut self.input).await? > 0, "the server has closed the connection");
        Ok(())
    }

    /// As many calls in flight as were begun: each reply of a read begins another, and all of them leave together.
    async fn window(mut self, depth: usize, tally: Tally) -> Result<()> {
        let mut next = depth as u64;
        let mut expected = 0;
        (0..next).for_each(|number| put(&mut self.out, ECHO, &stamped(number)));
        while tally.is_open() {
            self.flush().await?;
            self.fill().await?;
            let (mut at, begin) = (0, expected);
            while let Some((_, reply)) = take(&self.input, &mut at) {
                check(expected, reply)?;
                expected += 1;
                put(&mut self.out, ECHO, &stamped(next));
                next += 1;
            }
            self.input.drain(..at);
            tally.count(expected - begin);
        }
        Ok(())
    }
}

impl Connection for Wire {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        self.ask(ECHO, &payload, Bytes::copy_from_slice).await
    }

    async fn echo_large(&self, payload: &Bytes) -> Result<()> {
        let same = self.ask(ECHO, payload, |reply| reply == payload).await?;
        ensure!(same, "the large reply is not what was sent");
        Ok(())
    }

    async fn tell(&self, number: u64) -> Result<()> {
        let mut open = self.0.take().context("it makes one call at a time")?;
        put(&mut open.out, TELL, &stamped(number));
        if open.out.len() >= BUFFER {
            open.flush().await?;
        }
        self.0.set(Some(open));
        Ok(())
    }

    async fn told(&self) -> Result<(u64, u64)> {
        self.ask(TOLD, &[], |reply| (number(reply), number(reply.get(8..).unwrap_or_default()))).await
    }

    fn keep_in_flight(self, depth: usize, tally: Tally) -> Vec<JoinHandle<Result<()>>> {
        let window = async move { self.0.take().context("it is in use")?.window(depth, tally).await };
        vec![tokio::task::spawn_local(window)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_as_they_were_put_and_only_whole() {
        let mut frames = Vec::new();
        put(&mut frames, ECHO, b"one");
        put(&mut frames, TELL, b"");
        let mut at = 0;
        assert_eq!(take(&frames[..7], &mut at), None);
        assert_eq!(take(&frames, &mut at), Some((ECHO, &b"one"[..])));
        assert_eq!(take(&frames, &mut at), Some((TELL, &b""[..])));
        assert_eq!((take(&frames, &mut at), at), (None, frames.len()));
    }
}
