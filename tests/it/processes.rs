//! Servers that are processes of their own, and are asked to end, or killed.
//!
//! A server is this very program, run once more for the test `server`, which does what [`ROLE`] says.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pyroxene::daemon::program;
use pyroxene::{Call, CallError, Daemon, DynProxy, NameServer, Never, Proxy, RemoteMessage};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::claim::Claim;
use crate::support::pair::client_over;
use crate::town;

/// What the child is to be.
const ROLE: &str = "TEST_SERVER_ROLE";
/// The file in which the child writes down what ran.
const BOOK: &str = "TEST_SERVER_BOOK";
/// Where it listens, if not at any port.
const ENDPOINT: &str = "TEST_SERVER_ENDPOINT";
/// Far less than the time of a call here, and more than anything needs.
const PATIENCE: Duration = Duration::from_secs(60);
const CALL_MS: u32 = 600_000;

const CLIENTS: u64 = 4;
/// Calls that each client has under way.
const EACH: u64 = 32;

/// Writes down each call before it answers, where neither its own end nor that of its process loses it.
struct Ledger(File);

#[pyroxene::remote]
impl Ledger {
    pub async fn enter(&mut self, id: u64) -> u64 {
        self.0.write_all(format!("{id}\n").as_bytes()).unwrap();
        // Other calls come in meanwhile, so that some always wait.
        tokio::task::yield_now().await;
        id
    }
}

#[test]
fn server() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let code = match role.as_str() {
        "ledger" => program::main(ledger()),
        "ready" => program::main(says_ready_and_dawdles()),
        "deaf" => program::main(hosts_and_never_runs()),
        "seeker" => program::main(pyroxene::serve("nobody.registers.this", || Ledger(book()))),
        "misconfigured" => program::main(misconfigured()),
        "town" => program::main(town::processes::serve()),
        "guests" => program::main(town::processes::visit()),
        role => panic!("{role} is no role"),
    };
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
}

fn book() -> File {
    OpenOptions::new().create(true).append(true).open(std::env::var(BOOK).unwrap()).unwrap()
}

async fn ledger() {
    let endpoint = std::env::var(ENDPOINT).unwrap_or_else(|_| "127.0.0.1:0".to_owned());
    let daemon = Daemon::bind(&endpoint).await.unwrap();
    // The same for each incarnation, so that a reference goes on to the next one.
    let ledger = daemon.object("ledger", || Ledger(book())).id("ledger").spawn().await.unwrap();
    let run = daemon.run();
    say(&format!("ready {}", ledger.uri()));
    run.await;
    say("ended");
}

async fn misconfigured() {
    let cannot_bind = Daemon::bind("127.0.0.1:0").await.unwrap_err();
    say(&format!("bind {cannot_bind}"));
    let cannot_connect = DynProxy::connect("PYRO://127.0.0.1:1/account").await.unwrap_err();
    say(&format!("connect {cannot_connect}"));
    let cannot_locate = NameServer::locate().await.unwrap_err();
    say(&format!("locate {cannot_locate}"));
}

async fn says_ready_and_dawdles() {
    let daemon = Daemon::bind("127.0.0.1:0").await.unwrap();
    let run = daemon.run();
    say("ready");
    // Blocks, so that nothing is polled in between.
    std::io::stdin().read_line(&mut String::new()).unwrap();
    run.await;
    say("ended");
}

async fn hosts_and_never_runs() {
    let daemon = Daemon::bind("127.0.0.1:0").await.unwrap();
    daemon.supervise("ledger", || Ledger(book())).await.unwrap();
    say("ready");
    std::future::pending::<()>().await;
}

/// The harness may have begun the line.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// A child, killed when it is dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    book: PathBuf,
}

impl Server {
    pub(crate) fn start(role: &str) -> Server {
        Server::start_with(role, |_| {})
    }

    pub(crate) fn start_with(role: &str, more: impl FnOnce(&mut Command)) -> Server {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = format!("book-{}-{number}", std::process::id());
        Server::start_on(role, Path::new(env!("CARGO_TARGET_TMPDIR")).join(file), more)
    }

    fn start_on(role: &str, book: PathBuf, more: impl FnOnce(&mut Command)) -> Server {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["processes::server", "--exact", "--nocapture"]).env(ROLE, role).env(BOOK, &book);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        more(&mut command);
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Server { child, stdin, stdout: BufReader::new(stdout).lines(), book }
    }

    /// The rest of the next line that begins so.
    pub(crate) async fn line(&mut self, begin: &str) -> String {
        let find = async {
            loop {
                let line = self.stdout.next_line().await.unwrap().expect("it ended without saying so");
                if let Some(rest) = line.strip_prefix(begin) {
                    return rest.trim().to_owned();
                }
            }
        };
        timeout(PATIENCE, find).await.expect("it says something")
    }

    /// Returns when it has the signal.
    async fn terminate(&self) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap()
    }

    /// How often each call ran.
    fn ran(&self) -> HashMap<u64, usize> {
        let mut ran = HashMap::new();
        let text = std::fs::read_to_string(&self.book).unwrap();
        text.lines().for_each(|id| *ran.entry(id.parse().unwrap()).or_default() += 1);
        ran
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.book);
    }
}

#[actix::test]
async fn a_signal_right_after_ready_ends_a_server_in_order() {
    let mut server = Server::start("ready");
    server.line("ready").await;
    server.terminate().await;
    // It has the signal, and has not begun to wait for it.
    server.stdin.write_all(b"go on\n").await.unwrap();
    server.line("ended").await;
    assert_eq!(server.ended().await.code(), Some(0));
}

#[actix::test]
async fn a_signal_ends_a_server_that_still_looks_for_its_name_server() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = silent.local_addr().unwrap().to_string();
    let mut server = Server::start_with("seeker", |command| {
        command.env("PYROXENE_NS", at);
    });
    // It waits for an answer that does not come.
    let _asking = timeout(PATIENCE, silent.accept()).await.expect("it asks").unwrap();
    server.terminate().await;
    assert_eq!(server.ended().await.code(), Some(0));
}

#[actix::test]
async fn a_program_that_never_runs_its_daemon_ends_by_a_signal_like_any_other() {
    let mut server = Server::start("deaf");
    server.line("ready").await;
    server.terminate().await;
    assert_eq!(server.ended().await.signal(), Some(15));
}

#[actix::test]
async fn a_setting_that_cannot_be_read_stops_what_it_is_for_and_is_named() {
    let mut server = Server::start_with("misconfigured", |command| {
        command.env("PYROXENE_TIMEOUT_MS", "soon");
    });
    for what in ["bind", "connect", "locate"] {
        let said = server.line(what).await;
        assert!(said.contains("timeout_ms") && said.contains("soon"), "{what}: {said}");
    }
    assert_eq!(server.ended().await.code(), Some(0));
}

type Outcomes = HashMap<u64, Result<u64, CallError>>;

/// Calls over several connections, under way until it is ended.
struct Load {
    outcomes: Arc<Mutex<Outcomes>>,
    answered: Arc<Semaphore>,
    over: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

/// When a caller stops.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// It meets an error.
    AnError,
    /// It is told.
    Told,
}

impl Load {
    async fn begin<M: RemoteMessage<Reply = u64, Error = Never>>(
        uri: &str,
        until: Until,
        call: fn(&LedgerProxy, u64) -> Call<M>,
    ) -> Load {
        let (outcomes, answered) = (Arc::new(Mutex::new(Outcomes::new())), Arc::new(Semaphore::new(0)));
        let mut load = Load { outcomes, answered, over: Arc::default(), tasks: Vec::new() };
        for client in 0..CLIENTS {
            let client_of_its_own = client_over(&(Arc::new(pyroxene::transport::SystemNetwork) as Arc<_>));
            let ledger = LedgerProxy::from(Proxy::<Ledger>::connect_with(&client_of_its_own, uri).await.unwrap());
            for task in 0..EACH {
                let ids = (client * EACH + task..).step_by((CLIENTS * EACH) as usize);
                let (ledger, outcomes, answered) =
                    (ledger.clone(), Arc::clone(&load.outcomes), Arc::clone(&load.answered));
                let over = Arc::clone(&load.over);
                load.tasks.push(actix_rt::spawn(async move {
                    for id in ids {
                        let outcome = call(&ledger, id).timeout_ms(CALL_MS).await;
                        let ran = outcome.is_ok();
                        outcomes.lock().unwrap().insert(id, outcome);
                        if over.load(Ordering::Relaxed) || (until == Until::AnError && !ran) {
                            return;
                        }
                        if ran {
                            answered.add_permits(1);
                        }
                    }
                }));
            }
        }
        load
    }

    /// Returns when so many calls more have been answered.
    async fn answered(&self, calls: u32) {
        self.answered.forget_permits(Semaphore::MAX_PERMITS);
        timeout(PATIENCE, self.answered.acquire_many(calls)).await.expect("it answers").unwrap().forget();
    }

    /// Waits until every caller has stopped.
    async fn stopped(self) -> Outcomes {
        let all = async {
            for task in self.tasks {
                task.await.unwrap();
            }
        };
        timeout(PATIENCE, all).await.expect("every call ends, and not because its time is over");
        std::mem::take(&mut *self.outcomes.lock().unwrap())
    }
}

/// Calls until each caller meets an error; `end` is called in the midst of it.
async fn load(server: &mut Server, end: impl AsyncFnOnce(&mut Server)) -> Outcomes {
    let load = Load::begin(&server.line("ready ").await, Until::AnError, LedgerProxy::enter).await;
    load.answered(2_000).await;
    end(server).await;
    load.stopped().await
}

/// Compares what the callers heard with what ran. Says how many heard that nobody knows.
fn compare(outcomes: &Outcomes, mut ran: HashMap<u64, usize>) -> usize {
    for (id, outcome) in outcomes {
        let ran = ran.remove(id).unwrap_or_default();
        assert!(Claim::of(outcome).is_true(ran), "call {id} ran {ran} times, and its caller heard {outcome:?}");
    }
    assert!(ran.is_empty(), "nobody heard of {ran:?}");
    outcomes.values().filter(|outcome| Claim::of(outcome) == Claim::MayHaveRun).count()
}

#[actix::test]
async fn a_server_that_is_asked_to_end_under_load_loses_nothing() {
    let mut server = Server::start("ledger");
    let outcomes = load(&mut server, async |server| server.terminate().await).await;
    server.line("ended").await;
    assert_eq!(server.ended().await.code(), Some(0));
    assert_eq!(compare(&outcomes, server.ran()), 0, "everything that was taken had time enough: {outcomes:?}");
}

#[actix::test]
async fn when_a_server_is_killed_under_load_every_call_ends_at_once_and_what_it_says_is_true() {
    let mut server = Server::start("ledger");
    let outcomes = load(&mut server, async |server| server.child.start_kill().unwrap()).await;
    assert_eq!(server.ended().await.signal(), Some(9));
    compare(&outcomes, server.ran());
}

#[actix::test]
async fn a_call_that_runs_once_runs_once_although_its_server_is_killed_and_started_anew() {
    let socket = std::env::temp_dir().join(format!("pyroxene-once-{}", std::process::id()));
    let endpoint = format!("./u:{}", socket.display());
    let at = |command: &mut Command| {
        command.env(ENDPOINT, &endpoint);
    };
    let mut server = Server::start_with("ledger", at);
    let uri = server.line("ready ").await;
    let load = Load::begin(&uri, Until::Told, |ledger, id| ledger.enter(id).once()).await;
    for _ in 0..3 {
        load.answered(1_000).await;
        server.child.start_kill().unwrap();
        assert_eq!(server.ended().await.signal(), Some(9));
        // The next one writes on in the same book.
        server = Server::start_on("ledger", std::mem::take(&mut server.book), at);
        assert_eq!(server.line("ready ").await, uri);
    }
    load.answered(1_000).await;
    load.over.store(true, Ordering::Relaxed);
    let outcomes = load.stopped().await;
    server.terminate().await;
    assert_eq!(server.ended().await.code(), Some(0));
    let unknown = compare(&outcomes, server.ran());
    let failed: Vec<_> = outcomes.values().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert_eq!(failed.len(), unknown, "what surely did not run went on to the next incarnation: {failed:?}");
    assert!(unknown > 0, "each time calls were running, whose end nobody knows");
}
