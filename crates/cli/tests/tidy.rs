//! The rules of the house that a compiler does not keep: who may depend on whom, what pure crates must not touch, how long files get.

#![allow(clippy::unwrap_used, reason = "a workspace that cannot be read has failed")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Crate, and the crates of ours that it may use. What is not written is not allowed.
const MAY_USE: [(&str, &[&str]); 11] = [
    ("experiment", &[]),
    ("statistics", &[]),
    ("aggregates", &["experiment"]),
    ("simulator", &["experiment", "statistics", "aggregates"]),
    ("broker", &[]),
    ("pipeline", &["experiment", "aggregates", "broker"]),
    ("analysis", &["experiment", "aggregates", "statistics", "broker"]),
    ("edge", &["experiment", "broker"]),
    ("control-plane", &["experiment", "statistics", "broker"]),
    ("embedded-clickhouse", &[]),
    // Starts Kafka for tests and benches; no part of the product.
    ("real-parts", &[]),
];

/// Bytes and values in, values out.
const PURE: [&str; 4] = ["experiment", "statistics", "aggregates", "simulator"];

/// What pure crates must not name, and why.
const FORBIDDEN: [(&str, &str); 14] = [
    ("SystemTime", "a clock"),
    ("Instant::now", "a clock"),
    ("std::env", "the environment"),
    ("env::var", "the environment"),
    ("std::fs", "files"),
    ("std::net", "sockets"),
    ("std::process", "processes"),
    ("std::thread", "threads"),
    ("thread_local!", "a global"),
    ("static mut", "a global"),
    ("OnceLock", "a global"),
    ("LazyLock", "a global"),
    ("tokio", "a runtime"),
    ("rand::rng", "a generator without a seed"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn crates() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn manifest(name: &str) -> toml::Table {
    std::fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap().parse().unwrap()
}

fn ours(manifest: &toml::Table, section: &str) -> BTreeSet<String> {
    let table = manifest.get(section).and_then(toml::Value::as_table);
    table
        .into_iter()
        .flat_map(|table| table.keys())
        .filter_map(|key| key.strip_prefix("assay-"))
        .map(str::to_owned)
        .collect()
}

fn sources(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The code of a file without its comments and without its tests, which come last.
fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]").next().unwrap();
    product.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_crate_uses_only_what_it_may() {
    for name in crates().iter().filter(|name| *name != "cli") {
        let allowed = MAY_USE.iter().find(|(known, _)| known == name);
        let (_, allowed) =
            allowed.unwrap_or_else(|| panic!("crates/{name} is not in the map: add it to ARCHITECTURE.md and here"));
        let manifest = manifest(name);
        assert_eq!(
            manifest["package"]["name"].as_str(),
            Some(format!("assay-{name}").as_str()),
            "package names are assay-<folder>"
        );
        for used in ours(&manifest, "dependencies") {
            assert!(allowed.contains(&used.as_str()), "crates/{name} uses {used}, which it may not");
        }
    }
}

#[test]
fn pure_crates_touch_nothing_outside() {
    for name in PURE {
        let manifest = manifest(name);
        let dependencies = manifest["dependencies"].as_table().unwrap();
        for shell in ["tokio", "axum", "hyper", "rdkafka", "clickhouse", "object_store", "tracing", "dashmap"] {
            assert!(!dependencies.contains_key(shell), "crates/{name} is pure and must not use {shell}");
        }
        let files = sources(&root().join("crates").join(name).join("src"));
        assert!(!files.is_empty());
        for (path, text) in files {
            for (word, what) in FORBIDDEN {
                assert!(
                    !code(&text).contains(word),
                    "{} names {word}: {what} has no place in a pure crate",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn only_the_command_reads_arguments_and_the_environment() {
    for name in crates().iter().filter(|name| !["cli", "real-parts"].contains(&name.as_str())) {
        for (path, text) in sources(&root().join("crates").join(name).join("src")) {
            for word in ["std::env::", "env::args", "process::exit"] {
                assert!(!code(&text).contains(word), "{} names {word}; the caller gives settings", path.display());
            }
        }
    }
}

#[test]
fn files_stay_readable() {
    for name in crates() {
        for (path, text) in sources(&root().join("crates").join(&name).join("src")) {
            let lines = text.lines().count();
            assert!(lines <= 800, "{} has {lines} lines: it holds more than one thing", path.display());
            assert!(text.starts_with("//!"), "{} does not say what it is", path.display());
        }
    }
}

/// The map names every crate, and what it names exists.
#[test]
fn the_map_is_true() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for name in crates() {
        assert!(map.contains(&format!("`{name}`")), "ARCHITECTURE.md does not mention `{name}`");
    }
    let mut checked = 0;
    for word in map.split('`').skip(1).step_by(2).filter(|word| word.ends_with(".rs") || word.ends_with('/')) {
        let known = [root().join(word), root().join("crates").join(word)];
        assert!(known.iter().any(|path| path.exists()), "ARCHITECTURE.md names `{word}`, which does not exist");
        checked += 1;
    }
    assert!(checked > 20, "the map names files");
}

/// The product speaks of itself alone, and runs wherever it is put.
#[test]
fn nothing_points_at_one_machine() {
    for name in crates() {
        for (path, text) in sources(&root().join("crates").join(&name)) {
            for word in [concat!("/wor", "k/"), concat!("/roo", "t/"), concat!("/hom", "e/")] {
                assert!(!text.contains(word), "{} has a path of one machine: {word}", path.display());
            }
        }
    }
}
