//! What stands in `#[remote(…)]`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, LitStr, Path, Token, Type, parenthesized};

use crate::mistakes::Mistakes;
use crate::model::Flags;

/// A place where options can stand, and those that mean something there.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// In a sentence, such as "a message".
    name: &'static str,
    options: &'static [&'static str],
}

impl Place {
    /// Under `derive(RemoteMessage)`.
    pub(crate) const MESSAGE: Place =
        Place { name: "a message", options: &["returns", "name", "idempotent", "oneway", "cancellable", "crate"] };
    /// Under `derive(RemoteObject)`.
    pub(crate) const OBJECT: Place = Place { name: "an object", options: &["methods", "facets", "crate"] };
    /// Under `derive(RemoteAttributes)`.
    pub(crate) const NESTED: Place = Place { name: "a struct with attributes", options: &["crate"] };
    /// On a field of an object.
    pub(crate) const FIELD: Place = Place { name: "a field", options: &["attr", "nested", "name"] };
    /// On a method of an `impl` block.
    pub(crate) const METHOD: Place =
        Place { name: "a method", options: &["idempotent", "oneway", "cancellable", "name", "attr", "nested"] };
    /// On a method that sets an attribute.
    pub(crate) const SETTER: Place = Place { name: "a method that sets an attribute", options: &[] };
    /// On a method of a shared trait, or of nested state.
    pub(crate) const PLAIN_METHOD: Place =
        Place { name: "a method here", options: &["idempotent", "oneway", "cancellable", "name"] };
    /// On a method of `impl Trait for Type`.
    pub(crate) const IMPLEMENTED: Place = Place { name: "a method that a trait declares", options: &[] };
    /// In `#[pyroxene::remote(…)]` itself.
    pub(crate) const ITEM: Place =
        Place { name: "an `impl` block or a trait", options: &["crate", "nested", "attributes", "adapter"] };

    fn refuse(self, option: &Ident) -> syn::Error {
        let written = option.unraw();
        let known = match self.options {
            [] => format!("{} takes none; remove it", self.name),
            known => format!("{} takes {}", self.name, listed(known)),
        };
        syn::Error::new(option.span(), format!("unknown option `{written}`: {known}"))
    }
}

fn listed(options: &[&str]) -> String {
    let spelled: Vec<&str> = options.iter().map(|option| spelling(option)).collect();
    match spelled.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => spelled.join(", "),
    }
}

fn spelling(option: &str) -> &'static str {
    match option {
        "returns" => "`returns = \"Type\"`",
        "name" => "`name = \"…\"`",
        "idempotent" => "`idempotent`",
        "oneway" => "`oneway`",
        "cancellable" => "`cancellable`",
        "methods" => "`methods(Message, …)`",
        "facets" => "`facets(Trait, …)`",
        "adapter" => "`adapter = Type`",
        "attr" => "`attr`, `attr(read)`",
        "nested" => "`nested`",
        "attributes" => "`attributes`",
        _ => "`crate = \"…\"`",
    }
}

/// The options of one place, with the tokens to point at.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) returns: Option<Type>,
    pub(crate) name: Option<LitStr>,
    pub(crate) idempotent: Option<Span>,
    pub(crate) oneway: Option<Span>,
    pub(crate) cancellable: Option<Span>,
    pub(crate) methods: Option<Methods>,
    pub(crate) facets: Option<Facets>,
    /// The type of another crate that is made an object.
    pub(crate) adapter: Option<(Ident, Type)>,
    pub(crate) attr: Option<(Ident, Access)>,
    pub(crate) nested: Option<Ident>,
    /// The attributes of the type are its own derive's.
    pub(crate) attributes: Option<Ident>,
    krate: Option<Path>,
}

/// What may be done with an attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// `methods(…)`.
pub(crate) struct Methods {
    pub(crate) keyword: Ident,
    pub(crate) messages: Vec<Type>,
}

/// `facets(…)`.
pub(crate) struct Facets {
    pub(crate) keyword: Ident,
    pub(crate) traits: Vec<Path>,
}

impl Options {
    /// Reads every `#[remote(…)]` among `attrs`.
    pub(crate) fn read(attrs: &[Attribute], place: Place, mistakes: &mut Mistakes) -> Options {
        let mut options = Options::default();
        for attr in attrs.iter().filter(|attr| is_remote(attr)) {
            if let Err(mistake) = attr.parse_args_with(|input: ParseStream| options.list(input, place, mistakes)) {
                mistakes.add(mistake);
            }
        }
        options
    }

    /// Reads what stands in the attribute itself: `#[pyroxene::remote(…)]`.
    pub(crate) fn of_item(tokens: TokenStream, mistakes: &mut Mistakes) -> Options {
        let mut options = Options::default();
        let list = |input: ParseStream| options.list(input, Place::ITEM, mistakes);
        if let Err(mistake) = list.parse2(tokens) {
            mistakes.add(mistake);
        }
        options
    }

    /// What callers may assume about the method.
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            idempotent: self.idempotent.is_some(),
            oneway: self.oneway.is_some(),
            cancellable: self.cancellable.is_some(),
        }
    }

    /// The word that makes an attribute of what these options are on.
    pub(crate) fn of_attribute(&self, mistakes: &mut Mistakes) -> Option<&Ident> {
        match (&self.attr, &self.nested) {
            (Some((keyword, _)), Some(nested)) => {
                mistakes.at(nested, "an `attr` is one value, and what is `nested` has attributes of its own: keep one");
                Some(keyword)
            }
            (Some((keyword, _)), None) | (None, Some(keyword)) => Some(keyword),
            (None, None) => None,
        }
    }

    /// The path to `pyroxene`.
    pub(crate) fn crate_path(&self) -> TokenStream {
        match &self.krate {
            Some(path) => quote!(#path),
            None => quote!(::pyroxene),
        }
    }

    /// A mistake in one option does not hide those in the next.
    fn list(&mut self, input: ParseStream, place: Place, mistakes: &mut Mistakes) -> syn::Result<()> {
        while !input.is_empty() {
            if let Err(mistake) = self.option(input, place) {
                mistakes.add(mistake);
                skip_to_comma(input)?;
            } else if !input.is_empty() && !input.peek(Token![,]) {
                mistakes.add(input.error("write a comma between options"));
                skip_to_comma(input)?;
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    }

    fn option(&mut self, input: ParseStream, place: Place) -> syn::Result<()> {
        let option = input.call(Ident::parse_any)?;
        let name = option.unraw().to_string();
        if !place.options.contains(&name.as_str()) {
            return Err(place.refuse(&option));
        }
        let twice = match name.as_str() {
            "returns" => {
                self.returns.replace(quoted(input, &option, "returns = \"Result<u64, Overdrawn>\"")?).is_some()
            }
            "name" => self.name.replace(method_name(input, &option)?).is_some(),
            "idempotent" => self.idempotent.replace(option.span()).is_some(),
            "oneway" => self.oneway.replace(option.span()).is_some(),
            "cancellable" => self.cancellable.replace(option.span()).is_some(),
            "methods" => {
                let messages = parenthesized_list(input, &option, "the messages", "methods(Withdraw, Balance)")?;
                self.methods.replace(Methods { keyword: option.clone(), messages }).is_some()
            }
            "facets" => {
                let traits = parenthesized_list(input, &option, "the traits", "facets(Teller, Auditor)")?;
                self.facets.replace(Facets { keyword: option.clone(), traits }).is_some()
            }
            "adapter" => {
                let wrong = |_| syn::Error::new(option.span(), "write the type: `adapter = thermometers::Thermometer`");
                input.parse::<Token![=]>().map_err(wrong)?;
                self.adapter.replace((option.clone(), input.parse().map_err(wrong)?)).is_some()
            }
            "attr" => self.attr.replace((option.clone(), access(input)?)).is_some(),
            "nested" => self.nested.replace(option.clone()).is_some(),
            "attributes" => self.attributes.replace(option.clone()).is_some(),
            _ => self
                .krate
                .replace(quoted_with(input, &option, "crate = \"pyroxene\"", Path::parse_mod_style)?)
                .is_some(),
        };
        if twice { Err(syn::Error::new(option.span(), format!("`{name}` is given twice; keep one"))) } else { Ok(()) }
    }
}

/// Whether objects with attributes have a method of this name.
pub(crate) fn is_reserved(name: &str) -> bool {
    ["__getattr__", "__setattr__", "__getattrs__", "__casattr__", "__watchattr__"].contains(&name)
}

/// Whether this is `#[remote…]`, whatever stands in it.
pub(crate) fn is_remote(attr: &Attribute) -> bool {
    attr.path().is_ident("remote")
}

/// The attributes that the compiler is to see.
pub(crate) fn strip(attrs: &mut Vec<Attribute>) {
    attrs.retain(|attr| !is_remote(attr));
}

fn skip_to_comma(input: ParseStream) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(())
}

fn string(input: ParseStream, option: &Ident, example: &str) -> syn::Result<LitStr> {
    let wrong = || syn::Error::new(option.span(), format!("write `{example}`, with the quotes"));
    input.parse::<Token![=]>().map_err(|_| wrong())?;
    input.parse::<LitStr>().map_err(|_| wrong())
}

fn quoted<T: syn::parse::Parse>(input: ParseStream, option: &Ident, example: &str) -> syn::Result<T> {
    quoted_with(input, option, example, T::parse)
}

fn quoted_with<F: Parser>(input: ParseStream, option: &Ident, example: &str, parser: F) -> syn::Result<F::Output> {
    let text = string(input, option, example)?;
    text.parse_with(parser).map_err(|why| {
        syn::Error::new(text.span(), format!("this does not read as it should ({why}); for example: `{example}`"))
    })
}

fn method_name(input: ParseStream, option: &Ident) -> syn::Result<LitStr> {
    let text = string(input, option, "name = \"withdraw\"")?;
    let name = text.value();
    if is_reserved(&name) {
        return Err(syn::Error::new(
            text.span(),
            format!("{name:?} is what reads and writes attributes: choose another name"),
        ));
    }
    let starts_well = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if starts_well && name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Ok(text);
    }
    Err(syn::Error::new(
        text.span(),
        format!("{name:?} cannot be called from every language: use letters, digits and `_`, and begin with no digit"),
    ))
}

/// What stands behind `attr`: nothing, or `(read)`.
fn access(input: ParseStream) -> syn::Result<Access> {
    if !input.peek(syn::token::Paren) {
        return Ok(Access::Write);
    }
    let list;
    parenthesized!(list in input);
    let word = list.call(Ident::parse_any)?;
    if word != "read" || !list.is_empty() {
        return Err(syn::Error::new(word.span(), "write `attr`, which can be read and written, or `attr(read)`"));
    }
    Ok(Access::Read)
}

fn parenthesized_list<T: syn::parse::Parse>(
    input: ParseStream,
    option: &Ident,
    what: &str,
    example: &str,
) -> syn::Result<Vec<T>> {
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(option.span(), format!("write {what} in parentheses: `{example}`")));
    }
    let list;
    parenthesized!(list in input);
    Ok(Punctuated::<T, Token![,]>::parse_terminated(&list)?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;
    use crate::names::text;

    fn read(attr: Attribute, place: Place) -> Result<Options, Vec<String>> {
        let mut mistakes = Mistakes::default();
        let options = Options::read(&[attr], place, &mut mistakes);
        mistakes.finish(options).map_err(|all| all.into_iter().map(|mistake| mistake.to_string()).collect())
    }

    fn mistakes(attr: Attribute, place: Place) -> Vec<String> {
        read(attr, place).err().unwrap_or_default()
    }

    #[test]
    fn options_are_read_in_any_order() {
        let options =
            read(parse_quote!(#[remote(oneway, crate = "my::pyroxene", name = "say",)]), Place::MESSAGE).unwrap();
        assert_eq!(options.name.as_ref().map(LitStr::value).as_deref(), Some("say"));
        assert!(options.oneway.is_some() && options.idempotent.is_none());
        assert_eq!(text(options.crate_path()), "my::pyroxene");

        let options = read(parse_quote!(#[remote(methods(Withdraw, bank::Echo<u64>))]), Place::OBJECT).unwrap();
        let messages: Vec<String> = options.methods.unwrap().messages.iter().map(text).collect();
        assert_eq!(messages, ["Withdraw", "bank::Echo<u64>"]);
    }

    #[test]
    fn without_a_word_pyroxene_goes_by_its_name() {
        assert_eq!(text(Options::default().crate_path()), "::pyroxene");
    }

    #[test]
    fn an_unknown_option_lists_the_known_ones() {
        assert_eq!(
            mistakes(parse_quote!(#[remote(attr(read), nested, idempotent)]), Place::PLAIN_METHOD),
            [
                "unknown option `attr`: a method here takes `idempotent`, `oneway`, `cancellable` and `name = \"…\"`",
                "unknown option `nested`: a method here takes `idempotent`, `oneway`, `cancellable` and `name = \"…\"`",
            ]
        );
        assert_eq!(
            mistakes(parse_quote!(#[remote(attr)]), Place::IMPLEMENTED),
            ["unknown option `attr`: a method that a trait declares takes none; remove it"]
        );
        assert_eq!(
            mistakes(parse_quote!(#[remote(attr(write))]), Place::FIELD),
            ["write `attr`, which can be read and written, or `attr(read)`"]
        );
        assert!(mistakes(parse_quote!(#[remote(name = "__getattr__")]), Place::METHOD)[0].contains("another name"));
    }

    #[test]
    fn every_mistake_is_found() {
        let found = mistakes(parse_quote!(#[remote(returns = u64, oneway oneway, name = "a.b", name)]), Place::MESSAGE);
        assert_eq!(found.len(), 4, "{found:#?}");
        assert!(found[0].contains("with the quotes"));
        assert!(found[1].contains("comma"));
        assert!(found[2].contains("\"a.b\" cannot be called"));
        assert!(found[3].contains("name = \"withdraw\""));
    }

    #[test]
    fn an_option_stands_once() {
        assert_eq!(
            mistakes(parse_quote!(#[remote(oneway, oneway)]), Place::METHOD),
            ["`oneway` is given twice; keep one"]
        );
        assert!(mistakes(parse_quote!(#[remote(methods)]), Place::OBJECT)[0].contains("in parentheses"));
        assert!(mistakes(parse_quote!(#[remote(returns = "u6 4")]), Place::MESSAGE)[0].contains("does not read"));
    }

    #[test]
    fn no_tokens_make_it_panic() {
        for attr in [
            parse_quote!(#[remote]),
            parse_quote!(#[remote = "x"]),
            parse_quote!(#[remote(,)]),
            parse_quote!(#[remote("x")]),
            parse_quote!(#[remote(methods(,))]),
            parse_quote!(#[remote(name = )]),
        ] {
            assert!(!mistakes(attr, Place::MESSAGE).is_empty());
        }
    }
}
