//! A message out of arguments.

use std::fmt::{self, Display};

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Expected, MapAccess, SeqAccess, Unexpected, Visitor};

use crate::codec::args::{Args, ArgsError};
use crate::codec::value::{Problem, Reader, Value, clipped, miscounted, mismatch};

/// Puts a message together.
pub(super) struct MessageReader<'a>(pub(super) &'a Args);

/// An [`ArgsError`] whose method is not filled in yet: serde reports missing fields without saying of what.
#[derive(Debug)]
pub(super) struct Misfit(ArgsError);

impl Misfit {
    /// The error, now that the method is known.
    pub(super) fn of(self, name: &str) -> ArgsError {
        let Misfit(mut error) = self;
        match &mut error {
            ArgsError::MissingArgument { method, .. }
            | ArgsError::Surplus { method, .. }
            | ArgsError::Unknown { method, .. }
            | ArgsError::Duplicate { method, .. }
            | ArgsError::WrongType { method, .. }
            | ArgsError::Other { method, .. } => name.clone_into(method),
        }
        error
    }

    fn missing(field: impl Into<String>) -> Misfit {
        Misfit(ArgsError::MissingArgument { method: String::new(), field: field.into() })
    }

    fn surplus(given: usize, takes: Vec<String>) -> Misfit {
        Misfit(ArgsError::Surplus { method: String::new(), given, takes })
    }

    fn unknown(name: &str, takes: Vec<String>) -> Misfit {
        Misfit(ArgsError::Unknown { method: String::new(), name: clipped(name), takes })
    }

    fn duplicate(name: &str) -> Misfit {
        Misfit(ArgsError::Duplicate { method: String::new(), name: name.to_owned() })
    }

    fn wrong_type(field: impl Into<String>, Problem(problem): Problem) -> Misfit {
        Misfit(ArgsError::WrongType { method: String::new(), field: field.into(), problem })
    }

    fn other(problem: String) -> Misfit {
        Misfit(ArgsError::Other { method: String::new(), problem })
    }
}

impl Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Misfit {}

impl serde::de::Error for Misfit {
    fn custom<T: Display>(problem: T) -> Misfit {
        Misfit::other(problem.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Misfit {
        Misfit::other(mismatch(found, expected))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Misfit {
        Misfit::other(mismatch(found, expected))
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Misfit {
        Misfit::other(miscounted(found, expected))
    }

    fn unknown_field(name: &str, takes: &'static [&'static str]) -> Misfit {
        Misfit::unknown(name, owned(takes))
    }

    fn missing_field(field: &'static str) -> Misfit {
        Misfit::missing(field)
    }

    fn duplicate_field(field: &'static str) -> Misfit {
        Misfit::duplicate(field)
    }
}

fn owned(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| (*field).to_owned()).collect()
}

/// What an argument without a name is called in errors.
fn number(at: usize) -> String {
    format!("#{}", at + 1)
}

impl<'a> MessageReader<'a> {
    /// The arguments of a method that takes `count`, and none by name.
    fn unnamed(&self, count: usize) -> Result<&'a [Value], Misfit> {
        let takes = || (0..count).map(number).collect();
        let Args { positional, named } = self.0;
        if let Some((name, _)) = named.first() {
            return Err(Misfit::unknown(name, takes()));
        }
        if positional.len() > count {
            return Err(Misfit::surplus(positional.len(), takes()));
        }
        if positional.len() < count {
            return Err(Misfit::missing(number(positional.len())));
        }
        Ok(positional)
    }

    /// The only argument.
    fn only<T>(&self, read: impl FnOnce(Reader<'a>) -> Result<T, Problem>) -> Result<T, Misfit> {
        let values = self.unnamed(1)?;
        read(Reader(&values[0])).map_err(|problem| Misfit::wrong_type(number(0), problem))
    }

    fn by_name(&self) -> Fields<'a> {
        let fields: Vec<_> = self.0.named.iter().map(|(name, value)| (name.as_str(), value)).collect();
        Fields { rest: fields.into_iter(), current: None }
    }
}

macro_rules! only {
    ($($method:ident),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            self.only(|value| value.$method(visitor))
        }
    )*};
}

impl<'de> Deserializer<'de> for MessageReader<'de> {
    type Error = Misfit;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let Args { positional, named } = self.0;
        if positional.len() > fields.len() {
            return Err(Misfit::surplus(positional.len(), owned(fields)));
        }
        let mut given: Vec<(&str, &Value)> = fields.iter().copied().zip(positional).collect();
        for (name, value) in named {
            if !fields.contains(&name.as_str()) {
                return Err(Misfit::unknown(name, owned(fields)));
            }
            if given.iter().any(|(earlier, _)| earlier == name) {
                return Err(Misfit::duplicate(name));
            }
            given.push((name, value));
        }
        visitor.visit_map(Fields { rest: given.into_iter(), current: None })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_seq(Places { values: self.unnamed(len)?, next: 0 })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        self.only(|value| visitor.visit_newtype_struct(value))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.unnamed(0)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.0.is_empty() { visitor.visit_none() } else { self.only(|value| value.deserialize_option(visitor)) }
    }

    // A struct with flattened fields asks for a map: its field names are not known here, so the names given are taken as they are.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.0.positional.is_empty() {
            visitor.visit_map(self.by_name())
        } else {
            self.only(|value| value.deserialize_map(visitor))
        }
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.0.positional.is_empty() && !self.0.named.is_empty() {
            visitor.visit_map(self.by_name())
        } else {
            self.only(|value| value.deserialize_any(visitor))
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.only(|value| value.deserialize_tuple(len, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.only(|value| value.deserialize_enum(name, variants, visitor))
    }

    only! {
        deserialize_bool, deserialize_i8, deserialize_i16, deserialize_i32, deserialize_i64, deserialize_i128,
        deserialize_u8, deserialize_u16, deserialize_u32, deserialize_u64, deserialize_u128, deserialize_f32,
        deserialize_f64, deserialize_char, deserialize_str, deserialize_string, deserialize_bytes,
        deserialize_byte_buf, deserialize_seq, deserialize_identifier, deserialize_ignored_any,
    }
}

/// Arguments on their way into fields.
struct Fields<'a> {
    rest: std::vec::IntoIter<(&'a str, &'a Value)>,
    current: Option<(&'a str, &'a Value)>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        self.current = self.rest.next();
        self.current.map(|(name, _)| seed.deserialize(BorrowedStrDeserializer::new(name))).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Misfit> {
        let Some((name, value)) = self.current.take() else {
            return Err(Misfit::other("an argument's value was read before its name".to_owned()));
        };
        seed.deserialize(Reader(value)).map_err(|problem| Misfit::wrong_type(name, problem))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// Arguments on their way into the places of a tuple.
struct Places<'a> {
    values: &'a [Value],
    next: usize,
}

impl<'de> SeqAccess<'de> for Places<'de> {
    type Error = Misfit;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Misfit> {
        let Some(value) = self.values.get(self.next) else { return Ok(None) };
        let at = self.next;
        self.next += 1;
        seed.deserialize(Reader(value)).map(Some).map_err(|problem| Misfit::wrong_type(number(at), problem))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.values.len() - self.next)
    }
}
