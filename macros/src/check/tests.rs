use syn::TraitItemFn;

use super::*;

fn read(function: &TraitItemFn) -> Result<Method, Vec<String>> {
    let mut mistakes = Mistakes::default();
    let method = method(&function.sig, &function.attrs, Some(&quote!(Account)), &mut mistakes);
    mistakes.finish(method).map_err(|all| all.into_iter().map(|mistake| mistake.to_string()).collect())
}

/// The only mistake in a method.
fn mistake(function: &TraitItemFn) -> String {
    let mistakes = read(function).err().unwrap_or_default();
    assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    mistakes.concat()
}

#[test]
fn a_method_is_read_with_all_it_says() {
    let method = read(&parse_quote! {
        /// Takes money out.
        #[remote(idempotent, name = "take")]
        #[inline]
        async fn withdraw(&mut self, mut amount: u64, r#type: Option<Self>) -> Result<Self, Overdrawn>;
    })
    .unwrap();
    assert_eq!((method.ident.to_string().as_str(), method.name.as_str()), ("withdraw", "take"));
    assert!(method.changes && method.is_async && method.flags.idempotent && !method.flags.oneway);
    assert_eq!(method.docs.len(), 1);
    let arguments: Vec<String> = method.arguments.iter().map(|a| format!("{}: {}", a.ident, text(&a.ty))).collect();
    assert_eq!(arguments, ["amount: u64", "r#type: Option<Account>"]);
    let (reply, error) = method.returns.split.unwrap();
    assert_eq!((text(reply), text(error)), ("Account".to_owned(), "Overdrawn".to_owned()));
}

#[test]
fn a_method_goes_by_its_plain_name() {
    let method = read(&parse_quote!(
        fn r#move(&self);
    ))
    .unwrap();
    assert_eq!(method.name, "move");
    assert!(!method.changes && method.returns.is_nothing());
}

#[test]
fn borrowed_arguments_are_told_what_to_own() {
    for (function, instead) in [
        (
            parse_quote!(
                fn f(&self, x: &str);
            ),
            "an argument is copied to another process, so it cannot borrow: write `String`",
        ),
        (
            parse_quote!(
                fn f(&self, x: &[u8]);
            ),
            "write `Vec<u8>`",
        ),
        (
            parse_quote!(
                fn f(&self, x: &mut &[&str]);
            ),
            "write `Vec<String>`",
        ),
        (
            parse_quote!(
                fn f(&self, x: &Entry);
            ),
            "write `Entry`",
        ),
        (
            parse_quote!(
                fn f(&self, x: Vec<&str>);
            ),
            "write a type that owns",
        ),
        (
            parse_quote!(
                fn f(&self, x: Cow<'_, str>);
            ),
            "write a type that owns",
        ),
        (
            parse_quote!(
                fn f(&self) -> &str;
            ),
            "a reply is copied to another process, so it cannot borrow: write `String`",
        ),
        (
            parse_quote!(
                fn f(&self) -> Option<(u8, &Entry)>;
            ),
            "write a type that owns",
        ),
    ] {
        let mistake = mistake(&function);
        assert!(mistake.contains(instead), "{mistake}");
    }
    assert!(
        read(&parse_quote!(
            fn f(&self, x: Cow<'static, str>);
        ))
        .is_ok()
    );
}

#[test]
fn types_without_a_name_are_refused() {
    assert!(
        mistake(&parse_quote!(
            fn f(&self, x: impl Into<String>);
        ))
        .contains("name a concrete type")
    );
    assert!(
        mistake(&parse_quote!(
            fn f(&self) -> impl Iterator<Item = u8>;
        ))
        .contains("name a concrete type")
    );
    assert!(
        mistake(&parse_quote!(
            fn f<T>(&self, x: T);
        ))
        .contains("cannot be generic")
    );
    assert!(
        mistake(&parse_quote!(
            fn f<'a>(&self);
        ))
        .contains("cannot be generic")
    );
    assert!(
        mistake(&parse_quote!(
            fn f(&self)
            where
                u8: Copy;
        ))
        .contains("remove the `where` clause")
    );
}

#[test]
fn self_is_no_type_in_a_shared_trait() {
    let function: TraitItemFn = parse_quote!(
        fn merge(&mut self, other: Vec<Self>);
    );
    let mut mistakes = Mistakes::default();
    method(&function.sig, &function.attrs, None, &mut mistakes);
    let mistake = mistakes.finish(()).unwrap_err().to_string();
    assert!(mistake.contains("`Self` is another type in every object"), "{mistake}");
}

#[test]
fn the_receiver_is_a_plain_reference() {
    for function in [
        parse_quote!(
            fn f(self);
        ),
        parse_quote!(
            fn f(mut self) {}
        ),
        parse_quote!(
            fn f(self: Box<Self>);
        ),
        parse_quote!(
            fn f(self: &mut Self);
        ),
    ] {
        assert!(mistake(&function).contains("write `&self` or `&mut self`"));
    }
}

#[test]
fn arguments_have_names() {
    for function in [
        parse_quote!(
            fn f(&self, (a, b): (u8, u8)) {}
        ),
        parse_quote!(
            fn f(&self, _: u8);
        ),
        parse_quote!(
            fn f(&self, ref x: u8) {}
        ),
        parse_quote!(
            fn f(&self, x @ 1..: u8) {}
        ),
    ] {
        assert!(mistake(&function).contains("write a name here"));
    }
}

#[test]
fn a_oneway_returns_nothing() {
    assert!(
        mistake(&parse_quote!(
            #[remote(oneway)]
            fn f(&self) -> u64;
        ))
        .contains("return `()`, or drop `oneway`")
    );
    assert!(
        read(&parse_quote!(
            #[remote(oneway)]
            fn f(&self) -> ();
        ))
        .is_ok()
    );
}

#[test]
fn what_the_compiler_knows_and_callers_do_not_is_refused() {
    assert!(
        mistake(&parse_quote!(
            #[cfg(unix)]
            fn f(&self);
        ))
        .contains("always there")
    );
    assert!(
        mistake(&parse_quote!(
            fn f(&self, #[cfg(unix)] x: u8);
        ))
        .contains("always there")
    );
    assert!(
        mistake(&parse_quote!(
            unsafe fn f(&self);
        ))
        .contains("make it safe")
    );
    assert!(
        mistake(&parse_quote!(
            extern "C" fn f(&self);
        ))
        .contains("remove this")
    );
    assert!(
        mistake(&parse_quote!(
            fn connect(&self);
        ))
        .contains("#[remote(name = \"connect\")]")
    );
}

#[test]
fn all_mistakes_of_a_method_are_found() {
    let function: TraitItemFn = parse_quote! {
        #[remote(oneway, exposed)]
        unsafe fn proxy<T>(self, (a, b): (&str, T), c: impl Copy) -> io::Result<&u8>;
    };
    let mistakes = read(&function).err().unwrap_or_default();
    assert_eq!(mistakes.len(), 11, "{mistakes:#?}");
}
