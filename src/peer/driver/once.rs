//! Calls with a key, which run once whatever becomes of connections.

use std::sync::Arc;

use crate::object::interface::MethodFlags;
use crate::object::outcome::NotStarted;
use crate::object::reply::ReplySink;
use crate::peer::control;
use crate::peer::driver::Driver;
use crate::peer::session::{Session, Waiter};
use crate::wire::{Features, Frame, MessageType, OnceKey, SessionOpened};

impl Driver {
    /// The peer is going to make calls with keys: its session is opened, and kept from being forgotten as long as this connection lives.
    pub(super) fn open_session(&mut self, frame: &Frame) {
        let opened = match &self.sessions {
            // Whoever does not speak of sessions has not said which one is its own either.
            Some(sessions) if self.shared.features.contains(Features::SESSIONS) => {
                sessions.open(self.shared.caller.session)
            }
            _ => {
                let problem = "there are none on this connection".to_owned();
                Err(NotStarted::Unsupported { method: "a session".to_owned(), problem })
            }
        };
        let number = opened.as_ref().map(|session| session.number).map_err(NotStarted::clone);
        self.shared.append(|out| {
            control::answer(out, MessageType::Opened, frame.header.seq, u32::MAX, number, |number, out| {
                SessionOpened { number }.encode(out)
            });
        });
        self.session = opened.ok();
    }
}

/// A call with a key: where its reply goes if it is to run; otherwise it is answered, or will be.
///
/// # Errors
/// It cannot be taken.
#[cold]
pub(super) fn admit(
    session: Option<&Arc<Session>>,
    key: &[u8],
    method: (&str, MethodFlags),
    waiter: Waiter,
    oneway: bool,
) -> Result<Option<Arc<dyn ReplySink>>, NotStarted> {
    let (method, flags) = method;
    let refuse =
        |problem: &str| Err(NotStarted::Unsupported { method: method.to_owned(), problem: problem.to_owned() });
    let Some(key) = OnceKey::decode(key) else { return refuse("the key of the call is not one") };
    let Some(session) = session else { return refuse("it has a key, and no session is open on its connection") };
    if oneway {
        return refuse("it has a key, but nobody waits for its reply");
    }
    if flags.contains(MethodFlags::STREAM) {
        return refuse("its reply is a stream of items, which cannot be kept for another attempt");
    }
    session.begin(key, waiter)
}
