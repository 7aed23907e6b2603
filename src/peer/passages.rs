//! Objects behind other connections of a daemon that the peer of this one calls: a plain table.

use std::sync::Arc;

use crate::object::interface::MethodFlags;
use crate::object::outcome::NotStarted;
use crate::peer::hold::Hold;
use crate::wire::{BindingTable, Release};

/// Handles from here on are of such objects; a connection opens fewer of its daemon's own.
const FIRST: usize = 1 << 16;
/// Objects that one connection may have open in this way.
const MAX_PASSAGES: usize = 4096;

/// What the peer has opened. `C` is the connection behind which an object is.
pub(crate) struct Passages<C> {
    open: Vec<Option<Open<C>>>,
}

struct Open<C> {
    passage: Passage<C>,
    /// Answers that named its handle and that the peer is not done with.
    named: u32,
}

/// The way to one object.
#[derive(Clone)]
pub(crate) struct Passage<C> {
    pub(crate) connection: C,
    /// What the object is called here.
    pub(crate) id: String,
    /// What it is there.
    pub(crate) table: BindingTable,
    /// Keeps it open there.
    pub(crate) _hold: Option<Arc<Hold>>,
}

impl<C> Default for Passages<C> {
    fn default() -> Self {
        Passages { open: Vec::new() }
    }
}

impl<C> Passages<C> {
    /// Opens a way, or puts it in place of the one there was to the same object. What the peer is told of it.
    ///
    /// # Errors
    /// Too many are open.
    pub(crate) fn open(&mut self, passage: Passage<C>) -> Result<BindingTable, NotStarted> {
        let known = self.position(&passage.id);
        let free = || self.open.iter().position(Option::is_none);
        let at = known.or_else(free).unwrap_or(self.open.len());
        if at >= MAX_PASSAGES {
            let what = "the connection's table of objects that are passed on".to_owned();
            return Err(NotStarted::Busy { what, retry_after_ms: 1_000 });
        }
        let table = BindingTable {
            handle: (FIRST + at) as u32,
            object: passage.id.clone(),
            methods: passage.table.methods.clone(),
        };
        match self.open.get_mut(at) {
            Some(place) => {
                let named = place.as_ref().map_or(0, |open| open.named).saturating_add(1);
                *place = Some(Open { passage, named });
            }
            None => self.open.push(Some(Open { passage, named: 1 })),
        }
        Ok(table)
    }

    pub(crate) fn at(&self, handle: usize) -> Option<&Passage<C>> {
        self.open.get(handle.checked_sub(FIRST)?)?.as_ref().map(|open| &open.passage)
    }

    /// The peer is done with so many answers that named this handle. What it needs no more is returned.
    pub(crate) fn release(&mut self, release: Release) -> Option<Passage<C>> {
        let place = self.open.get_mut((release.handle as usize).checked_sub(FIRST)?)?;
        let open = place.as_mut()?;
        open.named = open.named.saturating_sub(release.count);
        place.take_if(|open| open.named == 0).map(|open| open.passage)
    }

    /// The handle of the object with this id.
    pub(crate) fn of(&self, id: &str) -> Option<usize> {
        self.position(id).map(|at| FIRST + at)
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.open.iter().position(|open| open.as_ref().is_some_and(|open| open.passage.id == id))
    }
}

/// Whether a handle is, or was, of an object behind another connection.
pub(crate) fn is_passage(handle: usize) -> bool {
    handle >= FIRST
}

impl<C> Passage<C> {
    /// The name of a method, and what is known of it.
    pub(crate) fn method(&self, at: u32) -> Option<(&str, MethodFlags)> {
        let method = self.table.methods.get(at as usize)?;
        Some((&method.name, MethodFlags::from_bits(method.flags)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(id: &str, connection: u8) -> Passage<u8> {
        let table = BindingTable { handle: 3, object: "own".to_owned(), methods: Vec::new() };
        Passage { connection, id: id.to_owned(), table, _hold: None }
    }

    #[test]
    fn a_way_that_is_opened_again_keeps_its_handle() {
        let mut passages = Passages::default();
        let first = passages.open(passage("a", 1)).unwrap();
        let second = passages.open(passage("b", 1)).unwrap();
        assert_ne!(first.handle, second.handle);
        assert_eq!(passages.open(passage("a", 2)).unwrap(), first);
        assert_eq!(passages.at(first.handle as usize).map(|open| open.connection), Some(2));
        assert_eq!(passages.of("b"), Some(second.handle as usize));
        assert!(passages.at(0).is_none() && passages.at(FIRST + 2).is_none());
        assert!(is_passage(first.handle as usize) && !is_passage(4095));
    }

    #[test]
    fn what_is_let_go_as_often_as_it_was_opened_makes_room() {
        let mut passages = Passages::default();
        let first = passages.open(passage("a", 1)).unwrap();
        passages.open(passage("a", 1)).unwrap();
        let release = Release { handle: first.handle, count: 1 };
        assert!(passages.release(release).is_none());
        assert!(passages.release(release).is_some());
        assert!(passages.release(release).is_none() && passages.at(first.handle as usize).is_none());
        assert_eq!(passages.open(passage("b", 1)).unwrap().handle, first.handle);
    }

    #[test]
    fn they_are_bounded() {
        let mut passages = Passages::default();
        for n in 0..MAX_PASSAGES {
            passages.open(passage(&n.to_string(), 0)).unwrap();
        }
        assert!(matches!(passages.open(passage("more", 0)), Err(NotStarted::Busy { .. })));
        assert!(passages.open(passage("7", 1)).is_ok());
    }
}
