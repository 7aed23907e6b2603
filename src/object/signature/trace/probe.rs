//! The deserializer that invents values.

use std::any::type_name;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::survey::{Kind, Part, Survey, Type};
use crate::object::signature::Shape;

/// What is offered where a number is wanted; not first zero, which `NonZero` refuses.
const NUMBERS: [u8; 4] = [1, 0, 10, 100];
/// What is offered where text is wanted: among it an address, an id, a date and a version.
const TEXTS: [&str; 14] = [
    "",
    "a",
    "1",
    "127.0.0.1",
    "::1",
    "127.0.0.1:1",
    "[::1]:1",
    "00000000-0000-4000-8000-000000000000",
    "2000-01-01",
    "2000-01-01T00:00:00Z",
    "00:00:00",
    "1.0.0",
    "http://a.example/",
    "PYRO:a@127.0.0.1:1",
];
/// How many bytes are offered where bytes are wanted: those of ids, digests and keys too.
const LENGTHS: [usize; 8] = [0, 1, 4, 8, 12, 16, 32, 64];
const ZEROS: [u8; 64] = [0; 64];
/// How many kinds of value are offered where anything is said to do.
const ANYTHING: usize = 5;

/// How many values there are to offer for a leaf.
pub(super) fn values(shape: &Shape) -> usize {
    match shape {
        Shape::Bool => 2,
        Shape::Int { .. } | Shape::Float { .. } => NUMBERS.len(),
        Shape::Text => TEXTS.len(),
        Shape::Bytes => LENGTHS.len(),
        Shape::Opaque(why) if why == "any" => ANYTHING,
        _ => 1,
    }
}

/// Why a value was not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the field {0:?} is missing")]
    Missing(&'static str),
    #[error("a field is there twice")]
    Duplicate,
    #[error("the value is refused")]
    Other,
}

impl serde::de::Error for Refusal {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Refusal::Other
    }

    fn missing_field(field: &'static str) -> Self {
        Refusal::Missing(field)
    }

    fn duplicate_field(_: &'static str) -> Self {
        Refusal::Duplicate
    }
}

/// Invents the value at one place of a type.
#[derive(Clone, Copy)]
pub(super) struct Probe<'s> {
    survey: &'s Survey,
    at: Option<usize>,
}

impl<'s> Probe<'s> {
    pub(super) fn new(survey: &'s Survey, at: Option<usize>) -> Probe<'s> {
        Probe { survey, at }
    }

    fn leaf(self, shape: &Shape) -> Result<usize, Refusal> {
        self.survey.step()?;
        Ok(self.survey.leaf(self.at, shape))
    }

    fn tuple<'de, V: Visitor<'de>>(
        self,
        kind: &Kind,
        of: Option<Type>,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.survey.step()?;
        // More are beyond what is noted anyway.
        let names = vec![""; len.min(1 << 16)];
        self.survey.enter(self.at, kind, of, &names, |at| {
            visitor.visit_seq(Items { survey: self.survey, items: self.survey.parts(at, len).into_iter() })
        })
    }

    fn fields<'de, V: Visitor<'de>>(
        self,
        name: &'static str,
        of: Option<Type>,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.survey.enter(self.at, &Kind::Struct(name), of, names, |at| {
            let (fields, by_name) = self.survey.fields(at, names);
            if by_name {
                visitor.visit_map(Fields { survey: self.survey, of: at, fields: fields.into_iter(), value: None })
            } else {
                let items: Vec<_> = fields.into_iter().map(|(_, node)| node).collect();
                visitor.visit_seq(Items { survey: self.survey, items: items.into_iter() })
            }
        })
    }
}

/// Deserializes the part at a node and notes what came of it.
fn part<'de, S: DeserializeSeed<'de>>(survey: &Survey, at: Option<usize>, seed: S) -> Result<S::Value, Refusal> {
    let result = seed.deserialize(Probe::new(survey, at));
    survey.judge(at, result.as_ref().err());
    result
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty, $shape:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            let value = self.leaf(&$shape)?;
            visitor.$visit(NUMBERS[value] as $type)
        }
    )*};
}

const fn int(bits: u8, signed: bool) -> Shape {
    Shape::Int { bits, signed }
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Refusal;

    numbers! {
        deserialize_u8 visit_u8 u8, int(8, false);
        deserialize_u16 visit_u16 u16, int(16, false);
        deserialize_u32 visit_u32 u32, int(32, false);
        deserialize_u64 visit_u64 u64, int(64, false);
        deserialize_u128 visit_u128 u128, int(128, false);
        deserialize_i8 visit_i8 i8, int(8, true);
        deserialize_i16 visit_i16 i16, int(16, true);
        deserialize_i32 visit_i32 i32, int(32, true);
        deserialize_i64 visit_i64 i64, int(64, true);
        deserialize_i128 visit_i128 i128, int(128, true);
        deserialize_f32 visit_f32 f32, Shape::Float { bits: 32 };
        deserialize_f64 visit_f64 f64, Shape::Float { bits: 64 };
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let value = self.leaf(&Shape::Bool)?;
        visitor.visit_bool(value == 1)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.leaf(&Shape::Char)?;
        visitor.visit_char('a')
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let value = self.leaf(&Shape::Text)?;
        visitor.visit_borrowed_str(TEXTS[value])
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let value = self.leaf(&Shape::Bytes)?;
        visitor.visit_borrowed_bytes(&ZEROS[..LENGTHS[value]])
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.leaf(&Shape::Unit)?;
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let nothing = || std::iter::empty::<Option<usize>>().collect::<Vec<_>>().into_iter();
        match self.leaf(&Shape::Opaque("any".to_owned()))? {
            0 => visitor.visit_unit(),
            1 => visitor.visit_u64(1),
            2 => visitor.visit_borrowed_str(""),
            3 => visitor.visit_seq(Items { survey: self.survey, items: nothing() }),
            _ => {
                visitor.visit_map(Fields { survey: self.survey, of: None, fields: Vec::new().into_iter(), value: None })
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.survey.enter(self.at, &Kind::Option, Some((type_name::<V>(), "")), &[""], |at| {
            match self.survey.optional(at).first() {
                Some(&(_, inner)) => {
                    let result = visitor.visit_some(Probe::new(self.survey, inner));
                    self.survey.judge(inner, result.as_ref().err());
                    result
                }
                None => visitor.visit_none(),
            }
        })
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Refusal> {
        self.leaf(&Shape::Struct { name: name.to_owned(), fields: Vec::new() })?;
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Refusal> {
        self.survey.enter(self.at, &Kind::Newtype(name), Some((type_name::<V>(), name)), &[""], |at| {
            let inner = self.survey.parts(at, 1).first().copied().flatten();
            let result = visitor.visit_newtype_struct(Probe::new(self.survey, inner));
            self.survey.judge(inner, result.as_ref().err());
            result
        })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.survey.enter(self.at, &Kind::List, Some((type_name::<V>(), "")), &[""], |at| {
            let items: Vec<_> = self.survey.optional(at).into_iter().map(|(_, node)| node).collect();
            visitor.visit_seq(Items { survey: self.survey, items: items.into_iter() })
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refusal> {
        self.tuple(&Kind::Tuple, Some((type_name::<V>(), "")), len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.tuple(&Kind::TupleStruct(name), Some((type_name::<V>(), name)), len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.survey.enter(self.at, &Kind::Map, Some((type_name::<V>(), "")), &["", ""], |at| {
            let parts = self.survey.optional(at);
            match parts.as_slice() {
                [("", key), ("", value)] => {
                    visitor.visit_map(Entry { survey: self.survey, key: Some(*key), value: *value })
                }
                _ => {
                    let (fields, _) = if at.is_some() { self.survey.fields(at, &[]) } else { (parts, true) };
                    // Without keys of its own it is a map that should be empty.
                    let fields: Vec<_> = fields.into_iter().filter(|(name, _)| !name.is_empty()).collect();
                    visitor.visit_map(Fields { survey: self.survey, of: at, fields: fields.into_iter(), value: None })
                }
            }
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.fields(name, Some((type_name::<V>(), name)), fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        let of = (type_name::<V>(), name);
        self.survey.enter(self.at, &Kind::Enum(name), Some(of), variants, |at| {
            let (index, at) = self.survey.variant(at, of, variants.len()).ok_or(Refusal::Other)?;
            let name = variants.get(index).copied().ok_or(Refusal::Other)?;
            visitor.visit_enum(Variant { survey: self.survey, name, at })
        })
    }

    /// As postcard says: it is there that both ends must agree on every byte.
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The items of a list or tuple.
struct Items<'s> {
    survey: &'s Survey,
    items: std::vec::IntoIter<Option<usize>>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refusal> {
        let Some(item) = self.items.next() else { return Ok(None) };
        part(self.survey, item, seed).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// The one entry of a map.
struct Entry<'s> {
    survey: &'s Survey,
    key: Option<Option<usize>>,
    value: Option<usize>,
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        let Some(key) = self.key.take() else { return Ok(None) };
        part(self.survey, key, seed).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refusal> {
        part(self.survey, self.value, seed)
    }
}

/// The fields of a struct, by name.
struct Fields<'s> {
    survey: &'s Survey,
    of: Option<usize>,
    fields: std::vec::IntoIter<Part>,
    value: Option<usize>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        let Some((name, value)) = self.fields.next() else { return Ok(None) };
        self.value = value;
        self.survey.show(self.of, name);
        let name: StrDeserializer<'_, Refusal> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refusal> {
        part(self.survey, self.value, seed)
    }
}

/// A variant of an enum, then what it carries.
struct Variant<'s> {
    survey: &'s Survey,
    name: &'static str,
    at: Option<usize>,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Refusal;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Refusal> {
        let name: StrDeserializer<'_, Refusal> = self.name.into_deserializer();
        match seed.deserialize(name) {
            Ok(variant) => Ok((variant, self)),
            Err(refusal) => {
                self.survey.judge(self.at, Some(&refusal));
                Err(refusal)
            }
        }
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Refusal;

    fn unit_variant(self) -> Result<(), Refusal> {
        let result = Probe::new(self.survey, self.at).leaf(&Shape::Unit).map(|_| ());
        self.survey.judge(self.at, result.as_ref().err());
        result
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refusal> {
        part(self.survey, self.at, seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refusal> {
        let result = Probe::new(self.survey, self.at).tuple(&Kind::Tuple, None, len, visitor);
        self.survey.judge(self.at, result.as_ref().err());
        result
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Refusal> {
        let result = Probe::new(self.survey, self.at).fields(self.name, None, fields, visitor);
        self.survey.judge(self.at, result.as_ref().err());
        result
    }
}
