//! How a value travels in a serializer that does not describe itself.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::value::Value;

/// A [`Value`] with its types spelled out, for postcard: there the reader must be told what comes next, so every value is preceded by
/// the number of its variant. The order of the variants is the wire form.
///
/// It nests as the value does; what bounds that is the budget of the decoder, which counts every level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Packed {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above [`i64::MAX`].
    UInt(u64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
    /// Values in order.
    List(Vec<Packed>),
    /// Keys and their values.
    Map(Vec<(Packed, Packed)>),
}

impl From<Value> for Packed {
    fn from(value: Value) -> Packed {
        match value {
            Value::Null => Packed::Null,
            Value::Bool(truth) => Packed::Bool(truth),
            Value::Int(number) => Packed::Int(number),
            Value::UInt(number) => Packed::UInt(number),
            Value::Float(number) => Packed::Float(number),
            Value::Text(text) => Packed::Text(text),
            Value::Bytes(bytes) => Packed::Bytes(bytes),
            Value::List(items) => Packed::List(items.into_iter().map(Packed::from).collect()),
            Value::Map(entries) => {
                Packed::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
            }
        }
    }
}

impl From<Packed> for Value {
    fn from(packed: Packed) -> Value {
        match packed {
            Packed::Null => Value::Null,
            Packed::Bool(truth) => Value::Bool(truth),
            Packed::Int(number) => Value::Int(number),
            Packed::UInt(number) => Value::from(number),
            Packed::Float(number) => Value::Float(number),
            Packed::Text(text) => Value::Text(text),
            Packed::Bytes(bytes) => Value::Bytes(bytes),
            Packed::List(items) => Value::List(items.into_iter().map(Value::from).collect()),
            Packed::Map(entries) => {
                Value::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
            }
        }
    }
}
