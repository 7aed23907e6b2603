//! `#[derive(RemoteMessage)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Data, DeriveInput, Expr, ExprLit, Field, GenericParam, Lit, LitStr, Member, Meta, MetaNameValue, Token,
    Type, parse2,
};

use crate::check;
use crate::message::{Message, is_spelled_list};
use crate::mistakes::Mistakes;
use crate::model::Returns;
use crate::names::{first_paragraph, snake_case};
use crate::options::{Options, Place};

const RETURNS: &str = "say what its handler returns: `#[rtype(result = \"u64\")]` next to actix's `Message`, or without actix \
                       `#[remote(returns = \"u64\")]`";

/// Expands the derive.
pub(crate) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = parse2(input)?;
    let mut mistakes = Mistakes::default();
    let options = Options::read(&input.attrs, Place::MESSAGE, &mut mistakes);
    shape(&input, &mut mistakes);

    let (ident, (_, arguments, _)) = (&input.ident, input.generics.split_for_impl());
    let this = quote!(#ident #arguments);
    let returns = output(&input, &options, &mut mistakes).map(|ty| {
        let ty = check::owned(&ty, "a reply", Some(&this), &mut mistakes);
        Returns::of(ty, &mut mistakes)
    });
    if let (Some(returns), Some(_)) = (&returns, options.oneway) {
        check::oneway(returns, &mut mistakes);
    }
    let Some(returns) = mistakes.finish(returns)? else { return Ok(TokenStream::new()) };

    let krate = options.crate_path();
    let method = options.name.as_ref().map_or_else(|| snake_case(&input.ident), LitStr::value);
    let message = Message {
        krate: &krate,
        ident: &input.ident,
        generics: &input.generics,
        method: &method,
        flags: options.flags(),
        returns: &returns,
        doc: first_paragraph(&input.attrs),
        lists: lists(&input),
    }
    .expand();
    let for_actix = options.returns.is_some().then(|| for_actix(&input, &krate, &returns.output));
    Ok(quote!(#message #for_actix))
}

/// The fields that are lists of bytes and say that `blob` writes them, and nothing else that looks at what is in them: what serde writes itself
/// must stay where it is, as must what another type is made from.
fn lists(input: &DeriveInput) -> Vec<Member> {
    let Data::Struct(data) = &input.data else { return Vec::new() };
    if input.attrs.iter().any(is_serde) {
        return Vec::new();
    }
    let fields = data.fields.members().zip(&data.fields);
    fields.filter(|(_, field)| is_spelled_list(&field.ty) && is_blob(field)).map(|(member, _)| member).collect()
}

fn is_blob(field: &Field) -> bool {
    let parse = |attr: &Attribute| attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    let lists: syn::Result<Vec<_>> = field.attrs.iter().filter(|attr| is_serde(attr)).map(parse).collect();
    lists.is_ok_and(|lists| {
        let mut options = lists.iter().flatten();
        let blind = |option: &Meta| ["default", "rename", "alias"].iter().any(|name| option.path().is_ident(name));
        options.clone().any(is_with_blob) && options.all(|option| is_with_blob(option) || blind(option))
    })
}

fn is_serde(attr: &Attribute) -> bool {
    attr.path().is_ident("serde")
}

/// `with = "pyroxene::codec::blob"`, whatever the crate is called there.
fn is_with_blob(meta: &Meta) -> bool {
    let Meta::NameValue(MetaNameValue { path, value: Expr::Lit(ExprLit { lit: Lit::Str(with), .. }), .. }) = meta
    else {
        return false;
    };
    path.is_ident("with") && with.value().ends_with("codec::blob")
}

/// A message owns what it holds, and is no union, which serde cannot write.
fn shape(input: &DeriveInput, mistakes: &mut Mistakes) {
    if let Data::Union(data) = &input.data {
        mistakes.at(
            data.union_token,
            "a message is what serde can write: make it a struct with the arguments as its fields",
        );
    }
    for lifetime in input.generics.params.iter().filter(|param| matches!(param, GenericParam::Lifetime(_))) {
        mistakes.at(
            lifetime,
            "a message is copied to another process, so it cannot borrow: write fields that own what they hold",
        );
    }
}

/// What the handler returns, from whichever attribute says so.
fn output(input: &DeriveInput, options: &Options, mistakes: &mut Mistakes) -> Option<Type> {
    let rtype = input.attrs.iter().find(|attr| attr.path().is_ident("rtype"));
    match (rtype, &options.returns) {
        (Some(rtype), None) => rtype_result(rtype).map_err(|mistake| mistakes.add(mistake)).ok(),
        (None, Some(returns)) => Some(returns.clone()),
        (None, None) => {
            mistakes.at(&input.ident, RETURNS);
            None
        }
        (Some(rtype), Some(_)) => {
            mistakes.at(
                rtype,
                "`returns` says this already: keep `rtype` where the message derives actix's `Message`, otherwise `returns`",
            );
            None
        }
    }
}

/// Reads `#[rtype(result = "T")]` as actix does: with or without `result =`, with or without quotes.
fn rtype_result(attr: &Attribute) -> syn::Result<Type> {
    struct Result(Type);
    impl Parse for Result {
        fn parse(input: ParseStream) -> syn::Result<Result> {
            if input.peek(syn::Ident) && input.peek2(Token![=]) {
                input.parse::<syn::Ident>()?;
                input.parse::<Token![=]>()?;
            }
            if input.peek(LitStr) { input.parse::<LitStr>()?.parse().map(Result) } else { input.parse().map(Result) }
        }
    }
    attr.parse_args::<Result>().map(|result| result.0).map_err(|mistake| {
        syn::Error::new(
            mistake.span(),
            format!("this is no type ({mistake}); for example: `#[rtype(result = \"u64\")]`"),
        )
    })
}

/// actix's own trait, where there is actix.
fn for_actix(input: &DeriveInput, krate: &TokenStream, output: &Type) -> TokenStream {
    let ident = &input.ident;
    let (generics, arguments, clause) = input.generics.split_for_impl();
    quote! {
        #krate::__private::with_daemon! {
            #[automatically_derived]
            impl #generics #krate::__private::actix::Message for #ident #arguments #clause {
                type Result = #output;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_has, dense, has, mistakes};

    fn expanded(input: TokenStream) -> TokenStream {
        expand(input).unwrap()
    }

    #[test]
    fn a_result_becomes_reply_and_error() {
        let code = expanded(quote! {
            /// Takes money out.
            #[rtype(result = "Result<u64, Overdrawn>")]
            struct Withdraw { amount: u64 }
        });
        let expected = quote! {
            #[automatically_derived]
            #[diagnostic::do_not_recommend]
            impl ::pyroxene::__private::RemoteMessage for Withdraw {
                type Output = Result<u64, Overdrawn>;
                type Reply = u64;
                type Error = Overdrawn;
                const METHOD: &'static str = "withdraw";
                const FLAGS: ::pyroxene::__private::MethodFlags = ::pyroxene::__private::MethodFlags::NONE;
                const DOC: &'static str = "Takes money out.";

                fn outcome(output: Self::Output) -> ::core::result::Result<Self::Reply, Self::Error> {
                    output
                }
            }
        };
        assert_eq!(dense(&code.to_string()), dense(&expected.to_string()));
    }

    #[test]
    fn a_plain_value_raises_nothing() {
        let code = expanded(quote!(
            #[rtype("()")]
            #[remote(idempotent, oneway, name = "say")]
            struct Remark<T: Copy>(T);
        ));
        assert_has(&code, "impl<T: Copy> ::pyroxene::__private::RemoteMessage for Remark<T>");
        assert_has(&code, "type Error = ::pyroxene::__private::Never;");
        assert_has(&code, "MethodFlags::ONEWAY.with(::pyroxene::__private::MethodFlags::IDEMPOTENT);");
        assert_has(&code, "const METHOD: &'static str = \"say\";");
        assert_has(&code, "{ ::core::result::Result::Ok(output) }");
        assert!(!has(&code, "actix"));
    }

    #[test]
    fn without_actix_the_message_is_one_of_actix_where_that_is() {
        let code = expanded(quote!(
            #[remote(returns = "u64", crate = "my::pyroxene")]
            struct Balance;
        ));
        assert_has(&code, "my::pyroxene::__private::with_daemon! {");
        assert_has(&code, "impl my::pyroxene::__private::actix::Message for Balance { type Result = u64; }");
        let text = dense(&code.to_string());
        assert_eq!(text.matches("pyroxene").count(), text.matches("my::pyroxene").count(), "{text}");
    }

    #[test]
    fn every_spelling_of_rtype_that_actix_reads_is_read() {
        for rtype in [quote!(result = "Vec<u8>"), quote!(result = Vec<u8>), quote!("Vec<u8>"), quote!(Vec<u8>)] {
            assert_has(
                &expanded(quote!(
                    #[rtype(#rtype)]
                    struct Read;
                )),
                "type Reply = Vec<u8>;",
            );
        }
        assert!(
            mistakes(expand(quote!(
                #[rtype(result = 7)]
                struct Read;
            )))[0]
                .contains("no type")
        );
        assert!(
            !mistakes(expand(quote!(
                #[rtype]
                struct Read;
            )))
            .is_empty()
        );
    }

    #[test]
    fn self_is_the_message() {
        let code = expanded(quote!(
            #[rtype(result = "Option<Self>")]
            struct Echo<T: Copy>(T);
        ));
        assert_has(&code, "type Reply = Option<Echo<T>>;");
    }

    #[test]
    fn it_has_to_be_said_once_what_a_handler_returns() {
        assert_eq!(
            mistakes(expand(quote!(
                struct Balance;
            ))),
            [RETURNS]
        );
        let twice = mistakes(expand(quote!(
            #[rtype(result = "u64")]
            #[remote(returns = "u64")]
            struct Balance;
        )));
        assert!(twice[0].contains("says this already"));
    }

    #[test]
    fn all_mistakes_are_found() {
        let found = mistakes(expand(quote! {
            #[rtype(result = "io::Result<&str>")]
            #[remote(oneway, idempotnet)]
            union Borrowed<'a> { text: &'a str }
        }));
        assert_eq!(found.len(), 6, "{found:#?}");
    }
}
