//! `ns` and `nsc`.

use std::process::Stdio;

use crate::program::{Names, PATIENCE, Running, User, free_udp_port};

#[test]
fn a_name_server_says_when_it_is_ready_and_ends_in_order() {
    let user = User::new();
    let names = user.names();
    assert!(names.uri.starts_with("PYRO://127.0.0.1:") && names.uri.ends_with("/Pyro.NameServer"), "{}", names.uri);
    names.running.terminate();
    let ended = names.running.ended();
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (Some(0), "", ""),
        "only the line that says ready"
    );
}

#[test]
fn names_are_registered_and_found_and_removed() {
    let user = User::new();
    let names = user.names();
    let nsc = |args: &[&str]| user.ok(&[&["--ns", &names.at, "nsc"], args].concat());
    nsc(&["ping"]);
    nsc(&["register", "bank.alice", "PYRO://localhost:7766/alice", "--meta", "teller", "vip"]);
    nsc(&["register", "bank.bob", "PYRO://localhost:7766/bob", "--meta", "teller"]);
    assert_eq!(nsc(&["lookup", "bank.alice"]), "PYRO://localhost:7766/alice\n");
    let all = nsc(&["list"]);
    for name in [":Pyro.NameServer", ":bank.alice", ":bank.bob"] {
        assert!(all.contains(name), "{all}");
    }
    assert_eq!(nsc(&["tree", ":bank"]).lines().count(), 2);
    assert_eq!(nsc(&["find", "teller", "vip"]).lines().count(), 1);
    assert_eq!(nsc(&["find", "--any", "teller", "vip"]).lines().count(), 2);
    nsc(&["setmeta", "bank.bob", "vip"]);
    assert_eq!(nsc(&["find", "vip"]).lines().count(), 2);
    nsc(&["register", "bank.bob", "PYRO://localhost:7766/robert", "--replace"]);
    let list = user.json(&["--ns", &names.at, "nsc", "list", ":bank"]);
    assert_eq!(list[1]["name"], ":bank.bob");
    assert_eq!(list[1]["uri"], "PYRO://localhost:7766/robert");
    nsc(&["mkgroup", ":bank.new"]);
    nsc(&["rmgroup", ":bank.new"]);
    nsc(&["remove", "bank.alice"]);
    let error = user.error(&["--ns", &names.at, "nsc", "lookup", "bank.alice"]);
    assert!(error.contains("nothing is registered as :bank.alice"), "{error}");
    nsc(&["rmgroup", ":bank", "--recursive"]);
    assert!(!nsc(&["list"]).contains(":bank"));
}

#[test]
fn a_name_is_its_owners_and_what_is_reserved_is_nobodys() {
    let (owner, other) = (User::new(), User::new());
    let names = owner.names();
    owner.ok(&["--ns", &names.at, "nsc", "register", "mine", "PYRO://localhost:7766/mine"]);
    for change in [&["remove", "mine"][..], &["register", "mine", "PYRO://localhost:7766/yours", "--replace"]] {
        let error = other.error(&[&["--ns", &names.at, "nsc"], change].concat());
        assert!(error.contains("belongs to somebody else"), "{error}");
    }
    for name in [":Pyro.NameServer", ":Pyro.Other"] {
        let error = owner.error(&["--ns", &names.at, "nsc", "register", name, "PYRO://localhost:7766/x", "--replace"]);
        assert!(error.contains("is reserved"), "{error}");
    }
    assert_eq!(other.ok(&["--ns", &names.at, "nsc", "lookup", "mine"]), "PYRO://localhost:7766/mine\n");
}

#[test]
fn a_server_takes_its_name_back_when_it_ends() {
    let user = User::new();
    let names = user.names();
    let (echo, uri) = user.echo(&["--register", "test.echo", "--ns", &names.at]);
    assert_eq!(user.ok(&["nsc", "lookup", "test.echo", "--ns", &names.at]).trim_end(), uri);
    let error = user.error(&["nsc", "remove", "test.echo", "--ns", &names.at]);
    assert!(error.contains("belongs to somebody else"), "{error}");
    echo.terminate();
    assert_eq!(echo.ended().code, Some(0));
    assert!(user.error(&["nsc", "lookup", "test.echo", "--ns", &names.at]).contains("nothing is registered"));
}

#[test]
fn a_name_server_is_found_by_broadcast() {
    let user = User::new();
    let port = free_udp_port().to_string();
    let _names = Names::ready(user.start(&["ns", "--port", "0", "--broadcast-port", &port]));
    let (_echo, uri) = {
        let mut command = user.command(&["echo", "--register", "found", "--end-with-stdin"]);
        let running = Running::start(command.env("PYROXENE_BROADCAST_PORT", &port).stdin(Stdio::piped()));
        let uri = running.line();
        (running, uri)
    };
    let mut lookup = user.command(&["nsc", "lookup", "found"]);
    let ended = Running::start(lookup.env("PYROXENE_BROADCAST_PORT", &port).stdin(Stdio::null())).ended();
    assert_eq!((ended.code, ended.stdout.trim_end()), (Some(0), uri.as_str()), "{ended:?}");
}

#[test]
fn a_name_server_is_found_by_the_file_it_writes() {
    let user = User::new();
    let file = user.file("ns.uri");
    let path = file.to_str().unwrap();
    let names = Names::ready(user.start(&["ns", "--port", "0", "--no-discovery", "--uri-file", path]));
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim_end(), names.uri);
    std::fs::write(user.file("pyroxene.toml"), format!("broadcast = false\nns_port = 1\nuri_file = {path:?}\n"))
        .unwrap();
    assert!(user.ok(&["nsc", "ping"]).contains(&names.uri));
    names.running.terminate();
    assert_eq!(names.running.ended().code, Some(0));
    assert!(!file.exists(), "a name server that ended is not to be found");
}

#[test]
fn an_echo_object_that_still_looks_for_its_name_server_ends_in_order_when_it_is_asked_to() {
    let user = User::new();
    // Takes connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap().to_string();
    let echo = user.start(&["--ns", &at, "echo", "--register", "never.said"]);
    let (sender, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(silent.accept()));
    let _asking = asked.recv_timeout(PATIENCE).expect("it asks").unwrap();
    echo.terminate();
    let ended = echo.ended();
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "", ""), "it never was ready");
}
