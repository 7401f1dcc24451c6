//! The running service against its own `/openapi.json`: schemathesis asks everything that the document allows, and much that it does not.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod doors;

use doors::Place;
use std::path::Path;
use std::process::Command;

#[test]
fn what_openapi_promises_is_what_comes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tool = root.join("target/tools/schemathesis/bin/schemathesis");
    assert!(tool.exists(), "schemathesis is missing; run: make deps");
    let place = Place::new();
    place.fill(120);
    let running = place.start(&[]);
    running.results("/v1/experiments/shop/results", |json| json["events"]["exposures"] == 240);
    let output = Command::new(tool)
        .arg("--config-file")
        .arg(root.join(".ci/schemathesis/schemathesis.toml"))
        .args(["run", &format!("http://{}/openapi.json", place.address)])
        .args(["--url", &format!("http://{}", place.address)])
        // Streams have no end, and a long poll waits on purpose: they have tests of their own.
        .args(["--exclude-path-regex", "stream$|^/internal/"])
        .args(["--checks", "all"])
        // Without a seed of their own two runs would ask different things.
        .args(["--seed", "1", "--max-examples", "15", "--max-time", "60", "--request-timeout", "20", "--workers", "1"])
        .current_dir(place.path(""))
        .output()
        .unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    assert_eq!(running.get("/readyz").status, 200, "it still runs");
}
