//! Wrong input: one clear line that says what, where and what to do.

use std::net::{TcpListener, UdpSocket};

use crate::program::User;

#[test]
fn a_uri_that_is_none_is_shown_how_one_is_written() {
    let user = User::new();
    for uri in ["nonsense", "PYRO://", "PYRO://host/x", "http://localhost:1/x", "PYRO://localhost:99999/x"] {
        for args in [&["call", uri, "echo", "1"][..], &["describe", uri], &["ping", uri], &["bench", uri]] {
            let error = user.error(args);
            assert!(error.contains("is no URI") && error.contains("write it like"), "{error}");
        }
    }
}

#[test]
fn where_nobody_listens_nothing_runs() {
    let user = User::new();
    // Bound, so that nobody else gets the port, but not listening.
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let uri = format!("PYRO://127.0.0.1:{port}/echo");
    for args in [&["call", &uri, "echo", "1"][..], &["describe", &uri], &["ping", &uri], &["bench", &uri]] {
        let error = user.error(args);
        assert!(
            error.contains(&format!("cannot reach 127.0.0.1:{port}")) && error.contains("is the daemon running?"),
            "{error}"
        );
        assert_eq!(user.json_error(args)["may_have_run"], false);
    }
}

#[test]
fn an_object_that_is_not_there_is_said_not_to_be() {
    let user = User::new();
    let (_echo, uri) = user.echo(&[]);
    let other = format!("{}/other", uri.rsplit_once('/').unwrap().0);
    for args in [&["call", &other, "echo", "1"][..], &["ping", &other], &["bench", &other]] {
        let error = user.error(args);
        assert!(error.contains("\"other\""), "{error}");
    }
    assert!(user.error(&["describe", &other]).contains("other"));
}

#[test]
fn an_unknown_name_may_have_been_another() {
    let user = User::new();
    let names = user.names();
    let (_echo, _) = user.echo(&["--register", "test.echo", "--ns", &names.at]);
    for args in [&["call", "PYRONAME://test.ehco", "echo", "1"][..], &["describe", "PYRONAME://test.ehco"]] {
        let error = user.error(&[&["--ns", &names.at], args].concat());
        assert!(error.contains("did you mean :test.echo?"), "{error}");
    }
    assert!(user.error(&["--ns", &names.at, "nsc", "lookup", "test.ehco"]).contains("did you mean :test.echo?"));
}

#[test]
fn without_a_name_server_it_says_what_was_tried() {
    let user = User::new();
    let silent = UdpSocket::bind("127.255.255.255:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    std::fs::write(user.file("pyroxene.toml"), format!("broadcast_port = {port}\nns_port = 1\n")).unwrap();
    for args in [&["nsc", "ping"][..], &["call", "PYRONAME://bank", "balance"], &["echo", "--register", "bank"]] {
        let error = user.error(args);
        assert!(error.contains("no name server found") && error.contains("pyroxene ns"), "{error}");
        assert!(error.contains(&port.to_string()), "it says where it looked: {error}");
    }
    let error = user.error(&["--ns", "127.0.0.1:1", "nsc", "ping"]);
    assert!(error.contains("127.0.0.1:1"), "{error}");
}

#[test]
fn a_port_that_is_taken_is_said_to_be() {
    let user = User::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for args in [&["ns", "--port", &port, "--no-discovery"][..], &["echo", "--port", &port]] {
        let error = user.error(args);
        assert!(error.contains(&port) && error.contains("port 0"), "{error}");
    }
    let taken = UdpSocket::bind("127.255.255.255:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let error = user.error(&["ns", "--port", "0", "--broadcast-port", &port]);
    assert!(error.contains(&port) && error.contains("--broadcast-port"), "{error}");
}

#[test]
fn nobody_is_let_in_from_the_network_by_accident() {
    let user = User::new();
    for args in [&["ns", "--host", "0.0.0.0", "--port", "0"][..], &["echo", "--host", "0.0.0.0"]] {
        assert!(user.error(args).contains("--insecure"));
        assert!(user.error(&[args, &["--insecure"]].concat()).contains("--public-host"));
    }
}

#[test]
fn arguments_that_are_not_json_are_shown_how_they_are_written() {
    let user = User::new();
    let error = user.error(&["call", "PYRO://localhost:1/x", "echo", "hello"]);
    assert!(error.contains("is not JSON") && error.contains(r#"'"hello"'"#), "{error}");
}

#[test]
fn a_wrong_configuration_is_not_passed_over() {
    let user = User::new();
    std::fs::write(user.file("pyroxene.toml"), "timeout_ms = \"soon\"\n").unwrap();
    assert!(user.error(&["config"]).contains("timeout_ms"));
    std::fs::write(user.file("pyroxene.toml"), "tiemout_ms = 1\n").unwrap();
    assert!(user.error(&["config"]).contains("tiemout_ms"));
    user.ok(&["completions", "bash"]);
}

#[test]
fn wrong_usage_is_told_apart() {
    let user = User::new();
    for args in
        [&[][..], &["fly"], &["call"], &["ns", "--port", "many"], &["bench", "PYRO://h:1/x", "--in-flight", "0"]]
    {
        let ended = user.run(args);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains("Usage") || ended.stderr.contains("--help"), "{ended:?}");
    }
    assert!(user.ok(&["--help"]).contains("demo"));
    assert!(user.ok(&["--version"]).starts_with("pyroxene "));
}
