//! The clients of a daemon that host objects without an address of their own, and the numbers by which others reach them through the daemon.
//!
//! A number belongs to a session. It outlives the session's last connection for a while, so that references survive a reconnect, and leads
//! to nobody else afterwards.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::object::outcome::NotStarted;
use crate::peer::connection::{Connection, Shared};
use crate::uri::{Endpoint, ObjectId};
use crate::wire::{Addressed, Limits};

/// The numbers that one daemon has lent.
pub(crate) struct Relays {
    /// The daemon, as others reach it.
    endpoint: Endpoint,
    /// The time of its calls that carry none, milliseconds.
    timeout_ms: u32,
    table: Mutex<Table<Weak<Shared>>>,
}

impl Relays {
    pub(crate) fn new(endpoint: Endpoint, timeout_ms: u32, limits: &Limits) -> Relays {
        let lease = Duration::from_millis(limits.lease_ms.into());
        Relays { endpoint, timeout_ms, table: Mutex::new(Table::new(limits.connections as usize, lease)) }
    }

    /// The client at the other end hosts objects; where others reach them.
    ///
    /// # Errors
    /// It says not who it is, or there are too many.
    pub(crate) fn lend(&self, shared: &Arc<Shared>) -> Result<Addressed, NotStarted> {
        let session = shared.caller.session;
        if session == 0 {
            let problem = "a client without a session cannot host objects".to_owned();
            return Err(NotStarted::Unsupported { method: "ADDRESS".to_owned(), problem });
        }
        let relay = self.lock().lend(session, Arc::downgrade(shared), rand::random(), Instant::now());
        let relay = relay.ok_or_else(|| NotStarted::Busy {
            what: "the daemon's table of clients that host objects".to_owned(),
            retry_after_ms: 1_000,
        })?;
        Ok(Addressed { endpoint: self.endpoint.to_string(), relay, timeout_ms: self.timeout_ms })
    }

    /// The connection behind which an object is, and what it is called there; `None` if the id is not of an object behind one.
    ///
    /// # Errors
    /// The client is not connected, or not known.
    pub(crate) fn find<'a>(&self, id: &'a str) -> Option<Result<(Connection, &'a str), NotStarted>> {
        let (relay, own) = ObjectId::relayed(id)?;
        let found = self.lock().find(relay);
        Some(match found {
            Found::Open(shared) => Ok((Connection::lent(shared), own)),
            Found::Away => Err(NotStarted::Unreachable {
                uri: format!("PYRO://{}/{id}", self.endpoint),
                problem: "the client that hosts it is not connected now".to_owned(),
            }),
            Found::Unknown => Err(NotStarted::StaleReference { object: id.to_owned() }),
        })
    }

    /// Lets go of clients that have been away for too long, and says how many are left.
    pub(crate) fn tidy(&self, now: Instant) -> usize {
        let mut table = self.lock();
        table.look(now);
        table.lent.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table<Weak<Shared>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A way to a client, which may come to its end.
trait Way {
    type Open;
    fn open(&self) -> Option<Self::Open>;
}

impl Way for Weak<Shared> {
    type Open = Arc<Shared>;

    fn open(&self) -> Option<Arc<Shared>> {
        self.upgrade().filter(|shared| !shared.is_closed())
    }
}

/// The plain table.
struct Table<W> {
    most: usize,
    /// How long the number of a client is kept that has no connection.
    lease: Duration,
    /// By number.
    lent: BTreeMap<u128, Lent<W>>,
    /// Numbers by session.
    sessions: BTreeMap<u128, u128>,
    /// So many are let in before those are looked for that have gone.
    look_at: usize,
}

struct Lent<W> {
    session: u128,
    /// The newest last.
    ways: Vec<W>,
    /// Since when it was seen that there is no way.
    away: Option<Instant>,
}

enum Found<T> {
    Open(T),
    Away,
    Unknown,
}

impl<W: Way> Table<W> {
    fn new(most: usize, lease: Duration) -> Table<W> {
        Table { most, lease, lent: BTreeMap::new(), sessions: BTreeMap::new(), look_at: 16 }
    }

    /// The number of this session, which is `fresh` if it is new; `None` if there are too many.
    fn lend(&mut self, session: u128, way: W, fresh: u128, now: Instant) -> Option<u128> {
        if self.lent.len() >= self.look_at.min(self.most) {
            self.look(now);
        }
        if let Some(relay) = self.sessions.get(&session) {
            let relay = *relay;
            let lent = self.lent.get_mut(&relay)?;
            lent.ways.retain(|way| way.open().is_some());
            lent.ways.push(way);
            lent.away = None;
            return Some(relay);
        }
        if self.lent.len() >= self.most {
            return None;
        }
        self.sessions.insert(session, fresh);
        self.lent.insert(fresh, Lent { session, ways: vec![way], away: None });
        Some(fresh)
    }

    fn find(&mut self, relay: u128) -> Found<W::Open> {
        match self.lent.get(&relay) {
            Some(lent) => lent.ways.iter().rev().find_map(Way::open).map_or(Found::Away, Found::Open),
            None => Found::Unknown,
        }
    }

    /// Lets go whoever has been away for too long. That somebody is away is seen only here, so the lease begins when it is seen.
    fn look(&mut self, now: Instant) {
        let sessions = &mut self.sessions;
        self.lent.retain(|_, lent| {
            lent.ways.retain(|way| way.open().is_some());
            lent.away = if lent.ways.is_empty() { lent.away.or(Some(now)) } else { None };
            let keep = lent.away.is_none_or(|since| now.duration_since(since) < self.lease);
            if !keep {
                sessions.remove(&lent.session);
            }
            keep
        });
        self.look_at = (self.lent.len() * 2).max(16);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    impl Way for Rc<Cell<bool>> {
        type Open = ();

        fn open(&self) -> Option<()> {
            self.get().then_some(())
        }
    }

    fn way() -> Rc<Cell<bool>> {
        Rc::new(Cell::new(true))
    }

    #[test]
    fn a_client_that_comes_back_has_its_number_again() {
        let (mut table, now) = (Table::new(4, LEASE), Instant::now());
        let first = way();
        assert_eq!(table.lend(1, Rc::clone(&first), 100, now), Some(100));
        assert!(matches!(table.find(100), Found::Open(())));
        first.set(false);
        assert!(matches!(table.find(100), Found::Away));
        assert_eq!(table.lend(1, way(), 101, now), Some(100));
        assert!(matches!(table.find(100), Found::Open(())));
        assert!(matches!(table.find(101), Found::Unknown));
    }

    #[test]
    fn nobody_has_the_number_of_another() {
        let (mut table, now) = (Table::new(4, LEASE), Instant::now());
        assert_eq!(table.lend(1, way(), 100, now), Some(100));
        assert_eq!(table.lend(2, way(), 200, now), Some(200));
    }

    #[test]
    fn whoever_is_away_for_long_makes_room_and_whoever_is_there_never_does() {
        let (mut table, start) = (Table::new(2, LEASE), Instant::now());
        let (gone, here) = (way(), way());
        table.lend(1, Rc::clone(&gone), 100, start);
        table.lend(2, here, 200, start);
        assert_eq!(table.lend(3, way(), 300, start), None);
        gone.set(false);
        assert_eq!(table.lend(3, way(), 300, start), None, "it may come back");
        assert_eq!(table.lend(3, way(), 300, start + LEASE), Some(300));
        assert!(matches!(table.find(100), Found::Unknown));
        assert!(matches!(table.find(200), Found::Open(())));
        assert_eq!(table.lend(1, way(), 101, start + LEASE), None, "its old number is nobody's");
    }
}
