//! A call's unhappy end, as it travels: compactly in postcard, as Pyro's exception dict in serializers that describe themselves.

use std::borrow::Cow;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec::budget::Budget;
use crate::codec::error::{DecodeError, EncodeError};
use crate::codec::value::Value;
use crate::codec::{decode, encode};
use crate::wire::SerializerId;

/// Bytes of a class name.
const MAX_CLASS: usize = 256;
/// Bytes of an object's or method's name.
const MAX_NAME: usize = 1024;
/// Bytes of a message.
const MAX_MESSAGE: usize = 64 * 1024;
/// Lines of a traceback.
const MAX_LINES: usize = 128;
/// Bytes of a line.
const MAX_LINE: usize = 4 * 1024;

/// An error on its way to the caller. What is too long is cut when it is written, and again when it is read: a class after 256 bytes,
/// the names after 1 KiB, the message after 64 KiB, the traceback after 128 lines, each of them after 4 KiB.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The kind of error: the name of its type, or one that begins with `Pyroxene.`.
    pub class: String,
    /// Its text.
    pub message: String,
    /// Its data.
    pub detail: Detail,
    /// How it came about, a line each.
    pub traceback: Vec<String>,
    /// The object that raised it.
    pub object: String,
    /// The method that raised it.
    pub method: String,
}

/// The data of an error.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// There is none.
    None,
    /// Written in a serializer.
    Encoded(SerializerId, Bytes),
    /// As it came in a serializer that describes itself.
    Value(Value),
}

impl Detail {
    /// The error that this is the data of.
    ///
    /// # Errors
    /// There is no data, it is not such an error, or it costs more than the budget.
    pub fn decode<E: DeserializeOwned>(&self, budget: &Budget) -> Result<E, DecodeError> {
        match self {
            Detail::None => Err(DecodeError::Malformed {
                kind: std::any::type_name::<E>(),
                problem: "the fault carries no data".to_owned(),
            }),
            Detail::Encoded(id, bytes) => decode(*id, bytes, budget),
            Detail::Value(value) => value.to(budget),
        }
    }
}

impl Fault {
    /// Appends the fault in serializer `id`.
    ///
    /// # Errors
    /// The serializer is not known, or cannot write the data; nothing is appended then.
    pub fn encode(&self, id: SerializerId, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if id == SerializerId::POSTCARD {
            encode(id, &Compact::from(self), out)
        } else {
            encode(id, &self.to_dict(), out)
        }
    }

    /// Reads the fault that `bytes` are in serializer `id`.
    ///
    /// # Errors
    /// The serializer is not known, the bytes are no fault, or it costs more than the budget.
    pub fn decode(id: SerializerId, bytes: &[u8], budget: &Budget) -> Result<Fault, DecodeError> {
        let mut fault = if id == SerializerId::POSTCARD {
            Fault::from(decode::<Compact<'static>>(id, bytes, budget)?)
        } else {
            Fault::from_dict(&decode(id, bytes, budget)?, budget)?
        };
        fault.truncate();
        Ok(fault)
    }

    fn truncate(&mut self) {
        let shorten = |text: &mut String, max| text.truncate(cut(text, max).len());
        shorten(&mut self.class, MAX_CLASS);
        shorten(&mut self.message, MAX_MESSAGE);
        shorten(&mut self.object, MAX_NAME);
        shorten(&mut self.method, MAX_NAME);
        self.traceback.truncate(MAX_LINES);
        self.traceback.iter_mut().for_each(|line| shorten(line, MAX_LINE));
    }

    /// Pyro's exception dict; what Pyro has no place for is among its attributes, which a Python client finds on the exception.
    fn to_dict(&self) -> Value {
        // Python's tools join the lines as they are.
        let lines = self.lines().map(|line| Value::Text(format!("{line}\n"))).collect();
        let mut attributes = vec![
            entry("_pyroTraceback", Value::List(lines)),
            entry("pyroxene_class", text(&self.class, MAX_CLASS)),
            entry("object", text(&self.object, MAX_NAME)),
            entry("method", text(&self.method, MAX_NAME)),
        ];
        match &self.detail {
            Detail::None => {}
            Detail::Value(value) => attributes.push(entry("detail", value.clone())),
            Detail::Encoded(id, bytes) => {
                let data =
                    vec![entry("serializer", Value::UInt(id.0.into())), entry("data", Value::Bytes(bytes.clone()))];
                attributes.push(entry("detail_encoded", Value::Map(data)));
            }
        }
        Value::Map(vec![
            entry("__class__", text(python_class(&self.class), MAX_CLASS)),
            entry("__exception__", Value::Bool(true)),
            entry("args", Value::List(vec![text(&self.message, MAX_MESSAGE)])),
            entry("attributes", Value::Map(attributes)),
        ])
    }

    /// From an exception dict, Pyro's own too.
    fn from_dict(dict: &Value, budget: &Budget) -> Result<Fault, DecodeError> {
        if !matches!(dict.get("__exception__"), Some(Value::Bool(true))) {
            return Err(malformed("`__exception__` is not true"));
        }
        let class =
            dict.get("__class__").and_then(Value::as_str).ok_or_else(|| malformed("`__class__` is not text"))?;
        let args = dict.get("args").and_then(Value::as_list).ok_or_else(|| malformed("`args` is not a list"))?;
        let attribute = |name: &str| dict.get("attributes")?.get(name);
        let attribute_text = |name: &str| attribute(name).and_then(Value::as_str);
        let detail = match (attribute("detail"), attribute("detail_encoded")) {
            (Some(value), _) => Detail::Value(value.clone()),
            (None, Some(encoded)) => encoded_detail(encoded, budget)?,
            (None, None) => Detail::None,
        };
        let lines = attribute("_pyroTraceback").and_then(Value::as_list).into_iter().flatten();
        let lines = lines.filter_map(Value::as_str).take(MAX_LINES);
        Ok(Fault {
            class: attribute_text("pyroxene_class").unwrap_or(class).to_owned(),
            message: args.iter().map(argument_text).collect::<Vec<_>>().join(", "),
            detail,
            traceback: lines.map(|line| line.strip_suffix('\n').unwrap_or(line).to_owned()).collect(),
            object: attribute_text("object").unwrap_or_default().to_owned(),
            method: attribute_text("method").unwrap_or_default().to_owned(),
        })
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.traceback.iter().take(MAX_LINES).map(|line| cut(line, MAX_LINE))
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.class, self.message)?;
        match (self.object.as_str(), self.method.as_str()) {
            ("", "") => Ok(()),
            (object, "") => write!(f, " (in {object})"),
            ("", method) => write!(f, " (in {method})"),
            (object, method) => write!(f, " (in {object}.{method})"),
        }
    }
}

impl std::error::Error for Fault {}

/// A fault in postcard. The order of the fields is part of the wire.
#[derive(Serialize, Deserialize)]
struct Compact<'a> {
    class: Cow<'a, str>,
    message: Cow<'a, str>,
    detail: CompactDetail,
    traceback: Vec<Cow<'a, str>>,
    object: Cow<'a, str>,
    method: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
enum CompactDetail {
    None,
    Encoded(SerializerId, Bytes),
    Value(Value),
}

impl<'a> From<&'a Fault> for Compact<'a> {
    fn from(fault: &'a Fault) -> Self {
        Compact {
            class: cut(&fault.class, MAX_CLASS).into(),
            message: cut(&fault.message, MAX_MESSAGE).into(),
            detail: match &fault.detail {
                Detail::None => CompactDetail::None,
                Detail::Encoded(id, bytes) => CompactDetail::Encoded(*id, bytes.clone()),
                Detail::Value(value) => CompactDetail::Value(value.clone()),
            },
            traceback: fault.lines().map(Cow::Borrowed).collect(),
            object: cut(&fault.object, MAX_NAME).into(),
            method: cut(&fault.method, MAX_NAME).into(),
        }
    }
}

impl From<Compact<'_>> for Fault {
    fn from(compact: Compact<'_>) -> Self {
        Fault {
            class: compact.class.into_owned(),
            message: compact.message.into_owned(),
            detail: match compact.detail {
                CompactDetail::None => Detail::None,
                CompactDetail::Encoded(id, bytes) => Detail::Encoded(id, bytes),
                CompactDetail::Value(value) => Detail::Value(value),
            },
            traceback: compact.traceback.into_iter().map(Cow::into_owned).collect(),
            object: compact.object.into_owned(),
            method: compact.method.into_owned(),
        }
    }
}

/// The class a Python client is told. It makes an exception of a class it knows and takes any other for a broken message; among those it
/// knows are some that would end its process, so only these are passed on.
fn python_class(class: &str) -> &str {
    const PYRO: [&str; 10] = [
        "CommunicationError",
        "ConnectionClosedError",
        "DaemonError",
        "MessageTooLargeError",
        "NamingError",
        "ProtocolError",
        "PyroError",
        "SecurityError",
        "SerializeError",
        "TimeoutError",
    ];
    const BUILTIN: [&str; 16] = [
        "ArithmeticError",
        "AssertionError",
        "AttributeError",
        "EOFError",
        "Exception",
        "IndexError",
        "KeyError",
        "LookupError",
        "MemoryError",
        "NotImplementedError",
        "OverflowError",
        "RuntimeError",
        "StopIteration",
        "TypeError",
        "ValueError",
        "ZeroDivisionError",
    ];
    match class {
        "Pyroxene.WrongArguments" => "builtins.TypeError",
        "Pyroxene.NoSuchMethod" => "builtins.AttributeError",
        "Pyroxene.OutOfTime" | "Pyroxene.TimedOut" => "Pyro5.errors.TimeoutError",
        "Pyroxene.NoSuchObject" => "Pyro5.errors.DaemonError",
        known if known.strip_prefix("Pyro5.errors.").is_some_and(|name| PYRO.contains(&name)) => known,
        known if known.strip_prefix("builtins.").is_some_and(|name| BUILTIN.contains(&name)) => known,
        _ => "Pyro5.errors.PyroError",
    }
}

/// Data of another serializer than the conversation's. Its bytes may have come as a list of numbers, where the serializer has no bytes.
fn encoded_detail(encoded: &Value, budget: &Budget) -> Result<Detail, DecodeError> {
    let part = |name| encoded.get(name).ok_or_else(|| malformed("`detail_encoded` lacks `serializer` or `data`"));
    Ok(Detail::Encoded(SerializerId(part("serializer")?.to(budget)?), part("data")?.to(budget)?))
}

/// An exception's argument, as text.
fn argument_text(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    let mut json = Vec::new();
    match encode(SerializerId::JSON, value, &mut json) {
        Ok(()) => String::from_utf8_lossy(&json).into_owned(),
        Err(_) => format!("{value:?}"),
    }
}

fn entry(key: &str, value: Value) -> (Value, Value) {
    (Value::Text(key.to_owned()), value)
}

fn text(text: &str, max: usize) -> Value {
    Value::Text(cut(text, max).to_owned())
}

/// The beginning of a text, whole characters only.
fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

fn malformed(problem: &str) -> DecodeError {
    DecodeError::Malformed { kind: "fault", problem: problem.to_owned() }
}

#[cfg(test)]
mod tests;
