use proptest::prelude::*;

use super::*;

fn uri(text: &str) -> Uri {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> String {
    match text.parse::<Uri>() {
        Ok(uri) => panic!("{text} was read as {uri:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn reads_every_form_and_writes_it_in_one_way() {
    for (text, written) in [
        ("PYRO://host:7766/bank.alice", "PYRO://host:7766/bank.alice"),
        ("pyro://HOST:7766/Bank.Alice", "PYRO://host:7766/Bank.Alice"),
        ("PYRO://[0:0::1]:7766/echo", "PYRO://[::1]:7766/echo"),
        ("PYRO://[fe80::1%eth0]:7766/echo", "PYRO://[fe80::1%eth0]:7766/echo"),
        ("PYRO://./u:/run/a b/bank.sock/echo", "PYRO://./u:/run/a b/bank.sock/echo"),
        ("PYRO://./u:bank.sock/echo", "PYRO://./u:bank.sock/echo"),
        ("PYRO:echo@host:7766", "PYRO://host:7766/echo"),
        ("PYRO:echo@[::1]:7766", "PYRO://[::1]:7766/echo"),
        ("PYRO:echo@./u:/run/a@b.sock", "PYRO://./u:/run/a@b.sock/echo"),
        ("PYRONAME://bank.alice", "PYRONAME://bank.alice"),
        ("PYRONAME://:bank.alice", "PYRONAME://:bank.alice"),
        ("PYRONAME://host/bank.alice", "PYRONAME://host:9090/bank.alice"),
        ("PYRONAME://host:1/:bank.alice", "PYRONAME://host:1/:bank.alice"),
        ("PYRONAME://[::1]/bank.alice", "PYRONAME://[::1]:9090/bank.alice"),
        ("PYRONAME://./u:/run/ns.sock/bank.alice", "PYRONAME://./u:/run/ns.sock/bank.alice"),
        ("PYRONAME:bank.alice", "PYRONAME://bank.alice"),
        ("PyroName::bank.alice@host", "PYRONAME://host:9090/:bank.alice"),
        ("PYRONAME:bank.alice@./u:/run/ns.sock", "PYRONAME://./u:/run/ns.sock/bank.alice"),
        ("PYROLOC://host/bank.alice", "PYROLOC://host:7766/bank.alice"),
        ("PYROLOC://host:1/:bank.alice", "PYROLOC://host:1/:bank.alice"),
        ("PYROMETA:teller,open,teller", "PYROMETA:open,teller"),
        ("PYROMETA:class:bank.Account@host", "PYROMETA:class:bank.Account@host:9090"),
    ] {
        assert_eq!(uri(text).to_string(), written, "{text}");
        assert_eq!(uri(written), uri(text), "{text}");
    }
}

#[test]
fn takes_the_parts_apart() {
    let host = Endpoint::tcp("host", 7_766).unwrap();
    assert_eq!(uri("PYRO://host:7766/a"), Uri::object(host.clone(), ObjectId::new("a").unwrap()));
    assert_eq!(uri("PYRO://[::1]:1/a").as_object().unwrap().endpoint, Endpoint::tcp("[::1]", 1).unwrap());
    assert_eq!(uri("PYRO:a@./u:/b/c").as_object().unwrap().endpoint, Endpoint::unix("/b/c").unwrap());
    let name = NameText::new("bank.alice").unwrap();
    assert_eq!(uri("PYRONAME:bank.alice"), Uri::Name(NameUri { server: None, name: name.clone() }));
    assert_eq!(uri("PYROLOC://host/bank.alice"), Uri::Location(LocationUri { endpoint: host, name }));
    let tags = ["b", "a", "b"].map(|tag| Tag::new(tag).unwrap());
    assert_eq!(uri("PYROMETA:a,b"), Uri::Meta(MetaUri::new(tags, None).unwrap()));
}

#[test]
fn writes_the_spelling_of_pyro_5() {
    for (text, pyro5) in [
        ("PYRO://host:7766/echo", Some("PYRO:echo@host:7766")),
        ("PYRO://./u:/run/e.sock/echo", Some("PYRO:echo@./u:/run/e.sock")),
        ("PYRONAME://bank.alice", Some("PYRONAME:bank.alice")),
        ("PYRONAME://host/bank.alice", Some("PYRONAME:bank.alice@host:9090")),
        ("PYROMETA:a,b@host:1", Some("PYROMETA:a,b@host:1")),
        ("PYROLOC://host/bank.alice", None),
    ] {
        assert_eq!(uri(text).pyro5().as_deref(), pyro5, "{text}");
    }
}

#[test]
fn says_what_is_wrong_and_how_it_is_written() {
    for (text, complaint) in [
        ("", "it is missing; write it like PYRO://host:7766/object-id"),
        ("http://host/", "the scheme must be PYRO, PYRONAME, PYROLOC or PYROMETA"),
        ("bank.alice", "the scheme must be"),
        ("PYRO", "the object id is missing"),
        ("PYRO://host:7766", "the object id is missing; write it like PYRO://host:7766/object-id"),
        ("PYRO://host/echo", "the port is missing"),
        ("PYRO://host:/echo", "the port must be a number"),
        ("PYRO://host:+1/echo", "the port must be a number"),
        ("PYRO://host:65536/echo", "the port must be a number"),
        ("PYRO://:7766/echo", "the host is missing"),
        ("PYRO://::1:7766/echo", "IPv6 address in brackets"),
        ("PYRO://[::1/echo", "IPv6 address in brackets"),
        ("PYRO://[host]:1/echo", "IPv6 address in brackets"),
        ("PYRO://[::1]1/echo", "IPv6 address in brackets"),
        ("PYRO://[::1%a b]:1/echo", "IPv6 address in brackets"),
        ("PYRO://ho st:1/echo", "the host must not have ' ' (byte 2)"),
        ("PYRO://b\u{fc}cher:1/echo", "the host must not have 'ü'"),
        ("PYRO://host:1/a/b", "the object id must not have '/' (byte 1)"),
        ("PYRO://host:1/a b", "the object id must not have ' ' (byte 1)"),
        ("PYRO://host:1/a\u{202e}b", "the object id must not have '\\u{202e}'"),
        ("PYRO:a@b@host:1", "the object id must not have '@'"),
        ("PYRO:a", "the host is missing"),
        ("PYRO:@host:1", "the object id is missing"),
        ("PYRO://./u:/echo", "the socket's path is missing"),
        ("PYRO://./u:/run//echo", "the socket's path must not end in a slash"),
        ("PYRO:echo@./u:/run/e.sock\n", "the socket's path must not have '\\n'"),
        ("PYRONAME://", "the name is missing"),
        ("PYRONAME://host/a/b", "the name must not have '/'"),
        ("PYRONAME://a:b", "the name must not have ':' (byte 1)"),
        ("PYRONAME://host:x/a", "the port must be a number"),
        ("PYRONAME:a@", "the host is missing"),
        ("PYROLOC://bank.alice", "the name is missing; write it like PYROLOC://host:7766/bank.alice"),
        ("PYROLOC:bank.alice", "the name is missing"),
        ("PYROMETA:", "a tag is missing"),
        ("PYROMETA:a,,b", "a tag is missing"),
        ("PYROMETA:a b", "a tag must not have ' '"),
    ] {
        let error = refused(text);
        assert!(error.contains(complaint), "{text}: {error}");
    }
}

#[test]
fn bounds_every_part() {
    let long = "x".repeat(2_000);
    for (text, complaint) in [
        (format!("PYRO://host:1/{long}"), "it has 2014 bytes where 1024 are allowed"),
        (format!("PYRO://host:1/{}", &long[..257]), "the object id has 257 bytes where 256 are allowed"),
        (format!("PYRO://{}:1/a", &long[..256]), "the host has 256 bytes where 255 are allowed"),
        (format!("PYRO://./u:{}/a", &long[..108]), "the socket's path has 108 bytes where 107 are allowed"),
        (format!("PYRONAME://{}", &long[..257]), "the name has 257 bytes where 256 are allowed"),
        (format!("PYROMETA:{}", &long[..129]), "a tag has 129 bytes where 128 are allowed"),
    ] {
        let error = refused(&text);
        assert!(error.contains(complaint), "{error}");
        assert!(error.len() < 300, "an error repeats only the beginning of the text");
    }
    let tags: Vec<_> = (0..5).map(|n| Tag::new(&format!("{n}{}", &long[..120])).unwrap()).collect();
    let error = MetaUri::new(tags.clone(), None).unwrap_err();
    assert_eq!(error.problem(), UriProblem::TooLong { bytes: 609, limit: MAX_META_BYTES });
    assert!(MetaUri::new(tags[..4].iter().cloned(), None).is_ok());
    assert_eq!(MetaUri::new([], None).unwrap_err().problem(), UriProblem::Missing);
}

#[test]
fn errors_keep_to_one_visible_line() {
    let error = ObjectId::new("a\u{1b}[31m\nb").unwrap_err().to_string();
    assert_eq!(
        error,
        r"`a\u{1b}[31m\nb` is no object id: it must not have '\u{1b}' (byte 1); write it like bank.alice"
    );
}

#[test]
fn knows_what_only_this_machine_can_reach() {
    for (text, local) in [
        ("127.0.0.1:1", true),
        ("127.9.9.9:1", true),
        ("localhost:1", true),
        ("[::1]:1", true),
        ("[::ffff:127.0.0.1]:1", true),
        ("./u:/run/e.sock", true),
        ("0.0.0.0:1", false),
        ("[::]:1", false),
        ("192.0.2.1:1", false),
        ("localhost.example:1", false),
    ] {
        assert_eq!(text.parse::<Endpoint>().unwrap().is_local(), local, "{text}");
    }
}

#[test]
fn socket_addresses_become_endpoints_that_can_be_read_back() {
    for address in ["127.0.0.1:80", "[::1]:80", "[fe80::1%3]:80", "[::ffff:1.2.3.4]:0"] {
        let endpoint = Endpoint::from(address.parse::<std::net::SocketAddr>().unwrap());
        assert_eq!(endpoint.to_string(), address);
        assert_eq!(address.parse::<Endpoint>().unwrap(), endpoint);
    }
}

#[test]
fn travels_as_text_and_is_checked_on_arrival() {
    let uri = uri("PYRO:echo@host:7766");
    let json = serde_json::to_string(&uri).unwrap();
    assert_eq!(json, r#""PYRO://host:7766/echo""#);
    assert_eq!(serde_json::from_str::<Uri>(&json).unwrap(), uri);
    let bytes = postcard::to_stdvec(&uri).unwrap();
    assert_eq!(postcard::from_bytes::<Uri>(&bytes).unwrap(), uri);
    for json in [r#""PYRO://host""#, r#""http://host/""#, "7"] {
        assert!(serde_json::from_str::<Uri>(json).is_err(), "{json}");
    }
    assert!(serde_json::from_str::<ObjectId>(r#""a b""#).is_err());
    assert!(serde_json::from_str::<Endpoint>(r#""host""#).is_err());
}

proptest! {
    #[test]
    fn what_is_written_reads_the_same(uri in any_uri()) {
        let text = uri.to_string();
        prop_assert!(text.len() <= MAX_URI_BYTES);
        prop_assert_eq!(text.parse::<Uri>(), Ok(uri.clone()));
        if let Some(pyro5) = uri.pyro5() {
            prop_assert_eq!(pyro5.parse::<Uri>(), Ok(uri));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any_text()) {
        match text.parse::<Uri>() {
            Ok(uri) => prop_assert_eq!(uri.to_string().parse::<Uri>(), Ok(uri)),
            Err(error) => prop_assert!(!error.to_string().chars().any(char::is_control)),
        }
    }
}

fn any_uri() -> impl Strategy<Value = Uri> {
    let name = || ":?[a-zA-Z0-9.!*,é-]{1,100}".prop_map(|text| NameText::new(&text).unwrap());
    let tags = prop::collection::vec("[a-z:.]{1,40}".prop_map(|text| Tag::new(&text).unwrap()), 1..8);
    prop_oneof![
        (any_endpoint(), any_object_id()).prop_map(|(endpoint, object)| Uri::object(endpoint, object)),
        (prop::option::of(any_endpoint()), name()).prop_map(|(server, name)| NameUri { server, name }.into()),
        (any_endpoint(), name()).prop_map(|(endpoint, name)| LocationUri { endpoint, name }.into()),
        (tags, prop::option::of(any_endpoint())).prop_map(|(tags, server)| MetaUri::new(tags, server).unwrap().into()),
    ]
}

fn any_endpoint() -> impl Strategy<Value = Endpoint> {
    prop_oneof![
        any::<std::net::SocketAddr>().prop_map(Endpoint::from),
        ("[a-zA-Z0-9._-]{1,255}", any::<u16>()).prop_map(|(host, port)| Endpoint::tcp(&host, port).unwrap()),
        any::<u64>().prop_map(Endpoint::Unbound),
        "[a-z/@.:é]{0,60}[a-z@:]".prop_map(|path| Endpoint::unix(&path).unwrap()),
    ]
}

fn any_object_id() -> impl Strategy<Value = ObjectId> {
    "[^/@\\s\\p{C}\\p{M}]{1,60}".prop_filter_map("misleading", |text| ObjectId::new(&text).ok())
}

/// Text that is nearly a URI, so that every branch of the parser is reached, or anything at all.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "PYRO", "PYRONAME", "PYROLOC", "PYROMETA", "pyro", ":", "//", "/", "@", "./u:", "[", "]", "::1", "%", ",",
        "host", "80", "a", ".", " ", "\n", "é",
    ]);
    prop_oneof![any::<String>(), prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())]
}

#[test]
fn an_object_without_an_address_is_spelled_in_one_way_only() {
    let uri: Uri = "PYRO://~00000000000000ff/listener".parse().unwrap();
    let endpoint = Endpoint::Unbound(255);
    assert_eq!(uri, Uri::object(endpoint.clone(), ObjectId::new("listener").unwrap()));
    assert!(endpoint.is_local());
    for text in ["~", "~ff", "~00000000000000FF", "~00000000000000ff:80", "~+0000000000000ff", "~00000000000000ff0"] {
        assert!(text.parse::<Endpoint>().is_err(), "{text}");
    }
}

#[test]
fn the_id_of_an_object_of_somebody_else_tells_whose_it_is() {
    let own = ObjectId::generate();
    let via = ObjectId::via(0xabc, &own).unwrap();
    assert_eq!(ObjectId::relayed(via.as_str()), Some((0xabc, own.as_str())));
    assert!(ObjectId::is_generated(via.as_str()), "it dies with the daemon");
    for text in [own.as_str(), "via_", "via_abc~x", "via_00000000000000000000000000000abc~", "listener"] {
        assert_eq!(ObjectId::relayed(text), None, "{text}");
    }
    let long = ObjectId::new(&"x".repeat(256)).unwrap();
    assert!(ObjectId::via(1, &long).is_err());
}
