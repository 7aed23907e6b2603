//! Attributes: what of an object's state can be read and written from afar, and the code that does it.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Data, DataStruct, DeriveInput, Generics, Ident, Index, Member, Type};

use crate::mistakes::Mistakes;
use crate::names::first_paragraph;
use crate::options::{Access, Options, Place};
use crate::places::{located, place};

/// One attribute.
pub(crate) struct Attribute {
    /// Its name on the wire.
    pub(crate) name: String,
    /// Where a mistake in it is shown.
    pub(crate) at: TokenStream,
    pub(crate) ty: Type,
    pub(crate) doc: String,
    pub(crate) source: Source,
}

/// Where an attribute's value is.
pub(crate) enum Source {
    Field {
        member: Member,
        writable: bool,
    },
    NestedField(Member),
    /// A method that returns it, and one that sets it, with the type that takes.
    Method {
        get: Ident,
        set: Option<(Ident, Box<Type>)>,
    },
    /// A method that returns nested state to write to.
    NestedMethod(Ident),
}

/// The attributes among the fields of a type; a mistake where they cannot be.
pub(crate) fn of_fields(input: &DeriveInput, mistakes: &mut Mistakes) -> Vec<Attribute> {
    let (fields, is_struct): (Vec<&syn::Field>, bool) = match &input.data {
        Data::Struct(DataStruct { fields, .. }) => (fields.iter().collect(), true),
        Data::Enum(data) => (data.variants.iter().flat_map(|variant| &variant.fields).collect(), false),
        Data::Union(data) => (data.fields.named.iter().collect(), false),
    };
    let mut attributes = Vec::new();
    for (index, field) in fields.into_iter().enumerate() {
        let options = Options::read(&field.attrs, Place::FIELD, mistakes);
        let Some(keyword) = options.of_attribute(mistakes) else {
            if let Some(name) = &options.name {
                mistakes.at(name, "this field is hidden, and nobody calls it: write `attr` beside its name");
            }
            continue;
        };
        if !is_struct {
            mistakes.at(
                keyword,
                "only the fields of a struct can be attributes: a variant or a union has not always got them",
            );
            continue;
        }
        let member = match &field.ident {
            Some(ident) => Member::Named(ident.clone()),
            None => Member::Unnamed(Index::from(index)),
        };
        let own = field.ident.as_ref().map(|ident| syn::ext::IdentExt::unraw(ident).to_string());
        let Some(name) = options.name.as_ref().map(syn::LitStr::value).or(own) else {
            mistakes.at(
                keyword,
                "this field has no name to call the attribute by: add one, `#[remote(attr, name = \"…\")]`",
            );
            continue;
        };
        let source = match options.nested {
            Some(_) => Source::NestedField(member),
            None => Source::Field { member, writable: matches!(options.attr, Some((_, Access::Write))) },
        };
        let at = options.name.as_ref().map_or_else(|| quote!(#keyword), |name| quote!(#name));
        attributes.push(Attribute { name, at, ty: field.ty.clone(), doc: first_paragraph(&field.attrs), source });
    }
    unique(&attributes, mistakes);
    concrete(&input.generics, &attributes, mistakes);
    attributes
}

/// A name means one attribute.
pub(crate) fn unique(attributes: &[Attribute], mistakes: &mut Mistakes) {
    let mut seen = HashSet::new();
    for attribute in attributes.iter().filter(|attribute| !seen.insert(attribute.name.as_str())) {
        mistakes.at(
            &attribute.at,
            format!("another attribute is called {:?} as well: give one of them another name", attribute.name),
        );
    }
}

/// The table of methods is made once, by the compiler.
fn concrete(generics: &Generics, attributes: &[Attribute], mistakes: &mut Mistakes) {
    if !generics.params.is_empty() && !attributes.is_empty() {
        mistakes.at(
            &generics.params,
            "a generic type cannot have attributes: wrap it in a struct of its own, `struct UserCache(Cache<User>)`",
        );
    }
}

/// Expands `#[derive(RemoteAttributes)]`.
pub(crate) fn derive(input: TokenStream) -> syn::Result<TokenStream> {
    const NONE: &str = "nothing in it can be reached from afar: write `#[remote(attr)]` on a field";
    const TAKEN: &str =
        "a method and an attribute have the same name: give one of them another, `#[remote(name = \"…\")]`";
    let input: DeriveInput = syn::parse2(input)?;
    let mut mistakes = Mistakes::default();
    let options = Options::read(&input.attrs, Place::NESTED, &mut mistakes);
    let attributes = of_fields(&input, &mut mistakes);
    if attributes.is_empty() {
        mistakes.at(&input.ident, NONE);
    }
    let attributes = mistakes.finish(attributes)?;
    let (krate, ident) = (options.crate_path(), &input.ident);
    let code = implement(&krate, &quote!(#ident), &attributes, true);
    Ok(quote! {
        #code
        const _: () = ::core::assert!(
            #krate::__private::are_new_names(<#ident as #krate::__private::Attributes>::TABLE),
            #TAKEN,
        );
    })
}

/// `impl Attributes`. Nested state has the methods that stand in its `#[pyroxene::remote(nested)] impl` as well.
pub(crate) fn implement(
    krate: &TokenStream,
    this: &TokenStream,
    attributes: &[Attribute],
    with_methods: bool,
) -> TokenStream {
    let private = quote!(#krate::__private);
    let table = quote!(#private::attribute_table);
    let own = attributes.iter().map(|attribute| attribute.of_table(krate));
    let nested: Vec<TokenStream> = attributes
        .iter()
        .filter(|attribute| attribute.is_nested())
        .map(|Attribute { name, ty, .. }| {
            quote! {{
                const INNER: &[#private::Method] = <#ty as #private::Attributes>::TABLE;
                const NAMES: &[u8] = &#table::names::<{ #table::name_bytes(#name, INNER) }>(#name, INNER);
                &#table::prefixed::<{ INNER.len() }>(NAMES, #name, INNER)
            }}
        })
        .collect();
    let methods = with_methods.then(|| quote!(<#this>::__METHODS));
    let reads = attributes.iter().map(Attribute::read);
    let writes = attributes.iter().map(Attribute::write);
    let count = attributes.len();
    let calls = attributes.iter().filter(|attribute| attribute.is_nested()).map(|attribute| {
        let (ty, state) = (&attribute.ty, attribute.state());
        quote! {
            let within = <#ty as #private::Attributes>::TABLE.len();
            if place < within {
                return #private::Attributes::call(#state, place, invocation);
            }
            let place = place - within;
        }
    });
    let last =
        if with_methods { quote!(self.__call(place, invocation);) } else { quote!(let _ = (place, invocation);) };
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_variables)]
        impl #private::Attributes for #this {
            const TABLE: &'static [#private::Method] = {
                #[allow(unused_imports)]
                use #private::NoMethods as _;
                const OWN: &[#private::Method] = &[#(#own),*];
                const ALL: &[&[#private::Method]] = &[OWN, #(#nested,)* #methods];
                &#table::join::<{ #table::count(ALL) }>(ALL)
            };

            fn read(
                &mut self,
                at: #private::Access<'_>,
            ) -> ::core::result::Result<#private::Value, #private::AttributeError> {
                match at.name() {
                    #(#reads)*
                    _ => ::core::result::Result::Err(at.unknown(<Self as #private::Attributes>::TABLE)),
                }
            }

            fn write(
                &mut self,
                at: #private::Access<'_>,
                value: #private::Value,
            ) -> ::core::result::Result<(), #private::AttributeError> {
                match at.name() {
                    #(#writes)*
                    _ => ::core::result::Result::Err(at.unknown(<Self as #private::Attributes>::TABLE)),
                }
            }

            fn call(&mut self, place: usize, invocation: #private::Invocation) {
                #[allow(unused_imports)]
                use #private::NoMethods as _;
                // An attribute is read, and not called.
                let ::core::option::Option::Some(place) = place.checked_sub(#count) else { return };
                #(#calls)*
                #last
            }
        }
    }
}

/// The methods of an object with attributes: its own, those that access attributes, and the attributes.
pub(crate) fn methods(krate: &TokenStream, this: &TokenStream, own: &TokenStream) -> TokenStream {
    let private = quote!(#krate::__private);
    quote! {{
        const OWN: &[#private::Method] = &[#own];
        const ALL: &[&[#private::Method]] =
            &[OWN, #private::attribute_messages::METHODS, <#this as #private::Attributes>::TABLE];
        &#private::attribute_table::join::<{ #private::attribute_table::count(ALL) }>(ALL)
    }}
}

/// An object with attributes takes the messages that access them; `own` are the methods before those.
pub(crate) fn accepts(krate: &TokenStream, this: &TokenStream, own: usize) -> TokenStream {
    let messages = ["GetAttribute", "SetAttribute", "GetAttributes", "CompareAndSet", "WatchAttribute"];
    let accepts = messages.iter().enumerate().map(|(at, message)| {
        let message = quote::format_ident!("{message}");
        let place = own + at;
        quote! {
            #[automatically_derived]
            #[diagnostic::do_not_recommend]
            impl #krate::__private::Accepts<#krate::__private::attribute_messages::#message> for #this {
                const INDEX: usize = #place;
            }
        }
    });
    accepts.collect()
}

impl Attribute {
    fn is_nested(&self) -> bool {
        matches!(self.source, Source::NestedField(_) | Source::NestedMethod(_))
    }

    fn of_table(&self, krate: &TokenStream) -> TokenStream {
        let Attribute { name, ty, doc, source, .. } = self;
        let span = place(ty);
        let table = located(&quote!(#krate::__private::attribute_table), span);
        match source {
            Source::NestedField(_) | Source::NestedMethod(_) => {
                quote_spanned!(span=> #table::nested::<#ty>(#name, #doc))
            }
            Source::Field { writable, .. } => quote_spanned!(span=> #table::attribute::<#ty>(#name, #writable, #doc)),
            Source::Method { set, .. } => {
                let writable = set.is_some();
                quote_spanned!(span=> #table::attribute::<#ty>(#name, #writable, #doc))
            }
        }
    }

    fn read(&self) -> TokenStream {
        let name = &self.name;
        let read = match &self.source {
            Source::Field { member, .. } => quote!(at.read(&self.#member)),
            Source::Method { get, .. } => quote!(at.read(&self.#get())),
            Source::NestedField(_) | Source::NestedMethod(_) => {
                let state = self.state();
                quote!(at.read_nested(#state))
            }
        };
        quote!(#name => #read,)
    }

    fn write(&self) -> TokenStream {
        let name = &self.name;
        let write = match &self.source {
            Source::Field { member, writable: true } => quote!(at.write(&mut self.#member, value)),
            Source::Field { .. } | Source::Method { set: None, .. } => {
                quote!(::core::result::Result::Err(at.read_only(::core::option::Option::None)))
            }
            Source::Method { get, set: Some((set, ty)) } => quote! {{
                let value: #ty = at.fitted(value, || at.value(&self.#get()))?;
                at.set(self.#set(value))
            }},
            Source::NestedField(_) | Source::NestedMethod(_) => {
                let state = self.state();
                quote!(at.write_nested(#state, value))
            }
        };
        quote!(#name => #write,)
    }

    /// The nested state, to write to.
    fn state(&self) -> TokenStream {
        match &self.source {
            Source::NestedMethod(get) => quote!(self.#get()),
            Source::NestedField(member) | Source::Field { member, .. } => quote!(&mut self.#member),
            Source::Method { get, .. } => quote!(&mut self.#get()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_has, mistakes};

    #[test]
    fn each_attribute_has_its_type_and_its_access() {
        let code = derive(quote! {
            struct Address {
                /// Where the letters go.
                #[remote(attr)]
                street: String,
                #[remote(attr(read), name = "count")]
                moves: u64,
                #[remote(nested)]
                geo: Geo,
                key: String,
            }
        })
        .unwrap();
        let table = "::pyroxene::__private::attribute_table";
        assert_has(&code, &format!("{table}::attribute::<String>(\"street\", true, \"Where the letters go.\")"));
        assert_has(&code, &format!("{table}::attribute::<u64>(\"count\", false, \"\")"));
        assert_has(&code, &format!("{table}::nested::<Geo>(\"geo\", \"\")"));
        assert_has(&code, "\"street\" => at.write(&mut self.street, value),");
        assert_has(&code, "\"count\" => ::core::result::Result::Err(at.read_only(");
        assert_has(&code, "\"geo\" => at.read_nested(&mut self.geo),");
    }

    #[test]
    fn all_mistakes_are_found() {
        let found = mistakes(derive(quote! {
            struct Address<T> {
                #[remote(attr, nested)] street: String,
                #[remote(name = "street", attr)] other: T,
                #[remote(attr(write))] third: T,
            }
        }));
        assert_eq!(found.len(), 4, "{found:#?}");
        let nothing = mistakes(derive(quote!(
            struct Address {
                street: String,
            }
        )));
        assert!(nothing[0].contains("nothing in it can be reached"), "{nothing:?}");
        let unnamed = mistakes(derive(quote!(
            struct Address(#[remote(attr)] String);
        )));
        assert!(unnamed[0].contains("no name to call the attribute by"), "{unnamed:?}");
        let variant = mistakes(derive(quote!(
            enum Address {
                One {
                    #[remote(attr)]
                    street: String,
                },
            }
        )));
        assert!(variant[0].contains("only the fields of a struct"), "{variant:?}");
    }
}
