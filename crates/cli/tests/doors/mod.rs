//! A service of its own for a test, and plain HTTP to ask it.

#![allow(dead_code, reason = "each test program uses a part of it")]

use assay_broker::{Batch, Log, NewRecord, Offset, Partition};
use assay_experiment::{Timestamp, format_time, partitioner};
use assay_real_parts::{free_port, target, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// Machines may be busy.
pub const PATIENCE: Duration = Duration::from_secs(120);

const DEFINITIONS: &str = "\
kind: experiment
id: shop
salt: shop
title: A shorter checkout
status: running
assignment: external
variants: [{ name: control, control: true }, { name: treatment }]
segments: [{ attribute: country, values: [DE, FR] }]
metrics: [{ metric: bought, role: primary, minimum_effect: 5% }, { metric: errors, role: guardrail, margin: 20% }]
analysis: { planned_units: 1000 }
---
kind: experiment
id: later
status: draft
variants: [{ name: control, control: true }, { name: treatment }]
metrics: [{ metric: bought, role: primary }]
analysis: { planned_units: 1000 }
---
{ kind: metric, id: bought, type: conversion, event: buy }
---
{ kind: metric, id: errors, type: count, event: error, direction: decrease }
";

/// Directory and addresses of a service.
pub struct Place {
    directory: TempDir,
    pub address: String,
    clickhouse: String,
}

impl Place {
    pub fn new() -> Place {
        let directory = tempfile::Builder::new().prefix("http-").tempdir_in(target()).unwrap();
        std::fs::create_dir(directory.path().join("definitions")).unwrap();
        std::fs::write(directory.path().join("definitions/shop.yaml"), DEFINITIONS).unwrap();
        let address = || format!("127.0.0.1:{}", free_port());
        Place { directory, address: address(), clickhouse: address() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts the service and waits until it is ready.
    pub fn start(&self, more: &[&str]) -> Running<'_> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        command
            .args(["serve", "--data", self.path("data").to_str().unwrap(), "--partitions", "3"])
            .args(["--config", self.path("definitions").to_str().unwrap()])
            .args(["--listen", &self.address, "--clickhouse-listen", &self.clickhouse])
            .args(["--edge-listen", "127.0.0.1:0"])
            .args(more);
        let said = std::fs::File::create(self.path("said")).unwrap();
        let child = command.stdin(Stdio::null()).stderr(said).spawn().unwrap();
        let running = Running { child, place: self };
        let ready = || ask(&self.address, "GET", "/readyz", &[]).is_some_and(|answer| answer.status == 200);
        wait_until("ready", PATIENCE, ready);
        running
    }

    /// The log; the service must not run.
    pub fn log(&self) -> Arc<dyn Log> {
        assay_broker::open(&format!("local:{}", self.path("data/log").display())).unwrap()
    }

    /// Makes the log and puts so many units of each arm into it, by the rules of a producer.
    pub fn fill(&self, units: usize) {
        self.fill_arms([units, units]);
    }

    /// The same with different numbers of control and treatment.
    pub fn fill_arms(&self, units: [usize; 2]) {
        self.start(&[]).stop();
        // What lies before the experiment's start would not count.
        let events = events(units);
        let log = self.log();
        let partitions = log.topic("assay.events").unwrap().partitions;
        for event in &events {
            let unit = event["unit_id"].as_str().unwrap().as_bytes();
            let payload = event.to_string().into_bytes();
            let record = NewRecord { key: Some(unit), headers: &[], payload: &payload, timestamp_ms: None };
            log.append("assay.events", Partition(partitioner::partition_of(unit, partitions)), &[record]).unwrap();
        }
    }

    /// The answer of the service's ClickHouse, once it is as wanted.
    pub fn wait_for_rows(&self, sql: &str, wanted: impl Fn(&str) -> bool) -> String {
        let rows = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
            command.args(["sql", "--url", &format!("http://{}", self.clickhouse), "--format", "TabSeparated", sql]);
            String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
        };
        wait_until(sql, PATIENCE, || wanted(&rows()));
        rows()
    }

    /// Changes what is in the service's ClickHouse, as somebody with access to it could.
    pub fn change_rows(&self, sql: &str) {
        let mut stream = TcpStream::connect(&self.clickhouse).unwrap();
        let head = format!(
            "POST /?database=assay HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}",
            sql.len()
        );
        write!(stream, "{head}\r\n\r\n{sql}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

/// A service.
pub struct Running<'a> {
    child: Child,
    place: &'a Place,
}

impl Running<'_> {
    pub fn get(&self, path: &str) -> Answer {
        self.ask(path, &[])
    }

    pub fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(&self.place.address, "GET", path, headers).unwrap()
    }

    pub fn method(&self, method: &str, path: &str) -> Answer {
        ask(&self.place.address, method, path, &[]).unwrap()
    }

    pub fn json(&self, path: &str) -> Json {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// Asks until the answer is as wanted.
    pub fn results(&self, path: &str, wanted: impl Fn(&Json) -> bool) -> Json {
        let mut found = Json::Null;
        wait_until(path, PATIENCE, || {
            let answer = self.get(path);
            found = if answer.status == 200 { answer.json() } else { Json::Null };
            wanted(&found)
        });
        found
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// A polite stop.
    pub fn stop(mut self) {
        self.signal(Signal::TERM);
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|problem| panic!("{problem}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .lines()
            .find_map(|line| line.split_once(": ").filter(|it| it.0.eq_ignore_ascii_case(name)))
            .map(|it| it.1)
    }
}

/// One request on a connection of its own; `None` while nobody listens.
pub fn ask(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Option<Answer> {
    send(address, method, path, headers, "")
}

/// The same with a body of JSON.
pub fn send(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}").ok()?;
    match body {
        "" => write!(stream, "\r\n").ok()?,
        _ => {
            let length = body.len();
            write!(stream, "content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").ok()?;
        }
    }
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (headers, body) = text.split_once("\r\n\r\n")?;
    let status = headers.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, headers: headers.to_owned(), body: body.to_owned() })
}

/// The log as lines for a replay, with the times that the log gave them.
pub fn log_lines(log: &dyn Log) -> String {
    let mut lines: Vec<(i64, String)> = Vec::new();
    for partition in 0..log.topic("assay.events").unwrap().partitions {
        let mut reader = log.open("assay.events", Partition(partition), Offset(0)).unwrap();
        let mut batch = Batch::default();
        loop {
            reader.poll(&mut batch, 1 << 20, Duration::ZERO).unwrap();
            if batch.is_empty() {
                break;
            }
            for record in batch.iter().filter(|record| record.header("assay").is_none()) {
                let mut event: Json = serde_json::from_slice(record.payload).unwrap();
                event["append_time"] = json!(format_time(Timestamp::from_millis(record.timestamp_ms)));
                lines.push((record.timestamp_ms, event.to_string()));
            }
        }
    }
    lines.sort();
    lines.into_iter().map(|(_, line)| line + "\n").collect()
}

/// So many units in control and treatment: some buy, more of the treatment, and few see errors.
fn events(units: [usize; 2]) -> Vec<Json> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
    let mut out: Vec<Json> = Vec::new();
    let mut event = |unit: &str, more: Json| {
        let number = out.len();
        let mut event = json!({
            "event_id": format!("00000000-0000-4000-8000-{number:012}"), "event_time": format_time(Timestamp(now)), "unit_id": unit,
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        out.push(event);
    };
    for number in 0..units[0].max(units[1]) {
        let arms = [("control", 4, units[0]), ("treatment", 2, units[1])];
        for (variant, every, _) in arms.into_iter().filter(|(.., units)| number < *units) {
            let unit = format!("{variant}-{number}");
            let country = ["DE", "FR", "US"][number % 3];
            event(
                &unit,
                json!({"event_type": "exposure", "experiment_id": "shop", "variant": variant, "attributes": {"country": country}}),
            );
            if number % every == 0 {
                event(&unit, json!({"event_type": "conversion", "event_name": "buy"}));
            }
            if number % 9 == 0 {
                event(&unit, json!({"event_type": "conversion", "event_name": "error"}));
            }
        }
    }
    out
}
