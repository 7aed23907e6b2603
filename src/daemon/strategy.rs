//! Which objects are started again together.

/// What becomes of the objects that belong to another one when one of them fails and is started again; said of their owner, with
/// [`Spawn::strategy`](crate::daemon::spawn::Spawn::strategy).
///
/// Those that are started again together let go of their states, and then start one after the other, in the order in which they were
/// hosted, each with what belongs to it. Calls that wait for them wait on, and run on the new states in their order; a call that runs
/// comes to its end on the state that it began on.
///
/// The strategies are those of Erlang's supervisors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// It alone is started again, and keeps what belongs to it.
    #[default]
    OneForOne,
    /// All of them are: none can go on without the others.
    OneForAll,
    /// It is, and those that were hosted after it: each may depend on those before it.
    RestForOne,
}
