//! Arguments out of a message.

use serde::Serializer;
use serde::ser::{Serialize, SerializeMap, SerializeStruct, SerializeTupleStruct};

use crate::codec::args::Args;
use crate::codec::value::{Problem, Value, Writer};

/// Takes a message apart; what has no parts with a name or a place is one argument.
pub(super) struct MessageWriter;

fn only(value: Value) -> Args {
    Args { positional: vec![value], named: Vec::new() }
}

macro_rules! only {
    ($($method:ident: $type:ty),* $(,)?) => {$(
        fn $method(self, value: $type) -> Result<Args, Problem> {
            Writer.$method(value).map(only)
        }
    )*};
}

impl Serializer for MessageWriter {
    type Ok = Args;
    type Error = Problem;
    type SerializeSeq = Only<<Writer as Serializer>::SerializeSeq>;
    type SerializeTuple = Only<<Writer as Serializer>::SerializeTuple>;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Only<<Writer as Serializer>::SerializeTupleVariant>;
    type SerializeMap = Only<<Writer as Serializer>::SerializeMap>;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Only<<Writer as Serializer>::SerializeStructVariant>;

    only! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
        serialize_str: &str,
        serialize_bytes: &[u8],
    }

    fn serialize_none(self) -> Result<Args, Problem> {
        Writer.serialize_none().map(only)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Args, Problem> {
        Writer.serialize_some(value).map(only)
    }

    fn serialize_unit(self) -> Result<Args, Problem> {
        Ok(Args::new())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Args, Problem> {
        Ok(Args::new())
    }

    fn serialize_unit_variant(self, name: &'static str, at: u32, variant: &'static str) -> Result<Args, Problem> {
        Writer.serialize_unit_variant(name, at, variant).map(only)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Args, Problem> {
        value.serialize(Writer).map(only)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        at: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Args, Problem> {
        Writer.serialize_newtype_variant(name, at, variant, value).map(only)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, Problem> {
        Writer.serialize_seq(len).map(Only)
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, Problem> {
        Writer.serialize_tuple(len).map(Only)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts, Problem> {
        Ok(Parts(Args::new()))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        at: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, Problem> {
        Writer.serialize_tuple_variant(name, at, variant, len).map(Only)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, Problem> {
        Writer.serialize_map(len).map(Only)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, Problem> {
        Ok(Parts(Args::new()))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        at: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, Problem> {
        Writer.serialize_struct_variant(name, at, variant, len).map(Only)
    }
}

/// The fields of a struct, which are arguments.
pub(super) struct Parts(Args);

impl SerializeStruct for Parts {
    type Ok = Args;
    type Error = Problem;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Problem> {
        self.0.named.push((name.to_owned(), value.serialize(Writer)?));
        Ok(())
    }

    fn end(self) -> Result<Args, Problem> {
        Ok(self.0)
    }
}

impl SerializeTupleStruct for Parts {
    type Ok = Args;
    type Error = Problem;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Problem> {
        self.0.positional.push(value.serialize(Writer)?);
        Ok(())
    }

    fn end(self) -> Result<Args, Problem> {
        Ok(self.0)
    }
}

/// The parts of something that is one argument as a whole.
pub(super) struct Only<W>(W);

macro_rules! whole {
    ($($trait:ident::$method:ident),*) => {$(
        impl<W: serde::ser::$trait<Ok = Value, Error = Problem>> serde::ser::$trait for Only<W> {
            type Ok = Args;
            type Error = Problem;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Problem> {
                self.0.$method(value)
            }

            fn end(self) -> Result<Args, Problem> {
                self.0.end().map(only)
            }
        }
    )*};
}

whole!(SerializeSeq::serialize_element, SerializeTuple::serialize_element, SerializeTupleVariant::serialize_field);

impl<W: SerializeMap<Ok = Value, Error = Problem>> SerializeMap for Only<W> {
    type Ok = Args;
    type Error = Problem;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Problem> {
        self.0.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Problem> {
        self.0.serialize_value(value)
    }

    fn end(self) -> Result<Args, Problem> {
        self.0.end().map(only)
    }
}

impl<W: serde::ser::SerializeStructVariant<Ok = Value, Error = Problem>> serde::ser::SerializeStructVariant
    for Only<W>
{
    type Ok = Args;
    type Error = Problem;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Problem> {
        self.0.serialize_field(name, value)
    }

    fn end(self) -> Result<Args, Problem> {
        self.0.end().map(only)
    }
}
