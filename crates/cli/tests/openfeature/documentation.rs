//! Every program of `docs/openfeature.md` as it stands there.

use crate::clients::{built, printed, tools};
use crate::edge::{Edge, place};
use crate::{PATIENCE, TOKEN, sources};
use assay_real_parts::{free_port, wait_until};
use std::process::Command;

/// The page.
pub fn documentation() -> String {
    std::fs::read_to_string(sources().join("../../../../docs/openfeature.md")).unwrap()
}

/// The block of the documentation that starts with this word.
fn block(kind: &str) -> String {
    let text = documentation();
    let (_, rest) = text.split_once(&format!("```{kind}\n")).unwrap_or_else(|| panic!("no block {kind}"));
    rest.split_once("```").unwrap().0.to_owned()
}

/// Every program of `docs/openfeature.md` as it stands there, and what becomes of the events that they send.
#[test]
fn the_documentation_works() {
    let directory = place([("documented.yaml".to_owned(), block("yaml"))]);
    let definitions = directory.path().join("definitions").display().to_string();
    let clickhouse = format!("127.0.0.1:{}", free_port());
    let more = ["--config", &definitions, "--listen", "127.0.0.1:0", "--clickhouse-listen", &clickhouse];
    assert!(block("sh").contains("assay serve --config experiments/ --edge-listen 127.0.0.1:8016"));
    let edge = Edge::serve(directory, &more);
    let program = |kind: &str| block(kind).replace("http://127.0.0.1:8016", &edge.url()).replace("TOKEN", TOKEN);
    let written = |name: &str, text: String| {
        let path = tools().join("programs").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    };
    let mut commands = Vec::new();
    let mut python = Command::new(tools().join("python/bin/python"));
    python.arg(written("documented.py", program("python")));
    commands.push(python);
    for kind in ["server", "page"] {
        let mut node = Command::new(tools().join("bin/node"));
        node.arg(written(&format!("documented-{kind}.mjs"), program(&format!("js {kind}"))));
        commands.push(node);
    }
    let package = edge.path("rust");
    std::fs::create_dir_all(package.join("src")).unwrap();
    for name in ["Cargo.toml", "Cargo.lock"] {
        let text = std::fs::read_to_string(sources().join("rust").join(name)).unwrap();
        std::fs::write(package.join(name), text.replace("openfeature-client", "openfeature-documented")).unwrap();
    }
    std::fs::write(package.join("src/main.rs"), program("rust")).unwrap();
    commands.push(Command::new(built(&package, "openfeature-documented")));
    for command in commands {
        let name = format!("{command:?}");
        assert_eq!(printed(command, ""), "new search\ntreatment\n", "{name}");
    }
    let sql = |query: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        command.args(["sql", "--url", &format!("http://{clickhouse}"), "--format", "TabSeparated", query]);
        printed(command, "")
    };
    let conversions = "SELECT count(), uniqExact(event_id), min(event_value), max(event_value), any(metadata['currency']) \
                       FROM events WHERE event_type = 'conversion' AND event_name = 'purchase' AND user_id = 'user-17'";
    wait_until("three purchases", PATIENCE, || sql(conversions) == "3\t3\t19.99\t19.99\tEUR\n");
    let exposures = "SELECT uniqExact(user_id), any(user_id), any(variant), uniqExact(variant) FROM events \
                     WHERE event_type = 'exposure' AND experiment_id = 'checkout-v3'";
    wait_until("the exposure", PATIENCE, || sql(exposures) == "1\tuser-17\ttreatment\t1\n");
    edge.stop();
}
