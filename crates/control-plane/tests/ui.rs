//! The dashboard: its types, its pure functions, its budgets, that `ui/dist` is what the sources give, and the page in a real browser.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a script that cannot be started has failed")]

use std::path::PathBuf;
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Runs a command with the Node.js that `.ci/install-ui` chose, and shows what it said where it fails.
fn run(directory: &str, program: &str, arguments: &[&str]) {
    let tools = root().join("target/tools/node/js");
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root().join(directory))
        .env("PATH", path)
        .env("CI", "1")
        .env("NO_COLOR", "1")
        .output()
        .unwrap_or_else(|problem| panic!("{program} cannot be started: {problem}"));
    assert!(
        output.status.success(),
        "{program} {} failed:\n{}\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// One test, because both halves need the same packages and the same few processors.
#[test]
fn the_dashboard_is_built_says_the_right_words_and_works_in_a_browser() {
    run(".", ".ci/install-ui", &[]);
    run("crates/control-plane/ui", "npm", &["test"]);
    run("crates/control-plane/ui", "npm", &["run", "e2e"]);
}
