use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::args;

#[derive(Serialize, Deserialize, Debug, PartialEq, Default)]
struct Transfer {
    amount: u64,
    to: String,
    #[serde(default)]
    urgent: bool,
    note: Option<String>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Ping;

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Deposit(u64);

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Add(i32, i32);

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Turn {
    Left,
    By { degrees: i16 },
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Extended {
    by: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

fn read<M: DeserializeOwned>(args: Args) -> Result<M, ArgsError> {
    args.into_message("call", &Budget::default())
}

fn refused<M: DeserializeOwned + std::fmt::Debug>(args: Args) -> String {
    read::<M>(args).unwrap_err().to_string()
}

fn transfer() -> Transfer {
    Transfer { amount: 30, to: "bob".into(), ..Transfer::default() }
}

#[test]
fn fields_are_filled_in_order_and_by_name() {
    for args in [
        args![30, "bob"],
        args! { to: "bob", amount: 30 },
        args![30; to: "bob"],
        args![30, "bob", false, Value::Null],
        args![30, "bob"; urgent: false, note: Value::Null],
    ] {
        assert_eq!(read(args.clone()), Ok(transfer()), "{args:?}");
    }
    let all = Transfer { urgent: true, note: Some("rent".into()), ..transfer() };
    assert_eq!(read(args![30, "bob"; note: "rent", urgent: true]), Ok(all));
}

#[test]
fn every_message_survives_being_arguments() {
    fn check<M: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(message: M, expected: &Args) {
        let args = Args::from_message(&message).unwrap();
        assert_eq!(args, *expected);
        assert_eq!(read(args), Ok(message));
    }
    check(transfer(), &args! { amount: 30, to: "bob", urgent: false, note: Value::Null });
    check(Ping, &args![]);
    check((), &args![]);
    check(Deposit(5), &args![5]);
    check(Add(1, -2), &args![1, -2]);
    check((1, 2), &args![Value::from_iter([Value::from(1), Value::from(2)])]);
    check(Turn::Left, &args!["Left"]);
    check(Turn::By { degrees: 9 }, &args![Value::from_iter([("By", Value::from_iter([("degrees", 9)]))])]);
    check("text".to_owned(), &args!["text"]);
    check(vec![1_u8], &args![Value::from_iter([Value::from(1)])]);
    check(None::<u8>, &args![Value::Null]);
    check(Some(3_u8), &args![3]);
    check(i128::from(7), &args![7]);
    check(BTreeMap::from([("a".to_owned(), 1)]), &args![Value::from_iter([("a", 1)])]);
}

#[test]
fn flattened_fields_are_arguments_too() {
    let extended = Extended { by: 1, rest: BTreeMap::from([("more".to_owned(), Value::from("text"))]) };
    assert_eq!(read(args! { by: 1, more: "text" }), Ok(extended));
    assert_eq!(refused::<Extended>(args![]), r#"call() is missing its argument "by""#);
}

#[test]
fn arguments_that_do_not_fit_are_refused_by_name() {
    assert_eq!(refused::<Transfer>(args![30]), r#"call() is missing its argument "to""#);
    assert_eq!(
        refused::<Transfer>(args![1, "bob", true, "rent", 5]),
        "call() takes 4 arguments (amount, to, urgent, note), 5 were given"
    );
    assert_eq!(
        refused::<Transfer>(args! { amuont: 30 }),
        r#"call() has no argument "amuont"; it takes amount, to, urgent, note"#
    );
    assert_eq!(refused::<Transfer>(args![30; amount: 30]), r#"call() was given its argument "amount" twice"#);
    let twice = Args { positional: Vec::new(), named: vec![("to".into(), "a".into()), ("to".into(), "b".into())] };
    assert_eq!(refused::<Transfer>(twice), r#"call() was given its argument "to" twice"#);
    assert_eq!(refused::<Transfer>(args!["ten", "bob"]), r#"call() argument "amount": expected u64, found text "ten""#);
    assert_eq!(
        read::<Transfer>(args! { to: "bob", amount: -1 }),
        Err(ArgsError::WrongType {
            method: "call".into(),
            field: "amount".into(),
            problem: "expected u64, found -1".into()
        })
    );
}

#[test]
fn arguments_without_names_are_counted() {
    assert_eq!(refused::<Ping>(args![1]), "call() takes no arguments, 1 was given");
    assert_eq!(refused::<Ping>(args! { a: 1 }), r#"call() has no argument "a"; it takes none"#);
    assert_eq!(refused::<Add>(args![1]), r##"call() is missing its argument "#2""##);
    assert_eq!(refused::<Add>(args![1, 2, 3]), "call() takes 2 arguments (#1, #2), 3 were given");
    assert_eq!(refused::<Add>(args![1, "two"]), r##"call() argument "#2": expected i32, found text "two""##);
    assert_eq!(refused::<Deposit>(args![]), r##"call() is missing its argument "#1""##);
    assert_eq!(refused::<Deposit>(args!["x"]), r##"call() argument "#1": expected u64, found text "x""##);
    assert_eq!(refused::<u8>(args! { a: 1 }), r##"call() has no argument "a"; it takes #1"##);
}

#[test]
fn arguments_cost_what_they_hold() {
    let nested = (0..40).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let budget = Budget { depth: 16, ..Budget::default() };
    let error = Args { positional: vec![nested], named: Vec::new() }.into_message::<Value>("echo", &budget);
    let problem = crate::codec::DecodeError::TooDeep { limit: 16 }.to_string();
    assert_eq!(error, Err(ArgsError::Other { method: "echo".into(), problem }));
}

#[test]
fn arguments_are_written_as_in_a_call() {
    let x = 1;
    assert_eq!(args![x, x + 1,].positional, [Value::from(1), Value::from(2)]);
    assert_eq!(args! { r#type: "a", x: x }.named[0].0, "type");
    let mut args = Args::new();
    args.push(1).set("to", "bob").set("to", "eve");
    assert_eq!(args, args![1; to: "eve"]);
    assert!(!args.is_empty() && args![].is_empty());
}
