//! Where the code of a macro says it stands: the compiler shows that place when something in it does not fit.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;

/// Where the user wrote the tokens, for errors; still code of the macro, for lints.
pub(crate) fn place(tokens: &impl ToTokens) -> Span {
    tokens.span().resolved_at(Span::call_site())
}

/// The same tokens at another place.
pub(crate) fn located(tokens: &TokenStream, place: Span) -> TokenStream {
    let moved = tokens.clone().into_iter().map(|mut tree| {
        if let TokenTree::Group(group) = &tree {
            tree = Group::new(group.delimiter(), located(&group.stream(), place)).into();
        }
        tree.set_span(place);
        tree
    });
    moved.collect()
}
