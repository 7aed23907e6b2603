//! The echo object: something to call, to measure, and to see fail.
//! May use what `pyroxene` exports, like any guest.
//! Must never know who asks, or why.

mod actor;

pub use self::actor::{Echo, EchoBytes, EchoError, EchoObject, Fail, Panic, Remark, Slow};
