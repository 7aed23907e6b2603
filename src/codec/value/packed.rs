//! How a value travels in a serializer that does not describe itself.

use std::fmt;

use bytes::Bytes;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::value::{TRUSTED, Value};

/// What the enum that a value is there is called: see [`Budgeted`](crate::codec::budget::Budgeted), to which it is no level of nesting.
pub(crate) const NAME: &str = "pyroxene::Value";

/// A value with its types spelled out, since the reader must be told what comes next. The order of the variants is the wire form.
#[derive(Deserialize)]
#[serde(rename = "pyroxene::Value")]
enum Packed {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(String),
    Bytes(Bytes),
    List(Vec<Value>),
    Map(Entries),
}

pub(super) fn serialize<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Value::Null => serializer.serialize_unit_variant(NAME, 0, "Null"),
        Value::Bool(truth) => serializer.serialize_newtype_variant(NAME, 1, "Bool", truth),
        Value::Int(number) => serializer.serialize_newtype_variant(NAME, 2, "Int", number),
        // Whoever made it: a number has one form.
        Value::UInt(number) => match i64::try_from(*number) {
            Ok(number) => serializer.serialize_newtype_variant(NAME, 2, "Int", &number),
            Err(_) => serializer.serialize_newtype_variant(NAME, 3, "UInt", number),
        },
        Value::Float(number) => serializer.serialize_newtype_variant(NAME, 4, "Float", number),
        Value::Text(text) => serializer.serialize_newtype_variant(NAME, 5, "Text", text),
        Value::Bytes(bytes) => serializer.serialize_newtype_variant(NAME, 6, "Bytes", bytes),
        Value::List(items) => serializer.serialize_newtype_variant(NAME, 7, "List", items),
        Value::Map(entries) => serializer.serialize_newtype_variant(NAME, 8, "Map", &BorrowedEntries(entries)),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Ok(match Packed::deserialize(deserializer)? {
        Packed::Null => Value::Null,
        Packed::Bool(truth) => Value::Bool(truth),
        Packed::Int(number) => Value::Int(number),
        Packed::UInt(number) if i64::try_from(number).is_ok() => {
            return Err(D::Error::custom("a whole number that fits into 63 bits is written as an Int"));
        }
        Packed::UInt(number) => Value::UInt(number),
        Packed::Float(number) => Value::Float(number),
        Packed::Text(text) => Value::Text(text),
        Packed::Bytes(bytes) => Value::Bytes(bytes),
        Packed::List(items) => Value::List(items),
        Packed::Map(Entries(entries)) => Value::Map(entries),
    })
}

/// The entries of a map, which are written as a map's.
struct Entries(Vec<(Value, Value)>);

pub(super) struct BorrowedEntries<'a>(pub(super) &'a [(Value, Value)]);

impl Serialize for BorrowedEntries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::with_capacity(map.size_hint().unwrap_or(0).min(TRUSTED));
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}
