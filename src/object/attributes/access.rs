//! One reading or writing of an attribute, as the code that the macros write does it.

use serde::Serialize;

use crate::codec::Value;
use crate::codec::budget::Budget;
use crate::object::attributes::path::{self, Step};
use crate::object::attributes::{AttributeError, AttributeValue, Attributes, is_own_attribute};
use crate::object::interface::Method;
use crate::object::invocation::nearest;
use crate::object::signature::shape_of;

/// Where in an object's state something is read or written: a path, and how far along it this is.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    steps: &'a [Step],
    depth: usize,
}

/// Reads what is at a path.
///
/// # Errors
/// The path is none, or there is nothing.
pub fn read<T: Attributes>(state: &mut T, path: &str) -> Result<Value, AttributeError> {
    let steps = path::parse(path)?;
    state.read(Access { steps: &steps, depth: 0 })
}

/// Writes what is at a path.
///
/// # Errors
/// The path is none, or there is nothing, or it does not take the value.
pub fn write<T: Attributes>(state: &mut T, path: &str, value: Value) -> Result<(), AttributeError> {
    let steps = path::parse(path)?;
    state.write(Access { steps: &steps, depth: 0 }, value)
}

/// Writes what is at a path if it has the value `expected`.
///
/// # Errors
/// As [`write()`], or it has another value.
pub fn compare_and_set<T: Attributes>(
    state: &mut T,
    path: &str,
    expected: &Value,
    value: Value,
) -> Result<(), AttributeError> {
    let steps = path::parse(path)?;
    let at = Access { steps: &steps, depth: 0 };
    let found = state.read(at)?;
    if !is_same(&found, expected) {
        return Err(AttributeError::Changed { path: path.to_owned(), found });
    }
    state.write(at, value)
}

/// Whether two values say the same. The entries of a hash map have no order.
pub(crate) fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::List(ones), Value::List(others)) => {
            ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| is_same(one, other))
        }
        (Value::Map(ones), Value::Map(others)) => {
            let sorted = |entries: &'_ [(Value, Value)]| -> Vec<(Value, Value)> {
                let mut entries = entries.to_vec();
                entries.sort_by_cached_key(|(key, _)| key.to_string());
                entries
            };
            let same = |(one, other): ((Value, Value), (Value, Value))| one.0 == other.0 && is_same(&one.1, &other.1);
            ones.len() == others.len() && (ones == others || sorted(ones).into_iter().zip(sorted(others)).all(same))
        }
        _ => one == other,
    }
}

impl Access<'_> {
    /// The name of the attribute that is meant; empty where the path has another step.
    pub fn name(&self) -> &str {
        match self.steps.get(self.depth) {
            Some(Step::Name(name)) => name,
            _ => "",
        }
    }

    fn path(self) -> String {
        path::written(self.steps)
    }

    /// Whether the attribute itself is meant, and nothing in it.
    fn ends(self) -> bool {
        self.depth + 1 == self.steps.len()
    }

    /// The value of the attribute, or what the path leads to in it.
    ///
    /// # Errors
    /// There is nothing, or it cannot be sent.
    pub fn read<T: Serialize + ?Sized>(self, attribute: &T) -> Result<Value, AttributeError> {
        let whole = self.value(attribute)?;
        if self.ends() {
            return Ok(whole);
        }
        path::find(&whole, self.steps, self.depth + 1).cloned()
    }

    /// The value of the attribute as a whole.
    ///
    /// # Errors
    /// It cannot be sent.
    pub fn value<T: Serialize + ?Sized>(self, attribute: &T) -> Result<Value, AttributeError> {
        Value::from_serialize(attribute)
            .map_err(|problem| AttributeError::Unreadable { path: self.path(), problem: problem.to_string() })
    }

    /// The same of nested state: all of its attributes, or one of them.
    ///
    /// # Errors
    /// There is nothing, or it cannot be sent.
    pub fn read_nested<T: Attributes>(self, state: &mut T) -> Result<Value, AttributeError> {
        if !self.ends() {
            return state.read(Access { depth: self.depth + 1, ..self });
        }
        let own = T::TABLE.iter().filter(|method| is_own_attribute(method.name, method.flags));
        own.map(|method| {
            let mut steps = self.steps.to_vec();
            steps.push(Step::Name(method.name.to_owned()));
            let value = state.read(Access { steps: &steps, depth: self.depth + 1 })?;
            Ok((Value::from(method.name), value))
        })
        .collect::<Result<Vec<_>, _>>()
        .map(Value::Map)
    }

    /// Gives the attribute, or what the path leads to in it, another value.
    ///
    /// # Errors
    /// There is nothing, or it does not take the value.
    pub fn write<T: AttributeValue>(self, attribute: &mut T, value: Value) -> Result<(), AttributeError> {
        *attribute = self.fitted(value, || self.value(attribute))?;
        Ok(())
    }

    /// The same of nested state.
    ///
    /// # Errors
    /// There is nothing, or it does not take the value; nested state as a whole takes none.
    pub fn write_nested<T: Attributes>(self, state: &mut T, value: Value) -> Result<(), AttributeError> {
        if self.ends() {
            return Err(self.read_only(Some("; write its attributes")));
        }
        state.write(Access { depth: self.depth + 1, ..self }, value)
    }

    /// The attribute as a whole, once what the path leads to in it has another value; `before` is what it was.
    ///
    /// # Errors
    /// There is nothing, or it does not take the value.
    pub fn fitted<T: AttributeValue>(
        self,
        value: Value,
        before: impl FnOnce() -> Result<Value, AttributeError>,
    ) -> Result<T, AttributeError> {
        let wrong = |problem: String| AttributeError::WrongType {
            path: self.path(),
            expected: path::expected(&shape_of::<T>(), self.steps, self.depth + 1),
            problem,
        };
        if self.ends() {
            return value.to(&Budget::default()).map_err(|problem| wrong(problem.to_string()));
        }
        let mut whole = before()?;
        path::put(&mut whole, self.steps, self.depth + 1, value)?;
        let whole: T = whole.to(&Budget::default()).map_err(|problem| wrong(problem.to_string()))?;
        // A struct reads as a map does, but passes over a key that it has no field for.
        path::find(&self.value(&whole)?, self.steps, self.depth + 1)?;
        Ok(whole)
    }

    /// What came of the object's own method that sets the attribute.
    ///
    /// # Errors
    /// It refused the value.
    pub fn set(self, outcome: impl SetOutcome) -> Result<(), AttributeError> {
        outcome.refusal().map_err(|problem| AttributeError::Refused { path: self.path(), problem })
    }

    /// The attribute cannot be written.
    pub fn read_only(self, instead: Option<&str>) -> AttributeError {
        AttributeError::ReadOnly { path: self.path(), instead: instead.map(str::to_owned) }
    }

    /// There is no such attribute among these.
    pub fn unknown(self, table: &[Method]) -> AttributeError {
        let before = path::written(&self.steps[..self.depth]);
        let dot = if before.is_empty() { "" } else { "." };
        let known = table.iter().filter(|method| is_own_attribute(method.name, method.flags));
        let near = nearest(self.name(), known.map(|method| method.name));
        AttributeError::Unknown { path: self.path(), nearest: near.map(|name| format!("{before}{dot}{name}")) }
    }
}

/// What a method that sets an attribute may return: nothing, or a `Result` without a value, whose error refuses.
#[diagnostic::on_unimplemented(
    message = "a method that sets an attribute cannot return `{Self}`",
    label = "this has nobody to go to",
    note = "return nothing, or `Result<(), E>` with an error that says why a value is refused"
)]
pub trait SetOutcome {
    /// Nothing, or why it was refused.
    ///
    /// # Errors
    /// It was refused.
    fn refusal(self) -> Result<(), String>;
}

#[diagnostic::do_not_recommend]
impl SetOutcome for () {
    fn refusal(self) -> Result<(), String> {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<E: std::fmt::Display> SetOutcome for Result<(), E> {
    fn refusal(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_a_map_says_nothing() {
        let map = |entries: &[(&str, i64)]| -> Value { entries.iter().map(|(key, value)| (*key, *value)).collect() };
        let list = |value: Value| Value::from(vec![value]);
        assert!(is_same(&list(map(&[("a", 1), ("b", 2)])), &list(map(&[("b", 2), ("a", 1)]))));
        assert!(!is_same(&map(&[("a", 1), ("b", 2)]), &map(&[("b", 1), ("a", 2)])));
        assert!(!is_same(&map(&[("a", 1)]), &map(&[("a", 1), ("b", 2)])));
        assert!(!is_same(&list(Value::Null), &Value::Null));
    }
}
