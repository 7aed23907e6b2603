//! What a method takes and gives, found out from the types themselves, so that two ends can compare before they exchange a byte.

mod check;
mod schema;
mod shape;
mod trace;

use std::fmt::{self, Display, Formatter, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::object::fnv::Fnv;

pub use schema::{DIALECT, Schemas};
pub use shape::Shape;

/// The structure of `T`, found out by deserializing it from a deserializer that takes notes.
///
/// It needs nothing but `Deserialize`, never panics, and ends soon whatever `T` does: nesting is followed 32 levels down and a type into
/// 4096 parts. A part that cannot be found out is [`Shape::Opaque`].
///
/// ```
/// # use pyroxene::object::signature::shape_of;
/// assert_eq!(shape_of::<(u8, Option<String>)>().to_string(), "(u8, text?)");
/// ```
pub fn shape_of<T: DeserializeOwned>() -> Shape {
    trace::trace::<T>()
}

/// What a method takes, replies and raises.
///
/// ```
/// # use pyroxene::object::signature::Signature;
/// #[derive(serde::Deserialize)]
/// struct Withdraw {
///     amount: u64,
/// }
/// # let _ = |withdraw: Withdraw| withdraw.amount;
/// let signature = Signature::of::<Withdraw, u64, ()>("withdraw", false);
/// assert_eq!(signature.to_string(), "withdraw(amount: u64) -> u64");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The method's name on the wire.
    pub method: String,
    /// The fields of its message.
    pub args: Vec<Argument>,
    /// What it replies.
    pub reply: Shape,
    /// The error it raises, if it raises any.
    pub error: Option<Shape>,
}

/// One field of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argument {
    /// Its name; its place, from `0`, where the message has no names.
    pub name: String,
    /// What is expected there.
    pub shape: Shape,
}

impl Signature {
    /// The signature of the method that takes the message `M`, replies `R` and, if it `raises` at all, raises `E`.
    pub fn of<M: DeserializeOwned, R: DeserializeOwned, E: DeserializeOwned>(method: &str, raises: bool) -> Signature {
        let named = |(name, shape)| Argument { name, shape };
        let args = match shape_of::<M>() {
            Shape::Unit => Vec::new(),
            Shape::Struct { fields, .. } => fields.into_iter().map(named).collect(),
            Shape::Tuple(items) => (0..).map(|i: usize| i.to_string()).zip(items).map(named).collect(),
            shape => vec![Argument { name: "0".to_owned(), shape }],
        };
        Signature { method: method.to_owned(), args, reply: shape_of::<R>(), error: raises.then(shape_of::<E>) }
    }

    /// A number that two ends compare to know whether they mean the same method.
    ///
    /// It is part of the wire: FNV-1a, 64 bits, over a canonical text of the method's name, the names, order and structure of its
    /// arguments, its reply and its error, with the names of all types in them. It differs when any of these does, and is the same on
    /// every platform and in every build (`usize` travels as `u64`, and counts as one).
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Fnv::default();
        // Writing to a hash cannot fail.
        let _ = self.write_canonical(&mut hash);
        hash.value()
    }

    fn write_canonical(&self, out: &mut Fnv) -> fmt::Result {
        shape::write_name(out, &self.method)?;
        write!(out, "{};", self.args.len())?;
        for arg in &self.args {
            shape::write_name(out, &arg.name)?;
            arg.shape.write_canonical(out)?;
        }
        self.reply.write_canonical(out)?;
        match &self.error {
            Some(error) => error.write_canonical(out),
            None => out.write_str("never;"),
        }
    }
}

impl Display for Signature {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.method)?;
        for (i, arg) in self.args.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{}: {}", arg.name, arg.shape)?;
        }
        f.write_str(")")?;
        if self.reply != Shape::Unit {
            write!(f, " -> {}", self.reply)?;
        }
        match &self.error {
            Some(error) => write!(f, " raises {error}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
