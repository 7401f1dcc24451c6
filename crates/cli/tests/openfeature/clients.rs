//! The clients: where they are, how they are asked, and what each makes of an answer.

use crate::cases::picked;
use crate::documentation::documentation;
use crate::sources;
use assay_real_parts::target;
use serde_json::{Value as Json, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The clients that are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    Python,
    Server,
    Web,
    Rust,
}

impl Client {
    fn command(self) -> Command {
        match self {
            Client::Python => python("client.py"),
            Client::Server => node("server.mjs"),
            Client::Web => node("web.mjs"),
            Client::Rust => Command::new(rust_client()),
        }
    }

    /// What the definitions say, as this client tells it.
    pub fn sees(self, case: &Json) -> Json {
        let mut expected = case["expect"].clone();
        let error = expected["error"].as_str().unwrap_or_default().to_owned();
        if self == Client::Rust {
            // It looks at the status alone, and tells no reason but this one.
            match error.as_str() {
                "" => expected["reason"] = json!("STATIC"),
                "TARGETING_KEY_MISSING" => expected["error"] = json!("INVALID_CONTEXT"),
                "TYPE_MISMATCH" => expected["error"] = json!("PARSE_ERROR"),
                _ => {}
            }
        }
        let name = format!("{self:?}").to_lowercase();
        if let Some(other) = case["except"].get(name) {
            expected = other.clone();
        }
        picked(&expected)
    }
}

pub fn tools() -> PathBuf {
    let tools = target().join("tools/openfeature");
    assert!(tools.join("installed").exists(), "no clients in {}: run `make deps`", tools.display());
    tools
}

fn python(program: &str) -> Command {
    let mut command = Command::new(tools().join("python/bin/python"));
    command.arg(sources().join(program));
    command
}

/// Programs are run beside the packages, because that is where Node.js looks for them.
pub fn node(program: &str) -> Command {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    let programs = PROGRAMS.get_or_init(|| {
        let directory = tools().join("programs");
        std::fs::create_dir_all(&directory).unwrap();
        for entry in std::fs::read_dir(sources()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "mjs") {
                std::fs::copy(&path, directory.join(path.file_name().unwrap())).unwrap();
            }
        }
        directory
    });
    let mut command = Command::new(tools().join("bin/node"));
    command.arg(programs.join(program));
    command
}

/// Builds the client for Rust, in a minute the first time.
fn rust_client() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built(&sources().join("rust"), "openfeature-client")).clone()
}

/// Builds a program with the clients for Rust; what they need is built once for all.
pub fn built(package: &Path, name: &str) -> PathBuf {
    let directory = target().join("openfeature-client");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--manifest-path"])
        .arg(package.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&directory)
        .status()
        .unwrap();
    assert!(status.success(), "{} cannot be built", package.display());
    directory.join("debug").join(name)
}

/// Runs a program with a document on its standard input and reads the one that it prints.
pub fn run(command: Command, asked: &Json) -> Json {
    let printed = printed(command, &asked.to_string());
    serde_json::from_str(&printed).unwrap_or_else(|problem| panic!("{problem}: {printed}"))
}

/// Runs a program to its good end and returns what it prints.
pub fn printed(mut command: Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = input.to_owned();
    // From a thread, because a program that answers before it has read everything would wait for us and we for it.
    let writer = std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Asks a client about cases and returns what it saw, by name.
pub fn ask(client: Client, url: &str, token: &str, cases: &[Json]) -> Vec<Json> {
    let authorization = format!("Bearer {token}");
    let told = run(client.command(), &json!({"url": url, "headers": {"Authorization": authorization}, "cases": cases}));
    let answers = told["answers"].as_array().unwrap().clone();
    assert_eq!(answers.len(), cases.len(), "{client:?}");
    assert!(answers.iter().zip(cases).all(|(answer, case)| answer["name"] == case["name"]), "{client:?}");
    let documented = documentation();
    eprintln!("{client:?}: {}", told["client"].as_str().unwrap());
    for version in told["client"].as_str().unwrap().split(", ") {
        let (name, number) = version.rsplit_once(' ').unwrap();
        let row = documented.lines().find(|line| line.contains(&format!("`{name}`")));
        assert!(row.is_some_and(|row| row.contains(number)), "docs/openfeature.md does not list {version}");
    }
    answers
}
