//! A whole program that objects can live in: what `#[pyroxene::main]` makes of `async fn main`.

use std::error::Error;
use std::future::Future;
use std::io::Write;
use std::process::ExitCode;

use actix_rt::{System, SystemRunner};

/// What `main` may return.
#[diagnostic::on_unimplemented(
    message = "`main` returns `()` or `Result<(), E>`, where `E` is an error; not `{Self}`",
    label = "write `Result<(), E>` here, or nothing"
)]
pub trait Outcome {
    /// The error it ended with.
    fn error(self) -> Option<Box<dyn Error>>;
}

#[diagnostic::do_not_recommend]
impl Outcome for () {
    fn error(self) -> Option<Box<dyn Error>> {
        None
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<Box<dyn Error>>> Outcome for Result<(), E> {
    fn error(self) -> Option<Box<dyn Error>> {
        self.err().map(Into::into)
    }
}

/// Tasks that are run until sockets get their turn, unless all have run before.
const TASKS: u32 = 512;

/// A system of actors on this thread, on a runtime that is set up for many small calls: when many callers were woken at a time, all of them run
/// before the sockets are looked at again, so that what they call leaves together.
///
/// ```
/// let answer = pyroxene::daemon::program::system().block_on(async { 42 });
/// assert_eq!(answer, 42);
/// ```
///
/// # Panics
/// The operating system gives no more threads or files.
pub fn system() -> SystemRunner {
    match tokio::runtime::Builder::new_current_thread().enable_all().event_interval(TASKS).build() {
        Ok(runtime) => System::with_tokio_rt(|| runtime),
        // It will fail as well, and say why.
        Err(_) => System::new(),
    }
}

/// Runs a program to its end. An error is one line on stderr, and exit code 1.
pub fn main<R: Outcome>(program: impl Future<Output = R>) -> ExitCode {
    match system().block_on(program).error() {
        None => ExitCode::SUCCESS,
        Some(error) => {
            // With stderr closed there is nobody left to tell.
            let _ = writeln!(std::io::stderr().lock(), "error: {}", one_line(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, each once: many errors say themselves what caused them.
fn one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open {path}")]
    struct Open {
        path: &'static str,
        source: Cause,
    }

    #[derive(Debug, thiserror::Error)]
    enum Cause {
        #[error("no such\nfile")]
        Missing,
        #[error("{0}")]
        Said(#[source] Box<Cause>),
    }

    #[test]
    fn an_error_is_one_line_with_its_causes() {
        let error = Open { path: "bank.db", source: Cause::Said(Box::new(Cause::Missing)) };
        assert_eq!(one_line(&error), "cannot open bank.db: no such file");
    }

    #[test]
    fn what_main_returns_is_the_exit_code() {
        let code = |code: ExitCode| format!("{code:?}");
        assert_eq!(code(main(async {})), code(ExitCode::SUCCESS));
        assert_eq!(code(main(async { Ok::<(), Cause>(()) })), code(ExitCode::SUCCESS));
        assert_eq!(code(main(async { Err::<(), _>(Cause::Missing) })), code(ExitCode::FAILURE));
        assert_eq!(code(main(async { Err::<(), Box<dyn Error>>("boxed".into()) })), code(ExitCode::FAILURE));
    }
}
