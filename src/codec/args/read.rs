//! A message out of arguments.

use std::fmt::{self, Display};

use serde::de::value::{BorrowedStrDeserializer, U64Deserializer};
use serde::de::{DeserializeSeed, Deserializer, Expected, MapAccess, SeqAccess, Unexpected, Visitor};

use crate::codec::args::{Args, ArgsError};
use crate::codec::value::{Problem, Reader, Value, clipped, miscounted, mismatch};

/// Puts a message together.
pub(super) struct MessageReader<'a> {
    args: &'a Args,
    /// An argument that is asked for although it is not there.
    absent: Option<&'a str>,
}

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

    fn missing(field: &str, expected: &dyn Expected) -> Misfit {
        Misfit(ArgsError::MissingArgument {
            method: String::new(),
            field: field.to_owned(),
            expected: expected.to_string(),
        })
    }

    /// The same, of the argument that is now known.
    fn at(self, name: &str) -> Misfit {
        match self.0 {
            ArgsError::MissingArgument { method, field, expected } if field.is_empty() => {
                Misfit(ArgsError::MissingArgument { method, field: name.to_owned(), expected })
            }
            _ => self,
        }
    }

    /// The argument that is missing, while nobody knows what was expected.
    pub(super) fn missed(&self) -> Option<&str> {
        match &self.0 {
            ArgsError::MissingArgument { field, expected, .. } if expected.is_empty() => Some(field),
            _ => None,
        }
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self.0, ArgsError::MissingArgument { .. })
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

    fn wrong_type(field: &str, problem: Problem) -> Misfit {
        let Problem { path, text } = problem.within(field);
        Misfit(ArgsError::WrongType { method: String::new(), field: path, problem: text })
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
        Misfit::missing(field, &"")
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
    /// A reader that is told the arguments.
    pub(super) fn new(args: &'a Args) -> Self {
        MessageReader { args, absent: None }
    }

    /// A reader that finds nothing but an argument that is not there, to be told what was expected.
    pub(super) fn without(field: &'a str) -> Self {
        static NONE: Args = Args { positional: Vec::new(), named: Vec::new() };
        MessageReader { args: &NONE, absent: Some(field) }
    }

    /// The arguments of a method that takes at most `count`, and none by name.
    fn unnamed(&self, count: usize) -> Result<&'a [Value], Misfit> {
        let takes = || (0..count).map(number).collect();
        let Args { positional, named } = self.args;
        if let Some((name, _)) = named.first() {
            return Err(Misfit::unknown(name, takes()));
        }
        if positional.len() > count {
            return Err(Misfit::surplus(positional.len(), takes()));
        }
        Ok(positional)
    }

    /// The only argument.
    fn only<V: Expected, T>(
        &self,
        visitor: V,
        read: impl FnOnce(Reader<'a>, V) -> Result<T, Problem>,
    ) -> Result<T, Misfit> {
        match self.unnamed(1)? {
            [value, ..] => read(Reader(value), visitor).map_err(|problem| Misfit::wrong_type(&number(0), problem)),
            [] => Err(Misfit::missing(&number(0), &visitor)),
        }
    }

    fn by_name(&self) -> Fields<'a> {
        let given = self.args.named.iter().map(|(name, value)| Field { name, place: None, value: Some(value) });
        let absent = self.absent.map(|name| Field { name, place: None, value: None });
        Fields { rest: given.chain(absent).collect::<Vec<_>>().into_iter(), current: None, places: 0 }
    }

    /// The arguments of a method that takes `fields`.
    fn by_place_and_name(&self, fields: &[&'static str]) -> Result<Fields<'a>, Misfit> {
        let Args { positional, named } = self.args;
        if positional.len() > fields.len() {
            return Err(Misfit::surplus(positional.len(), owned(fields)));
        }
        let mut given: Vec<Field<'a>> = fields.iter().zip(positional).enumerate().map(Field::at).collect();
        for (name, value) in named {
            if !fields.contains(&name.as_str()) {
                // A newer caller has optional arguments that this method does not know yet. Not given, they are not missed.
                if value.is_null() {
                    continue;
                }
                return Err(Misfit::unknown(name, owned(fields)));
            }
            if given.iter().any(|earlier| earlier.name == name) {
                return Err(Misfit::duplicate(name));
            }
            given.push(Field { name, place: None, value: Some(value) });
        }
        given.extend(self.absent.map(|name| Field { name, place: None, value: None }));
        Ok(Fields { rest: given.into_iter(), current: None, places: positional.len() })
    }
}

macro_rules! only {
    ($($method:ident),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            self.only(visitor, |value, visitor| value.$method(visitor))
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
        visitor.visit_map(self.by_place_and_name(fields)?)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_seq(Places { values: self.unnamed(len)?, next: 0, len })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        if self.args.is_empty() {
            return visitor.visit_newtype_struct(Absent).map_err(|misfit| misfit.at(&number(0)));
        }
        self.only(visitor, |value, visitor| visitor.visit_newtype_struct(value))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.unnamed(0)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.args.is_empty() {
            return visitor.visit_none();
        }
        self.only(visitor, |value, visitor| value.deserialize_option(visitor))
    }

    // A struct with flattened fields asks for a map: its field names are not known here, so the names given are taken as they are.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.args.positional.is_empty() {
            visitor.visit_map(self.by_name())
        } else {
            self.only(visitor, |value, visitor| value.deserialize_map(visitor))
        }
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.args.positional.is_empty() && !self.args.named.is_empty() {
            visitor.visit_map(self.by_name())
        } else {
            self.only(visitor, |value, visitor| value.deserialize_any(visitor))
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.only(visitor, |value, visitor| value.deserialize_tuple(len, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.only(visitor, |value, visitor| value.deserialize_enum(name, variants, visitor))
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
    rest: std::vec::IntoIter<Field<'a>>,
    current: Option<Field<'a>>,
    /// How many are known by their places.
    places: usize,
}

#[derive(Clone, Copy)]
struct Field<'a> {
    name: &'a str,
    /// Its place, if it is known by that. Serde's list of names has the other names of a field, too, so that places in it are no places.
    place: Option<usize>,
    /// Nothing, if it is asked for only to hear what is expected.
    value: Option<&'a Value>,
}

impl<'a> Field<'a> {
    fn at((place, (name, value)): (usize, (&&'static str, &'a Value))) -> Field<'a> {
        Field { name, place: Some(place), value: Some(value) }
    }
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        self.current = self.rest.next();
        let key = self.current.map(|field| match field.place {
            Some(place) => seed.deserialize(U64Deserializer::new(place as u64)),
            None => seed.deserialize(BorrowedStrDeserializer::new(field.name)),
        });
        key.transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Misfit> {
        let Some(Field { name, place, value }) = self.current.take() else {
            return Err(Misfit::other("an argument's value was read before its name".to_owned()));
        };
        let Some(value) = value else {
            return seed.deserialize(Absent).map_err(|misfit| misfit.at(name));
        };
        // Behind the last place, serde asks for a value of no size, to pass over it.
        if let Some(place) = place
            && size_of::<S::Value>() == 0
            && !value.is_null()
        {
            return Err(Misfit::surplus(self.places, (0..place).map(number).collect()));
        }
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
    len: usize,
}

impl<'de> SeqAccess<'de> for Places<'de> {
    type Error = Misfit;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Misfit> {
        let at = self.next;
        if at == self.len {
            return Ok(None);
        }
        self.next += 1;
        let element = match self.values.get(at) {
            Some(value) => seed.deserialize(Reader(value)).map_err(|problem| Misfit::wrong_type(&number(at), problem)),
            None => seed.deserialize(Absent).map_err(|misfit| misfit.at(&number(at))),
        };
        element.map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len - self.next)
    }
}

/// An argument that is not there: nothing if that is an option, and otherwise missed.
struct Absent;

impl<'de> Deserializer<'de> for Absent {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        Err(Misfit::missing("", &visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}
