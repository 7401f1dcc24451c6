//! /metrics, /livez and /readyz, and the newest results that they and others show.

use crate::pace::{Counted, Pace};
use assay_analysis::{Freeze, View};
use assay_control_plane::status::{Latency, Outcome};
use assay_pipeline::{Doing, PartitionStatus, Pipeline};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, Opts, Registry, TextEncoder};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How everything is.
pub struct Health {
    registry: Registry,
    inner: Mutex<Inner>,
    srm: GaugeVec,
    crossed: GaugeVec,
    freshness: Gauge,
    latency: Histogram,
    mismatches: IntCounter,
    config_rejected: Gauge,
}

#[derive(Default)]
struct Inner {
    pipeline: Option<Arc<Pipeline>>,
    view: Option<View>,
    frozen: Vec<(u32, Freeze)>,
    analysis: Doings,
    /// Why results no longer go to ClickHouse, if they do not.
    writer: Option<String>,
    /// Whether the files of definitions are in force, if there are any.
    config_files: Option<Result<(), String>>,
    /// Experiments that have gauges.
    gauges: BTreeSet<String>,
    /// How long results took lately.
    pace: Pace,
    /// Events by outcome, and dead letters by reason.
    counted: (Counted, Counted),
}

/// What the analysis does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Doings {
    /// It runs in another process, or nowhere.
    #[default]
    Elsewhere,
    /// It reads what it missed, or waits for the first look that every partition has closed.
    Starting,
    /// It follows the log.
    Follows,
    /// It does not go on, and this is why.
    Failed(String),
}

/// A fold that said nothing for this long is dead.
const SILENCE_MAX_MS: i64 = 60_000;

pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// `assay_build_info`, always 1.
pub fn register_build(registry: &Registry) -> prometheus::Result<()> {
    let info = GaugeVec::new(Opts::new("assay_build_info", "What runs here; always 1."), &["version", "semantics"])?;
    info.with_label_values(&[env!("CARGO_PKG_VERSION"), &assay_aggregates::SEMANTICS.to_string()]).set(1.0);
    registry.register(Box::new(info))
}

impl Health {
    /// With the measures of the results.
    pub fn new(registry: Registry, pipeline: Option<Arc<Pipeline>>) -> prometheus::Result<Self> {
        let per_experiment = |name: &str, help: &str| -> prometheus::Result<GaugeVec> {
            let gauge = GaugeVec::new(Opts::new(name, help), &["experiment"])?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let srm = per_experiment("assay_srm_pvalue", "Running p-value of the split.")?;
        let crossed =
            per_experiment("assay_multi_exposed_ratio", "Share of units that were seen in several variants.")?;
        let freshness = Gauge::new("assay_results_look_timestamp_seconds", "As of when the aligned results are.")?;
        let buckets = vec![0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0];
        let latency = Histogram::with_opts(
            HistogramOpts::new("assay_result_latency_seconds", "From the end of a look to its results.")
                .buckets(buckets),
        )?;
        let mismatches = IntCounter::new(
            "assay_replay_hash_mismatch_total",
            "Partitions that contradicted themselves and are frozen.",
        )?;
        registry.register(Box::new(freshness.clone()))?;
        registry.register(Box::new(latency.clone()))?;
        registry.register(Box::new(mismatches.clone()))?;
        let config_rejected = Gauge::new(
            "assay_config_rejected",
            "1 while the files of definitions cannot be published; the version before them stays in force.",
        )?;
        registry.register(Box::new(config_rejected.clone()))?;
        let inner = Mutex::new(Inner { pipeline, ..Inner::default() });
        Ok(Health { registry, inner, srm, crossed, freshness, latency, mismatches, config_rejected })
    }

    fn held(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no code panics while it holds this lock")
    }

    /// The newest results.
    pub fn view(&self) -> Option<View> {
        self.held().view.clone()
    }

    /// How every partition is.
    pub fn partitions(&self) -> Vec<PartitionStatus> {
        self.held().pipeline.as_ref().map_or_else(Vec::new, |pipeline| pipeline.status())
    }

    /// Chunks and bytes that wait for ClickHouse, and why.
    pub fn spilled(&self) -> (usize, u64, String) {
        self.held().pipeline.as_ref().map_or((0, 0, String::new()), |pipeline| pipeline.spilled())
    }

    pub fn forget_pipeline(&self) {
        self.held().pipeline = None;
    }

    /// The analysis runs here: until its first results nothing is ready.
    pub fn expect_analysis(&self) {
        self.held().analysis = Doings::Starting;
    }

    /// What the analysis has: a view where it changed, which partitions are frozen, and whether it has read what it missed.
    pub fn show(&self, view: Option<&View>, frozen: Vec<(u32, Freeze)>, caught_up: bool) {
        let mut inner = self.held();
        if let Some(view) = view {
            self.measure(&mut inner, view);
            inner.view = Some(view.clone());
        }
        if frozen.len() > inner.frozen.len() {
            self.mismatches.inc_by((frozen.len() - inner.frozen.len()) as u64);
        }
        inner.frozen = frozen;
        inner.analysis = if caught_up && inner.view.is_some() { Doings::Follows } else { Doings::Starting };
    }

    /// The gauges of a view that was not shown yet. One experiment has one value, that of the phase in force.
    fn measure(&self, inner: &mut Inner, view: &View) {
        let look_ms = view.aligned.look.millis();
        if inner.view.as_ref().is_none_or(|before| before.aligned.look != view.aligned.look) {
            self.freshness.set(look_ms as f64 / 1e3);
            let latency_ms = (now_ms() - look_ms).max(0) as f64;
            self.latency.observe(latency_ms / 1e3);
            inner.pace.look(latency_ms);
        }
        let mut gone = std::mem::take(&mut inner.gauges);
        for experiment in view.aligned.experiments.iter().filter(|experiment| experiment.in_force) {
            self.srm.with_label_values(&[&experiment.id]).set(experiment.srm.p_value_running);
            let units: i64 = experiment.units.iter().sum::<i64>() + experiment.crossed;
            self.crossed.with_label_values(&[&experiment.id]).set(experiment.crossed as f64 / units.max(1) as f64);
            gone.remove(&experiment.id);
            inner.gauges.insert(experiment.id.clone());
        }
        for id in gone {
            // It had these values when it was in force, so they are there to be removed.
            let _ = (self.srm.remove_label_values(&[&id]), self.crossed.remove_label_values(&[&id]));
        }
    }

    /// The analysis does not go on.
    pub fn analysis_failed(&self, problem: String) {
        self.held().analysis = Doings::Failed(problem);
    }

    /// Results no longer go to ClickHouse, and nothing tries again.
    pub fn writer_failed(&self, problem: String) {
        self.held().writer = Some(problem);
    }

    /// Whether the files of definitions are in force, or why not; `None` where there are none.
    pub fn config_files(&self, now: Option<Result<(), String>>) {
        self.config_rejected.set(if matches!(now, Some(Err(_))) { 1.0 } else { 0.0 });
        self.held().config_files = now;
    }

    /// The same, to be shown.
    pub fn config(&self) -> Option<Result<(), String>> {
        self.held().config_files.clone()
    }

    /// Partitions whose results are not used any more, and why.
    pub fn frozen(&self) -> Vec<(u32, String)> {
        self.held().frozen.iter().map(|(partition, why)| (*partition, why.to_string())).collect()
    }

    /// Why results no longer go to ClickHouse, if they do not.
    pub fn writer(&self) -> Option<String> {
        self.held().writer.clone()
    }

    /// Whether the analysis keeps up, and in words what it does.
    pub fn analysis(&self) -> (bool, String) {
        self.held().analysis()
    }

    /// From an event to results with it.
    pub fn latency(&self, look_ms: f64) -> Option<Latency> {
        self.held().pace.latency(look_ms)
    }

    /// Reads the counters of events, for rates.
    pub fn count(&self, now: Instant) {
        let (events, dead_letters) = (self.counters("assay_events_total"), self.counters("assay_dlq_total"));
        let counted = &mut self.held().counted;
        counted.0.read(now, events);
        counted.1.read(now, dead_letters);
    }

    /// Over how many seconds rates are; events by outcome; dead letters by reason.
    pub fn counted(&self) -> (f64, Vec<Outcome>, Vec<Outcome>) {
        let inner = self.held();
        let (events, dead_letters) = &inner.counted;
        (events.seconds(), events.outcomes(), dead_letters.outcomes())
    }

    /// Chunks that are neither in ClickHouse nor in the store yet.
    pub fn in_flight(&self) -> u64 {
        let families = self.registry.gather();
        let chunks = families.iter().filter(|family| family.name() == "assay_chunk_inflight");
        chunks.flat_map(|family| family.get_metric()).map(|metric| metric.get_gauge().get_value().max(0.0) as u64).sum()
    }

    /// The values of a counter by its only label.
    fn counters(&self, name: &str) -> Vec<(String, u64)> {
        let families = self.registry.gather();
        let metrics = families.iter().filter(|family| family.name() == name).flat_map(|family| family.get_metric());
        metrics
            .filter_map(|metric| {
                Some((metric.get_label().first()?.value().to_owned(), metric.get_counter().get_value() as u64))
            })
            .collect()
    }

    /// Whether everything keeps up; the text says what does not.
    pub fn ready(&self) -> (bool, serde_json::Value) {
        let (partitions, spilled) = (self.partitions(), self.spilled());
        let inner = self.held();
        let behind: Vec<_> = partitions.iter().filter(|one| one.doing != Doing::Live).collect();
        let doing = |one: &PartitionStatus| match &one.doing {
            Doing::Starting => "starting: restores its state".to_owned(),
            Doing::CatchingUp => "catching up: reads what it missed".to_owned(),
            Doing::Live => "live".to_owned(),
            Doing::Paused(why) => format!("paused: {why}"),
            Doing::Halted(why) => format!("halted: {why}"),
        };
        let (follows, analysis) = inner.analysis();
        let ready = behind.is_empty() && inner.frozen.is_empty() && follows && inner.writer.is_none();
        let text = json!({
            "ready": ready,
            "partitions": partitions.iter().map(|one| json!({
                "partition": one.partition, "state": doing(one), "next_offset": one.next_offset, "lag": one.lag,
            })).collect::<Vec<_>>(),
            "frozen": inner.frozen.iter().map(|(partition, why)| json!({"partition": partition, "why": why.to_string()})).collect::<Vec<_>>(),
            "analysis": analysis,
            "results_writer": inner.writer.as_deref().unwrap_or("fine"),
            "look": inner.view.as_ref().map(|view| assay_experiment::format_time(view.aligned.look)),
            // Results stay live without it, so it does not make the service unready.
            "clickhouse": if spilled.0 == 0 { "fine".to_owned() } else { format!("{} chunks ({} bytes) wait: {}", spilled.0, spilled.1, spilled.2) },
        });
        (ready, text)
    }

    fn alive(&self) -> bool {
        let now = now_ms();
        self.partitions()
            .iter()
            .all(|one| matches!(one.doing, Doing::Halted(_) | Doing::Starting) || now - one.alive_ms < SILENCE_MAX_MS)
    }
}

impl Inner {
    /// Whether the analysis keeps up, and in words what it does.
    fn analysis(&self) -> (bool, String) {
        let late = self.view.as_ref().map(|view| view.freshness).filter(|freshness| freshness.is_late());
        match (&self.analysis, late) {
            (Doings::Elsewhere, _) => (true, "not here".to_owned()),
            (Doings::Starting, _) if self.view.is_none() => {
                (false, "starting: waits for the first look that every partition has closed".to_owned())
            }
            (Doings::Starting, _) => (false, "starting: reads what it missed".to_owned()),
            (Doings::Failed(why), _) => (false, why.clone()),
            (Doings::Follows, Some(late)) => {
                let partition = late.held_by.map_or_else(|| "a partition".to_owned(), |it| format!("partition {it}"));
                let why = if late.versions_differ { "for the version of the definitions that others have" } else { "" };
                let seconds = late.age.0 / 1_000_000;
                let text =
                    format!("{}: the aligned look is {seconds} s behind, waits for {partition} {why}", late.state());
                // Provisional results bridge some seconds; beyond that people should be sent elsewhere.
                (late.state() != "stale", text.trim_end().to_owned())
            }
            (Doings::Follows, None) => (true, "fine".to_owned()),
        }
    }
}

/// Answers until the process stops.
pub async fn serve(health: Arc<Health>, doors: Router, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(health)
        .merge(doors);
    let shutdown = async move {
        // The sender says so once, or is dropped.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    if let Err(problem) = axum::serve(listener, router).with_graceful_shutdown(shutdown).await {
        tracing::error!(%problem, "health and metrics stopped answering");
    }
}

async fn livez(State(health): State<Arc<Health>>) -> Response {
    match health.alive() {
        true => (StatusCode::OK, "alive\n").into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, "a partition made no progress for a minute\n").into_response(),
    }
}

async fn readyz(State(health): State<Arc<Health>>) -> Response {
    let (ready, text) = health.ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CONTENT_TYPE, "application/json")], text.to_string()).into_response()
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    let mut text = Vec::new();
    let encoder = TextEncoder::new();
    match encoder.encode(&health.registry.gather(), &mut text) {
        Ok(()) => ([(header::CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response(),
        Err(problem) => (StatusCode::INTERNAL_SERVER_ERROR, problem.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_aggregates::{Counters, Look};
    use assay_analysis::Analysis;
    use assay_experiment::{Span, Timestamp};

    fn look(partition: u32, last: i64) -> Look {
        Look {
            log: "test".to_owned(),
            partition,
            semantics: 1,
            length: Span::SECOND,
            first: 0,
            last,
            previous: None,
            start_offset: 0,
            next_offset: 1,
            log_time: Timestamp(0),
            config: 0,
            definitions: None,
            keyframe: true,
            counters: Counters::default(),
            experiments: Vec::new(),
            hash: 5,
        }
    }

    /// Of two partitions, the second of which is ahead of the first by so many seconds.
    fn view(ahead: i64) -> View {
        let mut analysis = Analysis::new(2, Span::DAY);
        analysis.take(look(0, 1)).unwrap();
        analysis.take(look(1, 1 + ahead)).unwrap();
        analysis.advance();
        let aligned = Arc::new(analysis.results().unwrap());
        View { aligned, provisional: None, freshness: analysis.freshness().unwrap() }
    }

    #[test]
    fn readiness_tells_what_the_analysis_does() {
        let health = Health::new(Registry::new(), None).unwrap();
        let check = |ready: bool, words: &str| {
            let (is, text) = health.ready();
            assert_eq!((is, text["analysis"].as_str().unwrap()), (ready, words));
        };
        check(true, "not here");
        health.expect_analysis();
        check(false, "starting: waits for the first look that every partition has closed");
        health.show(None, Vec::new(), true);
        check(false, "starting: waits for the first look that every partition has closed");
        health.show(Some(&view(0)), Vec::new(), false);
        check(false, "starting: reads what it missed");
        health.show(None, Vec::new(), true);
        check(true, "fine");
        health.show(Some(&view(6)), Vec::new(), true);
        check(true, "delayed: the aligned look is 6 s behind, waits for partition 0");
        health.show(Some(&view(31)), Vec::new(), true);
        check(false, "stale: the aligned look is 31 s behind, waits for partition 0");
        health.analysis_failed("no broker".to_owned());
        check(false, "no broker");
        health.show(Some(&view(0)), Vec::new(), true);
        check(true, "fine");
        health.writer_failed("panicked".to_owned());
        assert!(!health.ready().0);
    }

    #[test]
    fn a_freeze_shows_although_no_look_moves_and_a_look_is_measured_once() {
        let health = Health::new(Registry::new(), None).unwrap();
        health.expect_analysis();
        for _ in 0..3 {
            health.show(Some(&view(0)), Vec::new(), true);
        }
        assert_eq!((health.latency.get_sample_count(), health.mismatches.get()), (1, 0));
        let frozen = vec![(1, Freeze::Mismatch { partition: 1, look: Timestamp(7_000_000) })];
        for _ in 0..3 {
            health.show(None, frozen.clone(), true);
        }
        let (ready, text) = health.ready();
        assert!(
            !ready && text["frozen"][0]["why"].as_str().unwrap().contains("ends at 1970-01-01T00:00:07Z twice"),
            "{text}"
        );
        assert_eq!(health.mismatches.get(), 1);
    }
}
