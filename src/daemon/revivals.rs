//! What is about to be started again together, and in which order: plain bookkeeping.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Objects that are to be started again, one after the other, by what keeps them together: the id of their owner, or of the object itself.
#[derive(Debug, Default)]
pub(crate) struct Revivals {
    under_way: BTreeMap<Arc<str>, Revival>,
    rounds: u64,
}

#[derive(Debug)]
struct Revival {
    /// Those that follow, in the order in which they were hosted.
    left: VecDeque<Arc<str>>,
    /// Which pause, and which start, it is about; what is left of an earlier one is of no account.
    round: u64,
}

impl Revivals {
    /// These are to be started again, after a pause, in this order; and those that one of them kept together belong to them now. What was
    /// left of an earlier round and is not among them follows. The number of this round.
    pub(crate) fn begin(&mut self, key: &Arc<str>, together: Vec<Arc<str>>) -> u64 {
        self.rounds += 1;
        let mut left = VecDeque::from(together);
        let earlier = self.under_way.remove(key).map(|revival| revival.left).unwrap_or_default();
        for id in &left {
            self.under_way.remove(id);
        }
        let missed: Vec<Arc<str>> = earlier.into_iter().filter(|id| !left.contains(id)).collect();
        left.extend(missed);
        self.under_way.insert(Arc::clone(key), Revival { left, round: self.rounds });
        self.rounds
    }

    /// The one to be started next; `None` when all have been, or when this is an earlier round.
    pub(crate) fn next(&mut self, key: &Arc<str>, round: u64) -> Option<Arc<str>> {
        let revival = self.under_way.get_mut(key).filter(|revival| revival.round == round)?;
        let next = revival.left.pop_front();
        if next.is_none() {
            self.under_way.remove(key);
        }
        next
    }

    /// It is no more.
    pub(crate) fn remove(&mut self, id: &Arc<str>) {
        for revival in self.under_way.values_mut() {
            revival.left.retain(|left| left != id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<Arc<str>> {
        text.split_whitespace().map(Arc::from).collect()
    }

    fn rest(revivals: &mut Revivals, key: &str, round: u64) -> Vec<Arc<str>> {
        std::iter::from_fn(|| revivals.next(&Arc::from(key), round)).collect()
    }

    #[test]
    fn they_are_started_one_after_the_other() {
        let mut revivals = Revivals::default();
        let round = revivals.begin(&Arc::from("shop"), ids("till store printer"));
        revivals.remove(&Arc::from("store"));
        assert_eq!(rest(&mut revivals, "shop", round), ids("till printer"));
        assert!(revivals.under_way.is_empty());
    }

    #[test]
    fn one_that_fails_meanwhile_begins_anew_and_nobody_is_left_out() {
        let mut revivals = Revivals::default();
        let shop: Arc<str> = Arc::from("shop");
        let first = revivals.begin(&shop, ids("till store printer"));
        assert_eq!(revivals.next(&shop, first), Some(Arc::from("till")));
        // Of those that follow one is concerned.
        let second = revivals.begin(&shop, ids("printer"));
        assert_eq!(revivals.next(&shop, first), None, "that round is over");
        assert_eq!(rest(&mut revivals, "shop", second), ids("printer store"));
    }

    #[test]
    fn what_an_owner_kept_together_goes_along_with_it() {
        let mut revivals = Revivals::default();
        let inner = revivals.begin(&Arc::from("till"), ids("drawer"));
        let outer = revivals.begin(&Arc::from("shop"), ids("till drawer store"));
        assert_eq!(rest(&mut revivals, "till", inner), ids(""));
        assert_eq!(rest(&mut revivals, "shop", outer), ids("till drawer store"));
    }
}
