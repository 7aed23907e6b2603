//! Paths of attributes: `address.street`, `history[3]`, `rates["eur"]`.

use crate::codec::Value;
use crate::object::attributes::error::AttributeError;
use crate::object::invocation::nearest;
use crate::object::signature::Shape;

/// Bytes of a path; those of a program are a fraction of it.
const MAX_BYTES: usize = 4_096;
/// Steps of a path: as deep as the structure of types is looked at.
const MAX_STEPS: usize = 32;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// `.street`
    Name(String),
    /// `[3]`
    Index(i64),
    /// `["eur"]`
    Key(String),
}

/// Takes a path apart. The first step is a name.
pub(super) fn parse(path: &str) -> Result<Vec<Step>, AttributeError> {
    let bad = |problem: &str| AttributeError::BadPath { path: clipped(path), problem: problem.to_owned() };
    if path.len() > MAX_BYTES {
        return Err(bad("it is longer than 4096 bytes"));
    }
    let (first, mut rest) = name(path);
    if first.is_empty() {
        return Err(bad("it begins with no name"));
    }
    let mut steps = vec![Step::Name(first.to_owned())];
    while !rest.is_empty() {
        if steps.len() == MAX_STEPS {
            return Err(bad("it has more than 32 steps"));
        }
        let step;
        (step, rest) = if let Some(after) = rest.strip_prefix('.') {
            let (name, rest) = name(after);
            if name.is_empty() {
                return Err(bad("a name is missing after a dot"));
            }
            (Step::Name(name.to_owned()), rest)
        } else if let Some(after) = rest.strip_prefix('[') {
            item(after).map_err(bad)?
        } else {
            return Err(bad("a dot or a bracket is missing behind a bracket"));
        };
        steps.push(step);
    }
    Ok(steps)
}

/// A name, up to the next dot or bracket.
fn name(text: &str) -> (&str, &str) {
    text.split_at(text.find(['.', '[']).unwrap_or(text.len()))
}

/// What stands behind a bracket, up to the one that closes it.
fn item(text: &str) -> Result<(Step, &str), &'static str> {
    const CLOSE: &str = "a bracket is not closed";
    if text.starts_with('"') {
        let mut literals = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let key = match literals.next() {
            Some(Ok(key)) => key,
            _ => return Err("a key is not written as text in JSON is"),
        };
        let rest = &text[literals.byte_offset()..];
        return Ok((Step::Key(key), rest.strip_prefix(']').ok_or(CLOSE)?));
    }
    let (digits, rest) = text.split_once(']').ok_or(CLOSE)?;
    let index = digits.parse().map_err(|_| "in brackets stands a whole number, or a key in quotes")?;
    Ok((Step::Index(index), rest))
}

/// The path up to and with these steps, as it would be written.
pub(super) fn written(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Name(name) if path.is_empty() => path.push_str(name),
            Step::Name(name) => {
                path.push('.');
                path.push_str(name);
            }
            Step::Index(index) => path.push_str(&format!("[{index}]")),
            Step::Key(key) => path.push_str(&format!("[{}]", Value::from(key.as_str()))),
        }
    }
    path
}

/// A path as far as an error shows it.
fn clipped(path: &str) -> String {
    let mut end = path.len().min(64);
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    path[..end].to_owned()
}

/// The value in a value, `depth` steps down a path.
///
/// # Errors
/// There is none.
pub(super) fn find<'v>(value: &'v Value, steps: &[Step], depth: usize) -> Result<&'v Value, AttributeError> {
    let mut value = value;
    for at in depth..steps.len() {
        value = match place(value, &steps[..=at])? {
            Place::Item(index) => &value.as_list().unwrap_or_default()[index],
            Place::Entry(index) => &value.as_map().unwrap_or_default()[index].1,
            Place::New(_) => return Err(missing_key(value, &steps[..=at])),
        };
    }
    Ok(value)
}

/// Puts `new` into a value, `depth` steps down a path. A key that a map does not have is added to it.
///
/// # Errors
/// There is nothing.
pub(super) fn put(value: &mut Value, steps: &[Step], depth: usize, new: Value) -> Result<(), AttributeError> {
    let mut value = value;
    for at in depth..steps.len() {
        let place = place(value, &steps[..=at])?;
        value = match (value, place) {
            (Value::List(items), Place::Item(index)) => &mut items[index],
            (Value::Map(entries), Place::Entry(index)) => &mut entries[index].1,
            (Value::Map(entries), Place::New(key)) if at + 1 == steps.len() => {
                entries.push((key, new));
                return Ok(());
            }
            (value, _) => return Err(missing_key(value, &steps[..=at])),
        };
    }
    *value = new;
    Ok(())
}

/// Where the last step leads.
enum Place {
    Item(usize),
    Entry(usize),
    /// A map has not got this key.
    New(Value),
}

fn place(value: &Value, steps: &[Step]) -> Result<Place, AttributeError> {
    let no = |problem: String| AttributeError::NoSuchItem { path: written(steps), problem };
    match (value, steps.last()) {
        (Value::List(items), Some(Step::Index(index))) => {
            let at = usize::try_from(*index).ok().filter(|at| *at < items.len());
            at.map(Place::Item).ok_or_else(|| {
                no(match items.len() {
                    0 => "the list is empty".to_owned(),
                    count => format!("the list has {count}, from 0 to {}", count - 1),
                })
            })
        }
        (Value::Map(entries), Some(Step::Name(name))) => {
            let at = entries.iter().position(|(key, _)| key.as_str() == Some(name));
            at.map(Place::Entry).ok_or_else(|| missing_key(value, steps))
        }
        (Value::Map(entries), Some(step @ (Step::Key(_) | Step::Index(_)))) => {
            let key = match step {
                Step::Index(index) => Value::Int(*index),
                Step::Key(key) | Step::Name(key) => Value::from(key.as_str()),
            };
            Ok(match entries.iter().position(|(other, _)| *other == key) {
                Some(at) => Place::Entry(at),
                None => Place::New(key),
            })
        }
        (value, step) => Err(no(match step {
            Some(Step::Index(_)) => format!("it is {}, which has no places", value.kind()),
            _ => format!("it is {}, which has no names", value.kind()),
        })),
    }
}

fn missing_key(value: &Value, steps: &[Step]) -> AttributeError {
    let keys = value.as_map().unwrap_or_default().iter().filter_map(|(key, _)| key.as_str());
    match steps.split_last() {
        Some((Step::Name(name), before)) => AttributeError::Unknown {
            path: written(steps),
            nearest: nearest(name, keys).map(|name| format!("{}.{name}", written(before))),
        },
        Some((Step::Key(key), _)) => {
            let offer = nearest(key, keys).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            AttributeError::NoSuchItem { path: written(steps), problem: format!("the map has no such key{offer}") }
        }
        _ => AttributeError::NoSuchItem { path: written(steps), problem: "the map has no such key".to_owned() },
    }
}

/// The structure expected there, `depth` steps down a path, as far as it is known.
pub(super) fn expected(shape: &Shape, steps: &[Step], depth: usize) -> String {
    let mut shape = shape;
    for step in &steps[depth..] {
        let within = match (shape, step) {
            (Shape::List(item), Step::Index(_)) => Some(&**item),
            (Shape::Map(_, value), _) => Some(&**value),
            (Shape::Tuple(items), Step::Index(at)) => usize::try_from(*at).ok().and_then(|at| items.get(at)),
            (Shape::Struct { fields, .. }, Step::Name(name) | Step::Key(name)) => {
                fields.iter().find(|(field, _)| field == name).map(|(_, shape)| shape)
            }
            _ => None,
        };
        match within {
            Some(within) => shape = within,
            None => break,
        }
    }
    shape.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(path: &str) -> String {
        parse(path).unwrap_err().to_string()
    }

    #[test]
    fn a_path_is_taken_apart_and_put_together() {
        for path in ["owner", "address.street", "history[3]", r#"rates["eur"].buy[0]"#, r#"a["]\"."][-1]"#] {
            assert_eq!(written(&parse(path).unwrap()), path);
        }
        let steps = [Step::Name("rates".into()), Step::Key("a\"b".into()), Step::Index(-2)];
        assert_eq!(parse(r#"rates["a\"b"][-2]"#).unwrap(), steps);
    }

    #[test]
    fn what_is_no_path_is_told_why() {
        for (path, why) in [
            ("", "begins with no name"),
            ("[3]", "begins with no name"),
            ("a..b", "missing after a dot"),
            ("a.", "missing after a dot"),
            ("a[3", "not closed"),
            ("a[\"b\"", "not closed"),
            ("a[\"b]", "as text in JSON"),
            ("a[b]", "a whole number, or a key"),
            ("a[99999999999999999999]", "a whole number"),
            ("a[0]b", "a dot or a bracket"),
        ] {
            assert!(problem(path).contains(why), "{path}: {}", problem(path));
        }
        assert!(problem(&"é".repeat(3_000)).contains("longer"));
        assert!(problem(&format!("a{}", "[0]".repeat(32))).contains("32 steps"));
    }

    #[test]
    fn a_value_is_found_and_replaced() {
        let mut value = Value::from_iter([("list", Value::from(vec![Value::Int(1), Value::Int(2)]))]);
        let steps = parse("it.list[1]").unwrap();
        assert_eq!(find(&value, &steps, 1), Ok(&Value::Int(2)));
        put(&mut value, &steps, 1, Value::Int(3)).unwrap();
        assert_eq!(find(&value, &steps, 1), Ok(&Value::Int(3)));
        put(&mut value, &parse("it[\"new\"]").unwrap(), 1, Value::Null).unwrap();
        assert_eq!(find(&value, &parse("it.new").unwrap(), 1), Ok(&Value::Null));
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let value = Value::from_iter([("list", Value::from(vec![Value::Int(1)]))]);
        let text = |path: &str| find(&value, &parse(path).unwrap(), 1).unwrap_err().to_string();
        assert_eq!(text("it.list[1]"), r#"there is no "it.list[1]": the list has 1, from 0 to 0"#);
        assert_eq!(text("it.list[-1]"), r#"there is no "it.list[-1]": the list has 1, from 0 to 0"#);
        assert_eq!(text("it.lst"), r#"there is no attribute "it.lst"; did you mean "it.list"?"#);
        assert_eq!(text("it[\"lst\"]"), r#"there is no "it[\"lst\"]": the map has no such key; did you mean "list"?"#);
        assert_eq!(text("it.list[0].a"), r#"there is no "it.list[0].a": it is a whole number, which has no names"#);
        let steps = parse("it.new").unwrap();
        assert!(put(&mut value.clone(), &steps, 1, Value::Null).is_err(), "a name is never made");
    }
}
