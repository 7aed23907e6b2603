//! What the peer asks about oneways.

use crate::object::outcome::NotStarted;
use crate::peer::control;
use crate::peer::driver::Driver;
use crate::wire::{Flush, Frame, MessageType};

impl Driver {
    /// The peer asks what has become of oneways, and is told once they have ended.
    #[cold]
    pub(super) fn flush(&mut self, frame: &Frame) {
        // Those that came with it are handed over first, or they would not be among those that are on their way.
        self.deliver();
        let seq = frame.header.seq;
        let refused = match Flush::decode(&frame.payload) {
            Err(problem) => NotStarted::Unsupported { method: "a flush".to_owned(), problem: problem.to_string() },
            Ok(Flush { handle, account }) => match self.exports.at(handle as usize) {
                None => NotStarted::NoSuchObject { object: format!("handle {handle}") },
                Some(export) => match export.lane.flush(account, seq) {
                    Ok(()) => return,
                    Err(_) => NotStarted::Unsupported {
                        method: "a flush".to_owned(),
                        problem: "there were too many accounts, and not all was counted".to_owned(),
                    },
                },
            },
        };
        let refused = Err::<(), _>(refused);
        self.shared.append(|out| control::answer(out, MessageType::Flushed, seq, u32::MAX, refused, |(), _| Ok(())));
    }
}
