//! How much room a read finds: as much as the peer has filled lately, so that many small calls come with one system call, and a
//! connection that says little takes little memory.

use bytes::BytesMut;

/// Room that every read finds, bytes.
const LEAST: usize = 1024;
/// Room that no read finds more of, bytes: a socket rarely has more at a time.
const MOST: usize = 64 * 1024;
/// Memory is taken for so many reads at a time, unless the peer says little.
const READS: usize = 4;
/// A peer that says much less than it did is given less room after so many reads.
const PATIENCE: u8 = 64;

/// What the next read may bring.
#[derive(Debug)]
pub(crate) struct Room {
    expected: usize,
    /// Reads, one after the other, that brought much less than was expected.
    meagre: u8,
}

impl Default for Room {
    fn default() -> Self {
        Room { expected: LEAST, meagre: 0 }
    }
}

impl Room {
    /// Makes room in `input` for the next read.
    #[inline]
    pub(crate) fn make(&self, input: &mut BytesMut) {
        if input.capacity() - input.len() < self.expected {
            input.reserve(if self.expected == LEAST { LEAST } else { self.expected * READS });
        }
    }

    /// A read has brought so many bytes.
    #[inline]
    pub(crate) fn learn(&mut self, read: usize) {
        if read >= self.expected {
            self.expected = (read + 1).next_power_of_two().min(MOST);
            self.meagre = 0;
        } else if read >= self.expected / 4 || self.expected == LEAST {
            self.meagre = 0;
        } else {
            self.meagre += 1;
            if self.meagre == PATIENCE {
                self.expected /= 2;
                self.meagre = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_with_much_to_say_finds_room_for_it() {
        let mut room = Room::default();
        let mut input = BytesMut::new();
        room.make(&mut input);
        assert!((LEAST..LEAST * 2).contains(&input.capacity()), "one that is idle takes little: {}", input.capacity());
        room.learn(7_000);
        room.make(&mut input);
        assert!(input.capacity() >= 7_001);
        room.learn(10_000_000);
        assert_eq!(room.expected, MOST);
    }

    #[test]
    fn room_that_is_not_used_is_given_up_by_and_by() {
        let mut room = Room::default();
        room.learn(60_000);
        for _ in 0..u32::from(PATIENCE) * 16 {
            room.learn(100);
        }
        assert_eq!(room.expected, LEAST);
        room.learn(MOST - 1);
        for _ in 0..10_000 {
            room.learn(MOST / 4);
        }
        assert_eq!(room.expected, MOST, "a quarter of it is used");
    }
}
