//! The dashboard before the real binary: a Chromium drives the demonstration, kills it in the middle, and reads on.

#![allow(clippy::unwrap_used, reason = "a browser that cannot be started has failed")]

use std::process::Command;

#[test]
fn a_browser_follows_the_demonstration_through_a_kill() {
    let root = assay_real_parts::target().parent().unwrap().to_owned();
    let installed = Command::new(root.join(".ci/install-ui")).status().unwrap();
    assert!(installed.success(), "what the dashboard's tests need could not be installed");
    let tools = root.join("target/tools/node/js");
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new(tools.join("npx"))
        .args(["playwright", "test", "demo.spec"])
        .current_dir(root.join("crates/control-plane/ui"))
        .env("PATH", path)
        .env("ASSAY_BIN", env!("CARGO_BIN_EXE_assay"))
        .env("CI", "1")
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "the browser drove nothing:\n{said}");
}
