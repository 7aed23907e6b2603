//! The fuzz targets, run on their seeds cut at every byte, and with every byte damaged.

#[expect(unreachable_pub, reason = "they are public where the fuzzer calls them")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::path::PathBuf;

/// The seeds of a target: whole inputs, each a file.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(target);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn replay(target: &str, run: fn(&[u8])) {
    let seeds = seeds(target);
    assert!(!seeds.is_empty());
    for seed in seeds {
        for cut in 0..=seed.len() {
            run(&seed[..cut]);
        }
        for at in 0..seed.len() {
            for damage in [0x01, 0x80, 0xff] {
                let mut damaged = seed.clone();
                damaged[at] ^= damage;
                run(&damaged);
            }
        }
    }
}

#[test]
fn frames() {
    replay("frame", targets::frame);
}

#[test]
fn annotations() {
    replay("annotation", targets::annotation);
}

#[test]
fn handshakes() {
    replay("handshake", targets::handshake);
}

#[test]
fn datagrams() {
    replay("datagram", targets::datagram);
}

#[test]
fn uris() {
    replay("uri", targets::uri);
}

#[test]
fn values() {
    replay("value", targets::value);
}
