//! A ClickHouse beside the tested process, and the uninterrupted fold that everything is compared with.

use assay_aggregates::{
    Assembler, Chunk, ControlFact, DeadLetter, Effects, Fact, Input, Look, MemoryRuns, Partition as State,
};
use assay_analysis::Analysis;
use assay_broker::{Batch, Log, Offset, Partition};
use assay_embedded_clickhouse::{Access, Engine, serve};
use assay_experiment::{Span, Timestamp};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

/// The ClickHouse engine behind its HTTP interface, one for all tests of a process.
pub struct Server {
    /// Where it answers.
    pub url: String,
    engine: Engine,
    _runtime: tokio::runtime::Runtime,
    _directory: tempfile::TempDir,
}

impl Server {
    /// Starts it on first use.
    pub fn shared() -> &'static Server {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            let target = assay_real_parts::target();
            let directory = tempfile::Builder::new().prefix("clickhouse-").tempdir_in(&target).unwrap();
            let engine = Engine::open(&target.join("clickhouse/libchdb.so"), directory.path()).unwrap();
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let served = engine.clone();
            runtime.spawn(async move { serve(served, listener, Access::Anyone, std::future::pending()).await });
            Server { url, engine, _runtime: runtime, _directory: directory }
        })
    }

    /// A query's answer, line by line.
    pub fn query(&self, database: &str, sql: &str) -> Vec<String> {
        let answer =
            self.engine.query(Some(database), sql, "TabSeparated").unwrap_or_else(|problem| panic!("{sql}: {problem}"));
        String::from_utf8(answer).unwrap().lines().map(str::to_owned).collect()
    }
}

/// Everything that one uninterrupted fold of a partition tells.
#[derive(Default)]
pub struct Told {
    pub facts: Vec<String>,
    pub dead: Vec<u64>,
    pub looks: Vec<Look>,
    pub chunks: Vec<Chunk>,
}

impl Effects for Told {
    fn fact(&mut self, fact: &Fact<'_>) {
        self.facts.push(format!("{}\t{}", fact.offset, uuid(fact.event.id.0)));
    }
    fn control(&mut self, _: &ControlFact<'_>) {}
    fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        self.dead.push(letter.input.offset);
    }
    fn look(&mut self, look: Look) {
        self.looks.push(look);
    }
    fn chunk(&mut self, chunk: Chunk) {
        self.chunks.push(chunk);
    }
    fn erase(&mut self, _: &str, _: &str) {}
}

fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Calls `each` with every record of a partition.
pub fn read_all(log: &dyn Log, topic: &str, partition: u32, mut each: impl FnMut(u64, i64, &[(&str, &[u8])], &[u8])) {
    let number = Partition(partition);
    let end = log.bounds(topic, number).unwrap().next;
    let mut reader = log.open(topic, number, Offset(0)).unwrap();
    let (mut batch, mut next) = (Batch::default(), Offset(0));
    while next < end {
        reader.poll(&mut batch, 1 << 20, Duration::from_secs(20)).unwrap();
        assert!(!batch.is_empty(), "{topic}/{partition} stops at {}", next.0);
        for record in batch.iter() {
            let headers: Vec<(&str, &[u8])> = record.headers().collect();
            each(record.offset.0, record.timestamp_ms, &headers, record.payload);
            next = Offset(record.offset.0 + 1);
        }
    }
}

/// Folds a partition from its genesis record on, without a break.
pub fn fold(log: &dyn Log, topic: &str, partition: u32) -> Told {
    let (mut told, mut state) = (Told::default(), None);
    read_all(log, topic, partition, |offset, time, headers, payload| {
        let input = Input { offset, timestamp: Timestamp::from_millis(time), key: None, headers, payload };
        let state =
            state.get_or_insert_with(|| State::start(partition, &input, Box::new(MemoryRuns::default())).unwrap());
        state.apply(&input, &mut told).unwrap();
    });
    told
}

/// Compares what a killed and restarted demonstration left with the fold of its log.
pub fn verify(address: &str, data: &Path, server: &Server) {
    let progress: Json = serde_json::from_slice(&std::fs::read(data.join("demo.json")).unwrap()).unwrap();
    let topics = progress["topics"].as_str().unwrap();
    let database = format!("assay_demo_{}", progress["start_ms"]);
    let log = assay_broker::open(address).unwrap();
    let partitions = log.topic(&format!("{topics}.events")).unwrap().partitions;
    let told: Vec<Told> =
        (0..partitions).map(|partition| fold(log.as_ref(), &format!("{topics}.events"), partition)).collect();
    looks_equal(log.as_ref(), &format!("{topics}.aggregates"), &told);
    rows_equal(server, &database, &told);
    results_equal(log.as_ref(), &format!("{topics}.results"), &told);
}

/// Invariants 1, 9 and 23: every look that was published, however often, has the bytes of the fold's, and none is missing.
fn looks_equal(log: &dyn Log, topic: &str, told: &[Told]) {
    for (partition, told) in told.iter().enumerate() {
        let mut expected: BTreeMap<i64, (Vec<u8>, bool)> =
            told.looks.iter().map(|look| (look.last, (look.encode(), false))).collect();
        let mut assembler = Assembler::default();
        let mut last_published = i64::MIN;
        read_all(log, topic, partition as u32, |offset, _, _, payload| {
            let Some(look) = assembler.push(payload).unwrap() else { return };
            let (bytes, seen) = expected
                .get_mut(&look.last)
                .unwrap_or_else(|| panic!("look {} at offset {offset} is not the fold's", look.last));
            assert!(*bytes == look.encode(), "look {} of partition {partition} differs from the fold's", look.last);
            *seen = true;
            last_published = last_published.max(look.last);
        });
        let missing: Vec<i64> =
            expected.iter().filter(|(last, (_, seen))| **last <= last_published && !seen).map(|it| *it.0).collect();
        assert!(missing.is_empty(), "partition {partition} never published looks {missing:?}");
        assert!(told.looks.len() > 10, "the demonstration closed looks");
    }
}

/// Invariant 14: the table read through its view is the accepted facts, each once; chunks have the fold's bounds and one hash.
fn rows_equal(server: &Server, database: &str, told: &[Told]) {
    for (partition, told) in told.iter().enumerate() {
        let complete = told.chunks.last().map_or(0, |chunk| chunk.next);
        let expected: Vec<&String> = told
            .facts
            .iter()
            .filter(|fact| fact.split('\t').next().unwrap().parse::<u64>().unwrap() < complete)
            .collect();
        let found = server.query(
            database,
            &format!("SELECT offset, event_id FROM events WHERE partition = {partition} AND offset < {complete} ORDER BY offset"),
        );
        assert_eq!(found.len(), expected.len(), "rows of partition {partition}");
        assert!(found.iter().eq(expected), "rows of partition {partition} differ from the fold's facts");
        let dead = server.query(
            database,
            &format!("SELECT offset FROM dead_letters FINAL WHERE partition = {partition} AND offset < {complete} ORDER BY offset"),
        );
        let expected: Vec<String> = told.dead.iter().filter(|offset| **offset < complete).map(u64::to_string).collect();
        assert_eq!(dead, expected, "dead letters of partition {partition}");
        let ledger = server.query(
            database,
            &format!("SELECT first_offset, next_offset, uniqExact(hash) FROM chunks WHERE partition = {partition} GROUP BY ALL ORDER BY 1"),
        );
        let expected: Vec<String> = told
            .chunks
            .iter()
            .filter(|chunk| chunk.rows + chunk.dead > 0)
            .map(|chunk| format!("{}\t{}\t1", chunk.first, chunk.next))
            .collect();
        assert_eq!(ledger, expected[..ledger.len()], "chunks of partition {partition}");
        assert!(expected.len() - ledger.len() <= 1, "only the last chunk may still be under way");
    }
}

/// Invariant 10: every published result, running values too, has the bits that the fold of the looks has there.
fn results_equal(log: &dyn Log, topic: &str, told: &[Told]) {
    let mut published: BTreeMap<String, Vec<String>> = BTreeMap::new();
    read_all(log, topic, 0, |_, _, _, payload| {
        let json: Json = serde_json::from_slice(payload).unwrap();
        // Provisional results are of no aligned look; nothing acts on them.
        if json["freshness"]["kind"] == "provisional" {
            return;
        }
        let text = String::from_utf8(payload.to_vec()).unwrap();
        published.entry(json["look"].as_str().unwrap().to_owned()).or_default().push(text);
    });
    assert!(published.len() > 10, "results were published");
    let mut analysis = Analysis::new(told.len() as u32, Span::DAY);
    let mut next = vec![0; told.len()];
    for (look, found) in &published {
        let look = assay_experiment::parse_time(look).unwrap();
        for (partition, told) in told.iter().enumerate() {
            let read = |next: usize| next.checked_sub(1).map(|at| told.looks[at].as_of());
            while read(next[partition]).is_none_or(|read| read < look) && next[partition] < told.looks.len() {
                analysis.take(told.looks[next[partition]].clone()).unwrap();
                next[partition] += 1;
            }
        }
        analysis.advance();
        let results = analysis.results().unwrap();
        assert_eq!(results.look, look, "the fold has results at the published look");
        // As text, because reading a number and writing it again may change its last bit.
        let expected = results.to_json(concat!("assay ", env!("CARGO_PKG_VERSION"))).to_string();
        for found in found {
            assert!(*found == expected, "results at {look:?} differ from the fold's:\n{found}\n{expected}");
        }
    }
}
