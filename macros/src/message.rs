//! `impl RemoteMessage`, and the message of a method.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{GenericArgument, Generics, Ident, Member, PathArguments, Type, TypePath};

use crate::model::{Flags, Method, Object, Returns};
use crate::names::{first_paragraph, text};

/// What `impl RemoteMessage` says.
pub(crate) struct Message<'a> {
    pub(crate) krate: &'a TokenStream,
    pub(crate) ident: &'a Ident,
    pub(crate) generics: &'a Generics,
    pub(crate) method: &'a str,
    pub(crate) flags: Flags,
    pub(crate) returns: &'a Returns,
    pub(crate) doc: String,
    /// Fields that are spelled as lists of bytes, and written by `blob`.
    pub(crate) lists: Vec<Member>,
}

impl Message<'_> {
    /// The `impl`.
    pub(crate) fn expand(&self) -> TokenStream {
        let Message { krate, ident, method, doc, .. } = self;
        let output = &self.returns.output;
        let (reply, error, outcome) = match &self.returns.split {
            Some((reply, error)) => (quote!(#reply), quote!(#error), quote!(output)),
            None => (quote!(#output), quote!(#krate::__private::Never), quote!(::core::result::Result::Ok(output))),
        };
        let flags = self.flags.expand(krate);
        let (flags, items) = if self.returns.is_stream() {
            (quote!(#flags.with(#krate::__private::MethodFlags::STREAM)), Some(items(krate)))
        } else {
            (flags, None)
        };
        let lists = (!self.lists.is_empty()).then(|| show_lists(krate, &self.lists));
        let (generics, arguments, clause) = self.generics.split_for_impl();
        quote! {
            #[automatically_derived]
            #[diagnostic::do_not_recommend]
            impl #generics #krate::__private::RemoteMessage for #ident #arguments #clause {
                type Output = #output;
                type Reply = #reply;
                type Error = #error;
                const METHOD: &'static str = #method;
                const FLAGS: #krate::__private::MethodFlags = #flags;
                const DOC: &'static str = #doc;

                fn outcome(output: Self::Output) -> ::core::result::Result<Self::Reply, Self::Error> {
                    #outcome
                }

                #items
                #lists
            }
        }
    }
}

/// What lets large lists of bytes move, instead of being copied.
fn show_lists(krate: &TokenStream, lists: &[Member]) -> TokenStream {
    quote! {
        fn show_lists(&mut self, each: #krate::__private::Each<'_>) {
            #(#krate::__private::show_list(&mut self.#lists, each);)*
        }
    }
}

/// What takes a stream apart at one end, and puts it together at the other.
fn items(krate: &TokenStream) -> TokenStream {
    quote! {
        fn into_items(
            reply: Self::Reply,
        ) -> ::core::result::Result<::std::boxed::Box<dyn #krate::__private::ItemSource>, Self::Reply> {
            ::core::result::Result::Ok(::std::boxed::Box::new(reply))
        }

        fn from_items(
            incoming: ::std::boxed::Box<dyn #krate::__private::Incoming>,
        ) -> ::core::option::Option<Self::Reply> {
            ::core::option::Option::Some(#krate::__private::Items::incoming(incoming))
        }
    }
}

/// The field that only holds the message's type parameter.
pub(crate) fn marker() -> Ident {
    format_ident!("__output")
}

/// Whether a type looks like bytes. What it really is, the code that writes it finds out.
fn is_spelled_bytes(ty: &Type) -> bool {
    let Type::Path(TypePath { qself: None, path }) = ty else { return false };
    let alone = path.segments.last().is_some_and(|last| last.arguments.is_none() && last.ident == "Bytes");
    alone || is_spelled_list(ty)
}

/// Whether it looks like `Vec<u8>`, in the same way.
pub(crate) fn is_spelled_list(ty: &Type) -> bool {
    let Type::Path(TypePath { qself: None, path }) = ty else { return false };
    path.segments.last().is_some_and(|last| match &last.arguments {
        PathArguments::AngleBracketed(of) if last.ident == "Vec" => {
            matches!(of.args.first(), Some(GenericArgument::Type(Type::Path(item))) if item.path.is_ident("u8"))
        }
        _ => false,
    })
}

/// The messages of the methods of an object: for each a struct with the arguments as its fields.
pub(crate) fn of_methods(object: &Object) -> TokenStream {
    object.methods.iter().map(|method| of_method(object, method)).collect()
}

/// Nobody can see from an `impl` block how visible the types in it are. The struct is as visible as it can be; its parameter, which is always
/// what the method returns, keeps the compiler from taking a private type there for one that is given away.
fn of_method(object: &Object, method: &Method) -> TokenStream {
    let Object { krate, vis, .. } = object;
    let ident = object.message(method);
    let marker = marker();
    let output = &method.returns.output;
    let fields = method.arguments.iter().map(|argument| {
        let (ident, ty) = (&argument.ident, &argument.ty);
        let with = is_spelled_bytes(ty).then(|| {
            let blob = text(&quote!(#krate::codec::blob));
            quote!(#[serde(with = #blob)])
        });
        quote!(#with pub #ident: #ty,)
    });
    let serde = quote!(#krate::__private::serde);
    let serde_path = text(&serde);
    let doc = format!("The message of `{}::{}`.", object.ident, method.ident);
    let message = Message {
        krate,
        ident: &ident,
        generics: &Generics::default(),
        method: &method.name,
        flags: method.flags,
        returns: &method.returns,
        doc: first_paragraph(&method.docs),
        lists: method
            .arguments
            .iter()
            .filter(|argument| is_spelled_list(&argument.ty))
            .map(|argument| Member::from(argument.ident.clone()))
            .collect(),
    }
    .expand();
    quote! {
        #[doc = #doc]
        #[doc(hidden)]
        #[allow(dead_code, missing_docs, private_interfaces, private_bounds)]
        #[derive(#serde::Serialize, #serde::Deserialize)]
        #[serde(crate = #serde_path, bound = "")]
        #vis struct #ident<__Output = #output> {
            #(#fields)*
            #[serde(skip)]
            pub #marker: ::core::marker::PhantomData<fn() -> __Output>,
        }
        #message
    }
}
