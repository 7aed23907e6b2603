//! Calls that can be made again at another object, as those to a group are.

use std::future::Future;

use crate::client::call::Call;
use crate::client::client::Client;
use crate::client::dyn_proxy::DynCall;
use crate::client::error::CallError;
use crate::codec::Value;
use crate::object::interface::MethodFlags;
use crate::object::message::{Never, RemoteMessage};
use crate::object::outcome::{NotStarted, Unknown};
use crate::wire::CorrelationId;

/// A call that has not begun: one with a message, or one by name.
pub trait Repeat: Future<Output = Result<Self::Value, CallError<Self::Raised>>> + Send + Unpin {
    /// What it ends with.
    type Value;
    /// What the object may raise.
    type Raised: std::fmt::Display;

    /// The time it was given, milliseconds, if it was given any.
    fn asked_ms(&self) -> Option<u32>;

    /// The same with so much time.
    fn within_ms(self, ms: u32) -> Self;

    /// Whether running it twice is as good as once.
    fn is_idempotent(&self) -> bool;
}

impl<M: RemoteMessage> Repeat for Call<M> {
    type Value = M::Reply;
    type Raised = M::Error;

    fn asked_ms(&self) -> Option<u32> {
        self.0.asked_ms
    }

    fn within_ms(self, ms: u32) -> Call<M> {
        self.timeout_ms(ms)
    }

    fn is_idempotent(&self) -> bool {
        M::FLAGS.contains(MethodFlags::IDEMPOTENT)
    }
}

impl Repeat for DynCall {
    type Value = Value;
    type Raised = Never;

    fn asked_ms(&self) -> Option<u32> {
        self.0.asked_ms
    }

    fn within_ms(self, ms: u32) -> DynCall {
        self.timeout_ms(ms)
    }

    fn is_idempotent(&self) -> bool {
        false
    }
}

/// Whether another object may take a call that ended so at this one.
pub(crate) fn may_go_elsewhere<E>(error: &CallError<E>, idempotent: bool) -> bool {
    match error {
        CallError::NotStarted(why) => is_about_the_object(why),
        CallError::Unknown(_) => idempotent,
        CallError::Raised(_) | CallError::Failed(_) => false,
    }
}

/// Whether it is this object that cannot take the call, and not the call that cannot be taken.
fn is_about_the_object(why: &NotStarted) -> bool {
    is_away(why)
        || matches!(why.last(), NotStarted::Busy { .. } | NotStarted::Restarting { .. } | NotStarted::Cancelled)
}

/// Whether the object is not there, or about to go; one that is full is there.
fn is_away(why: &NotStarted) -> bool {
    matches!(
        why.last(),
        NotStarted::ObjectFailed { .. }
            | NotStarted::Draining { .. }
            | NotStarted::Unreachable { .. }
            | NotStarted::StaleReference { .. }
            | NotStarted::NoSuchObject { .. }
            | NotStarted::Unresolved { .. }
    )
}

/// Whether it is better not to call this object for a while, after a call that ended so.
pub(crate) fn is_out_of_order<E>(error: &CallError<E>) -> bool {
    match error {
        CallError::NotStarted(why) => is_away(why),
        CallError::Unknown(why) => matches!(why.last(), Unknown::Disconnected { .. } | Unknown::SessionLost { .. }),
        CallError::Raised(_) | CallError::Failed(_) => false,
    }
}

/// The time that a call made now has, milliseconds: never more than the call has in whose course it is made.
pub(crate) fn time_ms(client: &Client, asked_ms: Option<u32>) -> u32 {
    client.inherit(asked_ms, CorrelationId::NONE).0
}
