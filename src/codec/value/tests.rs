use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::*;
use crate::codec::{self, Json, MessagePack, Postcard, Serializer};

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Shape {
    Empty,
    Circle(f64),
    Line(i8, i8),
    Named { sides: u8, label: Option<char> },
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Metres(u32);

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Everything {
    truth: bool,
    small: i8,
    large: u64,
    wide: i128,
    fraction: f32,
    text: String,
    letter: char,
    blob: Bytes,
    raw: Vec<u8>,
    nothing: (),
    height: Metres,
    some: Option<u8>,
    none: Option<u8>,
    pair: (u8, String),
    shapes: Vec<Shape>,
    by_number: BTreeMap<u32, bool>,
}

fn everything() -> Everything {
    Everything {
        truth: true,
        small: -5,
        large: u64::MAX,
        wide: 7,
        fraction: 0.5,
        text: "ten \"o'clock\"\n".into(),
        letter: 'é',
        blob: Bytes::from_static(b"\x00\xff"),
        raw: vec![1, 2],
        nothing: (),
        height: Metres(3),
        some: Some(4),
        none: None,
        pair: (9, "nine".into()),
        shapes: vec![Shape::Empty, Shape::Circle(1.5), Shape::Line(-1, 1), Shape::Named { sides: 3, label: Some('t') }],
        by_number: BTreeMap::from([(1, true), (2, false)]),
    }
}

fn sample() -> Value {
    Value::from_iter([
        ("null", Value::Null),
        ("truth", Value::from(true)),
        ("int", Value::from(-3)),
        ("uint", Value::from(u64::MAX)),
        ("float", Value::from(2.5)),
        ("text", Value::from("ten")),
        ("list", Value::from_iter([Value::from(1), Value::List(Vec::new()), Value::Map(Vec::new())])),
    ])
}

#[test]
fn a_typed_value_survives_being_a_value() {
    let value = Value::from_serialize(&everything()).unwrap();
    assert_eq!(value.to::<Everything>(&Budget::default()), Ok(everything()));
}

#[test]
fn a_typed_value_survives_being_a_value_that_travelled() {
    let value = Value::from_serialize(&everything()).unwrap();
    for id in [Json::ID, MessagePack::ID] {
        let mut bytes = Vec::new();
        codec::encode(id, &value, &mut bytes).unwrap();
        let back: Value = codec::decode(id, &bytes, &Budget::default()).unwrap();
        assert_eq!(back.to::<Everything>(&Budget::default()), Ok(everything()), "{id}");
    }
}

#[test]
fn values_travel_in_what_describes_itself() {
    for id in [Json::ID, MessagePack::ID] {
        let mut bytes = Vec::new();
        codec::encode(id, &sample(), &mut bytes).unwrap();
        assert_eq!(codec::decode::<Value>(id, &bytes, &Budget::default()), Ok(sample()), "{id}");
    }
}

#[test]
fn bytes_stay_bytes_in_message_pack_and_become_a_list_in_json() {
    let blob = Value::from(vec![0_u8, 255]);
    let mut bytes = Vec::new();
    MessagePack::encode(&blob, &mut bytes).unwrap();
    assert_eq!(MessagePack::decode::<Value>(&bytes, &Budget::default()), Ok(blob.clone()));
    let mut text = Vec::new();
    Json::encode(&blob, &mut text).unwrap();
    assert_eq!(text, b"[0,255]");
    let back: Value = Json::decode(&text, &Budget::default()).unwrap();
    assert_eq!(back.to::<Bytes>(&Budget::default()), Ok(Bytes::from_static(&[0, 255])));
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Envelope {
    from: String,
    content: Value,
    copies: u8,
}

#[test]
fn values_are_part_of_messages_in_every_serializer() {
    let content = Value::List(vec![sample(), Value::Map(vec![(Value::from("a"), Value::Null)])]);
    let envelope = Envelope { from: "bob".into(), content, copies: 2 };
    for id in codec::SUPPORTED {
        let mut bytes = Vec::new();
        codec::encode(*id, &envelope, &mut bytes).unwrap();
        assert_eq!(codec::decode(*id, &bytes, &Budget::default()).as_ref(), Ok(&envelope), "{id}");
    }
    let through = Value::from_serialize(&envelope).unwrap();
    assert_eq!(through.to(&Budget::default()), Ok(envelope));
}

#[test]
fn postcard_carries_a_value_as_an_enum() {
    let encoded = |value: Value| {
        let mut bytes = Vec::new();
        Postcard::encode(&value, &mut bytes).unwrap();
        assert_eq!(Postcard::decode(&bytes, &Budget::default()), Ok(value));
        bytes
    };
    assert_eq!(encoded(Value::Null), [0]);
    assert_eq!(encoded(Value::from(-1)), [2, 1]);
    assert_eq!(encoded(Value::from("a")), [5, 1, b'a']);
    assert_eq!(encoded(Value::from(vec![9_u8])), [6, 1, 9]);
    assert_eq!(encoded(Value::List(vec![Value::from(true)])), [7, 1, 1, 1]);
    assert_eq!(encoded(Value::Map(vec![(Value::from(1), Value::Null)])), [8, 1, 2, 2, 0]);
}

#[test]
fn a_number_has_one_form_in_postcard() {
    let mut bytes = Vec::new();
    Postcard::encode(&Value::UInt(5), &mut bytes).unwrap();
    assert_eq!(bytes, [2, 10]);
    assert!(Postcard::decode::<Value>(&[3, 5], &Budget::default()).is_err());
}

#[test]
fn pyros_extensions_of_message_pack_are_values() {
    let read = |bytes: &[u8]| MessagePack::decode::<Value>(bytes, &Budget::default());
    let long = [&b"\xc7\x14\x31"[..], b"12345678901234567890"].concat();
    assert_eq!(read(&long), Ok(Value::UInt(12_345_678_901_234_567_890)));
    let longer = [&b"\xc7\x15\x31"[..], b"-12345678901234567890"].concat();
    assert_eq!(read(&longer), Ok(Value::from("-12345678901234567890")));
    let time = [&b"\xd7\x32"[..], &1.5_f64.to_le_bytes()].concat();
    assert_eq!(read(&time), Ok(Value::Float(1.5)));
    assert_eq!(read(&[&b"\xd7\x33"[..], &738_000_i64.to_le_bytes()].concat()), Ok(Value::Int(738_000)));
    assert_eq!(read(&[&b"\xd6\x33"[..], &738_000_i32.to_le_bytes()].concat()), Ok(Value::Int(738_000)));
    let complex = [&b"\xd8\x30"[..], &1.0_f64.to_le_bytes(), &2.0_f64.to_le_bytes()].concat();
    assert_eq!(read(&complex), Ok(Value::List(vec![Value::from(1.0), Value::from(2.0)])));
    for wrong in [&b"\xd4\x31x"[..], b"\xd4\x32x", b"\xd4\x01x", b"\xc7\x00\x31", b"\xc7\xff\x31x"] {
        assert!(matches!(read(wrong), Err(DecodeError::Malformed { .. })), "{wrong:?}");
    }
}

#[test]
fn equal_numbers_are_equal_values() {
    assert_eq!(Value::from(5_u64), Value::from(5_i8));
    assert_eq!(Value::from_serialize(&5_u128), Ok(Value::Int(5)));
    assert_eq!(Value::from(u64::MAX).as_i64(), None);
    assert_eq!(Value::from(-1).as_u64(), None);
    assert_eq!(Value::from(2).as_f64(), Some(2.0));
    assert!(Value::from_serialize(&u128::MAX).is_err());
    assert!(Value::from_serialize(&i128::MIN).is_err());
}

#[test]
fn what_does_not_fit_is_told_in_words() {
    let problem = |problem: Result<String, DecodeError>| match problem {
        Err(DecodeError::Malformed { problem, .. }) => problem,
        other => panic!("{other:?}"),
    };
    let wrong = |value: Value| problem(value.to::<u64>(&Budget::default()).map(|n| n.to_string()));
    assert_eq!(wrong("ten".into()), r#"expected u64, found text "ten""#);
    assert_eq!(wrong((-1).into()), "expected u64, found -1");
    assert_eq!(wrong(Value::Null), "expected u64, found null");
    assert_eq!(wrong(Value::List(Vec::new())), "expected u64, found a list");
    assert_eq!(wrong("x".repeat(1000).into()).chars().count(), 60 + r#"expected u64, found text "…""#.chars().count());
    let shape = |value: Value| problem(value.to::<Shape>(&Budget::default()).map(|s| format!("{s:?}")));
    assert_eq!(shape("Square".into()), "expected one of Empty, Circle, Line, Named, found Square");
    assert_eq!(shape("Circle".into()), r#"the variant "Circle" is missing its content"#);
    assert_eq!(shape(3.into()), "expected a variant's name, or a map from it to its content, found 3");
    assert_eq!(shape(Value::from_iter([("Empty", 3)])), r#"the variant "Empty" has no content, found a whole number"#);
}

#[test]
fn a_list_that_is_too_long_for_a_tuple_is_not_cut() {
    let three = Value::from_iter([Value::from(1), Value::from(2), Value::from(3)]);
    assert!(three.to::<(u8, u8)>(&Budget::default()).is_err());
    assert_eq!(three.to::<(u8, u8, u8)>(&Budget::default()), Ok((1, 2, 3)));
}

#[test]
fn a_value_costs_what_it_holds() {
    let budget = Budget { elements: 10, ..Budget::default() };
    let list = Value::List(vec![Value::Null; 11]);
    assert_eq!(list.to::<Value>(&budget), Err(DecodeError::TooManyElements { limit: 10 }));
}

#[test]
fn people_read_values_on_one_line() {
    let value = Value::List(vec![sample(), Value::from(vec![b'a', 0]), Value::from("a\n\u{1b}\""), Value::from(1.0)]);
    assert_eq!(
        value.to_string(),
        r#"[{"null":null,"truth":true,"int":-3,"uint":18446744073709551615,"float":2.5,"text":"ten","list":[1,[],{}]},b"a\x00","a\n\u{1b}\"",1.0]"#
    );
    assert_eq!(sample().get("text").and_then(Value::as_str), Some("ten"));
    assert_eq!(sample().get("none"), None);
}
