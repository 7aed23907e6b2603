//! What decoding one message may cost.
//!
//! A deserializer recurses as deep as its input says and reads as many elements as it claims; neither costs the sender anything. So every
//! deserializer is wrapped in [`Budgeted`], which counts levels on every path that recurses, elements of every kind, empty ones too, and
//! the memory they take, and passes no claimed length on. See the Cap'n Proto advisory CVE-2015-2312 for what happens otherwise.
//!
//! It is on the path of every call, so the levels left travel by value, and what is counted is a cell away.

mod access;
mod visitor;

#[cfg(test)]
mod tests;

use std::cell::Cell;

use serde::de::{Deserializer, Error, Visitor};

use crate::codec::budget::visitor::{Metered, Of};
use crate::codec::error::DecodeError;
use crate::codec::value;
use crate::wire::Limits;

/// Elements that memory is taken for on the word of the sender.
const MAX_HINT: usize = 1_024;
/// An element is counted in so many parts. One of a single byte costs one part, since it takes as much of the message as of memory; any
/// other costs all of them.
const PARTS: u64 = 16;

/// What decoding one message may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Levels of nesting: every list, map, struct, tuple, option, newtype and enum is one.
    pub depth: u16,
    /// Elements of lists and entries of maps, all levels together. Sixteen elements of one byte count as one.
    pub elements: u32,
    /// Bytes that the elements, texts and bytes take in memory. What holds them is not counted; it is a small multiple at most.
    pub bytes: usize,
}

impl Budget {
    /// What a message of a peer may cost: in memory sixteen times the bytes it may have, and what a small one needs.
    ///
    /// ```
    /// use pyroxene::codec::budget::Budget;
    /// use pyroxene::wire::Limits;
    ///
    /// let budget = Budget::within(&Limits { max_message: 1024 * 1024, ..Limits::default() });
    /// assert_eq!(budget.bytes, 16 * 1024 * 1024 + 64 * 1024);
    /// ```
    #[inline]
    pub fn within(limits: &Limits) -> Budget {
        let bytes = (limits.max_message as usize).saturating_mul(16).saturating_add(64 * 1024);
        Budget { depth: limits.max_depth, elements: limits.max_elements, bytes }
    }
}

impl Default for Budget {
    /// That of the limits that hold unless others are given.
    fn default() -> Self {
        Budget::within(&Limits::default())
    }
}

/// Counts what one message has cost so far.
#[derive(Debug)]
pub struct Meter {
    budget: Budget,
    parts: Cell<u64>,
    bytes: Cell<usize>,
    exceeded: Cell<Option<Exceeded>>,
}

#[derive(Clone, Copy, Debug)]
enum Exceeded {
    Depth,
    Elements,
    Bytes,
}

impl Meter {
    /// Nothing has been spent yet.
    #[inline]
    pub fn new(budget: &Budget) -> Meter {
        Meter {
            budget: *budget,
            parts: Cell::new(u64::from(budget.elements) * PARTS),
            bytes: Cell::new(budget.bytes),
            exceeded: Cell::new(None),
        }
    }

    /// Which limit was hit, if one was.
    pub fn exceeded(&self) -> Option<DecodeError> {
        let Budget { depth, elements, bytes } = self.budget;
        Some(match self.exceeded.get()? {
            Exceeded::Depth => DecodeError::TooDeep { limit: depth },
            Exceeded::Elements => DecodeError::TooManyElements { limit: elements },
            Exceeded::Bytes => DecodeError::TooLarge { limit: bytes },
        })
    }

    /// One level down: the levels left below it.
    #[inline]
    fn descend<E: Error>(&self, depth: u16) -> Result<u16, E> {
        match depth.checked_sub(1) {
            Some(left) => Ok(left),
            None => Err(self.stop(Exceeded::Depth)),
        }
    }

    /// An element that is a `T`.
    #[inline]
    fn element<T, E: Error>(&self) -> Result<(), E> {
        let cost = const { if size_of::<T>() == 1 { 1 } else { PARTS } };
        match self.parts.get().checked_sub(cost) {
            Some(left) => self.parts.set(left),
            None => return Err(self.stop(Exceeded::Elements)),
        }
        self.memory(size_of::<T>())
    }

    #[inline]
    fn memory<E: Error>(&self, bytes: usize) -> Result<(), E> {
        match self.bytes.get().checked_sub(bytes) {
            Some(left) => {
                self.bytes.set(left);
                Ok(())
            }
            None => Err(self.stop(Exceeded::Bytes)),
        }
    }

    /// A claim of so many elements, which even at the least cost must be affordable.
    #[inline]
    fn claim<E: Error>(&self, elements: Option<usize>) -> Result<(), E> {
        match elements {
            Some(elements) if elements as u64 > self.parts.get() => Err(self.stop(Exceeded::Elements)),
            _ => Ok(()),
        }
    }

    #[cold]
    fn stop<E: Error>(&self, exceeded: Exceeded) -> E {
        self.exceeded.set(Some(exceeded));
        E::custom("it costs more than the budget")
    }
}

/// A deserializer, or anything else of serde's that leads to one, within a budget.
pub struct Budgeted<'m, T> {
    inner: T,
    meter: &'m Meter,
    /// Levels left.
    depth: u16,
}

impl<'m, T> Budgeted<'m, T> {
    /// `inner`, counted by `meter`.
    #[inline]
    pub fn new(inner: T, meter: &'m Meter) -> Self {
        Budgeted { inner, meter, depth: meter.budget.depth }
    }

    /// Something else at the same place.
    #[inline]
    fn with<U>(&self, inner: U) -> Budgeted<'m, U> {
        Budgeted { inner, meter: self.meter, depth: self.depth }
    }
}

macro_rules! pass {
    ($($method:ident($($name:ident: $type:ty),*) $of:expr;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = Metered::new(self.with(visitor), $of);
            self.inner.$method($($name,)* visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Budgeted<'_, D> {
    type Error = D::Error;

    pass! {
        deserialize_any() Of::Any;
        deserialize_bool() Of::Any;
        deserialize_i8() Of::Any;
        deserialize_i16() Of::Any;
        deserialize_i32() Of::Any;
        deserialize_i64() Of::Any;
        deserialize_i128() Of::Any;
        deserialize_u8() Of::Any;
        deserialize_u16() Of::Any;
        deserialize_u32() Of::Any;
        deserialize_u64() Of::Any;
        deserialize_u128() Of::Any;
        deserialize_f32() Of::Any;
        deserialize_f64() Of::Any;
        deserialize_char() Of::Any;
        deserialize_str() Of::Any;
        deserialize_string() Of::Any;
        deserialize_bytes() Of::Any;
        deserialize_byte_buf() Of::Any;
        deserialize_option() Of::Any;
        deserialize_unit() Of::Any;
        deserialize_unit_struct(name: &'static str) Of::Any;
        deserialize_newtype_struct(name: &'static str) Of::Any;
        deserialize_seq() Of::Any;
        deserialize_tuple(len: usize) Of::Fixed;
        deserialize_tuple_struct(name: &'static str, len: usize) Of::Fixed;
        deserialize_map() Of::Any;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) Of::Fixed;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) if name == value::NAME { Of::Value } else { Of::Any };
        deserialize_identifier() Of::Any;
        deserialize_ignored_any() Of::Any;
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}
