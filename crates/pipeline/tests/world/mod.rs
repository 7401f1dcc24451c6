//! The ClickHouse engine behind its HTTP interface, and a pipeline on one thread that writes into it.

#![allow(dead_code, reason = "every test file uses a part of it")]

use assay_broker::{Log, MemoryLog, NewRecord, Partition, Stamping, TopicSpec};
use assay_embedded_clickhouse::{Access, Engine, serve};
use assay_experiment::control::{self, Encoded, Genesis};
use assay_experiment::{Source, canonical, parse, partitioner};
use assay_pipeline::{
    ClickHouse, ClickHouseSettings, Clock, Delivery, DirectoryStore, FileRuns, Flusher, FlusherParts, Keep, Metrics,
    Migrated, Owner, OwnerSettings, Sink, Snapshots, Spill, Topics,
};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// One engine for all tests of a process; each has its own database.
pub struct Server {
    pub url: String,
    pub engine: Engine,
    pub runtime: Runtime,
    _directory: tempfile::TempDir,
}

impl Server {
    pub fn shared() -> &'static Server {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            let target = assay_real_parts::target();
            let directory = tempfile::Builder::new().prefix("clickhouse-").tempdir_in(&target).unwrap();
            let engine = Engine::open(&target.join("clickhouse/libchdb.so"), directory.path()).unwrap();
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let mut server = Server { url: String::new(), engine, runtime, _directory: directory };
            server.url = format!("http://{}", server.open("127.0.0.1:0"));
            server
        })
    }

    /// Opens one more door to the same engine.
    pub fn open(&self, address: &str) -> std::net::SocketAddr {
        let listener = self.runtime.block_on(tokio::net::TcpListener::bind(address)).unwrap();
        let bound = listener.local_addr().unwrap();
        let engine = self.engine.clone();
        self.runtime.spawn(async move { serve(engine, listener, Access::Anyone, std::future::pending()).await });
        bound
    }

    pub fn clickhouse(&self, url: &str, database: &str) -> ClickHouse {
        let settings = ClickHouseSettings {
            url: url.to_owned(),
            database: database.to_owned(),
            user: None,
            password: None,
            timeout: Duration::from_secs(60),
        };
        ClickHouse::new(&settings, self.runtime.handle().clone())
    }

    /// A query's answer, line by line.
    pub fn query(&self, database: &str, sql: &str) -> Vec<String> {
        let answer = self.engine.query(Some(database), sql, "TabSeparated");
        let answer = answer.unwrap_or_else(|problem| panic!("{sql}: {problem}"));
        String::from_utf8(answer).unwrap().lines().map(str::to_owned).collect()
    }
}

/// A clock that the test moves; the log's too.
pub struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn wall_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.wall_ms() as u64)
    }
}

pub const PARTITIONS: u32 = 2;
/// 2026-05-01 00:00:00 UTC.
pub const DAY_MS: i64 = 1_777_593_600_000;

/// A log and what it takes to bring its rows into a database of its own.
pub struct World {
    pub database: String,
    pub clickhouse: ClickHouse,
    pub spill: Arc<Spill>,
    pub log: MemoryLog,
    pub sink: Arc<dyn Sink>,
    clock: Arc<TestClock>,
    metrics: Metrics,
    owners: Vec<Owner>,
    flushers: Vec<Flusher>,
    version: u64,
    _directory: tempfile::TempDir,
}

impl World {
    pub fn new(database: &str) -> World {
        let clickhouse = Server::shared().clickhouse(&Server::shared().url, database);
        let tables = Migrated::new(clickhouse);
        tables.prepare().unwrap();
        World::with(database, Arc::new(tables))
    }

    /// With a way to ClickHouse of the test's own.
    pub fn with(database: &str, sink: Arc<dyn Sink>) -> World {
        let server = Server::shared();
        let clock = Arc::new(TestClock(AtomicI64::new(DAY_MS)));
        let told = clock.clone();
        let log = MemoryLog::new(Arc::new(move || told.wall_ms()));
        let Topics { events, aggregates, dead_letters, .. } = Topics::default();
        for (name, partitions) in [(&events, PARTITIONS), (&aggregates, PARTITIONS), (&dead_letters, 1)] {
            let spec = TopicSpec {
                name: name.clone(),
                partitions,
                stamping: Stamping::Append,
                retention: None,
                compacted: false,
            };
            log.create_topic(&spec).unwrap();
        }
        let genesis = Genesis::new(format!("log-{database}"), PARTITIONS, 7);
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(DirectoryStore::open(&directory.path().join("store")).unwrap());
        let spill = Arc::new(Spill::open(store.clone(), &genesis.log, 1 << 30).unwrap());
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        let mut world = World {
            database: database.to_owned(),
            clickhouse: server.clickhouse(&server.url, database),
            spill: spill.clone(),
            log: log.clone(),
            sink: sink.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            owners: Vec::new(),
            flushers: Vec::new(),
            version: 0,
            _directory: directory,
        };
        world.append_everywhere(&control::genesis(&genesis));
        for partition in 0..PARTITIONS {
            let runs = world._directory.path().join(format!("runs-{partition}"));
            let settings = OwnerSettings { poll: Duration::ZERO, ..OwnerSettings::default() };
            world.owners.push(
                Owner::new(
                    Arc::new(log.clone()),
                    clock.clone(),
                    metrics.clone(),
                    Topics::default(),
                    settings,
                    partition,
                    None,
                    Box::new(FileRuns::open(&runs).unwrap()),
                )
                .unwrap(),
            );
            let day = Duration::from_secs(24 * 3_600);
            let keep = Keep { all_for: day, dailies_for: day };
            let parts = FlusherParts {
                log: Arc::new(log.clone()),
                topics: Topics::default(),
                sink: sink.clone(),
                spill: spill.clone(),
                snapshots: Snapshots::new(store.clone(), &genesis.log, partition, &runs, keep),
                metrics: metrics.clone(),
                clock: clock.clone(),
            };
            world.flushers.push(Flusher::new(&genesis.log, partition, parts));
        }
        world
    }

    fn append_everywhere(&self, record: &Encoded) {
        let headers: Vec<(&str, &[u8])> =
            record.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let new = NewRecord { key: None, headers: &headers, payload: &record.body, timestamp_ms: None };
        for partition in 0..PARTITIONS {
            self.log.append(&Topics::default().events, Partition(partition), &[new]).unwrap();
        }
    }

    /// Moves the clock to so many milliseconds after the first midnight.
    pub fn at(&self, ms: i64) {
        self.clock.0.store(DAY_MS + ms, Ordering::SeqCst);
    }

    /// Puts definitions in force.
    pub fn publish(&mut self, yaml: &str) {
        self.version += 1;
        let source = Source { name: "test", text: yaml };
        let bodies = canonical::parts(&parse(&[source]).unwrap_or_else(|problems| panic!("{problems:?}")));
        control::version(self.version, &bodies).iter().for_each(|record| self.append_everywhere(record));
    }

    /// Appends a record with this key where the key belongs.
    pub fn send(&self, unit: &str, payload: &[u8]) {
        self.send_to(partitioner::partition_of(unit.as_bytes(), PARTITIONS), Some(unit), payload);
    }

    pub fn send_to(&self, partition: u32, key: Option<&str>, payload: &[u8]) {
        let key = key.map(str::as_bytes);
        let new = NewRecord { key, headers: &[], payload, timestamp_ms: None };
        self.log.append(&Topics::default().events, Partition(partition), &[new]).unwrap();
    }

    /// Reads everything that is in the log.
    pub fn fold(&mut self) {
        for (owner, flusher) in self.owners.iter_mut().zip(&mut self.flushers) {
            while owner.lag().unwrap() > 0 {
                owner.step().unwrap();
                owner.outbox.drain(..).for_each(|item| flusher.take(&item).unwrap());
            }
        }
    }

    /// Closes what is open.
    pub fn close(&mut self) {
        self.clock.0.fetch_add(10_000, Ordering::SeqCst);
        self.append_everywhere(&control::tick());
        self.fold();
    }

    /// Closes what is open and brings everything into ClickHouse.
    pub fn settle(&mut self) {
        self.close();
        self.drain();
    }

    /// Delivers what waits, until nothing does.
    pub fn drain(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            self.clock.0.fetch_add(1_000, Ordering::SeqCst);
            while self.spill.deliver_next(self.sink.as_ref(), &self.metrics, self.clock.as_ref()) != Delivery::Idle {}
            let (chunks, _, why) = self.spill.waiting();
            if chunks + self.spill.erasures() == 0 {
                return;
            }
            assert!(Instant::now() < until, "{chunks} chunks and {} erasures wait: {why}", self.spill.erasures());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn query(&self, sql: &str) -> Vec<String> {
        Server::shared().query(&self.database, sql)
    }
}

/// The id of a numbered event.
pub fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// A time of the first day, `HH:MM:SS`, or with its date.
pub fn time(text: &str) -> String {
    if text.contains('T') { text.to_owned() } else { format!("2026-05-01T{text}Z") }
}

/// Milliseconds after midnight of a time of the first day.
pub fn ms(text: &str) -> i64 {
    text.split(':').fold(0, |seconds, part| seconds * 60 + part.parse::<i64>().unwrap()) * 1_000
}
