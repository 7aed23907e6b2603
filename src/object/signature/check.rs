//! Arguments against a signature, before they are sent: what surely does not fit need not travel.

use crate::codec::Value;
use crate::codec::args::{Args, ArgsError};
use crate::codec::value::clipped;
use crate::object::signature::{Argument, Shape, Signature};

impl Signature {
    /// Whether the arguments may fit. What is missing is not looked for, since it may have a default, nor is what a type does not tell.
    ///
    /// # Errors
    /// One surely does not fit: as [`Args::into_message`] would say.
    pub fn check(&self, args: &Args) -> Result<(), ArgsError> {
        let takes = || self.args.iter().map(|arg| arg.name.clone()).collect::<Vec<_>>();
        if args.positional.len() > self.args.len() {
            let (method, given) = (self.method.clone(), args.positional.len());
            return Err(ArgsError::Surplus { method, given, takes: takes() });
        }
        for (Argument { name, shape }, value) in self.args.iter().zip(&args.positional) {
            self.fit(name, shape, value)?;
        }
        for (name, value) in &args.named {
            let Some(at) = self.args.iter().position(|arg| arg.name == *name) else {
                // As an optional argument of a newer caller.
                if value.is_null() {
                    continue;
                }
                let (method, name) = (self.method.clone(), name.clone());
                return Err(ArgsError::Unknown { method, name, takes: takes() });
            };
            if at < args.positional.len() {
                return Err(ArgsError::Duplicate { method: self.method.clone(), name: name.clone() });
            }
            self.fit(name, &self.args[at].shape, value)?;
        }
        Ok(())
    }

    fn fit(&self, name: &str, shape: &Shape, value: &Value) -> Result<(), ArgsError> {
        let mut path = name.parse::<usize>().map_or_else(|_| name.to_owned(), |at| format!("#{}", at + 1));
        match misfit(shape, value, &mut path) {
            Some(problem) => Err(ArgsError::WrongType { method: self.method.clone(), field: path, problem }),
            None => Ok(()),
        }
    }
}

/// Why the value surely is none of this shape; then `path` leads to the part of it that is not.
fn misfit(shape: &Shape, value: &Value, path: &mut String) -> Option<String> {
    let wrong = || Some(format!("expected {}, found {}", expected(shape), found(value)));
    match (shape, value) {
        (Shape::Option(_), Value::Null) => None,
        (Shape::Option(inner), value) => misfit(inner, value, path),
        (Shape::Int { bits, signed }, Value::Int(number)) => {
            if holds(*bits, *signed, i128::from(*number)) {
                None
            } else {
                wrong()
            }
        }
        (Shape::Int { bits, signed }, Value::UInt(number)) => {
            if holds(*bits, *signed, i128::from(*number)) {
                None
            } else {
                wrong()
            }
        }
        (Shape::Float { .. }, Value::Int(_) | Value::UInt(_) | Value::Float(_)) | (Shape::Bool, Value::Bool(_)) => None,
        (Shape::Int { .. } | Shape::Float { .. } | Shape::Bool, _) => wrong(),
        (Shape::Text | Shape::Char, Value::Text(_) | Value::Bytes(_)) => None,
        (Shape::Text | Shape::Char, _) => wrong(),
        (Shape::Bytes, Value::Bytes(_) | Value::Text(_) | Value::List(_)) => None,
        (Shape::Bytes, _) => wrong(),
        (Shape::List(item), Value::List(values)) => {
            values.iter().enumerate().find_map(|(at, value)| within(path, &format!("[{at}]"), item, value))
        }
        (Shape::Tuple(items), Value::List(values)) if items.len() == values.len() => {
            let mut parts = items.iter().zip(values).enumerate();
            parts.find_map(|(at, (item, value))| within(path, &format!("[{at}]"), item, value))
        }
        (Shape::List(_) | Shape::Tuple(_), Value::Bytes(_)) => None,
        (Shape::Map(_, of), Value::Map(values)) => {
            values.iter().find_map(|(key, value)| within(path, &step(key), of, value))
        }
        (Shape::List(_) | Shape::Tuple(_) | Shape::Map(..), _) => wrong(),
        (Shape::Struct { fields, .. }, Value::Map(values)) => fields.iter().find_map(|(name, shape)| {
            let is_named = |key: &Value| matches!(key, Value::Text(text) if text == name);
            let (_, value) = values.iter().find(|(key, _)| is_named(key))?;
            within(path, &format!(".{name}"), shape, value)
        }),
        // What other values such types can be read from, they do not tell.
        (Shape::Unit | Shape::Struct { .. } | Shape::Enum { .. } | Shape::Recursive(_) | Shape::Opaque(_), _) => None,
    }
}

/// As the object names a place in a map.
fn step(key: &Value) -> String {
    match key {
        Value::Text(name) => format!(".{}", clipped(name)),
        key => format!(".{}", clipped(&key.to_string())),
    }
}

fn within(path: &mut String, step: &str, shape: &Shape, value: &Value) -> Option<String> {
    let before = path.len();
    path.push_str(step);
    let problem = misfit(shape, value, path);
    if problem.is_none() {
        path.truncate(before);
    }
    problem
}

fn holds(bits: u8, signed: bool, number: i128) -> bool {
    let bits = u32::from(bits).min(64);
    let (low, high) =
        if signed { (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1) } else { (0, (1_i128 << bits) - 1) };
    (low..=high).contains(&number)
}

/// In the words of those who read it.
fn expected(shape: &Shape) -> String {
    let words = match shape {
        Shape::Bool => "a boolean",
        Shape::Char => "a character",
        Shape::Text => "a string",
        Shape::List(_) => "a sequence",
        Shape::Tuple(items) => return format!("a tuple of size {}", items.len()),
        Shape::Map(..) => "a map",
        shape => return shape.to_string(),
    };
    words.to_owned()
}

/// A short value as it is, a long one by its kind.
fn found(value: &Value) -> String {
    match value {
        Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::Float(_) => value.to_string(),
        Value::Text(text) if text.len() <= 32 => format!("text {text:?}"),
        value => value.kind().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::args;
    use crate::codec::budget::Budget;

    #[derive(Clone, Debug, Serialize, Deserialize)]
    enum Way {
        Post,
        Courier { hours: u8 },
    }

    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Send {
        to: (String, u16),
        parcels: Vec<BTreeMap<String, i8>>,
        way: Option<Way>,
        #[serde(default)]
        label: String,
        seal: Bytes,
        weight: f32,
    }

    fn signature() -> Signature {
        Signature::of::<Send, (), ()>("send", false)
    }

    fn refused(args: &Args) -> String {
        signature().check(args).unwrap_err().to_string()
    }

    #[test]
    fn what_surely_does_not_fit_is_named() {
        let parcel = Value::from_serialize(&[BTreeMap::from([("tea", 3), ("tin", 300)])]).unwrap();
        for (args, expected) in [
            (args! { too: 1 }, r#"send() has no argument "too"; it takes to, parcels, way, label, seal, weight"#),
            (args!["x"], r#"send() argument "to": expected a tuple of size 2, found text "x""#),
            (
                args![Value::List(vec!["x".into(), 70_000.into()])],
                r#"send() argument "to[1]": expected u16, found 70000"#,
            ),
            (args! { parcels: parcel }, r#"send() argument "parcels[0].tin": expected i8, found 300"#),
            (args! { weight: true }, r#"send() argument "weight": expected f32, found true"#),
            (args![Value::List(vec!["x".into(), 1.into()]); to: 1], r#"send() was given its argument "to" twice"#),
        ] {
            assert_eq!(refused(&args), expected);
        }
        let surplus = args![1, 2, 3, 4, 5, 6, 7];
        assert!(refused(&surplus).starts_with("send() takes 6 arguments (to, "), "{}", refused(&surplus));
    }

    #[test]
    fn what_may_fit_is_let_through() {
        for args in
            [args![], args! { way: "Pigeon" }, args! { label: "7" }, args! { newer: Value::Null }, args! { weight: 7 }]
        {
            assert_eq!(signature().check(&args), Ok(()), "{args:?}");
        }
    }

    proptest! {
        /// Nothing is refused here that the object would take.
        #[test]
        fn what_the_object_takes_is_never_refused(
            to in (".{0,3}", any::<u16>()),
            parcels in prop::collection::vec(prop::collection::btree_map(".{0,2}", any::<i8>(), 0..3), 0..3),
            hours in prop::option::of(any::<u8>()),
            seal in prop::collection::vec(any::<u8>(), 0..4),
            weight in any::<f32>(),
            by_name in any::<bool>(),
        ) {
            let way = hours.map(|hours| if hours == 0 { Way::Post } else { Way::Courier { hours } });
            let message = Send { to, parcels, way, label: String::new(), seal: seal.into(), weight };
            let mut args = Args::from_message(&message).unwrap();
            if !by_name {
                args.positional = args.named.drain(..).map(|(_, value)| value).collect();
            }
            prop_assert!(args.clone().into_message::<Send>("send", &Budget::default()).is_ok());
            prop_assert_eq!(signature().check(&args), Ok(()));
        }
    }
}
