//! How the life of an object ended, as whoever watches it is told.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::object::interface::MethodFlags;
use crate::object::items::{Incoming, ItemSource, Items};
use crate::object::message::{Never, RemoteMessage};

/// No end is longer ago than that, milliseconds: ten years, which no process has run for. A peer may claim any time.
const LONGEST_MS: u64 = 315_360_000_000;

/// An object is gone: why, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Why.
    pub why: Ending,
    /// Since when, by the clock of this process. Ends of objects elsewhere are known as well as messages are quick.
    pub since: Instant,
}

/// Why an object is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Ending {
    /// It was stopped: by its program, by itself, or in order with its daemon.
    Stopped,
    /// It failed more often than its restart policy allows.
    Failed {
        /// What its last failure said.
        problem: String,
    },
    /// Its daemon knows no such object, or no longer: it was started anew, or the object was stopped when nobody watched.
    Missing,
    /// Nobody can say: the connection was lost and its daemon cannot be reached any more, or does not tell.
    Unreachable {
        /// What was tried last, and what came of it.
        problem: String,
    },
}

impl Ended {
    /// It ended just now.
    pub(crate) fn now(why: Ending) -> Ended {
        Ended { why, since: Instant::now() }
    }

    /// For how long it has been so, in words, if that is worth mentioning.
    pub(crate) fn ago(&self) -> Option<String> {
        let secs = self.since.elapsed().as_secs();
        (secs > 0).then(|| format!("{secs} s ago"))
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Ending::Stopped => f.write_str("it was stopped")?,
            Ending::Failed { .. } => f.write_str("it failed")?,
            Ending::Missing => f.write_str("there is no such object")?,
            Ending::Unreachable { .. } => f.write_str("nobody knows what became of it")?,
        }
        if let Some(ago) = self.ago() {
            write!(f, " {ago}")?;
        }
        match &self.why {
            Ending::Failed { problem } | Ending::Unreachable { problem } => write!(f, ": {problem}"),
            _ => Ok(()),
        }
    }
}

/// Asks `Pyro.Daemon` for the end of one of its objects: a stream of one item, which comes when the object is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Watch {
    /// Its id or its name.
    pub object: String,
}

/// The end of an object, as it travels: clocks need not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Why.
    pub why: Ending,
    /// For how long, milliseconds.
    pub ago_ms: u64,
}

impl From<Ended> for Told {
    fn from(ended: Ended) -> Told {
        let ago_ms = u64::try_from(ended.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        Told { why: ended.why, ago_ms }
    }
}

impl From<Told> for Ended {
    fn from(told: Told) -> Ended {
        let now = Instant::now();
        let ago = Duration::from_millis(told.ago_ms.min(LONGEST_MS));
        // No time lies before this machine's first.
        let since = now.checked_sub(ago).unwrap_or(now);
        Ended { why: told.why, since }
    }
}

#[diagnostic::do_not_recommend]
impl RemoteMessage for Watch {
    type Output = Items<Told>;
    type Reply = Items<Told>;
    type Error = Never;
    const METHOD: &'static str = "watch";
    const FLAGS: MethodFlags = MethodFlags::STREAM.with(MethodFlags::IDEMPOTENT);
    const DOC: &'static str = "The end of an object: one item, which comes when it is gone.";

    fn outcome(output: Items<Told>) -> Result<Items<Told>, Never> {
        Ok(output)
    }

    fn into_items(reply: Items<Told>) -> Result<Box<dyn ItemSource>, Items<Told>> {
        Ok(Box::new(reply))
    }

    fn from_items(incoming: Box<dyn Incoming>) -> Option<Items<Told>> {
        Some(Items::incoming(incoming))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_end_says_why_and_since_when_to_whoever_hears_of_it_later() {
        let ended = Ended::now(Ending::Failed { problem: "the vault is locked".into() });
        assert_eq!(ended.to_string(), "it failed: the vault is locked");
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(ended.to_string(), "it failed 90 s ago: the vault is locked");
        let told = Told::from(ended.clone());
        assert_eq!(told.ago_ms, 90_000);
        assert_eq!(Ended::from(told), ended);
        let claim = Told { why: Ending::Stopped, ago_ms: u64::MAX };
        assert!(Ended::from(claim).since.elapsed() <= Duration::from_millis(LONGEST_MS));
    }
}
