//! Where the callers are: a proxy with the object's methods.

use proc_macro2::TokenStream;
use quote::quote;

use crate::attributes::{Attribute, Source};
use crate::message::marker;
use crate::model::{Attributes, Method, Object};
use crate::names::text;

/// The proxy.
pub(crate) fn proxy(object: &Object) -> TokenStream {
    let Object { krate, ident, interface, vis, .. } = object;
    let proxy = object.proxy();
    let of = quote!(#krate::__private::Proxy<#interface>);
    let serde = quote!(#krate::__private::serde);
    let serde_path = text(&serde);
    let methods = object.methods.iter().map(|method| proxy_method(object, method));
    let attributes = match &object.attributes {
        Attributes::Methods(attributes) => attributes.iter().filter_map(|one| accessors(object, one)).collect(),
        Attributes::Derived => TokenStream::new(),
    };
    let about = format!(
        "A proxy to an object of `{ident}`, wherever that is: it has the object's methods. Clones share its connection; it can be \
         put in messages and files."
    );
    let connects = format!("Connects to the object of `{ident}` at `uri`.");
    quote! {
        #[doc = #about]
        #[allow(dead_code)]
        #[derive(Clone, Debug, PartialEq, Eq, Hash, #serde::Serialize, #serde::Deserialize)]
        #[serde(crate = #serde_path, transparent)]
        #vis struct #proxy(#of);

        #[automatically_derived]
        #[allow(dead_code, private_interfaces, private_bounds, clippy::too_many_arguments)]
        impl #proxy {
            #[doc = #connects]
            #vis fn connect(uri: impl #krate::__private::IntoUri) -> #krate::__private::IntoProxy<#of, #proxy> {
                <#of>::connect(uri).into_proxy::<#proxy>()
            }

            /// The proxy without the methods.
            #vis fn proxy(&self) -> &#of {
                &self.0
            }

            /// The same proxy, each of whose calls is told to retry.
            #vis fn retrying(&self) -> #proxy {
                #proxy(self.0.retrying())
            }

            #(#methods)*
            #attributes
        }

        #[automatically_derived]
        #[allow(private_interfaces)]
        impl #krate::__private::Reference<#interface> for #proxy {
            fn into_proxy(self) -> #of {
                self.0
            }
        }

        #[automatically_derived]
        #[allow(private_interfaces)]
        impl ::core::convert::From<#of> for #proxy {
            fn from(proxy: #of) -> Self {
                #proxy(proxy)
            }
        }
    }
}

/// The proxy of a shared trait, made of that of any object that has the trait's methods.
pub(crate) fn from_objects(object: &Object) -> TokenStream {
    let Object { krate, .. } = object;
    let proxy = object.proxy();
    let messages = object.methods.iter().map(|method| object.message(method));
    quote! {
        #[automatically_derived]
        #[allow(private_bounds)]
        impl<__Object> ::core::convert::From<#krate::__private::Proxy<__Object>> for #proxy
        where
            __Object: #krate::__private::Interface + #(#krate::__private::Accepts<#messages> +)*,
        {
            fn from(proxy: #krate::__private::Proxy<__Object>) -> Self {
                #proxy(proxy.cast())
            }
        }
    }
}

/// How the proxy reads and writes an attribute.
fn accessors(object: &Object, attribute: &Attribute) -> Option<TokenStream> {
    let Object { krate, vis, .. } = object;
    let Attribute { name, ty, doc, source, .. } = attribute;
    let Source::Method { get, set } = source else { return None };
    let reads = if doc.is_empty() { format!("Reads the attribute `{name}`.") } else { doc.clone() };
    let writes = format!("Writes the attribute `{name}`.");
    let set = set.as_ref().map(|(set, ty)| {
        quote! {
            #[doc = #writes]
            #vis fn #set(&self, value: impl ::core::convert::Into<#ty>) -> #krate::__private::SetCall {
                let value: #ty = value.into();
                self.0.set(#name, &value)
            }
        }
    });
    Some(quote! {
        #[doc = #reads]
        #vis fn #get(&self) -> #krate::__private::GetCall<#ty> {
            self.0.get(#name)
        }
        #set
    })
}

fn proxy_method(object: &Object, method: &Method) -> TokenStream {
    let Object { krate, vis, .. } = object;
    let Method { ident, docs, .. } = method;
    let message = object.message(method);
    let marker = marker();
    let (names, types): (Vec<_>, Vec<_>) =
        method.arguments.iter().map(|argument| (&argument.ident, &argument.ty)).unzip();
    let undocumented = format!("Calls `{}::{}`.", object.ident, ident);
    let docs = if docs.iter().any(|attr| attr.path().is_ident("doc")) {
        quote!(#(#docs)*)
    } else {
        quote!(#(#docs)* #[doc = #undocumented])
    };
    let message_value = quote!(#message { #(#names,)* #marker: ::core::marker::PhantomData });
    let (result, send) = if method.flags.oneway {
        (quote!(), quote!(self.0.do_send(#message_value);))
    } else {
        (quote!(-> #krate::__private::Call<#message>), quote!(self.0.send(#message_value)))
    };
    quote! {
        #docs
        #[inline]
        #vis fn #ident(&self, #(#names: #types),*) #result {
            #send
        }
    }
}
