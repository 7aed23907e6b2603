//! A hash that is the same in every process and every version, since two ends compare it.

use std::fmt::{self, Write};

/// FNV-1a, 64 bits.
pub(crate) struct Fnv(u64);

impl Fnv {
    /// The hash of these bytes.
    pub(crate) fn of(bytes: &[u8]) -> u64 {
        let mut hash = Fnv::default();
        hash.add(bytes);
        hash.value()
    }

    /// The hash of all that was added.
    pub(crate) fn value(&self) -> u64 {
        self.0
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_others_call_by_this_name() {
        // <http://www.isthe.com/chongo/tech/comp/fnv/>
        assert_eq!(Fnv::of(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(Fnv::of(b"foobar"), 0x8594_4171_f739_67e8);
        let mut hash = Fnv::default();
        hash.write_str("foo").unwrap();
        hash.write_str("bar").unwrap();
        assert_eq!(hash.value(), Fnv::of(b"foobar"));
    }
}
