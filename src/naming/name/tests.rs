use proptest::prelude::*;

use super::*;
use crate::uri::{NameText, Uri};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn problem(text: &str) -> NameProblem {
    text.parse::<Name>().unwrap_err().problem
}

#[test]
fn relative_names_start_in_the_default_group() {
    for (text, group, absolute) in [
        ("alice", ":", ":alice"),
        ("alice", ":bank", ":bank.alice"),
        ("branch.alice", ":bank.north", ":bank.north.branch.alice"),
        (":alice", ":bank", ":alice"),
        (":", ":bank", ":"),
    ] {
        assert_eq!(Name::absolute(text, &name(group)).unwrap().to_string(), absolute);
    }
}

#[test]
fn a_name_knows_its_place_in_the_tree() {
    let alice = name(":bank.north.alice");
    assert_eq!(alice.last(), "alice");
    let groups: Vec<_> = std::iter::successors(alice.parent(), Name::parent).map(|group| group.to_string()).collect();
    assert_eq!(groups, [":bank.north", ":bank", ":"]);
    assert_eq!((Name::root().last(), Name::root().parent()), ("", None));
    assert_eq!(name(":bank").last(), "bank");
    for (inner, group, within) in [
        (":bank.alice", ":bank", true),
        (":bank", ":bank", true),
        (":bank", ":", true),
        (":", ":", true),
        (":", ":bank", false),
        (":bank", ":bank.alice", false),
        (":banker", ":bank", false),
        (":bank-2.alice", ":bank", false),
    ] {
        assert_eq!(name(inner).is_within(&name(group)), within, "{inner} in {group}");
    }
}

#[test]
fn only_pyro_and_below_is_reserved() {
    for (text, reserved) in
        [(":Pyro", true), ("Pyro.NameServer", true), (":Pyro2", false), (":my.Pyro", false), (":", false)]
    {
        assert_eq!(name(text).is_reserved(), reserved, "{text}");
    }
}

#[test]
fn refuses_what_is_no_name() {
    assert_eq!(problem(""), NameProblem::Empty);
    for text in [".", "a..b", ":a.", ":.a", "..", ":a.b."] {
        assert_eq!(problem(text), NameProblem::EmptyPart, "{text}");
    }
    for (text, character, position) in [
        ("::a", ':', 1),
        ("a:b", ':', 1),
        (":a/b", '/', 2),
        ("a\\b", '\\', 1),
        ("a@b", '@', 1),
        ("a b", ' ', 1),
        ("a\u{a0}b", '\u{a0}', 1),
        (":ab\0", '\0', 3),
        ("a\u{202e}b", '\u{202e}', 1),
        ("a\u{200b}b", '\u{200b}', 1),
        ("e\u{301}", '\u{301}', 1),
    ] {
        assert_eq!(problem(text), NameProblem::Character { character, position }, "{text:?}");
    }
    assert_eq!(name(":b\u{fc}cher.\u{540d}").last(), "\u{540d}");
}

#[test]
fn limits_hold_for_the_absolute_name() {
    let (long, deep) = ("a".repeat(255), vec!["a"; 16].join("."));
    assert_eq!(name(&long).as_str().len(), MAX_NAME_BYTES);
    assert_eq!(problem(&"a".repeat(256)), NameProblem::TooLong { bytes: 257, limit: 256 });
    assert_eq!(name(&deep).parent().unwrap().to_string(), format!(":{}", vec!["a"; 15].join(".")));
    assert_eq!(problem(&format!(":a.{deep}")), NameProblem::TooDeep { parts: 17, limit: 16 });
    let group = name(":bank");
    let problem = |text: &str| Name::absolute(text, &group).unwrap_err().problem;
    assert_eq!(problem(&long), NameProblem::TooLong { bytes: 261, limit: 256 });
    assert_eq!(problem(&deep), NameProblem::TooDeep { parts: 17, limit: 16 });
}

#[test]
fn errors_say_how_to_write_it() {
    let error = "bank/\nalice".parse::<Name>().unwrap_err();
    assert_eq!(
        error.to_string(),
        r"`bank/\nalice` is no name: it must not have '/' (byte 4); write it like :bank.alice, a part for each group and one for the object"
    );
    assert!("x".repeat(100_000).parse::<Name>().unwrap_err().to_string().len() < 300);
}

#[test]
fn travels_as_text_and_is_checked_on_arrival() {
    assert_eq!(serde_json::to_string(&name("bank.alice")).unwrap(), r#"":bank.alice""#);
    assert_eq!(serde_json::from_str::<Name>(r#""bank.alice""#).unwrap(), name(":bank.alice"));
    assert!(serde_json::from_str::<Name>(r#""a..b""#).is_err());
}

proptest! {
    #[test]
    fn what_is_a_name_reads_the_same_and_fits_into_a_uri(text in ".{0,40}|:?[ab.é:/]{0,40}", group in ":|:a|:a\\.b") {
        if let Ok(read) = Name::absolute(&text, &name(&group)) {
            prop_assert_eq!(&name(read.as_str()), &read);
            prop_assert!(NameText::new(read.as_str()).is_ok());
            prop_assert_eq!(format!("PYRONAME://{read}").parse::<Uri>().unwrap().to_string(), format!("PYRONAME://{read}"));
            prop_assert!(read.parent().is_none_or(|parent| read.is_within(&parent) && name(parent.as_str()) == parent));
        }
    }
}
