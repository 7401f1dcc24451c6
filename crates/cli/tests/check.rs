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
    check(&[("notes.txt", "")], |_| {}, 1, &[], "has no .yaml or .yml files, and no .json file of flagd");
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

const FLAGD: &str = r#"{
  "$schema": "https://flagd.dev/schema/v0/flags.json",
  "flags": {
    "dark-mode": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off" },
    "banner": {
      "state": "ENABLED", "variants": { "red": "r", "blue": "b" }, "defaultVariant": "red",
      "targeting": { "if": [{ "$ref": "staff" }, "blue", null] }
    }
  },
  "$evaluators": { "staff": { "ends_with": [{ "var": "email" }, "@example.com"] } }
}"#;

#[test]
fn files_of_flagd_stand_beside_others() {
    let other = ("package.json", "{\"name\": \"no flags\"}");
    let fine = ["layers      checkout", "flags       banner, dark-mode", "fine: 3 definitions in 2 files"];
    check(&[("a.yaml", LAYER), ("flags.json", FLAGD), other], |_| {}, 0, &fine, "");

    // One that cannot be evaluated is no problem of the others.
    let odd = FLAGD.replace("ends_with", "ends_wth");
    check(
        &[("flags.json", &odd)],
        |_| {},
        0,
        &[
            "flags       banner, dark-mode",
            "quarantined banner will answer an error: 'ends_wth' is no operator of JSONLogic",
            "fine: 2 definitions in 1 file",
        ],
        "",
    );
}

#[test]
fn what_is_wrong_in_a_file_of_flagd_is_told_with_its_place() {
    let wrong = FLAGD
        .replace("\"dark-mode\": { \"state\": \"ENABLED\"", "\"dark-mode\": { \"state\": \"ON\"")
        .replace("\"banner\"", "\"Banner\"");
    check(
        &[("flags.json", &wrong)],
        |_| {},
        1,
        &[
            "DIR/flags.json:4:5: flag 'dark-mode': its state is neither ENABLED nor DISABLED",
            "DIR/flags.json:5:5: id 'Banner' is not 1 to 64 of a-z, 0-9, '.', '_' and '-'",
        ],
        "assay: 2 problems",
    );
    let twice = "kind: flag\nid: banner\ntype: boolean\nvariants: { \"on\": true, \"off\": false }\ndefault: \"off\"\n";
    let told = ["DIR/flags.json:5:5: flag 'banner' is defined twice; as flag first in DIR/a.yaml on line 2"];
    check(&[("a.yaml", twice), ("flags.json", FLAGD)], |_| {}, 1, &told, "assay: 1 problem");
    let torn = FLAGD.replace("\"flags\": {", "\"flags\": ");
    let output = ["DIR/flags.json:4:16: this is not JSON: expected `,` or `}` at line 4 column 16"];
    check(&[("flags.json", &torn)], |_| {}, 1, &output, "assay: 1 problem");
}
