//! The object whose streams are read, and what is left of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use pyroxene::{Items, Proxy};
use serde::{Deserialize, Serialize};

use crate::support::pair::Pair;

/// What the producers have done, seen from outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    made: AtomicU64,
    alive: AtomicUsize,
}

impl Meter {
    /// Items that were made.
    pub(super) fn made(&self) -> u64 {
        self.0.made.load(Ordering::Relaxed)
    }

    /// Producers that have not ended.
    pub(super) fn alive(&self) -> usize {
        self.0.alive.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self) -> Producing {
        self.0.alive.fetch_add(1, Ordering::Relaxed);
        Producing(Arc::clone(&self.0))
    }
}

/// One producer.
pub(super) struct Producing(Arc<Counts>);

impl Producing {
    pub(super) fn make<T>(&self, item: T) -> T {
        self.0.made.fetch_add(1, Ordering::Relaxed);
        item
    }
}

impl Drop for Producing {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Says no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("no paper for {pages} pages")]
pub(super) struct NoPaper {
    pub(super) pages: u64,
}

/// Makes streams of every kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Printer {
    meter: Meter,
}

impl Printer {
    pub(super) fn new(meter: &Meter) -> Printer {
        Printer { meter: meter.clone() }
    }
}

#[pyroxene::remote]
impl Printer {
    /// The numbers below `n`.
    pub fn count(&self, n: u64) -> Items<u64> {
        let producing = self.meter.begin();
        Items::of((0..n).map(move |n| producing.make(n)))
    }

    /// So many items of so many bytes.
    pub fn pages(&self, n: u64, bytes: u32) -> Result<Items<Vec<u8>>, NoPaper> {
        if n > 1_000_000 {
            return Err(NoPaper { pages: n });
        }
        let producing = self.meter.begin();
        Ok(Items::of((0..n).map(move |n| producing.make(vec![n as u8; bytes as usize]))))
    }

    /// Three numbers, and a panic.
    pub fn burn(&self) -> Items<u64> {
        let producing = self.meter.begin();
        Items::of((0..5).map(move |n| if n == 3 { panic!("it burns") } else { producing.make(n) }))
    }

    /// Three numbers, and an error.
    pub fn jam(&self) -> Items<u64> {
        let item = |n| if n == 3 { Err(NoPaper { pages: n }) } else { Ok(n) };
        Items::of_results((0..5).map(item))
    }

    /// A number each second, for ever.
    pub async fn tick(&self) -> Items<u64> {
        let (sender, items) = Items::channel(1);
        let producing = self.meter.begin();
        tokio::spawn(async move {
            for n in 0.. {
                if sender.send(producing.make(n)).await.is_err() {
                    return;
                }
                tokio::select! {
                    () = sender.closed() => return,
                    () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
                }
            }
        });
        items
    }

    /// Units, which have no bytes.
    pub fn units(&self, n: u64) -> Items<()> {
        let producing = self.meter.begin();
        Items::of((0..n).map(move |_| producing.make(())))
    }

    /// No stream.
    pub fn ping(&self, n: u64) -> u64 {
        n
    }
}

/// The printer over a connection and in this process, and what its producers do.
pub(super) async fn printer(pair: &Pair) -> (PrinterProxy, PrinterProxy, Meter) {
    let meter = Meter::default();
    let printer = Printer::new(&meter);
    let here = pair.daemon.supervise("printer", move || printer.clone()).await.unwrap();
    let there = Proxy::<Printer>::connect_with(&pair.client, here.uri()).await.unwrap();
    assert!(here.is_local() && !there.is_local());
    (there.into(), here.into(), meter)
}
