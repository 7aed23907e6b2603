//! `call`, `describe` and `ping`.

use crate::program::{Running, User, bother};

#[test]
fn values_go_there_and_come_back() {
    let user = User::new();
    let (_echo, uri) = user.echo(&[]);
    for json in ["\"hello\"", "null", "-7", "2.5", "[1,[true,\"x\"]]", "{\"a\":{\"b\":[]}}"] {
        assert_eq!(user.ok(&["call", &uri, "echo", json]).trim_end(), json);
        assert_eq!(user.ok(&["call", &uri, "echo", &format!("value={json}"), "--json"]).trim_end(), json);
    }
    assert_eq!(user.ok(&["call", &uri, "slow", "0.01"]), "0.01\n");
}

#[test]
fn an_object_is_called_by_name_and_by_its_daemon() {
    let user = User::new();
    let names = user.names();
    let (_echo, uri) = user.echo(&["--register", "test.echo", "--ns", &names.at]);
    let daemon = uri.trim_start_matches("PYRO://").split('/').next().unwrap();
    for uri in [
        "PYRONAME://test.echo".to_owned(),
        format!("PYRONAME://{}/test.echo", names.at),
        format!("PYROLOC://{daemon}/test.echo"),
        "PYRONAME:test.echo".to_owned(),
    ] {
        assert_eq!(user.ok(&["--ns", &names.at, "call", &uri, "echo", "7"]), "7\n", "{uri}");
        assert!(user.ok(&["--ns", &names.at, "ping", &uri]).contains(daemon), "{uri}");
        assert_eq!(user.json(&["--ns", &names.at, "describe", &uri])["name"], "test.echo", "{uri}");
    }
}

#[test]
fn a_call_that_fails_says_whether_it_ran() {
    let user = User::new();
    let (_echo, uri) = user.echo(&[]);
    for (args, ran, says) in [
        (&["error"][..], true, "EchoError: an error was asked for"),
        // Before the panic: while the object is made anew, the call would wait, and would not run.
        (&["slow", "30", "--timeout-ms", "200"], true, "within 200 ms"),
        (&["panic"], true, "a panic was asked for"),
        (&["slow", "-1"], true, "cannot be waited for"),
        (&["ecko", "1"], false, "did you mean \"echo\"?"),
        (&["echo"], false, "missing its argument \"value\""),
        (&["echo", "1", "2"], false, "takes 1 argument"),
        (&["slow", "\"long\""], false, "\"seconds\""),
        (&["ecko", "--oneway"], false, "did you mean \"echo\"?"),
    ] {
        let args = [&["call", &uri], args].concat();
        let error = user.error(&args);
        assert!(error.contains(if ran { "may have run" } else { "did not run" }) && error.contains(says), "{error}");
        assert!(error.contains(&uri), "it says where: {error}");
        let json = user.json_error(&args);
        assert_eq!(json["may_have_run"], ran, "{json}");
        assert!(json["error"].as_str().unwrap().contains(says), "{json}");
    }
    assert_eq!(user.ok(&["call", &uri, "echo", "1"]), "1\n", "it goes on");
    for json in [&[][..], &["--json"]] {
        assert_eq!(user.ok(&[&["call", &uri, "count", "5"][..], json].concat()), "0\n1\n2\n3\n4\n", "as they come");
    }
}

#[test]
fn the_remote_traceback_is_shown_when_asked_for() {
    let user = User::new();
    let (_echo, uri) = user.echo(&[]);
    let ended = user.run(&["call", &uri, "panic", "-v"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("╭─ at the other end: echo.panic"), "{}", ended.stderr);
    assert!(ended.stderr.contains("panicked at"), "{}", ended.stderr);
    let json = user.json_error(&["call", &uri, "panic"]);
    assert!(json["traceback"][0].as_str().unwrap().starts_with("panicked at"), "{json}");
}

#[test]
fn a_oneway_arrives() {
    let user = User::new();
    let (echo, uri) = user.echo(&["-v"]);
    assert_eq!(user.ok(&["call", &uri, "remark", "\"first\"", "--oneway"]), "");
    assert!(echo.log_line("remark").contains("first"));
}

#[test]
fn describe_prints_json_schema() {
    let user = User::new();
    let (_echo, uri) = user.echo(&[]);
    let schema = user.json(&["describe", &uri, "--schema"]);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["methods"]["slow"]["args"]["properties"]["seconds"]["type"], "number");
    assert_eq!(schema["attributes"]["greeting"]["type"], "string");
}

#[test]
fn a_oneway_with_wrong_arguments_says_so() {
    let user = User::new();
    let (_echo, uri) = user.echo(&[]);
    let error = user.error(&["call", &uri, "remark", "7", "--oneway"]);
    assert!(error.contains("did not run") && error.contains("expected a string, found 7"), "{error}");
}

#[test]
fn describe_lists_what_can_be_called() {
    let user = User::new();
    let (_echo, uri) = user.echo(&[]);
    let text = user.ok(&["describe", &uri]);
    let attributes = ["greeting: text  read, write", "calls: u64  read", "place.move_to(street: text) -> text"];
    for line in ["slow(seconds: f64) -> f64", "Raises an error.", "oneway"].into_iter().chain(attributes) {
        assert!(text.contains(line), "{text}");
    }
    let json = user.json(&["describe", &uri]);
    let methods: Vec<_> =
        json["methods"].as_array().unwrap().iter().map(|method| method["name"].as_str().unwrap()).collect();
    assert_eq!(methods, ["echo", "echo_bytes", "error", "panic", "slow", "remark", "count", "place.move_to"]);
    let attributes = json["attributes"].as_array().unwrap();
    let attributes: Vec<_> = attributes.iter().map(|one| (one["name"].as_str().unwrap(), &one["writable"])).collect();
    let (yes, no) = (&true.into(), &false.into());
    assert_eq!(attributes, [("greeting", yes), ("calls", no), ("place", no), ("place.street", yes)]);
    assert_eq!(json["uri"], uri);
}

#[test]
fn a_peer_that_talks_rubbish_is_nobody_elses_business() {
    let user = User::new();
    let (_echo, uri) = user.echo(&[]);
    let names = user.names();
    for rubbish in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 4_096], &[0xff; 65_536], b"PYRO"] {
        bother(&uri, rubbish);
        bother(&names.uri, rubbish);
    }
    assert_eq!(user.ok(&["call", &uri, "echo", "1"]), "1\n");
    user.ok(&["--ns", &names.at, "nsc", "ping"]);
}

#[test]
fn attributes_are_read_written_and_watched() {
    let user = User::new();
    let (_echo, uri) = user.echo(&[]);
    assert_eq!(user.ok(&["get", &uri, "greeting"]), "\"hello\"\n");
    assert_eq!(user.ok(&["set", &uri, "greeting", "\"good day\""]), "");
    assert_eq!(user.ok(&["set", &uri, "greeting", "\"hi\"", "--expected", "\"good day\"", "--json"]), "\"hi\"\n");
    assert_eq!(user.ok(&["call", &uri, "place.move_to", "\"Elm St 2\""]), "\"Elm St 1\"\n");
    assert_eq!(user.ok(&["get", &uri, "place.street"]), "\"Elm St 2\"\n");
    let watch = Running::start(&mut user.command(&["watch", &uri, "calls"]));
    assert_eq!(watch.line(), "0");
    user.ok(&["call", &uri, "echo", "1"]);
    assert_eq!(watch.line(), "1");
    for (args, says) in [
        (&["get", &uri, "greating"][..], "did you mean \"greeting\"?"),
        (&["set", &uri, "calls", "7"], "can be read, but not written"),
        (&["set", &uri, "greeting", "7"], "takes text"),
        (&["set", &uri, "greeting", "\"a\"", "--expected", "\"b\""], "it is \"hi\" by now"),
        (&["watch", &uri, "nothing"], "shows what it has"),
        (&["set", &uri, "greeting", "hello"], "is not JSON"),
    ] {
        let error = user.error(args);
        assert!(error.contains(says), "{error}");
    }
}
