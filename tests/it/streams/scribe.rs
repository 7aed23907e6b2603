//! The object that reads streams of its callers, and how each of them ended for it.

use std::sync::{Arc, Mutex};

use pyroxene::{CallError, Items, Proxy};
use serde::{Deserialize, Serialize};

use super::printer::Meter;
use crate::support::pair::Pair;
use crate::support::worker::Gate;

/// What the object was told at the end of each stream; nothing, if that it was complete.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends(Arc<Mutex<Vec<Option<CallError>>>>);

impl Ends {
    pub(super) fn take(&self) -> Vec<Option<CallError>> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn add(&self, end: Option<CallError>) {
        self.0.lock().unwrap().push(end);
    }
}

/// Says no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("it is torn after {read}")]
pub(super) struct Torn {
    pub(super) read: u64,
}

/// Reads streams in every way.
#[derive(Clone, Debug, Default)]
pub(super) struct Scribe {
    ends: Ends,
    gate: Gate,
    kept: Vec<u64>,
}

async fn read_all(mut numbers: Items<u64>, ends: &Ends) -> Result<u64, Torn> {
    let (mut read, mut sum) = (0, 0);
    while let Some(number) = numbers.next().await {
        match number {
            Ok(number) => (read, sum) = (read + 1, sum + number),
            Err(error) => {
                ends.add(Some(error));
                assert!(numbers.next().await.is_none(), "an error is the last");
                return Err(Torn { read });
            }
        }
    }
    ends.add(None);
    Ok(sum)
}

#[pyroxene::remote]
impl Scribe {
    /// All of them, added up.
    pub async fn sum(&self, numbers: Items<u64>) -> Result<u64, Torn> {
        read_all(numbers, &self.ends).await
    }

    /// The first `n`.
    pub async fn first(&self, n: u64, mut numbers: Items<u64>) -> Vec<u64> {
        let mut first = Vec::new();
        while first.len() < n as usize
            && let Some(Ok(number)) = numbers.next().await
        {
            first.push(number);
        }
        first
    }

    /// Each, twice as large.
    pub fn double(&self, mut numbers: Items<u64>) -> Items<u64> {
        let (sender, doubled) = Items::channel(1);
        let ends = self.ends.clone();
        tokio::spawn(async move {
            while let Some(number) = numbers.next().await {
                match number {
                    Ok(number) if sender.send(2 * number).await.is_err() => return,
                    Ok(_) => {}
                    Err(error) => {
                        ends.add(Some(error));
                        return sender.fail(&Torn { read: 0 });
                    }
                }
            }
        });
        doubled
    }

    /// Answers at once, and reads on.
    pub fn keep(&mut self, numbers: Items<u64>) -> u64 {
        let ends = self.ends.clone();
        tokio::spawn(async move { read_all(numbers, &ends).await });
        1
    }

    /// Reads nothing before the gate is opened; then how many bytes there were.
    pub async fn weigh(&self, mut pages: Items<Vec<u8>>) -> u64 {
        self.gate.pass().await;
        let mut sum = 0;
        while let Some(Ok(page)) = pages.next().await {
            sum += page.len() as u64;
        }
        sum
    }

    /// Numbers of both, in turns.
    pub async fn merge(&mut self, mut left: Items<u64>, about: String, mut right: Items<u64>) -> Vec<u64> {
        assert_eq!(about, "both");
        self.kept.clear();
        while let (Some(Ok(a)), Some(Ok(b))) = (left.next().await, right.next().await) {
            self.kept.extend([a, b]);
        }
        self.kept.clone()
    }

    /// Reads one, and panics.
    pub async fn blot(&self, mut numbers: Items<u64>) {
        let first = numbers.next().await;
        panic!("a blot after {first:?}");
    }

    /// No stream.
    pub fn ping(&self, n: u64) -> u64 {
        n
    }

    /// Nobody waits for its end.
    #[remote(oneway)]
    pub fn note(&self, numbers: Items<u64>) {
        drop(numbers);
    }
}

/// The scribe, and what stands around it.
pub(super) struct Desk {
    pub(super) there: ScribeProxy,
    pub(super) here: ScribeProxy,
    pub(super) ends: Ends,
    pub(super) gate: Gate,
    pub(super) meter: Meter,
}

impl Desk {
    pub(super) async fn of(pair: &Pair) -> Desk {
        let (ends, gate) = (Ends::default(), Gate::default());
        let scribe = Scribe { ends: ends.clone(), gate: gate.clone(), kept: Vec::new() };
        let spawned = pair.daemon.object("scribe", move || scribe.clone()).id("scribe").spawn().await.unwrap();
        let there = Proxy::<Scribe>::connect_with(&pair.client, spawned.uri()).await.unwrap();
        assert!(!there.is_local());
        Desk { there: there.into(), here: spawned.into(), ends, gate, meter: Meter::default() }
    }

    /// The numbers below `n`, counted as they are made.
    pub(super) fn numbers(&self, n: u64) -> Items<u64> {
        let making = self.meter.begin();
        Items::of((0..n).map(move |n| making.make(n)))
    }

    /// Pages of so many bytes, without an end.
    pub(super) fn pages(&self, bytes: usize) -> Items<Vec<u8>> {
        let making = self.meter.begin();
        Items::of((0_u64..).map(move |_| making.make(vec![1; bytes])))
    }
}
