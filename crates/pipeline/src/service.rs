//! The pipeline on threads: for every partition one that folds and one that flushes, and a few that bring back what was spilled.

use crate::budget::{Budget, Share};
use crate::clock::Clock;
use crate::flush::{FlushError, Flusher, FlusherParts, Item, Topics};
use crate::metrics::Metrics;
use crate::owner::{Owner, OwnerError, OwnerSettings, Step};
use crate::runs::FileRuns;
use crate::sink::Sink;
use crate::snapshots::{Keep, SnapshotError, Snapshots};
use crate::spill::{Delivery, Spill};
use crate::store::{Store, StoreError, advice};
use assay_aggregates::RunsError;
use assay_broker::{Error as LogError, Log, Partition};
use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
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
    /// Which snapshots stay.
    pub keep: Keep,
    /// How many bytes may wait for ClickHouse, in the store.
    pub spill_bytes_max: u64,
    /// How many bytes of rows and snapshots may wait in memory to be flushed, over all partitions; beside it, each partition may have one
    /// item more, of which the largest is its snapshot.
    pub flush_bytes_max: u64,
}

/// What a partition does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// Restores its state.
    Starting,
    /// Reads what it missed.
    CatchingUp,
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
    /// When there was last nothing to do, progress, or a known reason to wait, in milliseconds since the epoch. Records that are there and
    /// are not applied do not count, so that a partition that hangs is seen.
    pub alive_ms: i64,
}

/// What the two threads of a partition say of it.
struct Told {
    /// By the fold.
    status: PartitionStatus,
    /// By the flusher: why it does not go on.
    flush: Option<String>,
}

/// A running pipeline. Dropping it without [`Pipeline::stop`] leaves its threads running.
pub struct Pipeline {
    stop: Arc<AtomicBool>,
    told: Arc<Vec<Mutex<Told>>>,
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
/// Threads that bring back what was spilled: one partition's chunk takes as long as ClickHouse needs, and others need not wait for it.
const DRAINERS: usize = 4;
/// A live partition whose log time is this far behind while records wait has lost touch.
const LIVE_MS_MAX: i64 = 60_000;
/// One that catches up is live again this close to the end of the log; on a busy topic the last record is never read.
const LIVE_AGAIN_MS: i64 = 5_000;
/// If records are there but none come for this long, the log is asked whether it is there at all.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// And after this long, if it is there, the partition starts again: its reader may be stuck.
const STUCK_AFTER: Duration = Duration::from_secs(40);
/// A flusher that did not even fail for this long hangs.
const FLUSH_SILENCE_MAX_MS: i64 = 5 * 60_000;
/// Reasons of `assay_paused_partitions`.
const REASONS: [&str; 5] = ["ahead", "flush", "log", "restart", "spill_full"];

impl Pipeline {
    /// Starts the threads.
    pub fn start(parts: Parts) -> Result<Pipeline, StoreError> {
        let stop = Arc::new(AtomicBool::new(false));
        let spill = Arc::new(Spill::open(parts.store.clone(), &parts.log_id, parts.spill_bytes_max)?);
        let budget = Budget::new(parts.flush_bytes_max);
        let fresh = |&partition: &u32| {
            let status = PartitionStatus {
                partition,
                doing: Doing::Starting,
                next_offset: 0,
                lag: 0,
                log_time_ms: 0,
                config_version: 0,
                alive_ms: parts.clock.wall_ms(),
            };
            Mutex::new(Told { status, flush: None })
        };
        let told: Arc<Vec<_>> = Arc::new(parts.partitions.iter().map(fresh).collect());
        let mut threads = Vec::new();
        for (at, &partition) in parts.partitions.iter().enumerate() {
            let worker = Worker {
                parts: parts.clone(),
                partition,
                label: partition.to_string(),
                at,
                stop: stop.clone(),
                told: told.clone(),
                spill: spill.clone(),
                budget: budget.clone(),
            };
            threads.push(spawn(format!("fold-{partition}"), move || worker.run()));
        }
        for number in 0..DRAINERS.min(parts.partitions.len().max(1)) {
            let (spill, stop, parts) = (spill.clone(), stop.clone(), parts.clone());
            threads.push(spawn(format!("drain-{number}"), move || run_drain(&spill, &parts, &stop)));
        }
        Ok(Pipeline { stop, told, spill, threads })
    }

    /// How every partition is.
    pub fn status(&self) -> Vec<PartitionStatus> {
        self.told.iter().map(|told| told.lock().expect("no code panics while it holds this lock").shown()).collect()
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

impl Told {
    /// A partition whose flusher does not go on is paused, although its fold still has room.
    fn shown(&self) -> PartitionStatus {
        let mut status = self.status.clone();
        if let (Some(why), Doing::Live | Doing::CatchingUp) = (&self.flush, &status.doing) {
            status.doing = Doing::Paused(why.clone());
        }
        status
    }
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new().name(name).spawn(run).expect("the system has threads for every partition")
}

fn run_drain(spill: &Spill, parts: &Parts, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        let delivery = spill.deliver_next(parts.sink.as_ref(), &parts.metrics, parts.clock.as_ref());
        measure(spill, &parts.metrics);
        if delivery == Delivery::Idle {
            nap(TURN, stop);
        }
    }
}

fn measure(spill: &Spill, metrics: &Metrics) {
    let (chunks, bytes, _) = spill.waiting();
    metrics.spilled_chunks.set(chunks as i64);
    metrics.spilled_bytes.set(bytes as i64);
    metrics.erasures.set(spill.erasures() as i64);
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
    /// The partition as a label of metrics.
    label: String,
    at: usize,
    stop: Arc<AtomicBool>,
    told: Arc<Vec<Mutex<Told>>>,
    spill: Arc<Spill>,
    budget: Arc<Budget>,
}

/// Between a fold and its flusher, for one turn.
struct Flow {
    /// Set by the fold when it ended; the flusher then stops trying.
    over: AtomicBool,
    /// When the flusher last finished an attempt, well or not, in milliseconds since the epoch.
    beat_ms: AtomicI64,
}

/// An item and the memory it counts for.
type Sent = (Item, Share);

/// Why a partition's turn ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Owner(#[from] OwnerError),
    #[error(transparent)]
    Runs(#[from] RunsError),
    #[error("a bug stopped its flusher: {0}")]
    Flusher(String),
    #[error("records are in the log but did not come for {} s; reading it anew", STUCK_AFTER.as_secs())]
    Stuck,
}

impl Ended {
    fn is_passing(&self) -> bool {
        match self {
            Ended::Owner(problem) => problem.is_passing(),
            Ended::Runs(_) | Ended::Stuck => true,
            Ended::Flusher(_) => false,
        }
    }

    /// In words, with what to do about a disk.
    fn told(&self) -> String {
        match self {
            Ended::Owner(OwnerError::Log(problem)) => told(problem),
            other => other.to_string(),
        }
    }
}

fn told(problem: &LogError) -> String {
    match problem {
        LogError::Io { source, .. } => format!("{problem}{}", advice(source)),
        other => other.to_string(),
    }
}

/// When a partition last did something.
struct Watch {
    offset: u64,
    at: Duration,
}

impl Worker {
    /// Starts again from the newest snapshot after whatever may pass; stops for good after the rest.
    fn run(&self) {
        while !self.stopping() {
            self.tell(|told| (told.status.doing, told.flush) = (Doing::Starting, None));
            REASONS.iter().for_each(|reason| self.paused(reason, false));
            let outcome = catch_unwind(AssertUnwindSafe(|| self.turn()));
            let (message, passing) = match outcome {
                Ok(Ok(())) => return,
                Ok(Err(problem)) => (problem.told(), problem.is_passing()),
                // A bug halts its partition, not the process.
                Err(panic) => (format!("a bug stopped this partition: {}", panic_text(panic.as_ref())), false),
            };
            if !passing {
                tracing::error!(partition = self.partition, message, "the partition has halted");
                self.paused("halted", true);
                self.tell(|told| told.status.doing = Doing::Halted(message));
                return;
            }
            tracing::warn!(partition = self.partition, message, "the partition starts again from its snapshot");
            self.paused("restart", true);
            self.pause(message);
            nap(BACKOFF, &self.stop);
        }
    }

    fn turn(&self) -> Result<(), Ended> {
        let parts = &self.parts;
        // Asked first, because restoring a large state for a log that is away would be for nothing.
        parts.log.bounds(&parts.topics.events, Partition(self.partition)).map_err(OwnerError::from)?;
        let runs = parts.runs.join(&parts.log_id).join(format!("{:05}", self.partition));
        let mut snapshots = Snapshots::new(parts.store.clone(), &parts.log_id, self.partition, &runs, parts.keep);
        let started = parts.clock.monotonic();
        let restored = Owner::restore(&mut snapshots);
        parts.metrics.damaged_snapshots.with_label_values(&[&self.label]).inc_by(snapshots.passed_over() as u64);
        let state = restored?;
        let taken = parts.clock.monotonic().saturating_sub(started);
        parts.metrics.restore_seconds.with_label_values(&[&self.label]).set(taken.as_secs_f64());
        let (from, next_offset) = state.as_ref().map_or(("log", 0), |state| ("snapshot", state.next_offset()));
        tracing::info!(partition = self.partition, from, next_offset, ?taken, "starting");
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
        parts.metrics.chunks_in_flight.with_label_values(&[&self.label]).set(0);
        parts.metrics.restores.with_label_values(&[&self.label, from]).inc();
        let flusher = Flusher::new(
            &parts.log_id,
            self.partition,
            FlusherParts {
                log: parts.log.clone(),
                topics: parts.topics.clone(),
                sink: parts.sink.clone(),
                spill: self.spill.clone(),
                snapshots,
                metrics: parts.metrics.clone(),
                clock: parts.clock.clone(),
            },
        );
        self.tell(|told| told.status.doing = Doing::CatchingUp);
        let (sender, receiver) = bounded(QUEUE_ITEMS);
        let flow = Flow { over: AtomicBool::new(false), beat_ms: AtomicI64::new(parts.clock.wall_ms()) };
        std::thread::scope(|scope| {
            let flushing = std::thread::Builder::new()
                .name(format!("flush-{}", self.partition))
                .spawn_scoped(scope, || self.flush(flusher, receiver, &flow))
                .expect("the system has threads for every partition");
            // A fold that panics must not leave its flusher trying for ever.
            let outcome = catch_unwind(AssertUnwindSafe(|| self.fold(&mut owner, &sender, &flow)));
            flow.over.store(true, Ordering::SeqCst);
            drop(sender);
            if let Err(panic) = flushing.join() {
                return Err(Ended::Flusher(panic_text(panic.as_ref())));
            }
            outcome.unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    fn fold(&self, owner: &mut Owner, sender: &Sender<Sent>, flow: &Flow) -> Result<(), Ended> {
        let clock = &self.parts.clock;
        let mut measured = Duration::ZERO;
        let mut watch = Watch { offset: 0, at: clock.monotonic() };
        while !self.stopping() {
            let step = owner.step()?;
            while let Some(item) = owner.outbox.pop_front() {
                if !self.hand_over(item, sender, flow)? {
                    return Ok(());
                }
            }
            if let Step::Ahead(lead) = step {
                let lead = lead / 1_000;
                let message = format!(
                    "a record is {lead} s ahead of this machine's clock; check the clocks of broker and machine"
                );
                tracing::warn!(partition = self.partition, message);
                self.paused("ahead", true);
                self.pause(message);
                nap(BACKOFF, &self.stop);
                continue;
            }
            let now = clock.monotonic();
            let measures = now.saturating_sub(measured) >= MEASURE_EVERY;
            if measures || step == Step::Idle {
                self.report(owner, &mut watch)?;
            }
            if measures {
                owner.measure()?;
                // Here too, because those who deliver may all be waiting for an answer.
                measure(&self.spill, &self.parts.metrics);
                measured = now;
            }
        }
        Ok(())
    }

    /// Waits while the flusher is behind or memory is short; `false` when the pipeline stops or the flusher is gone.
    fn hand_over(&self, item: Item, sender: &Sender<Sent>, flow: &Flow) -> Result<bool, Ended> {
        let size = item.size();
        let share = loop {
            if self.stopping() {
                return Ok(false);
            }
            match self.budget.take(self.partition, size, TURN) {
                Some(share) => break share,
                None => self.wait_for(flow),
            }
        };
        if matches!(item, Item::Rows(_)) {
            self.parts.metrics.chunks_in_flight.with_label_values(&[&self.label]).inc();
        }
        let mut sent = (item, share);
        while !self.stopping() {
            match sender.send_timeout(sent, TURN) {
                Ok(()) => return Ok(true),
                Err(SendTimeoutError::Timeout(back)) => sent = back,
                // It panicked; joining it says how.
                Err(SendTimeoutError::Disconnected(_)) => return Ok(false),
            }
            self.wait_for(flow);
        }
        Ok(false)
    }

    /// Waiting for a flusher that works, or fails and tries again, is no death.
    fn wait_for(&self, flow: &Flow) {
        let now = self.parts.clock.wall_ms();
        if now - flow.beat_ms.load(Ordering::SeqCst) < FLUSH_SILENCE_MAX_MS {
            self.tell(|told| told.status.alive_ms = now);
        }
    }

    fn report(&self, owner: &mut Owner, watch: &mut Watch) -> Result<(), Ended> {
        let lag = owner.lag()?;
        let Some(state) = owner.state() else {
            // The genesis record has not come yet.
            return self.look_after(watch, 0, lag).map(drop);
        };
        let (next_offset, log_time_ms, config_version) =
            (state.next_offset(), state.log_time().millis(), state.config_version());
        if !self.look_after(watch, next_offset, lag)? {
            return Ok(());
        }
        let behind_ms = self.parts.clock.wall_ms() - log_time_ms;
        for reason in ["ahead", "log"] {
            self.paused(reason, false);
        }
        self.tell(|told| {
            let status = &mut told.status;
            let behind_max = if status.doing == Doing::Live { LIVE_MS_MAX } else { LIVE_AGAIN_MS };
            status.doing = if lag == 0 || behind_ms <= behind_max { Doing::Live } else { Doing::CatchingUp };
            (status.next_offset, status.lag, status.log_time_ms) = (next_offset, lag, log_time_ms);
            status.config_version = config_version;
        });
        Ok(())
    }

    /// Whether the partition is alive: it has read all there is, or goes on. If records do not come although they are there, the log itself
    /// may be away, which is a reason to wait and none to end the process.
    fn look_after(&self, watch: &mut Watch, offset: u64, lag: u64) -> Result<bool, Ended> {
        let now = self.parts.clock.monotonic();
        let silence = now.saturating_sub(watch.at);
        if lag == 0 || offset != watch.offset || silence < SILENCE_MAX {
            if lag == 0 || offset != watch.offset {
                *watch = Watch { offset, at: now };
                let now_ms = self.parts.clock.wall_ms();
                self.tell(|told| told.status.alive_ms = now_ms);
            }
            return Ok(true);
        }
        match self.parts.log.bounds(&self.parts.topics.events, Partition(self.partition)) {
            Err(problem) => {
                self.paused("log", true);
                self.pause(told(&problem));
                // When it is back, the reader gets its time anew.
                watch.at = now.saturating_sub(SILENCE_MAX);
                Ok(false)
            }
            Ok(_) if silence > STUCK_AFTER => Err(Ended::Stuck),
            Ok(_) => Ok(true),
        }
    }

    fn flush(&self, mut flusher: Flusher, items: Receiver<Sent>, flow: &Flow) {
        let ending = || self.stopping() || flow.over.load(Ordering::SeqCst);
        let beat = || flow.beat_ms.store(self.parts.clock.wall_ms(), Ordering::SeqCst);
        while let Ok((item, share)) = items.recv() {
            beat();
            let mut failures = 0;
            while let Err(problem) = flusher.take(&item) {
                beat();
                failures += 1;
                let reason = if matches!(problem, FlushError::SpillFull { .. }) { "spill_full" } else { "flush" };
                let message = match &problem {
                    FlushError::Log(problem) => told(problem),
                    other => other.to_string(),
                };
                if failures == 1 {
                    tracing::error!(partition = self.partition, message, "cannot flush; trying again");
                }
                self.paused(reason, true);
                self.tell(|told| told.flush = Some(message));
                nap(BACKOFF, &self.stop);
                if ending() {
                    return;
                }
            }
            beat();
            if matches!(item, Item::Rows(_)) {
                self.parts.metrics.chunks_in_flight.with_label_values(&[&self.label]).dec();
            }
            drop((item, share));
            if failures > 0 {
                tracing::info!(partition = self.partition, "flushing goes on");
                ["spill_full", "flush"].iter().for_each(|reason| self.paused(reason, false));
                self.tell(|told| told.flush = None);
            }
            // What is left is read again from the log.
            if ending() {
                return;
            }
        }
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Waiting for something that the message names is no death.
    fn pause(&self, message: String) {
        let now = self.parts.clock.wall_ms();
        self.tell(|told| (told.status.doing, told.status.alive_ms) = (Doing::Paused(message), now));
    }

    fn paused(&self, reason: &str, is: bool) {
        self.parts.metrics.paused.with_label_values(&[self.label.as_str(), reason]).set(i64::from(is));
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told[self.at].lock().expect("no code panics while it holds this lock"));
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
