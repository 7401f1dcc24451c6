//! flagd's test suite for providers, unmodified, over OpenFeature's clients for Python: what flagd's users rely on holds behind OFREP too.
//!
//! Its flags are imported; its features run as they are, by `behave`, with the steps in `testbed`.

use crate::clients::tools;
use crate::edge::{Edge, place};
use crate::{TOKEN, sources};
use assay_experiment::snapshot::Snapshot;
use assay_experiment::{ConfigVersion, Definitions, flagd};
use assay_real_parts::target;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Features that are about evaluation; the others are about flagd's own connections, caches and options.
const FEATURES: [&str; 4] = ["evaluation", "targeting", "disabled", "metadata"];
/// What is left out by its tags: two other ways to bucket than the one that evaluators implement today, and a deprecated answer to flags
/// without a default.
const LEFT_OUT: &str = "not @fractional-v1 and not @fractional-v3 and not @deprecated";
/// Scenarios that are answered otherwise, with the reason.
const OTHERWISE: [(&str, &str); 0] = [];

fn suite() -> PathBuf {
    let suite = target().join("flagd-testbed");
    assert!(suite.join("complete").exists(), "flagd's scenarios are not in {}: run `make deps`", suite.display());
    suite
}

/// flagd's files of flags as a snapshot. Files of selectors are other sources of the suite's flagd, which a request cannot choose.
fn snapshot(suite: &Path) -> String {
    let mut definitions = Definitions::default();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(suite.join("flags")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| !file.file_name().unwrap().to_str().unwrap().starts_with("selector-"));
    files.sort();
    for file in files {
        let import = flagd::import(&std::fs::read_to_string(&file).unwrap()).unwrap();
        assert!(import.refused.is_empty(), "{}: {:?}", file.display(), import.refused);
        definitions.flags.extend(import.flags);
    }
    Snapshot::of(ConfigVersion(1), &definitions).encode()
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
    let (mut passed, mut otherwise) = (0, Vec::new());
    for scenario in scenarios.filter(|scenario| scenario["type"] == "scenario") {
        match scenario["status"].as_str().unwrap() {
            "passed" => passed += 1,
            "skipped" | "untested" => {}
            _ => otherwise.push((scenario["name"].as_str().unwrap().to_owned(), why(scenario))),
        }
    }
    let known = |name: &str| OTHERWISE.iter().any(|(known, _)| name.starts_with(known));
    let surprises: Vec<_> = otherwise.iter().filter(|(name, _)| !known(name)).collect();
    assert!(surprises.is_empty(), "{passed} scenarios hold, these do not: {surprises:#?}");
    let gone: Vec<_> =
        OTHERWISE.iter().filter(|(known, _)| !otherwise.iter().any(|(name, _)| name.starts_with(known))).collect();
    assert!(gone.is_empty(), "these hold now: {gone:?}");
    assert!(passed >= 100, "only {passed} scenarios ran");
}

/// The first step that failed.
fn why(scenario: &Json) -> String {
    let steps = scenario["steps"].as_array().unwrap();
    let failed = steps
        .iter()
        .find(|step| !["passed", "skipped"].contains(&step["result"]["status"].as_str().unwrap_or("skipped")));
    failed.map_or_else(String::new, |step| format!("{}: {}", step["name"], step["result"]["error_message"]))
}
