//! The package that the macros are used in.

use proc_macro2::TokenStream;
use quote::quote;

/// The version of the package that is being compiled.
pub(crate) fn version() -> TokenStream {
    quote! {
        match ::core::option_env!("CARGO_PKG_VERSION") {
            ::core::option::Option::Some(version) => version,
            ::core::option::Option::None => "",
        }
    }
}
