//! Servers that are processes of their own, and are asked to end, or killed.
//!
//! A server is this very program, run once more for the test `server`, which does what [`ROLE`] says.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pyroxene::daemon::program;
use pyroxene::{CallError, Daemon, DynProxy, NameServer, Proxy};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::support::claim::Claim;
use crate::support::pair::client_over;

/// What the child is to be.
const ROLE: &str = "TEST_SERVER_ROLE";
/// The file in which the child writes down what ran.
const BOOK: &str = "TEST_SERVER_BOOK";
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
        role => panic!("{role} is no role"),
    };
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
}

fn book() -> File {
    OpenOptions::new().create(true).append(true).open(std::env::var(BOOK).unwrap()).unwrap()
}

async fn ledger() {
    let daemon = Daemon::bind("127.0.0.1:0").await.unwrap();
    let ledger = daemon.supervise("ledger", || Ledger(book())).await.unwrap();
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
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// A child, killed when it is dropped.
struct Server {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    book: PathBuf,
}

impl Server {
    fn start(role: &str) -> Server {
        Server::start_with(role, |_| {})
    }

    fn start_with(role: &str, more: impl FnOnce(&mut Command)) -> Server {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = format!("book-{}-{number}", std::process::id());
        let book = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["processes::server", "--exact", "--nocapture"]).env(ROLE, role).env(BOOK, &book);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        more(&mut command);
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Server { child, stdin, stdout: BufReader::new(stdout).lines(), book }
    }

    /// The rest of the next line that begins so.
    async fn line(&mut self, begin: &str) -> String {
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

    async fn ended(&mut self) -> ExitStatus {
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

/// Calls over several connections until each caller meets an error; `end` is called in the midst of it.
async fn load(server: &mut Server, end: impl AsyncFnOnce(&mut Server)) -> Outcomes {
    let uri = server.line("ready ").await;
    let outcomes = Arc::new(Mutex::new(Outcomes::new()));
    let answered = Arc::new(tokio::sync::Semaphore::new(0));
    let mut tasks = Vec::new();
    for client in 0..CLIENTS {
        let client_of_its_own = client_over(&(Arc::new(pyroxene::transport::SystemNetwork) as Arc<_>));
        let ledger = Proxy::<Ledger>::connect_with(&client_of_its_own, uri.as_str()).await.unwrap();
        let ledger = LedgerProxy::from(ledger);
        for task in 0..EACH {
            let (ledger, outcomes, answered) = (ledger.clone(), Arc::clone(&outcomes), Arc::clone(&answered));
            tasks.push(actix_rt::spawn(async move {
                for id in (client * EACH + task..).step_by((CLIENTS * EACH) as usize) {
                    let outcome = ledger.enter(id).timeout_ms(CALL_MS).await;
                    let over = outcome.is_err();
                    outcomes.lock().unwrap().insert(id, outcome);
                    if over {
                        return;
                    }
                    answered.add_permits(1);
                }
            }));
        }
    }
    answered.acquire_many(2_000).await.unwrap().forget();
    end(server).await;
    let all = async {
        for task in tasks {
            task.await.unwrap();
        }
    };
    timeout(PATIENCE, all).await.expect("every call ends, and not because its time is over");
    std::mem::take(&mut *outcomes.lock().unwrap())
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
