//! What may have been meant by a name that is not registered: [`nearest`].

use pyroxene::naming::Name;

/// The candidate that differs from `wanted` in the fewest characters of its last part: at most two and at most half of them,
/// so that what is suggested is likely to have been meant.
pub(super) fn nearest<'a>(wanted: &Name, candidates: impl Iterator<Item = &'a Name>) -> Option<&'a Name> {
    let wanted = wanted.last();
    let mut allowed = Some((wanted.chars().count() / 2).min(2));
    let mut best = None;
    for candidate in candidates {
        let Some(most) = allowed else { break };
        if let Some(edits) = (0..=most).find(|&edits| differs_by(wanted, candidate.last(), edits)) {
            best = Some(candidate);
            allowed = edits.checked_sub(1);
        }
    }
    best
}

/// Whether at most `edits` characters have to be inserted, removed or replaced to make one text the other. Linear in their
/// length for few edits.
fn differs_by(one: &str, other: &str, edits: usize) -> bool {
    let common: usize = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let (one, other) = (&one[common..], &other[common..]);
    let (rest_of_one, rest_of_other) = (after_first(one), after_first(other));
    match (edits.checked_sub(1), rest_of_one, rest_of_other) {
        (_, None, None) => true,
        (None, _, _) => false,
        (Some(edits), Some(one), None) => differs_by(one, "", edits),
        (Some(edits), None, Some(other)) => differs_by("", other, edits),
        (Some(edits), Some(short_one), Some(short_other)) => {
            differs_by(short_one, short_other, edits)
                || differs_by(short_one, other, edits)
                || differs_by(one, short_other, edits)
        }
    }
}

/// The text without its first character; `None` if it has none.
fn after_first(text: &str) -> Option<&str> {
    let mut characters = text.chars();
    characters.next().map(|_| characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggestion(wanted: &str, known: &[&str]) -> Option<String> {
        let known: Vec<Name> = known.iter().map(|name| name.parse().unwrap()).collect();
        nearest(&wanted.parse().unwrap(), known.iter()).map(|name| name.last().to_owned())
    }

    #[test]
    fn finds_the_closest_of_those_that_are_close() {
        for (wanted, meant) in [
            ("alcie", Some("alice")),
            ("alic", Some("alice")),
            ("aalice", Some("alice")),
            ("alise", Some("alice")),
            ("malice", Some("alice")),
            ("alicja", Some("alicia")),
            ("b\u{f6}b", Some("bob")),
            ("bo", Some("bob")),
            ("carol", None),
            ("x", None),
        ] {
            assert_eq!(suggestion(wanted, &["alice", "alicia", "bob"]).as_deref(), meant, "{wanted}");
        }
    }

    #[test]
    fn long_hostile_names_are_compared_quickly() {
        let (one, other) = ("ab".repeat(120), "ba".repeat(120));
        assert!(differs_by(&one, &other, 2));
        assert!(!differs_by(&one, &other.replace('b', "c"), 2));
    }
}
