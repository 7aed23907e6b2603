//! Names and texts: how types, methods and documentation are spelled elsewhere.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, Expr, Lit, Meta};

/// `HttpGet` → `http_get`: the method that a message calls.
pub(crate) fn snake_case(ident: &Ident) -> String {
    let name: Vec<char> = ident.unraw().to_string().chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (i, c) in name.iter().enumerate() {
        let after_lower = i > 0 && !name[i - 1].is_uppercase() && name[i - 1] != '_';
        let before_lower =
            i > 0 && name[i - 1].is_uppercase() && name.get(i + 1).is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && (after_lower || before_lower) {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

/// `http_get` → `HttpGet`: the part of a message's name that says which method it calls.
pub(crate) fn camel_case(ident: &Ident) -> String {
    let name = ident.unraw().to_string();
    let mut camel = String::with_capacity(name.len());
    for word in name.split('_').filter(|word| !word.is_empty()) {
        let mut letters = word.chars();
        camel.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        camel.push_str(letters.as_str());
    }
    camel
}

/// The first paragraph of `///` comments, in one line.
pub(crate) fn first_paragraph(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(doc_text).flat_map(|text| {
        text.lines().map(|line| line.trim().to_owned()).chain(text.is_empty().then(String::new)).collect::<Vec<_>>()
    });
    let paragraph: Vec<String> = lines.skip_while(String::is_empty).take_while(|line| !line.is_empty()).collect();
    paragraph.join(" ")
}

fn doc_text(attr: &Attribute) -> Option<String> {
    match &attr.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// Tokens as a person would write them: `Vec<u64>`, not `Vec < u64 >`.
pub(crate) fn text(tokens: impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (spaced, written) in
        [(" :: ", "::"), (":: ", "::"), (" < ", "<"), ("< ", "<"), (" >", ">"), ("& ", "&"), (" ,", ",")]
    {
        text = text.replace(spaced, written);
    }
    text
}

/// The tokens with every `Self` replaced by `name`.
pub(crate) fn without_self(tokens: TokenStream, name: &TokenStream) -> TokenStream {
    tokens
        .into_iter()
        .flat_map(|tree| match tree {
            TokenTree::Ident(ident) if ident == "Self" => name.clone(),
            TokenTree::Group(group) => {
                let mut replaced = proc_macro2::Group::new(group.delimiter(), without_self(group.stream(), name));
                replaced.set_span(group.span());
                TokenTree::Group(replaced).into()
            }
            other => other.into(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use quote::{format_ident, quote};
    use syn::parse_quote;

    use super::*;

    #[test]
    fn a_message_type_names_its_method() {
        for (name, method) in [
            ("Withdraw", "withdraw"),
            ("MoveTo", "move_to"),
            ("HTTPGet", "http_get"),
            ("GetHTTP", "get_http"),
            ("V2Reply", "v2_reply"),
            ("already_snake", "already_snake"),
            ("Ärger", "ärger"),
        ] {
            assert_eq!(snake_case(&format_ident!("{name}")), method);
        }
        assert_eq!(snake_case(&format_ident!("r#Type")), "type");
    }

    #[test]
    fn a_method_names_its_message() {
        for (method, name) in
            [("withdraw", "Withdraw"), ("move_to", "MoveTo"), ("_odd__one_", "OddOne"), ("élan", "Élan")]
        {
            assert_eq!(camel_case(&format_ident!("{method}")), name);
        }
        assert_eq!(camel_case(&format_ident!("r#move")), "Move");
    }

    #[test]
    fn only_the_first_paragraph_is_the_summary() {
        let item: syn::ItemStruct = parse_quote! {
            ///
            /// Takes money
            /// out.
            ///
            /// At length.
            #[derive(Debug)]
            struct Withdraw;
        };
        assert_eq!(first_paragraph(&item.attrs), "Takes money out.");

        let block: syn::ItemStruct = parse_quote! {
            #[doc = " Takes money\n out.\n\n At length."]
            struct Withdraw;
        };
        assert_eq!(first_paragraph(&block.attrs), "Takes money out.");
        assert_eq!(first_paragraph(&[]), "");
    }

    #[test]
    fn types_read_as_they_are_written() {
        assert_eq!(text(quote!(Result<Vec<u64>, io::Error>)), "Result<Vec<u64>, io::Error>");
        assert_eq!(text(quote!(&str)), "&str");
        assert_eq!(text(quote!(::std::string::String)), "::std::string::String");
    }

    #[test]
    fn self_is_replaced_at_every_depth() {
        let replaced = without_self(quote!(Option<(Self, [Self; 2])>), &quote!(Account));
        assert_eq!(text(replaced), text(quote!(Option<(Account, [Account; 2])>)));
    }
}
