use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use pyroxene::{CallError, Value};

use super::*;

/// Any tree of values at some depth, with what is beside it.
#[derive(Default, RemoteAttributes)]
struct Inner {
    #[remote(attr)]
    tree: Holder,
    #[remote(attr)]
    other: u8,
}

#[derive(Default, RemoteAttributes)]
struct Outer {
    #[remote(nested)]
    inner: Inner,
}

#[derive(RemoteObject, Default)]
struct Tree {
    #[remote(attr)]
    tree: Holder,
    #[remote(nested)]
    outer: Outer,
}

impl Actor for Tree {
    type Context = Context<Self>;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Holder(Value);

impl Default for Holder {
    fn default() -> Self {
        Holder(Value::Null)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Name(&'static str),
    Key(&'static str),
    Index(i64),
}

/// What a path means, said in another way than the library does.
fn local<'v>(value: &'v mut Value, path: &[Step], writing: bool) -> Option<&'v mut Value> {
    let Some((step, rest)) = path.split_first() else { return Some(value) };
    let next = match (value, step) {
        (Value::List(items), Step::Index(at)) if *at >= 0 => items.get_mut(*at as usize)?,
        (Value::Map(entries), step) => {
            let (key, adds) = match step {
                Step::Name(name) => (Value::from(*name), false),
                Step::Key(key) => (Value::from(*key), true),
                Step::Index(at) => (Value::from(*at), true),
            };
            if adds && writing && rest.is_empty() && !entries.iter().any(|(other, _)| *other == key) {
                entries.push((key.clone(), Value::Null));
            }
            &mut entries.iter_mut().find(|(other, _)| *other == key)?.1
        }
        _ => return None,
    };
    local(next, rest, writing)
}

fn names() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "eur", "ü \"x\".]"])
}

fn trees() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names(), inner, 0..4).prop_map(Value::from_iter),
        ]
    })
}

fn paths() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        prop::sample::select(vec!["a", "b", "eur"]).prop_map(Step::Name),
        names().prop_map(Step::Key),
        (-1_i64..4).prop_map(Step::Index),
    ];
    prop::collection::vec(step, 0..4)
}

#[test]
fn remote_reading_and_writing_is_local_reading_and_writing() {
    let system = actix_rt::System::new();
    let (_daemon, proxies) = system.block_on(both(Tree::default));
    let mut runner = TestRunner::new(ProptestConfig { cases: 128, ..ProptestConfig::default() });
    runner
        .run(&(trees(), paths(), trees(), any::<bool>()), |(tree, path, new, is_nested)| {
            let root = if is_nested { "outer.inner.tree" } else { "tree" };
            let written = path.iter().fold(root.to_owned(), |written, step| match step {
                Step::Name(name) => format!("{written}.{name}"),
                Step::Key(key) => format!("{written}[{}]", serde_json::Value::from(*key)),
                Step::Index(at) => format!("{written}[{at}]"),
            });
            for proxy in &proxies {
                let mut model = tree.clone();
                system.block_on(proxy.set(root, &tree)).unwrap();
                let read = system.block_on(proxy.get::<Value>(&written));
                match local(&mut model, &path, false) {
                    Some(value) => prop_assert_eq!(read, Ok(value.clone())),
                    None => prop_assert!(matches!(read, Err(CallError::Raised(_))), "{:?}", read),
                }
                let set = system.block_on(proxy.set(&written, &new));
                match local(&mut model, &path, true) {
                    Some(value) => {
                        *value = new.clone();
                        prop_assert_eq!(set, Ok(()));
                    }
                    None => prop_assert!(matches!(set, Err(CallError::Raised(_))), "{:?}", set),
                }
                prop_assert_eq!(system.block_on(proxy.get::<Value>(root)), Ok(model));
            }
            Ok(())
        })
        .unwrap();
}
