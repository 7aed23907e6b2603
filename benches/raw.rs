//! How much of the machine's practical limit is left to a call: an echo object against a raw tokio echo, each as two processes on one core.
//!
//! ```text
//! cargo bench --bench raw                        # a table of ratios
//! cargo bench --bench raw -- --seconds 3 --json  # the same for machines
//! cargo bench --bench raw -- --batch             # the calls in flight are one batch after another
//! ```
//!
//! `raw` is a length-prefixed echo on tokio's current-thread runtime that reads and writes many frames at a time. It is measured before and
//! after Pyroxene in the same run; only the ratio means anything.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pyroxene::client::client::{Client, ClientConfig};
use pyroxene::daemon::program::system;
use pyroxene::naming::resolve::NameResolver;
use pyroxene::{Daemon, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PAYLOAD: usize = 64;
const WARM_UP: Duration = Duration::from_millis(300);

struct Echo;

#[pyroxene::remote]
impl Echo {
    pub fn echo(&mut self, number: u64, payload: Bytes) -> (u64, Bytes) {
        (number, payload)
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.first().map(String::as_str) {
        Some("serve-raw") => runtime().block_on(serve_raw()),
        Some("serve-pyroxene") => system().block_on(serve_pyroxene()),
        Some("call-raw") => println!("{}", runtime().block_on(call_raw(&args[1], number(&args[2]), seconds(&args[3])))),
        Some("call-pyroxene") => {
            println!("{}", system().block_on(call_pyroxene(&args[1], number(&args[2]), seconds(&args[3]))));
        }
        Some("call-pyroxene-batch") => {
            println!("{}", runtime().block_on(call_pyroxene_batch(&args[1], number(&args[2]), seconds(&args[3]))));
        }
        _ => compare(&args),
    }
}

/// The table.
fn compare(args: &[String]) {
    let json = args.iter().any(|arg| arg == "--json");
    let at = args.iter().position(|arg| arg == "--seconds");
    let seconds = at.and_then(|at| args.get(at + 1)).map_or("2", String::as_str);
    let how = if args.iter().any(|arg| arg == "--batch") { "-batch" } else { "" };
    if !json {
        println!("{:>10} {:>12} {:>12} {:>8}", "in flight", "raw calls/s", "pyroxene", "ratio");
    }
    for in_flight in ["1", "64"] {
        let before = measure("raw", "", in_flight, seconds);
        let pyroxene = measure("pyroxene", how, in_flight, seconds);
        let after = measure("raw", "", in_flight, seconds);
        let raw = (before + after) / 2.0;
        let ratio = pyroxene / raw;
        if json {
            println!("{{\"in_flight\":{in_flight},\"raw\":{raw:.0},\"pyroxene\":{pyroxene:.0},\"ratio\":{ratio:.3}}}");
        } else {
            println!("{in_flight:>10} {raw:>12.0} {pyroxene:>12.0} {ratio:>8.2}");
        }
    }
}

/// Calls per second between two processes of this program that share core 0.
fn measure(what: &str, how: &str, in_flight: &str, seconds: &str) -> f64 {
    let mut server = child(&[&format!("serve-{what}")]);
    let place = first_line(&mut server);
    let mut client = child(&[&format!("call-{what}{how}"), &place, in_flight, seconds]);
    let rate = first_line(&mut client);
    let _ = client.wait();
    let _ = server.kill();
    let _ = server.wait();
    rate.parse().unwrap_or_else(|_| panic!("{what} printed {rate:?} instead of a rate"))
}

fn child(args: &[&str]) -> Child {
    let program = std::env::current_exe().expect("this program has a path");
    let pinned = Command::new("taskset").args(["-c", "0"]).arg(&program).args(args).stdout(Stdio::piped()).spawn();
    // Without `taskset` both run where the system likes.
    pinned.or_else(|_| Command::new(&program).args(args).stdout(Stdio::piped()).spawn()).expect("it can be started")
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    let stdout = child.stdout.take().expect("its output is piped");
    BufReader::new(stdout).read_line(&mut line).expect("it prints");
    line.trim().to_owned()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs_f64(text.parse().expect("a number of seconds"))
}

fn payload(number: u64) -> [u8; PAYLOAD] {
    [number as u8; PAYLOAD]
}

async fn serve_pyroxene() {
    let daemon = Daemon::bind("127.0.0.1:0").await.expect("it can listen");
    let echo = daemon.object("echo", || Echo).id("echo").spawn().await.expect("it can be hosted");
    println!("{}", echo.uri());
    daemon.run().await;
}

async fn call_pyroxene(uri: &str, in_flight: u64, duration: Duration) -> f64 {
    let client = Client::new(ClientConfig::default(), Arc::new(NameResolver::default()));
    let echo = EchoProxy::from(Proxy::connect_with(&client, uri).await.expect("it can be reached"));
    let done = Arc::new(AtomicU64::new(0));
    for first in 0..in_flight {
        let (echo, done) = (echo.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            for number in (first..).step_by(in_flight as usize) {
                let sent = Bytes::copy_from_slice(&payload(number));
                let (back, bytes) = echo.echo(number, sent).await.expect("it answers");
                assert!(back == number && bytes[..] == payload(number), "every reply is checked");
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(WARM_UP).await;
    let (before, start) = (done.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(duration).await;
    (done.load(Ordering::Relaxed) - before) as f64 / start.elapsed().as_secs_f64()
}

async fn call_pyroxene_batch(uri: &str, in_flight: u64, duration: Duration) -> f64 {
    let client = Client::new(ClientConfig::default(), Arc::new(NameResolver::default()));
    let echo = EchoProxy::from(Proxy::connect_with(&client, uri).await.expect("it can be reached"));
    let mut numbers = 0..;
    let mut next = async || {
        let calls: Vec<u64> = numbers.by_ref().take(in_flight as usize).collect();
        let sent = calls.iter().map(|number| echo.echo(*number, Bytes::copy_from_slice(&payload(*number))));
        for (number, outcome) in calls.iter().zip(echo.proxy().batch().add_all(sent).send().await) {
            let (back, bytes) = outcome.expect("it answers");
            assert!(back == *number && bytes[..] == payload(*number), "every reply is checked");
        }
    };
    let start = Instant::now();
    while start.elapsed() < WARM_UP {
        next().await;
    }
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed() < duration {
        next().await;
        done += in_flight;
    }
    done as f64 / start.elapsed().as_secs_f64()
}

/// A frame: u32 length of what follows, u64 number, payload.
const HEAD: usize = 4 + 8;

fn put(out: &mut Vec<u8>, number: u64, payload: &[u8]) {
    out.extend_from_slice(&((8 + payload.len()) as u32).to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(payload);
}

/// The next whole frame of `input` from `at` on, which moves behind it.
fn take<'a>(input: &'a [u8], at: &mut usize) -> Option<(u64, &'a [u8])> {
    let head = input.get(*at..*at + HEAD)?;
    let len = u32::from_le_bytes(head[..4].try_into().expect("four bytes")) as usize;
    let frame = input.get(*at + 4..*at + 4 + len)?;
    *at += 4 + len;
    Some((u64::from_le_bytes(frame[..8].try_into().expect("eight bytes")), &frame[8..]))
}

async fn serve_raw() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("it can listen");
    println!("{}", listener.local_addr().expect("it has an address"));
    loop {
        let (mut stream, _) = listener.accept().await.expect("somebody comes");
        stream.set_nodelay(true).expect("it is a socket");
        tokio::spawn(async move {
            let (mut input, mut out) = (Vec::with_capacity(64 << 10), Vec::new());
            while stream.read_buf(&mut input).await.is_ok_and(|read| read > 0) {
                let mut at = 0;
                while let Some((number, payload)) = take(&input, &mut at) {
                    put(&mut out, number, payload);
                }
                input.drain(..at);
                if stream.write_all(&out).await.is_err() {
                    return;
                }
                out.clear();
            }
        });
    }
}

async fn call_raw(address: &str, in_flight: u64, duration: Duration) -> f64 {
    let mut stream = TcpStream::connect(address).await.expect("it can be reached");
    stream.set_nodelay(true).expect("it is a socket");
    let (mut input, mut out) = (Vec::with_capacity(64 << 10), Vec::new());
    (0..in_flight).for_each(|number| put(&mut out, number, &payload(number)));
    let (mut next, mut expected, mut done) = (in_flight, 0, 0_u64);
    let (mut start, mut warm) = (Instant::now(), false);
    loop {
        stream.write_all(&out).await.expect("it reads");
        out.clear();
        assert!(stream.read_buf(&mut input).await.expect("it answers") > 0);
        let mut at = 0;
        while let Some((number, bytes)) = take(&input, &mut at) {
            assert!(number == expected && bytes == payload(number), "every reply is checked");
            expected += 1;
            done += 1;
            put(&mut out, next, &payload(next));
            next += 1;
        }
        input.drain(..at);
        if !warm && start.elapsed() >= WARM_UP {
            (start, warm, done) = (Instant::now(), true, 0);
        } else if warm && start.elapsed() >= duration {
            return done as f64 / start.elapsed().as_secs_f64();
        }
    }
}
