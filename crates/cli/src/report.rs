//! The analysis on a thread: results to the topic, to ClickHouse, and to whoever looks; its snapshot into the store.

use crate::alarms::Alarms;
use crate::health::{Health, now_ms};
use crate::{archive, posting};
use assay_analysis::{AGGREGATE_COLUMNS, Analysis, RESULT_COLUMNS, Results, Service, ServiceError, View, result_rows};
use assay_broker::Log;
use assay_control_plane::http::{Board, Posted};
use assay_experiment::Span;
use assay_experiment::control::Genesis;
use assay_pipeline::{ClickHouse, DirectoryStore, Store, Topics};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long one reading of the aggregates may wait.
const POLL: Duration = Duration::from_millis(40);
/// Between records in the results topic; every look is evaluated, not every one is published.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
/// Between looks on the board; people cannot read faster.
const POST_EVERY: Duration = Duration::from_millis(250);
/// Between whole looks in ClickHouse, unless something is decided: a day of them is some megabytes for each experiment.
const LOOK_EVERY: Duration = Duration::from_secs(60);
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
    looks: Vec<u8>,
}

struct Work {
    log: Arc<dyn Log>,
    topics: Topics,
    late: Span,
    store: Arc<DirectoryStore>,
    prefix: String,
    /// Identity of the log.
    identity: String,
    health: Arc<Health>,
    board: Arc<Board>,
    snapshot_every: Duration,
    write_every: Duration,
    stop: Arc<AtomicBool>,
    desk: Arc<Desk>,
}

impl Reporter {
    /// Starts the threads. `every` says how much time is between snapshots and between rows in ClickHouse.
    #[allow(clippy::too_many_arguments, reason = "each is another part, and all are needed")]
    pub fn start(
        log: Arc<dyn Log>,
        topics: &Topics,
        genesis: &Genesis,
        store: Arc<DirectoryStore>,
        clickhouse: ClickHouse,
        health: Arc<Health>,
        board: Arc<Board>,
        every: (Duration, Duration),
    ) -> Self {
        health.expect_analysis();
        let stop = Arc::new(AtomicBool::new(false));
        let desk = Arc::new(Desk::default());
        let work = Work {
            log,
            topics: topics.clone(),
            late: Span(genesis.late_ms as i64 * 1_000),
            store,
            prefix: format!("analysis/{}/", genesis.log),
            identity: genesis.log.clone(),
            health,
            board,
            snapshot_every: every.0.min(SNAPSHOT_EVERY_MAX),
            write_every: every.1,
            stop: stop.clone(),
            desk: desk.clone(),
        };
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(run).expect("the system has two more threads")
        };
        let (writer_stop, writer_desk, writer_health) = (stop.clone(), desk.clone(), work.health.clone());
        let threads = vec![
            spawn("analysis", Box::new(move || work.run())),
            spawn(
                "results",
                Box::new(move || {
                    if let Err(problem) = guard(|| write(&writer_desk, &clickhouse, &writer_stop)) {
                        tracing::error!(problem, "results no longer go to ClickHouse; start again");
                        writer_health.writer_failed(problem);
                    }
                }),
            ),
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

/// Makes a panic an error in words: otherwise it would end the thread and leave old results that look like new ones.
pub(crate) fn guard<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    // What the closure was changing is thrown away: the analysis starts again from its snapshot.
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| panicked(panic.as_ref()))
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    format!("panicked, which is a bug: {}", text.unwrap_or("without a message"))
}

/// When things were done last.
struct Times {
    published: Instant,
    written: Instant,
    kept: Instant,
    posted: Instant,
    /// When a whole look was written, and what it said of each experiment.
    looked: (Instant, Vec<String>),
}

/// What was shown last: when a view differs from it, there is something to tell.
#[derive(PartialEq)]
struct Shown {
    aligned: i64,
    provisional: Option<i64>,
}

impl Shown {
    fn of(view: &View) -> Self {
        Shown { aligned: view.aligned.look.0, provisional: view.provisional.as_ref().map(|newer| newer.look.0) }
    }
}

impl Work {
    fn run(&self) {
        let mut alarms = Alarms::restore(self.store.clone(), &self.identity, &self.board);
        while !self.stop.load(Ordering::SeqCst) {
            let outcome = guard(|| self.turn(&mut alarms).map_err(|problem| problem.to_string()));
            if let Err(problem) = outcome.and_then(|ended| ended) {
                tracing::error!(problem, "the analysis starts again from its snapshot");
                self.health.analysis_failed(problem);
                std::thread::sleep(BACKOFF);
            }
        }
    }

    fn turn(&self, alarms: &mut Alarms) -> Result<(), ServiceError> {
        let Topics { aggregates, results, .. } = &self.topics;
        let mut service =
            Service::open(self.log.clone(), aggregates, results, crate::build(), self.late, self.restore())?;
        let now = Instant::now();
        let mut times = Times {
            published: now - PUBLISH_EVERY,
            written: now - self.write_every,
            kept: now,
            posted: now - POST_EVERY,
            looked: (now - LOOK_EVERY, Vec::new()),
        };
        let (mut shown, mut posted, mut published, mut unkept) = (None, None, None, false);
        loop {
            let stopping = self.stop.load(Ordering::SeqCst);
            unkept |= service.step(POLL)?;
            let frozen = service.frozen();
            // A partition may freeze, and provisional results may come and go, while the aligned look stays where it is.
            let view = service.view();
            let is = view.as_ref().map(Shown::of);
            self.health.show(view.as_ref().filter(|_| is != shown), frozen.clone(), service.caught_up());
            shown = is;
            if let Some(view) = &view
                && posted != shown
                && (times.posted.elapsed() >= POST_EVERY || stopping)
            {
                self.board.post(posting::posted(view, crate::build(), now_ms()));
                alarms.keep(&self.board);
                posted = Some(Shown::of(view));
                times.posted = Instant::now();
            }
            if let Some(view) = &view
                && published != shown
                && (times.published.elapsed() >= PUBLISH_EVERY || stopping)
            {
                self.publish(&service, view, published.as_ref())?;
                published = Some(Shown::of(view));
                times.published = Instant::now();
                if times.written.elapsed() >= self.write_every || stopping {
                    self.hand_over(&mut service, &view.aligned, &mut times.looked);
                    times.written = Instant::now();
                }
            }
            // After a start from it the contradiction that froze a partition might look like a repeat.
            if unkept && frozen.is_empty() && (times.kept.elapsed() >= self.snapshot_every || stopping) {
                self.keep(&service);
                (times.kept, unkept) = (Instant::now(), false);
            }
            if stopping {
                return Ok(());
            }
        }
    }

    /// Publishes what is new in a view.
    fn publish(&self, service: &Service, view: &View, before: Option<&Shown>) -> Result<(), ServiceError> {
        let is = Shown::of(view);
        if before.is_none_or(|before| before.aligned != is.aligned) {
            service.publish(&view.aligned)?;
        }
        match &view.provisional {
            Some(newer) if before.is_none_or(|before| before.provisional != is.provisional) => service.publish(newer),
            _ => Ok(()),
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
    fn hand_over(&self, service: &mut Service, newest: &Results, looked: &mut (Instant, Vec<String>)) {
        let mut bundle = self.desk.bundle.lock().expect("no code panics while it holds this lock");
        if bundle.is_none() {
            let looks = self.board.newest().filter(|posted| is_due(posted, looked));
            let looks = looks.map_or_else(Vec::new, |posted| archive::kept(&posted.aligned, posted.published_ms));
            *bundle = Some(Bundle { results: result_rows(newest), aggregates: service.changed_aggregates(), looks });
            self.desk.filled.notify_all();
        }
    }
}

/// Whether a look is to be kept whole: now and then, and when it says something else than the one before.
fn is_due(posted: &Posted, (at, before): &mut (Instant, Vec<String>)) -> bool {
    let said: Vec<String> = posted.aligned.experiments.iter().map(|it| it.said.clone()).collect();
    let due = at.elapsed() >= LOOK_EVERY || *before != said;
    if due {
        (*at, *before) = (Instant::now(), said);
    }
    due
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
        let (results, aggregates, looks) = (bundle.results.clone(), bundle.aggregates.clone(), bundle.looks.clone());
        drop(held);
        let put = |table: &str, columns: &str, rows: Vec<u8>| match rows.is_empty() {
            true => Ok(()),
            false => clickhouse.insert_json(table, columns, rows),
        };
        let outcome = put("variant_aggregates", AGGREGATE_COLUMNS, aggregates)
            .and_then(|()| put("experiment_results", RESULT_COLUMNS, results))
            .and_then(|()| put("experiment_looks", archive::LOOK_COLUMNS, looks));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_in_words() {
        assert_eq!(guard(|| 7), Ok(7));
        assert_eq!(guard(|| -> i32 { panic!("no {}", "more") }), Err("panicked, which is a bug: no more".to_owned()));
        assert_eq!(guard(|| -> i32 { panic!("plain") }), Err("panicked, which is a bug: plain".to_owned()));
    }
}
