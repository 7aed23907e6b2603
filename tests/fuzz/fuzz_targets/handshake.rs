//! What strangers say first.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pyroxene_fuzz::handshake(bytes));
