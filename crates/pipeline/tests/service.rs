//! What a running pipeline says of itself when something around it fails, and that it goes on by itself when that is over.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

use assay_aggregates::Look;
use assay_broker::{
    Appended, Batch, Bounds, Error as LogError, Log, MemoryLog, NewRecord, Offset, Partition, Reader, Stamping, Topic,
    TopicSpec,
};
use assay_experiment::Settings;
use assay_experiment::control::{self, Encoded, Genesis};
use assay_pipeline::{
    Clock, Doing, Erasure, Insert, Keep, Metrics, OwnerSettings, PartitionStatus, Parts, Pipeline, Sink, SinkError,
    Store, StoreError, Topics,
};
use assay_real_parts::wait_until;
use prometheus::{Registry, TextEncoder};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const START_MS: i64 = 1_777_600_000_000;
/// Records of the dead-letter topic with a longer body are refused.
const LETTER_MAX: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// What can be switched on in this world.
#[derive(Default)]
struct Switches {
    /// The store has no space.
    full: AtomicBool,
    /// The disk of the log has no space.
    log_full: AtomicBool,
    /// The log does not answer.
    log_away: AtomicBool,
    /// Records are in the log, but do not come.
    silent: AtomicBool,
    /// Records come one at a time.
    slow: AtomicBool,
    /// Reading the log is a bug.
    log_bug: AtomicBool,
    /// Delivering rows is a bug.
    sink_bug: AtomicBool,
    /// ClickHouse does not answer.
    sink_away: AtomicBool,
}

impl Switches {
    fn is(&self, switch: fn(&Switches) -> &AtomicBool) -> bool {
        switch(self).load(Ordering::SeqCst)
    }
}

struct World {
    switches: Arc<Switches>,
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Of what ClickHouse got.
    tokens: Mutex<Vec<String>>,
    log: MemoryLog,
    clock: Arc<TestClock>,
}

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn wall_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis((self.wall_ms() - START_MS) as u64)
    }
}

impl Store for World {
    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        if self.switches.is(|all| &all.full) {
            return Err(StoreError { what: format!("writing {key}"), why: "No space left on device".to_owned() });
        }
        self.objects.lock().unwrap().entry(key.to_owned()).or_insert_with(|| bytes.to_vec());
        Ok(())
    }
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.objects.lock().unwrap().get(key).cloned())
    }
    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let held = self.objects.lock().unwrap();
        let below = held.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        Ok(below.map(|(key, bytes)| (key.clone(), bytes.len() as u64)).collect())
    }
    fn remove(&self, key: &str) -> Result<(), StoreError> {
        self.objects.lock().unwrap().remove(key);
        Ok(())
    }
}

impl Sink for World {
    fn insert(&self, insert: &Insert) -> Result<(), SinkError> {
        assert!(!self.switches.is(|all| &all.sink_bug), "delivering is broken");
        match self.switches.is(|all| &all.sink_away) {
            true => Err(SinkError::Away("nobody answers".to_owned())),
            false => {
                self.tokens.lock().unwrap().push(insert.token.clone());
                Ok(())
            }
        }
    }
    fn erase(&self, _: &Erasure) -> Result<bool, SinkError> {
        Ok(true)
    }
}

struct TestLog {
    log: MemoryLog,
    switches: Arc<Switches>,
}

fn away() -> LogError {
    LogError::Kafka("all brokers are down".to_owned())
}

impl Log for TestLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<Topic, LogError> {
        self.log.create_topic(spec)
    }
    fn topic(&self, name: &str) -> Result<Topic, LogError> {
        self.log.topic(name)
    }
    fn append(&self, topic: &str, partition: Partition, records: &[NewRecord<'_>]) -> Result<Vec<Appended>, LogError> {
        if self.switches.is(|all| &all.log_full) {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(LogError::Io { what: format!("appending to {topic}"), source });
        }
        if topic == Topics::default().dead_letters && records.iter().any(|record| record.payload.len() > LETTER_MAX) {
            return Err(LogError::Refused("it is larger than this topic takes".to_owned()));
        }
        self.log.append(topic, partition, records)
    }
    fn bounds(&self, topic: &str, partition: Partition) -> Result<Bounds, LogError> {
        if self.switches.is(|all| &all.log_away) { Err(away()) } else { self.log.bounds(topic, partition) }
    }
    fn open(&self, topic: &str, partition: Partition, from: Offset) -> Result<Box<dyn Reader>, LogError> {
        let reader = self.log.open(topic, partition, from)?;
        Ok(Box::new(TestReader { reader, switches: self.switches.clone() }))
    }
}

struct TestReader {
    reader: Box<dyn Reader>,
    switches: Arc<Switches>,
}

impl Reader for TestReader {
    fn poll(&mut self, batch: &mut Batch, max_bytes: usize, timeout: Duration) -> Result<(), LogError> {
        assert!(!self.switches.is(|all| &all.log_bug), "reading is broken");
        if self.switches.is(|all| &all.silent) {
            batch.clear();
            std::thread::sleep(Duration::from_millis(1));
            return Ok(());
        }
        if self.switches.is(|all| &all.slow) {
            std::thread::sleep(Duration::from_millis(10));
            return self.reader.poll(batch, 1, timeout);
        }
        self.reader.poll(batch, max_bytes, timeout)
    }
    fn next_in_log(&mut self) -> Result<Offset, LogError> {
        self.reader.next_in_log()
    }
}

struct Running {
    world: Arc<World>,
    pipeline: Pipeline,
    registry: Registry,
    _runs: tempfile::TempDir,
}

impl World {
    /// A log with one partition; one record of another sender, which becomes a dead letter, makes every chunk count.
    fn new() -> Arc<World> {
        World::with_semantics(2)
    }

    fn with_semantics(semantics: u32) -> Arc<World> {
        let clock = Arc::new(TestClock(AtomicI64::new(START_MS)));
        let told = clock.clone();
        let log = MemoryLog::new(Arc::new(move || told.wall_ms()));
        let Topics { events, aggregates, dead_letters, .. } = Topics::default();
        for name in [events, aggregates, dead_letters] {
            let stamping = Stamping::Append;
            log.create_topic(&TopicSpec { name, partitions: 1, stamping, retention: None, compacted: false }).unwrap();
        }
        let world = Arc::new(World {
            switches: Arc::default(),
            objects: Mutex::default(),
            tokens: Mutex::default(),
            log,
            clock,
        });
        world.control(&control::genesis(&Genesis { semantics, ..Genesis::new("log".to_owned(), 1, 7) }));
        world
    }

    fn control(&self, record: &Encoded) {
        let headers: Vec<(&str, &[u8])> =
            record.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        self.append(NewRecord { key: None, headers: &headers, payload: &record.body, timestamp_ms: None });
    }

    fn append(&self, record: NewRecord<'_>) {
        self.log.append(&Topics::default().events, Partition(0), &[record]).unwrap();
    }

    /// Time goes on, and at its end there is one more record, so that all before is closed.
    fn go_on(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1_000, Ordering::SeqCst);
        self.append(NewRecord { key: Some(b"u"), headers: &[], payload: b"broken", timestamp_ms: None });
    }

    fn run(self: &Arc<World>) -> Running {
        let (registry, runs) = (Registry::new(), tempfile::tempdir().unwrap());
        let day = Duration::from_secs(24 * 3_600);
        let pipeline = Pipeline::start(Parts {
            log: Arc::new(TestLog { log: self.log.clone(), switches: self.switches.clone() }),
            log_id: "log".to_owned(),
            topics: Topics::default(),
            partitions: vec![0],
            sink: self.clone(),
            store: self.clone(),
            runs: runs.path().to_owned(),
            clock: self.clock.clone(),
            metrics: Metrics::new(&registry).unwrap(),
            owner: OwnerSettings {
                snapshot_every: Duration::from_secs(1),
                poll: Duration::from_millis(5),
                ..OwnerSettings::default()
            },
            keep: Keep { all_for: day, dailies_for: day },
            spill_bytes_max: 2_000,
            flush_bytes_max: 1 << 20,
        })
        .unwrap();
        Running { world: self.clone(), pipeline, registry, _runs: runs }
    }
}

impl Running {
    fn status(&self) -> PartitionStatus {
        self.pipeline.status().remove(0)
    }

    /// Waits until the partition says so, while time goes on.
    fn becomes(&self, what: &str, is: impl Fn(&Doing) -> bool) {
        wait_until(&format!("{what}; it says {:?}", self.status().doing), PATIENCE, || {
            let there = is(&self.status().doing);
            if !there {
                self.world.go_on(1);
            }
            there
        });
    }

    fn becomes_live(&self) {
        self.becomes("live", |doing| *doing == Doing::Live);
        wait_until("no reason to pause is left", PATIENCE, || self.reasons().is_empty());
    }

    fn becomes_paused(&self, reason: &str, part: &str) {
        self.becomes(part, |doing| matches!(doing, Doing::Paused(why) if why.contains(part)));
        if !reason.is_empty() {
            wait_until(reason, PATIENCE, || self.reasons().contains(&reason.to_owned()));
        }
    }

    fn becomes_halted(&self, part: &str) {
        self.becomes(part, |doing| matches!(doing, Doing::Halted(why) if why.contains(part)));
        assert_eq!(self.reasons(), ["halted"]);
    }

    /// Reasons for which `assay_paused_partitions` is 1.
    fn reasons(&self) -> Vec<String> {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let paused = text.lines().filter(|line| line.starts_with("assay_paused_partitions{") && line.ends_with(" 1"));
        paused.map(|line| line.split("reason=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()).collect()
    }

    fn set(&self, switch: fn(&Switches) -> &AtomicBool, on: bool) {
        switch(&self.world.switches).store(on, Ordering::SeqCst);
    }

    fn silence_ms(&self) -> i64 {
        self.world.clock.wall_ms() - self.status().alive_ms
    }
}

#[test]
fn a_full_disk_pauses_and_passes() {
    let running = World::new().run();
    running.becomes_live();
    running.set(|all| &all.full, true);
    running.becomes_paused("flush", "check that its disk has space");
    running.set(|all| &all.full, false);
    running.becomes_live();
    running.set(|all| &all.log_full, true);
    running.becomes_paused("", "free space on the disk");
    running.set(|all| &all.log_full, false);
    running.becomes_live();
    running.pipeline.stop();
}

#[test]
fn a_full_spill_pauses_and_says_what_it_waits_for() {
    let running = World::new().run();
    running.becomes_live();
    running.set(|all| &all.sink_away, true);
    running.becomes_paused("spill_full", "ClickHouse is away (nobody answers)");
    assert!(running.pipeline.spilled().0 > 0);
    let letters = || running.world.log.bounds(&Topics::default().dead_letters, Partition(0)).unwrap().next.0;
    let (before, tried) = (letters(), std::time::Instant::now());
    while tried.elapsed() < Duration::from_secs(3) {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(letters(), before, "trying again does not repeat dead letters");
    running.set(|all| &all.sink_away, false);
    running.becomes_live();
    wait_until("what waited is delivered", PATIENCE, || {
        running.world.go_on(1);
        running.pipeline.spilled().0 == 0
    });
    running.pipeline.stop();
}

#[test]
fn a_dead_letter_that_its_topic_refuses_goes_without_its_body() {
    let world = World::new();
    let running = world.run();
    running.becomes_live();
    for size in [LETTER_MAX + 1, LETTER_MAX] {
        let payload = vec![b'x'; size];
        world.append(NewRecord { key: Some(b"u"), headers: &[], payload: &payload, timestamp_ms: None });
    }
    let read = || {
        let mut reader = world.log.open(&Topics::default().dead_letters, Partition(0), Offset(0)).unwrap();
        let mut batch = Batch::default();
        reader.poll(&mut batch, 1 << 20, Duration::ZERO).unwrap();
        let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
        let told =
            |record: assay_broker::Record<'_>| (record.payload.len(), text(record.header("assay-dead-truncated")));
        batch.iter().map(told).collect::<Vec<_>>()
    };
    wait_until("both are there", PATIENCE, || {
        world.go_on(6);
        read().iter().any(|(size, _)| *size == LETTER_MAX)
    });
    assert!(read().contains(&(0, format!("body={}", LETTER_MAX + 1))), "{:?}", read());
    running.becomes_live();
    running.pipeline.stop();
}

#[test]
fn a_log_that_is_away_is_a_pause_and_no_death() {
    let running = World::new().run();
    running.becomes_live();
    running.set(|all| &all.silent, true);
    running.set(|all| &all.log_away, true);
    for _ in 0..20 {
        running.world.go_on(10);
        running.becomes_paused("log", "all brokers are down");
        wait_until("it is alive", PATIENCE, || running.silence_ms() < 1_000);
    }
    running.set(|all| &all.log_away, false);
    running.set(|all| &all.silent, false);
    running.becomes_live();
    running.pipeline.stop();
}

#[test]
fn records_that_do_not_come_are_no_progress_and_are_read_anew() {
    let running = World::new().run();
    running.becomes_live();
    running.set(|all| &all.silent, true);
    running.world.go_on(0);
    std::thread::sleep(Duration::from_millis(200));
    running.world.go_on(30);
    std::thread::sleep(Duration::from_millis(200));
    assert!(running.silence_ms() >= 30_000, "an idle turn with records waiting is no sign of life");
    running.world.go_on(30);
    running.becomes_paused("restart", "reading it anew");
    running.set(|all| &all.silent, false);
    running.becomes_live();
    running.pipeline.stop();
}

#[test]
fn a_partition_that_fell_behind_is_not_live() {
    let world = World::new();
    let running = world.run();
    running.becomes_live();
    // Nothing is read while the records come.
    running.set(|all| &all.silent, true);
    running.set(|all| &all.slow, true);
    std::thread::sleep(Duration::from_millis(200));
    (0..400).for_each(|_| world.go_on(0));
    running.set(|all| &all.silent, false);
    std::thread::sleep(Duration::from_millis(200));
    world.clock.0.fetch_add(70_000, Ordering::SeqCst);
    wait_until("it says that it catches up", PATIENCE, || running.status().doing == Doing::CatchingUp);
    assert!(running.status().lag > 0 && running.silence_ms() < 1_000, "it goes on: {:?}", running.status());
    running.set(|all| &all.slow, false);
    running.becomes_live();
    running.pipeline.stop();
}

#[test]
fn a_record_from_the_future_pauses_and_is_no_death() {
    let world = World::new();
    let running = world.run();
    running.becomes_live();
    // The broker's clock was ahead for one record, which comes when the machine's is what it was.
    running.set(|all| &all.silent, true);
    std::thread::sleep(Duration::from_millis(200));
    world.go_on(70);
    world.clock.0.fetch_sub(70_000, Ordering::SeqCst);
    running.set(|all| &all.silent, false);
    wait_until(
        "paused",
        PATIENCE,
        || matches!(running.status().doing, Doing::Paused(why) if why.contains("check the clocks")),
    );
    assert_eq!(running.reasons(), ["ahead"]);
    let alive = running.status().alive_ms;
    world.clock.0.fetch_add(5_000, Ordering::SeqCst);
    wait_until("still alive", PATIENCE, || running.status().alive_ms > alive);
    running.becomes_live();
    running.pipeline.stop();
}

#[test]
fn a_bug_halts_its_partition_wherever_it_is() {
    let running = World::new().run();
    running.becomes_live();
    running.set(|all| &all.sink_bug, true);
    running.becomes_halted("a bug stopped its flusher: delivering is broken");
    running.pipeline.stop();

    // The flusher tries for ever at that moment.
    let running = World::new().run();
    running.becomes_live();
    running.set(|all| &all.full, true);
    running.becomes_paused("flush", "has space");
    running.set(|all| &all.log_bug, true);
    wait_until(
        "halted",
        PATIENCE,
        || matches!(running.status().doing, Doing::Halted(why) if why.contains("reading is broken")),
    );
    running.pipeline.stop();
}

#[test]
fn a_damaged_snapshot_is_passed_over_and_counted() {
    let world = World::new();
    let running = world.run();
    running.becomes_live();
    let snapshots = || world.list("snapshots/log/00000/").unwrap();
    wait_until("two snapshots", PATIENCE, || {
        world.go_on(6);
        std::thread::sleep(Duration::from_millis(20));
        snapshots().len() >= 2
    });
    running.pipeline.stop();
    let (newest, _) = snapshots().pop().unwrap();
    *world.objects.lock().unwrap().get_mut(&newest).unwrap().last_mut().unwrap() ^= 1;
    let running = world.run();
    running.becomes_live();
    let text = TextEncoder::new().encode_to_string(&running.registry.gather()).unwrap();
    assert!(text.contains("assay_damaged_snapshots_total{partition=\"0\"} 1"), "{text}");
    assert!(text.contains("assay_restores_total{from=\"snapshot\",partition=\"0\"} 1"), "{text}");
    running.pipeline.stop();
    // A newer build's format stops the partition before it writes anything.
    let (newest, _) = snapshots().pop().unwrap();
    world.objects.lock().unwrap().get_mut(&newest).unwrap()[7] = b'9';
    let running = world.run();
    running.becomes_halted("use the build that wrote it");
    running.pipeline.stop();
}

/// Invariant 17. What was told under one meaning of the fold is told under no other, and one that this build lacks stops the partition at
/// its hour, after a restart as before it.
#[test]
fn tokens_name_the_semantics_and_one_that_is_lacking_halts_at_its_hour() {
    const HOUR_MS: i64 = 3_600_000;
    let world = World::with_semantics(1);
    let hour_ms = START_MS.div_euclid(HOUR_MS) * HOUR_MS + HOUR_MS;
    for (from_ms, semantics) in [(hour_ms, 2), (hour_ms + HOUR_MS, 9)] {
        world.control(&control::settings(&Settings { from_ms, look_ms: 2_000, chunk_ms: 10_000, semantics }));
    }
    world.go_on(6);
    world.go_on(6);
    world.clock.0.store(hour_ms + 1_000, Ordering::SeqCst);
    let running = world.run();
    running.becomes_live();
    world.go_on(20);
    world.go_on(20);
    let tokens = |part: &str| world.tokens.lock().unwrap().iter().filter(|token| token.contains(part)).count();
    wait_until("rows of both meanings", PATIENCE, || tokens("chunks/log/1/0/") >= 2 && tokens("chunks/log/2/0/") >= 1);
    world.clock.0.store(hour_ms + HOUR_MS, Ordering::SeqCst);
    running.becomes_halted("partition 0 has semantics 9 from 2026-05-01T03:00:00Z on, this build has 1 to 2");
    running.pipeline.stop();
    let running = world.run();
    running.becomes_halted("start a build that has it");
    running.pipeline.stop();
    assert_eq!(tokens("/9/"), 0);
    // Looks up to the hour are there, and none beyond it.
    let aggregates = Topics::default().aggregates;
    let mut reader = world.log.open(&aggregates, Partition(0), Offset(0)).unwrap();
    let mut batch = Batch::default();
    reader.poll(&mut batch, usize::MAX, Duration::ZERO).unwrap();
    let looks: Vec<Look> = batch.iter().map(|record| Look::decode(record.payload).unwrap()).collect();
    assert!(looks.iter().all(|look| look.as_of().millis() <= hour_ms + HOUR_MS));
    assert!(looks.iter().all(|look| look.semantics == if look.as_of().millis() <= hour_ms { 1 } else { 2 }));
    assert!(looks.iter().any(|look| look.length.0 == 2_000_000));
}
