//! Errors as a person wants to read them.

use std::error::Error;
use std::fmt::Write as _;

use crate::client::error::CallError;
use crate::codec::fault::Fault;

/// The error, the attempts before it, the chain of its causes, and what happened at the other end in a box of its own.
///
/// ```
/// use pyroxene::{CallError, NotStarted};
///
/// let error: CallError = CallError::NotStarted(NotStarted::Cancelled);
/// assert_eq!(pyroxene::report(&error), "did not run: the call was given up before it began\n");
/// ```
pub fn report<E: Error + 'static>(error: &CallError<E>) -> String {
    let mut text = format!("{error}\n");
    if let CallError::Raised(raised) = error {
        let mut cause = raised.source();
        while let Some(error) = cause {
            let _ = writeln!(text, "  caused by: {error}");
            cause = error.source();
        }
    }
    if let Some(attempts) = error.history() {
        let _ = write!(text, "{attempts}");
    }
    if let CallError::Failed(fault) = error {
        box_around(fault, &mut text);
    }
    text
}

fn box_around(fault: &Fault, text: &mut String) {
    let _ = writeln!(text, "╭─ at the other end: {}.{}", fault.object, fault.method);
    for line in format!("{}: {}", fault.class, fault.message).lines() {
        let _ = writeln!(text, "│ {line}");
    }
    for line in fault.traceback.iter().flat_map(|line| line.lines()) {
        let _ = writeln!(text, "│   {line}");
    }
    text.push_str("╰─\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::fault::Detail;

    #[test]
    fn what_happened_there_stands_in_a_box() {
        let fault = Fault {
            class: "Pyroxene.Panicked".into(),
            message: "the vault is empty".into(),
            detail: Detail::None,
            traceback: vec!["panicked at bank.rs:7:9".into()],
            object: "bank".into(),
            method: "withdraw".into(),
        };
        let text = report(&CallError::<crate::object::message::Never>::Failed(Box::new(fault)));
        let boxed: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(boxed[0], "╭─ at the other end: bank.withdraw");
        assert_eq!(boxed[1], "│ Pyroxene.Panicked: the vault is empty");
        assert_eq!(boxed[2], "│   panicked at bank.rs:7:9");
        assert_eq!(boxed[3], "╰─");
    }
}
