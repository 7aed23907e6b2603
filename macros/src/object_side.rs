//! Where the object lives: from a call to the method.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Path;

use crate::attributes;
use crate::model::{Attributes, Method, Object};
use crate::package::version;
use crate::places::{located, place};

/// The methods of an object or a shared trait, for those who call and those who serve.
pub(crate) fn interface(object: &Object) -> TokenStream {
    let Object { krate, interface, .. } = object;
    let (name, version) = (object.ident.to_string(), version());
    let messages: Vec<Ident> = object.methods.iter().map(|method| object.message(method)).collect();
    let indices = 0..messages.len();
    let methods = quote!(#(#krate::__private::Method::of::<#messages>()),*);
    let (methods, attributes) = if object.attributes.is_empty() {
        (quote!(&[#methods]), None)
    } else {
        let accepts = attributes::accepts(krate, interface, messages.len());
        let implemented = match &object.attributes {
            Attributes::Methods(attributes) => Some(attributes::implement(krate, interface, attributes, false)),
            Attributes::Derived => None,
        };
        (attributes::methods(krate, interface, &methods), Some(quote!(#accepts #implemented)))
    };
    quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #krate::__private::Interface for #interface {
            const NAME: &'static str = #name;
            const VERSION: &'static str = #version;
            const METHODS: &'static [#krate::__private::Method] = #methods;
        }
        #(
            #[automatically_derived]
            #[diagnostic::do_not_recommend]
            impl #krate::__private::Accepts<#messages> for #interface {
                const INDEX: usize = #indices;
            }
        )*
        #attributes
    }
}

/// An object whose methods stand in its own `impl` block.
pub(crate) fn hosted(object: &Object) -> TokenStream {
    let Object { krate, interface, .. } = object;
    let run = run(object, &quote!(Self), &quote!(Self));
    let remote_object = remote_object(krate, interface);
    quote! {
        #[automatically_derived]
        #[allow(deprecated, clippy::await_holding_refcell_ref)]
        impl #krate::__private::Hosted for #interface {
            fn dispatch(
                host: &mut #krate::__private::Host<Self>,
                invocation: #krate::__private::Invocation,
                ctx: &mut #krate::__private::actix::Context<#krate::__private::Host<Self>>,
            ) {
                #run
            }
        }
        #remote_object
    }
}

/// How any object with a shared trait runs its methods. There is nothing to host in a program without the daemon.
pub(crate) fn shared(object: &Object, path: &Ident) -> TokenStream {
    let Object { krate, interface, .. } = object;
    let this = format_ident!("__Object");
    let run = run(object, &quote!(#this), &quote!(<#this as #path>));
    let messages = object.methods.iter().map(|method| object.message(method));
    quote! {
        #(
            #[automatically_derived]
            #[allow(private_interfaces)]
            impl #krate::__private::OfTrait for #messages {
                type Trait = #interface;
            }
        )*
        #krate::__private::with_daemon! {
            #[automatically_derived]
            #[allow(deprecated, clippy::await_holding_refcell_ref)]
            impl<#this: #path + #krate::__private::Hosted> #krate::__private::SharedBy<#this> for #interface {
                fn dispatch(
                    host: &mut #krate::__private::Host<#this>,
                    invocation: #krate::__private::Invocation,
                    ctx: &mut #krate::__private::actix::Context<#krate::__private::Host<#this>>,
                ) {
                    #run
                }
            }
        }
    }
}

/// An object with the methods of a shared trait. The trait is all that is known here, so what it accepts is asked of it.
pub(crate) fn implemented(krate: &TokenStream, this: &Ident, path: &Path) -> TokenStream {
    let (name, version) = (this.to_string(), version());
    let place = place(path);
    let private = located(&quote!(#krate::__private), place);
    let shared = quote_spanned!(place=> dyn #path);
    let remote_object = remote_object(krate, &quote!(#this));
    quote_spanned! {place=>
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::Interface for #this {
            const NAME: &'static str = #name;
            const VERSION: &'static str = #version;
            const METHODS: &'static [#private::Method] = #private::methods_shared_by::<#shared, Self>();
        }

        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl<__Message: #private::RemoteMessage> #private::Accepts<__Message> for #this
        where
            #shared: #private::Accepts<__Message>,
        {
            const INDEX: usize = <#shared as #private::Accepts<__Message>>::INDEX;
        }

        #[automatically_derived]
        impl #private::Hosted for #this {
            fn dispatch(
                host: &mut #private::Host<Self>,
                invocation: #private::Invocation,
                ctx: &mut #private::actix::Context<#private::Host<Self>>,
            ) {
                <#shared as #private::SharedBy<Self>>::dispatch(host, invocation, ctx);
            }
        }
        #remote_object
    }
}

/// The methods of nested state, which `derive(RemoteAttributes)` finds by these names.
pub(crate) fn nested(object: &Object) -> TokenStream {
    let Object { krate, interface, .. } = object;
    let private = quote!(#krate::__private);
    let messages: Vec<Ident> = object.methods.iter().map(|method| object.message(method)).collect();
    let arms = object.methods.iter().enumerate().map(|(index, method)| {
        let (message, ident) = (object.message(method), &method.ident);
        let arguments = method.arguments.iter().map(|argument| {
            let field = &argument.ident;
            quote!(message.#field)
        });
        let message_name = if method.arguments.is_empty() { quote!(_) } else { quote!(message) };
        quote! {
            #index => #private::run_nested(self, invocation, |this: &mut Self, #message_name: #message| {
                Self::#ident(this, #(#arguments),*)
            }),
        }
    });
    quote! {
        #[doc(hidden)]
        #[allow(deprecated, private_interfaces, unreachable_pub)]
        impl #interface {
            pub const __METHODS: &'static [#private::Method] = &[#(#private::Method::of::<#messages>()),*];

            pub fn __call(&mut self, place: usize, invocation: #private::Invocation) {
                match place {
                    #(#arms)*
                    _ => ::core::mem::drop(invocation),
                }
            }
        }
    }
}

pub(crate) fn remote_object(krate: &TokenStream, this: &TokenStream) -> TokenStream {
    quote! {
        #[automatically_derived]
        impl #krate::__private::RemoteObject for #this {
            type Actor = #krate::__private::Host<Self>;

            fn into_actor(self) -> Self::Actor {
                #krate::__private::Host::new(self)
            }
        }
    }
}

/// One arm for each method. `this` is the type that has them, `qualified` the path they are called by.
fn run(object: &Object, this: &TokenStream, qualified: &TokenStream) -> TokenStream {
    let interface = &object.interface;
    let arms = object.methods.iter().enumerate().map(|(index, method)| {
        let call = call(object, method, this, qualified);
        quote!(#index => #call,)
    });
    let other = if object.attributes.is_empty() {
        quote!(_ => invocation.refuse_unlisted::<#interface>(),)
    } else {
        let (krate, own) = (&object.krate, object.methods.len());
        quote!(place => #krate::__private::dispatch_attribute(host, place - #own, invocation, ctx),)
    };
    quote! {
        match invocation.method() {
            #(#arms)*
            #other
        }
    }
}

fn call(object: &Object, method: &Method, this: &TokenStream, qualified: &TokenStream) -> TokenStream {
    let message = object.message(method);
    let Method { ident, .. } = method;
    let arguments: Vec<TokenStream> = method
        .arguments
        .iter()
        .map(|argument| {
            let field = &argument.ident;
            quote!(message.#field)
        })
        .collect();
    let message_name = if arguments.is_empty() { quote!(_) } else { quote!(message) };
    let reference = if method.changes { quote!(&mut *this) } else { quote!(&*this) };
    match (method.is_async, method.changes) {
        (true, _) if method.flags.cancellable => {
            let borrow = if method.changes {
                quote!(let mut this = this.borrow_mut())
            } else {
                quote!(let this = this.borrow())
            };
            quote! {
                host.call_stoppable::<#message, _>(
                    invocation,
                    ctx,
                    |this: ::std::rc::Rc<::core::cell::RefCell<#this>>, #message_name: #message| {
                        ::std::boxed::Box::pin(async move {
                            #borrow;
                            #qualified::#ident(#reference, #(#arguments),*).await
                        })
                    },
                )
            }
        }
        (false, _) => quote! {
            host.call::<#message>(invocation, |this: &mut #this, #message_name: #message| {
                #qualified::#ident(this, #(#arguments),*)
            })
        },
        (true, true) => quote! {
            host.call_async::<#message, _>(invocation, ctx, |mut this: #this, #message_name: #message| {
                ::std::boxed::Box::pin(async move {
                    let output = #qualified::#ident(&mut this, #(#arguments),*).await;
                    (this, output)
                })
            })
        },
        (true, false) => quote! {
            host.call_async::<#message, _>(invocation, ctx, |this: #this, #message_name: #message| {
                ::std::boxed::Box::pin(async move {
                    let output = #qualified::#ident(&this, #(#arguments),*).await;
                    (this, output)
                })
            })
        },
    }
}
