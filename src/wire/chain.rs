//! Who waits for whom: the objects that have nothing else to do until a call is answered.

use serde::{Deserialize, Serialize};

/// Links of a chain; of a longer one the oldest are left out, and a deadlock that only they would show ends by its deadline.
const MOST: usize = 16;
/// Bytes of an object's name in a link; it is for people.
const MOST_NAME: usize = 64;
/// Bytes of a whole chain.
const MOST_BYTES: usize = MOST * (MOST_NAME + 24);

/// The objects that wait for a call, the one that has waited longest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain(Vec<ChainLink>);

/// One object that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainLink {
    /// A number of its own, which nobody else has.
    pub object: u64,
    /// Which of its handlers waits, counted by itself.
    pub handler: u64,
    /// What it is called.
    pub name: String,
}

impl Chain {
    /// The same with one more object at its end.
    pub fn with(mut self, mut link: ChainLink) -> Chain {
        link.name.truncate(link.name.floor_char_boundary(MOST_NAME));
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(link);
        self
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the objects are called from the one whose handler this is on, and that one once more; nothing if it does not wait.
    pub fn back_to(&self, object: u64, handler: u64) -> Option<Vec<String>> {
        let at = self.0.iter().position(|link| (link.object, link.handler) == (object, handler))?;
        Some(self.0[at..].iter().chain([&self.0[at]]).map(|link| link.name.clone()).collect())
    }

    /// As an annotation.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(&self.0).unwrap_or_default()
    }

    /// Reads an annotation; one that cannot be read is as good as none.
    pub fn decode(bytes: &[u8]) -> Option<Chain> {
        if bytes.len() > MOST_BYTES {
            return None;
        }
        let (links, rest) = postcard::take_from_bytes::<Vec<ChainLink>>(bytes).ok()?;
        let fits = rest.is_empty() && links.len() <= MOST && links.iter().all(|link| link.name.len() <= MOST_NAME);
        fits.then_some(Chain(links))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(object: u64) -> ChainLink {
        ChainLink { object, handler: 1, name: format!("object {object}") }
    }

    #[test]
    fn a_chain_tells_the_way_round() {
        let chain = Chain::default().with(link(1)).with(link(2)).with(link(3));
        assert_eq!(chain.back_to(2, 1), Some(["object 2", "object 3", "object 2"].map(str::to_owned).into()));
        assert_eq!(chain.back_to(2, 2), None, "another handler of it");
        assert_eq!(chain.back_to(4, 1), None);
    }

    #[test]
    fn of_a_long_chain_the_newest_links_are_kept() {
        let chain = (0..100).fold(Chain::default(), |chain, object| chain.with(link(object)));
        assert_eq!(chain.back_to(83, 1), None);
        assert_eq!(chain.back_to(84, 1).map(|names| names.len()), Some(17));
    }

    #[test]
    fn the_longest_chain_survives_the_journey() {
        let long = ChainLink { object: u64::MAX, handler: u64::MAX, name: "ü".repeat(100) };
        let chain = (0..16).fold(Chain::default(), |chain, _| chain.with(long.clone()));
        assert_eq!(Chain::decode(&chain.encode()), Some(chain));
    }

    #[test]
    fn what_is_not_a_chain_is_none() {
        for bad in [&b"\x01"[..], b"\xff\xff\xff\xff\x0f", b"\0\0", &[0; MOST_BYTES + 1]] {
            assert_eq!(Chain::decode(bad), None, "{bad:?}");
        }
    }
}
