//! `#[derive(RemoteObject)]`.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Data, DeriveInput, Field, Type, parse2};

use crate::mistakes::Mistakes;
use crate::names::text;
use crate::options::{Options, Place};
use crate::places::{located, place};

/// Expands the derive.
pub(crate) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = parse2(input)?;
    let mut mistakes = Mistakes::default();
    let options = Options::read(&input.attrs, Place::OBJECT, &mut mistakes);
    for field in fields(&input.data) {
        Options::read(&field.attrs, Place::FIELD, &mut mistakes);
    }
    let messages = messages(&input, &options, &mut mistakes);
    let messages = mistakes.finish(messages)?;

    let krate = options.crate_path();
    let interface = interface(&input, &krate, messages);
    let object = object(&input, &krate, messages);
    let names = unique_names(&input, &krate, messages);
    Ok(quote!(#interface #object #names))
}

fn fields(data: &Data) -> Vec<&Field> {
    match data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(data) => data.fields.named.iter().collect(),
    }
}

/// The messages listed, each once.
fn messages<'a>(input: &DeriveInput, options: &'a Options, mistakes: &mut Mistakes) -> &'a [Type] {
    const LIST: &str = "nothing is callable unless it is listed: write the messages the object answers to, \
                        `#[remote(methods(Withdraw, Balance))]`";
    let Some(methods) = &options.methods else {
        mistakes.at(&input.ident, LIST);
        return &[];
    };
    if methods.messages.is_empty() {
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

fn interface(input: &DeriveInput, krate: &TokenStream, messages: &[Type]) -> TokenStream {
    let ident = &input.ident;
    let name = ident.to_string();
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
    quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #generics #krate::__private::Interface for #ident #arguments #clause {
            const NAME: &'static str = #name;
            const METHODS: &'static [#krate::__private::Method] = &[#(#methods),*];
        }
        #(#accepts)*
    }
}

fn object(input: &DeriveInput, krate: &TokenStream, messages: &[Type]) -> TokenStream {
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
    quote! {
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
                    _ => invocation.refuse_unlisted::<Self>(),
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
fn unique_names(input: &DeriveInput, krate: &TokenStream, messages: &[Type]) -> Option<TokenStream> {
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
    input.generics.params.is_empty().then(|| checks.collect())
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
