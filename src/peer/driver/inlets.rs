//! Streams of items that calls of the peer carry.

use std::sync::Arc;

use crate::object::invocation::{Body, Streamed};
use crate::object::items::Incoming;
use crate::object::outcome::NotStarted;
use crate::peer::connection::Shared;
use crate::peer::items::{self, Inlet};
use crate::wire::{Carried, Payload, SerializerId};

/// The streams that a call announces, and what comes behind their numbers.
///
/// # Errors
/// They cannot be read, or there is no room for them.
#[cold]
pub(super) fn announced(shared: &Shared, payload: Payload) -> Result<(Carried, Payload), NotStarted> {
    let unreadable = |problem: String| NotStarted::Unsupported { method: "the call".to_owned(), problem };
    let (streams, rest) = Carried::decode(&payload).map_err(|problem| unreadable(problem.to_string()))?;
    let at = payload.len() - rest.len();
    let mut state = shared.lock();
    state.streams.announced(streams);
    let open = &state.streams.incoming;
    if streams.numbers().any(|stream| open.contains_key(&stream)) {
        return Err(unreadable("it carries a stream that is open already".to_owned()));
    }
    if open.len() + streams.count as usize > usize::from(shared.limits.streams) {
        return Err(NotStarted::Busy { what: items::full(shared), retry_after_ms: 1_000 });
    }
    Ok((streams, payload.skip(at)))
}

/// The arguments with the reading ends of their streams. From here on they are open, until whoever holds these drops them.
#[cold]
pub(super) fn open(shared: &Arc<Shared>, body: Body, streams: Carried, serializer: SerializerId) -> Body {
    shared.lock().streams.taken(streams);
    let inlet = |stream| Box::new(Inlet::carried(shared, stream, serializer)) as Box<dyn Incoming>;
    let inlets = streams.numbers().map(inlet).collect();
    Body::Streamed(Box::new(Streamed { body, inlets }))
}
