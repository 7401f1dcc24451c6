//! What operators see. Names are documented in `docs/metrics.md`.

use hyper::StatusCode;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use std::time::Duration;

use crate::path::ROUTES;

/// The edge's measures. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    /// By route, then by code: found without a look into a map.
    requests: Vec<[IntCounter; CODES.len()]>,
    seconds: Vec<Histogram>,
    /// Connections that are open.
    pub connections: IntGauge,
    /// Streams that are open.
    pub streams: IntGauge,
    /// The version in force.
    pub config_version: IntGauge,
    /// Seconds since the source spoke.
    pub config_age: Gauge,
    /// How good the definitions are.
    pub standing: IntGaugeVec,
    /// Offers of definitions, by what became of them.
    pub config_updates: IntCounterVec,
    /// Definitions that cannot be evaluated.
    pub quarantined: IntGauge,
    /// Definitions that could not be kept.
    pub disk_failures: IntCounter,
    /// Automatic exposures, by what became of them.
    pub exposures: ExposureCounters,
    /// Exposures that are lost, by experiment and cause.
    pub lost: IntCounterVec,
    /// Events of doors, by what became of them.
    pub events: IntCounterVec,
    /// Events that wait for the log.
    pub queue_events: IntGauge,
    /// Their bytes.
    pub queue_bytes: IntGauge,
    /// Exposures that are remembered.
    pub remembered: IntGauge,
    /// Failed attempts to append.
    pub log_failures: IntCounter,
}

/// Automatic exposures, by what became of them: found without a look into a map.
#[derive(Clone)]
pub struct ExposureCounters {
    /// On their way to the log.
    pub queued: IntCounter,
    /// Sent a while ago.
    pub repeated: IntCounter,
    /// The queue was full.
    pub lost: IntCounter,
    /// Outside of the limits of events.
    pub invalid: IntCounter,
}

/// Statuses that are counted each for itself; anything else counts as the last.
const CODES: [u16; 15] = [200, 202, 204, 304, 400, 401, 404, 405, 408, 413, 415, 429, 503, 500, 0];
/// Bounds of durations, in seconds: from what memory takes to what a log may take.
const SECONDS: [f64; 12] = [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 0.025, 0.1, 1.0, 10.0];

impl Metrics {
    /// Registers everything; fails when the registry has one of the names already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        fn put<M: prometheus::core::Collector + Clone + 'static>(
            registry: &Registry,
            metric: M,
        ) -> prometheus::Result<M> {
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        }
        let gauge = |name: &str, help: &str| put(registry, IntGauge::new(name, help)?);
        let counter = |name: &str, help: &str| put(registry, IntCounter::new(name, help)?);
        let counters =
            |name: &str, help: &str, labels: &[&str]| put(registry, IntCounterVec::new(Opts::new(name, help), labels)?);
        let requests = counters("assay_edge_requests_total", "Requests, by route and status.", &["route", "code"])?;
        let seconds = put(
            registry,
            HistogramVec::new(
                HistogramOpts::new("assay_edge_request_seconds", "From a request's head to its answer.")
                    .buckets(SECONDS.to_vec()),
                &["route"],
            )?,
        )?;
        let per_route = |route: &str| {
            CODES.map(|code| {
                let code = if code == 0 { "other".to_owned() } else { code.to_string() };
                requests.with_label_values(&[route, &code])
            })
        };
        let exposures = counters(
            "assay_edge_exposures_total",
            "Exposures of single evaluations, by what became of them.",
            &["outcome"],
        )?;
        let outcome = |name: &str| exposures.with_label_values(&[name]);
        Ok(Metrics {
            requests: ROUTES.iter().map(|route| per_route(route)).collect(),
            seconds: ROUTES.iter().map(|route| seconds.with_label_values(&[route])).collect(),
            connections: gauge("assay_edge_connections", "Connections that are open.")?,
            streams: gauge("assay_edge_streams", "Streams of news that are open.")?,
            config_version: gauge("assay_edge_config_version", "The version of the definitions in force.")?,
            config_age: put(
                registry,
                Gauge::new("assay_edge_config_age_seconds", "Since the source spoke; -1 if it never did.")?,
            )?,
            standing: put(
                registry,
                IntGaugeVec::new(
                    Opts::new("assay_edge_config_standing", "1 where the definitions are: fresh, stale, …"),
                    &["standing"],
                )?,
            )?,
            config_updates: counters(
                "assay_edge_config_updates_total",
                "Offers of definitions, by what became of them.",
                &["outcome"],
            )?,
            quarantined: gauge("assay_edge_quarantined_flags", "Definitions that cannot be evaluated.")?,
            disk_failures: counter("assay_edge_disk_failures_total", "Definitions that could not be kept on disk.")?,
            exposures: ExposureCounters {
                queued: outcome("queued"),
                repeated: outcome("repeated"),
                lost: outcome("lost"),
                invalid: outcome("invalid"),
            },
            lost: counters(
                "assay_edge_exposures_lost_total",
                "Exposures that never reach the log.",
                &["experiment", "cause"],
            )?,
            events: counters(
                "assay_edge_events_total",
                "Events that were sent, by what became of them.",
                &["outcome"],
            )?,
            queue_events: gauge("assay_edge_queue_events", "Events that wait for the log.")?,
            queue_bytes: gauge("assay_edge_queue_bytes", "Bytes of the events that wait for the log.")?,
            remembered: gauge("assay_edge_remembered_exposures", "Exposures that are remembered to be sent once.")?,
            log_failures: counter("assay_edge_log_failures_total", "Failed attempts to append to the log.")?,
        })
    }

    /// A request was answered.
    pub fn answered(&self, route: usize, status: StatusCode, taken: Duration) {
        let last = CODES.len() - 1;
        let code = CODES.iter().position(|&code| code == status.as_u16()).unwrap_or(last);
        self.requests[route][code].inc();
        self.seconds[route].observe(taken.as_secs_f64());
    }
}
