//! What the macros know of an object before they write code for it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, GenericArgument, Ident, PathArguments, Type, Visibility};

use crate::attributes;
use crate::mistakes::Mistakes;
use crate::names::camel_case;

/// An object, or the trait it shares with its clients, with its methods.
pub(crate) struct Object {
    /// The path to `pyroxene`.
    pub(crate) krate: TokenStream,
    /// Its name without path: `Account`.
    pub(crate) ident: Ident,
    /// The type that stands for it: `bank::Account`, or `dyn Bank` for a trait.
    pub(crate) interface: TokenStream,
    /// Who may see what is made for it.
    pub(crate) vis: Visibility,
    pub(crate) methods: Vec<Method>,
    pub(crate) attributes: Attributes,
}

/// Where the attributes of an object are.
pub(crate) enum Attributes {
    /// Among its methods, if there are any.
    Methods(Vec<attributes::Attribute>),
    /// They are those of its own derive.
    Derived,
}

impl Attributes {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Attributes::Methods(attributes) if attributes.is_empty())
    }
}

impl Object {
    /// The name of the proxy.
    pub(crate) fn proxy(&self) -> Ident {
        format_ident!("{}Proxy", self.ident)
    }

    /// The name of the message of one method.
    pub(crate) fn message(&self, method: &Method) -> Ident {
        format_ident!("{}{}Message", self.ident, camel_case(&method.ident), span = method.ident.span())
    }
}

/// A method that can be called from afar.
pub(crate) struct Method {
    /// Its name in Rust.
    pub(crate) ident: Ident,
    /// Its name on the wire.
    pub(crate) name: String,
    /// Its documentation, and whether it is deprecated.
    pub(crate) docs: Vec<Attribute>,
    /// `&mut self`, not `&self`.
    pub(crate) changes: bool,
    pub(crate) is_async: bool,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) returns: Returns,
    pub(crate) flags: Flags,
}

/// An argument of a method, which is a field of its message.
pub(crate) struct Argument {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
}

/// What callers may assume about a method.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flags {
    pub(crate) idempotent: bool,
    pub(crate) oneway: bool,
    pub(crate) cancellable: bool,
    pub(crate) reentrant: bool,
}

impl Flags {
    /// As a constant of pyroxene.
    pub(crate) fn expand(self, krate: &TokenStream) -> TokenStream {
        let flags = quote!(#krate::__private::MethodFlags);
        let mut set = [
            (self.oneway, quote!(#flags::ONEWAY)),
            (self.idempotent, quote!(#flags::IDEMPOTENT)),
            (self.cancellable, quote!(#flags::CANCELLABLE)),
            (self.reentrant, quote!(#flags::REENTRANT)),
        ]
        .into_iter()
        .filter_map(|(is, flag)| is.then_some(flag));
        let first = set.next().unwrap_or_else(|| quote!(#flags::NONE));
        quote!(#first #(.with(#set))*)
    }
}

/// What a handler returns.
pub(crate) struct Returns {
    pub(crate) output: Type,
    /// Reply and error, if it is a `Result`.
    pub(crate) split: Option<(Type, Type)>,
}

impl Returns {
    /// Takes a `Result` apart. An alias hides the error's type, and the caller has to know it.
    pub(crate) fn of(output: Type, mistakes: &mut Mistakes) -> Returns {
        let split = match result_arguments(&output).as_deref() {
            None => None,
            Some([reply, error]) => Some((reply.clone(), error.clone())),
            Some(_) => {
                mistakes.at(
                    &output,
                    "the error's type is hidden in an alias, but callers get the error itself: write both types out, \
                     `Result<u64, Overdrawn>`",
                );
                None
            }
        };
        Returns { output, split }
    }

    /// Whether the caller gets a stream of items.
    pub(crate) fn is_stream(&self) -> bool {
        let reply = self.split.as_ref().map_or(&self.output, |(reply, _)| reply);
        let Type::Path(path) = bare(reply) else { return false };
        path.path.segments.last().is_some_and(|last| last.ident == "Items" && !last.arguments.is_none())
    }

    /// Whether it is `()`.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(bare(&self.output), Type::Tuple(tuple) if tuple.elems.is_empty())
    }
}

fn result_arguments(ty: &Type) -> Option<Vec<Type>> {
    let Type::Path(path) = bare(ty) else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Result")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Some(Vec::new()) };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    });
    Some(types.collect())
}

/// The type without the parentheses and invisible groups around it.
pub(crate) fn bare(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        };
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;
    use crate::names::text;

    fn returns(ty: Type) -> Result<Returns, String> {
        let mut mistakes = Mistakes::default();
        let returns = Returns::of(ty, &mut mistakes);
        mistakes.finish(returns).map_err(|mistake| mistake.to_string())
    }

    #[test]
    fn a_result_is_taken_apart() {
        for ty in [parse_quote!(Result<Vec<u64>, Overdrawn>), parse_quote!((std::result::Result<Vec<u64>, Overdrawn>))]
        {
            let (reply, error) = returns(ty).ok().and_then(|returns| returns.split).unwrap();
            assert_eq!((text(reply), text(error)), ("Vec<u64>".into(), "Overdrawn".into()));
        }
        for ty in
            [parse_quote!(u64), parse_quote!(()), parse_quote!(Option<Result<u64, Overdrawn>>), parse_quote!([u8; 4])]
        {
            assert!(returns(ty).unwrap().split.is_none());
        }
    }

    #[test]
    fn an_alias_of_result_hides_the_error() {
        for ty in [parse_quote!(io::Result<u64>), parse_quote!(fmt::Result)] {
            assert!(returns(ty).err().unwrap().contains("write both types out"));
        }
    }

    #[test]
    fn items_are_a_stream() {
        for ty in [parse_quote!(Items<u64>), parse_quote!(Result<pyroxene::Items<Vec<u8>>, Overdrawn>)] {
            assert!(returns(ty).unwrap().is_stream());
        }
        for ty in [parse_quote!(u64), parse_quote!(Vec<Items<u64>>), parse_quote!(Items), parse_quote!(())] {
            assert!(!returns(ty).unwrap().is_stream());
        }
    }

    #[test]
    fn nothing_is_an_empty_tuple() {
        assert!(returns(parse_quote!(())).unwrap().is_nothing());
        assert!(!returns(parse_quote!(((),))).unwrap().is_nothing());
        assert!(!returns(parse_quote!(Option<()>)).unwrap().is_nothing());
    }
}
