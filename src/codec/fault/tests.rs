use super::*;
use crate::codec::SUPPORTED;

fn fault(detail: Detail) -> Fault {
    Fault {
        class: "Overdrawn".into(),
        message: "short by 5 €".into(),
        detail,
        traceback: vec!["panicked at bank.rs:1:2".into(), "bank::withdraw\n".into()],
        object: "bank".into(),
        method: "withdraw".into(),
    }
}

fn through(fault: &Fault, id: SerializerId) -> Fault {
    let mut bytes = Vec::new();
    fault.encode(id, &mut bytes).unwrap();
    Fault::decode(id, &bytes, &Budget::default()).unwrap()
}

fn dict(fault: &Fault) -> serde_json::Value {
    let mut bytes = Vec::new();
    fault.encode(SerializerId::JSON, &mut bytes).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Overdrawn {
    short: u64,
}

#[test]
fn faults_come_back_from_every_serializer() {
    let mut own = Vec::new();
    encode(SerializerId::POSTCARD, &Overdrawn { short: 5 }, &mut own).unwrap();
    let value = Value::Map(vec![entry("short", Value::UInt(5))]);
    for id in SUPPORTED {
        assert_eq!(through(&fault(Detail::None), *id), fault(Detail::None), "{id}");
        for detail in [Detail::Encoded(SerializerId::POSTCARD, own.clone().into()), Detail::Value(value.clone())] {
            let back = through(&fault(detail), *id);
            assert_eq!(back.detail.decode::<Overdrawn>(&Budget::default()), Ok(Overdrawn { short: 5 }), "{id}");
            assert_eq!(Fault { detail: Detail::None, ..back }, fault(Detail::None), "{id}");
        }
    }
    assert!(Detail::None.decode::<Overdrawn>(&Budget::default()).is_err());
}

#[test]
fn python_gets_an_exception_it_knows() {
    let plain = fault(Detail::None);
    assert_eq!(
        dict(&plain),
        serde_json::json!({
            "__class__": "Pyro5.errors.PyroError",
            "__exception__": true,
            "args": ["short by 5 €"],
            "attributes": {
                "_pyroTraceback": ["panicked at bank.rs:1:2\n", "bank::withdraw\n\n"],
                "pyroxene_class": "Overdrawn",
                "object": "bank",
                "method": "withdraw",
            },
        })
    );
    for (class, python) in [
        ("Pyroxene.WrongArguments", "builtins.TypeError"),
        ("Pyroxene.NoSuchMethod", "builtins.AttributeError"),
        ("Pyroxene.TimedOut", "Pyro5.errors.TimeoutError"),
        ("Pyroxene.NoSuchObject", "Pyro5.errors.DaemonError"),
        ("Pyro5.errors.NamingError", "Pyro5.errors.NamingError"),
        ("builtins.ZeroDivisionError", "builtins.ZeroDivisionError"),
        ("builtins.SystemExit", "Pyro5.errors.PyroError"),
        ("Pyro5.errors.Unheard", "Pyro5.errors.PyroError"),
    ] {
        assert_eq!(dict(&Fault { class: class.into(), ..plain.clone() })["__class__"], python);
    }
}

/// As Pyro 5.15 answers `div(1, 0)` in MessagePack, its traceback shortened.
const CAPTURED: &[u8] = b"\x84\xa9__class__\xbabuiltins.ZeroDivisionError\xad__exception__\xc3\xa4args\x91\xd9\"integer division or \
modulo by zero\xaaattributes\x81\xae_pyroTraceback\x92\xd9#Traceback (most recent call last):\n\xd96ZeroDivisionError: integer division \
or modulo by zero\n";

#[test]
fn pyros_own_exceptions_are_faults() {
    let fault = Fault::decode(SerializerId::MESSAGE_PACK, CAPTURED, &Budget::default()).unwrap();
    assert_eq!(fault.class, "builtins.ZeroDivisionError");
    assert_eq!(fault.message, "integer division or modulo by zero");
    let lines = ["Traceback (most recent call last):", "ZeroDivisionError: integer division or modulo by zero"];
    assert_eq!(fault.traceback, lines);
    assert_eq!((fault.detail, fault.object, fault.method), (Detail::None, String::new(), String::new()));

    let json = br#"{"__class__": "builtins.OSError", "__exception__": true, "args": [2, "no file"], "attributes": {"_pyroTraceback": null}}"#;
    let fault = Fault::decode(SerializerId::JSON, json, &Budget::default()).unwrap();
    assert_eq!(fault.to_string(), "builtins.OSError: 2, no file");
    let json = br#"{"__class__": "builtins.StopIteration", "__exception__": true, "args": []}"#;
    assert_eq!(Fault::decode(SerializerId::JSON, json, &Budget::default()).unwrap().message, "");
}

#[test]
fn what_is_no_exception_is_no_fault() {
    for json in [
        "null",
        "{}",
        r#"{"__class__": "a", "args": []}"#,
        r#"{"__class__": "a", "__exception__": false, "args": []}"#,
        r#"{"__class__": 1, "__exception__": true, "args": []}"#,
        r#"{"__class__": "a", "__exception__": true}"#,
        r#"{"__class__": "a", "__exception__": true, "args": [], "attributes": {"detail_encoded": 1}}"#,
    ] {
        let result = Fault::decode(SerializerId::JSON, json.as_bytes(), &Budget::default());
        assert!(matches!(result, Err(DecodeError::Malformed { .. })), "{json}: {result:?}");
    }
    assert!(Fault::decode(SerializerId::POSTCARD, &[0xff; 9], &Budget::default()).is_err());
    let unknown = SerializerId(99);
    assert_eq!(
        fault(Detail::None).encode(unknown, &mut Vec::new()),
        Err(EncodeError::UnknownSerializer { id: unknown })
    );
}

#[test]
fn what_is_too_long_is_cut_between_characters() {
    let long = Fault {
        class: "€".repeat(100),
        message: "€".repeat(30_000),
        traceback: vec!["€".repeat(2_000); 200],
        object: "o".repeat(2_000),
        method: "m".repeat(2_000),
        detail: Detail::None,
    };
    let short = Fault {
        class: "€".repeat(85),
        message: "€".repeat(21_845),
        traceback: vec!["€".repeat(1_365); 128],
        object: "o".repeat(1_024),
        method: "m".repeat(1_024),
        detail: Detail::None,
    };
    for id in SUPPORTED {
        assert_eq!(through(&long, *id), short, "{id}");
    }
    // A peer that does not cut is cut here.
    let text = format!(r#"{{"__class__": "{}", "__exception__": true, "args": ["a"]}}"#, "c".repeat(300));
    assert_eq!(Fault::decode(SerializerId::JSON, text.as_bytes(), &Budget::default()).unwrap().class.len(), 256);
}

#[test]
fn a_fault_says_where_it_happened() {
    assert_eq!(fault(Detail::None).to_string(), "Overdrawn: short by 5 € (in bank.withdraw)");
}
