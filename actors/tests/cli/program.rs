//! Running the program: to its end, or as long as a test needs it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A user: a home of their own, where nothing is configured.
pub(crate) struct User {
    home: PathBuf,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A command that runs; ends when it is dropped.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

/// A name server.
pub(crate) struct Names {
    pub(crate) running: Running,
    pub(crate) uri: String,
    /// As `--ns` takes it.
    pub(crate) at: String,
}

impl User {
    pub(crate) fn new() -> User {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("user-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        User { home }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// The program with these arguments.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pyroxene"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PYROXENE_")) {
            command.env_remove(name);
        }
        command.args(args).current_dir(&self.home).env("HOME", &self.home).env_remove("XDG_STATE_HOME");
        command.env_remove("RUST_BACKTRACE");
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        Running::start(self.command(args).stdin(Stdio::null())).ended()
    }

    /// Runs it to its end, which has to be a success; what it wrote to stdout.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let ended = self.run(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended.stdout
    }

    /// Runs it to its end, which has to be an error told in one line on stderr; that line.
    pub(crate) fn error(&self, args: &[&str]) -> String {
        let ended = self.run(args);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{args:?}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{args:?}: {ended:?}");
        ended.stderr.trim_end().strip_prefix("error: ").expect("an error says that it is one").to_owned()
    }

    /// The same with `--json`: the object on stdout.
    pub(crate) fn json_error(&self, args: &[&str]) -> serde_json::Value {
        let ended = self.run(&[args, &["--json"]].concat());
        assert_eq!(ended.code, Some(1), "{args:?}: {ended:?}");
        serde_json::from_str(&ended.stdout).unwrap()
    }

    pub(crate) fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.ok(&[args, &["--json"]].concat())).unwrap()
    }

    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running::start(self.command(args).arg("--end-with-stdin").stdin(Stdio::piped()))
    }

    /// A name server that is found only by whom it is told to.
    pub(crate) fn names(&self) -> Names {
        Names::ready(self.start(&["ns", "--port", "0", "--no-discovery"]))
    }

    /// An echo object, and its URI.
    pub(crate) fn echo(&self, args: &[&str]) -> (Running, String) {
        let running = self.start(&[&["echo"], args].concat());
        let uri = running.line();
        assert!(uri.starts_with("PYRO://127.0.0.1:"), "{uri}");
        (running, uri)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Running { stdin: child.stdin.take(), child, stdout, stderr }
    }

    /// The next line on stdout.
    pub(crate) fn line(&self) -> String {
        match self.stdout.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(problem) => {
                panic!("no line on stdout ({problem}); on stderr: {:?}", self.stderr.try_iter().collect::<Vec<_>>())
            }
        }
    }

    /// The next line on stderr that has this in it.
    pub(crate) fn log_line(&self, with: &str) -> String {
        loop {
            let line = self.stderr.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line with {with:?} on stderr"));
            if line.contains(with) {
                return line;
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, as a terminal or a supervisor does.
    pub(crate) fn terminate(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ended {
        let all = |lines: &Receiver<String>| {
            let mut text = String::new();
            while let Ok(line) = lines.recv_timeout(PATIENCE) {
                text.push_str(&line);
                text.push('\n');
            }
            text
        };
        let (stdout, stderr) = (all(&self.stdout), all(&self.stderr));
        // Both are closed, so it has ended, or hangs.
        let status = self.child.try_wait().unwrap().or_else(|| {
            drop(self.stdin.take());
            self.child.wait().ok()
        });
        Ended { code: status.and_then(|status| status.code()), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Names {
    pub(crate) fn ready(running: Running) -> Names {
        let line = running.line();
        let uri = line.strip_prefix("ready ").expect("the line of a name server that is ready").to_owned();
        let at = uri.trim_start_matches("PYRO://").trim_end_matches("/Pyro.NameServer").to_owned();
        Names { running, uri, at }
    }
}

/// Its lines, as they come; the end of them is the end of the channel.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A UDP port for discovery that nobody uses.
pub(crate) fn free_udp_port() -> u16 {
    UdpSocket::bind("127.255.255.255:0").unwrap().local_addr().unwrap().port()
}

/// Writes to the daemon of this URI what no peer would, and waits until it hangs up.
pub(crate) fn bother(uri: &str, with: &[u8]) {
    let address = uri.trim_start_matches("PYRO://").split('/').next().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(with);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    // How it hangs up does not matter.
    let _ = stream.read_to_end(&mut Vec::new());
}
