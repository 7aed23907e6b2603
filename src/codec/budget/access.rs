//! Sequences, maps and enums within a budget.

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use crate::codec::budget::visitor::{Metered, Of};
use crate::codec::budget::{Budgeted, MAX_HINT};

/// The parts of a sequence or map within a budget.
pub(super) struct Parts<'m, A> {
    pub(super) access: Budgeted<'m, A>,
    /// The type says how many there are, not the sender: they are not counted.
    pub(super) fixed: bool,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Parts<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        let seed = self.access.with(seed);
        let element = self.access.inner.next_element_seed(seed)?;
        if !self.fixed && element.is_some() {
            self.access.meter.element::<T::Value, A::Error>()?;
        }
        Ok(element)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.access.inner.size_hint().map(|hint| hint.min(MAX_HINT))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Parts<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let seed = self.access.with(seed);
        let key = self.access.inner.next_key_seed(seed)?;
        if key.is_some() {
            self.access.meter.element::<K::Value, A::Error>()?;
        }
        Ok(key)
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let seed = self.access.with(seed);
        let value = self.access.inner.next_value_seed(seed)?;
        self.access.meter.memory::<A::Error>(size_of::<T::Value>())?;
        Ok(value)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.access.inner.size_hint().map(|hint| hint.min(MAX_HINT))
    }
}

impl<'de, 'm, A: EnumAccess<'de>> EnumAccess<'de> for Budgeted<'m, A> {
    type Error = A::Error;
    type Variant = Budgeted<'m, A::Variant>;

    #[inline]
    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self::Variant), A::Error> {
        let Budgeted { inner, meter, depth } = self;
        let (value, variant) = inner.variant_seed(Budgeted { inner: seed, meter, depth })?;
        Ok((value, Budgeted { inner: variant, meter, depth }))
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
        let seed = self.with(seed);
        self.inner.newtype_variant_seed(seed)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = Metered::new(self.with(visitor), Of::Content);
        self.inner.tuple_variant(len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = Metered::new(self.with(visitor), Of::Content);
        self.inner.struct_variant(fields, visitor)
    }
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Budgeted<'_, T> {
    type Value = T::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        let deserializer = self.with(deserializer);
        self.inner.deserialize(deserializer)
    }
}
