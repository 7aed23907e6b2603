//! The W3C `traceparent` that a call carries, so that traces of other systems go through this one.

/// The most that a later version of it may have, bytes; the one of today has 55.
const MOST: usize = 256;

/// A `traceparent` as the W3C's *Trace Context* spells it: version, trace id, parent id and flags in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceParent(String);

impl TraceParent {
    /// Reads one; `None` if it is not spelled as it should be. A later version may have more behind the flags.
    pub fn parse(text: &[u8]) -> Option<TraceParent> {
        let hex = |part: &[u8]| part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let zero = |part: &[u8]| part.iter().all(|byte| *byte == b'0');
        let (head, rest) = text.split_at_checked(55)?;
        let (version, trace, parent, flags) = (&head[..2], &head[3..35], &head[36..52], &head[53..]);
        let spelled =
            [version, trace, parent, flags].into_iter().all(hex) && [2, 35, 52].iter().all(|at| head[*at] == b'-');
        let more = rest.is_empty() || (version != b"00" && rest[0] == b'-' && text.len() <= MOST);
        let fits = spelled && more && version != b"ff" && !zero(trace) && !zero(parent);
        fits.then(|| std::str::from_utf8(text).ok().map(|text| TraceParent(text.to_owned())))?
    }

    /// As it is spelled.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_the_standard_says_is_read() {
        for good in [GOOD.to_owned(), GOOD.replace("00-4", "cc-4"), GOOD.replace("00-4", "cc-4") + "-what-comes-later"]
        {
            assert_eq!(TraceParent::parse(good.as_bytes()).unwrap().as_str(), good);
        }
    }

    #[test]
    fn anything_else_is_not() {
        let bad = [
            String::new(),
            GOOD[..54].to_owned(),
            GOOD.to_owned() + "-more",
            GOOD.replace("00-4", "ff-4"),
            GOOD.replace("00-4", "0x-4"),
            GOOD.replace("4bf9", "4BF9"),
            GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            GOOD.replace('-', "_"),
            GOOD.replace("00-4", "cc-4") + "more",
            GOOD.replace("00-4", "cc-4") + "-" + &"x".repeat(256),
        ];
        for bad in bad {
            assert_eq!(TraceParent::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(TraceParent::parse(&[GOOD.replace("00-4", "cc-4").as_bytes(), b"-\xff"].concat()), None);
    }
}
