//! `demo`: it tells its story to the end, and leaves nothing behind.

use std::process::Stdio;

use crate::program::{Running, User, free_udp_port};

/// The processes that a transcript names.
fn processes(transcript: &str) -> Vec<u32> {
    let ids = transcript.split("process ").skip(1).filter_map(|rest| rest.split(':').next()?.parse().ok());
    ids.collect()
}

#[cfg(target_os = "linux")]
fn lives(process: u32) -> bool {
    std::path::Path::new("/proc").join(process.to_string()).exists()
}

#[test]
fn it_tells_its_story_to_the_end() {
    let user = User::new();
    let told = user.ok(&["demo"]);
    for part in [
        "A name server",
        "ready PYRO://127.0.0.1:",
        "Ok(70)",
        "Raised(Overdrawn { short: 930 })",
        "did you mean \"withdraw\"?",
        "expected u64",
        "did you mean :bank.alice?",
        "within 200 ms",
        "╭─ at the other end: bank.alice.open_vault",
        "6 ran, 3 did not, 1 may have",
        "All of it went as it should.",
    ] {
        assert!(told.contains(part), "{part:?} is not in:\n{told}");
    }
    assert!(!told.contains('\u{1b}'), "colours are for terminals");
    let processes = processes(&told);
    assert_eq!(processes.len(), 2, "{told}");
    #[cfg(target_os = "linux")]
    assert!(!processes.iter().any(|process| lives(*process)), "{told}");
}

#[test]
fn it_does_not_mind_what_is_configured() {
    let user = User::new();
    let port = free_udp_port().to_string();
    let mut command = user.command(&["demo"]);
    let ended = Running::start(
        command.env("PYROXENE_NS", "127.0.0.1:1").env("PYROXENE_BROADCAST_PORT", port).stdin(Stdio::null()),
    )
    .ended();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn for_machines_each_call_is_an_object() {
    let user = User::new();
    let told = user.ok(&["demo", "--json"]);
    let steps: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(steps.len(), 10);
    assert_eq!(steps[0]["ran"], "yes");
}

#[test]
#[cfg(target_os = "linux")]
fn ended_early_it_takes_its_processes_along() {
    let user = User::new();
    let demo = Running::start(user.command(&["demo"]).stdin(Stdio::null()));
    let mut told = String::new();
    while processes(&told).len() < 2 {
        told.push_str(&demo.line());
    }
    demo.terminate();
    let ended = demo.ended();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    // They end as soon as they notice; that takes a moment.
    let deadline = std::time::Instant::now() + crate::program::PATIENCE;
    while processes(&told).into_iter().any(lives) {
        assert!(std::time::Instant::now() < deadline, "they live on");
        std::thread::yield_now();
    }
}
