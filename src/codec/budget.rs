//! What decoding one message may cost.
//!
//! A deserializer recurses as deep as its input says and reads as many elements as it claims; neither costs the sender anything. So every
//! deserializer is wrapped in [`Budgeted`], which counts levels on every path that recurses and elements of every kind, empty ones too,
//! and passes no claimed length on. See the Cap'n Proto advisory CVE-2015-2312 for what happens otherwise.

use std::cell::Cell;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use crate::codec::error::DecodeError;

/// Elements that memory is taken for on the word of the sender.
const MAX_HINT: usize = 1_024;

/// What decoding one message may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Levels of nesting.
    pub depth: u16,
    /// Elements, all levels together.
    pub elements: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { depth: 64, elements: 1024 * 1024 }
    }
}

/// Counts what one message has cost so far.
#[derive(Debug)]
pub struct Meter {
    budget: Budget,
    depth: Cell<u16>,
    elements: Cell<u32>,
    exceeded: Cell<Option<Exceeded>>,
}

#[derive(Clone, Copy, Debug)]
enum Exceeded {
    Depth,
    Elements,
}

impl Meter {
    /// Nothing has been spent yet.
    pub fn new(budget: &Budget) -> Meter {
        Meter { budget: *budget, depth: Cell::new(budget.depth), elements: Cell::new(budget.elements), exceeded: Cell::new(None) }
    }

    /// Which limit was hit, if one was.
    pub fn exceeded(&self) -> Option<DecodeError> {
        Some(match self.exceeded.get()? {
            Exceeded::Depth => DecodeError::TooDeep { limit: self.budget.depth },
            Exceeded::Elements => DecodeError::TooManyElements { limit: self.budget.elements },
        })
    }

    #[inline]
    fn descend<E: serde::de::Error>(&self) -> Result<Level<'_>, E> {
        match self.depth.get().checked_sub(1) {
            Some(left) => {
                self.depth.set(left);
                Ok(Level(self))
            }
            None => {
                self.exceeded.set(Some(Exceeded::Depth));
                Err(E::custom("nested too deep"))
            }
        }
    }

    #[inline]
    fn spend<E: serde::de::Error>(&self) -> Result<(), E> {
        match self.elements.get().checked_sub(1) {
            Some(left) => {
                self.elements.set(left);
                Ok(())
            }
            None => {
                self.exceeded.set(Some(Exceeded::Elements));
                Err(E::custom("too many elements"))
            }
        }
    }
}

/// One level down; dropped, it is one up again.
struct Level<'m>(&'m Meter);

impl Drop for Level<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.depth.set(self.0.depth.get() + 1);
    }
}

/// Anything of serde's, within a budget.
pub struct Budgeted<'m, T> {
    inner: T,
    meter: &'m Meter,
}

impl<'m, T> Budgeted<'m, T> {
    /// `inner`, counted by `meter`.
    #[inline]
    pub fn new(inner: T, meter: &'m Meter) -> Self {
        Budgeted { inner, meter }
    }
}

macro_rules! pass {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(Budgeted::new(visitor, self.meter))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Budgeted<'_, D> {
    type Error = D::Error;

    pass! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option
        deserialize_unit deserialize_seq deserialize_map deserialize_identifier deserialize_ignored_any
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, Budgeted::new(visitor, self.meter))
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_newtype_struct(name, Budgeted::new(visitor, self.meter))
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple(len, Budgeted::new(visitor, self.meter))
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple_struct(name, len, Budgeted::new(visitor, self.meter))
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_struct(name, fields, Budgeted::new(visitor, self.meter))
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, Budgeted::new(visitor, self.meter))
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! scalar {
    ($($method:ident $type:ty;)*) => {$(
        #[inline]
        fn $method<E: serde::de::Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Budgeted<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.expecting(f)
    }

    scalar! {
        visit_bool bool; visit_i8 i8; visit_i16 i16; visit_i32 i32; visit_i64 i64; visit_i128 i128;
        visit_u8 u8; visit_u16 u16; visit_u32 u32; visit_u64 u64; visit_u128 u128; visit_f32 f32; visit_f64 f64;
        visit_char char; visit_str &str; visit_borrowed_str &'de str; visit_string String;
        visit_bytes &[u8]; visit_borrowed_bytes &'de [u8]; visit_byte_buf Vec<u8>;
    }

    #[inline]
    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let _level = self.meter.descend::<D::Error>()?;
        self.inner.visit_some(Budgeted::new(deserializer, self.meter))
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let _level = self.meter.descend::<D::Error>()?;
        self.inner.visit_newtype_struct(Budgeted::new(deserializer, self.meter))
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let _level = self.meter.descend::<A::Error>()?;
        self.inner.visit_seq(Budgeted::new(access, self.meter))
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let _level = self.meter.descend::<A::Error>()?;
        self.inner.visit_map(Budgeted::new(access, self.meter))
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let _level = self.meter.descend::<A::Error>()?;
        self.inner.visit_enum(Budgeted::new(access, self.meter))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Budgeted<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.meter.spend::<A::Error>()?;
        self.inner.next_element_seed(Budgeted::new(seed, self.meter))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|hint| hint.min(MAX_HINT))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Budgeted<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.meter.spend::<A::Error>()?;
        self.inner.next_key_seed(Budgeted::new(seed, self.meter))
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.next_value_seed(Budgeted::new(seed, self.meter))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|hint| hint.min(MAX_HINT))
    }
}

impl<'de, 'm, A: EnumAccess<'de>> EnumAccess<'de> for Budgeted<'m, A> {
    type Error = A::Error;
    type Variant = Budgeted<'m, A::Variant>;

    #[inline]
    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self::Variant), A::Error> {
        self.meter.spend::<A::Error>()?;
        let (value, variant) = self.inner.variant_seed(Budgeted::new(seed, self.meter))?;
        Ok((value, Budgeted::new(variant, self.meter)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Budgeted<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        let _level = self.meter.descend::<A::Error>()?;
        self.inner.newtype_variant_seed(Budgeted::new(seed, self.meter))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, Budgeted::new(visitor, self.meter))
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, Budgeted::new(visitor, self.meter))
    }
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Budgeted<'_, T> {
    type Value = T::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        self.inner.deserialize(Budgeted::new(deserializer, self.meter))
    }
}
