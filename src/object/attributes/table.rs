//! The method tables of objects with attributes, put together by the compiler: paths are names of their own in them.

use crate::object::attributes::{AttributeValue, Attributes, is_own_attribute};
use crate::object::interface::{Method, MethodFlags};
use crate::object::signature::{Shape, Signature, shape_of};

/// The place of an attribute.
pub const fn attribute<T: AttributeValue>(name: &'static str, writable: bool, doc: &'static str) -> Method {
    let flags = if writable { MethodFlags::ATTRIBUTE.with(MethodFlags::WRITABLE) } else { MethodFlags::ATTRIBUTE };
    Method { name, flags, doc, signature: signature_of_value::<T> }
}

/// The place of nested state.
pub const fn nested<T: Attributes>(name: &'static str, doc: &'static str) -> Method {
    Method { name, flags: MethodFlags::ATTRIBUTE, doc, signature: signature_of_nested::<T> }
}

fn signature_of_value<T: AttributeValue>() -> Signature {
    of_attribute(shape_of::<T>())
}

fn signature_of_nested<T: Attributes>() -> Signature {
    let own = T::TABLE.iter().filter(|method| is_own_attribute(method.name, method.flags));
    let fields = own.map(|method| (method.name.to_owned(), (method.signature)().reply)).collect();
    let full = std::any::type_name::<T>();
    let name = full.rfind("::").map_or(full, |at| &full[at + 2..]).to_owned();
    of_attribute(Shape::Struct { name, fields })
}

/// An attribute's signature is its type; its name is its place's.
fn of_attribute(reply: Shape) -> Signature {
    Signature { method: String::new(), args: Vec::new(), reply, error: None }
}

/// How many methods there are together.
pub const fn count(parts: &[&[Method]]) -> usize {
    let (mut part, mut sum) = (0, 0);
    while part < parts.len() {
        sum += parts[part].len();
        part += 1;
    }
    sum
}

/// Tables one behind the other; `N` is their [`count`].
pub const fn join<const N: usize>(parts: &[&[Method]]) -> [Method; N] {
    let mut all = [NONE; N];
    let (mut part, mut next) = (0, 0);
    while part < parts.len() {
        let mut at = 0;
        while at < parts[part].len() {
            all[next] = parts[part][at];
            at += 1;
            next += 1;
        }
        part += 1;
    }
    all
}

/// What stands in a table before it is filled.
const NONE: Method = Method { name: "", flags: MethodFlags::NONE, doc: "", signature: nothing };

fn nothing() -> Signature {
    of_attribute(Shape::Unit)
}

/// The bytes of all names of a table below `prefix`.
pub const fn name_bytes(prefix: &str, table: &[Method]) -> usize {
    let (mut at, mut sum) = (0, 0);
    while at < table.len() {
        sum += prefix.len() + 1 + table[at].name.len();
        at += 1;
    }
    sum
}

/// All names of a table below `prefix`, one behind the other; `N` are their [`name_bytes`].
pub const fn names<const N: usize>(prefix: &str, table: &[Method]) -> [u8; N] {
    let mut names = [b'.'; N];
    let (mut at, mut end) = (0, 0);
    while at < table.len() {
        end = copy(&mut names, end, prefix.as_bytes()) + 1;
        end = copy(&mut names, end, table[at].name.as_bytes());
        at += 1;
    }
    names
}

const fn copy(to: &mut [u8], start: usize, from: &[u8]) -> usize {
    let mut at = 0;
    while at < from.len() {
        to[start + at] = from[at];
        at += 1;
    }
    start + at
}

/// A table below `prefix`, with its [`names`]; `N` is its length.
///
/// # Panics
/// When the names are not those of the table.
pub const fn prefixed<const N: usize>(names: &'static [u8], prefix: &str, table: &[Method]) -> [Method; N] {
    let mut all = [NONE; N];
    let (mut at, mut rest) = (0, names);
    while at < table.len() {
        let (name, after) = rest.split_at(prefix.len() + 1 + table[at].name.len());
        let name = match std::str::from_utf8(name) {
            Ok(name) => name,
            Err(_) => panic!("the names are not those of the table"),
        };
        all[at] = Method { name, ..table[at] };
        rest = after;
        at += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const INNER: &[Method] = &[attribute::<u64>("zip", false, ""), attribute::<String>("straße", true, "")];
    const NAMES: &[u8] = &names::<{ name_bytes("address", INNER) }>("address", INNER);
    const OUTER: &[Method] = &prefixed::<{ INNER.len() }>(NAMES, "address", INNER);
    const ALL: [Method; 4] = join(&[INNER, OUTER]);

    #[test]
    fn a_table_below_another_goes_by_paths() {
        let names: Vec<&str> = ALL.iter().map(|method| method.name).collect();
        assert_eq!(names, ["zip", "straße", "address.zip", "address.straße"]);
        assert!(ALL[3].flags.contains(MethodFlags::WRITABLE) && !ALL[2].flags.contains(MethodFlags::WRITABLE));
        assert_eq!((ALL[2].signature)().reply.to_string(), "u64");
    }
}
