//! Visitors within a budget.

use std::fmt;

use serde::de::{Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

use crate::codec::budget::Budgeted;
use crate::codec::budget::access::Parts;

/// A visitor within a budget.
pub(super) struct Metered<'m, V> {
    visitor: Budgeted<'m, V>,
    of: Of,
}

/// What a visitor visits.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Of {
    /// Whatever comes.
    Any,
    /// A tuple or a struct: the type says how long it is, not the sender.
    Fixed,
    /// The same as the content of a variant, which has been counted as a level.
    Content,
    /// A [`Value`](crate::codec::Value) as an enum, which is no level: its lists and maps are, as they are where it describes itself.
    Value,
}

impl<'m, V> Metered<'m, V> {
    #[inline]
    pub(super) fn new(visitor: Budgeted<'m, V>, of: Of) -> Self {
        Metered { visitor, of }
    }

    /// What is visited one level down.
    #[inline]
    fn down<T, E: Error>(&self, inner: T) -> Result<Budgeted<'m, T>, E> {
        let Budgeted { meter, depth, .. } = self.visitor;
        let depth = if let Of::Any | Of::Fixed = self.of { meter.descend(depth)? } else { depth };
        Ok(Budgeted { inner, meter, depth })
    }
}

macro_rules! scalar {
    ($($method:ident $type:ty;)*) => {$(
        #[inline]
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.visitor.inner.$method(value)
        }
    )*};
}

macro_rules! sized {
    ($($method:ident $type:ty;)*) => {$(
        #[inline]
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.visitor.meter.memory::<E>(value.len())?;
            self.visitor.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Metered<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.inner.expecting(f)
    }

    scalar! {
        visit_bool bool; visit_i8 i8; visit_i16 i16; visit_i32 i32; visit_i64 i64; visit_i128 i128;
        visit_u8 u8; visit_u16 u16; visit_u32 u32; visit_u64 u64; visit_u128 u128; visit_f32 f32; visit_f64 f64;
        visit_char char;
    }

    sized! {
        visit_str &str; visit_borrowed_str &'de str; visit_string String;
        visit_bytes &[u8]; visit_borrowed_bytes &'de [u8]; visit_byte_buf Vec<u8>;
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.inner.visit_none()
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.inner.visit_unit()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.down::<_, D::Error>(deserializer)?;
        self.visitor.inner.visit_some(deserializer)
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.down::<_, D::Error>(deserializer)?;
        self.visitor.inner.visit_newtype_struct(deserializer)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let fixed = self.of != Of::Any;
        if !fixed {
            self.visitor.meter.claim::<A::Error>(access.size_hint())?;
        }
        let access = self.down::<_, A::Error>(access)?;
        self.visitor.inner.visit_seq(Parts { access, fixed })
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.visitor.meter.claim::<A::Error>(access.size_hint())?;
        let access = self.down::<_, A::Error>(access)?;
        self.visitor.inner.visit_map(Parts { access, fixed: false })
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.down::<_, A::Error>(access)?;
        self.visitor.inner.visit_enum(access)
    }
}
