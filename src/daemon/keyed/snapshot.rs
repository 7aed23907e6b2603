//! What is kept of an object while it is passive.

use actix::{Context, Handler, Message};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec;
use crate::codec::budget::Budget;
use crate::daemon::host::{Host, Hosted};
use crate::object::panic;
use crate::wire::SerializerId;

/// In what snapshots are written: what describes itself can still be read when a field has come or gone.
const SERIALIZER: SerializerId = SerializerId::MESSAGE_PACK;

/// A plain struct of which something can be kept, so that it need not be in memory while nobody uses it: see [`Daemon::keyed`].
///
/// Snapshots are written as maps of their fields. A field that is new to a later version of the type needs `#[serde(default)]`; one that has
/// gone is skipped.
///
/// ```
/// use pyroxene::Snapshot;
/// use serde::{Deserialize, Serialize};
///
/// struct Account {
///     owner: String,
///     kept: Kept,
/// }
///
/// #[derive(Clone, Default, Serialize, Deserialize)]
/// struct Kept {
///     pence: u64,
/// }
///
/// impl Snapshot for Account {
///     type Kept = Kept;
///
///     fn snapshot(&self) -> Option<Kept> {
///         // An account on which nothing was paid in is as any new one.
///         (self.kept.pence > 0).then(|| self.kept.clone())
///     }
/// }
/// ```
///
/// [`Daemon::keyed`]: crate::Daemon::keyed
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no snapshot",
    label = "what is to be kept of this while nobody uses it?",
    note = "implement `pyroxene::Snapshot` for it; if nothing is to be kept, with `type Kept = ()` and `None`"
)]
pub trait Snapshot {
    /// What is kept.
    type Kept: Serialize + DeserializeOwned + 'static;

    /// What is to be kept of it as it is now; nothing, if it can be made anew as it was. It is asked on the object's own thread, between calls.
    fn snapshot(&self) -> Option<Self::Kept>;
}

/// Asks the actor of an object for its snapshot.
#[derive(Message)]
#[rtype(result = "Result<Option<Vec<u8>>, String>")]
pub(super) struct TakeSnapshot;

impl<T: Hosted + Snapshot> Handler<TakeSnapshot> for Host<T> {
    type Result = Result<Option<Vec<u8>>, String>;

    fn handle(&mut self, _: TakeSnapshot, _: &mut Context<Self>) -> Self::Result {
        let Some(state) = self.state_mut() else { return Err("its state is away".to_owned()) };
        match panic::guard(|| state.snapshot().map(|kept| write(&kept)).transpose()) {
            Ok(snapshot) => snapshot,
            Err(report) => Err(format!("`snapshot` panicked: {} at {}", report.message, report.location)),
        }
    }
}

/// A snapshot as it stands in a store: the number of its serializer, and what that wrote.
fn write<K: Serialize>(kept: &K) -> Result<Vec<u8>, String> {
    let mut snapshot = vec![SERIALIZER.0];
    codec::serializer::encode(SERIALIZER, kept, &mut snapshot).map_err(|error| error.to_string())?;
    Ok(snapshot)
}

/// What was kept.
///
/// # Errors
/// It is no snapshot, or that of another type.
pub(super) fn read<K: DeserializeOwned>(snapshot: &[u8]) -> Result<K, String> {
    let (serializer, bytes) = snapshot.split_first().ok_or("its snapshot is empty")?;
    // The program wrote it itself, so it may be as large as it is.
    let budget = Budget { elements: u32::MAX, bytes: usize::MAX, ..Budget::default() };
    codec::serializer::decode(SerializerId(*serializer), bytes, &budget)
        .map_err(|error| format!("its snapshot does not fit its type: {error}"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Before {
        pence: u64,
        remark: String,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct After {
        pence: u64,
        #[serde(default)]
        owner: Option<String>,
    }

    #[test]
    fn a_snapshot_outlives_fields_that_come_and_go() {
        let snapshot = write(&Before { pence: 3, remark: "paid".into() }).unwrap();
        assert_eq!(read::<Before>(&snapshot), Ok(Before { pence: 3, remark: "paid".into() }));
        assert_eq!(read::<After>(&snapshot), Ok(After { pence: 3, owner: None }));
    }

    #[test]
    fn what_is_no_snapshot_of_the_type_is_said_to_be_none() {
        let snapshot = write(&Before { pence: 3, remark: "paid".into() }).unwrap();
        for bad in [&[][..], &[99, 1], &snapshot[..snapshot.len() - 2], &write(&"text").unwrap()] {
            assert!(read::<After>(bad).unwrap_err().starts_with("its snapshot "), "{bad:?}");
        }
    }
}
