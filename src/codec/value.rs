//! A value whose type nobody declared: what is said to, and heard from, an object known only by name.

mod convert;
mod de;
mod extension;
mod packed;
mod ser;
#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::budget::{Budget, Budgeted, Meter};
use crate::codec::error::{DecodeError, EncodeError};

pub(crate) use de::{Problem, Reader, clipped, miscounted, mismatch};
pub(crate) use packed::NAME;
pub(crate) use ser::Writer;

/// As much room as is made on the word of a length, in elements.
const TRUSTED: usize = 256;

/// Any value that can travel.
///
/// It can be part of any message, in every serializer. One that describes itself (serde's word is human-readable, which the MessagePack
/// of this module is, too) carries it as it is: a list is a list, a map is a map. In any other, postcard above all, it is an enum: each
/// value is preceded by the number of its variant, since its reader must be told what comes next. JSON has no bytes and no numbers
/// beyond the finite ones: there bytes become a list of numbers, and what is not finite becomes null.
///
/// ```
/// use pyroxene::codec::{Value, budget::Budget};
///
/// let value = Value::from_serialize(&[("amount", 30)]).unwrap();
/// assert_eq!(value.to_string(), r#"[["amount",30]]"#);
/// assert_eq!(value.to::<Vec<(String, u64)>>(&Budget::default()), Ok(vec![("amount".to_owned(), 30)]));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing: `None`, `()`, a unit struct.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above [`i64::MAX`]; any other is an [`Int`](Value::Int), so that equal numbers are equal values.
    UInt(u64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
    /// Values in order.
    List(Vec<Value>),
    /// Keys and their values, in the order they came. Structs are maps with text as keys.
    Map(Vec<(Value, Value)>),
}

impl Value {
    /// The value that something would travel as: structs are maps, enums are tagged with their variant's name, newtypes vanish.
    ///
    /// # Errors
    /// It does not serialize, or holds a whole number beyond 64 bits.
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Value, EncodeError> {
        value.serialize(Writer).map_err(|problem| EncodeError::Unwritable {
            kind: std::any::type_name::<T>(),
            problem: problem.to_string(),
        })
    }

    /// Reads a typed value out of it.
    ///
    /// # Errors
    /// It is of another type, or costs more than the budget.
    pub fn to<T: DeserializeOwned>(&self, budget: &Budget) -> Result<T, DecodeError> {
        let meter = Meter::new(budget);
        T::deserialize(Budgeted::new(Reader(self), &meter)).map_err(|problem| {
            meter.exceeded().unwrap_or_else(|| DecodeError::Malformed {
                kind: std::any::type_name::<T>(),
                problem: problem.to_string(),
            })
        })
    }

    /// What sort of value it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Int(_) | Value::UInt(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// Whether it is [`Null`](Value::Null).
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The truth value it is.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The whole number it is, if that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            Value::UInt(number) => i64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The whole number it is, if that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Int(number) => u64::try_from(*number).ok(),
            Value::UInt(number) => Some(*number),
            _ => None,
        }
    }

    /// The number it is, whole or not; a large whole number is rounded.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(*number as f64),
            Value::UInt(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The text it is.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes it is.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The list it is.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The map it is.
    pub fn as_map(&self) -> Option<&[(Value, Value)]> {
        match self {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// What a map has under a key of text.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.iter().find(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value)
    }
}

/// For people: one line, much like JSON, with every control character escaped.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::UInt(number) => write!(f, "{number}"),
            Value::Float(number) => write!(f, "{number:?}"),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Bytes(bytes) => write!(f, "b\"{}\"", bytes.escape_ascii()),
            Value::List(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Value::Map(entries) => {
                f.write_str("{")?;
                for (at, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key}:{value}", if at == 0 { "" } else { "," })?;
                }
                f.write_str("}")
            }
        }
    }
}
