//! What the examples promise besides running.

use std::fs;
use std::path::{Path, PathBuf};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

#[test]
fn the_account_takes_25_lines_at_most() {
    let text = fs::read_to_string(examples().join("account.rs")).unwrap();
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    let lines = text.lines().filter(is_code).count();
    assert!(lines <= 25, "{lines} lines: to define, serve, find and call an object has become longer");
}

#[test]
fn each_has_its_place_in_the_reading_order() {
    let order = fs::read_to_string(examples().join("README.md")).unwrap();
    for entry in fs::read_dir(examples()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").exists() {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(order.contains(&format!("[`{name}`]")), "{name} is not in examples/README.md");
        }
    }
}
