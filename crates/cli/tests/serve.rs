//! `assay serve` from outside: what it answers, what it refuses, and dead letters on their way back.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

use assay_broker::{NewRecord, Partition};
use assay_experiment::{Timestamp, format_time, partitioner};
use assay_real_parts::{free_port, target, wait_until};
use serde_json::{Value as Json, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(90);

struct Place {
    directory: TempDir,
    health: String,
    clickhouse: String,
}

impl Place {
    fn new() -> Place {
        let directory = tempfile::Builder::new().prefix("serve-").tempdir_in(target()).unwrap();
        std::fs::create_dir(directory.path().join("definitions")).unwrap();
        let place = Place {
            directory,
            health: format!("127.0.0.1:{}", free_port()),
            clickhouse: format!("127.0.0.1:{}", free_port()),
        };
        place.define("control");
        place
    }

    fn define(&self, other: &str) {
        let text = format!(
            "kind: experiment\nid: shop\nsalt: shop\nstatus: running\nassignment: external\n\
             variants: [{{ name: control, control: true }}, {{ name: treatment }}]\n\
             metrics: [{{ metric: bought, role: primary }}]\nanalysis: {{ planned_units: 1000 }}\n---\n\
             {{ kind: metric, id: bought, type: conversion, event: buy }}\n{}",
            if other == "control" {
                String::new()
            } else {
                format!(
                    "---\nkind: experiment\nid: {other}\nsalt: {other}\nstatus: running\nassignment: external\n\
                     variants: [{{ name: control, control: true }}, {{ name: treatment }}]\n\
                     metrics: [{{ metric: bought, role: primary }}]\nanalysis: {{ planned_units: 1000 }}\n"
                )
            }
        );
        std::fs::write(self.path("definitions/shop.yaml"), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        command
            .env("ASSAY_EDGE_LISTEN", "127.0.0.1:0")
            .args(["serve", "--data", self.path("data").to_str().unwrap()])
            .args(["--config", self.path("definitions").to_str().unwrap()])
            .args(["--listen", &self.health, "--clickhouse-listen", &self.clickhouse, "--partitions", "3"])
            .args(more);
        command
    }

    fn start(&self) -> Running<'_> {
        let child = self.command(&[]).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let running = Running { child, place: self };
        wait_until("ready", PATIENCE, || get(&self.health, "/readyz").is_some_and(|(code, _)| code == 200));
        running
    }

    fn dead_letters(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_assay"))
            .args(["dead-letters", arguments[0], "--data", self.path("data").to_str().unwrap()])
            .args(&arguments[1..])
            .output()
            .unwrap();
        let told = said(&output);
        assert!(output.status.success(), "{told}");
        told
    }

    /// Appends events to the log of a service that does not run, by the rules of a producer.
    fn append(&self, events: &[Json]) {
        let log = assay_broker::open(&format!("local:{}", self.path("data/log").display())).unwrap();
        let partitions = log.topic("assay.events").unwrap().partitions;
        for event in events {
            let unit = event["unit_id"].as_str().unwrap().as_bytes();
            let payload = event.to_string().into_bytes();
            let record = NewRecord { key: Some(unit), headers: &[], payload: &payload, timestamp_ms: None };
            log.append("assay.events", Partition(partitioner::partition_of(unit, partitions)), &[record]).unwrap();
        }
    }
}

struct Running<'a> {
    child: Child,
    place: &'a Place,
}

impl Running<'_> {
    fn get(&self, path: &str) -> (u16, String) {
        get(&self.place.health, path).unwrap()
    }

    /// The exit code after a polite stop.
    fn stop(mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let code = text.split(' ').nth(1)?.parse().ok()?;
    Some((code, text.split_once("\r\n\r\n")?.1.to_owned()))
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn event(number: u32, unit: &str, more: &Json) -> Json {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
    let mut event = json!({
        "event_id": format!("00000000-0000-4000-8000-{number:012}"), "event_time": format_time(Timestamp(now)), "unit_id": unit,
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn exposure(experiment: &str) -> Json {
    json!({"event_type": "exposure", "experiment_id": experiment, "variant": "control"})
}

fn asked(place: &Place, sql: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(["sql", "--url", &format!("http://{}", place.clickhouse), "--format", "TabSeparated", sql])
        .output()
        .unwrap()
}

/// How many rows a query of a running service's ClickHouse gives.
fn rows(place: &Place, sql: &str) -> String {
    let output = asked(place, sql);
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_service_tells_how_it_is_and_stops_when_told() {
    let place = Place::new();
    let running = place.start();
    assert_eq!(running.get("/livez").0, 200);
    assert_eq!(running.get("/nowhere").0, 404);
    let refused = asked(&place, "SELECT nobody FROM experiment_events");
    assert!(
        said(&refused).contains("the query was refused") && !said(&refused).contains("running there"),
        "{}",
        said(&refused)
    );
    let ready: Json = serde_json::from_str(&running.get("/readyz").1).unwrap();
    assert_eq!(ready["partitions"].as_array().unwrap().len(), 3, "{ready}");
    let metrics = running.get("/metrics").1;
    let documented =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md")).unwrap();
    let mut known = 0;
    for line in metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        assert!(documented.contains(&format!("`{name}`")), "docs/metrics.md does not explain {name}");
        known += 1;
    }
    assert!(known >= 15, "only {known} metrics: {metrics}");

    // A second service on the same port, and one on the same data.
    let other = Place::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    let data = other.path("data").display().to_string();
    let output = command.args(["serve", "--data", &data, "--listen", &place.health]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("choose another with --listen"), "{}", said(&output));
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    let data = place.path("data").display().to_string();
    command.args(["serve", "--data", &data, "--listen", "127.0.0.1:0", "--clickhouse-listen", "127.0.0.1:0"]);
    command.args(["--edge-listen", "127.0.0.1:0"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("another process"), "{}", said(&output));
    assert_eq!(running.stop(), 0, "a polite stop is no failure");
}

#[test]
fn what_is_missing_or_wrong_is_told_in_words() {
    let place = Place::new();
    let output = place.command(&[]).env("ASSAY_LIBCHDB", "/nowhere/libchdb.so").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("make deps"), "{}", said(&output));
    let file = place.path("a-file");
    std::fs::write(&file, "not a directory").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    let output = command.args(["serve", "--data", file.join("below").to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("--data"), "{}", said(&output));
    std::fs::write(place.path("definitions/wrong.yaml"), "kind: metric\nid: x\ntype: count\nevnet: y\n").unwrap();
    let output = place.command(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("wrong.yaml:4"), "{}", said(&output));
    let past = "{ kind: settings, from: 2020-01-01T00:00:00Z, look: 2s, chunk: 10s }";
    std::fs::write(place.path("definitions/wrong.yaml"), past).unwrap();
    let output = place.command(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("2020-01-01T00:00:00Z: the hour has passed"), "{}", said(&output));
}

/// Several processes may share the partitions of a log, so each owns what it is told and no more.
#[test]
fn a_process_owns_the_partitions_that_it_is_told() {
    let place = Place::new();
    let output = place.command(&["--own", "1,3"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("--own: the log has partitions 0 to 2"), "{}", said(&output));
    let owns = ["--only", "pipeline,control-plane", "--own", "0,2"];
    let child = place.command(&owns).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let running = Running { child, place: &place };
    wait_until("ready", PATIENCE, || get(&place.health, "/readyz").is_some_and(|(code, _)| code == 200));
    let ready: Json = serde_json::from_str(&running.get("/readyz").1).unwrap();
    let owned: Vec<&Json> = ready["partitions"].as_array().unwrap().iter().map(|it| &it["partition"]).collect();
    assert_eq!(owned, [0, 2], "{ready}");
    assert_eq!(running.stop(), 0);
}

/// An exposure of an experiment that is not published yet is kept, explained, and counts once it is sent again.
#[test]
fn a_dead_letter_comes_back() {
    let place = Place::new();
    assert_eq!(place.start().stop(), 0);
    place.append(&[
        event(1, "u1", &exposure("shop")),
        event(2, "u2", &exposure("later")),
        event(3, "u3", &exposure("later")),
    ]);
    let running = place.start();
    wait_until("rows", PATIENCE, || rows(&place, "SELECT count() FROM dead_letters FINAL") == "2");
    assert_eq!(rows(&place, "SELECT count() FROM events"), "1");
    // They can be read while the service owns the log; sent again they cannot.
    assert!(place.dead_letters(&["list"]).contains("2 dead letters: 2 unknown_experiment"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    let output =
        command.args(["dead-letters", "resend", "--data", place.path("data").to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("in use by another process"), "{}", said(&output));
    assert_eq!(running.stop(), 0);

    let listed = place.dead_letters(&["list"]);
    assert!(listed.contains("2 dead letters: 2 unknown_experiment"), "{listed}");
    let explained = place.dead_letters(&["explain", "--reason", "unknown_experiment"]);
    assert!(
        explained.contains("later") && explained.contains("advice") && explained.contains("\"unit_id\":\"u2\""),
        "{explained}"
    );
    place.define("later");
    let running = place.start();
    assert_eq!(running.stop(), 0);
    assert!(place.dead_letters(&["resend", "--reason", "unknown_experiment"]).contains("re-sent 2"));
    let running = place.start();
    wait_until("rows", PATIENCE, || rows(&place, "SELECT count() FROM events WHERE experiment_id = 'later'") == "2");
    // Sent again by mistake: repeats.
    assert_eq!(running.stop(), 0);
    assert!(place.dead_letters(&["resend"]).contains("re-sent 2"));
    let running = place.start();
    wait_until("repeats", PATIENCE, || {
        running.get("/metrics").1.contains("assay_events_total{result=\"duplicate\"} 2")
    });
    assert_eq!(rows(&place, "SELECT count() FROM events"), "3");
    assert_eq!(running.stop(), 0);
}

/// Asks the edge of a running service.
fn ask(address: &str, path: &str, body: &Json) -> Option<(u16, Json)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let body = body.to_string();
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
    .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, serde_json::from_str(body).ok()?))
}

/// A unit that asks which variant it gets is in the results, with what it does afterwards; a definition that stops is off after a restart.
#[test]
fn an_evaluation_over_http_becomes_an_exposure_in_the_results() {
    let place = Place::new();
    let edge = format!("127.0.0.1:{}", free_port());
    let define = |status: &str| {
        let text = format!(
            "kind: experiment\nid: shop\nsalt: shop\nstatus: {status}\nvariants: [{{ name: control, control: true }}, {{ name: treatment }}]\n\
             metrics: [{{ metric: bought, role: primary }}]\nanalysis: {{ planned_units: 1000 }}\n---\n\
             {{ kind: metric, id: bought, type: conversion, event: buy }}\n"
        );
        std::fs::write(place.path("definitions/shop.yaml"), text).unwrap();
    };
    define("running");
    let start = || {
        let mut command = place.command(&["--edge-listen", &edge]);
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let running = Running { child, place: &place };
        wait_until("ready", PATIENCE, || get(&place.health, "/readyz").is_some_and(|(code, _)| code == 200));
        wait_until("the edge is ready", PATIENCE, || get(&edge, "/readyz").is_some_and(|(code, _)| code == 200));
        running
    };
    let running = start();
    // An experiment counts from the end of the look in which its definition came, and the service may be ready within that look.
    wait_until("the experiment counts", PATIENCE, || running.get("/v1/experiments/shop/results").0 == 200);
    let evaluate = |unit: u32| {
        let body = json!({"context": {"targetingKey": format!("u{unit}")}});
        ask(&edge, "/ofrep/v1/evaluate/flags/shop", &body).unwrap()
    };
    for unit in 0..40 {
        let (code, answer) = evaluate(unit);
        assert_eq!((code, answer["reason"].as_str()), (200, Some("SPLIT")), "{answer}");
        assert_eq!(answer["metadata"]["version"], 1, "{answer}");
    }
    let told = json!({"name": "buy", "context": {"targetingKey": "u3"}});
    assert_eq!(ask(&edge, "/v1/track", &told).unwrap().0, 202);
    let units = "SELECT sum(units) FROM (SELECT argMax(units, look) AS units FROM experiment_results \
                 WHERE experiment_id = 'shop' AND metric = 'bought' AND segment = '' GROUP BY variant)";
    let bought = units.replace("units", "sum");
    wait_until("the units are in the results", PATIENCE, || rows(&place, units) == "40");
    wait_until("what they did too", PATIENCE, || rows(&place, &bought) == "1");
    assert_eq!(
        rows(
            &place,
            "SELECT uniqExact(config_version) FROM events WHERE event_type = 'exposure' AND config_version = 1"
        ),
        "1"
    );
    assert_eq!(rows(&place, "SELECT count() FROM dead_letters FINAL"), "0");
    assert_eq!(running.stop(), 0);
    define("paused");
    let running = start();
    wait_until("it is off", PATIENCE, || evaluate(1).1["reason"] == "DISABLED");
    let metrics = get(&edge, "/metrics").unwrap().1;
    let documented =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md")).unwrap();
    for line in metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        assert!(documented.contains(&format!("`{name}`")), "docs/metrics.md does not explain {name}");
    }
    assert_eq!(running.stop(), 0);
}

/// Flags alone: no pipeline, no ClickHouse, no log.
#[test]
fn an_edge_runs_alone_from_a_directory() {
    let place = Place::new();
    let edge = format!("127.0.0.1:{}", free_port());
    let flag = "{ kind: flag, id: dark, type: boolean, variants: { \"on\": true, \"off\": false }, default: \"on\" }";
    std::fs::write(place.path("definitions/dark.yaml"), flag).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(["serve", "--only", "edge", "--edge-listen", &edge])
        .args(["--edge-source", place.path("definitions").to_str().unwrap()])
        .args(["--data", place.path("edge").to_str().unwrap()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let running = Running { child, place: &place };
    wait_until("ready", PATIENCE, || get(&edge, "/readyz").is_some_and(|(code, _)| code == 200));
    let answer = ask(&edge, "/ofrep/v1/evaluate/flags/dark", &json!({})).unwrap();
    assert_eq!((answer.0, &answer.1["value"]), (200, &json!(true)));
    assert_eq!(running.stop(), 0);
    for (arguments, words) in [
        (&["--only", "edge"][..], "--edge-source URL, DIR or FILE"),
        (&["--edge-listen", "0.0.0.0:0"], "ASSAY_EDGE_TOKENS"),
        (&["--edge-source", "nowhere"], "neither http"),
        (&["--edge-origins", "shop.example"], "https://HOST"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_assay")).arg("serve").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
    }
}

/// A published experiment through everything, with nobody looking: plain text, exit code 0 only if all figures agree.
#[test]
fn the_demonstration_agrees_with_what_was_published() {
    for (data, seconds, last) in
        [("hillstrom", "14", "spend womens: interval, high"), ("cookie-cats", "28", "sum_game_rounds")]
    {
        let place = Place::new();
        let output = Command::new(env!("CARGO_BIN_EXE_assay"))
            .args([
                "demo",
                "--exit",
                "--data",
                data,
                "--seconds",
                seconds,
                "--dir",
                place.path("demo").to_str().unwrap(),
            ])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
            .output()
            .unwrap();
        let told = said(&output);
        assert!(output.status.success(), "{told}");
        assert!(told.contains(last) && told.contains("Everything agrees."), "{told}");
        assert!(!told.contains('\u{1b}'), "plain text in a pipe");
    }
}
