//! From the log to results and rows: events a second, processor time for a million events, and how long an event takes to be a result.
//!
//! `cargo bench --package assay-benches --bench end_to_end`, on the local log and on a real Kafka; as a test it runs small, on the local log.
//! ClickHouse is the real engine in a process of its own, so that the processor time is that of the pipeline and the analysis alone.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark talks to people")]

use assay_analysis::Service;
use assay_benches::{DEFINITIONS, Stream, conversion, cpu_seconds, exposure, resident_bytes};
use assay_broker::{Log, NewRecord, Partition, Stamping, TopicSpec};
use assay_control_plane::{Publisher, install};
use assay_embedded_clickhouse::{Access, Engine, serve};
use assay_experiment::control::Genesis;
use assay_experiment::{Source, Span, Timestamp, parse, partitioner};
use assay_pipeline::{
    ClickHouse, ClickHouseSettings, DirectoryStore, Keep, Metrics, OwnerSettings, Parts, Pipeline, SystemClock, Topics,
    migrate,
};
use assay_real_parts::{Kafka, target};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;

/// Events a second while latency is measured.
const PACE: u64 = 5_000;
/// Milliseconds between two appends of the paced producer.
const STEP_MS: u64 = 20;
const PARTITIONS: u32 = 4;
const SERVER: &str = "ASSAY_BENCH_SERVE_CLICKHOUSE";

struct Sizes {
    units: u64,
    events: u64,
    seconds: u64,
}

fn main() {
    if let Some(directory) = std::env::var_os(SERVER) {
        return serve_clickhouse(Path::new(&directory));
    }
    let measures = std::env::args().any(|argument| argument == "--bench");
    let sizes = match measures {
        true => Sizes { units: 500_000, events: 3_000_000, seconds: 30 },
        false => Sizes { units: 500, events: 5_000, seconds: 3 },
    };
    let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(target()).unwrap();
    run("local log", &format!("local:{}", directory.path().join("log").display()), directory.path(), &sizes);
    if measures {
        let kafka = Kafka::start();
        let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(target()).unwrap();
        run("Apache Kafka", &format!("kafka://{}", kafka.address), directory.path(), &sizes);
    }
}

/// The engine behind its HTTP interface; tells its address and answers until it is killed.
fn serve_clickhouse(directory: &Path) {
    let engine = Engine::open(&target().join("clickhouse/libchdb.so"), directory).unwrap();
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    runtime.block_on(serve(engine, listener, Access::Anyone, std::future::pending())).unwrap();
}

struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(directory: &Path) -> Server {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(SERVER, directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Server { child, url: url.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// Appends events, spread over the partitions by their units.
fn append(log: &dyn Log, topics: &Topics, events: &[(u64, Vec<u8>)]) {
    let mut by_partition: Vec<Vec<NewRecord<'_>>> = (0..PARTITIONS).map(|_| Vec::new()).collect();
    let keys: Vec<String> = events.iter().map(|(unit, _)| format!("user-{unit}")).collect();
    for ((_, payload), key) in events.iter().zip(&keys) {
        let partition = partitioner::partition_of(key.as_bytes(), PARTITIONS);
        let record = NewRecord { key: Some(key.as_bytes()), headers: &[], payload, timestamp_ms: None };
        by_partition[partition as usize].push(record);
    }
    for (partition, records) in by_partition.iter().enumerate().filter(|(_, records)| !records.is_empty()) {
        log.append(&topics.events, Partition(partition as u32), records).unwrap();
    }
}

fn run(name: &str, address: &str, directory: &Path, sizes: &Sizes) {
    let server = Server::start(&directory.join("clickhouse"));
    let runtime = Runtime::new().unwrap();
    let log = assay_broker::open(address).unwrap();
    let topics = Topics::default();
    let spec = |name: &str, partitions, compacted: bool| TopicSpec {
        name: name.to_owned(),
        partitions,
        stamping: Stamping::Append,
        retention: (!compacted).then_some(Duration::from_secs(24 * 3_600)),
        compacted,
    };
    let specs = [
        spec(&topics.events, PARTITIONS, false),
        spec(&topics.aggregates, PARTITIONS, false),
        spec(&topics.results, 1, true),
        spec(&topics.dead_letters, 1, false),
    ];
    let control = directory.join("control");
    let genesis =
        install(log.as_ref(), &specs, &topics.events, &control, |id, seed| Genesis::new(id, PARTITIONS, seed)).unwrap();
    let definitions = parse(&[Source { name: "bench", text: DEFINITIONS }]).unwrap();
    Publisher::new(log.as_ref(), &topics.events, PARTITIONS, &control).publish(&definitions).unwrap();
    let settings = ClickHouseSettings {
        url: server.url.clone(),
        database: "assay".to_owned(),
        user: None,
        password: None,
        timeout: Duration::from_secs(60),
    };
    let clickhouse = ClickHouse::new(&settings, runtime.handle().clone());
    migrate(&clickhouse).unwrap();

    let mut stream = Stream::new(sizes.units);
    let mut number = 0;
    while number < sizes.events {
        let at = Timestamp::from_millis(now_ms());
        let batch: Vec<(u64, Vec<u8>)> = (number..sizes.events.min(number + 20_000))
            .map(|number| match number < sizes.units {
                true => (number, exposure(number, number, at)),
                false => {
                    let unit = stream.unit();
                    (unit, conversion(number, unit, at))
                }
            })
            .collect();
        append(log.as_ref(), &topics, &batch);
        number += batch.len() as u64;
    }
    let (started, cpu, memory) = (Instant::now(), cpu_seconds(), resident_bytes());
    let registry = prometheus::Registry::new();
    let pipeline = Pipeline::start(Parts {
        log: log.clone(),
        log_id: genesis.log.clone(),
        topics: topics.clone(),
        partitions: (0..PARTITIONS).collect(),
        sink: Arc::new(clickhouse.clone()),
        store: Arc::new(DirectoryStore::open(&directory.join("store")).unwrap()),
        runs: directory.join("runs"),
        clock: Arc::new(SystemClock::default()),
        metrics: Metrics::new(&registry).unwrap(),
        owner: OwnerSettings::default(),
        keep: Keep { all_for: Duration::from_secs(3_600), dailies_for: Duration::from_secs(3_600) },
        spill_bytes_max: 4 << 30,
        flush_bytes_max: 256 << 20,
    })
    .unwrap();
    let (counted, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let analysis = {
        let (log, topics, counted, stop) = (log.clone(), topics.clone(), counted.clone(), stop.clone());
        let late = Span(genesis.late_ms as i64 * 1_000);
        std::thread::spawn(move || {
            let mut service = Service::open(log, &topics.aggregates, &topics.results, "bench", late, None).unwrap();
            while !stop.load(Ordering::SeqCst) {
                if service.step(Duration::from_millis(40)).unwrap()
                    && let Some(view) = service.view()
                {
                    counted.store(view.aligned.counters.originals.iter().sum(), Ordering::SeqCst);
                }
            }
        })
    };
    let rows = || -> u64 {
        let answer = clickhouse.query("SELECT count() FROM events", "TabSeparated").unwrap();
        String::from_utf8(answer).unwrap().trim().parse().unwrap()
    };
    wait(|| counted.load(Ordering::SeqCst) >= sizes.events);
    let folded = started.elapsed();
    wait(|| rows() >= sizes.events);
    let (taken, cpu) = (started.elapsed(), cpu_seconds() - cpu);
    let millions = sizes.events as f64 / 1e6;
    println!(
        "{name}: {} events of {} units: all in results after {:.1} s ({:.0}/s), all in ClickHouse after {:.1} s ({:.0}/s)",
        sizes.events,
        sizes.units,
        folded.as_secs_f64(),
        sizes.events as f64 / folded.as_secs_f64(),
        taken.as_secs_f64(),
        sizes.events as f64 / taken.as_secs_f64()
    );
    println!(
        "{name}: {:.2} s of processor for a million events ({:.0} events a core-second); memory grew by {:.0} bytes a (unit, experiment)",
        cpu / millions,
        sizes.events as f64 / cpu,
        resident_bytes().saturating_sub(memory) as f64 / sizes.units as f64
    );
    latency(name, log.as_ref(), &topics, sizes, &mut stream, &counted);
    stop.store(true, Ordering::SeqCst);
    analysis.join().unwrap();
    pipeline.stop();
}

/// How long after an event was sent the aligned results have it, at a steady pace.
fn latency(name: &str, log: &dyn Log, topics: &Topics, sizes: &Sizes, stream: &mut Stream, counted: &AtomicU64) {
    let base = counted.load(Ordering::SeqCst);
    let sent: Mutex<Vec<(u64, Instant)>> = Mutex::new(Vec::new());
    let over = AtomicBool::new(false);
    let mut latencies: Vec<f64> = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (started, mut total) = (Instant::now(), 0);
            for turn in 0..sizes.seconds * 1_000 / STEP_MS {
                let due = started + Duration::from_millis(turn * STEP_MS);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let at = Timestamp::from_millis(now_ms());
                let born = Instant::now();
                let batch: Vec<(u64, Vec<u8>)> = (0..PACE * STEP_MS / 1_000)
                    .map(|n| {
                        let unit = stream.unit();
                        (unit, conversion(1 << 50 | (total + n), unit, at))
                    })
                    .collect();
                append(log, topics, &batch);
                total += batch.len() as u64;
                sent.lock().unwrap().push((total, born));
            }
            over.store(true, Ordering::SeqCst);
        });
        let mut done = 0;
        loop {
            std::thread::sleep(Duration::from_millis(5));
            let (seen, now) = (counted.load(Ordering::SeqCst) - base, Instant::now());
            let sent = sent.lock().unwrap();
            while done < sent.len() && sent[done].0 <= seen {
                latencies.push((now - sent[done].1).as_secs_f64());
                done += 1;
            }
            if over.load(Ordering::SeqCst) && done == sent.len() {
                break;
            }
        }
    });
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    println!(
        "{name}: event to result at {PACE} events/s: median {:.2} s, p99 {:.2} s, longest {:.2} s",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn wait(mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(300), "the benchmark does not come to an end");
        std::thread::sleep(Duration::from_millis(20));
    }
}
