use super::*;
use crate::testing::{assert_has, dense, has};

fn expanded(item: TokenStream) -> TokenStream {
    let code = expand(quote!(), item);
    assert!(parse2::<syn::File>(code.clone()).is_ok(), "{code}");
    code
}

fn mistakes(item: TokenStream) -> Vec<String> {
    let file: syn::File = parse2(expand(quote!(), item)).unwrap();
    let mut found = Vec::new();
    for item in file.items {
        if let Item::Macro(item) = item
            && item.mac.path.segments.last().is_some_and(|last| last.ident == "compile_error")
        {
            found.push(item.mac.parse_body::<syn::LitStr>().unwrap().value());
        }
    }
    found
}

/// The only mistake.
fn mistake(item: TokenStream) -> String {
    let found = mistakes(item);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.concat()
}

fn account() -> TokenStream {
    quote! {
        impl Account {
            const LIMIT: u64 = 3;

            /// Takes money out.
            ///
            /// At once.
            pub fn withdraw(&mut self, mut amount: u64) -> Result<u64, Overdrawn> { amount += 1; todo!() }
            #[remote(idempotent)]
            pub fn balance(&self) -> u64 { self.balance }
            #[remote(oneway)]
            pub fn remark(&mut self, line: String) {}
            pub async fn audit(&mut self, since: u64, until: u64) -> Report { todo!() }
            pub async fn peek(&self) -> u64 { 0 }

            pub fn open(owner: String) -> Self { todo!() }
            fn check(&self) {}
            pub(crate) fn reset(&mut self) {}
        }
    }
}

#[test]
fn the_block_stays_as_it_is_without_its_options() {
    let mut kept: ItemImpl = parse2(account()).unwrap();
    keep_block(&mut kept);
    let code = expanded(account());
    assert!(code.to_string().starts_with(&kept.to_token_stream().to_string()), "{code}");
    assert!(!has(&code, "#[remote"));
}

#[test]
fn only_public_functions_with_a_receiver_are_methods() {
    let code = expanded(account());
    for (method, index) in [("Withdraw", 0), ("Balance", 1), ("Remark", 2), ("Audit", 3), ("Peek", 4)] {
        assert_has(
            &code,
            &format!("Accepts<Account{method}Message> for Account {{ const INDEX: usize = {index}usize; }}"),
        );
    }
    for function in ["Open", "Check", "Reset"] {
        assert!(!has(&code, &format!("Account{function}Message")));
    }
}

#[test]
fn arguments_are_the_fields_of_the_message() {
    let code = expanded(account());
    assert_has(
        &code,
        "pub struct AccountAuditMessage<__Output = Report> { pub since: u64, pub until: u64, #[serde(skip)]",
    );
    assert_has(&code, "const DOC: &'static str = \"Takes money out.\";");
    assert_has(&code, "type Reply = u64; type Error = Overdrawn;");
}

#[test]
fn a_call_runs_the_method() {
    let code = expanded(account());
    assert_has(&code, "{ Self::withdraw(this, message.amount) })");
    assert_has(&code, "{ Self::balance(this,) })");
    assert_has(&code, "Self::audit(&mut this, message.since, message.until).await");
    assert_has(&code, "Self::peek(&this,).await");
    assert_has(&code, "_ => invocation.refuse_unlisted::<Account>()");
}

#[test]
fn the_proxy_has_the_same_methods() {
    let code = expanded(account());
    assert_has(&code, "pub struct AccountProxy(::pyroxene::__private::Proxy<Account>);");
    assert_has(&code, "pub fn withdraw(&self, amount: u64) -> ::pyroxene::__private::Call<AccountWithdrawMessage> {");
    assert_has(&code, "pub fn remark(&self, line: String) { self.0.do_send(");
    let documented = dense(&code.to_string()).matches("#[doc=r\"Takesmoneyout.\"]").count();
    assert_eq!(documented, 2, "on the method and on the proxy's");
}

#[test]
fn a_shared_trait_is_named_by_itself() {
    let code = expanded(quote! {
        pub(crate) trait Bank {
            #[remote(idempotent)]
            fn balance(&self) -> u64;
            async fn audit(&mut self);
        }
    });
    assert_has(&code, "fn balance(&self) -> u64; async fn audit(&mut self) where Self: Sized;");
    assert_has(&code, "Interface for dyn Bank {");
    assert_has(&code, "pub(crate) struct BankProxy(::pyroxene::__private::Proxy<dyn Bank>);");
    assert_has(&code, "pub(crate) struct BankAuditMessage<");
    let code = dense(&code.to_string());
    let (before, after) = code.split_once("with_daemon!{").unwrap();
    assert!(after.contains("<__ObjectasBank>::audit(&mutthis,).await"), "{after}");
    assert!(!before.contains("actix") && !before.contains("Host"), "a client needs neither: {before}");
}

#[test]
fn an_implementation_asks_the_trait() {
    let code = expanded(quote!(impl shared::Bank for Account { fn balance(&self) -> u64 { 3 } }));
    assert_has(&code, "= ::pyroxene::__private::methods_shared_by::<dyn shared::Bank, Self>()");
    assert_has(&code, "where dyn shared::Bank: ::pyroxene::__private::Accepts<__Message>");
    assert_has(&code, "<dyn shared::Bank as ::pyroxene::__private::SharedBy<Self>>::dispatch(host");
}

#[test]
fn pyroxene_is_found_under_another_name() {
    for item in [
        account(),
        quote!(
            trait Bank {
                fn f(&self);
            }
        ),
        quote!(impl Bank for Account { fn f(&self) {} }),
    ] {
        let code = dense(&expand(quote!(crate = "fire::pyroxene"), item).to_string());
        let private = code.matches("pyroxene::__private").count();
        assert!(private > 0 && private == code.matches("fire::pyroxene::__private").count(), "{code}");
    }
}

#[test]
fn it_says_where_it_belongs() {
    assert!(
        mistake(quote!(
            pub struct Account;
        ))
        .contains("goes on `impl Account`")
    );
    assert!(
        mistake(quote!(
            enum Account {}
        ))
        .contains("#[derive(RemoteObject)]")
    );
    assert!(
        mistake(quote!(
            pub fn withdraw(&mut self) {}
        ))
        .contains("goes on the `impl` block")
    );
    assert!(
        mistake(quote!(
            mod bank {}
        ))
        .contains("or on a trait")
    );
}

#[test]
fn an_object_is_of_one_plain_type() {
    for item in [
        quote!(
            impl<T> Cache<T> {
                pub fn f(&self) {}
            }
        ),
        quote!(impl Cache<u64> { pub fn f(&self) {} }),
        quote!(impl [u8] { pub fn f(&self) {} }),
        quote!(
            impl<T> Bank for Cache<T> {
                fn f(&self) {}
            }
        ),
    ] {
        assert!(mistake(item).contains("one concrete type"));
    }
    assert!(mistake(quote!(impl Bank<u64> for Account { fn f(&self) {} })).contains("not generic"));
    assert!(
        mistake(quote!(
            trait Bank<T> {
                fn f(&self);
            }
        ))
        .contains("cannot be generic")
    );
}

#[test]
fn something_has_to_be_callable() {
    assert!(mistake(quote!(impl Account { fn f(&self) {} pub fn g() {} })).contains("`pub fn name(&mut self, …)`"));
    assert!(
        mistake(quote!(
            trait Bank {}
        ))
        .contains("declare a method")
    );
}

#[test]
fn options_stand_where_they_mean_something() {
    let item =
        quote!(impl Account { pub fn f(&self) {} #[remote(oneway)] fn g(&self) {} #[remote(oneway)] pub fn h() {} });
    assert_eq!(mistakes(item).len(), 2);
    let item = quote!(impl Bank for Account { #[remote(idempotent)] fn f(&self) {} });
    assert!(mistake(item).contains("a method that a trait declares takes none"));
    assert!(expand(quote!(oneway), account()).to_string().contains("an `impl` block or a trait takes `crate"));
}

#[test]
fn a_name_means_one_method() {
    let item = quote!(impl Account { pub fn f(&self) {} #[remote(name = "f")] pub fn g(&self) {} });
    assert!(mistake(item).contains("another method is called \"f\""));
}

#[test]
fn all_mistakes_are_found() {
    let found = mistakes(quote! {
        unsafe trait Bank<T> where T: Copy {
            const LIMIT: u64;
            fn open() -> u64;
            fn f(self, x: &str);
            #[remote(attr)]
            fn owner(&self) -> &str;
        }
    });
    assert_eq!(found.len(), 9, "{found:#?}");
}
