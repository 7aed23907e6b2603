//! What comes by UDP.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pyroxene_fuzz::datagram(bytes));
