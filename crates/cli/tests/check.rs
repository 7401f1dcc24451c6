//! `assay check` on directories as people and Kubernetes lay them out.

#![allow(clippy::unwrap_used, reason = "a case that cannot be built has failed")]

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

const LAYER: &str = "kind: layer\nid: checkout\n";
const EXPERIMENT: &str = "kind: experiment
id: one-page
status: running
layer: checkout
variants: [{ name: a, control: true }, { name: b }]
metrics: [{ id: bought, type: conversion, event: buy }]
";

/// Makes the files, runs the command, compares exit code and output; `DIR` stands for the directory.
fn check(files: &[(&str, &str)], more: impl FnOnce(&Path), code: i32, out: &[&str], err: &str) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    more(directory.path());
    let output =
        Command::new(env!("CARGO_BIN_EXE_assay")).arg("check").arg("--config").arg(directory.path()).output().unwrap();
    let text =
        |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().replace(directory.path().to_str().unwrap(), "DIR");
    assert_eq!(text(&output.stdout).lines().collect::<Vec<_>>(), out);
    assert!(text(&output.stderr).contains(err), "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(code));
}

const FINE: [&str; 4] = [
    "experiment  one-page (running, 2 variants of user): bought",
    "metrics     bought",
    "layers      checkout",
    "fine: 3 definitions in 2 files",
];

#[test]
fn what_was_found_is_told() {
    check(&[("layers.yaml", LAYER), ("team/growth.yml", EXPERIMENT), ("team/notes.txt", "{")], |_| {}, 0, &FINE, "");
}

#[test]
fn every_problem_is_told_with_its_place() {
    check(
        &[("a.yaml", &format!("{LAYER}untis: user\n")), ("b/c.yaml", &EXPERIMENT.replace("running", "runing"))],
        |_| {},
        1,
        &[
            "DIR/a.yaml:3:1: unknown key 'untis' in a layer; did you mean 'unit'?",
            "DIR/b/c.yaml:3:9: status 'runing' is none of draft, running, paused, stopped; did you mean 'running'?",
        ],
        "assay: 2 problems",
    );
    check(
        &[("a.yaml", EXPERIMENT)],
        |directory| std::fs::write(directory.join("b.yaml"), b"kind: layer\nid: \xff").unwrap(),
        1,
        &["DIR/b.yaml: cannot be read: stream did not contain valid UTF-8"],
        "assay: 1 problem",
    );
    check(&[("notes.txt", "")], |_| {}, 1, &[], "has no .yaml or .yml files");
}

/// A mounted ConfigMap: files are links through `..data` into a directory named by time.
#[test]
fn a_config_map_is_read_once() {
    check(
        &[("..2025_11_24/layers.yaml", LAYER), ("..2025_11_24/growth.yaml", EXPERIMENT), (".git/old.yaml", LAYER)],
        |directory| {
            symlink("..2025_11_24", directory.join("..data")).unwrap();
            for name in ["layers.yaml", "growth.yaml"] {
                symlink(format!("..data/{name}"), directory.join(name)).unwrap();
            }
        },
        0,
        &FINE,
        "",
    );
}

#[test]
fn a_link_to_a_directory_above_ends_in_words() {
    check(
        &[("team/layers.yaml", LAYER)],
        |directory| symlink("..", directory.join("team/up")).unwrap(),
        1,
        &[],
        "is there a link to a directory above it?",
    );
}
