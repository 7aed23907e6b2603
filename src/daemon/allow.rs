//! Who may call an object.

use std::sync::Arc;

use crate::object::context::Caller;
use crate::object::outcome::NotStarted;
use crate::object::panic;

/// Says who may call an object; a closure does. It is handed to [`Spawn::allow`](crate::daemon::spawn::Spawn::allow).
///
/// ```
/// use pyroxene::daemon::allow::Allow;
/// use pyroxene::object::context::Caller;
///
/// /// Whoever is in this process may do anything, all others may look.
/// struct LookOnly;
///
/// impl Allow for LookOnly {
///     fn allows(&self, caller: &Caller, method: &str) -> bool {
///         caller.is_local() || matches!(method, "balance" | "history")
///     }
/// }
/// let stranger = Caller::default();
/// assert!(LookOnly.allows(&stranger, "balance") && !LookOnly.allows(&stranger, "withdraw"));
/// ```
pub trait Allow: Send + Sync + 'static {
    /// Whether the caller may call the method. It is asked for each call, on the way into the object's queue, so it does not wait for anything.
    fn allows(&self, caller: &Caller, method: &str) -> bool;
}

impl<F: Fn(&Caller, &str) -> bool + Send + Sync + 'static> Allow for F {
    fn allows(&self, caller: &Caller, method: &str) -> bool {
        self(caller, method)
    }
}

/// Why this caller may not call the method; `None` if it may. One that cannot be judged may not.
pub(crate) fn denies(allow: &Arc<dyn Allow>, caller: &Caller, object: &str, method: &str) -> Option<NotStarted> {
    let allowed = panic::guard(|| allow.allows(caller, method)).unwrap_or(false);
    let denied =
        || NotStarted::Denied { object: object.to_owned(), method: method.to_owned(), caller: caller.address.clone() };
    (!allowed).then(denied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_be_judged_may_not() {
        let judge = |_: &Caller, method: &str| match method {
            "look" => true,
            "touch" => false,
            _ => panic!("out of my depth"),
        };
        let allow: Arc<dyn Allow> = Arc::new(judge);
        let caller = Caller { address: "10.0.0.7:4000".into(), session: 1 };
        assert_eq!(denies(&allow, &caller, "vase", "look"), None);
        for method in ["touch", "smash"] {
            let Some(why) = denies(&allow, &caller, "vase", method) else { panic!("{method}") };
            let text = format!("10.0.0.7:4000 may not call {method} of vase; whoever runs vase says who may");
            assert_eq!(why.to_string(), text);
        }
    }
}
