//! Clients that host objects of their own: the address that they are lent, and the one that was lent to this end.

use std::sync::Arc;
use std::time::Duration;

use crate::object::address::Address;
use crate::object::outcome::NotStarted;
use crate::peer::control;
use crate::peer::driver::Driver;
use crate::peer::in_flight::Stray;
use crate::peer::relays::Relays;
use crate::wire::{Addressed, Flags, Frame, MessageType};

impl Driver {
    /// The daemon of this connection lends addresses.
    pub(crate) fn lend(&mut self, relays: Arc<Relays>) {
        self.relays = Some(relays);
    }

    /// The peer hosts objects, and asks for an address.
    #[cold]
    pub(super) fn address(&mut self, frame: &Frame) {
        let lent = match &self.relays {
            Some(relays) => relays.lend(&self.shared),
            None => Err(NotStarted::Unsupported {
                method: "ADDRESS".to_owned(),
                problem: "only a daemon passes calls on".to_owned(),
            }),
        };
        self.shared.append(|out| {
            control::answer(out, MessageType::Addressed, frame.header.seq, u32::MAX, lent, |lent, out| {
                lent.encode(out)
            });
        });
    }

    /// The answer to the same question of this end. The first counts.
    #[cold]
    pub(super) fn addressed(&mut self, frame: Frame) {
        if !frame.header.flags.contains(Flags::EXCEPTION)
            && let Ok(addressed) = Addressed::decode(&frame.payload)
            && let Ok(endpoint) = addressed.endpoint.parse()
        {
            self.default_deadline = Duration::from_millis(addressed.timeout_ms.into());
            self.shared
                .address
                .get_or_init(|| Arc::new(Address::new(endpoint, addressed.relay, self.exports.daemon())));
        }
        let woken = self.shared.lock().in_flight.complete(frame);
        match woken {
            Ok(waker) => self.wakers.extend(waker),
            Err(Stray) => self.stray += 1,
        }
    }
}
