//! The object that most tests call. What it did is written down outside of it, so that its end loses nothing.

use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

/// The ids of the calls that ran, in the order in which they began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<u64>>>);

impl Journal {
    pub(crate) fn write(&self, id: u64) {
        self.lock().push(id);
    }

    pub(crate) fn read(&self) -> Vec<u64> {
        self.lock().clone()
    }

    /// How often the call with this id ran.
    pub(crate) fn count(&self, id: u64) -> usize {
        self.lock().iter().filter(|ran| **ran == id).count()
    }

    /// The calls that ran with this id or a later one.
    pub(crate) fn since(&self, first: u64) -> Vec<u64> {
        self.lock().iter().copied().filter(|id| *id >= first).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        self.0.lock().unwrap()
    }
}

/// Lets calls of `hold` go on.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Gate(Arc::new(Semaphore::new(0)))
    }
}

impl Gate {
    /// Lets `calls` of those that wait, or will, go on.
    pub(crate) fn open(&self, calls: usize) {
        self.0.add_permits(calls);
    }

    pub(crate) async fn pass(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

/// Says no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("call {id} is refused")]
pub(crate) struct Refused {
    pub(crate) id: u64,
}

/// Ends every call in a way of the caller's choice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Worker {
    pub(crate) journal: Journal,
    pub(crate) gate: Gate,
    /// Calls since this state was built.
    runs: u64,
}

impl Worker {
    pub(crate) fn new(journal: &Journal, gate: &Gate) -> Worker {
        Worker { journal: journal.clone(), gate: gate.clone(), runs: 0 }
    }

    fn begin(&mut self, id: u64) {
        self.journal.write(id);
        self.runs += 1;
    }
}

#[pyroxene::remote]
impl Worker {
    /// Ends well.
    pub fn run(&mut self, id: u64) -> u64 {
        self.begin(id);
        id
    }

    /// Ends with the object's own error.
    pub fn refuse(&mut self, id: u64) -> Result<u64, Refused> {
        self.begin(id);
        Err(Refused { id })
    }

    /// Ends with a panic.
    pub fn crash(&mut self, id: u64) {
        self.begin(id);
        panic!("call {id} crashes");
    }

    /// Ends with a panic after a while.
    pub async fn crash_later(&mut self, id: u64) {
        self.begin(id);
        self.gate.pass().await;
        panic!("call {id} crashes late");
    }

    /// Ends when the gate is opened.
    pub async fn hold(&mut self, id: u64) -> u64 {
        self.begin(id);
        self.gate.pass().await;
        id
    }

    /// Running it twice is as good as once.
    #[remote(idempotent)]
    pub async fn look(&mut self, id: u64) -> u64 {
        self.begin(id);
        id
    }

    /// Nobody waits for its end.
    #[remote(oneway)]
    pub fn note(&mut self, id: u64) {
        self.begin(id);
    }

    /// Calls since this state was built, this one left out.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// A reply of so many bytes.
    pub fn fill(&self, bytes: u32) -> Vec<u8> {
        vec![7; bytes as usize]
    }

    /// How many bytes came.
    pub fn weigh(&mut self, id: u64, load: Vec<u8>) -> u64 {
        self.begin(id);
        load.len() as u64
    }
}
