//! What exactly-once rests on: ClickHouse's own rules, as the embedded engine keeps them.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod world;

use assay_pipeline::{Insert, Migrated, MigrationError, Sink, SinkError, migrate};
use bytes::Bytes;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use world::{Server, World, id, ms, time};

fn exposure(number: u32, unit: &str, at: &str) -> Vec<u8> {
    format!(
        r#"{{"event_id":"{}","event_type":"exposure","event_time":"{}","experiment_id":"e","variant":"a","unit_id":"{unit}","attributes":{{"mail":"{unit}@example.com"}}}}"#,
        id(number),
        time(at)
    )
    .into_bytes()
}

const DEFINITIONS: &str = "
kind: experiment
id: e
salt: s
status: running
assignment: external
variants: [{ name: a, control: true }, { name: b }]
metrics: [{ metric: bought, role: primary }]
analysis: { planned_units: 1000 }
---
{ kind: metric, id: bought, type: conversion, event: buy }
";

/// The ledger row of a chunk in RowBinary.
fn row(first: u64, hash: &str) -> Vec<u8> {
    let mut row = Vec::new();
    let text = |row: &mut Vec<u8>, text: &str| {
        row.push(text.len() as u8);
        row.extend_from_slice(text.as_bytes());
    };
    text(&mut row, "log");
    row.extend(1u32.to_le_bytes());
    row.extend(0u32.to_le_bytes());
    row.extend(first.to_le_bytes());
    row.extend((first + 1).to_le_bytes());
    row.extend([1u32.to_le_bytes(), 0u32.to_le_bytes()].concat());
    text(&mut row, hash);
    row.extend(1_777_593_600u32.to_le_bytes());
    row
}

fn chunk(token: &str, rows: &[u8]) -> Insert {
    Insert {
        table: "chunks".to_owned(),
        columns: "log, semantics, partition, first_offset, next_offset, rows, dead, hash, chunk_time".to_owned(),
        token: token.to_owned(),
        rows: Bytes::copy_from_slice(rows),
    }
}

#[test]
fn a_token_is_taken_once_and_beyond_its_window_the_key_decides() {
    let server = Server::shared();
    let clickhouse = server.clickhouse(&server.url, "tokens");
    migrate(&clickhouse).unwrap();
    let rows = [row(7, "x"), row(8, "y")].concat();
    for _ in 0..3 {
        clickhouse.insert(&chunk("t-1", &rows)).unwrap();
    }
    assert_eq!(server.query("tokens", "SELECT count() FROM chunks"), ["2"], "a repeat is dropped");
    // What a repeat looks like when the token is forgotten.
    clickhouse.insert(&chunk("t-2", &rows)).unwrap();
    assert_eq!(server.query("tokens", "SELECT count() FROM chunks"), ["4"]);
    assert_eq!(server.query("tokens", "SELECT count() FROM chunks FINAL"), ["2"], "but each row is one under FINAL");
}

#[test]
fn one_insert_is_one_block_in_one_table_partition() {
    let mut world = World::new("blocks");
    world.publish(DEFINITIONS);
    world.fold();
    world.clickhouse.execute("SYSTEM STOP MERGES").unwrap();
    // Around midnight, and more than ClickHouse's usual block of 65,409 rows in one chunk.
    world.at(24 * 3_600_000 - 7_000);
    for number in 0..70_000 {
        world.send(&format!("u{number}"), &exposure(number, &format!("u{number}"), "23:59:50"));
    }
    world.at(24 * 3_600_000 + 2_000);
    (0..10).for_each(|number| {
        world.send(&format!("v{number}"), &exposure(100_000 + number, &format!("v{number}"), "23:59:59"));
    });
    world.settle();
    let ledger = world.query("SELECT count(), sum(rows) FROM chunks FINAL WHERE rows > 0");
    let parts = world.query(
        "SELECT count(), sum(rows) FROM system.parts WHERE active AND database = currentDatabase() AND table = 'experiment_events'",
    );
    world.clickhouse.execute("SYSTEM START MERGES").unwrap();
    assert_eq!(parts, ledger, "as many blocks as chunks, with their rows");
    let most = world.query("SELECT max(rows) FROM chunks FINAL")[0].parse::<u32>().unwrap();
    assert!(most > 30_000, "{most}");
    let days = world.query("SELECT DISTINCT toDate(chunk_time) FROM experiment_events ORDER BY 1");
    assert_eq!(days, ["2026-05-01", "2026-05-02"]);
    assert_eq!(world.query("SELECT count(), uniqExact(event_id) FROM events"), ["70010\t70010"]);
}

#[test]
fn migrations_run_twice_and_a_newer_database_is_refused() {
    let server = Server::shared();
    let clickhouse = server.clickhouse(&server.url, "migrations");
    migrate(&clickhouse).unwrap();
    migrate(&clickhouse).unwrap();
    let numbers = server.query("migrations", "SELECT version, count() FROM schema_migrations GROUP BY ALL ORDER BY 1");
    assert_eq!(numbers, ["1\t1", "2\t1", "3\t1", "4\t1"]);

    clickhouse.execute("ALTER TABLE chunks MODIFY SETTING non_replicated_deduplication_window = 10").unwrap();
    let problem = migrate(&clickhouse).unwrap_err();
    let advice = "ALTER TABLE chunks MODIFY SETTING non_replicated_deduplication_window = 100000";
    assert!(problem.to_string().contains(advice) && !problem.is_passing(), "{problem}");
    clickhouse.execute(advice).unwrap();
    migrate(&clickhouse).unwrap();

    clickhouse.execute("INSERT INTO schema_migrations (version, name) VALUES (9, 'from the future')").unwrap();
    assert!(matches!(migrate(&clickhouse), Err(MigrationError::Newer { found: 9, .. })));
    let tables = Migrated::new(clickhouse);
    for outcome in [tables.prepare(), tables.insert(&chunk("t", &row(1, "x")))] {
        let Err(SinkError::Refused(why)) = outcome else { panic!("{outcome:?}") };
        assert!(why.contains("migration 9") && why.contains("use the build that made it"), "{why}");
    }
}

#[test]
fn tables_are_made_when_clickhouse_comes_and_again_when_they_are_lost() {
    let server = Server::shared();
    let port = assay_real_parts::free_port();
    let tables = Migrated::new(server.clickhouse(&format!("http://127.0.0.1:{port}"), "late"));
    assert!(matches!(tables.prepare(), Err(SinkError::Away(_))));
    assert!(matches!(tables.insert(&chunk("t", &row(1, "x"))), Err(SinkError::Away(_))));
    server.open(&format!("127.0.0.1:{port}"));
    tables.insert(&chunk("t", &row(1, "x"))).unwrap();
    assert_eq!(server.query("late", "SELECT count() FROM chunks"), ["1"]);
    server.query("default", "DROP DATABASE late SYNC");
    assert!(matches!(tables.insert(&chunk("t", &row(1, "x"))), Err(SinkError::Refused(_))));
    tables.insert(&chunk("t", &row(1, "x"))).unwrap();
    assert_eq!(server.query("late", "SELECT count() FROM chunks"), ["1"]);
}

#[test]
fn an_insert_says_what_makes_it_one_block_under_its_token() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut request, mut buffer) = (Vec::new(), [0; 4_096]);
        while !request.ends_with(b"0\r\n\r\n") {
            let count = stream.read(&mut buffer).unwrap();
            request.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        String::from_utf8_lossy(&request).lines().next().unwrap().to_owned()
    });
    Server::shared().clickhouse(&url, "any").insert(&chunk("t-1", &row(1, "x"))).unwrap();
    let asked = asked.join().unwrap();
    for setting in [
        "database=any",
        "insert_deduplication_token=t-1",
        "insert_deduplicate=1",
        "async_insert=0",
        "max_insert_block_size=1048576",
        "min_insert_block_size_rows=1048576",
        "min_insert_block_size_bytes=1073741824",
        "input_format_parallel_parsing=0",
        "max_insert_threads=1",
    ] {
        assert!(asked.contains(setting), "{setting} is not in {asked}");
    }
}

/// ClickHouse, out of reach at will.
struct Door {
    clickhouse: Migrated,
    open: AtomicBool,
}

impl Sink for Door {
    fn insert(&self, insert: &Insert) -> Result<(), SinkError> {
        match self.open.load(Ordering::SeqCst) {
            true => self.clickhouse.insert(insert),
            false => Err(SinkError::Away("closed".to_owned())),
        }
    }
    fn erase(&self, erasure: &assay_pipeline::Erasure) -> Result<bool, SinkError> {
        match self.open.load(Ordering::SeqCst) {
            true => self.clickhouse.erase(erasure),
            false => Err(SinkError::Away("closed".to_owned())),
        }
    }
}

/// Everything that names a unit, and what only looks like it; then the request to erase it.
fn erase(database: &str, away: bool) -> World {
    let server = Server::shared();
    let clickhouse = Migrated::new(server.clickhouse(&server.url, database));
    clickhouse.prepare().unwrap();
    let door = Arc::new(Door { clickhouse, open: AtomicBool::new(!away) });
    let mut world = World::with(database, door.clone());
    world.publish(DEFINITIONS);
    world.at(ms("10:00:00"));
    let other = (0..).map(|at| format!("x{at}")).find(|key| partition(key) != partition("u-1")).unwrap();
    for (number, unit) in ["u-1", "u-11", "au-1", "u-1-b", "U-1"].iter().enumerate() {
        world.send(unit, &exposure(number as u32, unit, "10:00:00"));
    }
    let letters: [(&str, &[u8]); 9] = [
        // Of the unit, in every way that a letter can name it.
        ("u-1", b"broken"),
        ("k1", br#"{"unit_id":"u-1","broken"#),
        ("k2", br#"{"event_id":7,"user_id" : "u-1"}"#),
        ("k3", br#"{"unit_id":"u-1"#),
        ("k4", b"\x00\x00\x00\x00\x01\x99\x06u-1\x08more"),
        // Of others.
        ("k5", br#"{"unit_id":"u-11","broken"#),
        ("k6", br#"{"unit_id":"au-1","broken"#),
        ("k7", br#"{"unit_id":"u-1-b","broken"#),
        ("k8", b"\x08au-1"),
    ];
    letters.iter().for_each(|(key, payload)| world.send(key, payload));
    // Misrouted: the reason names it too.
    world.send_to(partition(&other), Some(&other), &exposure(50, "u-1", "10:00:00"));
    world.close();
    let request = format!(
        r#"{{"event_id":"{}","event_type":"retraction","kind":"erase","event_time":"{}","unit_id":"u-1","attributes":{{"name":"u-1"}}}}"#,
        id(90),
        time("10:00:09")
    );
    world.send("u-1", request.as_bytes());
    world.send("u-1", &exposure(91, "u-1", "10:00:09"));
    if away {
        world.at(ms("10:00:30"));
        world.send("u-11", &exposure(92, "u-11", "10:00:30"));
        world.fold();
        assert!(world.spill.waiting().0 > 1 && world.spill.erasures() == 1, "chunks and the erasure wait");
        door.open.store(true, Ordering::SeqCst);
    }
    world.settle();
    world
}

fn partition(key: &str) -> u32 {
    assay_experiment::partitioner::partition_of(key.as_bytes(), world::PARTITIONS)
}

#[test]
fn an_erased_unit_is_gone_and_nobody_else() {
    for (database, away) in [("erased", false), ("erased_later", true)] {
        let world = erase(database, away);
        let units = "SELECT DISTINCT user_id FROM events WHERE event_type = 'exposure' ORDER BY 1";
        assert_eq!(world.query(units), ["U-1", "au-1", "u-1-b", "u-11"]);
        let letters = "SELECT key FROM dead_letters FINAL WHERE key != '' ORDER BY key";
        assert_eq!(world.query(letters), ["k5", "k6", "k7", "k8"]);
        let request = "SELECT user_id, length(metadata) FROM events WHERE kind = 'erase'";
        assert_eq!(world.query(request), ["\t0"], "the request does not remember whom it was about");
        let later = "SELECT reason, detail, payload FROM dead_letters FINAL WHERE reason = 'erased'";
        assert_eq!(world.query(later), ["erased\tthe unit was erased\t"]);
    }
}

#[test]
fn every_view_answers() {
    let mut world = World::new("views");
    world.publish(DEFINITIONS);
    world.at(ms("10:00:00"));
    world.send("u", &exposure(1, "u", "10:00:00"));
    world.settle();
    for view in world.query("SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View'") {
        let arguments = match view.as_str() {
            "variant_totals" => "(experiment = 'e', event = 'buy', start = '2026-05-01', stop = '2026-05-02')",
            _ => "",
        };
        let rows = world.query(&format!("SELECT count() FROM {view}{arguments}"));
        assert_eq!(rows == ["0"], view == "conversions", "{view}: {rows:?}");
    }
}
