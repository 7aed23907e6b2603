//! Values, calls and faults.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pyroxene_fuzz::value(bytes));
