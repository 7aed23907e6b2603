//! What a method must be like to be called from another process, and what to write where it is not.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute as Written, FnArg, ImplItemFn, Pat, PatType, Receiver, ReturnType, Signature, Type, parse_quote, parse2,
};

use crate::attributes::{Attribute, Source};
use crate::mistakes::Mistakes;
use crate::model::{Argument, Method, Returns, bare};
use crate::names::{first_paragraph, text, without_self};
use crate::options::{Access, Options, Place, is_reserved};

/// Names that the proxy has functions of its own for.
const OF_THE_PROXY: [&str; 3] = ["connect", "proxy", "retrying"];

/// The method that a signature describes. `this` is what `Self` stands for, if it stands for one type.
pub(crate) fn method(
    signature: &Signature,
    attrs: &[Written],
    this: Option<&TokenStream>,
    mistakes: &mut Mistakes,
) -> Method {
    // That of an attribute was looked at before.
    let place = if this.is_some() { Place::METHOD } else { Place::PLAIN_METHOD };
    let options = Options::read(attrs, place, mistakes);
    name(signature, mistakes);
    conditions(attrs, mistakes);
    qualifiers(signature, mistakes);
    let changes = signature.receiver().is_some_and(|receiver| changes(receiver, mistakes));
    let arguments = signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(argument) => self::argument(argument, this, mistakes),
        FnArg::Receiver(_) => None,
    });
    let arguments = arguments.collect();
    let returns = returns(&signature.output, this, mistakes);
    if options.oneway.is_some() {
        oneway(&returns, mistakes);
    }
    if options.cancellable.is_some() && signature.asyncness.is_none() {
        mistakes.at(
            signature.fn_token,
            "a method is stopped where it waits, and this one never does: make it an `async fn`, or drop `cancellable`",
        );
    }
    if let Some(span) = options.reentrant {
        reentrant(span, signature, changes, mistakes);
    }
    let flags = options.flags();
    Method {
        ident: signature.ident.clone(),
        name: options.name.map_or_else(|| syn::ext::IdentExt::unraw(&signature.ident).to_string(), |name| name.value()),
        docs: attrs.iter().filter(|attr| is_copied(attr)).cloned().collect(),
        changes,
        is_async: signature.asyncness.is_some(),
        arguments,
        returns,
        flags,
    }
}

/// The attribute that a method returns, `options` say so; `set` is the method that sets it, if there is one.
pub(crate) fn attribute(
    function: &ImplItemFn,
    options: &Options,
    set: Option<&ImplItemFn>,
    this: &TokenStream,
    mistakes: &mut Mistakes,
) -> Option<Attribute> {
    let keyword = options.of_attribute(mistakes)?;
    let signature = &function.sig;
    for span in [options.idempotent, options.oneway, options.cancellable, options.reentrant].into_iter().flatten() {
        mistakes.add(syn::Error::new(span, "an attribute is read and written, not called: remove this"));
    }
    name(signature, mistakes);
    conditions(&function.attrs, mistakes);
    qualifiers(signature, mistakes);
    if let Some(token) = &signature.asyncness {
        mistakes.at(token, "an attribute is read at once: make it a plain `fn`, or a method");
    }
    if let Some(argument) = signature.inputs.iter().nth(1) {
        mistakes.at(argument, "an attribute is read without arguments: remove this, or make it a method");
    }
    let changes = signature.receiver().is_some_and(|receiver| changes(receiver, mistakes));
    let ReturnType::Type(_, output) = &signature.output else {
        mistakes.at(&signature.ident, "an attribute is a value: return it");
        return None;
    };
    let at = options.name.as_ref().map_or_else(|| quote!(#keyword), |name| quote!(#name));
    let name = options
        .name
        .as_ref()
        .map_or_else(|| syn::ext::IdentExt::unraw(&signature.ident).to_string(), syn::LitStr::value);
    let doc = first_paragraph(&function.attrs);
    if options.nested.is_some() {
        let Type::Reference(reference) = bare(output) else {
            mistakes.at(output, "what is nested is reached where it is: return it as `&mut Address`");
            return None;
        };
        if !changes || reference.mutability.is_none() {
            mistakes.at(
                output,
                "what is nested is reached to be read and written: `fn address(&mut self) -> &mut Address`",
            );
        }
        let ty = (*reference.elem).clone();
        return Some(Attribute { name, at, ty, doc, source: Source::NestedMethod(signature.ident.clone()) });
    }
    if changes {
        mistakes.at(&signature.inputs, "reading an attribute changes nothing: write `&self`");
    }
    let ty = match bare(output) {
        Type::Reference(_) => syn::parse_str(&owned_form(output)).unwrap_or_else(|_| (**output).clone()),
        _ => (**output).clone(),
    };
    let ty = owned(&ty, "an attribute", Some(this), mistakes);
    let read_only = matches!(options.attr, Some((_, Access::Read)));
    let set = set.filter(|_| !read_only).and_then(|set| setter(set, this, mistakes));
    Some(Attribute { name, at, ty, doc, source: Source::Method { get: signature.ident.clone(), set } })
}

/// The method that sets an attribute, with the type it takes.
fn setter(function: &ImplItemFn, this: &TokenStream, mistakes: &mut Mistakes) -> Option<(syn::Ident, Box<Type>)> {
    let signature = &function.sig;
    Options::read(&function.attrs, Place::SETTER, mistakes);
    conditions(&function.attrs, mistakes);
    qualifiers(signature, mistakes);
    if let Some(token) = &signature.asyncness {
        mistakes.at(
            token,
            "an attribute is written at once: make it a plain `fn`, or name it otherwise to make it a method",
        );
    }
    if let [FnArg::Receiver(_), FnArg::Typed(argument)] = signature.inputs.iter().collect::<Vec<_>>()[..] {
        let ty = owned(&argument.ty, "an attribute", Some(this), mistakes);
        return Some((signature.ident.clone(), Box::new(ty)));
    }
    mistakes.at(
        &signature.inputs,
        "this sets the attribute of its name, and so takes `&mut self` and one value; name it otherwise to make it a method",
    );
    None
}

/// Whether the proxy's method has this attribute as well.
fn is_copied(attr: &Written) -> bool {
    attr.path().is_ident("doc") || attr.path().is_ident("deprecated")
}

fn name(signature: &Signature, mistakes: &mut Mistakes) {
    let name = signature.ident.to_string();
    if is_reserved(&name) {
        mistakes.at(&signature.ident, format!("`{name}` is what reads and writes attributes: choose another name"));
    }
    if OF_THE_PROXY.contains(&name.as_str()) {
        mistakes.at(
            &signature.ident,
            format!(
                "the proxy has a function `{name}` of its own: give the method another name in Rust; \
                 `#[remote(name = \"{name}\")]` keeps this one on the wire"
            ),
        );
    }
}

/// A method that is sometimes there would give client and server different tables.
fn conditions(attrs: &[Written], mistakes: &mut Mistakes) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr")) {
        mistakes
            .at(attr, "a remote method is always there: put the condition on the whole block, or inside the method");
    }
}

fn qualifiers(signature: &Signature, mistakes: &mut Mistakes) {
    let generics = &signature.generics;
    if !generics.params.is_empty() {
        mistakes.at(
            &generics.params,
            "a remote method cannot be generic, since its callers are compiled elsewhere: write the concrete types, \
             one method for each",
        );
    }
    if let Some(clause) = &generics.where_clause {
        mistakes.at(clause, "a remote method has nothing to constrain: remove the `where` clause");
    }
    if let Some(token) = &signature.unsafety {
        mistakes.at(token, "a caller elsewhere cannot promise what an unsafe method needs: make it safe");
    }
    if let Some(abi) = &signature.abi {
        mistakes.at(abi, "a remote method is called by pyroxene, not through an ABI: remove this");
    }
}

fn changes(receiver: &Receiver, mistakes: &mut Mistakes) -> bool {
    if receiver.reference.is_none() || receiver.colon_token.is_some() {
        mistakes.at(receiver, "the object stays where it is when it is called: write `&self` or `&mut self`");
    }
    receiver.mutability.is_some()
}

fn argument(argument: &PatType, this: Option<&TokenStream>, mistakes: &mut Mistakes) -> Option<Argument> {
    conditions(&argument.attrs, mistakes);
    let ty = owned(&argument.ty, "an argument", this, mistakes);
    match &*argument.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
            Some(Argument { ident: pat.ident.clone(), ty })
        }
        pattern => {
            mistakes
                .at(pattern, "callers see an argument by its name: write a name here, and take it apart in the body");
            None
        }
    }
}

fn returns(output: &ReturnType, this: Option<&TokenStream>, mistakes: &mut Mistakes) -> Returns {
    match output {
        ReturnType::Default => Returns { output: parse_quote!(()), split: None },
        ReturnType::Type(_, ty) => Returns::of(owned(ty, "a reply", this, mistakes), mistakes),
    }
}

/// A reentrant method runs while another one is in the middle of its work.
fn reentrant(span: proc_macro2::Span, signature: &Signature, changes: bool, mistakes: &mut Mistakes) {
    if changes {
        mistakes.at(
            signature.receiver(),
            "a reentrant method meets the object while another method has it: write `&self`, and keep what it changes in a `Cell` or \
             `RefCell`",
        );
    }
    if signature.asyncness.is_some() {
        mistakes.add(syn::Error::new(
            span,
            "a reentrant method ends at once, since another one waits for it: make it a plain `fn`, or drop `reentrant`",
        ));
    }
}

/// Nobody waits for a oneway, so it has nothing to say.
pub(crate) fn oneway(returns: &Returns, mistakes: &mut Mistakes) {
    if !returns.is_nothing() {
        mistakes
            .at(&returns.output, "nobody waits for a oneway, so nobody would get this: return `()`, or drop `oneway`");
    }
}

/// The type as it stands in a message: one that owns what it holds, with `Self` replaced by `this`.
pub(crate) fn owned(ty: &Type, what: &str, this: Option<&TokenStream>, mistakes: &mut Mistakes) -> Type {
    if let Some((place, problem)) = unfit(ty.to_token_stream(), this.is_some()) {
        let instead = match bare(ty) {
            Type::Reference(_) => format!("write `{}`", owned_form(ty)),
            _ => problem.instead.to_owned(),
        };
        mistakes.at(place, format!("{what} is copied to another process, so {}: {instead}", problem.why));
    }
    let Some(this) = this else { return ty.clone() };
    parse2(without_self(ty.to_token_stream(), this)).unwrap_or_else(|_| ty.clone())
}

/// Why a type cannot stand in a message.
struct Problem {
    why: &'static str,
    instead: &'static str,
}

const BORROWED: Problem = Problem { why: "it cannot borrow", instead: "write a type that owns what it holds" };
const NOT_NAMED: Problem = Problem { why: "its type has to be known there", instead: "name a concrete type" };
const SELF: Problem =
    Problem { why: "its type has to be known there", instead: "`Self` is another type in every object; name one" };

/// The first token that cannot stand in a message. `Self` can, if it is one type.
fn unfit(tokens: TokenStream, self_is_known: bool) -> Option<(TokenStream, Problem)> {
    let mut rest = tokens.into_iter();
    while let Some(tree) = rest.next() {
        let problem = match &tree {
            TokenTree::Group(group) => match unfit(group.stream(), self_is_known) {
                Some(found) => return Some(found),
                None => continue,
            },
            TokenTree::Punct(punct) if punct.as_char() == '&' => BORROWED,
            TokenTree::Punct(punct) if punct.as_char() == '\'' => match rest.next() {
                Some(TokenTree::Ident(lifetime)) if lifetime == "static" => continue,
                lifetime => return Some((quote!(#tree #lifetime), BORROWED)),
            },
            TokenTree::Ident(ident) if ident == "impl" => NOT_NAMED,
            TokenTree::Ident(ident) if ident == "Self" && !self_is_known => SELF,
            _ => continue,
        };
        return Some((tree.into(), problem));
    }
    None
}

/// `&str` → `String`, and so on.
fn owned_form(ty: &Type) -> String {
    match bare(ty) {
        Type::Reference(reference) => match &*reference.elem {
            Type::Slice(slice) => format!("Vec<{}>", owned_form(&slice.elem)),
            Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
            Type::Path(path) if path.path.is_ident("Path") => "PathBuf".to_owned(),
            other => owned_form(other),
        },
        other => text(other),
    }
}

#[cfg(test)]
mod tests;
