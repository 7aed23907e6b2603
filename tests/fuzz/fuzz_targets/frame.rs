//! A received stream of bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pyroxene_fuzz::frame(bytes));
