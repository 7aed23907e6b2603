//! Any bytes, in every serializer: reading them as a value stays within the budget, and a value that was read is written so that it reads
//! the same. In postcard, it is also read as the plain decoder reads it.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use pyroxene::codec::budget::Budget;
use pyroxene::codec::fault::Fault;
use pyroxene::codec::{self, Value};
use pyroxene::wire::SerializerId;
use serde::{Deserialize, Serialize};

/// Every path on which a deserializer recurses.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Node {
    Leaf,
    Newtype(Box<Node>),
    Tuple(u8, Option<Box<Node>>),
    Struct { list: Vec<Node>, map: BTreeMap<String, Node>, nothing: Vec<()> },
}

fuzz_target!(|input: &[u8]| {
    let budget = Budget { elements: 10_000, bytes: 1 << 20, ..Budget::default() };
    for id in codec::SUPPORTED {
        if let Ok(value) = codec::decode::<Value>(*id, input, &budget) {
            let mut bytes = Vec::new();
            codec::encode(*id, &value, &mut bytes).expect("what was read can be written");
            let again: Value = codec::decode(*id, &bytes, &budget).expect("what was written can be read");
            // Not a number is not equal to itself.
            assert_eq!(format!("{again:?}"), format!("{value:?}"));
        }
        let _ = Fault::decode(*id, input, &budget);
        let _ = codec::decode::<Node>(*id, input, &budget);
    }
    if let Ok(node) = codec::decode::<Node>(SerializerId::POSTCARD, input, &budget) {
        assert_eq!(postcard::from_bytes::<Node>(input), Ok(node));
    }
});
