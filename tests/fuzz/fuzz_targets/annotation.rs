//! The values of annotations that say something of a call.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pyroxene_fuzz::annotation(bytes));
