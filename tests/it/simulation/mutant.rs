//! Lies that the invariants must show.

/// What is broken on purpose in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// The network delivers a request twice now and then.
    RepeatsRequests,
    /// The network takes the keys off calls that are to run once.
    TakesKeys,
    /// A client sends again what may have run.
    RepeatsUnknown,
    /// A client takes what may have run for not started.
    SaysNotStarted,
    /// A client takes what may have run for done.
    SaysDone,
    /// A client sends two calls in the other order.
    SwapsCalls,
    /// A client waits for ever for what may have run.
    NeverGivesUp,
    /// A client takes oneways that may have run for dropped.
    SaysDropped,
    /// The object never ends one of the calls.
    NeverEndsACall,
    /// A server that was restarted accepts no connection.
    DeafAfterRestart,
}
