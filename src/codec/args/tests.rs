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
    assert_eq!(refused::<Extended>(args![]), r#"call() is missing its argument "by": expected u8"#);
}

#[test]
fn arguments_that_do_not_fit_are_refused_by_name() {
    assert_eq!(refused::<Transfer>(args![30]), r#"call() is missing its argument "to": expected a string"#);
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
    assert_eq!(refused::<Add>(args![1]), r##"call() is missing its argument "#2": expected i32"##);
    assert_eq!(refused::<Add>(args![1, 2, 3]), "call() takes 2 arguments (#1, #2), 3 were given");
    assert_eq!(refused::<Add>(args![1, "two"]), r##"call() argument "#2": expected i32, found text "two""##);
    assert_eq!(refused::<Deposit>(args![]), r##"call() is missing its argument "#1": expected u64"##);
    assert_eq!(refused::<Deposit>(args!["x"]), r##"call() argument "#1": expected u64, found text "x""##);
    assert_eq!(refused::<u8>(args! { a: 1 }), r##"call() has no argument "a"; it takes #1"##);
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Move {
    to: Address,
    by: Option<Vec<Address>>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Address {
    street: String,
    number: u16,
}

#[test]
fn what_is_wrong_deep_inside_is_found() {
    let elm = |number: Value| Value::from_iter([("street", Value::from("Elm")), ("number", number)]);
    let wrong = |args| refused::<Move>(args);
    assert_eq!(wrong(args![elm("two".into())]), r#"call() argument "to.number": expected u16, found text "two""#);
    let by = Value::from_iter([elm(1.into()), elm(70_000.into())]);
    assert_eq!(
        wrong(args! { to: elm(1.into()), by: by }),
        r#"call() argument "by[1].number": expected u16, found 70000"#
    );
    let homeless = Value::from_iter([("number", 1)]);
    assert_eq!(wrong(args![homeless]), r#"call() argument "to": the field "street" is missing"#);
    assert_eq!(wrong(args![]), r#"call() is missing its argument "to": expected struct Address"#);
}

#[test]
fn a_newer_caller_may_leave_out_what_this_method_does_not_know() {
    assert_eq!(read(args! { amount: 30, to: "bob", memo: Value::Null }), Ok(transfer()));
    assert!(refused::<Transfer>(args! { amount: 30, to: "bob", memo: "rent" }).contains(r#"no argument "memo""#));
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Renamed {
    #[serde(alias = "a_sum", alias = "sum")]
    amount: u64,
    to: String,
    mark: (),
}

#[test]
fn other_names_of_a_field_are_no_places() {
    let renamed = || Ok(Renamed { amount: 30, to: "bob".into(), mark: () });
    assert_eq!(read(args![30, "bob", ()]), renamed());
    assert_eq!(read(args! { sum: 30, to: "bob", mark: () }), renamed());
    assert_eq!(read(args![30; to: "bob", mark: ()]), renamed());
    assert_eq!(refused::<Renamed>(args![30; sum: 30]), r#"call() was given its argument "amount" twice"#);
    assert_eq!(refused::<Renamed>(args![30, "bob", (), 4]), "call() takes 3 arguments (#1, #2, #3), 4 were given");
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Two(u8, Option<u8>);

#[test]
fn the_optional_end_of_a_tuple_may_be_missing() {
    assert_eq!(read(args![1]), Ok(Two(1, None)));
    assert_eq!(read(args![1, 2]), Ok(Two(1, Some(2))));
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Wrapped(Deposit);

#[test]
fn a_message_that_costs_nothing_to_recurse_into_is_refused() {
    #[derive(Debug, Deserialize)]
    struct Endless(#[expect(dead_code)] Option<Box<Endless>>);
    assert!(refused::<Endless>(args![1]).contains("deeper than 64 levels"));
    assert_eq!(refused::<Wrapped>(args![]), r##"call() is missing its argument "#1": expected u64"##);
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
