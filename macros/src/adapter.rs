//! `#[pyroxene::remote(adapter = Type)]` on a trait: a type of another crate becomes an object, by a struct around it that has the trait's
//! methods and calls those of the type.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{FnArg, ItemTrait, Pat, TraitItem, TraitItemFn, Type};

use crate::object_side;
use crate::options::strip;
use crate::places::{located, place};

/// The struct. A method with a body is the struct's and not the trait's: it is what callers get in place of one that the type has not got so.
pub(crate) fn expand(krate: &TokenStream, shared: &mut ItemTrait, adapted: &Type) -> TokenStream {
    let methods: Vec<TokenStream> = shared
        .items
        .iter_mut()
        .filter_map(|item| match item {
            TraitItem::Fn(function) => Some(method(function, adapted)),
            _ => None,
        })
        .collect();
    let (ident, vis) = (&shared.ident, &shared.vis);
    let adapter = format_ident!("{ident}Adapter");
    let about = format!("Makes an object of a `{}`, with the methods of [`{ident}`].", name(adapted));
    let implemented = object_side::implemented(krate, &adapter, &ident.clone().into());
    quote! {
        #[doc = #about]
        #[allow(private_interfaces)]
        #vis struct #adapter(
            /// What it is made of.
            pub #adapted,
        );

        #[automatically_derived]
        #[allow(private_interfaces)]
        impl ::core::convert::From<#adapted> for #adapter {
            fn from(adapted: #adapted) -> Self {
                #adapter(adapted)
            }
        }

        #[allow(clippy::needless_pass_by_value)]
        impl #ident for #adapter {
            #(#methods)*
        }

        #implemented
    }
}

/// The type as the user knows it.
fn name(adapted: &Type) -> String {
    crate::names::text(adapted.to_token_stream())
}

/// The method of the struct, whose own body it takes from the trait if it has one.
fn method(function: &mut TraitItemFn, adapted: &Type) -> TokenStream {
    let signature = function.sig.clone();
    let mut attrs = function.attrs.clone();
    attrs.retain(|attr| !attr.path().is_ident("doc"));
    strip(&mut attrs);
    if let Some(body) = function.default.take() {
        function.semi_token = Some(syn::token::Semi::default());
        return quote!(#(#attrs)* #signature #body);
    }
    // A mistake is shown at the line of the method that is not as the type has it.
    let span = place(&signature.ident);
    let ident = &signature.ident;
    let changes = signature.receiver().is_some_and(|receiver| receiver.mutability.is_some());
    let this = if changes { quote_spanned!(span=> &mut self.0) } else { quote_spanned!(span=> &self.0) };
    let arguments = signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(argument) => match &*argument.pat {
            Pat::Ident(pat) => Some(&pat.ident),
            _ => None,
        },
        FnArg::Receiver(_) => None,
    });
    let adapted = located(&adapted.to_token_stream(), span);
    let wait = signature.asyncness.map(|_| quote_spanned!(span=> .await));
    let call = quote_spanned!(span=> <#adapted>::#ident(#this, #(#arguments),*) #wait);
    quote!(#(#attrs)* #signature { #call })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_has, has};

    #[test]
    fn what_has_no_body_is_what_the_type_does() {
        let mut shared = syn::parse_quote! {
            trait Stock {
                fn insert(&mut self, item: String, count: u64) -> Option<u64>;
                async fn wait(&self);
                #[remote(idempotent)]
                fn count(&self, item: String) -> u64 { self.0.get(&item).copied().unwrap_or(0) }
            }
        };
        let code = expand(&quote!(::pyroxene), &mut shared, &syn::parse_quote!(BTreeMap<String, u64>));
        assert_has(&code, "struct StockAdapter(#[doc=r\" What it is made of.\"] pub BTreeMap<String, u64>,);");
        assert_has(&code, "{ <BTreeMap<String, u64>>::insert(&mut self.0, item, count) }");
        assert_has(&code, "{ <BTreeMap<String, u64>>::wait(&self.0,).await }");
        assert_has(&code, "fn count(&self, item: String) -> u64 { self.0.get(&item).copied().unwrap_or(0) }");
        assert!(!has(&shared.into_token_stream(), "self.0"), "the trait knows nothing of the struct");
    }
}
