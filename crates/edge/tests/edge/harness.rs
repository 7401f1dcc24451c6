//! A running edge, a client that sees every byte, and a log that can be taken away.

use assay_broker::{
    Appended, Batch, Bounds, Error, Log, MemoryLog, NewRecord, Offset, Partition, Reader, Stamping, Topic, TopicSpec,
};
use assay_edge::{Destination, Edge, EdgeSettings, Limits, Offer, Origins, Source, Tokens};
use assay_experiment::snapshot::Snapshot;
use assay_experiment::{ConfigVersion, Source as Text, canonical, parse};
use prometheus::Registry;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::sync::watch;

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const TOPIC: &str = "assay.events";
pub const PARTITIONS: u32 = 3;

pub const DEFINITIONS: &str = r#"
{ kind: flag, id: dark, type: boolean, variants: { "on": true, "off": false }, default: "off",
  rules: [{ if: { "==": [{ var: plan }, pro] }, serve: "on" }] }
---
{ kind: flag, id: price, type: number, variants: { low: 1, high: 2.5 }, default: low }
---
{ kind: flag, id: ramp, type: string, variants: { a: A, b: B }, default: a, rules: [{ rollout: { a: 50%, b: 50% } }] }
---
{ kind: flag, id: tried, type: string, variants: { a: A, b: B }, default: a, rules: [{ experiment: shop }] }
---
{ kind: experiment, id: shop, salt: s, status: running, variants: [{ name: a, control: true }, { name: b }],
  segments: [{ attribute: country, values: [DE, FR] }],
  metrics: [{ metric: bought, role: primary }], analysis: { planned_units: 10 } }
---
{ kind: metric, id: bought, type: conversion, event: buy, covariate: { attribute: orders_before } }
"#;

/// The definitions as a version.
pub fn snapshot(version: u64, text: &str) -> Snapshot {
    let definitions = parse(&[Text { name: "test.yaml", text }]).unwrap_or_else(|problems| panic!("{problems:?}"));
    Snapshot::new(ConfigVersion(version), canonical::parts(&definitions))
}

pub fn offer(version: u64, text: &str) -> Offer {
    Offer { snapshot: Arc::new(snapshot(version, text)), halted: BTreeSet::new() }
}

/// A log that refuses or fails when it is told to.
pub struct Moody {
    inner: MemoryLog,
    pub away: AtomicBool,
    pub attempts: AtomicUsize,
}

impl Log for Moody {
    fn create_topic(&self, spec: &TopicSpec) -> Result<Topic, Error> {
        self.inner.create_topic(spec)
    }
    fn topic(&self, name: &str) -> Result<Topic, Error> {
        self.inner.topic(name)
    }
    fn append(&self, topic: &str, partition: Partition, records: &[NewRecord<'_>]) -> Result<Vec<Appended>, Error> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
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

/// How an edge under test differs from a usual one.
#[derive(Default)]
pub struct Wish {
    pub tokens: &'static str,
    pub origins: Option<&'static str>,
    pub source: Option<Source>,
    pub bootstrap: Option<PathBuf>,
    pub directory: Option<PathBuf>,
    pub limits: Option<Limits>,
}

pub struct World {
    pub edge: Option<Edge>,
    pub log: Arc<Moody>,
    pub offers: watch::Sender<Option<Offer>>,
    pub directory: TempDir,
}

impl World {
    /// With the usual definitions in force.
    pub fn new() -> World {
        let world = World::with(Wish::default());
        world.publish(7, DEFINITIONS);
        world
    }

    pub fn with(wish: Wish) -> World {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64);
        let log = Arc::new(Moody { inner: MemoryLog::new(clock), away: false.into(), attempts: 0.into() });
        let spec = TopicSpec {
            name: TOPIC.to_owned(),
            partitions: PARTITIONS,
            stamping: Stamping::Append,
            retention: None,
            compacted: false,
        };
        log.create_topic(&spec).unwrap();
        let (offers, offered) = watch::channel(None);
        let opened = log.clone();
        let settings = EdgeSettings {
            host: "test".to_owned(),
            environment: "production".to_owned(),
            source: wish.source.unwrap_or(Source::Channel(offered)),
            bootstrap: wish.bootstrap,
            directory: Some(wish.directory.unwrap_or_else(|| directory.path().join("edge"))),
            destination: Some(Destination { open: Box::new(move || Ok(opened.clone())), topic: TOPIC.to_owned() }),
            tokens: Tokens::parse(wish.tokens).unwrap(),
            origins: wish.origins.map_or(Origins::Any, |list| Origins::parse(list).unwrap()),
            workers: 2,
            limits: wish.limits.unwrap_or(Limits::USUAL),
            registry: Registry::new(),
        };
        let edge = Edge::start(settings, TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
        World { edge: Some(edge), log, offers, directory }
    }

    pub fn address(&self) -> SocketAddr {
        self.edge.as_ref().unwrap().address()
    }

    /// Brings definitions into force.
    pub fn publish(&self, version: u64, text: &str) {
        self.offers.send_replace(Some(offer(version, text)));
        self.wait_version(version);
    }

    pub fn wait_version(&self, version: u64) {
        wait("the version is in force", || self.edge.as_ref().unwrap().version() == Some(version));
    }

    pub fn client(&self) -> Client {
        Client::new(self.address())
    }

    pub fn post(&self, path: &str, body: &str) -> Reply {
        self.client().post(path, body)
    }

    pub fn evaluate(&self, key: &str, context: &str) -> Reply {
        self.post(&format!("/ofrep/v1/evaluate/flags/{key}"), &format!("{{\"context\":{context}}}"))
    }

    /// All records of the log, as JSON, with their keys and partitions.
    pub fn records(&self) -> Vec<(String, u32, Json)> {
        let mut all = Vec::new();
        for partition in 0..PARTITIONS {
            let bounds = self.log.bounds(TOPIC, Partition(partition)).unwrap();
            let mut reader = self.log.open(TOPIC, Partition(partition), bounds.low).unwrap();
            let (mut batch, mut next) = (Batch::default(), bounds.low);
            while next < bounds.next {
                reader.poll(&mut batch, 1 << 20, PATIENCE).unwrap();
                for record in batch.iter() {
                    let key = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
                    all.push((key, partition, serde_json::from_slice(record.payload).unwrap()));
                    next = Offset(record.offset.0 + 1);
                }
            }
        }
        all
    }

    pub fn metric(&self, line: &str) -> Option<f64> {
        let text = self.client().get("/metrics").text();
        text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.log.away.store(false, Ordering::SeqCst);
        if let Some(edge) = self.edge.take() {
            edge.stop();
        }
    }
}

pub fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|problem| panic!("{problem}: {}", self.text()))
    }
}

/// One connection, kept alive.
pub struct Client {
    pub stream: TcpStream,
    rest: Vec<u8>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream, rest: Vec::new() }
    }

    pub fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, &[], "")
    }

    pub fn post(&mut self, path: &str, body: &str) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], body)
    }

    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.try_send(method, path, headers, body.as_bytes()).unwrap()
    }

    pub fn try_send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Reply> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: edge\r\ncontent-length: {}\r\n", body.len());
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        self.stream.write_all(&[head.as_bytes(), b"\r\n", body].concat())?;
        self.reply()
    }

    pub fn reply(&mut self) -> std::io::Result<Reply> {
        let head_end = loop {
            if let Some(at) = self.rest.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            self.more()?;
        };
        let head = String::from_utf8(self.rest[..head_end].to_vec()).unwrap();
        self.rest.drain(..head_end + 4);
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut reply = Reply { status, headers, body: Vec::new() };
        let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.rest.len() < length {
            self.more()?;
        }
        reply.body = self.rest.drain(..length).collect();
        Ok(reply)
    }

    /// Reads until a text has come.
    pub fn read_until(&mut self, text: &str) -> String {
        loop {
            let so_far = String::from_utf8_lossy(&self.rest).into_owned();
            if let Some(at) = so_far.find(text) {
                self.rest.drain(..at + text.len());
                return so_far[..at + text.len()].to_owned();
            }
            self.more().unwrap();
        }
    }

    fn more(&mut self) -> std::io::Result<()> {
        let mut bytes = [0; 64 * 1024];
        let count = self.stream.read(&mut bytes)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.rest.extend_from_slice(&bytes[..count]);
        Ok(())
    }
}
