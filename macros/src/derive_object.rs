//! `#[derive(RemoteObject)]`.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{DeriveInput, Type, parse2};

use crate::attributes::{self, Attribute};
use crate::facets;
use crate::mistakes::Mistakes;
use crate::names::text;
use crate::options::{Options, Place};
use crate::package::version;
use crate::places::{located, place};

/// Expands the derive.
pub(crate) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = parse2(input)?;
    let mut mistakes = Mistakes::default();
    let options = Options::read(&input.attrs, Place::OBJECT, &mut mistakes);
    let attributes = attributes::of_fields(&input, &mut mistakes);
    if let Some(facets) = &options.facets {
        return facets::expand(&input, &options, facets, &attributes, mistakes);
    }
    let messages = messages(&input, &options, attributes.is_empty(), &mut mistakes);
    let (messages, attributes) = mistakes.finish((messages, attributes))?;

    let krate = options.crate_path();
    let interface = interface(&input, &krate, messages, &attributes);
    let object = object(&input, &krate, messages, &attributes);
    let names = unique_names(&input, &krate, messages, &attributes);
    Ok(quote!(#interface #object #names))
}

/// The messages listed, each once.
fn messages<'a>(input: &DeriveInput, options: &'a Options, needed: bool, mistakes: &mut Mistakes) -> &'a [Type] {
    const LIST: &str = "nothing is callable unless it is listed: write the messages the object answers to, \
                        `#[remote(methods(Withdraw, Balance))]`";
    let Some(methods) = &options.methods else {
        if needed {
            mistakes.at(&input.ident, LIST);
        }
        return &[];
    };
    if methods.messages.is_empty() && needed {
        mistakes.at(&methods.keyword, LIST);
    }
    let mut seen = HashSet::new();
    for message in &methods.messages {
        let name = text(message);
        if !seen.insert(name.clone()) {
            mistakes.at(message, format!("`{name}` is listed twice; keep one"));
        }
    }
    &methods.messages
}

fn interface(input: &DeriveInput, krate: &TokenStream, messages: &[Type], attributes: &[Attribute]) -> TokenStream {
    let ident = &input.ident;
    let (name, version) = (ident.to_string(), version());
    let (generics, arguments, clause) = input.generics.split_for_impl();
    let methods = messages.iter().map(|message| {
        let span = place(message);
        let krate = located(krate, span);
        quote_spanned!(span=> #krate::__private::Method::of::<#message>())
    });
    let accepts = messages.iter().enumerate().map(|(index, message)| {
        let span = place(message);
        let krate = located(krate, span);
        quote_spanned! {span=>
            #[automatically_derived]
            #[diagnostic::do_not_recommend]
            impl #generics #krate::__private::Accepts<#message> for #ident #arguments #clause {
                const INDEX: usize = #index;
            }
        }
    });
    let methods = quote!(#(#methods),*);
    let (methods, attributes) = if attributes.is_empty() {
        (quote!(&[#methods]), None)
    } else {
        let this = quote!(#ident);
        let implemented = attributes::implement(krate, &this, attributes, false);
        let accepts = attributes::accepts(krate, &this, messages.len());
        (attributes::methods(krate, &this, &methods), Some(quote!(#implemented #accepts)))
    };
    quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #generics #krate::__private::Interface for #ident #arguments #clause {
            const NAME: &'static str = #name;
            const VERSION: &'static str = #version;
            const METHODS: &'static [#krate::__private::Method] = #methods;
        }
        #(#accepts)*
        #attributes
    }
}

fn object(input: &DeriveInput, krate: &TokenStream, messages: &[Type], attributes: &[Attribute]) -> TokenStream {
    let ident = &input.ident;
    let (generics, arguments, clause) = input.generics.split_for_impl();
    let private = quote!(#krate::__private);
    let arms = messages.iter().enumerate().map(|(index, message)| {
        let span = place(message);
        let private = located(&private, span);
        quote_spanned! {span=>
            #index => (&&&&&#private::respond::Probe::<Self, #message>::new())
                .kind()
                .run::<Self, #message>(self, invocation, ctx),
        }
    });
    let (other, actor) = if attributes.is_empty() {
        (quote!(_ => invocation.refuse_unlisted::<Self>(),), None)
    } else {
        let own = messages.len();
        let actor = quote! {
            #[automatically_derived]
            impl #private::AttributeActor for #ident {
                type State = Self;

                fn state(&mut self) -> ::core::option::Option<&mut Self> {
                    ::core::option::Option::Some(self)
                }
            }
        };
        (quote!(place => #private::dispatch_attribute(self, place - #own, invocation, ctx),), Some(actor))
    };
    quote! {
        #actor

        #[automatically_derived]
        impl #generics #private::RemoteObject for #ident #arguments #clause {
            type Actor = Self;

            fn into_actor(self) -> Self {
                self
            }
        }

        #[automatically_derived]
        impl #generics #private::ObjectActor for #ident #arguments #clause {
            fn dispatch(
                &mut self,
                invocation: #private::Invocation,
                ctx: &mut #private::actix::Context<Self>,
            ) {
                #[allow(unused_imports)]
                use #private::respond::{
                    ActorAsyncKind as _, AsyncKind as _, OtherKind as _, ValueKind as _, WrappedKind as _,
                };
                match invocation.method() {
                    #(#arms)*
                    #other
                }
            }
        }

        #[automatically_derived]
        impl #generics #private::actix::Handler<#private::Deliver> for #ident #arguments #clause {
            type Result = ();

            fn handle(&mut self, deliver: #private::Deliver, ctx: &mut #private::actix::Context<Self>) {
                deliver.run(self, ctx);
            }
        }
    }
}

/// Two messages of one name would be one method; their names are known to the compiler, not to the macro.
fn unique_names(
    input: &DeriveInput,
    krate: &TokenStream,
    messages: &[Type],
    attributes: &[Attribute],
) -> Option<TokenStream> {
    const METHOD: &str =
        "a method has the same name on the wire: give this attribute another, `#[remote(attr, name = \"…\")]`";
    const TAKEN: &str =
        "another message of the list has the same name on the wire: give this one another, `#[remote(name = \"…\")]`";
    let ident = &input.ident;
    let checks = messages.iter().enumerate().skip(1).map(|(index, message)| {
        let span = place(message);
        let krate = located(krate, span);
        quote_spanned! {span=>
            const _: () = ::core::assert!(
                #krate::__private::is_new_name(<#ident as #krate::__private::Interface>::METHODS, #index),
                #TAKEN,
            );
        }
    });
    let attributes = attributes.iter().enumerate().map(|(index, attribute)| {
        let span = place(&attribute.at);
        let krate = located(krate, span);
        let own = messages.len();
        quote_spanned! {span=>
            const _: () = ::core::assert!(
                #krate::__private::is_new_name(
                    <#ident as #krate::__private::Interface>::METHODS,
                    #own + #krate::__private::attribute_messages::METHODS.len() + #index,
                ),
                #METHOD,
            );
        }
    });
    input.generics.params.is_empty().then(|| checks.chain(attributes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_has, has, mistakes};

    fn expanded(input: TokenStream) -> TokenStream {
        expand(input).unwrap()
    }

    #[test]
    fn a_method_has_the_place_at_which_it_is_listed() {
        let code = expanded(quote!(
            #[remote(methods(Withdraw, bank::Balance))]
            struct Account {
                balance: u64,
            }
        ));
        assert_has(&code, "Accepts<Withdraw> for Account { const INDEX: usize = 0usize; }");
        assert_has(&code, "Accepts<bank::Balance> for Account { const INDEX: usize = 1usize; }");
        let method = "::pyroxene::__private::Method::of";
        assert_has(&code, &format!("&[{method}::<Withdraw>(), {method}::<bank::Balance>()]"));
        assert_has(&code, ".run::<Self, bank::Balance>(self, invocation, ctx)");
        assert_has(&code, "is_new_name(<Account as ::pyroxene::__private::Interface>::METHODS, 1usize)");
    }

    #[test]
    fn a_generic_actor_stays_generic() {
        let code = expanded(quote! {
            #[remote(methods(Get<K>))]
            struct Cache<K: Key> where K: Copy { entries: Vec<K> }
        });
        assert_has(&code, "impl<K: Key> ::pyroxene::__private::Accepts<Get<K>> for Cache<K> where K: Copy {");
        assert!(!has(&code, "is_new_name"));
    }

    #[test]
    fn methods_have_to_be_listed() {
        assert!(
            mistakes(expand(quote!(
                struct Account;
            )))[0]
                .contains("nothing is callable unless it is listed")
        );
        assert!(
            mistakes(expand(quote!(
                #[remote(methods())]
                struct Account;
            )))[0]
                .contains("nothing is callable")
        );
    }

    #[test]
    fn all_mistakes_are_found() {
        let found = mistakes(expand(quote! {
            #[remote(methods(Withdraw, Balance, Withdraw, Balance), idempotent)]
            enum Account { Open { #[remote(attr)] owner: String }, Closed(#[remote(nested)] Address) }
        }));
        assert_eq!(found.len(), 5, "{found:#?}");
        assert!(found.iter().any(|mistake| mistake == "`Withdraw` is listed twice; keep one"));
    }
}
