//! Calls without async, from plain threads: the same endings, the same order, and never a thread that waits in vain.

use std::sync::mpsc;
use std::thread;

use pyroxene::blocking::{DynProxy, Proxy, Wait};
use pyroxene::{Any, CallError, Client, ClientConfig, Daemon, NotStarted, RemoteMessage, Unknown, Uri, Value, args};
use serde::{Deserialize, Serialize};

use crate::support::pair::client_with;
use crate::support::worker::{Gate, Journal, Refused, Worker, WorkerProxy};

/// A daemon with a [`Worker`] and an [`Agency`] in a thread of its own; both end when this is dropped.
struct Server {
    uri: Uri,
    agency: Uri,
    journal: Journal,
    gate: Gate,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    fn start() -> Server {
        let (journal, gate) = (Journal::default(), Gate::default());
        let (found, finds) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (theirs, their_gate) = (journal.clone(), gate.clone());
        let thread = thread::spawn(move || {
            actix_rt::System::new().block_on(async {
                let daemon = Daemon::bind("127.0.0.1:0").await.unwrap();
                let (journal, gate) = (theirs.clone(), their_gate.clone());
                let worker = daemon.supervise("worker", move || Worker::new(&journal, &gate)).await.unwrap();
                let make = {
                    let daemon = daemon.clone();
                    move || Agency { daemon: daemon.clone(), journal: theirs.clone(), gate: their_gate.clone() }
                };
                let agency = daemon.supervise("agency", make).await.unwrap();
                found.send((worker.uri().clone(), agency.uri().clone())).unwrap();
                let _ = stopped.await;
                daemon.shutdown().await;
            });
        });
        let (uri, agency) = finds.recv().unwrap();
        Server { uri, agency, journal, gate, stop: Some(stop), thread: Some(thread) }
    }

    /// The worker over a connection.
    fn worker(&self) -> WorkerProxy {
        let worker: WorkerProxy = Proxy::connect_with(&elsewhere(), &self.uri).into_proxy().wait().unwrap();
        assert!(!worker.proxy().is_local());
        worker
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What is held would be waited for.
        self.gate.open(64);
        self.end();
    }
}

/// A client as another process would have it.
fn elsewhere() -> Client {
    client_with(ClientConfig::default())
}

#[test]
fn a_proxy_may_go_to_any_thread() {
    fn goes_anywhere<T: Clone + Send + Sync + 'static>() {}
    goes_anywhere::<Proxy<Any>>();
    goes_anywhere::<DynProxy>();
    goes_anywhere::<WorkerProxy>();
}

#[test]
fn batches_and_strict_proxies_are_those_of_async_code() {
    let server = Server::start();
    let worker = server.worker();
    let batch = worker.proxy().batch().stop_at_fault();
    let (ran, refused, skipped) = batch.add(worker.run(1)).add(worker.refuse(2)).add(worker.run(3)).send().wait();
    assert_eq!((ran, refused), (Ok(1), Err(CallError::Raised(Refused { id: 2 }))));
    assert_eq!(skipped, Err(CallError::NotStarted(NotStarted::Skipped)));
    worker.proxy().batch().add_all((4..=6).map(|id| worker.run(id))).do_send();
    let strict = WorkerProxy::from(worker.proxy().strict());
    assert_eq!(strict.run(7).wait(), Ok(7));
    assert_eq!(worker.run(8).wait(), Ok(8));
    let ran = server.journal.read();
    assert_eq!(ran.iter().filter(|id| **id != 7).copied().collect::<Vec<u64>>(), [1, 2, 4, 5, 6, 8]);
}

#[test]
fn calls_end_as_they_do_in_async_code() {
    let server = Server::start();
    for worker in [server.worker(), WorkerProxy::connect(&server.uri).wait().unwrap()] {
        assert_eq!(worker.run(1).wait(), Ok(1));
        assert_eq!(worker.refuse(2).wait(), Err(CallError::Raised(Refused { id: 2 })));
        let CallError::Failed(fault) = worker.crash(3).wait().unwrap_err() else { panic!("it crashed") };
        assert_eq!(fault.message, "call 3 crashes");
        assert_eq!(worker.runs().wait(), Ok(0), "a new state");
    }
    assert_eq!(server.journal.read(), [1, 2, 3, 1, 2, 3]);
}

/// Makes workers.
struct Agency {
    daemon: Daemon,
    journal: Journal,
    gate: Gate,
}

#[pyroxene::remote]
impl Agency {
    pub async fn hire(&mut self, id: u64) -> Result<WorkerProxy, Refused> {
        let (journal, gate) = (self.journal.clone(), self.gate.clone());
        let hired = self.daemon.host(move || Worker::new(&journal, &gate)).spawn().await;
        hired.map(WorkerProxy::from).map_err(|_| Refused { id })
    }
}

#[test]
fn calls_on_a_reference_that_has_not_arrived_are_waited_for_like_any_others() {
    let server = Server::start();
    let agency: AgencyProxy = Proxy::<Agency>::connect_with(&elsewhere(), &server.agency).into_proxy().wait().unwrap();
    let worker = agency.hire(1).pipelined();
    assert_eq!(worker.call(|worker| worker.run(1)).wait(), Ok(1));
    assert_eq!(worker.call(|worker| worker.refuse(2)).wait(), Err(CallError::Raised(Refused { id: 2 })));
    let late = worker.call(|worker| worker.hold(3)).timeout_ms(50).wait();
    assert!(matches!(late, Err(CallError::Unknown(Unknown::OutOfTime { .. }))), "{late:?}");
    server.gate.open(1);
    assert_eq!(worker.call(|worker| worker.run(4)).wait(), Ok(4));
    assert_eq!(server.journal.read(), [1, 2, 3, 4]);
}

#[derive(Serialize, Deserialize, RemoteMessage)]
#[remote(returns = "u64")]
struct Run {
    id: u64,
}

#[test]
fn messages_and_names_work_as_well() {
    let server = Server::start();
    let any: Proxy = Proxy::connect_with(&elsewhere(), &server.uri).wait().unwrap();
    assert_eq!(any.send(Run { id: 4 }).wait(), Ok(4));
    any.do_send(Run { id: 5 });
    let named = DynProxy::connect(&server.uri).wait().unwrap();
    named.do_call("note", args![6]);
    assert_eq!(named.call("run", args! { id: 7 }).timeout_ms(60_000).wait(), Ok(Value::from(7u64)));
    assert_eq!(any.send(Run { id: 8 }).wait(), Ok(8));
    let mut ran = server.journal.read();
    // Each proxy keeps its own order.
    let position = |id| ran.iter().position(|ran| *ran == id);
    assert!(position(5) < position(8) && position(6) < position(7), "{ran:?}");
    ran.sort_unstable();
    assert_eq!(ran, [4, 5, 6, 7, 8]);
}

#[test]
fn many_threads_share_a_proxy_and_each_keeps_its_order() {
    let server = Server::start();
    let worker = server.worker();
    let threads: Vec<_> = (0..8u64)
        .map(|thread| {
            let worker = worker.clone();
            thread::spawn(move || {
                for call in 0..20 {
                    let id = thread * 100 + call * 2;
                    // Sent without waiting, and not overtaken by what comes after it.
                    worker.note(id);
                    assert_eq!(worker.run(id + 1).wait(), Ok(id + 1));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let ran = server.journal.read();
    for thread in 0..8u64 {
        let own: Vec<u64> = ran.iter().copied().filter(|id| id / 100 == thread).collect();
        assert_eq!(own, (0..40).map(|at| thread * 100 + at).collect::<Vec<_>>());
    }
}

#[test]
fn oneways_before_the_first_call_come_first() {
    let server = Server::start();
    let worker = WorkerProxy::from(Proxy::<Worker>::lazy_with(&elsewhere(), server.uri.clone()));
    (1..=3).for_each(|id| worker.note(id));
    assert_eq!(worker.run(4).wait(), Ok(4));
    assert_eq!(server.journal.read(), [1, 2, 3, 4]);
}

#[test]
fn a_call_that_is_out_of_time_ends() {
    let server = Server::start();
    let worker = server.worker();
    let late = worker.hold(1).timeout_ms(1).wait().unwrap_err();
    let said = matches!(
        late,
        CallError::Unknown(Unknown::OutOfTime { .. }) | CallError::NotStarted(NotStarted::OutOfTime { .. })
    );
    assert!(said, "{late:?}");
    server.gate.open(1);
    assert_eq!(worker.run(2).wait(), Ok(2));
    assert!(late.may_have_run() || server.journal.count(1) == 0);
}

#[test]
fn a_daemon_that_has_gone_is_a_true_ending() {
    let mut server = Server::start();
    let worker = server.worker();
    assert_eq!(worker.run(1).wait(), Ok(1));
    server.end();
    let error = worker.run(2).wait().unwrap_err();
    assert!(!error.may_have_run(), "{error:?}");
    assert_eq!(server.journal.read(), [1]);
    let error = WorkerProxy::connect(&server.uri).wait().unwrap_err();
    assert!(error.to_string().contains("is the daemon running?"), "{error}");
}

#[test]
fn connecting_waits_for_who_comes_late() {
    let (asked, asks) = mpsc::channel();
    let client = thread::spawn(move || {
        let uri: String = asks.recv().unwrap();
        WorkerProxy::from(Proxy::<Worker>::connect_with(&elsewhere(), uri).wait_secs(60).wait().unwrap()).run(1).wait()
    });
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = thread::spawn(move || {
        actix_rt::System::new().block_on(async {
            let daemon = Daemon::bind("127.0.0.1:0").await.unwrap();
            asked.send(format!("PYROLOC://{}/worker", daemon.endpoint())).unwrap();
            daemon.supervise("worker", Worker::default).await.unwrap();
            let _ = stopped.await;
            daemon.shutdown().await;
        });
    });
    assert_eq!(client.join().unwrap(), Ok(1));
    drop(stop);
    server.join().unwrap();
}

#[test]
fn what_cannot_be_connected_to_says_why() {
    let error = DynProxy::connect("PYRO:/nowhere").wait().unwrap_err();
    assert!(matches!(error.why, NotStarted::BadUri { .. }), "{error:?}");
}

#[test]
fn a_proxy_is_read_where_there_is_no_runtime() {
    let server = Server::start();
    let text = serde_json::to_string(&server.uri).unwrap();
    let worker: WorkerProxy = serde_json::from_str(&text).unwrap();
    assert_eq!(worker.run(1).wait(), Ok(1));
}

#[test]
fn waiting_in_async_code_is_refused_with_the_way_out() {
    struct Waiter(WorkerProxy);

    #[pyroxene::remote]
    impl Waiter {
        pub fn wait(&self) -> u64 {
            self.0.run(1).wait().unwrap()
        }

        pub async fn wait_elsewhere(&self) -> u64 {
            let worker = self.0.clone();
            tokio::task::spawn_blocking(move || worker.run(2).wait().unwrap()).await.unwrap()
        }
    }

    let server = Server::start();
    let worker = server.worker();
    actix_rt::System::new().block_on(async {
        assert_eq!(worker.run(0).await, Ok(0), "a proxy is the same in async code");
        let daemon = Daemon::bind("127.0.0.1:0").await.unwrap();
        let waiter = daemon.supervise("waiter", move || Waiter(worker.clone())).await.unwrap();
        let waiter = WaiterProxy::from(waiter);
        let CallError::Failed(fault) = waiter.wait().await.unwrap_err() else { panic!("it must not wait") };
        assert!(fault.message.contains("in async code write `.await` in place of `.wait()`"), "{}", fault.message);
        assert!(fault.traceback[0].contains("blocking.rs"), "the place of the mistake: {}", fault.traceback[0]);
        assert_eq!(waiter.wait_elsewhere().await, Ok(2), "a thread that may block may wait");
        daemon.shutdown().await;
    });
    assert_eq!(server.journal.read(), [0, 2]);
}
