//! `#[pyroxene::main]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ItemFn, ReturnType, parse2};

use crate::mistakes::Mistakes;

const WHERE: &str = "`#[pyroxene::main]` goes on `async fn main()`";

/// Expands the attribute.
pub(crate) fn expand(options: &TokenStream, item: &TokenStream) -> TokenStream {
    let Ok(mut function) = parse2::<ItemFn>(item.clone()) else {
        let mistake = syn::Error::new_spanned(item, WHERE).to_compile_error();
        return quote!(#item #mistake);
    };
    if let Err(mistakes) = check(options, &function) {
        // A `main` that compiles, so that its absence is not reported as well.
        function.sig.asyncness = None;
        function.sig.inputs.clear();
        let (signature, mistakes) = (&function.sig, mistakes.to_compile_error());
        return quote!(#[allow(unreachable_code, dead_code)] #signature { #mistakes ::std::unreachable!() });
    }
    let attrs = std::mem::take(&mut function.attrs);
    let vis = &function.vis;
    let returned = match &function.sig.output {
        ReturnType::Type(_, ty) => ty.span(),
        ReturnType::Default => function.sig.ident.span(),
    };
    let call = quote_spanned!(returned=> ::pyroxene::__private::main(main()));
    quote! {
        #(#attrs)*
        #vis fn main() -> ::std::process::ExitCode {
            #function
            #call
        }
    }
}

fn check(options: &TokenStream, function: &ItemFn) -> syn::Result<()> {
    let mut mistakes = Mistakes::default();
    let signature = &function.sig;
    if !options.is_empty() {
        mistakes.at(options, "`#[pyroxene::main]` takes no options: remove them");
    }
    if signature.ident != "main" {
        mistakes.at(&signature.ident, WHERE);
    }
    if signature.asyncness.is_none() {
        mistakes.at(signature.fn_token, "write `async fn main()`: what is called from here may wait");
    }
    if !signature.inputs.is_empty() {
        mistakes.at(&signature.inputs, "`main` takes no arguments: read them from `std::env::args()`");
    }
    if !signature.generics.params.is_empty() {
        mistakes.at(&signature.generics.params, "`main` cannot be generic: remove these");
    }
    mistakes.finish(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_has, dense};

    #[test]
    fn main_runs_where_objects_can_live() {
        let code = expand(
            &quote!(),
            &quote!(
                #[allow(unused)]
                async fn main() -> Result<(), ServeError> {
                    serve().await
                }
            ),
        );
        let expected = quote! {
            #[allow(unused)]
            fn main() -> ::std::process::ExitCode {
                async fn main() -> Result<(), ServeError> { serve().await }
                ::pyroxene::__private::main(main())
            }
        };
        assert_eq!(dense(&code.to_string()), dense(&expected.to_string()));
    }

    #[test]
    fn all_mistakes_are_found() {
        let code = expand(
            &quote!(threads = 4),
            &quote!(
                fn run<T>(args: Vec<String>) {}
            ),
        )
        .to_string();
        assert_eq!(code.matches("compile_error").count(), 5, "{code}");
        let code = expand(
            &quote!(),
            &quote!(
                struct Main;
            ),
        );
        assert_has(&code, "struct Main;");
        assert!(code.to_string().contains("goes on `async fn main()`"), "{code}");
    }
}
