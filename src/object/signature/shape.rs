//! The structure of a type, to read and to compare.

use std::fmt::{self, Display, Formatter, Write};

use serde::{Deserialize, Serialize};

/// The structure of a type as serde sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// Nothing.
    Unit,
    /// A truth value.
    Bool,
    /// A whole number.
    Int {
        /// Its width.
        bits: u8,
        /// Whether it can be negative.
        signed: bool,
    },
    /// A floating-point number.
    Float {
        /// Its width.
        bits: u8,
    },
    /// One character.
    Char,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// Something or nothing.
    Option(Box<Shape>),
    /// Any number of the same.
    List(Box<Shape>),
    /// A fixed number of values.
    Tuple(Vec<Shape>),
    /// Values by key.
    Map(Box<Shape>, Box<Shape>),
    /// A struct; the fields of a tuple struct go by their places, from `0`.
    Struct {
        /// Its name; empty where the type does not tell.
        name: String,
        /// Its fields, in order.
        fields: Vec<(String, Shape)>,
    },
    /// One of several variants.
    Enum {
        /// Its name.
        name: String,
        /// Its variants, in order, each with what it carries; [`Shape::Unit`] when that is nothing.
        variants: Vec<(String, Shape)>,
    },
    /// The type of this name, inside itself.
    Recursive(String),
    /// Something whose structure cannot be found out, and why: `any` takes whatever comes, `unknown` stands behind a part that accepts
    /// only values nobody can guess, `deep` and `large` are beyond what is looked at, `panics` panicked.
    Opaque(String),
}

impl Shape {
    /// Appends a text that two different shapes never share: every name is preceded by its length, every list by its count.
    pub(super) fn write_canonical(&self, out: &mut impl Write) -> fmt::Result {
        match self {
            Shape::Unit => out.write_str("unit;"),
            Shape::Bool => out.write_str("bool;"),
            Shape::Int { bits, signed } => write!(out, "{}{bits};", if *signed { 'i' } else { 'u' }),
            Shape::Float { bits } => write!(out, "f{bits};"),
            Shape::Char => out.write_str("char;"),
            Shape::Text => out.write_str("text;"),
            Shape::Bytes => out.write_str("bytes;"),
            Shape::Option(inner) => {
                out.write_str("option;")?;
                inner.write_canonical(out)
            }
            Shape::List(item) => {
                out.write_str("list;")?;
                item.write_canonical(out)
            }
            Shape::Tuple(items) => {
                write!(out, "tuple;{};", items.len())?;
                items.iter().try_for_each(|item| item.write_canonical(out))
            }
            Shape::Map(key, value) => {
                out.write_str("map;")?;
                key.write_canonical(out)?;
                value.write_canonical(out)
            }
            Shape::Struct { name, fields } => write_members(out, "struct;", name, fields),
            Shape::Enum { name, variants } => write_members(out, "enum;", name, variants),
            Shape::Recursive(name) => {
                out.write_str("recursive;")?;
                write_name(out, name)
            }
            Shape::Opaque(why) => {
                out.write_str("opaque;")?;
                write_name(out, why)
            }
        }
    }
}

/// Appends a name so that it cannot run into what follows it.
pub(super) fn write_name(out: &mut impl Write, name: &str) -> fmt::Result {
    write!(out, "{}:{name}", name.len())
}

fn write_members(out: &mut impl Write, kind: &str, name: &str, members: &[(String, Shape)]) -> fmt::Result {
    out.write_str(kind)?;
    write_name(out, name)?;
    write!(out, "{};", members.len())?;
    for (name, shape) in members {
        write_name(out, name)?;
        shape.write_canonical(out)?;
    }
    Ok(())
}

/// For people: `u64`, `text`, `[T]`, `{K: V}`, `T?`, `(A, B)`, `Name { field: T }`, `Name (A | B(T))`.
impl Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Unit => f.write_str("()"),
            Shape::Bool => f.write_str("bool"),
            Shape::Int { bits, signed } => write!(f, "{}{bits}", if *signed { 'i' } else { 'u' }),
            Shape::Float { bits } => write!(f, "f{bits}"),
            Shape::Char => f.write_str("char"),
            Shape::Text => f.write_str("text"),
            Shape::Bytes => f.write_str("bytes"),
            Shape::Option(inner) => write!(f, "{inner}?"),
            Shape::List(item) => write!(f, "[{item}]"),
            Shape::Tuple(items) => show_tuple(f, items),
            Shape::Map(key, value) => write!(f, "{{{key}: {value}}}"),
            Shape::Struct { name, fields } => show_struct(f, name, fields),
            Shape::Enum { name, variants } => show_enum(f, name, variants),
            Shape::Recursive(name) => f.write_str(name),
            Shape::Opaque(why) => write!(f, "<{why}>"),
        }
    }
}

fn show_tuple(f: &mut Formatter<'_>, items: &[Shape]) -> fmt::Result {
    match items {
        [only] => write!(f, "({only},)"),
        // An array: naming its type once is enough.
        [first, ..] if is_array(items) => write!(f, "[{first}; {}]", items.len()),
        _ => show_list(f, items.iter()),
    }
}

fn is_array(items: &[Shape]) -> bool {
    matches!(items, [first, _, _, _, ..] if items.iter().all(|item| item == first))
}

fn show_struct(f: &mut Formatter<'_>, name: &str, fields: &[(String, Shape)]) -> fmt::Result {
    f.write_str(name)?;
    if fields.is_empty() {
        return Ok(());
    }
    if fields.iter().enumerate().all(|(i, (name, _))| *name == i.to_string()) {
        return show_list(f, fields.iter().map(|(_, shape)| shape));
    }
    f.write_str(if name.is_empty() { "{ " } else { " { " })?;
    for (i, (name, shape)) in fields.iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        write!(f, "{comma}{name}: {shape}")?;
    }
    f.write_str(" }")
}

fn show_enum(f: &mut Formatter<'_>, name: &str, variants: &[(String, Shape)]) -> fmt::Result {
    write!(f, "{name} (")?;
    for (i, (name, payload)) in variants.iter().enumerate() {
        if i > 0 {
            f.write_str(" | ")?;
        }
        match payload {
            Shape::Unit => f.write_str(name)?,
            Shape::Tuple(items) if !is_array(items) => {
                f.write_str(name)?;
                show_tuple(f, items)?;
            }
            Shape::Struct { name: inner, fields } if inner == name => show_struct(f, name, fields)?,
            payload => write!(f, "{name}({payload})")?,
        }
    }
    f.write_str(")")
}

fn show_list<'a>(f: &mut Formatter<'_>, items: impl Iterator<Item = &'a Shape>) -> fmt::Result {
    f.write_str("(")?;
    for (i, item) in items.enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        write!(f, "{comma}{item}")?;
    }
    f.write_str(")")
}
