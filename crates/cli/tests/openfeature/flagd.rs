//! flagd's test suite for providers, unmodified, over OpenFeature's clients for Python: what flagd's users rely on holds behind OFREP too.
//!
//! Its flags are imported; its features run as they are, by `behave`, with the steps in `testbed`.

use crate::clients::tools;
use crate::edge::{Edge, place};
use crate::{TOKEN, sources};
use assay_experiment::snapshot::Snapshot;
use assay_experiment::{ConfigVersion, Definitions, flagd};
use assay_real_parts::target;
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Features that are about evaluation; the others are about flagd's own connections, caches and options.
const FEATURES: [&str; 4] = ["evaluation", "targeting", "disabled", "metadata"];
/// What is left out by its tags: two other ways to bucket than the one that evaluators implement today, and a deprecated answer to flags
/// without a default.
const LEFT_OUT: &str = "not @fractional-v1 and not @fractional-v3 and not @deprecated";
/// Flags that nobody can publish, because their keys have capitals. The edge answers `FLAG_NOT_FOUND`.
const REFUSED: [&str; 2] = ["fractional-flag-A-shared-seed", "fractional-flag-B-shared-seed"];
/// Flags that are answered otherwise than by flagd.
const OTHERWISE: [&str; 0] = [];

/// Scenarios that hold, outlines counted by their examples; fewer would mean that some are not run any more.
const SCENARIOS: usize = 118;

fn suite() -> PathBuf {
    let suite = target().join("flagd-testbed");
    assert!(suite.join("complete").exists(), "flagd's scenarios are not in {}: run `make deps`", suite.display());
    suite
}

/// flagd's files of flags as a snapshot. Files of selectors are other sources of the suite's flagd, which a request cannot choose.
fn snapshot(suite: &Path) -> String {
    let (mut flags, mut evaluators) = (Map::new(), Map::new());
    for entry in std::fs::read_dir(suite.join("flags")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("selector-") {
            continue;
        }
        let file: Json = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        flags.extend(file["flags"].as_object().cloned().unwrap_or_default());
        evaluators.extend(file["$evaluators"].as_object().cloned().unwrap_or_default());
    }
    let import = flagd::import(&json!({"flags": flags, "$evaluators": evaluators}).to_string()).unwrap();
    assert_eq!(import.refused, [], "flags of flagd that cannot be read");
    let of = |flags| Snapshot::of(ConfigVersion(1), &Definitions { flags, ..Definitions::default() });
    let (good, refused): (BTreeMap<_, _>, BTreeMap<_, _>) = import
        .flags
        .into_iter()
        .partition(|(key, flag)| of(BTreeMap::from([(key.clone(), flag.clone())])).definitions().is_ok());
    assert_eq!(refused.keys().collect::<Vec<_>>(), REFUSED);
    of(good).encode()
}

#[test]
fn flagds_suite_for_providers_holds() {
    let suite = suite();
    let directory = place([]);
    let source = directory.path().join("flags.json");
    std::fs::write(&source, snapshot(&suite)).unwrap();
    let edge = Edge::serve(directory, &["--only", "edge", "--edge-source", source.to_str().unwrap()]);
    let features = edge.path("features");
    std::fs::create_dir_all(features.join("steps")).unwrap();
    for name in FEATURES {
        let file = format!("{name}.feature");
        std::fs::copy(suite.join("gherkin").join(&file), features.join(&file)).unwrap();
    }
    for name in ["environment.py", "steps/steps.py"] {
        std::fs::copy(sources().join("testbed").join(name), features.join(name)).unwrap();
    }
    let report = edge.path("report.json");
    let output = Command::new(tools().join("python/bin/behave"))
        .args(["--format", "json", "--no-summary", "--tags", LEFT_OUT, "--outfile"])
        .arg(&report)
        .arg(&features)
        .current_dir(edge.path(""))
        .env("EDGE_URL", edge.url())
        .env("EDGE_TOKEN", TOKEN)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let text = std::fs::read_to_string(&report).unwrap_or_else(|problem| panic!("{problem}: {errors}"));
    let features: Json = serde_json::from_str(&text).unwrap_or_else(|problem| panic!("{problem}: {text}{errors}"));
    let scenarios = features.as_array().unwrap().iter().flat_map(|feature| feature["elements"].as_array().unwrap());
    let (mut passed, mut otherwise) = (0, BTreeMap::new());
    for scenario in scenarios.filter(|scenario| scenario["type"] == "scenario") {
        match scenario["status"].as_str().unwrap() {
            "passed" => passed += 1,
            "skipped" | "untested" => {}
            _ => drop(otherwise.insert(key(scenario), why(scenario))),
        }
    }
    let known: BTreeSet<&str> = REFUSED.into_iter().chain(OTHERWISE).collect();
    let surprises: Vec<_> = otherwise.iter().filter(|(key, _)| !known.contains(key.as_str())).collect();
    assert!(surprises.is_empty(), "{passed} scenarios hold, those of these flags do not: {surprises:#?}");
    let gone: Vec<_> = known.iter().filter(|key| !otherwise.contains_key(**key)).collect();
    assert!(gone.is_empty(), "these hold now: {gone:?}");
    eprintln!("{passed} scenarios of flagd hold");
    assert!(passed >= SCENARIOS, "only {passed} scenarios hold");
}

/// The flag that a scenario asks about.
fn key(scenario: &Json) -> String {
    let names = scenario["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap());
    let key = names.filter_map(|name| name.split_once("-flag with key \"")?.1.split('"').next()).next();
    key.unwrap_or_default().to_owned()
}

/// The first step that failed.
fn why(scenario: &Json) -> String {
    let steps = scenario["steps"].as_array().unwrap();
    let failed = steps
        .iter()
        .find(|step| !["passed", "skipped"].contains(&step["result"]["status"].as_str().unwrap_or("skipped")));
    failed.map_or_else(String::new, |step| format!("{}: {}", step["name"], step["result"]["error_message"]))
}
