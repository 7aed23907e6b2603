use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;
use crate::codec::Value;

#[derive(Clone, Serialize, Deserialize, Debug, PartialEq)]
enum Part {
    Empty,
    One(i64),
    Two(String, bool),
    Named { at: f64, next: Option<Box<Part>> },
}

#[derive(Clone, Serialize, Deserialize, Debug, PartialEq)]
struct Message {
    number: u64,
    letter: char,
    text: String,
    blob: Bytes,
    parts: Vec<Part>,
    table: BTreeMap<String, (i8, Option<u16>)>,
    address: IpAddr,
    value: Value,
}

fn any_part() -> impl Strategy<Value = Part> {
    let leaf = prop_oneof![
        Just(Part::Empty),
        any::<i64>().prop_map(Part::One),
        any::<(String, bool)>().prop_map(|(text, truth)| Part::Two(text, truth)),
    ];
    leaf.prop_recursive(4, 8, 1, |part| {
        (-1e9..1e9, proptest::option::of(part.prop_map(Box::new))).prop_map(|(at, next)| Part::Named { at, next })
    })
}

/// Values that every serializer has: JSON knows neither bytes nor keys other than text.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::Float),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, |value| {
        prop_oneof![
            proptest::collection::vec(value.clone(), 0..6).prop_map(Value::List),
            proptest::collection::vec((any::<String>(), value), 0..6).prop_map(Value::from_iter),
        ]
    })
}

/// What only the binary serializers have.
fn any_binary_value() -> impl Strategy<Value = Value> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::from);
    (bytes, any_value()).prop_map(|(bytes, value)| {
        let entry = |key: Value| (key, value.clone());
        Value::List(vec![bytes.clone(), Value::Map(vec![entry(bytes), entry(Value::from(7)), entry(value.clone())])])
    })
}

prop_compose! {
    fn any_message()(
        (number, letter, text) in any::<(u64, char, String)>(),
        blob in proptest::collection::vec(any::<u8>(), 0..80),
        parts in proptest::collection::vec(any_part(), 0..5),
        table in any::<BTreeMap<String, (i8, Option<u16>)>>(),
        address in any::<IpAddr>(),
        value in any_value(),
    ) -> Message {
        Message { number, letter, text, blob: blob.into(), parts, table, address, value }
    }
}

fn encoded<T: Serialize>(id: SerializerId, value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(id, value, &mut bytes).unwrap();
    bytes
}

proptest! {
    #[test]
    fn a_message_survives_every_serializer(message in any_message()) {
        for id in SUPPORTED {
            let bytes = encoded(*id, &message);
            let back = decode::<Message>(*id, &bytes, &Budget::default());
            prop_assert_eq!(back.as_ref(), Ok(&message));
            let as_value = Value::from_serialize(&message).unwrap();
            if *id != SerializerId::POSTCARD {
                // What describes itself reads back without the type, too.
                let back: Value = decode(*id, &bytes, &Budget::default()).unwrap();
                prop_assert_eq!(&back.to::<Message>(&Budget::default()).unwrap(), &message);
            }
            prop_assert_eq!(&as_value.to::<Message>(&Budget::default()).unwrap(), &message);
        }
    }

    #[test]
    fn a_binary_value_survives_the_binary_serializers(value in any_binary_value()) {
        for id in [SerializerId::POSTCARD, SerializerId::MESSAGE_PACK] {
            let back = decode(id, &encoded(id, &value), &Budget::default());
            prop_assert_eq!(back.as_ref(), Ok(&value));
        }
    }

    #[test]
    fn anything_may_come(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for id in SUPPORTED {
            let _ = decode::<Message>(*id, &bytes, &Budget::default());
            if let Ok(value) = decode::<Value>(*id, &bytes, &Budget::default()) {
                prop_assert!(decode::<Value>(*id, &encoded(*id, &value), &Budget::default()).is_ok());
            }
        }
    }

    /// A message that was cut or changed on the way is refused or is another message; nothing worse happens.
    #[test]
    fn a_damaged_message_is_no_catastrophe(message in any_message(), at in any::<prop::sample::Index>(), byte: u8) {
        for id in SUPPORTED {
            let mut bytes = encoded(*id, &message);
            let at = at.index(bytes.len());
            prop_assert!(decode::<Message>(*id, &bytes[..at], &Budget::default()).is_err());
            bytes[at] ^= byte;
            let _ = decode::<Message>(*id, &bytes, &Budget::default());
        }
    }

    /// Within the budget, a decoder takes what the plain one takes, and gives the same.
    #[test]
    fn the_budget_changes_nothing_but_the_limits(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let plain = postcard::take_from_bytes::<(u16, Vec<Part>, Option<String>)>(&bytes);
        let ours = Postcard::decode::<(u16, Vec<Part>, Option<String>)>(&bytes, &Budget::default());
        match plain {
            Ok((value, [])) => prop_assert_eq!(ours, Ok(value)),
            Ok((_, rest)) => prop_assert_eq!(ours, Err(DecodeError::Trailing { bytes: rest.len() })),
            Err(_) => prop_assert!(ours.is_err()),
        }
    }
}

#[test]
fn what_follows_a_value_is_an_error() {
    for (id, one) in
        [(SerializerId::POSTCARD, &b"\x01"[..]), (SerializerId::JSON, b"1"), (SerializerId::MESSAGE_PACK, b"\x01")]
    {
        assert_eq!(decode::<u8>(id, one, &Budget::default()), Ok(1), "{id}");
        let bytes = [one, b"xyz"].concat();
        let spaced = [one, b" \n xyz"].concat();
        assert_eq!(decode::<u8>(id, &bytes, &Budget::default()), Err(DecodeError::Trailing { bytes: 3 }), "{id}");
        let left = if id == SerializerId::JSON { 3 } else { 6 };
        assert_eq!(decode::<u8>(id, &spaced, &Budget::default()), Err(DecodeError::Trailing { bytes: left }), "{id}");
    }
    assert_eq!(Json::decode::<u8>(b" 1 \n", &Budget::default()), Ok(1));
}

#[test]
fn nothing_is_written_when_writing_fails() {
    #[derive(Serialize)]
    struct Half {
        first: &'static str,
        second: Refusing,
    }
    struct Refusing;
    impl Serialize for Refusing {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    for id in SUPPORTED {
        let mut out = b"before".to_vec();
        let error = encode(*id, &Half { first: "one", second: Refusing }, &mut out).unwrap_err();
        assert_eq!(out, b"before", "{id}");
        assert!(error.to_string().contains("Half cannot be written"), "{error}");
    }
}

#[test]
fn a_serializer_that_is_not_here_is_named() {
    let id = SerializerId(42);
    assert_eq!(encode(id, &1, &mut Vec::new()), Err(EncodeError::UnknownSerializer { id }));
    assert_eq!(decode::<u8>(id, b"", &Budget::default()), Err(DecodeError::UnknownSerializer { id }));
    assert!(decode::<u8>(SerializerId::SERPENT, b"", &Budget::default()).unwrap_err().to_string().contains("serpent"));
}

#[test]
fn postcard_says_what_is_wrong_and_where() {
    let problem = |error: DecodeError| match error {
        DecodeError::Malformed { problem, .. } => problem,
        other => panic!("{other:?}"),
    };
    let read = |bytes: &[u8]| problem(Postcard::decode::<(u8, bool, Part)>(bytes, &Budget::default()).unwrap_err());
    assert_eq!(read(&[1]), "it ends too early, at byte 1 of 1");
    assert_eq!(read(&[1, 2, 0]), "there is a truth value other than 0 and 1, at byte 2 of 3");
    assert_eq!(read(&[1, 1, 9]), "there is a value that the type does not allow, at byte 3 of 3");
}

#[test]
fn what_postcard_cannot_carry_says_why() {
    #[derive(Serialize)]
    struct Flat {
        #[serde(flatten)]
        all: BTreeMap<String, u8>,
    }
    let error = Postcard::encode(&Flat { all: BTreeMap::new() }, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("`flatten`"), "{error}");
}

#[test]
fn addresses_are_text_where_others_read_them() {
    let address: IpAddr = "127.0.0.1".parse().unwrap();
    assert_eq!(encoded(SerializerId::JSON, &address), br#""127.0.0.1""#);
    assert_eq!(encoded(SerializerId::MESSAGE_PACK, &address), b"\xa9127.0.0.1");
    assert_eq!(encoded(SerializerId::POSTCARD, &address), [0, 127, 0, 0, 1]);
}
