//! What a hostile sender can do to a decoder. Each test runs on a stack of 2 MiB, as a thread has it, with the debug build's large frames.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::*;
use crate::codec::{Json, MessagePack, Postcard, SUPPORTED, Serializer, Value, decode, encode};

/// As long as refusing may take, generously: these builds are not optimised and share their machine.
const SOON: Duration = Duration::from_secs(2);

fn on_a_threads_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

fn soon<T>(run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = run();
    assert!(start.elapsed() < SOON, "it took {:?}", start.elapsed());
    value
}

const TOO_DEEP: DecodeError = DecodeError::TooDeep { limit: 64 };

/// Levels that are allowed, and several that are not.
const DEPTHS: [usize; 5] = [63, 64, 65, 10_000, 100_000];

fn is_judged_by_depth(result: Result<Value, DecodeError>, depth: usize) {
    match result {
        Ok(_) => assert!(depth <= 64, "{depth} levels are taken"),
        Err(problem) => assert!(depth > 64 && problem == TOO_DEEP, "{depth} levels: {problem}"),
    }
}

#[test]
fn values_nest_as_deep_in_every_serializer() {
    on_a_threads_stack(|| {
        for depth in DEPTHS {
            let lists = [(&[7_u8, 1][..], &[0_u8][..], &[][..]), (b"[", b"null", b"]"), (b"\x91", b"\xc0", b"")];
            let maps = [
                (&[8_u8, 1, 2, 2][..], &[0_u8][..], &[][..]),
                (br#"{"":"#, b"null", b"}"),
                (b"\x81\xa0", b"\xc0", b""),
            ];
            for forms in [lists, maps] {
                for (id, (open, inner, close)) in SUPPORTED.iter().zip(forms) {
                    let bytes = [&open.repeat(depth)[..], inner, &close.repeat(depth)].concat();
                    is_judged_by_depth(decode(*id, &bytes, &Budget::default()), depth);
                }
            }
            // A map nested in its keys.
            let bytes = [&[8_u8, 1].repeat(depth)[..], &[0], &[0].repeat(depth)].concat();
            is_judged_by_depth(Postcard::decode(&bytes, &Budget::default()), depth);
        }
    });
}

#[derive(Debug, Deserialize)]
struct N(#[expect(dead_code)] Option<Box<N>>);

#[derive(Debug, Deserialize)]
#[expect(dead_code)]
struct Named {
    inner: Option<Box<Named>>,
}

#[derive(Debug, Deserialize)]
struct Newtype(#[expect(dead_code)] Vec<Newtype>);

#[derive(Debug, Deserialize)]
#[expect(dead_code)]
enum Tree {
    Leaf,
    Newtype(Box<Tree>),
    Pair(Box<Tree>, u8),
    Named { inner: Box<Tree> },
}

#[derive(Debug, Deserialize)]
struct Map(#[expect(dead_code)] BTreeMap<u8, Map>);

#[derive(Debug, Deserialize)]
struct Tuple(#[expect(dead_code)] (u8, Option<Box<Tuple>>));

/// A type nested in itself, in postcard: what opens one more, the innermost, what closes one.
struct Nest {
    open: &'static [u8],
    inner: &'static [u8],
    close: &'static [u8],
    /// Levels of one more, and of the innermost.
    levels: (usize, usize),
}

impl Nest {
    fn decode<T: DeserializeOwned>(&self, times: usize) -> Result<T, DecodeError> {
        let bytes = [&self.open.repeat(times)[..], self.inner, &self.close.repeat(times)].concat();
        Postcard::decode(&bytes, &Budget::default())
    }

    fn check<T: DeserializeOwned + std::fmt::Debug>(&self) {
        let deepest = (64 - self.levels.1) / self.levels.0;
        self.decode::<T>(deepest).unwrap();
        for times in [deepest + 1, 10_000, 100_000] {
            assert_eq!(self.decode::<T>(times).unwrap_err(), TOO_DEEP, "{times} times {:?}", self.open);
        }
    }
}

#[test]
fn types_nest_no_deeper_than_values() {
    on_a_threads_stack(|| {
        let nest = |open, inner, close, levels| Nest { open, inner, close, levels };
        nest(&[1], &[0], &[], (2, 1)).check::<N>();
        nest(&[1], &[0], &[], (2, 1)).check::<Named>();
        nest(&[1], &[0], &[], (2, 2)).check::<Newtype>();
        nest(&[1], &[0], &[], (1, 1)).check::<Tree>();
        nest(&[2], &[0], &[9], (1, 1)).check::<Tree>();
        nest(&[3], &[0], &[], (1, 1)).check::<Tree>();
        nest(&[1, 5], &[0], &[], (2, 2)).check::<Map>();
        nest(&[9, 1], &[9, 0], &[], (3, 2)).check::<Tuple>();
    });
}

#[test]
fn a_self_describing_type_cannot_be_made_to_recurse_either() {
    on_a_threads_stack(|| {
        // One byte is enough: what is not null is something, which is a newtype, whose inside is not null…
        assert_eq!(Json::decode::<N>(b"1", &Budget::default()).unwrap_err(), TOO_DEEP);
        assert_eq!(MessagePack::decode::<N>(b"\x01", &Budget::default()).unwrap_err(), TOO_DEEP);
        for (open, close) in [(r#"{"Newtype":"#, "}"), (r#"{"Named":{"inner":"#, "}}"), (r#"{"Pair":["#, ",1]}")] {
            for depth in DEPTHS {
                let text = format!("{}\"Leaf\"{}", open.repeat(depth), close.repeat(depth));
                let result = Json::decode::<Tree>(text.as_bytes(), &Budget::default());
                // The leaf is a level of its own.
                assert_eq!(result.is_ok(), depth < 64, "{depth}: {result:?}");
            }
        }
        for depth in [10_000, 100_000] {
            let bytes = [&b"\x81\xa7Newtype".repeat(depth)[..], b"\xa4Leaf"].concat();
            assert_eq!(MessagePack::decode::<Tree>(&bytes, &Budget::default()).unwrap_err(), TOO_DEEP);
            // Skipped, not read: the field is none of the type's.
            let bytes = [&b"\x81\xa5other"[..], &b"\x91".repeat(depth), b"\xc0"].concat();
            assert_eq!(MessagePack::decode::<Named>(&bytes, &Budget::default()).unwrap_err(), TOO_DEEP);
        }
    });
}

#[test]
fn elements_without_bytes_are_counted() {
    #[derive(Debug, Deserialize)]
    struct Nothing;
    #[derive(Debug, Default, Deserialize)]
    #[expect(dead_code)]
    struct Hidden {
        #[serde(skip)]
        byte: u8,
    }
    #[derive(Debug, Default, Deserialize)]
    #[expect(dead_code)]
    struct Large {
        #[serde(skip)]
        bytes: [u64; 32],
    }
    const ALL: Budget = Budget { depth: 64, elements: 1024 * 1024, bytes: usize::MAX };
    // 2^32 - 1 elements in five bytes.
    let claim = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let refusal = DecodeError::TooManyElements { limit: ALL.elements };
    assert_eq!(soon(|| Postcard::decode::<Vec<()>>(&claim, &Budget::default())).unwrap_err(), refusal);
    assert_eq!(soon(|| Postcard::decode::<Vec<Nothing>>(&claim, &ALL)).unwrap_err(), refusal);
    assert_eq!(soon(|| Postcard::decode::<Vec<Vec<()>>>(&[&[1][..], &claim].concat(), &ALL)).unwrap_err(), refusal);
    assert_eq!(soon(|| Postcard::decode::<BTreeMap<(), ()>>(&claim, &ALL)).unwrap_err(), refusal);
    let few = Budget { elements: 1024, ..ALL };
    assert_eq!(
        soon(|| Postcard::decode::<Vec<Hidden>>(&claim, &few)).unwrap_err(),
        DecodeError::TooManyElements { limit: 1024 }
    );
    assert_eq!(
        soon(|| Postcard::decode::<Vec<Large>>(&claim, &Budget { bytes: 1 << 20, ..ALL })).unwrap_err(),
        DecodeError::TooLarge { limit: 1 << 20 }
    );
}

#[test]
fn claimed_lengths_cost_nothing() {
    let claims: [&[u8]; 4] =
        [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"];
    for claim in claims {
        soon(|| MessagePack::decode::<Value>(claim, &Budget::default())).unwrap_err();
        // Levels of claims, each of which would be believed for as much as is allowed.
        let nested = [&b"\xdd\x00\x0f\xff\xff".repeat(63)[..], claim].concat();
        soon(|| MessagePack::decode::<Value>(&nested, &Budget::default())).unwrap_err();
    }
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    soon(|| Postcard::decode::<Vec<u64>>(&huge, &Budget::default())).unwrap_err();
    soon(|| Postcard::decode::<String>(&huge, &Budget::default())).unwrap_err();
    soon(|| Postcard::decode::<bytes::Bytes>(&huge, &Budget::default())).unwrap_err();
    soon(|| Postcard::decode::<Value>(&[&[7][..], &huge].concat(), &Budget::default())).unwrap_err();
}

#[test]
fn a_megabyte_of_nulls_stays_within_the_budget() {
    let count = 1024 * 1024;
    let budget = Budget { bytes: 4 << 20, ..Budget::default() };
    let mut long = vec![7, 0x80, 0x80, 0x40];
    long.resize(long.len() + count, 0);
    assert_eq!(
        soon(|| Postcard::decode::<Value>(&long, &budget)).unwrap_err(),
        DecodeError::TooLarge { limit: 4 << 20 }
    );
    let text = format!("[{}null]", "null,".repeat(count / 5));
    assert_eq!(
        soon(|| Json::decode::<Value>(text.as_bytes(), &budget)).unwrap_err(),
        DecodeError::TooLarge { limit: 4 << 20 }
    );
}

#[test]
fn a_list_may_be_exactly_as_long_as_the_budget() {
    let budget = Budget { elements: 100, ..Budget::default() };
    for id in SUPPORTED {
        for (len, fits) in [(100, true), (101, false)] {
            let mut bytes = Vec::new();
            encode(*id, &vec![7_u16; len], &mut bytes).unwrap();
            assert_eq!(decode::<Vec<u16>>(*id, &bytes, &budget).is_ok(), fits, "{id}: {len}");
            bytes.clear();
            let map: BTreeMap<String, u16> = (0..len).map(|key| (key.to_string(), 1)).collect();
            encode(*id, &map, &mut bytes).unwrap();
            assert_eq!(decode::<BTreeMap<String, u16>>(*id, &bytes, &budget).is_ok(), fits, "{id}: {len} entries");
        }
    }
}

#[test]
fn sixteen_bytes_are_one_element() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Upload {
        name: String,
        data: Vec<u8>,
    }
    let budget = Budget { elements: 10, ..Budget::default() };
    for (len, fits) in [(160, true), (161, false)] {
        let upload = Upload { name: "a".into(), data: vec![1; len] };
        let mut bytes = Vec::new();
        Postcard::encode(&upload, &mut bytes).unwrap();
        assert_eq!(Postcard::decode::<Upload>(&bytes, &budget).is_ok(), fits, "{len}");
    }
}

#[test]
fn texts_and_bytes_take_memory() {
    let budget = Budget { bytes: 100, ..Budget::default() };
    for id in SUPPORTED {
        for (len, fits) in [(100, true), (101, false)] {
            let mut bytes = Vec::new();
            encode(*id, &"x".repeat(len), &mut bytes).unwrap();
            assert_eq!(decode::<String>(*id, &bytes, &budget).is_ok(), fits, "{id}: {len}");
        }
    }
    let mut bytes = Vec::new();
    Postcard::encode(&bytes::Bytes::from(vec![0; 101]), &mut bytes).unwrap();
    assert_eq!(Postcard::decode::<bytes::Bytes>(&bytes, &budget), Err(DecodeError::TooLarge { limit: 100 }));
}

#[test]
fn the_fields_of_a_struct_are_not_elements() {
    #[derive(Debug, PartialEq, Serialize, Deserialize, Clone)]
    struct Entry {
        a: u8,
        b: (u8, u8),
        c: Option<u16>,
    }
    let list = vec![Entry { a: 1, b: (2, 3), c: Some(4) }; 10];
    let mut bytes = Vec::new();
    Postcard::encode(&list, &mut bytes).unwrap();
    let budget = Budget { elements: 10, ..Budget::default() };
    assert_eq!(Postcard::decode(&bytes, &budget), Ok(list));
}

#[test]
fn what_a_message_may_cost_goes_with_what_it_may_have() {
    let limits = Limits { max_message: 1_000, max_depth: 5, max_elements: 70, ..Limits::default() };
    assert_eq!(Budget::within(&limits), Budget { depth: 5, elements: 70, bytes: 16_000 + 64 * 1024 });
    let limits = Limits { max_message: u32::MAX, ..limits };
    assert!(Budget::within(&limits).bytes >= u32::MAX as usize);
}
