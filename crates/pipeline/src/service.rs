//! The pipeline on threads: for every partition one that folds and one that flushes, and one that brings back what was spilled.

use crate::clock::Clock;
use crate::flush::{FlushError, Flusher, FlusherParts, Item, Topics};
use crate::metrics::Metrics;
use crate::owner::{Owner, OwnerError, OwnerSettings, Step};
use crate::runs::FileRuns;
use crate::sink::Sink;
use crate::snapshots::{SnapshotError, Snapshots};
use crate::spill::Spill;
use crate::store::{Store, StoreError};
use assay_aggregates::{RunsError, SEMANTICS};
use assay_broker::Log;
use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the pipeline is made of.
#[derive(Clone)]
pub struct Parts {
    /// The log.
    pub log: Arc<dyn Log>,
    /// Identity of the log, from its genesis record.
    pub log_id: String,
    /// Names of the topics.
    pub topics: Topics,
    /// Partitions to own.
    pub partitions: Vec<u32>,
    /// Where rows go.
    pub sink: Arc<dyn Sink>,
    /// Where snapshots and spilled chunks go.
    pub store: Arc<dyn Store>,
    /// Where runs of remembered ids are kept.
    pub runs: PathBuf,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Measures.
    pub metrics: Metrics,
    /// Settings of the owners.
    pub owner: OwnerSettings,
    /// Snapshots older than this are removed when newer ones are whole.
    pub keep_snapshots: Duration,
    /// How many bytes may wait for ClickHouse.
    pub spill_bytes_max: u64,
}

/// What a partition does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// Restores and catches up.
    Starting,
    /// Keeps up with the log.
    Live,
    /// Waits, and goes on by itself.
    Paused(String),
    /// Stopped until somebody does what the message says.
    Halted(String),
}

/// How a partition is.
#[derive(Debug, Clone)]
pub struct PartitionStatus {
    /// Which.
    pub partition: u32,
    /// What it does.
    pub doing: Doing,
    /// Next offset to be applied.
    pub next_offset: u64,
    /// Records not applied yet.
    pub lag: u64,
    /// Log time, milliseconds since the epoch.
    pub log_time_ms: i64,
    /// Version of the definitions in force.
    pub config_version: u64,
    /// Last progress, milliseconds since the epoch.
    pub alive_ms: i64,
}

/// A running pipeline. Dropping it without [`Pipeline::stop`] leaves its threads running.
pub struct Pipeline {
    stop: Arc<AtomicBool>,
    status: Arc<Vec<Mutex<PartitionStatus>>>,
    spill: Arc<Spill>,
    threads: Vec<JoinHandle<()>>,
}

/// Items between a fold and its flusher. With chunks of seconds this bridges an insert that takes its whole time.
const QUEUE_ITEMS: usize = 8;
/// How often threads look whether they should stop.
const TURN: Duration = Duration::from_millis(100);
/// Between attempts to do what failed.
const BACKOFF: Duration = Duration::from_secs(1);
/// Between measures.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

impl Pipeline {
    /// Starts the threads.
    pub fn start(parts: Parts) -> Result<Pipeline, StoreError> {
        let stop = Arc::new(AtomicBool::new(false));
        let spill = Arc::new(Spill::open(parts.store.clone(), &parts.log_id, parts.spill_bytes_max)?);
        let fresh = |&partition: &u32| {
            Mutex::new(PartitionStatus {
                partition,
                doing: Doing::Starting,
                next_offset: 0,
                lag: 0,
                log_time_ms: 0,
                config_version: 0,
                alive_ms: parts.clock.wall_ms(),
            })
        };
        let status: Arc<Vec<_>> = Arc::new(parts.partitions.iter().map(fresh).collect());
        let mut threads = Vec::new();
        for (at, &partition) in parts.partitions.iter().enumerate() {
            let worker = Worker {
                parts: parts.clone(),
                partition,
                at,
                stop: stop.clone(),
                status: status.clone(),
                spill: spill.clone(),
            };
            threads.push(spawn(format!("fold-{partition}"), move || worker.run()));
        }
        let (drain, drain_stop, parts) = (spill.clone(), stop.clone(), parts);
        threads.push(spawn("drain".to_owned(), move || run_drain(&drain, &parts, &drain_stop)));
        Ok(Pipeline { stop, status, spill, threads })
    }

    /// How every partition is.
    pub fn status(&self) -> Vec<PartitionStatus> {
        self.status
            .iter()
            .map(|status| status.lock().expect("no code panics while it holds this lock").clone())
            .collect()
    }

    /// How many chunks and bytes wait for ClickHouse, and why.
    pub fn spilled(&self) -> (usize, u64, String) {
        self.spill.waiting()
    }

    /// Stops all threads between two records and waits for them. What was not flushed is read again from the log.
    pub fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            // A thread that panicked has told so already.
            let _ = thread.join();
        }
    }
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new().name(name).spawn(run).expect("the system has threads for every partition")
}

fn run_drain(spill: &Spill, parts: &Parts, stop: &AtomicBool) {
    let mut wait = TURN;
    while !stop.load(Ordering::SeqCst) {
        let (chunks, bytes, _) = spill.waiting();
        parts.metrics.spilled_chunks.set(chunks as i64);
        parts.metrics.spilled_bytes.set(bytes as i64);
        wait = match spill.drain(parts.sink.as_ref(), &parts.metrics, parts.clock.as_ref()) {
            Ok(true) => Duration::ZERO,
            Ok(false) if chunks == 0 => TURN,
            // Doubling up to half a minute, so that a server that comes up is not met by a storm.
            Ok(false) => (wait * 2).clamp(BACKOFF, 30 * BACKOFF),
            Err(problem) => {
                tracing::error!(%problem, "cannot bring back what waits for ClickHouse");
                30 * BACKOFF
            }
        };
        nap(wait, stop);
    }
}

fn nap(time: Duration, stop: &AtomicBool) {
    let mut left = time;
    while !left.is_zero() && !stop.load(Ordering::SeqCst) {
        let part = left.min(TURN);
        std::thread::sleep(part);
        left -= part;
    }
}

struct Worker {
    parts: Parts,
    partition: u32,
    at: usize,
    stop: Arc<AtomicBool>,
    status: Arc<Vec<Mutex<PartitionStatus>>>,
    spill: Arc<Spill>,
}

/// Why a partition's turn ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Owner(#[from] OwnerError),
    #[error(transparent)]
    Runs(#[from] RunsError),
    #[error("its flusher ended: {0}")]
    Flusher(String),
}

impl Ended {
    fn is_passing(&self) -> bool {
        match self {
            Ended::Owner(problem) => problem.is_passing(),
            Ended::Runs(_) => false,
            Ended::Flusher(_) => true,
        }
    }
}

impl Worker {
    /// Starts again from the newest snapshot after whatever may pass; stops for good after the rest.
    fn run(&self) {
        while !self.stopping() {
            self.tell(|status| status.doing = Doing::Starting);
            let outcome = catch_unwind(AssertUnwindSafe(|| self.turn()));
            let (message, passing) = match outcome {
                Ok(Ok(())) => return,
                Ok(Err(problem)) => (problem.to_string(), problem.is_passing()),
                // A bug halts its partition, not the process.
                Err(panic) => (format!("a bug stopped this partition: {}", panic_text(panic.as_ref())), false),
            };
            if !passing {
                tracing::error!(partition = self.partition, message, "the partition has halted");
                self.parts.metrics.paused.with_label_values(&[&self.partition.to_string(), "halted"]).set(1);
                self.tell(|status| status.doing = Doing::Halted(message.clone()));
                return;
            }
            tracing::warn!(partition = self.partition, message, "the partition starts again from its snapshot");
            self.tell(|status| status.doing = Doing::Paused(message.clone()));
            nap(BACKOFF, &self.stop);
        }
    }

    fn turn(&self) -> Result<(), Ended> {
        let parts = &self.parts;
        let runs = parts.runs.join(&parts.log_id).join(format!("{:05}", self.partition));
        let snapshots =
            || Snapshots::new(parts.store.clone(), &parts.log_id, self.partition, &runs, parts.keep_snapshots);
        let started = parts.clock.monotonic();
        let mut known = snapshots();
        let state = Owner::restore(&mut known)?;
        let taken = parts.clock.monotonic().saturating_sub(started);
        parts.metrics.restore_seconds.with_label_values(&[&self.partition.to_string()]).set(taken.as_secs_f64());
        let mut owner = Owner::new(
            parts.log.clone(),
            parts.clock.clone(),
            parts.metrics.clone(),
            parts.topics.clone(),
            parts.owner.clone(),
            self.partition,
            state,
            Box::new(FileRuns::open(&runs)?),
        )?;
        let flusher = Flusher::new(
            &parts.log_id,
            SEMANTICS,
            self.partition,
            FlusherParts {
                log: parts.log.clone(),
                topics: parts.topics.clone(),
                sink: parts.sink.clone(),
                spill: self.spill.clone(),
                snapshots: known,
                metrics: parts.metrics.clone(),
                clock: parts.clock.clone(),
            },
        );
        let (sender, receiver) = bounded(QUEUE_ITEMS);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let flushing = std::thread::Builder::new()
                .name(format!("flush-{}", self.partition))
                .spawn_scoped(scope, || self.flush(flusher, receiver, &over))
                .expect("the system has threads for every partition");
            let outcome = self.fold(&mut owner, &sender);
            over.store(true, Ordering::SeqCst);
            drop(sender);
            match flushing.join() {
                Ok(()) => outcome,
                Err(panic) => Err(Ended::Flusher(panic_text(panic.as_ref()))),
            }
        })
    }

    fn fold(&self, owner: &mut Owner, sender: &Sender<Item>) -> Result<(), Ended> {
        let clock = &self.parts.clock;
        let mut measured = Duration::ZERO;
        while !self.stopping() {
            let step = owner.step()?;
            while let Some(item) = owner.outbox.pop_front() {
                if !self.hand_over(item, sender)? {
                    return Ok(());
                }
            }
            if let Step::Ahead(lead) = step {
                let message = format!(
                    "a record is {} s ahead of this machine's clock; check the clocks of broker and machine",
                    lead / 1_000
                );
                tracing::warn!(partition = self.partition, message);
                self.tell(|status| status.doing = Doing::Paused(message.clone()));
                nap(BACKOFF, &self.stop);
                continue;
            }
            let now = clock.monotonic();
            if now.saturating_sub(measured) >= MEASURE_EVERY || step == Step::Idle {
                self.report(owner)?;
                if now.saturating_sub(measured) >= MEASURE_EVERY {
                    owner.measure()?;
                    measured = now;
                }
            }
        }
        Ok(())
    }

    /// Waits while the flusher is behind; `false` when the pipeline stops.
    fn hand_over(&self, item: Item, sender: &Sender<Item>) -> Result<bool, Ended> {
        let mut item = item;
        while !self.stopping() {
            match sender.send_timeout(item, TURN) {
                Ok(()) => return Ok(true),
                Err(SendTimeoutError::Timeout(back)) => {
                    item = back;
                    // Waiting for the flusher is no death.
                    let now = self.parts.clock.wall_ms();
                    self.tell(|status| status.alive_ms = now);
                }
                Err(SendTimeoutError::Disconnected(_)) => return Err(Ended::Flusher("it is gone".to_owned())),
            }
        }
        Ok(false)
    }

    fn report(&self, owner: &mut Owner) -> Result<(), Ended> {
        let lag = owner.lag()?;
        let Some(state) = owner.state() else { return Ok(()) };
        let (next_offset, log_time_ms, config_version) =
            (state.next_offset(), state.log_time().millis(), state.config_version());
        let alive_ms = self.parts.clock.wall_ms();
        self.tell(|status| {
            // Catching up is over when everything was read once.
            if lag == 0 || status.doing != Doing::Starting {
                status.doing = Doing::Live;
            }
            (status.next_offset, status.lag, status.log_time_ms) = (next_offset, lag, log_time_ms);
            (status.config_version, status.alive_ms) = (config_version, alive_ms);
        });
        Ok(())
    }

    fn flush(&self, mut flusher: Flusher, items: Receiver<Item>, over: &AtomicBool) {
        let partition = self.partition.to_string();
        while let Ok(item) = items.recv() {
            let mut failures = 0;
            while let Err(problem) = flusher.take(&item) {
                failures += 1;
                let reason = if matches!(problem, FlushError::SpillFull { .. }) { "spill_full" } else { "flush" };
                self.parts.metrics.paused.with_label_values(&[&partition, reason]).set(1);
                if failures == 1 {
                    tracing::error!(partition = self.partition, %problem, "cannot flush; trying again");
                }
                nap(BACKOFF, &self.stop);
                if self.stopping() || over.load(Ordering::SeqCst) {
                    return;
                }
            }
            if failures > 0 {
                tracing::info!(partition = self.partition, "flushing goes on");
                for reason in ["spill_full", "flush"] {
                    self.parts.metrics.paused.with_label_values(&[&partition, reason]).set(0);
                }
            }
            // What is left is read again from the log.
            if self.stopping() || over.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn tell(&self, change: impl FnOnce(&mut PartitionStatus)) {
        change(&mut self.status[self.at].lock().expect("no code panics while it holds this lock"));
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("unknown").to_owned()
}

impl From<SnapshotError> for Ended {
    fn from(problem: SnapshotError) -> Self {
        Ended::Owner(problem.into())
    }
}
