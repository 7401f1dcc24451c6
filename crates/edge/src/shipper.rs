//! From the queue to the log: a thread for each lane appends what waits, as often as it takes.
//!
//! The log need not be there: it is opened when it can be, and what waits is bounded by the queue. After a failure any prefix may have been
//! appended; the rest is appended again with it, and readers recognise repeats by their ids.

use assay_broker::{Error as LogError, Log, NewRecord, Partition};
use assay_experiment::partitioner::partition_of;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::exposures::now;
use crate::limits::DRAIN;
use crate::losses::{Cause, Losses};
use crate::metrics::Metrics;
use crate::queue::{Item, LANES, Queue};
use crate::reports::Reports;

/// How long a lane gathers: records that go together cost the log less, and nobody notices these milliseconds.
const LINGER: Duration = Duration::from_millis(10);
/// How long a lane sleeps when nothing waits.
const NAP: Duration = Duration::from_secs(1);
/// After a failure; doubled each time, at most [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// A log that is back is used within this time.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Between two reports of what was lost.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Opens the log; it may be away now and there later.
pub type OpenLog = Box<dyn Fn() -> Result<Arc<dyn Log>, LogError> + Send + Sync>;

/// Where events go.
pub struct Destination {
    /// Opens the log.
    pub open: OpenLog,
    /// The topic of the events.
    pub topic: String,
}

/// An open log and how many partitions its topic has.
type Opened = (Arc<dyn Log>, u32);

/// What the lanes share.
pub struct Shipping {
    destination: Destination,
    queue: Arc<Queue>,
    losses: Arc<Losses>,
    /// What was lost and not yet told. One lane tells, and who stops the edge after the lanes.
    reports: Mutex<Reports>,
    metrics: Metrics,
    opened: Mutex<Option<Opened>>,
    /// Why the last attempt failed; `None` when it did not.
    problem: Mutex<Option<String>>,
    /// When trying ends, once the edge stops.
    deadline: Mutex<Option<Instant>>,
}

/// Threads that append.
pub struct Shipper {
    shipping: Arc<Shipping>,
    lanes: Vec<JoinHandle<()>>,
}

impl Shipping {
    /// Why the log does not take events; `None` when it does.
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().expect("no code panics while it holds this lock").clone()
    }

    fn note(&self, problem: Option<String>) {
        let mut known = self.problem.lock().expect("no code panics while it holds this lock");
        if let Some(problem) = problem.as_ref().filter(|_| known.is_none()) {
            tracing::warn!(problem, "events cannot be appended; they wait, up to the bound of the queue");
        }
        *known = problem;
    }

    fn log(&self) -> Result<Opened, LogError> {
        let mut opened = self.opened.lock().expect("opening a log does not panic");
        if let Some(opened) = &*opened {
            return Ok(opened.clone());
        }
        let log = (self.destination.open)()?;
        let partitions = log.topic(&self.destination.topic)?.partitions;
        Ok(opened.insert((log, partitions)).clone())
    }

    fn is_over(&self) -> bool {
        let deadline = self.deadline.lock().expect("no code panics while it holds this lock");
        deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Tries until all are appended, given up by who waits, or the edge has stopped.
    fn append(&self, mut items: Vec<Item>) {
        let mut pause = PAUSE_MIN;
        while !items.is_empty() {
            let outcome = self.log().and_then(|(log, partitions)| self.attempt(log.as_ref(), partitions, &mut items));
            match outcome {
                Ok(()) => self.note(None),
                Err(problem) => {
                    self.metrics.log_failures.inc();
                    self.note(Some(problem.to_string()));
                    if self.is_over() {
                        return items.iter().for_each(|item| self.lose(item, "the edge stops and the log is away"));
                    }
                    items.retain(|item| {
                        let given_up = item.ticket.as_ref().is_some_and(|ticket| ticket.is_abandoned());
                        if given_up {
                            self.queue.settle(item, Some("given up"));
                        }
                        !given_up
                    });
                    std::thread::sleep(pause);
                    // Who stops has no time to wait.
                    pause = if self.queue.is_closed() { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
                }
            }
        }
    }

    /// One attempt; what is appended, or refused for good, leaves `items`.
    fn attempt(&self, log: &dyn Log, partitions: u32, items: &mut Vec<Item>) -> Result<(), LogError> {
        let mut by_partition: BTreeMap<u32, Vec<Item>> = BTreeMap::new();
        for item in items.drain(..) {
            by_partition.entry(partition_of(item.unit.as_bytes(), partitions)).or_default().push(item);
        }
        let mut failed = None;
        for (partition, batch) in by_partition {
            if failed.is_some() {
                items.extend(batch);
                continue;
            }
            match self.write(log, partition, &batch) {
                Ok(()) => batch.iter().for_each(|item| self.queue.settle(item, None)),
                Err(LogError::Refused(problem)) => batch.iter().for_each(|item| self.lose(item, &problem)),
                Err(problem) => {
                    failed = Some(problem);
                    items.extend(batch);
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Appends items of one partition, in order.
    fn write(&self, log: &dyn Log, partition: u32, items: &[Item]) -> Result<(), LogError> {
        let records: Vec<_> = items.iter().map(|item| record(&item.unit, &item.payload)).collect();
        log.append(&self.destination.topic, Partition(partition), &records).map(|_| ())
    }

    fn lose(&self, item: &Item, problem: &str) {
        if let Some(experiment) = &item.experiment {
            self.losses.count(experiment, Cause::LogFailed);
        }
        self.queue.settle(item, Some(problem));
    }

    fn reports(&self) -> MutexGuard<'_, Reports> {
        self.reports.lock().expect("no code panics while it holds this lock")
    }

    /// Reports of losses are few and go past the queue, which may be full of the reason for them.
    fn report(&self) {
        let mut reports = self.reports();
        if reports.waiting().is_empty() {
            reports.add(self.losses.take(now()));
        }
        self.tell(&mut reports);
    }

    /// Tells what is left when all lanes have ended. A log that was away a moment ago is not waited for.
    fn report_last(&self) {
        let mut reports = self.reports();
        reports.add(self.losses.take(now()));
        match self.problem() {
            None => self.tell(&mut reports),
            Some(_) => reports.keep(),
        }
    }

    fn tell(&self, reports: &mut Reports) {
        if reports.waiting().is_empty() {
            return;
        }
        let outcome = self.log().and_then(|(log, partitions)| {
            reports.waiting().iter().try_for_each(|(unit, payload)| {
                let partition = Partition(partition_of(unit.as_bytes(), partitions));
                log.append(&self.destination.topic, partition, &[record(unit, payload)]).map(|_| ())
            })
        });
        match outcome {
            Ok(()) => reports.done(),
            Err(problem) => {
                reports.keep();
                self.note(Some(problem.to_string()));
            }
        }
    }

    fn run(&self, lane: usize) {
        let mut reported: Option<Instant> = None;
        loop {
            let mut items = self.queue.take(lane, NAP);
            if !items.is_empty() && !self.queue.is_closed() {
                std::thread::sleep(LINGER);
                items.extend(self.queue.take(lane, Duration::ZERO));
            }
            let idle = items.is_empty();
            self.append(items);
            if idle && self.queue.is_closed() {
                return;
            }
            // One lane speaks for all. A log that is away is not asked again on its account.
            if lane == 0 && reported.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
                self.report();
                reported = Some(Instant::now());
            }
        }
    }
}

fn record<'a>(unit: &'a str, payload: &'a str) -> NewRecord<'a> {
    NewRecord {
        key: Some(unit.as_bytes()),
        headers: &[],
        payload: payload.as_bytes(),
        timestamp_ms: Some(now().millis()),
    }
}

impl Shipper {
    /// Appends what the queue takes.
    pub fn start(
        destination: Destination,
        queue: Arc<Queue>,
        losses: Arc<Losses>,
        reports: Reports,
        metrics: Metrics,
    ) -> std::io::Result<Shipper> {
        let shipping = Arc::new(Shipping {
            destination,
            queue,
            losses,
            reports: Mutex::new(reports),
            metrics,
            opened: Mutex::new(None),
            problem: Mutex::new(None),
            deadline: Mutex::new(None),
        });
        let lanes = (0..LANES)
            .map(|lane| {
                let shipping = shipping.clone();
                std::thread::Builder::new().name(format!("edge-log-{lane}")).spawn(move || shipping.run(lane))
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Shipper { shipping, lanes })
    }

    /// How shipping goes.
    pub fn shipping(&self) -> Arc<Shipping> {
        self.shipping.clone()
    }

    /// Appends what waits, for at most [`DRAIN`]; the number of records that the log did not take.
    pub fn stop(self) -> usize {
        *self.shipping.deadline.lock().expect("no code panics while it holds this lock") = Some(Instant::now() + DRAIN);
        self.shipping.queue.close();
        // A log may think longer about one attempt than the edge has.
        let end = Instant::now() + DRAIN + PAUSE_MAX;
        while self.lanes.iter().any(|lane| !lane.is_finished()) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.shipping.report_last();
        self.shipping.queue.waiting().0
    }
}
