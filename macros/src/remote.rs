//! `#[pyroxene::remote]`: which of the three things it is on, and what it reads there.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{
    FnArg, ImplItem, ImplItemFn, Item, ItemImpl, ItemTrait, PathArguments, TraitItem, Type, Visibility, parse_quote,
    parse2,
};

use crate::mistakes::Mistakes;
use crate::model::{Attributes, Method, Object, bare};
use crate::options::{Options, Place, is_remote, strip};
use crate::{adapter, attributes, check, message, object_side, proxy_side};

/// Expands the attribute. The item itself is kept even when there are mistakes, so that they are all that is reported.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let options = Options::of_item(options, &mut mistakes);
    let krate = options.crate_path();
    let (kept, code) = match parse2(item.clone()) {
        Ok(Item::Impl(mut block)) => {
            if let Some((keyword, _)) = &options.adapter {
                mistakes.at(keyword, "an adapter is made from a trait that lists the methods: write this on one");
            }
            let code = if block.trait_.is_some() {
                only_on_a_block(&options, &mut mistakes);
                of_implemented(&krate, &block, &mut mistakes)
            } else if options.nested.is_some() {
                of_nested(krate, &block, &mut mistakes).as_ref().map(for_nested)
            } else {
                of_block(krate, &block, &options, &mut mistakes).as_ref().map(for_block)
            };
            keep_block(&mut block);
            (block.into_token_stream(), code)
        }
        Ok(Item::Trait(mut shared)) => {
            only_on_a_block(&options, &mut mistakes);
            let mut code = for_trait(&of_trait(krate.clone(), &shared, &mut mistakes));
            if let Some((_, adapted)) = &options.adapter {
                code.extend(adapter::expand(&krate, &mut shared, adapted));
            }
            keep_trait(&mut shared);
            (shared.into_token_stream(), Some(code))
        }
        other => {
            mistakes.add(misplaced(other, &item));
            (item, None)
        }
    };
    let code = mistakes.finish(code).unwrap_or_else(|mistakes| Some(mistakes.to_compile_error()));
    quote!(#kept #code)
}

fn for_block(object: &Object) -> TokenStream {
    let messages = message::of_methods(object);
    let interface = object_side::interface(object);
    let hosted = object_side::hosted(object);
    let proxy = proxy_side::proxy(object);
    quote!(#messages #interface #hosted #proxy)
}

fn for_nested(object: &Object) -> TokenStream {
    let messages = message::of_methods(object);
    let nested = object_side::nested(object);
    quote!(#messages #nested)
}

/// A trait has no state.
fn only_on_a_block(options: &Options, mistakes: &mut Mistakes) {
    for option in [&options.nested, &options.attributes].into_iter().flatten() {
        mistakes.at(option, "attributes are state, and a trait has none: write this on an `impl` of the type itself");
    }
}

fn for_trait(object: &Object) -> TokenStream {
    let messages = message::of_methods(object);
    let interface = object_side::interface(object);
    let shared = object_side::shared(object, &object.ident);
    let proxy = proxy_side::proxy(object);
    let from_objects = proxy_side::from_objects(object);
    quote!(#messages #interface #shared #proxy #from_objects)
}

/// An object whose methods are the `pub fn`s of its own `impl` block.
fn of_block(krate: TokenStream, block: &ItemImpl, options: &Options, mistakes: &mut Mistakes) -> Option<Object> {
    let ident = plain_type(block, mistakes);
    let interface = block.self_ty.to_token_stream();
    let functions = callable(block, mistakes);
    // What an attribute takes is found first: its methods are none of the object's.
    let mut of_attributes = HashSet::new();
    let mut attributes = Vec::new();
    for function in &functions {
        let read = Options::read(&function.attrs, Place::METHOD, &mut Mistakes::default());
        if read.attr.is_none() && read.nested.is_none() {
            continue;
        }
        let read = Options::read(&function.attrs, Place::METHOD, mistakes);
        let sets = format!("set_{}", function.sig.ident.unraw());
        let set = functions.iter().find(|other| read.nested.is_none() && other.sig.ident == sets);
        of_attributes.insert(&function.sig.ident);
        of_attributes.extend(set.map(|set| &set.sig.ident));
        attributes.extend(check::attribute(function, &read, set.copied(), &interface, mistakes));
    }
    let methods: Vec<Method> = functions
        .iter()
        .filter(|function| !of_attributes.contains(&function.sig.ident))
        .map(|function| check::method(&function.sig, &function.attrs, Some(&interface), mistakes))
        .collect();
    if methods.is_empty() && of_attributes.is_empty() && options.attributes.is_none() {
        mistakes.at(&block.self_ty, NOTHING);
    }
    unique(&methods, mistakes);
    attributes::unique(&attributes, mistakes);
    for attribute in attributes.iter().filter(|one| methods.iter().any(|method| method.name == one.name)) {
        mistakes.at(
            &attribute.at,
            format!("a method is called {:?} as well: give one of them another name", attribute.name),
        );
    }
    let attributes = match &options.attributes {
        None => Attributes::Methods(attributes),
        Some(keyword) => {
            if !attributes.is_empty() {
                mistakes.at(keyword, "the attributes are either the fields of the type or methods here: keep one");
            }
            Attributes::Derived
        }
    };
    Some(Object { krate, ident: ident?, interface, vis: parse_quote!(pub), methods, attributes })
}

const NOTHING: &str = "nothing here can be called from afar: make a method of it, `pub fn name(&mut self, …)`";

/// The methods of nested state.
fn of_nested(krate: TokenStream, block: &ItemImpl, mistakes: &mut Mistakes) -> Option<Object> {
    let ident = plain_type(block, mistakes);
    let interface = block.self_ty.to_token_stream();
    let functions = callable(block, mistakes);
    for function in &functions {
        let options = Options::read(&function.attrs, Place::METHOD, &mut Mistakes::default());
        if let Some(keyword) = options.attr.as_ref().map(|(keyword, _)| keyword).or(options.nested.as_ref()) {
            mistakes.at(keyword, "the attributes of nested state are its fields: write this on one of them");
        }
        if let Some(token) = &function.sig.asyncness {
            mistakes
                .at(token, "a method of nested state ends at once: make it a plain `fn`, or a method of the object");
        }
    }
    let methods: Vec<Method> = functions
        .iter()
        .map(|function| check::method(&function.sig, &function.attrs, Some(&interface), mistakes))
        .collect();
    if methods.is_empty() {
        mistakes.at(&block.self_ty, NOTHING);
    }
    unique(&methods, mistakes);
    let attributes = Attributes::Methods(Vec::new());
    Some(Object { krate, ident: ident?, interface, vis: parse_quote!(pub), methods, attributes })
}

/// What can be called from afar in a block.
fn callable<'a>(block: &'a ItemImpl, mistakes: &mut Mistakes) -> Vec<&'a ImplItemFn> {
    let functions = block.items.iter().filter_map(|item| match item {
        ImplItem::Fn(function) => Some(function),
        _ => None,
    });
    functions
        .filter(|function| {
            let callable = matches!(function.vis, Visibility::Public(_)) && has_receiver(&function.sig.inputs);
            for attr in function.attrs.iter().filter(|attr| !callable && is_remote(attr)) {
                mistakes.at(
                    attr,
                    "this cannot be called from afar: make it a `pub fn` with `&self` or `&mut self`, or remove this",
                );
            }
            callable
        })
        .collect()
}

/// What a trait shares between objects and their callers.
fn of_trait(krate: TokenStream, shared: &ItemTrait, mistakes: &mut Mistakes) -> Object {
    if let Some(token) = &shared.unsafety {
        mistakes.at(token, "a caller elsewhere cannot promise what an unsafe trait needs: make it safe");
    }
    if !shared.generics.params.is_empty() {
        mistakes.at(
            &shared.generics.params,
            "a remote trait cannot be generic, since its callers are compiled elsewhere: write the concrete types",
        );
    }
    if let Some(clause) = &shared.generics.where_clause {
        mistakes.at(clause, "a remote trait has nothing to constrain: remove the `where` clause");
    }
    let mut methods = Vec::new();
    for item in &shared.items {
        match item {
            TraitItem::Fn(function) if has_receiver(&function.sig.inputs) => {
                methods.push(check::method(&function.sig, &function.attrs, None, mistakes));
            }
            TraitItem::Fn(function) => mistakes.at(
                &function.sig,
                "every function of a remote trait is called on an object: give it `&self` or `&mut self`, or move it to another trait",
            ),
            other => mistakes.at(other, "a remote trait has only methods: move this to another trait"),
        }
    }
    if shared.items.is_empty() {
        mistakes.at(&shared.ident, "nothing here can be called from afar: declare a method, `fn name(&mut self, …);`");
    }
    unique(&methods, mistakes);
    let ident = shared.ident.clone();
    Object {
        krate,
        interface: quote!(dyn #ident),
        ident,
        vis: shared.vis.clone(),
        methods,
        attributes: Attributes::Methods(Vec::new()),
    }
}

/// An object with the methods of a shared trait.
fn of_implemented(krate: &TokenStream, block: &ItemImpl, mistakes: &mut Mistakes) -> Option<TokenStream> {
    let ident = plain_type(block, mistakes);
    for item in &block.items {
        let ImplItem::Fn(function) = item else { continue };
        Options::read(&function.attrs, Place::IMPLEMENTED, mistakes);
    }
    let (negative, path, _) = block.trait_.as_ref()?;
    if let Some(token) = negative {
        mistakes.at(token, "only a trait that is implemented makes an object: remove this");
    }
    if let Some(last) = path.segments.last().filter(|last| !matches!(last.arguments, PathArguments::None)) {
        mistakes.at(&last.arguments, "a remote trait is not generic: remove the arguments");
    }
    Some(object_side::implemented(krate, &ident?, path))
}

/// The name of the type that a block is for: callers elsewhere need one they can name.
fn plain_type(block: &ItemImpl, mistakes: &mut Mistakes) -> Option<syn::Ident> {
    const CONCRETE: &str = "an object is of one concrete type, which its proxy is named after: wrap it in a struct of its own, \
                            `struct UserCache(Cache<User>)`";
    if let Some(token) = &block.unsafety {
        mistakes.at(token, "a caller elsewhere cannot promise what an unsafe trait needs: make it safe");
    }
    if !block.generics.params.is_empty() {
        mistakes.at(&block.generics.params, CONCRETE);
        return None;
    }
    match bare(&block.self_ty) {
        Type::Path(path) if path.qself.is_none() => {
            let last = path.path.segments.last()?;
            if matches!(last.arguments, PathArguments::None) {
                return Some(last.ident.clone());
            }
            mistakes.at(&last.arguments, CONCRETE);
        }
        other => mistakes.at(other, CONCRETE),
    }
    None
}

fn has_receiver<'a>(inputs: impl IntoIterator<Item = &'a FnArg>) -> bool {
    matches!(inputs.into_iter().next(), Some(FnArg::Receiver(_)))
}

/// A name on the wire means one method.
fn unique(methods: &[Method], mistakes: &mut Mistakes) {
    let mut seen = HashSet::new();
    for method in methods.iter().filter(|method| !seen.insert(method.name.as_str())) {
        mistakes.at(
            &method.ident,
            format!("another method is called {:?} as well: give one of them another name", method.name),
        );
    }
}

/// The block as the compiler sees it. `pub` in it says what can be called from afar, which needs nobody who names it here.
fn keep_block(block: &mut ItemImpl) {
    // What comes over a wire is owned, whether a method keeps it or not.
    block.attrs.push(parse_quote!(#[allow(unreachable_pub, clippy::needless_pass_by_value)]));
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item {
            strip(&mut function.attrs);
        }
    }
}

/// The trait as the compiler sees it. `dyn Trait` stands for it among types, which a trait with an `async fn` allows if that is left out there.
fn keep_trait(shared: &mut ItemTrait) {
    shared.attrs.push(parse_quote!(#[allow(async_fn_in_trait)]));
    for item in &mut shared.items {
        let TraitItem::Fn(function) = item else { continue };
        strip(&mut function.attrs);
        if function.sig.asyncness.is_some() {
            function.sig.generics.make_where_clause().predicates.push(parse_quote!(Self: Sized));
        }
    }
}

fn misplaced(item: syn::Result<Item>, tokens: &TokenStream) -> syn::Error {
    match item {
        Ok(Item::Struct(item)) => misplaced_on_type(&item.ident),
        Ok(Item::Enum(item)) => misplaced_on_type(&item.ident),
        Ok(Item::Fn(item)) => syn::Error::new_spanned(
            &item.sig.ident,
            "`#[pyroxene::remote]` goes on the `impl` block around methods; the options of one method are written `#[remote(…)]`",
        ),
        Ok(_) => syn::Error::new_spanned(
            tokens,
            "`#[pyroxene::remote]` goes on an `impl` block, or on a trait that clients share",
        ),
        Err(mistake) => mistake,
    }
}

fn misplaced_on_type(ident: &syn::Ident) -> syn::Error {
    syn::Error::new_spanned(
        ident,
        format!(
            "`#[pyroxene::remote]` goes on `impl {ident}`, where the methods are. If `{ident}` is an actix actor, write \
             `#[derive(RemoteObject)]` and below it `#[remote(methods(…))]`; if it is a message, `#[derive(RemoteMessage)]`"
        ),
    )
}

#[cfg(test)]
mod tests;
