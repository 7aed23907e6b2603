//! Calls that say what they mean in names, as Pyro's do: in every serializer but postcard, whose calls go by numbers.

use crate::codec;
use crate::codec::args::Args;
use crate::codec::budget::Budget;
use crate::codec::error::{DecodeError, EncodeError};
use crate::codec::value::Value;
use crate::wire::SerializerId;

/// What Pyro's peers greet each other with, if nobody gives them anything else to say.
const HANDSHAKE: &str = "hello";
/// Why a call by name has no form in postcard.
const BY_NUMBER: &str = "postcard carries numbers instead of names";

/// A call of a method by its name.
///
/// JSON has it as an object with the keys `object`, `method`, `params` and `kwargs`; MessagePack as a list of the same four.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedCall {
    /// The id of the object.
    pub object: String,
    /// The name of the method.
    pub method: String,
    /// What it is called with.
    pub args: Args,
}

impl NamedCall {
    /// Appends the call in serializer `id`; on an error nothing is appended.
    ///
    /// # Errors
    /// The serializer is not known, has no calls by name, or cannot write an argument.
    pub fn encode(&self, id: SerializerId, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let parts = [
            ("object", Value::from(&self.object)),
            ("method", Value::from(&self.method)),
            ("params", Value::List(self.args.positional.clone())),
            ("kwargs", self.args.named.iter().map(|(name, value)| (name, value.clone())).collect()),
        ];
        let call = match id {
            SerializerId::JSON => Value::from_iter(parts),
            _ => parts.into_iter().map(|(_, part)| part).collect(),
        };
        write(id, &call, "call", out)
    }

    /// Reads the call that `bytes` are. Named arguments may be null, or missing where they have a key.
    ///
    /// # Errors
    /// The serializer is not known, the bytes are no call in it, or they cost more than the budget.
    pub fn decode(id: SerializerId, bytes: &[u8], budget: &Budget) -> Result<NamedCall, DecodeError> {
        let [object, method, params, kwargs] = match (id, read(id, bytes, "call", budget)?) {
            (SerializerId::JSON, Value::Map(entries)) => take(entries, ["object", "method", "params", "kwargs"]),
            (SerializerId::JSON, other) => {
                return Err(malformed("call", format!("expected a map, found {}", other.kind())));
            }
            (_, Value::List(parts)) => {
                let count = parts.len();
                <[Value; 4]>::try_from(parts)
                    .map_err(|_| malformed("call", format!("expected a list of 4, found one of {count}")))?
            }
            (_, other) => return Err(malformed("call", format!("expected a list, found {}", other.kind()))),
        };
        let positional = match params {
            Value::List(values) => values,
            other => return Err(malformed("call", format!("its arguments are {}, not a list", other.kind()))),
        };
        let named = match kwargs {
            Value::Null => Vec::new(),
            Value::Map(entries) => entries
                .into_iter()
                .map(|(name, value)| Ok((text(name, "call", "name of an argument")?, value)))
                .collect::<Result<_, DecodeError>>()?,
            other => return Err(malformed("call", format!("its named arguments are {}, not a map", other.kind()))),
        };
        Ok(NamedCall {
            object: text(object, "call", "object")?,
            method: text(method, "call", "method")?,
            args: Args { positional, named },
        })
    }
}

/// A client's wish to be connected to an object, which Pyro says in names: `{"handshake": …, "object": id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedConnect {
    /// The id of the object.
    pub object: String,
}

impl NamedConnect {
    /// Appends the wish in serializer `id`, with Pyro's own handshake; on an error nothing is appended.
    ///
    /// # Errors
    /// The serializer is not known, or has no names.
    pub fn encode(&self, id: SerializerId, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let connect = Value::from_iter([("handshake", HANDSHAKE), ("object", &self.object)]);
        write(id, &connect, "connect request", out)
    }

    /// Reads the wish that `bytes` are. Whatever the client says in its handshake is passed over.
    ///
    /// # Errors
    /// The serializer is not known, the bytes are no such wish in it, or they cost more than the budget.
    pub fn decode(id: SerializerId, bytes: &[u8], budget: &Budget) -> Result<NamedConnect, DecodeError> {
        match read(id, bytes, "connect request", budget)? {
            Value::Map(entries) => {
                let [object] = take(entries, ["object"]);
                Ok(NamedConnect { object: text(object, "connect request", "object")? })
            }
            other => Err(malformed("connect request", format!("expected a map, found {}", other.kind()))),
        }
    }
}

/// The answer to a [`NamedConnect`]: what can be called there.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NamedAccept {
    /// The names of all methods.
    pub methods: Vec<String>,
    /// Those of them that nobody waits for.
    pub oneway: Vec<String>,
    /// The names of all attributes. Who reads the answer passes over them: it asks for one by name.
    pub attrs: Vec<String>,
}

impl NamedAccept {
    /// Appends the answer in serializer `id`; on an error nothing is appended.
    ///
    /// # Errors
    /// The serializer is not known, or has no names.
    pub fn encode(&self, id: SerializerId, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let names = |names: &[String]| names.iter().map(Value::from).collect::<Value>();
        let meta = Value::from_iter([
            ("methods", names(&self.methods)),
            ("oneway", names(&self.oneway)),
            ("attrs", names(&self.attrs)),
        ]);
        let accept = Value::from_iter([("handshake", Value::from(HANDSHAKE)), ("meta", meta)]);
        write(id, &accept, "connect answer", out)
    }

    /// Reads the answer that `bytes` are. Whatever the daemon says in its handshake, and the attributes it lists, are passed over.
    ///
    /// # Errors
    /// The serializer is not known, the bytes are no such answer in it, or they cost more than the budget.
    pub fn decode(id: SerializerId, bytes: &[u8], budget: &Budget) -> Result<NamedAccept, DecodeError> {
        let kind = "connect answer";
        let meta = match read(id, bytes, kind, budget)? {
            Value::Map(entries) => take(entries, ["meta"]),
            other => return Err(malformed(kind, format!("expected a map, found {}", other.kind()))),
        };
        let [methods, oneway] = match meta {
            [Value::Map(entries)] => take(entries, ["methods", "oneway"]),
            [other] => return Err(malformed(kind, format!("its meta is {}, not a map", other.kind()))),
        };
        let names = |names: Value, what: &str| match names {
            Value::List(names) => names.into_iter().map(|name| text(name, kind, "method's name")).collect(),
            other => Err(malformed(kind, format!("its {what} are {}, not a list", other.kind()))),
        };
        let (methods, oneway) = (names(methods, "methods")?, names(oneway, "oneway methods")?);
        Ok(NamedAccept { methods, oneway, attrs: Vec::new() })
    }
}

/// Appends a value in a serializer that has names.
fn write(id: SerializerId, value: &Value, kind: &'static str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if id == SerializerId::POSTCARD {
        return Err(EncodeError::Unwritable { kind, problem: BY_NUMBER.to_owned() });
    }
    codec::encode(id, value, out)
}

/// Reads a value in a serializer that has names.
fn read(id: SerializerId, bytes: &[u8], kind: &'static str, budget: &Budget) -> Result<Value, DecodeError> {
    if id == SerializerId::POSTCARD {
        return Err(malformed(kind, BY_NUMBER.to_owned()));
    }
    codec::decode(id, bytes, budget)
}

/// What a map has under some keys; the first of equal ones counts, and a missing one is null.
fn take<const N: usize>(mut entries: Vec<(Value, Value)>, keys: [&str; N]) -> [Value; N] {
    keys.map(|key| {
        let entry = entries.iter_mut().find(|(name, _)| name.as_str() == Some(key));
        entry.map_or(Value::Null, |(_, value)| std::mem::replace(value, Value::Null))
    })
}

fn text(value: Value, kind: &'static str, what: &str) -> Result<String, DecodeError> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(malformed(kind, format!("its {what} is {}, not text", other.kind()))),
    }
}

fn malformed(kind: &'static str, problem: String) -> DecodeError {
    DecodeError::Malformed { kind, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    fn decode(id: SerializerId, bytes: &[u8]) -> Result<NamedCall, String> {
        NamedCall::decode(id, bytes, &Budget::default()).map_err(|problem| problem.to_string())
    }

    fn call(args: Args) -> NamedCall {
        NamedCall { object: "thing".into(), method: "add".into(), args }
    }

    #[test]
    fn a_call_is_what_pyro_sends() {
        let mut out = Vec::new();
        call(args![3; b: 4]).encode(SerializerId::JSON, &mut out).unwrap();
        assert_eq!(out, br#"{"object":"thing","method":"add","params":[3],"kwargs":{"b":4}}"#);
        out.clear();
        call(args![3; b: 4]).encode(SerializerId::MESSAGE_PACK, &mut out).unwrap();
        assert_eq!(out, b"\x94\xa5thing\xa3add\x91\x03\x81\xa1b\x04");
    }

    #[test]
    fn a_call_survives_the_journey() {
        for id in [SerializerId::JSON, SerializerId::MESSAGE_PACK] {
            for args in [args![], args![1, "two"], args! { a: 1.5, b: Value::Null }, args![1; b: 2]] {
                let mut out = b"before".to_vec();
                call(args.clone()).encode(id, &mut out).unwrap();
                assert_eq!(decode(id, &out[6..]), Ok(call(args)), "{id}");
            }
        }
    }

    #[test]
    fn named_arguments_may_be_left_out() {
        let json = |text: &str| decode(SerializerId::JSON, text.as_bytes());
        assert_eq!(json(r#"{"object": "thing", "method": "add", "params": [3], "kwargs": null}"#), Ok(call(args![3])));
        assert_eq!(json(r#"{"params": [3], "method": "add", "object": "thing"}"#), Ok(call(args![3])));
        let packed = b"\x94\xa5thing\xa3add\x91\x03\xc0";
        assert_eq!(decode(SerializerId::MESSAGE_PACK, packed), Ok(call(args![3])));
    }

    #[test]
    fn what_is_no_call_is_told_in_words() {
        let json = |text: &str| decode(SerializerId::JSON, text.as_bytes()).unwrap_err();
        assert_eq!(json("[]"), "not a call: expected a map, found a list");
        assert_eq!(json(r#"{"object": "thing", "params": []}"#), "not a call: its method is null, not text");
        assert_eq!(json(r#"{"object": "thing", "method": "add"}"#), "not a call: its arguments are null, not a list");
        assert_eq!(
            json(r#"{"params": [], "kwargs": 3}"#),
            "not a call: its named arguments are a whole number, not a map"
        );
        let packed = |bytes: &[u8]| decode(SerializerId::MESSAGE_PACK, bytes).unwrap_err();
        assert_eq!(packed(b"\x91\x03"), "not a call: expected a list of 4, found one of 1");
        assert_eq!(
            packed(b"\x94\xa5thing\xa3add\x91\x03\x81\x01\x04"),
            "not a call: its name of an argument is a whole number, not text"
        );
        assert!(decode(SerializerId::MESSAGE_PACK, b"\x94\xa5thing\xa3add\x91\x03\xc0\xc0").is_err());
        assert!(decode(SerializerId::POSTCARD, b"").is_err());
        assert!(call(args![]).encode(SerializerId::POSTCARD, &mut Vec::new()).is_err());
        let id = SerializerId::SERPENT;
        let unknown = NamedCall::decode(id, b"", &Budget::default());
        assert_eq!(unknown, Err(DecodeError::UnknownSerializer { id }));
        assert_eq!(call(args![]).encode(id, &mut Vec::new()), Err(EncodeError::UnknownSerializer { id }));
    }

    #[test]
    fn a_connection_is_opened_in_names() {
        let connect = Ok(NamedConnect { object: "thing".into() });
        let json = br#"{"handshake": {"user": "me"}, "object": "thing"}"#;
        assert_eq!(NamedConnect::decode(SerializerId::JSON, json, &Budget::default()), connect);
        let packed = b"\x82\xa9handshake\xa5hello\xa6object\xa5thing";
        assert_eq!(NamedConnect::decode(SerializerId::MESSAGE_PACK, packed, &Budget::default()), connect);
        assert!(NamedConnect::decode(SerializerId::JSON, b"{}", &Budget::default()).is_err());
        let accept =
            NamedAccept { methods: vec!["me".into(), "fire".into()], oneway: vec!["fire".into()], attrs: Vec::new() };
        let mut out = Vec::new();
        accept.encode(SerializerId::JSON, &mut out).unwrap();
        assert_eq!(out, br#"{"handshake":"hello","meta":{"methods":["me","fire"],"oneway":["fire"],"attrs":[]}}"#);
        assert_eq!(NamedAccept::decode(SerializerId::JSON, &out, &Budget::default()), Ok(accept));
    }

    #[test]
    fn a_client_asks_and_hears_what_pyros_does() {
        let mut out = Vec::new();
        NamedConnect { object: "thing".into() }.encode(SerializerId::MESSAGE_PACK, &mut out).unwrap();
        assert_eq!(out, b"\x82\xa9handshake\xa5hello\xa6object\xa5thing");
        // As a daemon of Pyro 5.17 answers.
        let packed = b"\x82\xa9handshake\xa5hello\xa4meta\x83\xa7methods\x92\xa3div\xa4fire\xa6oneway\x91\xa4fire\xa5attrs\x91\xa3val";
        let accept =
            NamedAccept { methods: vec!["div".into(), "fire".into()], oneway: vec!["fire".into()], attrs: Vec::new() };
        assert_eq!(NamedAccept::decode(SerializerId::MESSAGE_PACK, packed, &Budget::default()), Ok(accept));
        for wrong in
            [&b"[]"[..], b"{}", br#"{"meta":{"methods":1,"oneway":[]}}"#, br#"{"meta":{"methods":[1],"oneway":[]}}"#]
        {
            let problem = NamedAccept::decode(SerializerId::JSON, wrong, &Budget::default()).unwrap_err().to_string();
            assert!(problem.contains("connect answer"), "{problem}");
        }
    }
}
