//! Real OpenFeature clients, unmodified, against the edge of the real binary: what an application sees of flags and experiments.
//!
//! Each program beside this file reads what it is to ask from standard input and prints what it saw as JSON. Clients come from `make deps`,
//! Rust's is built on first use.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]
#![allow(clippy::print_stderr, reason = "whoever runs the tests wants to know which versions answered")]

mod cases;
mod clients;
mod documentation;
mod edge;
mod flagd;

use cases::{cases, even, picked, written};
use clients::{Client, ask, node, run, tools};
use edge::Edge;
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A busy machine is no failure.
const PATIENCE: Duration = Duration::from_secs(90);
const TOKEN: &str = "a-token-that-only-tests-have";

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openfeature")
}

/// A client sees what the definitions and the hash say, in every case.
fn sees_what_is_defined(client: Client) {
    let edge = Edge::start();
    let cases = cases();
    let answers = ask(client, &edge.url(), TOKEN, &cases);
    let wrong: Vec<String> = answers
        .iter()
        .zip(&cases)
        .filter(|(answer, case)| picked(answer) != client.sees(case) || !tells_metadata(client, answer, case))
        .map(|(answer, case)| format!("{}: expected {}, seen {answer}", case["name"], client.sees(case)))
        .collect();
    assert!(wrong.is_empty(), "{client:?} sees otherwise in {} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// Rust's provider drops metadata; all others pass on what stands beside a value.
fn tells_metadata(client: Client, answer: &Json, case: &Json) -> bool {
    let expected = case["expect"]["metadata"].as_object();
    client == Client::Rust
        || expected.into_iter().flatten().all(|(name, value)| even(&answer["metadata"][name]) == even(value))
}

#[test]
fn python_sees_what_is_defined() {
    sees_what_is_defined(Client::Python);
}

#[test]
fn servers_of_javascript_see_what_is_defined() {
    sees_what_is_defined(Client::Server);
}

#[test]
fn pages_see_what_is_defined() {
    sees_what_is_defined(Client::Web);
}

#[test]
fn rust_sees_what_is_defined() {
    sees_what_is_defined(Client::Rust);
}

/// Whoever has no token gets the application's own values, and is told why; pages are in `a_page_follows_changes`.
#[test]
fn a_wrong_token_leaves_an_application_its_own_values() {
    let edge = Edge::start();
    let cases = &written()[..8];
    for client in [Client::Python, Client::Server, Client::Rust] {
        for (answer, case) in ask(client, &edge.url(), "another-token", cases).iter().zip(cases) {
            let error = if client == Client::Rust { "authentication/authorization error" } else { "GENERAL" };
            let own = json!({"value": case["default"], "reason": "ERROR", "error": error});
            assert_eq!(picked(answer), picked(&own), "{client:?}: {answer}");
        }
    }
}

/// Tags and 304, polling, streams, other contexts, and what a wrong token means to a page.
#[test]
fn a_page_follows_changes() {
    let edge = Edge::start();
    let seen = run(
        node("live.mjs"),
        &json!({
            "url": edge.url(),
            "headers": {"Authorization": format!("Bearer {TOKEN}")},
            "wrong": {"Authorization": "Bearer another-token"},
            "directory": edge.path("definitions"),
        }),
    );
    assert_eq!(seen["unchanged"], json!({"quoted": true, "statuses": [304], "changes": 0}), "{seen}");
    // Every answer names the version of the definitions, so a new version changes all answers, and the provider says that all flags changed.
    let changed = |step: &Json| step["flags"].as_array().unwrap().contains(&json!("live"));
    assert!(changed(&seen["polling"]) && seen["polling"]["otherTag"] == true, "{seen}");
    assert_eq!(seen["context"], json!({"off": false, "on": true}), "{seen}");
    assert!(changed(&seen["stream"]), "{seen}");
    assert_eq!(seen["stream"]["named"], json!(true), "the stream's tag is sent back: {seen}");
    assert_eq!(
        seen["stream"]["connections"],
        json!(1),
        "pages reconnect when the address of the stream changes: {seen}"
    );
    assert_eq!(seen["gap"]["after"], json!("d"), "{seen}");
    let fatal = json!({
        "code": "PROVIDER_FATAL", "status": "FATAL", "requests": 1, "answer": 401, "value": "code", "error": "PROVIDER_FATAL",
    });
    assert_eq!(seen["fatal"], fatal, "{seen}");
}

/// A real browser lets a page read what the edge allows it to: answers, tags, 304, streams, and why a token is refused.
#[test]
fn a_page_of_another_origin_may_ask() {
    let edge = Edge::start();
    let seen = run(
        node("browser.mjs"),
        &json!({
            "url": edge.url(),
            "headers": {"Authorization": format!("Bearer {TOKEN}")},
            "browser": browser(),
            "directory": edge.path("profile"),
            "modules": tools().join("node_modules"),
        }),
    );
    let answer = |reason: &str| json!({"value": true, "variant": "on", "reason": reason});
    assert_eq!(seen["first"], answer("TARGETING_MATCH"), "{seen}");
    assert_eq!(seen["stream"], json!(true), "{seen}");
    assert_eq!(seen["second"], answer("CACHED"), "{seen}");
    assert_eq!(seen["refresh"]["status"], json!(304), "{seen}");
    assert!(seen["refresh"]["etag"].is_string() && seen["refresh"]["version"].is_string(), "{seen}");
    assert_eq!(seen["wrong"], json!({"status": 401, "code": "PROVIDER_FATAL"}), "{seen}");
}

fn browser() -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let mut places = std::env::split_paths(&paths).flat_map(|path| names.map(|name| path.join(name)));
    places.find(|place| place.is_file()).expect("a Chromium is on the path: `make deps` installs it")
}

/// Restarted without its source, an edge answers from what it kept, and says so beside every answer.
#[test]
fn an_old_configuration_is_marked() {
    let edge = Edge::start();
    let cases = &written()[..1];
    let fresh = ask(Client::Python, &edge.url(), TOKEN, cases).remove(0);
    assert_eq!(fresh["metadata"]["version"], json!(1), "{fresh}");
    assert_eq!(fresh["metadata"]["configStale"], Json::Null, "{fresh}");
    let directory = edge.stop();
    std::fs::rename(directory.path().join("definitions"), directory.path().join("away")).unwrap();
    std::fs::create_dir(directory.path().join("definitions")).unwrap();
    let edge = Edge::alone(directory);
    for client in [Client::Python, Client::Server, Client::Web] {
        let stale = ask(client, &edge.url(), TOKEN, cases).remove(0);
        assert_eq!(picked(&stale), client.sees(&cases[0]), "{client:?}: {stale}");
        assert_eq!(stale["metadata"]["configStale"], json!(true), "{client:?}: {stale}");
        assert_eq!(stale["metadata"]["configSource"], json!("last_known_good"), "{client:?}: {stale}");
    }
}
