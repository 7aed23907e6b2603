//! What connections are known by when they have lost their stream: a table, and who waits for another stream.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::peer::connection::{Shared, wake};
use crate::peer::successor::Successor;

/// The connections of a daemon that can go on over another stream.
pub(crate) struct Tickets {
    /// So many may wait for it.
    most: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    known: BTreeMap<[u8; 16], Weak<Shared>>,
    /// Those that wait, the first one first.
    suspended: VecDeque<[u8; 16]>,
}

impl Tickets {
    pub(crate) fn new(most: u32) -> Tickets {
        Tickets { most: most as usize, table: Mutex::default() }
    }

    /// A ticket for a new connection.
    pub(crate) fn issue(tickets: &Arc<Tickets>, shared: &Arc<Shared>) -> Issued {
        let ticket = rand::random::<u128>().to_be_bytes();
        tickets.lock().known.insert(ticket, Arc::downgrade(shared));
        Issued { tickets: Arc::clone(tickets), ticket }
    }

    /// How many connections wait for another stream.
    pub(crate) fn suspended(&self) -> usize {
        self.lock().suspended.len()
    }

    fn suspend(&self, ticket: [u8; 16]) {
        let mut table = self.lock();
        table.suspended.push_back(ticket);
        let oldest = if table.suspended.len() > self.most { table.suspended.pop_front() } else { None };
        let oldest = oldest.and_then(|ticket| table.known.remove(&ticket)).and_then(|shared| shared.upgrade());
        // Whoever waits for it is told without this lock.
        drop(table);
        if let Some(shared) = oldest {
            shared.close(&io::Error::other("its stream is lost, and too many connections wait for another one"));
        }
    }

    /// Hands the stream to the connection that this ticket is of, if it is one of the client with this id.
    ///
    /// # Errors
    /// There is no such connection; the stream.
    pub(crate) fn hand_over(&self, ticket: [u8; 16], client: u128, successor: Successor) -> Result<(), Successor> {
        let known = self.lock().known.get(&ticket).and_then(Weak::upgrade);
        let Some(shared) = known.filter(|shared| shared.caller.session == client) else { return Err(successor) };
        let mut state = shared.lock();
        if state.closed.is_some() {
            return Err(successor);
        }
        // A later one is the one that the client has now.
        state.successor = Some(Box::new(successor));
        wake(state);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ticket of one connection; it is worth nothing once this is dropped.
pub(crate) struct Issued {
    tickets: Arc<Tickets>,
    ticket: [u8; 16],
}

impl Issued {
    pub(crate) fn ticket(&self) -> [u8; 16] {
        self.ticket
    }

    /// The connection has lost its stream. If too many have, the one that waits longest ends.
    pub(crate) fn suspend(&self) {
        self.tickets.suspend(self.ticket);
    }

    /// It waits no more.
    pub(crate) fn resume(&self) {
        self.tickets.lock().suspended.retain(|waiting| *waiting != self.ticket);
    }
}

impl Drop for Issued {
    fn drop(&mut self) {
        self.resume();
        self.tickets.lock().known.remove(&self.ticket);
    }
}
