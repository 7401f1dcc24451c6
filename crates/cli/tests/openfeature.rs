//! Real OpenFeature clients, unmodified, against the edge of the real binary: what an application sees of flags and experiments.
//!
//! The programs are in `openfeature/`; each reads what it is to ask from standard input and prints what it saw as JSON. Clients come from
//! `make deps`, Rust's is built on first use.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

use assay_real_parts::{free_port, target, wait_until};
use serde_json::{Value as Json, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(90);
const TOKEN: &str = "a-token-that-only-tests-have";
/// Units of each split that is compared with the hash.
const UNITS: usize = 200;
/// A variant with a name that is no word of a programming language.
const BEAR: &str = "mit Bär 🐻";

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openfeature")
}

/// A running edge with its own copy of definitions.
struct Edge {
    child: Child,
    address: String,
    directory: TempDir,
}

impl Edge {
    /// An edge alone, on the definitions of the cases.
    fn start() -> Edge {
        let files = std::fs::read_dir(sources().join("definitions")).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
        });
        Edge::alone(place(files))
    }

    fn alone(directory: TempDir) -> Edge {
        let source = directory.path().join("definitions").display().to_string();
        Edge::serve(directory, &["--only", "edge", "--edge-source", &source])
    }

    fn serve(directory: TempDir, arguments: &[&str]) -> Edge {
        let address = format!("127.0.0.1:{}", free_port());
        let child = Command::new(env!("CARGO_BIN_EXE_assay"))
            .args(["serve", "--edge-listen", &address, "--data"])
            .arg(directory.path().join("data"))
            .args(arguments)
            .env("ASSAY_EDGE_TOKENS", TOKEN)
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(directory.path().join("log.txt")).unwrap())
            .spawn()
            .unwrap();
        let mut edge = Edge { child, address, directory };
        wait_until("an edge that answers", PATIENCE, || {
            let ended = edge.child.try_wait().unwrap();
            assert!(ended.is_none(), "{}", std::fs::read_to_string(edge.path("log.txt")).unwrap());
            edge.get("/readyz").is_some_and(|(code, _)| code == 200)
        });
        edge
    }

    /// Stops it and gives its directory back.
    fn stop(mut self) -> TempDir {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let other = tempfile::tempdir_in(target()).unwrap();
        std::mem::replace(&mut self.directory, other)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let code = text.split(' ').nth(1)?.parse().ok()?;
        Some((code, text.split_once("\r\n\r\n")?.1.to_owned()))
    }
}

/// A directory with definitions.
fn place(files: impl IntoIterator<Item = (String, String)>) -> TempDir {
    let directory = tempfile::Builder::new().prefix("openfeature-").tempdir_in(target()).unwrap();
    std::fs::create_dir(directory.path().join("definitions")).unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join("definitions").join(name), text).unwrap();
    }
    directory
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The clients that are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
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
    fn sees(self, case: &Json) -> Json {
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

fn tools() -> PathBuf {
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
fn node(program: &str) -> Command {
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
    BUILT.get_or_init(|| built(&sources().join("rust"))).clone()
}

/// Builds a program with the clients for Rust; one after the other, because all have one name.
fn built(package: &Path) -> PathBuf {
    let directory = target().join("openfeature-client");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--manifest-path"])
        .arg(package.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&directory)
        .status()
        .unwrap();
    assert!(status.success(), "{} cannot be built", package.display());
    directory.join("debug/openfeature-client")
}

/// Runs a program with a document on its standard input and reads the one that it prints.
fn run(command: Command, asked: &Json) -> Json {
    let printed = printed(command, &asked.to_string());
    serde_json::from_str(&printed).unwrap_or_else(|problem| panic!("{problem}: {printed}"))
}

/// Runs a program to its good end and returns what it prints.
fn printed(mut command: Command, input: &str) -> String {
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
fn ask(client: Client, url: &str, token: &str, cases: &[Json]) -> Vec<Json> {
    let authorization = format!("Bearer {token}");
    let told = run(client.command(), &json!({"url": url, "headers": {"Authorization": authorization}, "cases": cases}));
    let answers = told["answers"].as_array().unwrap().clone();
    assert_eq!(answers.len(), cases.len(), "{client:?}");
    assert!(answers.iter().zip(cases).all(|(answer, case)| answer["name"] == case["name"]), "{client:?}");
    let documented = documentation();
    for version in told["client"].as_str().unwrap().split(", ") {
        let (name, number) = version.rsplit_once(' ').unwrap();
        let row = documented.lines().find(|line| line.contains(&format!("`{name}`")));
        assert!(row.is_some_and(|row| row.contains(number)), "docs/openfeature.md does not list {version}");
    }
    answers
}

/// What is compared of an answer.
fn picked(answer: &Json) -> Json {
    ["value", "variant", "reason", "error"].iter().map(|name| ((*name).to_owned(), even(&answer[*name]))).collect()
}

/// Whole numbers are whole however they are written, because JavaScript knows no others.
fn even(value: &Json) -> Json {
    match value {
        Json::Number(number) => json!(number.as_f64()),
        Json::Array(items) => items.iter().map(even).collect(),
        Json::Object(entries) => entries.iter().map(|(name, value)| (name.clone(), even(value))).collect(),
        other => other.clone(),
    }
}

/// Every way to an answer, from `cases.json`.
fn written() -> Vec<Json> {
    serde_json::from_str(&std::fs::read_to_string(sources().join("cases.json")).unwrap()).unwrap()
}

/// Ids as people have them: numbers, letters of the world, composed and decomposed, blanks, the longest that is allowed.
fn units() -> Vec<String> {
    let mut units: Vec<String> = (0..UNITS - 10)
        .map(|number| match number % 3 {
            0 => format!("user-{number}"),
            1 => format!("{:08x}-0000-4000-8000-{number:012}", number * 2_654_435_761_usize % 0xffff_ffff),
            _ => format!("用户-{number}"),
        })
        .collect();
    let strange = ["42", "é", "e\u{301}", " ", "a b", "ab:c", "👩‍🔬", "a\nb\t\"c\"\\", "Ünïcödé", &"x".repeat(128)];
    units.extend(strange.map(str::to_owned));
    units
}

/// The buckets of units by the command that other implementations are checked with.
fn buckets(tag: &str, salt: &str, unit_type: &str, units: &[String]) -> Vec<u64> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_assay"))
        .arg("bucket")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for unit in units {
        writeln!(stdin, "{}", json!({"tag": tag, "salt": salt, "unit_type": unit_type, "unit": unit})).unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()["bucket"].as_u64().unwrap()).collect()
}

/// A case for each unit: variant and value are those of the range, given by its end, that holds the bucket.
fn split(key: &str, context: &Json, (tag, salt): (&str, &str), ends: &[(u64, &str, &str)]) -> Vec<Json> {
    let units = units();
    let buckets = buckets(tag, salt, "user", &units);
    let cases = units.iter().zip(buckets).map(|(unit, bucket)| {
        let (_, variant, value) = ends.iter().find(|(end, _, _)| bucket < *end).unwrap();
        let mut context = context.clone();
        context["targetingKey"] = json!(unit);
        json!({
            "name": format!("{key} of {unit}"), "key": key, "type": "string", "default": "code", "context": context,
            "expect": {"value": value, "variant": variant, "reason": "SPLIT"},
        })
    });
    cases.collect()
}

fn cases() -> Vec<Json> {
    let mut cases = written();
    let checkout = ("V", "checkout-salt");
    let arms = [(250_000, "control", "control"), (750_000, "treatment", "treatment"), (1_000_000, BEAR, BEAR)];
    cases.extend(split("checkout", &json!({}), checkout, &arms));
    // A flag that an experiment decides has values of its own.
    let arms = [(250_000, "control", "Buy"), (750_000, "treatment", "Buy now"), (1_000_000, BEAR, "Kaufen")];
    cases.extend(split("pay-button", &json!({}), checkout, &arms));
    let arms = [(500_000, "control", "control"), (1_000_000, "free", "free")];
    cases.extend(split("shipping", &json!({"country": "DE"}), ("V", "shipping-salt"), &arms));
    let shares = [(300_000, "new", "new"), (1_000_000, "old", "old")];
    cases.extend(split("ramp", &json!({}), ("R", "ramp-2026"), &shares));
    cases.extend(devices());
    cases
}

/// Half of all devices are held out of experiments; the others are split.
fn devices() -> Vec<Json> {
    let units = units();
    let (held, arms) = (buckets("H", "quiet-salt", "device", &units), buckets("V", "player-salt", "device", &units));
    let cases = units.iter().zip(held.iter().zip(&arms)).map(|(unit, (held, arm))| {
        // An integer is the same unit as its digits.
        let device = unit.parse::<u64>().map_or_else(|_| json!(unit), |number| json!(number));
        let expected = if *held < 500_000 {
            json!({"value": "control", "variant": "control", "reason": "DEFAULT", "metadata": {"holdout": "quiet-devices"}})
        } else {
            let variant = if *arm < 500_000 { "control" } else { "smooth" };
            json!({"value": variant, "variant": variant, "reason": "SPLIT"})
        };
        json!({
            "name": format!("player of {unit}"), "key": "player", "type": "string", "default": "code",
            "context": {"targetingKey": "user-1", "device": device}, "expect": expected,
        })
    });
    cases.collect()
}

/// A client sees what the definitions and the hash say, in every case.
fn sees_what_is_defined(client: Client) {
    let edge = Edge::start();
    let cases = cases();
    let answers = ask(client, &edge.url(), TOKEN, &cases);
    let wrong: Vec<String> = answers
        .iter()
        .zip(&cases)
        .filter(|(answer, case)| picked(answer) != client.sees(case) || !tells_metadata(client, answer, case))
        .map(|(answer, case)| format!("{}: expected {}, seen {answer}", case["name"], client.sees(case)))
        .collect();
    assert!(wrong.is_empty(), "{client:?} sees otherwise in {} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// Rust's provider drops metadata; all others pass on what stands beside a value.
fn tells_metadata(client: Client, answer: &Json, case: &Json) -> bool {
    let expected = case["expect"]["metadata"].as_object();
    client == Client::Rust
        || expected.into_iter().flatten().all(|(name, value)| even(&answer["metadata"][name]) == even(value))
}

#[test]
fn python_sees_what_is_defined() {
    sees_what_is_defined(Client::Python);
}

#[test]
fn servers_of_javascript_see_what_is_defined() {
    sees_what_is_defined(Client::Server);
}

#[test]
fn pages_see_what_is_defined() {
    sees_what_is_defined(Client::Web);
}

#[test]
fn rust_sees_what_is_defined() {
    sees_what_is_defined(Client::Rust);
}

/// Whoever has no token gets the application's own values, and is told why; pages are in `a_page_follows_changes`.
#[test]
fn a_wrong_token_leaves_an_application_its_own_values() {
    let edge = Edge::start();
    let cases = &written()[..8];
    for client in [Client::Python, Client::Server, Client::Rust] {
        for (answer, case) in ask(client, &edge.url(), "another-token", cases).iter().zip(cases) {
            let error = if client == Client::Rust { "authentication/authorization error" } else { "GENERAL" };
            let own = json!({"value": case["default"], "reason": "ERROR", "error": error});
            assert_eq!(picked(answer), picked(&own), "{client:?}: {answer}");
        }
    }
}

/// Tags and 304, polling, streams, other contexts, and what a wrong token means to a page.
#[test]
fn a_page_follows_changes() {
    let edge = Edge::start();
    let seen = run(
        node("live.mjs"),
        &json!({
            "url": edge.url(),
            "headers": {"Authorization": format!("Bearer {TOKEN}")},
            "wrong": {"Authorization": "Bearer another-token"},
            "directory": edge.path("definitions"),
        }),
    );
    assert_eq!(seen["unchanged"], json!({"quoted": true, "changes": 0}), "{seen}");
    assert_eq!(seen["polling"], json!({"flags": ["live"], "otherTag": true}), "{seen}");
    assert_eq!(seen["context"], json!({"off": false, "on": true}), "{seen}");
    assert_eq!(seen["stream"]["flags"], json!(["live"]), "{seen}");
    assert_eq!(seen["stream"]["named"], json!(true), "the stream's tag is sent back: {seen}");
    assert_eq!(
        seen["stream"]["connections"],
        json!(1),
        "an address of a stream that changes makes pages reconnect: {seen}"
    );
    assert_eq!(seen["gap"]["after"], json!("d"), "{seen}");
    let fatal = json!({
        "code": "PROVIDER_FATAL", "status": "FATAL", "requests": 1, "answer": 401, "value": "code", "error": "PROVIDER_FATAL",
    });
    assert_eq!(seen["fatal"], fatal, "{seen}");
}

/// A real browser lets a page read what the edge allows it to: answers, tags, 304, streams, and why a token is refused.
#[test]
fn a_page_of_another_origin_may_ask() {
    let edge = Edge::start();
    let seen = run(
        node("browser.mjs"),
        &json!({
            "url": edge.url(),
            "headers": {"Authorization": format!("Bearer {TOKEN}")},
            "browser": browser(),
            "directory": edge.path("profile"),
            "modules": tools().join("node_modules"),
        }),
    );
    let answer = |reason: &str| json!({"value": true, "variant": "on", "reason": reason});
    assert_eq!(seen["first"], answer("TARGETING_MATCH"), "{seen}");
    assert_eq!(seen["stream"], json!(true), "{seen}");
    assert_eq!(seen["second"], answer("CACHED"), "{seen}");
    assert_eq!(seen["refresh"]["status"], json!(304), "{seen}");
    assert!(seen["refresh"]["etag"].is_string() && seen["refresh"]["version"].is_string(), "{seen}");
    assert_eq!(seen["wrong"], json!({"status": 401, "code": "PROVIDER_FATAL"}), "{seen}");
}

fn browser() -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let mut places = std::env::split_paths(&paths).flat_map(|path| names.map(|name| path.join(name)));
    places.find(|place| place.is_file()).expect("a Chromium is on the path: `make deps` installs it")
}

/// Restarted without its source, an edge answers from what it kept, and says so beside every answer.
#[test]
fn an_old_configuration_is_marked() {
    let edge = Edge::start();
    let cases = &written()[..1];
    let fresh = ask(Client::Python, &edge.url(), TOKEN, cases).remove(0);
    assert_eq!(fresh["metadata"]["version"], json!(1), "{fresh}");
    assert_eq!(fresh["metadata"]["configStale"], Json::Null, "{fresh}");
    let directory = edge.stop();
    std::fs::rename(directory.path().join("definitions"), directory.path().join("away")).unwrap();
    std::fs::create_dir(directory.path().join("definitions")).unwrap();
    let edge = Edge::alone(directory);
    for client in [Client::Python, Client::Server, Client::Web] {
        let stale = ask(client, &edge.url(), TOKEN, cases).remove(0);
        assert_eq!(picked(&stale), client.sees(&cases[0]), "{client:?}: {stale}");
        assert_eq!(stale["metadata"]["configStale"], json!(true), "{client:?}: {stale}");
        assert_eq!(stale["metadata"]["configSource"], json!("last_known_good"), "{client:?}: {stale}");
    }
}

fn documentation() -> String {
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
        std::fs::copy(sources().join("rust").join(name), package.join(name)).unwrap();
    }
    std::fs::write(package.join("src/main.rs"), program("rust")).unwrap();
    commands.push(Command::new(built(&package)));
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
