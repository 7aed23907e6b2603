//! `#[derive(RemoteObject)] #[remote(facets(…))]`: a plain struct with the methods of several shared traits.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{DeriveInput, Path};

use crate::attributes::Attribute;
use crate::mistakes::Mistakes;
use crate::names::text;
use crate::object_side;
use crate::options::{Facets, Options};
use crate::package::version;
use crate::places::{located, place};

/// Expands the derive, whose `facets` are these.
pub(crate) fn expand(
    input: &DeriveInput,
    options: &Options,
    facets: &Facets,
    attributes: &[Attribute],
    mut mistakes: Mistakes,
) -> syn::Result<TokenStream> {
    check(input, options, facets, attributes, &mut mistakes);
    mistakes.finish(())?;
    let krate = options.crate_path();
    let interface = interface(input, &krate, &facets.traits);
    let hosted = hosted(input, &krate, &facets.traits);
    let remote_object = object_side::remote_object(&krate, &input.ident.to_token_stream());
    let names = unique_names(input, &krate, &facets.traits);
    Ok(quote!(#interface #hosted #remote_object #names))
}

fn check(input: &DeriveInput, options: &Options, facets: &Facets, attributes: &[Attribute], mistakes: &mut Mistakes) {
    if facets.traits.is_empty() {
        mistakes.at(&facets.keyword, "write the traits whose methods the object has: `facets(Teller, Auditor)`");
    }
    if let Some(methods) = &options.methods {
        mistakes.at(
            &methods.keyword,
            "`methods` are the messages of an actix actor, `facets` the traits of a plain struct: keep one",
        );
    }
    if !input.generics.params.is_empty() {
        mistakes.at(
            &input.generics.params,
            "an object with facets is of one concrete type: wrap it in a struct of its own, `struct UserCache(Cache<User>)`",
        );
    }
    for attribute in attributes {
        mistakes.at(&attribute.at, "an object with facets has no attributes: make this a method of one of its traits");
    }
    let mut seen = HashSet::new();
    for path in &facets.traits {
        let name = text(path);
        if !seen.insert(name.clone()) {
            mistakes.at(path, format!("`{name}` is listed twice; keep one"));
        }
    }
}

/// What it accepts is asked of the traits, each of whose messages says which it is of.
fn interface(input: &DeriveInput, krate: &TokenStream, traits: &[Path]) -> TokenStream {
    let ident = &input.ident;
    let (name, version) = (ident.to_string(), version());
    let private = quote!(#krate::__private);
    let methods = traits.iter().map(|path| {
        let span = place(path);
        let private = located(&private, span);
        quote_spanned!(span=> #private::methods_shared_by::<dyn #path, #ident>())
    });
    let facets = traits.iter().enumerate().map(|(at, path)| {
        let span = place(path);
        let private = located(&private, span);
        let first = match at.checked_sub(1).and_then(|before| traits.get(before)) {
            None => quote_spanned!(span=> 0),
            Some(before) => quote_spanned! {span=>
                <Self as #private::Facet<dyn #before>>::FIRST + <dyn #before as #private::Interface>::METHODS.len()
            },
        };
        quote_spanned! {span=>
            #[automatically_derived]
            impl #private::Facet<dyn #path> for #ident {
                const FIRST: usize = #first;
            }
        }
    });
    quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::Interface for #ident {
            const NAME: &'static str = #name;
            const VERSION: &'static str = #version;
            const METHODS: &'static [#private::Method] = {
                const ALL: &[&[#private::Method]] = &[#(#methods),*];
                &#private::attribute_table::join::<{ #private::attribute_table::count(ALL) }>(ALL)
            };
        }

        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl<__Message: #private::OfTrait> #private::Accepts<__Message> for #ident
        where
            #ident: #private::Facet<<__Message as #private::OfTrait>::Trait>,
        {
            const INDEX: usize = <#ident as #private::Facet<<__Message as #private::OfTrait>::Trait>>::FIRST
                + <<__Message as #private::OfTrait>::Trait as #private::Accepts<__Message>>::INDEX;
        }

        #(#facets)*
    }
}

fn hosted(input: &DeriveInput, krate: &TokenStream, traits: &[Path]) -> TokenStream {
    let ident = &input.ident;
    let private = quote!(#krate::__private);
    let facets = traits.iter().map(|path| {
        let span = place(path);
        let private = located(&private, span);
        quote_spanned! {span=>
            let first = <Self as #private::Facet<dyn #path>>::FIRST;
            if place < first + <dyn #path as #private::Interface>::METHODS.len() {
                return <dyn #path as #private::SharedBy<Self>>::dispatch(host, invocation.within(first), ctx);
            }
        }
    });
    quote! {
        #[automatically_derived]
        impl #private::Hosted for #ident {
            fn dispatch(
                host: &mut #private::Host<Self>,
                invocation: #private::Invocation,
                ctx: &mut #private::actix::Context<#private::Host<Self>>,
            ) {
                let place = invocation.method();
                #(#facets)*
                invocation.refuse_unlisted::<Self>()
            }
        }
    }
}

/// Callers know a method by its name alone.
fn unique_names(input: &DeriveInput, krate: &TokenStream, traits: &[Path]) -> TokenStream {
    const TAKEN: &str = "an earlier facet has a method of the same name: give one of them another in its trait, \
                         `#[remote(name = \"…\")]`";
    let ident = &input.ident;
    let checks = traits.iter().skip(1).map(|path| {
        let span = place(path);
        let private = located(&quote!(#krate::__private), span);
        quote_spanned! {span=>
            const _: () = ::core::assert!(
                {
                    let first = <#ident as #private::Facet<dyn #path>>::FIRST;
                    let end = first + <dyn #path as #private::Interface>::METHODS.len();
                    #private::are_new_names_between(<#ident as #private::Interface>::METHODS, first, end)
                },
                #TAKEN,
            );
        }
    });
    checks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derive_object;
    use crate::testing::{assert_has, mistakes};

    #[test]
    fn each_facet_begins_where_the_one_before_it_ends() {
        let code = derive_object::expand(quote!(
            #[remote(facets(Teller, audit::Auditor))]
            struct Till {
                coins: u64,
            }
        ))
        .unwrap();
        assert_has(&code, "Facet<dyn Teller> for Till { const FIRST: usize = 0; }");
        let teller = "<dyn Teller as ::pyroxene::__private::Interface>::METHODS.len()";
        assert_has(
            &code,
            &format!(
                "Facet<dyn audit::Auditor> for Till {{ const FIRST: usize =
                <Self as ::pyroxene::__private::Facet<dyn Teller>>::FIRST + {teller}; }}"
            ),
        );
        assert_has(&code, "type Actor = ::pyroxene::__private::Host<Self>;");
    }

    #[test]
    fn all_mistakes_are_found() {
        let found = mistakes(derive_object::expand(quote! {
            #[remote(facets(Teller, Teller), methods(Count))]
            struct Till<T> { #[remote(attr)] coins: u64, notes: T }
        }));
        assert_eq!(found.len(), 5, "{found:#?}");
        let none = mistakes(derive_object::expand(quote!(
            #[remote(facets())]
            struct Till;
        )));
        assert!(none[0].contains("write the traits"), "{none:?}");
    }
}
