//! What a panicking handler said, so that its caller can be told.
//!
//! Only the panic hook sees where a panic happened. The hook that [`install`] sets keeps message, place and backtrace of the thread's last
//! panic for the one who catches it; every panic still reaches the hook that was there before.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

/// Frames of a backtrace that are sent.
const MAX_FRAMES: usize = 48;
/// What the first frame below a handler is in: the guard, what the macros write, or actix where that calls the handler's future.
const BELOW: [&str; 9] = [
    "__rust_try",
    "/context_items.rs",
    "actix::context",
    "pyroxene::daemon::deliver::",
    "pyroxene::daemon::host::",
    "pyroxene::daemon::remote_object::",
    "pyroxene::daemon::respond::",
    "pyroxene::daemon::shared::",
    "pyroxene::object::panic::guard",
];

/// A panic: what was said, where, and the way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanicReport {
    /// The text given to `panic!`.
    pub message: String,
    /// `file:line:column`.
    pub location: String,
    /// The frames between the handler and the panic, innermost first.
    pub backtrace: Vec<String>,
}

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static LAST: RefCell<Option<PanicReport>> = const { RefCell::new(None) };
}

/// Sets the panic hook, once per process; calls the hook that was set before as well.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            COUNT.set(COUNT.get() + 1);
            LAST.set(Some(report(info)));
            previous(info);
        }));
    });
}

/// Runs `f`; a panic in it ends here.
///
/// # Errors
/// What the panic said.
pub fn guard<R>(f: impl FnOnce() -> R) -> Result<R, PanicReport> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let report = LAST.take().unwrap_or_else(|| PanicReport {
            message: payload_text(payload.as_ref()),
            location: String::new(),
            backtrace: Vec::new(),
        });
        // A payload may panic again when it is dropped; that one is nobody's call.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(payload)));
        report
    })
}

/// How many panics this thread has seen, for [`since`].
pub(crate) fn count() -> u64 {
    COUNT.get()
}

/// The thread's last panic, if it came after `count`: the likely end of something that ended without a word.
pub(crate) fn since(count: u64) -> Option<PanicReport> {
    if COUNT.get() > count { LAST.take() } else { None }
}

/// The panic this thread is unwinding from.
pub(crate) fn unwinding() -> Option<PanicReport> {
    if std::thread::panicking() { LAST.with_borrow(Clone::clone) } else { None }
}

fn report(info: &PanicHookInfo<'_>) -> PanicReport {
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    PanicReport { message: payload_text(info.payload()), location, backtrace: frames(&Backtrace::force_capture()) }
}

fn payload_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without text").to_owned()
}

/// Leaves out the machinery above the panic (std, this hook) and below the handler (dispatch, actix, tokio).
fn frames(backtrace: &Backtrace) -> Vec<String> {
    let text = backtrace.to_string();
    let mut frames: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        match line.strip_prefix("at ") {
            Some(place) => {
                if let Some(last) = frames.last_mut() {
                    last.push_str(" at ");
                    last.push_str(place);
                }
            }
            None => {
                let name = line.split_once(": ").map_or(line, |(_, name)| name);
                frames.push(name.to_owned());
            }
        }
    }
    let start =
        frames.iter().rposition(|f| f.contains("rust_begin_unwind") || f.contains("begin_panic")).map_or(0, |i| i + 1);
    let kept = frames.into_iter().skip(start).skip_while(|f| f.starts_with("core::") || f.starts_with("std::"));
    kept.take_while(|f| !BELOW.iter().any(|part| f.contains(part)))
        .filter(|f| !f.starts_with("core::ops::function") && !f.starts_with("std::panic"))
        .take(MAX_FRAMES)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caught_panic_tells_what_and_where() {
        install();
        let report = guard(|| panic!("the vault is {}", "empty")).unwrap_err();
        assert_eq!(report.message, "the vault is empty");
        assert!(report.location.contains("panic.rs"), "{report:?}");
    }

    #[test]
    fn a_panic_that_panics_when_dropped_is_still_one_panic() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        install();
        let report = guard(|| std::panic::panic_any(Bomb)).unwrap_err();
        assert_eq!(report.message, "a panic without text");
    }

    #[test]
    fn without_a_panic_nothing_is_kept() {
        assert_eq!(guard(|| 7), Ok(7));
        assert_eq!(unwinding(), None);
    }
}
