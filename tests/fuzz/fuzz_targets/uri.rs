//! Any text: reading it as a URI never panics, and what was read is written so that it reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pyroxene::uri::Uri;

fuzz_target!(|text: &str| {
    match text.parse::<Uri>() {
        Ok(uri) => {
            assert_eq!(uri.to_string().parse().as_ref(), Ok(&uri));
            if let Some(pyro5) = uri.pyro5() {
                assert_eq!(pyro5.parse().as_ref(), Ok(&uri));
            }
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
});
