//! The instances of one object: a plain table that keeps none of them alive.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

/// Instances by whom they are for.
pub(super) struct Table<T> {
    most: usize,
    made: u64,
    live: BTreeMap<u128, (u64, Weak<T>)>,
}

impl<T> Table<T> {
    pub(super) fn new(most: usize) -> Table<T> {
        Table { most, made: 0, live: BTreeMap::new() }
    }

    /// The instance of `key`, if it is there.
    pub(super) fn find(&self, key: u128) -> Option<Arc<T>> {
        self.live.get(&key)?.1.upgrade()
    }

    /// The number of a new instance; `None` when there is no room for it. One that has just ended leaves its place to the next of its key.
    pub(super) fn number(&mut self, key: u128) -> Option<u64> {
        if self.live.len() >= self.most && !self.live.contains_key(&key) {
            return None;
        }
        self.made += 1;
        Some(self.made)
    }

    pub(super) fn insert(&mut self, key: u128, number: u64, instance: &Arc<T>) {
        self.live.insert(key, (number, Arc::downgrade(instance)));
    }

    /// The instance with this number has ended.
    pub(super) fn leave(&mut self, key: u128, number: u64) {
        if self.live.get(&key).is_some_and(|(current, _)| *current == number) {
            self.live.remove(&key);
        }
    }

    /// Those that are there.
    pub(super) fn all(&self) -> Vec<Arc<T>> {
        self.live.values().filter_map(|(_, instance)| instance.upgrade()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_found_as_long_as_somebody_holds_it() {
        let mut table = Table::new(8);
        let number = table.number(7).unwrap();
        let instance = Arc::new("basket");
        table.insert(7, number, &instance);
        assert_eq!(table.find(7).as_deref(), Some(&"basket"));
        assert!(table.find(8).is_none());
        assert_eq!(table.all().len(), 1);
        drop(instance);
        assert!(table.find(7).is_none() && table.all().is_empty());
    }

    #[test]
    fn there_are_no_more_than_there_may_be_and_who_leaves_makes_room() {
        let mut table = Table::new(1);
        let (number, instance) = (table.number(1).unwrap(), Arc::new(()));
        table.insert(1, number, &instance);
        assert_eq!(table.number(2), None);
        table.leave(1, number);
        assert!(table.number(2).is_some());
    }

    #[test]
    fn the_end_of_an_instance_does_not_take_its_successor_along() {
        let mut table = Table::new(1);
        let (first, instance) = (table.number(1).unwrap(), Arc::new(()));
        table.insert(1, first, &instance);
        drop(instance);
        let (second, instance) = (table.number(1).unwrap(), Arc::new(()));
        table.insert(1, second, &instance);
        table.leave(1, first);
        assert!(table.find(1).is_some());
    }
}
