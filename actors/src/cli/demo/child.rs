//! A process of the demonstration: [`Child`].

use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::cli::app::App;
use crate::cli::demo::PATIENCE;
use crate::cli::failure::Failure;

/// Killed when it is dropped; should this process be killed itself, it ends because its stdin does.
pub(super) struct Child {
    name: &'static str,
    process: tokio::process::Child,
    /// Its end would be the child's; waiting for a child closes the stdin that it still has.
    _stdin: Option<ChildStdin>,
    lines: Option<Lines<BufReader<ChildStdout>>>,
}

impl Child {
    /// Runs this program with these arguments; its stdout is for [`Child::line`].
    pub(super) fn start(name: &'static str, app: &App, arguments: &[&str]) -> Result<Child, Failure> {
        Child::spawn(name, app, arguments, Stdio::piped())
    }

    /// The same, writing to our own stdout.
    pub(super) fn start_talking(name: &'static str, app: &App, arguments: &[&str]) -> Result<Child, Failure> {
        Child::spawn(name, app, arguments, Stdio::inherit())
    }

    fn spawn(name: &'static str, app: &App, arguments: &[&str], stdout: Stdio) -> Result<Child, Failure> {
        let failed = |problem| Failure::new(format!("{name} cannot be started: {problem}"));
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        command.args(arguments).args(["--color", if app.screen.has_color() { "always" } else { "never" }]);
        command.args(app.screen.is_json().then_some("--json"));
        // What it says goes to the log, if there is one; otherwise it is kept for the case that it fails.
        let logs = app.config.log != "off";
        command.args(logs.then_some("-v")).stderr(if logs { Stdio::inherit() } else { Stdio::piped() });
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with(pyroxene::config::PREFIX) {
                command.env_remove(variable);
            }
        }
        let mut process = command.stdin(Stdio::piped()).stdout(stdout).kill_on_drop(true).spawn().map_err(failed)?;
        let lines = process.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        Ok(Child { name, _stdin: process.stdin.take(), process, lines })
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.process.id().unwrap_or(0)
    }

    /// The next line it writes.
    pub(super) async fn line(&mut self) -> Result<String, Failure> {
        let name = self.name;
        let Some(lines) = &mut self.lines else { return Err(Failure::new(format!("{name} has no lines to read"))) };
        match timeout(PATIENCE, lines.next_line()).await {
            Ok(Ok(Some(line))) => Ok(line),
            Ok(_) => Err(self.why_it_ended().await),
            Err(_) => Err(Failure::new(format!("{name} said nothing for {} s", PATIENCE.as_secs()))),
        }
    }

    /// Waits for its end, which must be a success.
    pub(super) async fn succeeds(&mut self) -> Result<(), Failure> {
        match timeout(PATIENCE, self.process.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(_) => Err(self.why_it_ended().await),
            Err(_) => Err(Failure::new(format!("{} did not end within {} s", self.name, PATIENCE.as_secs()))),
        }
    }

    /// Asks it to end, and sees that it does so in order.
    pub(super) async fn end(&mut self) -> Result<(), Failure> {
        #[cfg(unix)]
        self.terminate()?;
        #[cfg(not(unix))]
        drop(self._stdin.take());
        self.succeeds().await
    }

    #[cfg(unix)]
    fn terminate(&self) -> Result<(), Failure> {
        use rustix::process::{Pid, Signal, kill_process};
        let pid = self.process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pid = pid.ok_or_else(|| Failure::new(format!("{} has ended already", self.name)))?;
        kill_process(pid, Signal::TERM)
            .map_err(|problem| Failure::new(format!("{} cannot be asked to end: {problem}", self.name)))
    }

    async fn why_it_ended(&mut self) -> Failure {
        let status = self.process.wait().await.as_ref().map_or_else(ToString::to_string, ExitStatus::to_string);
        let mut said = String::new();
        if let Some(stderr) = self.process.stderr.take() {
            // Enough for an error; a child that goes on talking is not listened to for ever.
            let _ = timeout(PATIENCE, stderr.take(64 * 1024).read_to_string(&mut said)).await;
        }
        let last = said.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Failure::new(format!("{} ended ({status}) {last}", self.name))
    }
}
