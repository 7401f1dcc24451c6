//! The doors of the planner and of the status, over a socket: the numbers of `assay power`, refusals that name the member, bounds.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

use assay_experiment::parse_time;
use assay_real_parts::{free_port, target, wait_until};
use serde_json::{Value as Json, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(90);
/// A question takes some hundred milliseconds of a processor that it has for itself; tests share theirs with others.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A service, stopped when it is dropped.
struct Service {
    child: Child,
    address: String,
    _directory: TempDir,
}

impl Service {
    fn start() -> Service {
        let directory = tempfile::Builder::new().prefix("planner-").tempdir_in(target()).unwrap();
        let definitions = directory.path().join("definitions");
        std::fs::create_dir(&definitions).unwrap();
        let text = "kind: experiment\nid: shop\nsalt: shop\nstatus: running\nassignment: external\n\
                    variants: [{ name: control, control: true }, { name: treatment }]\n\
                    metrics: [{ metric: bought, role: primary }]\nanalysis: { planned_units: 1000 }\n---\n\
                    { kind: metric, id: bought, type: conversion, event: buy }\n";
        std::fs::write(definitions.join("shop.yaml"), text).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let child = Command::new(env!("CARGO_BIN_EXE_assay"))
            .args(["serve", "--data", directory.path().join("data").to_str().unwrap()])
            .args(["--config", definitions.to_str().unwrap(), "--partitions", "3", "--listen", &address])
            .args(["--clickhouse-listen", &format!("127.0.0.1:{}", free_port())])
            .args(["--edge-listen", "127.0.0.1:0", "--dashboards", "https://dashboards.example/assay"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let service = Service { child, address, _directory: directory };
        wait_until("ready", PATIENCE, || service.ask("GET", "/readyz", "").is_some_and(|(code, ..)| code == 200));
        service
    }

    /// Status, content type and body.
    fn ask(&self, method: &str, path: &str, body: &str) -> Option<(u16, String, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (host, length) = (&self.address, body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let kind = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-type: ").map(str::to_owned));
        Some((head.split(' ').nth(1)?.parse().ok()?, kind.unwrap_or_default(), body.to_owned()))
    }

    fn answer(&self, path: &str, question: &Json) -> Json {
        let started = Instant::now();
        let (code, kind, body) = self.ask("POST", path, &question.to_string()).unwrap();
        assert_eq!((code, kind.as_str()), (200, "application/json"), "{question}: {body}");
        assert!(started.elapsed() < ANSWER_MAX, "{question} took {:?}", started.elapsed());
        serde_json::from_str(&body).unwrap()
    }

    fn refusal(&self, path: &str, body: &str) -> Json {
        let (code, kind, text) = self.ask("POST", path, body).unwrap();
        assert_eq!((code, kind.as_str()), (422, "application/problem+json"), "{body}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `assay power` says of the same question.
fn power(arguments: &[&str]) -> Json {
    let output = Command::new(env!("CARGO_BIN_EXE_assay")).arg("power").args(arguments).arg("--json").output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Holds an answer against the schema that is published for it.
fn check(name: &str, answer: &Json) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/json/planner.schema.json");
    let mut schema: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    schema["$ref"] = json!(format!("#/$defs/{name}"));
    let schema = jsonschema::validator_for(&schema).unwrap();
    let problems: Vec<String> =
        schema.iter_errors(answer).map(|problem| format!("{}: {problem}", problem.instance_path())).collect();
    assert!(problems.is_empty(), "{name}: {problems:?}");
}

#[test]
fn plans_are_those_of_the_command_line() {
    let service = Service::start();
    let cases = [
        (
            json!({"base": 0.05, "lift": 0.1, "per_day": 8000}),
            vec!["--baseline", "5%", "--mde", "10%", "--per-day", "8000"],
        ),
        (
            json!({"kind": "mean", "base": 24, "deviation": 60, "difference": 1.5, "treatments": 2, "looks": 7}),
            vec!["--mean", "24", "--sd", "60", "--mde-absolute", "1.5", "--arms", "3", "--looks", "7"],
        ),
        (
            json!({"base": 0.02, "difference": -0.002, "alpha": 0.01, "power": 0.9, "split": [4, 1]}),
            vec![
                "--baseline",
                "2%",
                "--mde-absolute",
                "-0.002",
                "--alpha",
                "0.01",
                "--power",
                "0.9",
                "--ratio",
                "0.25",
            ],
        ),
    ];
    for (question, arguments) in cases {
        let (answer, told) = (service.answer("/v1/plan", &question), power(&arguments));
        check("PlanAnswer", &answer);
        for plan in told["plans"].as_array().unwrap() {
            let methods = answer["methods"].as_array().unwrap();
            let method = methods.iter().find(|it| it["method"] == plan["plan"]).unwrap();
            for (here, there) in [
                ("control", "control"),
                ("treatment", "treatment"),
                ("total", "total"),
                ("total_on_average", "total_on_average"),
                ("times_at_most", "samples_at_most"),
                ("chance_at_one_look", "power_at_fixed_sample"),
            ] {
                assert_eq!(method[here], plan[there], "{question}: {here}");
            }
            assert_eq!(method["days"]["in_whole_weeks"].as_f64(), plan["days_in_whole_weeks"].as_f64(), "{question}");
        }
    }
    // The usual textbook example, in the numbers of the documentation.
    let answer = service.answer("/v1/plan", &json!({"base": 0.05, "lift": 0.1}));
    assert_eq!((&answer["headline"]["one_look"], &answer["methods"][2]["control"]), (&json!(62462.0), &json!(31231.0)));

    // What a running experiment can still find is what the command line says of its size.
    let answer = service.answer("/v1/plan", &json!({"base": 0.05, "lift": 0.1, "per_day": 8000, "units": 62462}));
    check("PlanAnswer", &answer);
    let told = power(&["--baseline", "5%", "--units", "62462"]);
    assert_eq!(answer["still"]["at"][0]["difference_up"], told["plans"][2]["difference_up"]);
    assert_eq!(answer["still"]["at"][0]["when"], "now");

    let peek = service.answer("/v1/peek", &json!({"seed": 44}));
    check("PeekAnswer", &peek);
    assert_eq!(peek, service.answer("/v1/peek", &json!({"seed": 44, "looks": 200, "units": 100_000, "rate": 0.05})));
    assert_ne!(peek["path"], service.answer("/v1/peek", &json!({"seed": 45}))["path"]);
    let twenty = peek["ever"].as_array().unwrap().iter().find(|it| it["looks"] == 20).unwrap();
    let told = Command::new(env!("CARGO_BIN_EXE_assay")).args(["peek", "--runs", "1", "--json"]).output().unwrap();
    let told: Json = serde_json::from_slice(&told.stdout).unwrap();
    let row = told["rows"].as_array().unwrap().last().unwrap();
    assert_eq!(twenty["ordinary"]["theory"], row["naive"]["theory"]);
    let (here, there) = (&twenty["always_valid"]["theory"], &row["always_valid"]["theory"]);
    assert!((here.as_f64().unwrap() - there.as_f64().unwrap()).abs() < 1e-9, "{here} is not {there}");
}

#[test]
fn the_doors_are_bounded_and_say_what_is_wrong_where() {
    let service = Service::start();
    for (path, body, field) in [
        ("/v1/plan", r#"{"base": 0.05, "lift": 0.1, "alpha": 5}"#, "alpha"),
        ("/v1/plan", r#"{"base": 0.6, "lift": 1}"#, "lift"),
        ("/v1/plan", r#"{"base": 0.05, "lift": 0.1, "looks": 100000}"#, "looks"),
        ("/v1/plan", r#"{"base": 0.05, "lift": 0.1, "days": 3}"#, "days"),
        ("/v1/plan", "not JSON", "body"),
        ("/v1/peek", r#"{"looks": 1000}"#, "looks"),
        ("/v1/peek", r#"{"units": 1000000, "looks": 2}"#, "units"),
    ] {
        let problem = service.refusal(path, body);
        assert_eq!(problem["field"], field, "{body}: {problem}");
        assert!(problem["request_id"].is_string() && problem["detail"].as_str().unwrap().len() > 10, "{problem}");
    }
    // What takes longest is still answered, twenty at a time.
    let hard = [
        json!({"base": 0.05, "lift": 0.1, "alpha": 1e-6, "power": 0.99, "treatments": 20, "looks": 50}),
        json!({"base": 0.5, "lift": 0.9, "alpha": 0.5, "power": 0.99, "looks": 50, "units": 100}),
        json!({"kind": "mean", "base": 24, "deviation": 60, "lift": 0.0001, "units": 1e12}),
    ];
    for question in &hard {
        check("PlanAnswer", &service.answer("/v1/plan", question));
    }
    check("PeekAnswer", &service.answer("/v1/peek", &json!({"units": 4_000_000, "alpha": 1e-6, "rate": 0.5})));
    std::thread::scope(|scope| {
        let service = &service;
        let ask = move |seed: u32| service.ask("POST", "/v1/peek", &json!({"seed": seed}).to_string()).unwrap().0;
        let asked: Vec<_> = (0..20).map(|seed| scope.spawn(move || ask(seed))).collect();
        let codes: Vec<u16> = asked.into_iter().map(|it| it.join().unwrap()).collect();
        // Who waits too long for a turn is told to come again.
        assert!(codes.iter().all(|code| [200, 503].contains(code)) && codes.contains(&200), "{codes:?}");
    });
    let (code, kind, _) =
        service.ask("POST", "/v1/plan", &format!("{{\"base\": 0.05{}}}", " ".repeat(200_000))).unwrap();
    assert_eq!((code, kind.as_str()), (413, "application/problem+json"));
    assert_eq!(service.ask("GET", "/v1/plan", "").unwrap().0, 405);
    let contract: Json = serde_json::from_str(&service.ask("GET", "/openapi.json", "").unwrap().2).unwrap();
    for (path, method) in [("/v1/plan", "post"), ("/v1/peek", "post"), ("/v1/status", "get")] {
        assert!(contract["paths"][path][method]["responses"]["200"].is_object(), "{path}");
    }
    assert!(contract["components"]["schemas"]["PlanAnswer"]["properties"]["headline"].is_object());
}

#[test]
fn the_status_begins_with_a_sentence() {
    let service = Service::start();
    let status = || -> Json {
        let (code, _, body) = service.ask("GET", "/v1/status", "").unwrap();
        assert_eq!(code, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    };
    // After ten looks the latency is known.
    wait_until("a latency", PATIENCE, || status()["latency"].is_object());
    wait_until("the sentence", PATIENCE, || {
        status()["sentence"].as_str().unwrap().starts_with("All 3 partitions are within")
    });
    let now = status();
    check("Status", &now);
    assert_eq!((&now["level"], &now["analysis"]["fine"]), (&json!("fine"), &json!(true)), "{now}");
    assert_eq!(now["partitions"].as_array().unwrap().len(), 3);
    assert_eq!((&now["config"]["version"], &now["config"]["partitions"]), (&json!(1), &json!(3)), "{now}");
    assert!(now["latency"]["median_ms"].as_f64() <= now["latency"]["p99_ms"].as_f64());
    assert!(now["disk"]["free"].as_u64() <= now["disk"]["total"].as_u64() && now["disk"]["total"].as_u64() > Some(0));
    assert!(now["events"]["outcomes"].as_array().unwrap().iter().any(|it| it["name"] == "control"));
    let edges = now["edges"].as_array().unwrap();
    assert_eq!((edges.len(), &edges[0]["version"], &edges[0]["state"]), (1, &json!(1), &json!("current")), "{now}");
    assert_eq!(now["dashboards"], "https://dashboards.example/assay");
    let time = |field: &str| parse_time(now["partitions"][0][field].as_str().unwrap()).unwrap();
    assert!(time("closed_look") <= time("log_time"), "{now}");
}
