//! The analysis on a thread: results to the topic, to ClickHouse, and to whoever looks; its snapshot into the store.

use crate::health::Health;
use assay_analysis::{AGGREGATE_COLUMNS, Analysis, RESULT_COLUMNS, Results, Service, ServiceError, result_rows};
use assay_broker::Log;
use assay_experiment::Span;
use assay_experiment::control::Genesis;
use assay_pipeline::{ClickHouse, DirectoryStore, Store, Topics};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long one reading of the aggregates may wait.
const POLL: Duration = Duration::from_millis(40);
/// Between records in the results topic; every look is evaluated, not every one is published.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
/// Between rows in ClickHouse.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// Between snapshots of the analysis, at most; they are small, so less than between those of a partition.
const SNAPSHOT_EVERY_MAX: Duration = Duration::from_secs(10);
/// Snapshots of the analysis that are kept.
const SNAPSHOTS_KEPT: usize = 3;
/// After a failure.
const BACKOFF: Duration = Duration::from_secs(1);

/// The running analysis.
pub struct Reporter {
    stop: Arc<AtomicBool>,
    desk: Arc<Desk>,
    threads: Vec<JoinHandle<()>>,
}

/// Rows on their way to ClickHouse: one bundle at a time, so that what changes meanwhile is written once.
#[derive(Default)]
struct Desk {
    bundle: Mutex<Option<Bundle>>,
    filled: Condvar,
}

struct Bundle {
    results: Vec<u8>,
    aggregates: Vec<u8>,
}

struct Work {
    log: Arc<dyn Log>,
    topics: Topics,
    late: Span,
    store: Arc<DirectoryStore>,
    prefix: String,
    health: Arc<Health>,
    snapshot_every: Duration,
    stop: Arc<AtomicBool>,
    desk: Arc<Desk>,
}

impl Reporter {
    /// Starts the threads.
    pub fn start(
        log: Arc<dyn Log>,
        topics: &Topics,
        genesis: &Genesis,
        store: Arc<DirectoryStore>,
        clickhouse: ClickHouse,
        health: Arc<Health>,
        snapshot_every: Duration,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let desk = Arc::new(Desk::default());
        let work = Work {
            log,
            topics: topics.clone(),
            late: Span(genesis.late_ms as i64 * 1_000),
            store,
            prefix: format!("analysis/{}/", genesis.log),
            health,
            snapshot_every: snapshot_every.min(SNAPSHOT_EVERY_MAX),
            stop: stop.clone(),
            desk: desk.clone(),
        };
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(run).expect("the system has two more threads")
        };
        let (writer_stop, writer_desk) = (stop.clone(), desk.clone());
        let threads = vec![
            spawn("analysis", Box::new(move || work.run())),
            spawn("results", Box::new(move || write(&writer_desk, &clickhouse, &writer_stop))),
        ];
        Reporter { stop, desk, threads }
    }

    /// Stops after a last snapshot.
    pub fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.desk.filled.notify_all();
        for thread in self.threads {
            // A thread that panicked has told so already.
            let _ = thread.join();
        }
    }
}

impl Work {
    fn run(&self) {
        while !self.stop.load(Ordering::SeqCst) {
            if let Err(problem) = self.turn() {
                tracing::error!(%problem, "the analysis starts again from its snapshot");
                self.health.analysis_failed(problem.to_string());
                std::thread::sleep(BACKOFF);
            }
        }
    }

    fn turn(&self) -> Result<(), ServiceError> {
        let Topics { aggregates, results, .. } = &self.topics;
        let mut service =
            Service::open(self.log.clone(), aggregates, results, crate::build(), self.late, self.restore())?;
        let (mut published, mut written, mut kept) =
            (Instant::now() - PUBLISH_EVERY, Instant::now() - WRITE_EVERY, Instant::now());
        let (mut unpublished, mut unkept) = (service.analysis().results().is_some(), false);
        loop {
            let stopping = self.stop.load(Ordering::SeqCst);
            if service.step(POLL)? || unpublished {
                (unpublished, unkept) = (true, true);
                if let Some(view) = service.view() {
                    self.health.show(view, service.frozen());
                }
            }
            if unpublished
                && (published.elapsed() >= PUBLISH_EVERY || stopping)
                && let Some(newest) = service.analysis().results()
            {
                service.publish(&newest)?;
                (published, unpublished) = (Instant::now(), false);
                if written.elapsed() >= WRITE_EVERY || stopping {
                    self.hand_over(&mut service, &newest);
                    written = Instant::now();
                }
            }
            if unkept && (kept.elapsed() >= self.snapshot_every || stopping) {
                self.keep(&service);
                (kept, unkept) = (Instant::now(), false);
            }
            if stopping {
                return Ok(());
            }
        }
    }

    fn restore(&self) -> Option<(Analysis, Vec<u64>)> {
        let keys = self.store.list(&self.prefix).unwrap_or_default();
        keys.iter().rev().find_map(|(key, _)| {
            let bytes = self.store.get(key).ok()??;
            match Analysis::restore(&bytes) {
                Ok(state) => Some(state),
                Err(problem) => {
                    tracing::error!(key, %problem, "passed over");
                    None
                }
            }
        })
    }

    fn keep(&self, service: &Service) {
        let Some(results) = service.analysis().results() else { return };
        let key = format!("{}{:020}", self.prefix, results.look.millis().max(0));
        let kept = self.store.put(&key, &service.snapshot()).and_then(|()| {
            let keys = self.store.list(&self.prefix)?;
            let old = keys.len().saturating_sub(SNAPSHOTS_KEPT);
            keys.iter().take(old).try_for_each(|(key, _)| self.store.remove(key))
        });
        if let Err(problem) = kept {
            // Without it a restart reads more aggregates and comes to the same results.
            tracing::error!(%problem, "could not keep the analysis");
        }
    }

    /// Rows for ClickHouse, unless it still has the last ones.
    fn hand_over(&self, service: &mut Service, newest: &Results) {
        let mut bundle = self.desk.bundle.lock().expect("no code panics while it holds this lock");
        if bundle.is_none() {
            *bundle = Some(Bundle { results: result_rows(newest), aggregates: service.changed_aggregates() });
            self.desk.filled.notify_all();
        }
    }
}

fn write(desk: &Desk, clickhouse: &ClickHouse, stop: &AtomicBool) {
    let mut failing = false;
    loop {
        let mut held = desk.bundle.lock().expect("no code panics while it holds this lock");
        while held.is_none() {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            (held, _) = desk.filled.wait_timeout(held, POLL * 5).expect("no code panics while it holds this lock");
        }
        let Some(bundle) = held.as_ref() else { continue };
        let (results, aggregates) = (bundle.results.clone(), bundle.aggregates.clone());
        drop(held);
        let put = |table: &str, columns: &str, rows: Vec<u8>| match rows.is_empty() {
            true => Ok(()),
            false => clickhouse.insert_json(table, columns, rows),
        };
        let outcome = put("variant_aggregates", AGGREGATE_COLUMNS, aggregates)
            .and_then(|()| put("experiment_results", RESULT_COLUMNS, results));
        match outcome {
            Ok(()) => {
                failing = false;
                *desk.bundle.lock().expect("no code panics while it holds this lock") = None;
            }
            Err(problem) => {
                if !failing {
                    tracing::warn!(%problem, "results are not in ClickHouse yet; trying again");
                }
                failing = true;
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                std::thread::sleep(BACKOFF);
            }
        }
    }
}
