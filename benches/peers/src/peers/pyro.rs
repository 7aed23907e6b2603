//! Pyro 5, if there is a Python that has it: `pyro.py` is both ends.

use std::process::{Command, Stdio};
use std::sync::LazyLock;

use anyhow::Result;

use crate::peer::{Peer, Support};
use crate::workload::{Figures, Task, Workload};

pub struct Pyro;

const PROGRAM: &str = include_str!("pyro.py");
/// The environment variable that says which Python.
const PYTHON: &str = "PYTHON";

/// Why there is no Pyro here, if so.
static MISSING: LazyLock<Option<String>> = LazyLock::new(|| {
    let python = python();
    let imports =
        Command::new(&python).args(["-c", "import Pyro5.api"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    match imports {
        Ok(status) if status.success() => None,
        Ok(_) => Some(format!("{python} has no Pyro5; `{python} -m pip install Pyro5`, or name another in {PYTHON}")),
        Err(problem) => Some(format!("{python} cannot be started ({problem}); name another in {PYTHON}")),
    }
});

fn python() -> String {
    std::env::var(PYTHON).unwrap_or_else(|_| "python3".to_owned())
}

impl Peer for Pyro {
    fn id(&self) -> &'static str {
        "pyro5"
    }

    fn title(&self) -> &'static str {
        "Pyro 5"
    }

    fn support(&self, workload: Workload) -> Support {
        match workload {
            Workload::W2 | Workload::W3 => {
                Support::Differently("a proxy makes one call at a time: calls in flight are one batch after another")
            }
            Workload::W6 => Support::Differently("server type multiplex: the default serves 80 connections"),
            _ => Support::Yes,
        }
    }

    fn missing(&self) -> Option<String> {
        MISSING.clone()
    }

    fn serve(&self, workload: Workload) -> Result<()> {
        turn_into_python(&["serve", workload.title()])
    }

    fn call(&self, task: &Task) -> Result<Figures> {
        turn_into_python(&["call", &serde_json::to_string(task)?])
    }
}

/// This process is a Python from now on, which announces itself and prints its figures as we would.
#[cfg(unix)]
fn turn_into_python<T>(args: &[&str]) -> Result<T> {
    use std::os::unix::process::CommandExt;

    Err(Command::new(python()).args(["-c", PROGRAM]).args(args).exec().into())
}

#[cfg(not(unix))]
fn turn_into_python<T>(_: &[&str]) -> Result<T> {
    anyhow::bail!("Pyro 5 is measured on Unix only")
}
