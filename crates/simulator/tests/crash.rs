//! The pipeline and the analysis on one thread, by seed: crashes between steps and inside every write, restarts, repeats, lost acks, an
//! absent ClickHouse and a full spill, damaged snapshots, a lost analysis, clocks that jump and run backwards.
//!
//! Guards invariants 1 to 7, 9, 10, 14, 15, 16, 18 and 23. A failure prints its seed; ASSAY_SEED=n runs that one alone.

#![allow(clippy::unwrap_used, reason = "a simulation that cannot be built has failed")]

use assay_aggregates::{Assembler, Input};
use assay_analysis::{Analysis, Service};
use assay_broker::{
    Appended, Batch, Bounds, Error as LogError, Log, MemoryLog, NewRecord, Offset, Partition, Reader, Stamping, Topic,
    TopicSpec,
};
use assay_experiment::control::{self, Encoded, Genesis};
use assay_experiment::{Span, Timestamp, partitioner};
use assay_pipeline::{
    Clock, Delivery, Erasure, FileRuns, FlushError, Flusher, FlusherParts, Insert, Item, Keep, MemoryStore, Metrics,
    Owner, OwnerSettings, Sink, SinkError, Snapshots, Spill, Step, Store, StoreError, Topics,
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
const CRASHES: u64 = 3;
const DEATHS: u64 = 6;
const OUTAGES: u64 = 4;
const JUMPS: u64 = 4;
/// Items between a fold and its flusher, as in the real pipeline.
const QUEUE_ITEMS: usize = 8;

/// The log's clock, and the world's.
struct SimClock(AtomicI64);

impl SimClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// The machine's clock: somebody sets it, but its monotonic time goes on.
struct MachineClock {
    real: Arc<SimClock>,
    skew: AtomicI64,
}

impl Clock for MachineClock {
    fn wall_ms(&self) -> i64 {
        self.real.now() + self.skew.load(Ordering::SeqCst)
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis((self.real.now() - START_MS) as u64)
    }
}

/// Where the process dies: at the n-th write from now on, before or after it took effect. Nothing works in a dead process.
struct Faults(Mutex<Death>);

struct Death {
    left: Option<u64>,
    dead: bool,
    random: Random,
    /// How often it died at which write, before and after.
    seen: BTreeMap<String, u64>,
}

#[derive(PartialEq)]
enum Fate {
    Live,
    Before,
    After,
}

impl Faults {
    fn arm(&self, writes: u64) {
        self.0.lock().unwrap().left = Some(writes);
    }

    fn revive(&self) {
        let mut death = self.0.lock().unwrap();
        (death.left, death.dead) = (None, false);
    }

    fn dead(&self) -> bool {
        self.0.lock().unwrap().dead
    }

    fn at(&self, write: &str) -> Fate {
        let mut death = self.0.lock().unwrap();
        match (death.dead, death.left) {
            (true, _) => Fate::Before,
            (false, None) => Fate::Live,
            (false, Some(0)) => {
                death.dead = true;
                let (fate, when) =
                    if death.random.permille(500) { (Fate::Before, "before") } else { (Fate::After, "after") };
                *death.seen.entry(format!("{when} {write}")).or_default() += 1;
                fate
            }
            (false, Some(left)) => {
                death.left = Some(left - 1);
                Fate::Live
            }
        }
    }
}

/// The log as the process sees it.
struct MortalLog {
    log: MemoryLog,
    faults: Arc<Faults>,
}

impl Log for MortalLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<Topic, LogError> {
        self.log.create_topic(spec)
    }
    fn topic(&self, name: &str) -> Result<Topic, LogError> {
        self.log.topic(name)
    }
    fn append(&self, topic: &str, partition: Partition, records: &[NewRecord<'_>]) -> Result<Vec<Appended>, LogError> {
        let died = || LogError::Kafka("the process died".to_owned());
        match self.faults.at(topic) {
            Fate::Live => self.log.append(topic, partition, records),
            // Any prefix may have been written.
            fate => {
                let written = if fate == Fate::After { records.len().div_ceil(2) } else { 0 };
                self.log.append(topic, partition, &records[..written])?;
                Err(died())
            }
        }
    }
    fn bounds(&self, topic: &str, partition: Partition) -> Result<Bounds, LogError> {
        self.log.bounds(topic, partition)
    }
    fn open(&self, topic: &str, partition: Partition, from: Offset) -> Result<Box<dyn Reader>, LogError> {
        self.log.open(topic, partition, from)
    }
}

/// The store as the process sees it.
struct MortalStore {
    store: Arc<MemoryStore>,
    faults: Arc<Faults>,
}

impl MortalStore {
    fn within(&self, key: &str, write: impl Fn() -> Result<(), StoreError>) -> Result<(), StoreError> {
        let fate = self.faults.at(key.split('/').next().unwrap());
        if fate != Fate::Before {
            write()?;
        }
        match fate {
            Fate::Live => Ok(()),
            _ => Err(StoreError { what: key.to_owned(), why: "the process died".to_owned() }),
        }
    }
}

impl Store for MortalStore {
    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.within(key, || self.store.put(key, bytes))
    }
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key)
    }
    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        self.store.list(prefix)
    }
    fn remove(&self, key: &str) -> Result<(), StoreError> {
        self.within(key, || self.store.remove(key))
    }
}

/// ClickHouse as the process sees it.
struct MortalSink {
    sink: Arc<SimSink>,
    faults: Arc<Faults>,
}

impl Sink for MortalSink {
    fn insert(&self, insert: &Insert) -> Result<(), SinkError> {
        let fate = self.faults.at(&insert.table);
        if fate != Fate::Before {
            self.sink.insert(insert)?;
        }
        if fate == Fate::Live { Ok(()) } else { Err(SinkError::Away("the process died".to_owned())) }
    }
    fn erase(&self, erasure: &Erasure) -> Result<bool, SinkError> {
        self.sink.erase(erasure)
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
            return Err(SinkError::Away("away".to_owned()));
        }
        if let Some(known) = state.blocks.get(&insert.token) {
            assert!(known[..] == insert.rows[..], "token {} carries two contents", insert.token);
            state.repeats += 1;
        }
        state.blocks.insert(insert.token.clone(), insert.rows.to_vec());
        if std::mem::take(&mut state.lose_ack) {
            return Err(SinkError::Away("no answer".to_owned()));
        }
        Ok(())
    }
    fn erase(&self, _: &Erasure) -> Result<bool, SinkError> {
        Ok(true)
    }
}

/// What survives a crash.
struct Durable {
    clock: Arc<SimClock>,
    machine: Arc<MachineClock>,
    faults: Arc<Faults>,
    /// How the log's records get their times; if they are given, its clocks run backwards now and then.
    stamping: Stamping,
    /// What may wait for ClickHouse.
    spill_bytes_max: u64,
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
        let log = MemoryLog::new(Arc::new(move || told.now()));
        let stamping = if seed.is_multiple_of(2) { Stamping::Given } else { Stamping::Append };
        let spec = |name: &str, partitions| TopicSpec {
            name: name.to_owned(),
            partitions,
            stamping: if name == topics().events { stamping } else { Stamping::Append },
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
        let machine = Arc::new(MachineClock { real: clock.clone(), skew: AtomicI64::new(0) });
        let death = Death { left: None, dead: false, random: Random(!seed), seen: BTreeMap::new() };
        let faults = Arc::new(Faults(Mutex::new(death)));
        // Every third world fills it in its outages.
        let spill_bytes_max = if seed.is_multiple_of(3) { 10_000 } else { 1 << 30 };
        let (store, sink) = (Arc::default(), Arc::default());
        Durable { clock, machine, faults, stamping, spill_bytes_max, log, store, sink, genesis, runs }
    }

    fn mortal_log(&self) -> Arc<dyn Log> {
        Arc::new(MortalLog { log: self.log.clone(), faults: self.faults.clone() })
    }

    fn mortal_store(&self) -> Arc<dyn Store> {
        Arc::new(MortalStore { store: self.store.clone(), faults: self.faults.clone() })
    }

    fn mortal_sink(&self) -> Arc<dyn Sink> {
        Arc::new(MortalSink { sink: self.sink.clone(), faults: self.faults.clone() })
    }

    fn snapshots(&self, partition: u32, runs: &Path) -> Snapshots {
        let keep = Keep { all_for: Duration::from_secs(20), dailies_for: Duration::ZERO };
        Snapshots::new(self.mortal_store(), &self.genesis.log, partition, runs, keep)
    }

    /// A record gets its time from the log; where times are given, from one of two brokers whose clocks differ.
    fn append(&self, partition: u32, unit: &str, payload: &[u8], wobble_ms: i64) {
        let timestamp_ms = (self.stamping == Stamping::Given).then(|| self.clock.now() - wobble_ms);
        let new = NewRecord { key: Some(unit.as_bytes()), headers: &[], payload, timestamp_ms };
        self.log.append(&topics().events, Partition(partition), &[new]).unwrap();
    }

    /// Spoils the newest snapshot of a partition, if there is one.
    fn damage(&self, partition: u64) -> u64 {
        let newest = self.store.list(&format!("snapshots/{}/{partition:05}/", self.genesis.log)).unwrap().pop();
        newest.map_or(0, |(key, size)| {
            self.store.damage(&key, size as usize / 2);
            1
        })
    }

    /// Loses what the analysis kept; it starts again from the looks.
    fn forget_analysis(&self) -> u64 {
        let kept = self.store.list("analysis/").unwrap();
        kept.iter().for_each(|(key, _)| self.store.remove(key).unwrap());
        kept.len().min(1) as u64
    }

    fn start(&self) -> Process {
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        let spill = Arc::new(Spill::open(self.mortal_store(), &self.genesis.log, self.spill_bytes_max).unwrap());
        let (mut owners, mut flushers) = (Vec::new(), Vec::new());
        for partition in 0..PARTITIONS {
            let runs = self.runs.path().join(partition.to_string());
            let mut snapshots = self.snapshots(partition, &runs);
            let state = Owner::restore(&mut snapshots).unwrap();
            let settings =
                OwnerSettings { snapshot_every: Duration::from_secs(3), poll: Duration::ZERO, batch_bytes: 3_000 };
            owners.push(
                Owner::new(
                    self.mortal_log(),
                    self.machine.clone(),
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
                log: self.mortal_log(),
                topics: topics(),
                sink: self.mortal_sink(),
                spill: spill.clone(),
                snapshots,
                metrics: metrics.clone(),
                clock: self.machine.clone(),
            };
            flushers.push(Flusher::new(&self.genesis.log, partition, parts));
        }
        let newest = self.store.list("analysis/").unwrap().pop();
        let snapshot = newest.map(|(key, _)| Analysis::restore(&self.store.get(&key).unwrap().unwrap()).unwrap());
        let Topics { aggregates, results, .. } = topics();
        let service = Service::open(self.mortal_log(), &aggregates, &results, "sim", Span::DAY, snapshot).unwrap();
        let queues = (0..PARTITIONS).map(|_| VecDeque::new()).collect();
        Process { owners, flushers, queues, spill, service, metrics }
    }
}

fn append_control(log: &MemoryLog, partition: u32, record: &Encoded) {
    let headers: Vec<(&str, &[u8])> = record.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let new = NewRecord { key: None, headers: &headers, payload: &record.body, timestamp_ms: Some(START_MS) };
    log.append(&topics().events, Partition(partition), &[new]).unwrap();
}

/// What went wrong in a step; only a dead process may have it.
type Outcome = Result<(), String>;

fn words(problem: impl std::fmt::Display) -> String {
    problem.to_string()
}

impl Process {
    fn fold(&mut self, partition: usize, seen: &mut Seen) -> Outcome {
        // The real fold waits here; its memory is bounded.
        if self.queues[partition].len() >= QUEUE_ITEMS {
            seen.waits += 1;
            return Ok(());
        }
        let step = self.owners[partition].step().map_err(words)?;
        seen.ahead += u64::from(matches!(step, Step::Ahead(_)));
        let told: Vec<Item> = self.owners[partition].outbox.drain(..).collect();
        self.queues[partition].extend(told);
        Ok(())
    }

    fn flush(&mut self, partition: usize, seen: &mut Seen) -> Outcome {
        let Some(item) = self.queues[partition].front() else { return Ok(()) };
        match self.flushers[partition].take(item) {
            Ok(()) => drop(self.queues[partition].pop_front()),
            Err(FlushError::SpillFull { .. }) => seen.full += 1,
            Err(problem) => return Err(words(problem)),
        }
        Ok(())
    }

    fn drain(&self, durable: &Durable) {
        let sink = durable.mortal_sink();
        for _ in 0..4 {
            if self.spill.deliver_next(sink.as_ref(), &self.metrics, durable.machine.as_ref()) != Delivery::Delivered {
                return;
            }
        }
    }

    fn analyse(&mut self) -> Outcome {
        if self.service.step(Duration::ZERO).map_err(words)? {
            let results = self.service.analysis().results().unwrap();
            self.service.publish(&results).map_err(words)?;
        }
        Ok(())
    }

    fn keep(&self, durable: &Durable) -> Outcome {
        let Some(results) = self.service.analysis().results() else { return Ok(()) };
        let key = format!("analysis/{:020}", results.look.millis());
        durable.mortal_store().put(&key, &self.service.snapshot()).map_err(words)
    }
}

/// What one simulation saw, so that a run in which nothing happened does not count.
#[derive(Debug, Default)]
struct Seen {
    crashes: u64,
    outages: u64,
    repeated_inserts: u64,
    restores: u64,
    /// Turns in which the fold waited for its flusher.
    waits: u64,
    /// Turns in which a record was ahead of the machine's clock.
    ahead: u64,
    /// Items that found the spill full.
    full: u64,
    damaged: u64,
    forgotten: u64,
    deaths: BTreeMap<String, u64>,
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
    let away = || durable.sink.state.lock().unwrap().away;
    while durable.clock.now() < end_ms || away() {
        durable.clock.0.fetch_add(random.below(60) as i64, Ordering::SeqCst);
        while sent < world.messages.len() && world.messages[sent].at_ms <= durable.clock.now() {
            let message = &world.messages[sent];
            let partition = partitioner::partition_of(message.unit.as_bytes(), PARTITIONS);
            let wobble_ms = if random.permille(300) { random.below(4_000) as i64 } else { 0 };
            durable.append(partition, &message.unit, &message.payload, wobble_ms);
            sent += 1;
        }
        if random.permille(DEATHS) {
            durable.faults.arm(random.below(6));
        }
        let partition = random.below(u64::from(PARTITIONS)) as usize;
        let outcome = match random.below(8) {
            0..4 => process.fold(partition, &mut seen),
            4 | 5 => process.flush(partition, &mut seen),
            6 => process.analyse(),
            _ if random.permille(200) => process.keep(&durable),
            _ => {
                process.drain(&durable);
                Ok(())
            }
        };
        let dead = durable.faults.dead();
        assert!(dead || outcome.is_ok(), "{outcome:?}");
        if dead || random.permille(CRASHES) {
            drop(process);
            durable.faults.revive();
            // The machine is down for a while.
            durable.clock.0.fetch_add(random.below(3_000) as i64, Ordering::SeqCst);
            if random.permille(150) {
                seen.damaged += durable.damage(random.below(u64::from(PARTITIONS)));
            }
            if random.permille(100) {
                seen.forgotten += durable.forget_analysis();
            }
            process = durable.start();
            seen.crashes += 1;
            seen.restores += process.owners.iter().filter(|owner| owner.state().is_some()).count() as u64;
        }
        if random.permille(OUTAGES) {
            let mut sink = durable.sink.state.lock().unwrap();
            sink.away = !sink.away;
            seen.outages += u64::from(sink.away);
        }
        if random.permille(JUMPS) {
            // Mostly some seconds to either side, sometimes so far back that the log seems to be in the future.
            let skew = if random.permille(100) { -70_000 } else { random.below(20_000) as i64 - 10_000 };
            durable.machine.skew.store(skew, Ordering::SeqCst);
        }
        durable.sink.state.lock().unwrap().lose_ack |= random.permille(20);
    }
    seen.deaths = std::mem::take(&mut durable.faults.0.lock().unwrap().seen);
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
    durable.machine.skew.store(0, Ordering::SeqCst);
    durable.faults.revive();
    let mut seen = Seen::default();
    // Longer than any wait before another attempt at a delivery, and after that than any clock was wrong: a tick that a wrong clock stamped
    // is the last append that the next one counts from.
    for _ in 0..2_600 {
        durable.clock.0.fetch_add(50, Ordering::SeqCst);
        for partition in 0..PARTITIONS as usize {
            process.fold(partition, &mut seen).unwrap();
            process.flush(partition, &mut seen).unwrap();
        }
        process.drain(durable);
        process.analyse().unwrap();
    }
    // Time stands still now: what is under way is read, and nothing follows it.
    for partition in 0..PARTITIONS as usize {
        while process.owners[partition].lag().unwrap() > 0 || !process.queues[partition].is_empty() {
            process.fold(partition, &mut seen).unwrap();
            process.flush(partition, &mut seen).unwrap();
        }
    }
    process.analyse().unwrap();
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
            durable.machine.clone(),
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
            snapshots: Snapshots::new(
                store.clone(),
                "clean",
                partition,
                &runs,
                Keep { all_for: Duration::from_secs(1), dailies_for: Duration::ZERO },
            ),
            metrics: metrics.clone(),
            clock: durable.machine.clone(),
        };
        let mut flusher = Flusher::new(&durable.genesis.log, partition, parts);
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
        total.waits += seen.waits;
        total.ahead += seen.ahead;
        total.full += seen.full;
        total.damaged += seen.damaged;
        total.forgotten += seen.forgotten;
        seen.deaths.into_iter().for_each(|(write, times)| *total.deaths.entry(write).or_default() += times);
    }
    println!("{} seeds: {total:?}", seeds.len());
    if seeds.len() == 1 {
        return;
    }
    // A run in which nothing happened proves nothing.
    assert!(total.crashes > 300 && total.outages > 50 && total.restores > 300, "{total:?}");
    assert!(total.repeated_inserts > 100 && total.damaged > 10 && total.forgotten > 10, "{total:?}");
    assert!(total.waits > 100 && total.ahead > 100 && total.full > 100, "{total:?}");
    let Topics { aggregates, results, dead_letters, events } = topics();
    let store = ["snapshots", "spill", "analysis"].map(str::to_owned);
    let tables = ["experiment_events", "chunks"].map(str::to_owned);
    for write in [events, aggregates, results, dead_letters].into_iter().chain(store).chain(tables) {
        for when in ["before", "after"] {
            let times = total.deaths.get(&format!("{when} {write}")).copied().unwrap_or(0);
            assert!(times > 0, "the process never died {when} a write to {write}: {total:?}");
        }
    }
}
