//! Exposures that an edge showed and could not write: dropped by a full queue or by a log that is away until the end, told as data, and in
//! the results to the last one.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod doors;

use assay_broker::{Appended, Bounds, Error, Log, NewRecord, Offset, Partition, Reader, Topic, TopicSpec};
use assay_edge::{Destination, Edge, EdgeSettings, Limits, Origins, Source, Tokens};
use assay_real_parts::wait_until;
use doors::{PATIENCE, Place, log_lines, send};
use serde_json::{Value as Json, json};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const DEFINITIONS: &str = "\
{ kind: experiment, id: shop, salt: shop, status: running, variants: [{ name: control, control: true }, { name: treatment }],
  metrics: [{ metric: bought, role: primary }], analysis: { planned_units: 1000 } }
---
{ kind: metric, id: bought, type: conversion, event: buy }
";
/// Exposures that may wait for the log.
const ROOM: usize = 40;
const TOPIC: &str = "assay.events";

/// The log of a directory, which can be taken away.
struct Away {
    inner: Arc<dyn Log>,
    away: AtomicBool,
}

impl Away {
    fn exposures(&self) -> usize {
        log_lines(self).lines().filter(|line| line.contains("\"exposure\"")).count()
    }
}

impl Log for Away {
    fn create_topic(&self, spec: &TopicSpec) -> Result<Topic, Error> {
        self.inner.create_topic(spec)
    }
    fn topic(&self, name: &str) -> Result<Topic, Error> {
        self.inner.topic(name)
    }
    fn append(&self, topic: &str, partition: Partition, records: &[NewRecord<'_>]) -> Result<Vec<Appended>, Error> {
        match self.away.load(Ordering::SeqCst) {
            true => Err(Error::Kafka("the broker is away".to_owned())),
            false => self.inner.append(topic, partition, records),
        }
    }
    fn bounds(&self, topic: &str, partition: Partition) -> Result<Bounds, Error> {
        self.inner.bounds(topic, partition)
    }
    fn open(&self, topic: &str, partition: Partition, from: Offset) -> Result<Box<dyn Reader>, Error> {
        self.inner.open(topic, partition, from)
    }
}

/// An edge with little room, and its log.
struct Shown {
    edge: Option<Edge>,
    log: Arc<Away>,
}

impl Shown {
    fn start(place: &Place, away: bool) -> Shown {
        let log = Arc::new(Away { inner: place.log(), away: away.into() });
        let opened = log.clone();
        let settings = EdgeSettings {
            host: "test".to_owned(),
            environment: "production".to_owned(),
            source: Source::Files(place.path("snapshot.json")),
            bootstrap: None,
            directory: Some(place.path("edge")),
            destination: Some(Destination { open: Box::new(move || Ok(opened.clone())), topic: TOPIC.to_owned() }),
            tokens: Tokens::default(),
            origins: Origins::Any,
            workers: 1,
            limits: Limits { queue_events: ROOM, ..Limits::USUAL },
            registry: prometheus::Registry::new(),
        };
        let edge = Edge::start(settings, TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
        wait_until("definitions at the edge", PATIENCE, || edge.version().is_some());
        Shown { edge: Some(edge), log }
    }

    fn address(&self) -> String {
        self.edge.as_ref().unwrap().address().to_string()
    }

    /// Shows the experiment to units that nobody has seen.
    fn show(&self, units: std::ops::Range<usize>) {
        for unit in units {
            let body = format!("{{\"context\":{{\"targetingKey\":\"u{unit}\"}}}}");
            let answer = send(&self.address(), "POST", "/ofrep/v1/evaluate/flags/shop", &[], &body).unwrap();
            assert_eq!((answer.status, &answer.json()["reason"]), (200, &json!("SPLIT")), "{answer:?}");
        }
    }

    fn metric(&self, line: &str) -> f64 {
        let text = doors::ask(&self.address(), "GET", "/metrics", &[]).unwrap().body;
        text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok()).unwrap_or(0.0)
    }

    fn stop(mut self) {
        self.edge.take().unwrap().stop();
    }
}

fn told(results: &Json) -> (&Json, &Json) {
    let shop = &results["experiments"][0];
    (&shop["exposures"], &shop["exposures_lost"])
}

#[test]
fn every_exposure_that_is_lost_is_in_the_results() {
    let place = Place::new();
    std::fs::write(place.path("definitions/shop.yaml"), DEFINITIONS).unwrap();
    let running = place.start(&[]);
    std::fs::write(place.path("snapshot.json"), running.get("/internal/definitions").body).unwrap();
    running.stop();

    // The log is away for a while: what finds no room is lost, what waits is written when the log is back.
    let edge = Shown::start(&place, true);
    edge.show(0..ROOM + 25);
    assert_eq!(edge.metric("assay_edge_exposures_lost_total{cause=\"queue_full\",experiment=\"shop\"}"), 25.0);
    edge.log.away.store(false, Ordering::SeqCst);
    wait_until("what waited is in the log", PATIENCE, || edge.log.exposures() == ROOM);
    edge.show(1_000..1_010);
    edge.stop();

    // It is away until the edge stops: everything is lost, and cannot even be told before the next start.
    let edge = Shown::start(&place, true);
    edge.show(2_000..2_000 + ROOM + 3);
    edge.stop();
    assert!(place.path("edge/production-lost.json").exists());
    let edge = Shown::start(&place, false);
    wait_until("it is told", PATIENCE, || !place.path("edge/production-lost.json").exists());
    edge.show(3_000..3_002);
    edge.stop();

    let (written, lost) = (json!(ROOM + 10 + 2), json!(25 + ROOM + 3));
    let running = place.start(&[]);
    let found = running.results("/v1/experiments/shop/results", |found| told(found) == (&written, &lost));
    assert!(found["experiments"][0]["units"]["control"].as_u64().unwrap() > 0, "{found}");
    running.stop();

    let file = place.path("events.jsonl");
    std::fs::write(&file, log_lines(place.log().as_ref())).unwrap();
    let replayed = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(["replay", "--json", "--partitions", "5", "--config", place.path("definitions").to_str().unwrap()])
        .args(["--events", file.to_str().unwrap()])
        .output()
        .unwrap();
    let replayed: Json = serde_json::from_slice(&replayed.stdout).unwrap();
    assert_eq!(told(&replayed), (&written, &lost));
}
