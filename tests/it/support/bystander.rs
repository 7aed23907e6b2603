//! The oracle of every attack: somebody who calls another object over another connection, and must not notice.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::pair::Pair;
use super::worker::{Worker, WorkerProxy};

/// Calls all the time until it is asked how that went.
pub(crate) struct Bystander {
    worker: WorkerProxy,
    calls: Rc<Cell<u64>>,
    task: actix_rt::task::JoinHandle<()>,
}

impl Bystander {
    /// Begins to call a worker of its own.
    pub(crate) async fn beside(pair: &Pair) -> Bystander {
        let here = pair.daemon.supervise("bystander", Worker::default).await.unwrap();
        let client = pair.other_client();
        let worker = WorkerProxy::from(pyroxene::Proxy::<Worker>::connect_with(&client, here.uri()).await.unwrap());
        let calls = Rc::new(Cell::new(0));
        let task = actix_rt::spawn(call(worker.clone(), Rc::clone(&calls)));
        Bystander { worker, calls, task }
    }

    /// It has called, and noticed nothing.
    pub(crate) async fn noticed_nothing(self) {
        assert!(!self.task.is_finished(), "the bystander noticed: {:?}", self.task.await);
        self.task.abort();
        let before = self.calls.get();
        assert!(before > 0, "the bystander never got a word in");
        assert!(self.worker.runs().await.unwrap() >= before);
    }
}

/// Ends with the first error.
async fn call(worker: WorkerProxy, calls: Rc<Cell<u64>>) {
    loop {
        let id = calls.get();
        assert_eq!(worker.run(id).timeout_ms(2_000).await, Ok(id));
        calls.set(id + 1);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
