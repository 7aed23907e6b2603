//! `bench` and `config`.

use std::process::Stdio;

use crate::program::{Running, User};

#[test]
fn bench_measures() {
    let user = User::new();
    let (_echo, uri) = user.echo(&[]);
    let figures =
        user.json(&["bench", &uri, "--seconds", "1", "--in-flight", "4", "--connections", "2", "--size", "100"]);
    assert!(figures["calls_per_second"].as_f64().unwrap() > 10.0, "{figures}");
    let (p50, p99) = (figures["p50_us"].as_f64().unwrap(), figures["p99_us"].as_f64().unwrap());
    assert!(0.0 < p50 && p50 <= p99, "{figures}");
    assert_eq!(figures["errors"], 0);
    assert!(user.ok(&["bench", &uri, "--seconds", "0.2"]).contains("calls/s"));
}

#[test]
fn bench_fails_when_calls_did() {
    let user = User::new();
    let (_echo, uri) = user.echo(&[]);
    // More than may be in flight on a connection.
    let ended = user.run(&["bench", &uri, "--seconds", "0.5", "--in-flight", "3000"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("calls/s"), "the others are told: {ended:?}");
    assert!(ended.stderr.contains(" calls failed; the last of them: "), "{ended:?}");
    assert!(ended.stderr.contains("fewer --in-flight"), "{ended:?}");
}

#[test]
fn bench_needs_an_echo_object() {
    let user = User::new();
    let names = user.names();
    let error = user.error(&["bench", &names.uri, "--seconds", "1"]);
    assert!(error.contains("pyroxene echo"), "{error}");
}

#[test]
fn config_says_where_each_value_comes_from() {
    let user = User::new();
    std::fs::write(user.file("pyroxene.toml"), "timeout_ms = 1234\nns = \"file:1\"\n").unwrap();
    let config = |args: &[&str]| {
        let mut command = user.command(&[&["config", "--json"], args].concat());
        let ended = Running::start(command.env("PYROXENE_NS_PORT", "77").stdin(Stdio::null())).ended();
        let settings: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        move |name: &str| {
            let setting = settings.as_array().unwrap().iter().find(|setting| setting["name"] == name).unwrap();
            (setting["value"].clone(), setting["source"].as_str().unwrap().to_owned())
        }
    };
    let found = config(&[]);
    let (value, source) = found("timeout_ms");
    assert!(value == 1234 && source.ends_with("pyroxene.toml"), "{value} {source}");
    assert_eq!(found("ns_port"), (77.into(), "PYROXENE_NS_PORT".to_owned()));
    assert_eq!(found("broadcast"), (true.into(), "default".to_owned()));
    assert_eq!(found("ns").0, "file:1");
    assert_eq!(config(&["--ns", "option:2"])("ns"), ("option:2".into(), "--ns".to_owned()));
}
