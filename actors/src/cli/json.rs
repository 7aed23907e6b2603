//! JSON on the command line, and the values it stands for.

use pyroxene::Value;
use pyroxene::codec::args::Args;

use crate::cli::failure::Failure;

/// The arguments of a call: `30` by position, `amount=30` by name.
pub(super) fn args(texts: &[String]) -> Result<Args, Failure> {
    let mut args = Args::new();
    for text in texts {
        match named(text) {
            Some((name, json)) => drop(args.set(name, value(json)?)),
            None if args.named.is_empty() => drop(args.push(value(text)?)),
            None => {
                return Err(Failure::new(format!(
                    "{text} has no name, but stands behind arguments that have one; put it first"
                )));
            }
        }
    }
    Ok(args)
}

/// No JSON begins with a word and an equals sign.
fn named(text: &str) -> Option<(&str, &str)> {
    let (name, json) = text.split_once('=')?;
    let mut letters = name.chars();
    let first = letters.next()?;
    let is_word =
        (first.is_alphabetic() || first == '_') && letters.all(|letter| letter.is_alphanumeric() || letter == '_');
    is_word.then_some((name, json))
}

/// One value.
pub(super) fn value(json: &str) -> Result<Value, Failure> {
    serde_json::from_str(json).map_err(|problem| {
        let failure = Failure::new(format!("{json:?} is not JSON: {problem}"));
        failure.hint(format!("text is written '{}'", serde_json::Value::from(json)))
    })
}

/// What a value is in JSON: bytes are a list of numbers, and keys that are not text are written as text.
pub(super) fn of(value: &Value) -> serde_json::Value {
    match value {
        Value::List(items) => items.iter().map(of).collect(),
        Value::Map(entries) => entries.iter().map(|(key, value)| (text(key), of(value))).collect(),
        Value::Bytes(bytes) => bytes.iter().copied().collect(),
        Value::Bool(truth) => (*truth).into(),
        Value::Int(number) => (*number).into(),
        Value::UInt(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        _ => serde_json::Value::Null,
    }
}

fn text(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use pyroxene::args as call;
    use serde_json::json;

    use super::*;

    fn read(texts: &[&str]) -> Result<Args, Failure> {
        args(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_are_json_by_position_or_name() {
        assert_eq!(read(&["30", "\"bob\""]), Ok(call![30, "bob"]));
        assert_eq!(read(&["30", "to=\"bob\""]), Ok(call![30; to: "bob"]));
        assert_eq!(read(&["\"a=b\""]), Ok(call!["a=b"]));
        assert_eq!(read(&[]), Ok(call![]));
    }

    #[test]
    fn text_without_quotes_is_told_how_it_is_written() {
        let failure = read(&["hello"]).unwrap_err();
        assert!(failure.error.ends_with(r#"text is written '"hello"'"#), "{failure:?}");
        assert!(read(&["to=bob"]).is_err());
        assert!(read(&["to=1", "2"]).unwrap_err().error.contains("put it first"));
    }

    #[test]
    fn every_value_can_be_written() {
        let value = Value::from(vec![
            (Value::from(1), Value::from(vec![1u8, 2])),
            (Value::from("b"), Value::Null),
            (Value::from("c"), Value::from(f64::NAN)),
        ]);
        assert_eq!(of(&value), json!({"1": [1, 2], "b": null, "c": null}));
        assert_eq!(of(&Value::from(u64::MAX)), json!(u64::MAX));
    }
}
