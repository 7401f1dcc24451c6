//! The pipeline and the analysis on one thread, by seed: crashes, restarts, repeats, lost acks and an absent ClickHouse.
//!
//! Guards invariants 1, 4, 5, 6, 7, 9, 10, 14 and 23. A failure prints its seed; ASSAY_SEED=n runs that one alone.

#![allow(clippy::unwrap_used, reason = "a simulation that cannot be built has failed")]

use assay_aggregates::{Assembler, Input, SEMANTICS};
use assay_analysis::{Analysis, Service};
use assay_broker::{Batch, Log, MemoryLog, NewRecord, Offset, Partition, Stamping, TopicSpec};
use assay_experiment::control::{self, Encoded, Genesis};
use assay_experiment::{Span, Timestamp, partitioner};
use assay_pipeline::{
    Clock, FileRuns, Flusher, FlusherParts, Insert, Item, Metrics, Owner, OwnerSettings, Sink, SinkError, Snapshots,
    Spill, Store, StoreError, Topics,
};
use assay_simulator::{Folding, Random, Reference, World, WorldSettings, compare, definitions};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PARTITIONS: u32 = 3;
const START_MS: i64 = 1_777_600_000_000;
/// What happens, of a thousand turns each.
const CRASHES: u64 = 6;
const OUTAGES: u64 = 4;

/// One clock for log, pipeline and world.
struct SimClock(AtomicI64);

impl Clock for SimClock {
    fn wall_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis((self.wall_ms() - START_MS) as u64)
    }
}

#[derive(Default)]
struct MemoryStore(Mutex<BTreeMap<String, Vec<u8>>>);

impl Store for MemoryStore {
    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.0.lock().unwrap().entry(key.to_owned()).or_insert_with(|| bytes.to_vec());
        Ok(())
    }
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.lock().unwrap().get(key).cloned())
    }
    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let held = self.0.lock().unwrap();
        let below = held.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        Ok(below.map(|(key, bytes)| (key.clone(), bytes.len() as u64)).collect())
    }
    fn remove(&self, key: &str) -> Result<(), StoreError> {
        self.0.lock().unwrap().remove(key);
        Ok(())
    }
}

/// A ClickHouse that keeps blocks by token, and is away or forgets to answer.
#[derive(Default)]
struct SimSink {
    state: Mutex<SinkState>,
}

#[derive(Default)]
struct SinkState {
    blocks: BTreeMap<String, Vec<u8>>,
    repeats: u64,
    away: bool,
    /// The next insert is kept but not acknowledged.
    lose_ack: bool,
}

impl Sink for SimSink {
    fn insert(&self, insert: &Insert) -> Result<(), SinkError> {
        let mut state = self.state.lock().unwrap();
        if state.away {
            return Err(SinkError("away".to_owned()));
        }
        if let Some(known) = state.blocks.get(&insert.token) {
            assert_eq!(*known, insert.rows, "token {} carries two contents", insert.token);
            state.repeats += 1;
        }
        state.blocks.insert(insert.token.clone(), insert.rows.clone());
        if std::mem::take(&mut state.lose_ack) {
            return Err(SinkError("no answer".to_owned()));
        }
        Ok(())
    }
    fn erase(&self, _: &str, _: &str) -> Result<(), SinkError> {
        Ok(())
    }
}

/// What survives a crash.
struct Durable {
    clock: Arc<SimClock>,
    log: MemoryLog,
    store: Arc<MemoryStore>,
    sink: Arc<SimSink>,
    genesis: Genesis,
    runs: tempfile::TempDir,
}

/// What a crash takes away.
struct Process {
    owners: Vec<Owner>,
    flushers: Vec<Flusher>,
    queues: Vec<VecDeque<Item>>,
    spill: Arc<Spill>,
    service: Service,
    metrics: Metrics,
}

fn topics() -> Topics {
    Topics::default()
}

impl Durable {
    fn new(seed: u64) -> Durable {
        let clock = Arc::new(SimClock(AtomicI64::new(START_MS)));
        let told = clock.clone();
        let log = MemoryLog::new(Arc::new(move || told.wall_ms()));
        let spec = |name: &str, partitions| TopicSpec {
            name: name.to_owned(),
            partitions,
            stamping: Stamping::Append,
            retention: None,
            compacted: false,
        };
        let Topics { events, aggregates, results, dead_letters } = topics();
        for (name, partitions) in [(&events, PARTITIONS), (&aggregates, PARTITIONS), (&results, 1), (&dead_letters, 1)]
        {
            log.create_topic(&spec(name, partitions)).unwrap();
        }
        let genesis = Genesis::new(format!("seed-{seed}"), PARTITIONS, seed);
        let mut records = vec![control::genesis(&genesis)];
        records.extend(control::version(1, &definitions()));
        for partition in 0..PARTITIONS {
            records.iter().for_each(|record| append_control(&log, partition, record));
        }
        let runs = tempfile::tempdir().unwrap();
        Durable { clock, log, store: Arc::default(), sink: Arc::default(), genesis, runs }
    }

    fn snapshots(&self, partition: u32, runs: &Path) -> Snapshots {
        Snapshots::new(self.store.clone(), &self.genesis.log, partition, runs, Duration::from_secs(20))
    }

    fn start(&self) -> Process {
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        let spill = Arc::new(Spill::open(self.store.clone(), &self.genesis.log, 1 << 30).unwrap());
        let (mut owners, mut flushers) = (Vec::new(), Vec::new());
        for partition in 0..PARTITIONS {
            let runs = self.runs.path().join(partition.to_string());
            let mut snapshots = self.snapshots(partition, &runs);
            let state = Owner::restore(&mut snapshots).unwrap();
            let settings =
                OwnerSettings { snapshot_every: Duration::from_secs(7), poll: Duration::ZERO, batch_bytes: 3_000 };
            owners.push(
                Owner::new(
                    Arc::new(self.log.clone()),
                    self.clock.clone(),
                    metrics.clone(),
                    topics(),
                    settings,
                    partition,
                    state,
                    Box::new(FileRuns::open(&runs).unwrap()),
                )
                .unwrap(),
            );
            let parts = FlusherParts {
                log: Arc::new(self.log.clone()),
                topics: topics(),
                sink: self.sink.clone(),
                spill: spill.clone(),
                snapshots,
                metrics: metrics.clone(),
                clock: self.clock.clone(),
            };
            flushers.push(Flusher::new(&self.genesis.log, SEMANTICS, partition, parts));
        }
        let newest = self.store.list("analysis/").unwrap().pop();
        let snapshot = newest.map(|(key, _)| Analysis::restore(&self.store.get(&key).unwrap().unwrap()).unwrap());
        let Topics { aggregates, results, .. } = topics();
        let service =
            Service::open(Arc::new(self.log.clone()), &aggregates, &results, "sim", Span::DAY, snapshot).unwrap();
        let queues = (0..PARTITIONS).map(|_| VecDeque::new()).collect();
        Process { owners, flushers, queues, spill, service, metrics }
    }
}

fn append_control(log: &MemoryLog, partition: u32, record: &Encoded) {
    let headers: Vec<(&str, &[u8])> = record.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let new = NewRecord { key: None, headers: &headers, payload: &record.body, timestamp_ms: None };
    log.append(&topics().events, Partition(partition), &[new]).unwrap();
}

impl Process {
    fn fold(&mut self, partition: usize) {
        self.owners[partition].step().unwrap();
        let told: Vec<Item> = self.owners[partition].outbox.drain(..).collect();
        self.queues[partition].extend(told);
    }

    fn flush(&mut self, partition: usize) {
        if let Some(item) = self.queues[partition].front() {
            self.flushers[partition].take(item).unwrap();
            self.queues[partition].pop_front();
        }
    }

    fn drain(&self, durable: &Durable) {
        self.spill.drain(durable.sink.as_ref(), &self.metrics, durable.clock.as_ref()).unwrap();
    }

    fn analyse(&mut self) {
        if self.service.step(Duration::ZERO).unwrap() {
            let results = self.service.analysis().results().unwrap();
            self.service.publish(&results).unwrap();
        }
    }

    fn keep(&self, durable: &Durable) {
        if let Some(results) = self.service.analysis().results() {
            let key = format!("analysis/{:020}", results.look.millis());
            durable.store.put(&key, &self.service.snapshot()).unwrap();
        }
    }
}

/// What one simulation saw, so that a run in which nothing happened does not count.
#[derive(Debug, Default)]
struct Seen {
    crashes: u64,
    outages: u64,
    repeated_inserts: u64,
    restores: u64,
}

fn simulate(seed: u64) -> Seen {
    let settings = WorldSettings {
        seed,
        visitors: 150,
        seconds: 60,
        repeated_permille: 100,
        delay_s_max: 10,
        broken_permille: 20,
    };
    let durable = Durable::new(seed);
    let world = World::new(&settings, START_MS + 1_000);
    let mut random = Random(seed ^ 0xfau64.rotate_left(32));
    let mut seen = Seen::default();
    let mut process = durable.start();
    let mut sent = 0;
    let end_ms = world.messages.last().unwrap().at_ms + 15_000;
    while durable.clock.wall_ms() < end_ms || durable.sink.state.lock().unwrap().away {
        durable.clock.0.fetch_add(random.below(60) as i64, Ordering::SeqCst);
        while sent < world.messages.len() && world.messages[sent].at_ms <= durable.clock.wall_ms() {
            let message = &world.messages[sent];
            let partition = partitioner::partition_of(message.unit.as_bytes(), PARTITIONS);
            let new = NewRecord {
                key: Some(message.unit.as_bytes()),
                headers: &[],
                payload: &message.payload,
                timestamp_ms: None,
            };
            durable.log.append(&topics().events, Partition(partition), &[new]).unwrap();
            sent += 1;
        }
        let partition = random.below(u64::from(PARTITIONS)) as usize;
        match random.below(8) {
            0..4 => process.fold(partition),
            4 | 5 => process.flush(partition),
            6 => process.analyse(),
            _ if random.permille(200) => process.keep(&durable),
            _ => process.drain(&durable),
        }
        if random.permille(CRASHES) {
            drop(process);
            // The machine is down for a while.
            durable.clock.0.fetch_add(random.below(3_000) as i64, Ordering::SeqCst);
            process = durable.start();
            seen.crashes += 1;
            seen.restores += process.owners.iter().filter(|owner| owner.state().is_some()).count() as u64;
        }
        if random.permille(OUTAGES) {
            let mut sink = durable.sink.state.lock().unwrap();
            sink.away = !sink.away;
            seen.outages += u64::from(sink.away);
        }
        durable.sink.state.lock().unwrap().lose_ack |= random.permille(20);
    }
    settle(&durable, &mut process);
    seen.repeated_inserts = durable.sink.state.lock().unwrap().repeats;
    let reference: Vec<Reference> = (0..PARTITIONS).map(|partition| fold(&durable.log, partition)).collect();
    looks_equal(&durable, &reference);
    rows_equal(&durable);
    truth_equal(&process, &world);
    results_equal(&durable, &process, &reference);
    seen
}

/// Lets everything come to rest: time goes on, nothing new happens.
fn settle(durable: &Durable, process: &mut Process) {
    for _ in 0..400 {
        durable.clock.0.fetch_add(50, Ordering::SeqCst);
        for partition in 0..PARTITIONS as usize {
            process.fold(partition);
            while !process.queues[partition].is_empty() {
                process.flush(partition);
            }
        }
        process.drain(durable);
        process.analyse();
    }
    // Time stands still now: what is under way is read, and nothing follows it.
    for partition in 0..PARTITIONS as usize {
        while process.owners[partition].lag().unwrap() > 0 {
            process.fold(partition);
        }
        while !process.queues[partition].is_empty() {
            process.flush(partition);
        }
    }
    process.analyse();
    assert_eq!(process.spill.waiting().0, 0, "everything that waited was delivered");
}

fn each_record(log: &MemoryLog, topic: &str, partition: u32, mut each: impl FnMut(&Input<'_>)) {
    let mut reader = log.open(topic, Partition(partition), Offset(0)).unwrap();
    let mut batch = Batch::default();
    loop {
        reader.poll(&mut batch, 1 << 20, Duration::ZERO).unwrap();
        if batch.is_empty() {
            return;
        }
        for record in batch.iter() {
            let headers: Vec<(&str, &[u8])> = record.headers().collect();
            let timestamp = Timestamp::from_millis(record.timestamp_ms);
            let (offset, key, payload) = (record.offset.0, record.key, record.payload);
            each(&Input { offset, timestamp, key, headers: &headers, payload });
        }
    }
}

fn fold(log: &MemoryLog, partition: u32) -> Reference {
    let mut folding = Folding::new(partition);
    each_record(log, &topics().events, partition, |input| folding.apply(input).unwrap());
    folding.finish()
}

/// Invariants 1, 9, 23: published looks are the fold's, and none is missing.
fn looks_equal(durable: &Durable, reference: &[Reference]) {
    for (partition, reference) in reference.iter().enumerate() {
        let expected: BTreeMap<i64, Vec<u8>> = reference.looks.iter().map(|look| (look.last, look.encode())).collect();
        let mut assembler = Assembler::default();
        let mut found = BTreeMap::new();
        each_record(&durable.log, &topics().aggregates, partition as u32, |input| {
            let look = assembler.push(input.payload).unwrap().unwrap();
            if let Some(before) = found.insert(look.last, look.encode()) {
                assert_eq!(before, look.encode(), "look {} has two contents", look.last);
            }
        });
        let missing: Vec<i64> = expected.keys().filter(|last| !found.contains_key(last)).copied().collect();
        let other: Vec<i64> = found.keys().filter(|last| !expected.contains_key(last)).copied().collect();
        assert!(missing.is_empty() && other.is_empty(), "partition {partition} lacks {missing:?} and has {other:?}");
        assert!(found == expected, "looks of partition {partition} differ from the fold's");
    }
}

/// Invariants 1 and 14: blocks, tokens and bytes are those of an owner that never crashed.
fn rows_equal(durable: &Durable) {
    let clean = Arc::new(SimSink::default());
    let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
    let store: Arc<MemoryStore> = Arc::default();
    let log: Arc<dyn Log> = Arc::new(durable.log.clone());
    let aside = Topics { aggregates: "aside".to_owned(), dead_letters: "aside".to_owned(), ..topics() };
    let spec = TopicSpec {
        name: "aside".to_owned(),
        partitions: PARTITIONS,
        stamping: Stamping::Append,
        retention: None,
        compacted: false,
    };
    log.create_topic(&spec).unwrap();
    for partition in 0..PARTITIONS {
        let runs = durable.runs.path().join(format!("clean-{partition}"));
        let settings =
            OwnerSettings { snapshot_every: Duration::from_secs(1 << 20), poll: Duration::ZERO, batch_bytes: 1 << 20 };
        let mut owner = Owner::new(
            log.clone(),
            durable.clock.clone(),
            metrics.clone(),
            aside.clone(),
            settings,
            partition,
            None,
            Box::new(FileRuns::open(&runs).unwrap()),
        )
        .unwrap();
        let parts = FlusherParts {
            log: log.clone(),
            topics: aside.clone(),
            sink: clean.clone(),
            spill: Arc::new(Spill::open(store.clone(), "clean", 1 << 30).unwrap()),
            snapshots: Snapshots::new(store.clone(), "clean", partition, &runs, Duration::from_secs(1)),
            metrics: metrics.clone(),
            clock: durable.clock.clone(),
        };
        let mut flusher = Flusher::new(&durable.genesis.log, SEMANTICS, partition, parts);
        while owner.lag().unwrap() > 0 {
            owner.step().unwrap();
            owner.outbox.drain(..).for_each(|item| flusher.take(&item).unwrap());
        }
    }
    let (found, expected) = (durable.sink.state.lock().unwrap(), clean.state.lock().unwrap());
    assert!(found.blocks.keys().eq(expected.blocks.keys()), "tokens differ from those of a run without crashes");
    assert!(found.blocks == expected.blocks, "rows differ from those of a run without crashes");
    assert!(found.blocks.len() > 20);
}

/// Invariants 4 to 7: the counts are what the world knows to be true.
fn truth_equal(process: &Process, world: &World) {
    let results = process.service.analysis().results().unwrap();
    let experiment = &results.experiments[0];
    let micro = |sum: f64| (sum * 1e6).round() as i128;
    let [bought, revenue] = [0, 1].map(|at| &experiment.metrics[at].arms);
    let counters = &results.counters;
    let found = BTreeMap::from([
        ("units of control", experiment.units[0].into()),
        ("units of treatment", experiment.units[1].into()),
        ("buyers of control", micro(bought[0].sum) / 1_000_000),
        ("buyers of treatment", micro(bought[1].sum) / 1_000_000),
        ("revenue of control", micro(revenue[0].sum)),
        ("revenue of treatment", micro(revenue[1].sum)),
        ("exposures", counters.accepted[0].into()),
        ("conversions", counters.accepted[1].into()),
        ("broken", counters.rejected.iter().sum::<u64>().into()),
    ]);
    compare(&world.truth, &found).unwrap();
    assert_eq!(counters.duplicates, world.truth.repeats, "every repeat was recognised");
    let known = counters.accepted.iter().sum::<u64>()
        + counters.duplicates
        + counters.rejected.iter().sum::<u64>()
        + counters.control;
    assert_eq!(counters.records, known, "every record is accounted for");
}

/// Invariant 10: results and running values are those of an analysis that never stopped.
fn results_equal(durable: &Durable, process: &Process, reference: &[Reference]) {
    let mut analysis = Analysis::new(PARTITIONS, Span::DAY);
    for look in reference.iter().flat_map(|reference| &reference.looks) {
        analysis.take(look.clone()).unwrap();
    }
    analysis.advance();
    let found = process.service.analysis().results().unwrap().to_json("sim").to_string();
    assert_eq!(found, analysis.results().unwrap().to_json("sim").to_string());
    assert!(process.service.frozen().is_empty());
    let published = durable.log.bounds(&topics().results, Partition(0)).unwrap().next.0;
    assert!(published > 10);
}

#[test]
fn crashes_restarts_and_repeats_change_nothing() {
    let seeds: Vec<u64> = match std::env::var("ASSAY_SEED") {
        Ok(seed) => vec![seed.parse().expect("ASSAY_SEED is a number")],
        Err(_) => (1..=40).collect(),
    };
    let mut total = Seen::default();
    for &seed in &seeds {
        let outcome = std::panic::catch_unwind(|| simulate(seed));
        let seen = outcome.unwrap_or_else(|problem| {
            eprintln!("seed {seed} failed; run it alone with ASSAY_SEED={seed}");
            std::panic::resume_unwind(problem)
        });
        total.crashes += seen.crashes;
        total.outages += seen.outages;
        total.repeated_inserts += seen.repeated_inserts;
        total.restores += seen.restores;
    }
    println!("{} seeds: {total:?}", seeds.len());
    assert!(seeds.len() == 1 || total.crashes > 100 && total.outages > 50 && total.restores > 100, "{total:?}");
    assert!(seeds.len() == 1 || total.repeated_inserts > 100, "{total:?}");
}
