//! A ClickHouse beside the tested process, and the uninterrupted fold that everything is compared with.

use assay_aggregates::{
    Assembler, Chunk, ControlFact, DeadLetter, Effects, Fact, Input, Look, MemoryRuns, Partition as State,
};
use assay_analysis::Analysis;
use assay_broker::{Batch, Log, Offset, Partition, Record};
use assay_embedded_clickhouse::{Access, Engine, serve};
use assay_experiment::{Attribute, Body, Event, Retraction, Span, Timestamp, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// A ClickHouse that answers questions, line by line.
pub trait Ask {
    fn query(&self, database: &str, sql: &str) -> Vec<String>;
}

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
}

impl Ask for Server {
    fn query(&self, database: &str, sql: &str) -> Vec<String> {
        let answer =
            self.engine.query(Some(database), sql, "TabSeparated").unwrap_or_else(|problem| panic!("{sql}: {problem}"));
        String::from_utf8(answer).unwrap().lines().map(str::to_owned).collect()
    }
}

/// The engine's files of a process that has ended, asked through the command.
#[allow(dead_code, reason = "only one of the tests leaves files behind")]
pub struct Files(pub PathBuf);

impl Ask for Files {
    fn query(&self, database: &str, sql: &str) -> Vec<String> {
        let answer = Command::new(env!("CARGO_BIN_EXE_assay"))
            .args(["sql", "--format", "TabSeparated", "--database", database, "--dir"])
            .arg(&self.0)
            .arg(sql)
            .env("ASSAY_LIBCHDB", assay_real_parts::target().join("clickhouse/libchdb.so"))
            .output()
            .unwrap();
        assert!(answer.status.success(), "{sql}: {}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8(answer.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

/// Everything that one uninterrupted fold of a partition tells: rows as the queries of `rows_equal` show them.
#[derive(Default)]
pub struct Told {
    pub facts: Vec<(u64, String)>,
    pub controls: Vec<(u64, String)>,
    pub dead: Vec<(u64, String)>,
    pub looks: Vec<Look>,
    pub chunks: Vec<Chunk>,
}

/// Columns of an event, as [`Told::fact`] writes them; texts in hexadecimal, because a table of tabs would have to escape them.
const FACT: &str = "offset, event_id, event_type, experiment_id, variant, hex(user_id), unit_type, event_name, \
    ifNull(toString(toInt64(event_value * 1000000)), '-'), toUnixTimestamp64Micro(created_at), toUnixTimestamp64Milli(log_time), \
    copy, config_version, hex(sdk), kind, ifNull(toString(target_event_id), '-'), \
    if(isNull(target_event_time), '-', toString(toUnixTimestamp64Micro(assumeNotNull(target_event_time)))), \
    hex(arrayStringConcat(arraySort(arrayMap((name, value) -> concat(name, '=', value), mapKeys(metadata), mapValues(metadata))), ',')), \
    toUnixTimestamp(chunk_time)";
/// Columns of a control record.
const CONTROL: &str =
    "offset, event_type, config_version, toUnixTimestamp64Milli(log_time), hex(body), toUnixTimestamp(chunk_time)";
/// Columns of a dead letter.
const LETTER: &str = "offset, reason, hex(detail), hex(key), hex(payload), toUnixTimestamp64Milli(log_time), toUnixTimestamp(chunk_time)";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02X}").unwrap();
        text
    })
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

fn attributes(event: &Event<'_>) -> String {
    let text = |value: &Attribute<'_>| match value {
        Attribute::Text(text) => text.to_string(),
        Attribute::Number(number) => number.to_string(),
        Attribute::Bool(yes) => yes.to_string(),
    };
    let mut all: Vec<String> = event.attributes.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
    all.sort();
    all.join(",")
}

/// What the kinds of events do not have in common: type, experiment, variant, name, value, kind, target and its time.
fn parts(body: &Body<'_>) -> [String; 8] {
    let texts = |all: [&str; 4]| all.map(str::to_owned);
    let micro = |value: &Option<Value>| or_dash(value.map(|value| value.0));
    let ([kind, experiment, variant, name], value, [retraction, target, time]) = match body {
        Body::Exposure { experiment, variant } => {
            (texts(["exposure", experiment, variant, ""]), "-".to_owned(), ["", "-", "-"].map(str::to_owned))
        }
        Body::Conversion { name, value, experiment } => (
            texts(["conversion", experiment.as_deref().unwrap_or_default(), "", name]),
            micro(value),
            ["", "-", "-"].map(str::to_owned),
        ),
        Body::Retraction(Retraction::Correct { target, target_time, name, value }) => (
            texts(["retraction", "", "", name]),
            micro(value),
            ["correct".to_owned(), uuid(target.0), target_time.0.to_string()],
        ),
        Body::Retraction(other) => {
            let kind = if matches!(other, Retraction::Bot) { "bot" } else { "erase" };
            (texts(["retraction", "", "", ""]), "-".to_owned(), [kind, "-", "-"].map(str::to_owned))
        }
    };
    [kind, experiment, variant, name, value, retraction, target, time]
}

impl Effects for Told {
    fn fact(&mut self, fact: &Fact<'_>) {
        let event = fact.event;
        let [kind, experiment, variant, name, value, retraction, target, time] = parts(&event.body);
        let row = [
            fact.offset.to_string(),
            uuid(event.id.0),
            kind,
            experiment,
            variant,
            hex(event.unit_id.as_bytes()),
            event.unit_type.to_string(),
            name,
            value,
            event.time.0.to_string(),
            fact.log_time.millis().to_string(),
            event.copy.to_string(),
            event.config_version.unwrap_or(0).to_string(),
            hex(event.sdk.as_deref().unwrap_or_default().as_bytes()),
            retraction,
            target,
            time,
            hex(attributes(event).as_bytes()),
        ];
        self.facts.push((fact.offset, row.join("\t")));
    }
    fn control(&mut self, fact: &ControlFact<'_>) {
        let row = [
            fact.offset.to_string(),
            fact.kind.to_owned(),
            fact.version.unwrap_or(0).to_string(),
            fact.log_time.millis().to_string(),
            hex(fact.input.payload),
        ];
        self.controls.push((fact.offset, row.join("\t")));
    }
    fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        let row = [
            letter.input.offset.to_string(),
            letter.reason.name().to_owned(),
            hex(letter.detail.as_bytes()),
            hex(letter.input.key.unwrap_or_default()),
            hex(letter.input.payload),
            letter.log_time.millis().to_string(),
        ];
        self.dead.push((letter.input.offset, row.join("\t")));
    }
    fn look(&mut self, look: Look) {
        self.looks.push(look);
    }
    fn chunk(&mut self, chunk: Chunk) {
        // The last column is known now.
        let seconds = chunk.window.0.div_euclid(1_000_000);
        for rows in [&mut self.facts, &mut self.controls, &mut self.dead] {
            for (_, row) in rows.iter_mut().rev().take_while(|(offset, _)| *offset >= chunk.first) {
                write!(row, "\t{seconds}").unwrap();
            }
        }
        self.chunks.push(chunk);
    }
    fn erase(&mut self, _: &str, _: &str) {}
}

fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Calls `each` with every record of a partition.
pub fn read_all(log: &dyn Log, topic: &str, partition: u32, mut each: impl FnMut(&Record<'_>)) {
    let number = Partition(partition);
    let end = log.bounds(topic, number).unwrap().next;
    let mut reader = log.open(topic, number, Offset(0)).unwrap();
    let (mut batch, mut next) = (Batch::default(), Offset(0));
    while next < end {
        reader.poll(&mut batch, 1 << 20, Duration::from_secs(20)).unwrap();
        assert!(!batch.is_empty(), "{topic}/{partition} stops at {}", next.0);
        for record in batch.iter() {
            each(&record);
            next = Offset(record.offset.0 + 1);
        }
    }
}

/// Folds a partition from its genesis record on, without a break.
pub fn fold(log: &dyn Log, topic: &str, partition: u32) -> Told {
    let (mut told, mut state) = (Told::default(), None);
    read_all(log, topic, partition, |record| {
        let headers: Vec<(&str, &[u8])> = record.headers().collect();
        let timestamp = Timestamp::from_millis(record.timestamp_ms);
        let (offset, key, payload) = (record.offset.0, record.key, record.payload);
        let input = Input { offset, timestamp, key, headers: &headers, payload };
        let state =
            state.get_or_insert_with(|| State::start(partition, &input, Box::new(MemoryRuns::default())).unwrap());
        state.apply(&input, &mut told).unwrap();
    });
    told
}

/// Compares what a killed and restarted demonstration left with the fold of its log.
pub fn verify(address: &str, data: &Path, server: &dyn Ask, database: Option<&str>) {
    let progress: Json = serde_json::from_slice(&std::fs::read(data.join("demo.json")).unwrap()).unwrap();
    let topics = progress["topics"].as_str().unwrap();
    let database = database.map_or_else(|| format!("assay_demo_{}", progress["start_ms"]), str::to_owned);
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
        read_all(log, topic, partition as u32, |record| {
            let offset = record.offset.0;
            let Some(look) = assembler.push(record.payload).unwrap() else { return };
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
fn rows_equal(server: &dyn Ask, database: &str, told: &[Told]) {
    for (partition, told) in told.iter().enumerate() {
        let complete = told.chunks.last().map_or(0, |chunk| chunk.next);
        let equal = |what: &str, columns: &str, table: &str, expected: &[(u64, String)]| {
            let expected: Vec<&String> =
                expected.iter().filter(|(offset, _)| *offset < complete).map(|(_, row)| row).collect();
            let found = server.query(
                database,
                &format!(
                    "SELECT {columns} FROM {table} AND partition = {partition} AND offset < {complete} ORDER BY offset"
                ),
            );
            let other = found.iter().zip(&expected).find(|(found, expected)| found != *expected);
            assert!(other.is_none(), "a row of {what} of partition {partition} is not the fold's: {other:?}");
            assert_eq!(found.len(), expected.len(), "{what} of partition {partition}");
        };
        equal("events", FACT, "events WHERE true", &told.facts);
        let control = "experiment_events FINAL WHERE event_type IN ('genesis', 'config', 'tick')";
        equal("control records", CONTROL, control, &told.controls);
        equal("dead letters", LETTER, "dead_letters FINAL WHERE true", &told.dead);
        let ledger = server.query(
            database,
            &format!("SELECT first_offset, next_offset, max(rows), max(dead), uniqExact(hash, rows, dead) FROM chunks WHERE partition = {partition} GROUP BY ALL ORDER BY 1"),
        );
        let expected: Vec<String> = told
            .chunks
            .iter()
            .filter(|chunk| chunk.rows + chunk.dead > 0)
            .map(|chunk| format!("{}\t{}\t{}\t{}\t1", chunk.first, chunk.next, chunk.rows, chunk.dead))
            .collect();
        assert_eq!(ledger, expected[..ledger.len()], "chunks of partition {partition}");
        assert!(expected.len() - ledger.len() <= 1, "only the last chunk may still be under way");
    }
}

/// Invariant 10: every published result, running values too, has the bits that the fold of the looks has there.
fn results_equal(log: &dyn Log, topic: &str, told: &[Told]) {
    let mut published: BTreeMap<String, Vec<String>> = BTreeMap::new();
    read_all(log, topic, 0, |record| {
        let json: Json = serde_json::from_slice(record.payload).unwrap();
        // Provisional results are of no aligned look; nothing acts on them.
        if json["freshness"]["kind"] == "provisional" {
            return;
        }
        let text = String::from_utf8(record.payload.to_vec()).unwrap();
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
        let all = results.to_json(concat!("assay ", env!("CARGO_PKG_VERSION")));
        for found in found {
            let json: Json = serde_json::from_str(found).unwrap();
            let mut expected = all.clone();
            // A record has one experiment.
            let id = &json["experiments"][0]["experiment"];
            expected["experiments"].as_array_mut().unwrap().retain(|one| one["experiment"] == *id);
            let expected = expected.to_string();
            assert!(*found == expected, "results at {look:?} differ from the fold's:\n{found}\n{expected}");
        }
    }
}
