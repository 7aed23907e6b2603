//! How tests look at what a macro wrote: tokens have no layout.

use proc_macro2::TokenStream;

/// Fails unless `part` is in `code`, whatever the layout of both.
#[track_caller]
pub(crate) fn assert_has(code: &TokenStream, part: &str) {
    assert!(has(code, part), "`{part}` is not in {code}");
}

/// Whether `part` is in `code`, whatever the layout of both.
pub(crate) fn has(code: &TokenStream, part: &str) -> bool {
    dense(&code.to_string()).contains(&dense(part))
}

/// The text without its white space.
pub(crate) fn dense(text: &str) -> String {
    text.split_whitespace().collect()
}

/// What the macro complained of.
pub(crate) fn mistakes(result: syn::Result<TokenStream>) -> Vec<String> {
    let Err(all) = result else { return Vec::new() };
    all.into_iter().map(|mistake| mistake.to_string()).collect()
}
