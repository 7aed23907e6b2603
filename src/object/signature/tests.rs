use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::num::NonZeroU8;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::*;

fn shown<T: DeserializeOwned>() -> String {
    shape_of::<T>().to_string()
}

#[test]
fn what_std_offers() {
    assert_eq!(shown::<()>(), "()");
    assert_eq!(shown::<(bool, i8, u16, f32, char)>(), "(bool, i8, u16, f32, char)");
    assert_eq!(shown::<usize>(), "u64");
    assert_eq!(shown::<u128>(), "u128");
    assert_eq!(shown::<Option<String>>(), "text?");
    assert_eq!(shown::<Vec<Option<(u8,)>>>(), "[(u8,)?]");
    assert_eq!(shown::<[u16; 4]>(), "[u16; 4]");
    assert_eq!(shown::<HashMap<String, BTreeSet<i64>>>(), "{text: [i64]}");
    assert_eq!(shown::<bytes::Bytes>(), "bytes");
    assert_eq!(shown::<Result<u8, String>>(), "Result (Ok(u8) | Err(text))");
    assert_eq!(shown::<std::time::Duration>(), "Duration { secs: u64, nanos: u32 }");
}

#[test]
fn a_value_may_be_anything() {
    assert_eq!(shown::<(crate::codec::Value, u8)>(), "(<any>, u8)");
}

#[test]
fn types_that_insist_on_particular_values() {
    assert_eq!(shown::<(NonZeroU8, bool)>(), "(u8, bool)");
    assert_eq!(shown::<IpAddr>(), "IpAddr (V4([u8; 4]) | V6([u8; 16]))");
}

#[derive(Deserialize)]
struct Unit;
#[derive(Deserialize)]
struct Meters(#[expect(dead_code)] f64);
#[derive(Deserialize)]
struct Point(#[expect(dead_code)] i32, #[expect(dead_code)] i32);
#[derive(Deserialize)]
#[expect(dead_code)]
struct Pair<T> {
    left: T,
    right: T,
}
#[derive(Deserialize)]
#[expect(dead_code)]
enum Step {
    Stop,
    Go(u64),
    Turn(i8, Meters),
    Jump { to: Pair<Point>, why: Option<Why> },
}
#[derive(Deserialize)]
enum Why {
    Fear,
    Joy(#[expect(dead_code)] bool),
}

#[test]
fn structs() {
    assert_eq!(shown::<Unit>(), "Unit");
    assert_eq!(shown::<Meters>(), "Meters(f64)");
    assert_eq!(shown::<Pair<Point>>(), "Pair { left: Point(i32, i32), right: Point(i32, i32) }");
    assert_eq!(
        shown::<Pair<Pair<u8>>>(),
        "Pair { left: Pair { left: u8, right: u8 }, right: Pair { left: u8, right: u8 } }"
    );
}

#[test]
fn every_variant_is_seen_everywhere() {
    let why = "Why (Fear | Joy(bool))";
    let to = "Pair { left: Point(i32, i32), right: Point(i32, i32) }";
    let step = format!("Step (Stop | Go(u64) | Turn(i8, Meters(f64)) | Jump {{ to: {to}, why: {why}? }})");
    assert_eq!(shown::<Step>(), step);
    assert_eq!(shown::<(Vec<Step>, HashMap<Unit, Why>)>(), format!("([{step}], {{Unit: {why}}})"));
}

#[derive(Deserialize)]
#[expect(dead_code)]
enum Expr {
    Add(Box<Expr>, Box<Expr>),
    Not { of: Box<Expr>, note: String },
    Literal(i64),
}
#[derive(Deserialize)]
#[expect(dead_code)]
struct Tree {
    value: Expr,
    children: Vec<Tree>,
    parent: Option<Box<Tree>>,
}
#[derive(Deserialize)]
#[expect(dead_code)]
enum Json {
    Many(Vec<Json>),
}
#[derive(Deserialize)]
#[serde(transparent)]
struct Nested(#[expect(dead_code)] Vec<Nested>);

#[test]
fn recursive_types_end() {
    let expr = "Expr (Add(Expr, Expr) | Not { of: Expr, note: text } | Literal(i64))";
    assert_eq!(shown::<Expr>(), expr);
    assert_eq!(shown::<Tree>(), format!("Tree {{ value: {expr}, children: [Tree], parent: Tree? }}"));
    assert_eq!(shown::<Json>(), "Json (Many([Json]))");
    assert_eq!(shown::<Nested>(), "[list]");
}

/// Text that none of the samples is.
struct Iban;
impl<'de> Deserialize<'de> for Iban {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.starts_with("DE") { Ok(Iban) } else { Err(D::Error::custom("not an IBAN")) }
    }
}
#[derive(Deserialize)]
#[serde(try_from = "u8")]
struct Even;
impl TryFrom<u8> for Even {
    type Error = String;
    fn try_from(value: u8) -> Result<Self, String> {
        if value.is_multiple_of(2) { Ok(Even) } else { Err(format!("{value} is odd")) }
    }
}
#[derive(Deserialize)]
#[expect(dead_code)]
struct Account {
    iban: Iban,
    lines: Vec<Iban>,
    by_iban: HashMap<Iban, u8>,
    kind: Why,
    last: Option<Iban>,
    evens: (Even, Even),
    inner: Holder,
    end: u8,
}
#[derive(Deserialize)]
#[expect(dead_code)]
struct Holder {
    of: (Iban, u8),
    why: Why,
}
impl PartialEq for Iban {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Iban {}
impl std::hash::Hash for Iban {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}
impl PartialEq for Unit {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Unit {}
impl std::hash::Hash for Unit {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

#[test]
fn a_field_that_refuses_everything_hides_none_of_the_others() {
    let why = "Why (Fear | Joy(bool))";
    assert_eq!(
        shown::<Account>(),
        format!(
            "Account {{ iban: text, lines: [text], by_iban: {{text: <unknown>}}, kind: {why}, last: text?, evens: (u8, u8), \
             inner: Holder {{ of: (text, <unknown>), why: {why} }}, end: u8 }}"
        )
    );
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code)]
struct Attributes {
    #[serde(default)]
    may_lack: u8,
    #[serde(skip)]
    skipped: u8,
    #[serde(rename = "other")]
    renamed: u8,
    #[serde(alias = "old")]
    aliased: u8,
}
#[derive(Deserialize)]
#[expect(dead_code)]
struct Flat {
    id: u64,
    #[serde(flatten)]
    rest: Pair<u8>,
}
#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code)]
enum Untagged {
    Number(u8),
    Text(String),
}
#[derive(Deserialize)]
#[expect(dead_code)]
struct Strange {
    flat: Flat,
    untagged: Untagged,
    value: serde_json::Value,
    last: u8,
}

#[test]
fn serde_attributes_do_no_harm() {
    assert_eq!(shown::<Attributes>(), "Attributes { mayLack: u8, other: u8, aliased: u8 }");
    let flat = "{ id: u64, left: <any>, right: <any> }";
    assert_eq!(shown::<Flat>(), flat);
    assert_eq!(shown::<Strange>(), format!("Strange {{ flat: {flat}, untagged: <any>, value: <any>, last: u8 }}"));
}

struct Panics;
impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("on purpose");
    }
}
#[derive(Deserialize)]
#[expect(dead_code)]
struct Endless(Box<Endless>);

macro_rules! doubling {
    ($($name:ident $inner:ty;)*) => {$(
        #[derive(Deserialize)]
        #[expect(dead_code)]
        struct $name { a: Box<$inner>, b: Box<$inner> }
    )*};
}
doubling! { D0 u8; D1 D0; D2 D1; D3 D2; D4 D3; D5 D4; D6 D5; D7 D6; D8 D7; D9 D8; D10 D9; D11 D10; D12 D11; D13 D12; }
doubling! { D14 D13; D15 D14; D16 D15; D17 D16; D18 D17; D19 D18; D20 D19; D21 D20; D22 D21; D23 D22; }

#[test]
fn nothing_makes_it_panic_or_run_on() {
    assert_eq!(shape_of::<Panics>(), Shape::Opaque("panics".into()));
    assert_eq!(shown::<Endless>(), "Endless(Endless)");
    // Sixteen million parts.
    assert!(shown::<D23>().starts_with("D23 { a: D22 {"));
    type Deep<T> = Option<Option<Option<Option<Option<Option<Option<Option<Option<T>>>>>>>>>;
    assert!(shown::<Deep<Deep<Deep<Deep<u8>>>>>().starts_with("<deep>?"));
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Withdraw {
    amount: u64,
}
#[derive(Deserialize)]
#[expect(dead_code)]
struct Overdrawn {
    short: u64,
}

#[test]
fn signatures_read_well() {
    let withdraw = Signature::of::<Withdraw, u64, Overdrawn>("withdraw", true);
    assert_eq!(withdraw.to_string(), "withdraw(amount: u64) -> u64 raises Overdrawn { short: u64 }");
    assert_eq!(Signature::of::<Unit, (), ()>("stop", false).to_string(), "stop()");
    assert_eq!(Signature::of::<(), (), ()>("stop", false).to_string(), "stop()");
    assert_eq!(Signature::of::<Meters, (), ()>("go", false).to_string(), "go(0: f64)");
    assert_eq!(
        Signature::of::<Point, Why, ()>("go", false).to_string(),
        "go(0: i32, 1: i32) -> Why (Fear | Joy(bool))"
    );
    assert_eq!(Signature::of::<(u8, String), (), ()>("go", false).to_string(), "go(0: u8, 1: text)");
    assert_eq!(Signature::of::<Why, (), ()>("feel", false).to_string(), "feel(0: Why (Fear | Joy(bool)))");
}

#[test]
fn signatures_travel() {
    let signature = Signature::of::<Step, Tree, Overdrawn>("step", true);
    let json = serde_json::to_string(&signature).unwrap();
    assert_eq!(serde_json::from_str::<Signature>(&json).unwrap(), signature);
}

/// FNV-1a of `8:withdraw1;6:amountu64;u64;struct;9:Overdrawn1;5:shortu64;`. It is part of the wire: should it change, peers of another version no longer understand each other.
#[test]
fn a_fingerprint_never_changes() {
    assert_eq!(Signature::of::<Withdraw, u64, Overdrawn>("withdraw", true).fingerprint(), 0xc8af_75a6_1f9c_3dc1);
}

#[test]
fn a_fingerprint_tells_every_difference() {
    fn field(name: &str, shape: Shape) -> (String, Shape) {
        (name.to_owned(), shape)
    }
    let of = |fields: Vec<(String, Shape)>| {
        let args = fields.into_iter().map(|(name, shape)| Argument { name, shape }).collect();
        Signature { method: "m".into(), args, reply: Shape::Unit, error: None }
    };
    let (int, text) = (Shape::Int { bits: 8, signed: false }, Shape::Text);
    let wrap = |shape: &Shape| Shape::Struct { name: "S".into(), fields: vec![field("x", shape.clone())] };
    let base = of(vec![field("a", int.clone()), field("b", text.clone())]);
    let others = [
        of(vec![]),
        of(vec![field("a", int.clone())]),
        of(vec![field("a", int.clone()), field("c", text.clone())]),
        of(vec![field("b", text.clone()), field("a", int.clone())]),
        of(vec![field("a", text.clone()), field("b", int.clone())]),
        of(vec![field("a", Shape::Int { bits: 8, signed: true }), field("b", text.clone())]),
        of(vec![field("a", Shape::Option(Box::new(int.clone()))), field("b", text.clone())]),
        of(vec![field("a", wrap(&int)), field("b", text.clone())]),
        of(vec![field("a", wrap(&text)), field("b", text.clone())]),
        // What would look alike, were the names not measured.
        of(vec![field("a2:", int.clone()), field("b", text.clone())]),
        Signature { reply: int.clone(), ..base.clone() },
        Signature { error: Some(Shape::Unit), ..base.clone() },
        Signature { method: "n".into(), ..base.clone() },
        base,
    ];
    let distinct: BTreeSet<u64> = others.iter().map(Signature::fingerprint).collect();
    assert_eq!(distinct.len(), others.len());
}
