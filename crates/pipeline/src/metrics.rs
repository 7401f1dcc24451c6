//! What operators see. Names are documented in `docs/metrics.md`.

use assay_aggregates::{Counters, Lookups, Reason, Size};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use std::time::Duration;

/// The pipeline's measures. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    lag_offsets: IntGaugeVec,
    lag_seconds: prometheus::GaugeVec,
    watermark_lag: prometheus::GaugeVec,
    events: IntCounterVec,
    lookups: IntCounterVec,
    dead_letters: IntCounterVec,
    batch_rows: Histogram,
    insert_bytes: Histogram,
    insert_seconds: HistogramVec,
    /// Second attempts at an insert.
    pub insert_retries: IntCounter,
    state_bytes: IntGaugeVec,
    state_units: IntGaugeVec,
    /// Chunks on their way to ClickHouse or the store.
    pub chunks_in_flight: IntGaugeVec,
    row_latency: Histogram,
    snapshot_timestamp: IntGaugeVec,
    snapshot_age: IntGaugeVec,
    snapshot_seconds: Histogram,
    snapshot_bytes: IntGaugeVec,
    /// How long restoring took, per partition.
    pub restore_seconds: prometheus::GaugeVec,
    /// Starts of a partition, by what it started from: `snapshot` or `log`.
    pub restores: IntCounterVec,
    /// Damaged snapshots that were passed over.
    pub damaged_snapshots: IntCounterVec,
    /// Partitions that do not go on, by reason.
    pub paused: IntGaugeVec,
    /// Chunks that wait for ClickHouse.
    pub spilled_chunks: IntGauge,
    /// Their bytes.
    pub spilled_bytes: IntGauge,
    /// Units that wait to be erased.
    pub erasures: IntGauge,
    /// Offsets that were not committed for tools that show lag.
    pub commit_failures: IntCounter,
    ticks: IntCounter,
}

/// Bounds of durations, in seconds.
const SECONDS: [f64; 12] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
/// Bounds of sizes, in bytes.
const BYTES: [f64; 7] = [1e3, 1e4, 1e5, 1e6, 4e6, 1.6e7, 6.4e7];

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
        let gauges =
            |name: &str, help: &str, labels: &[&str]| put(registry, IntGaugeVec::new(Opts::new(name, help), labels)?);
        let floats = |name: &str, help: &str, labels: &[&str]| {
            put(registry, prometheus::GaugeVec::new(Opts::new(name, help), labels)?)
        };
        let counters =
            |name: &str, help: &str, labels: &[&str]| put(registry, IntCounterVec::new(Opts::new(name, help), labels)?);
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            put(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
        };
        Ok(Metrics {
            lag_offsets: gauges(
                "assay_consumer_lag_offsets",
                "Records in the log that are not applied yet.",
                &["topic", "partition"],
            )?,
            lag_seconds: floats(
                "assay_consumer_lag_seconds",
                "Age of the last record that was applied, while more wait; 0 when all are applied.",
                &["topic", "partition"],
            )?,
            watermark_lag: floats(
                "assay_watermark_lag_seconds",
                "How far the partition's log time is behind the wall clock.",
                &["partition"],
            )?,
            events: counters("assay_events_total", "Records applied, by what became of them.", &["result"])?,
            lookups: counters("assay_dedup_lookups_total", "Lookups of event ids, by where they ended.", &["outcome"])?,
            dead_letters: counters("assay_dlq_total", "Records that were not accepted.", &["reason"])?,
            batch_rows: histogram(
                "assay_batch_rows",
                "Records per read of the log.",
                &[1.0, 10.0, 100.0, 1e3, 1e4, 1e5],
            )?,
            insert_bytes: histogram("assay_batch_bytes", "Bytes per insert.", &BYTES)?,
            insert_seconds: put(
                registry,
                HistogramVec::new(
                    HistogramOpts::new("assay_insert_seconds", "Time of an insert.").buckets(SECONDS.to_vec()),
                    &["table", "outcome"],
                )?,
            )?,
            insert_retries: put(
                registry,
                IntCounter::new("assay_insert_retries_total", "Second attempts at an insert.")?,
            )?,
            state_bytes: gauges("assay_state_bytes", "Memory of the fold's state, about.", &["partition", "kind"])?,
            state_units: gauges("assay_state_units", "Units known.", &["partition"])?,
            chunks_in_flight: gauges(
                "assay_chunk_inflight",
                "Chunks of rows that are neither in ClickHouse nor in the store yet.",
                &["partition"],
            )?,
            row_latency: histogram(
                "assay_e2e_latency_seconds",
                "From the start of a chunk's window to ClickHouse's answer: the longest that a row of it took.",
                &SECONDS,
            )?,
            snapshot_age: gauges("assay_snapshot_age_seconds", "Age of the newest snapshot.", &["partition"])?,
            snapshot_timestamp: gauges(
                "assay_snapshot_timestamp_seconds",
                "When the newest snapshot was taken, seconds since the epoch; its age is now minus this.",
                &["partition"],
            )?,
            snapshot_seconds: histogram("assay_snapshot_seconds", "Time to write a snapshot.", &SECONDS)?,
            snapshot_bytes: gauges("assay_snapshot_bytes", "Size of the newest snapshot.", &["partition"])?,
            restore_seconds: floats("assay_restore_seconds", "Time to restore the newest snapshot.", &["partition"])?,
            restores: counters(
                "assay_restores_total",
                "Starts of a partition, by what it went on from: a snapshot, or the log's start.",
                &["partition", "from"],
            )?,
            damaged_snapshots: counters(
                "assay_damaged_snapshots_total",
                "Snapshots that could not be read and were passed over for an older one.",
                &["partition"],
            )?,
            paused: gauges("assay_paused_partitions", "1 where a partition does not go on.", &["partition", "reason"])?,
            spilled_chunks: put(registry, IntGauge::new("assay_spilled_chunks", "Chunks that wait for ClickHouse.")?)?,
            spilled_bytes: put(registry, IntGauge::new("assay_spilled_bytes", "Bytes that wait for ClickHouse.")?)?,
            erasures: put(registry, IntGauge::new("assay_waiting_erasures", "Units that wait to be erased.")?)?,
            commit_failures: put(
                registry,
                IntCounter::new(
                    "assay_commit_failures_total",
                    "Offsets that were not committed to the log's consumer group after a snapshot.",
                )?,
            )?,
            ticks: put(registry, IntCounter::new("assay_ticks_total", "Ticks appended to close looks.")?)?,
        })
    }

    pub(crate) fn insert(&self, table: &str, fine: bool, taken: Duration, bytes: usize) {
        let outcome = if fine { "ok" } else { "failed" };
        self.insert_seconds.with_label_values(&[table, outcome]).observe(taken.as_secs_f64());
        self.insert_bytes.observe(bytes as f64);
    }

    pub(crate) fn snapshot(&self, partition: u32, bytes: usize, taken: Duration, at_ms: i64) {
        let partition = partition.to_string();
        self.snapshot_seconds.observe(taken.as_secs_f64());
        self.snapshot_bytes.with_label_values(&[&partition]).set(bytes as i64);
        self.snapshot_timestamp.with_label_values(&[&partition]).set(at_ms / 1_000);
    }

    pub(crate) fn tick(&self) {
        self.ticks.inc();
    }

    /// `behind` is how far log time is behind the wall clock, `now_ms` that clock.
    pub(crate) fn lag(&self, topic: &str, partition: u32, offsets: u64, behind: f64, now_ms: i64) {
        let partition = partition.to_string();
        self.lag_offsets.with_label_values(&[topic, &partition]).set(offsets as i64);
        self.lag_seconds.with_label_values(&[topic, &partition]).set(if offsets == 0 { 0.0 } else { behind });
        self.watermark_lag.with_label_values(&[&partition]).set(behind);
        let taken = self.snapshot_timestamp.with_label_values(&[&partition]).get();
        if taken > 0 {
            self.snapshot_age.with_label_values(&[&partition]).set(now_ms / 1_000 - taken);
        }
    }

    /// A chunk's rows are in ClickHouse.
    pub(crate) fn delivered(&self, window_ms: i64, now_ms: i64) {
        self.row_latency.observe((now_ms - window_ms).max(0) as f64 / 1e3);
    }

    pub(crate) fn size(&self, partition: u32, size: Size) {
        let partition = partition.to_string();
        self.state_units.with_label_values(&[&partition]).set(size.units as i64);
        self.state_bytes.with_label_values(&[&partition, "units"]).set(size.unit_bytes as i64);
        self.state_bytes.with_label_values(&[&partition, "dedupe"]).set(size.dedupe_bytes as i64);
    }

    /// Adds what happened between two readings of the counters.
    pub(crate) fn progress(&self, records: usize, before: &Counters, after: &Counters, lookups: (Lookups, Lookups)) {
        self.batch_rows.observe(records as f64);
        let add = |result: &str, count: u64| self.events.with_label_values(&[result]).inc_by(count);
        let accepted = |counters: &Counters| counters.accepted.iter().sum::<u64>();
        add("accepted", accepted(after) - accepted(before));
        add("duplicate", after.duplicates - before.duplicates);
        add("control", after.control - before.control);
        for reason in Reason::ALL {
            let count = after.rejected(reason) - before.rejected(reason);
            if count > 0 {
                add(result(reason), count);
                self.dead_letters.with_label_values(&[reason.name()]).inc_by(count);
            }
        }
        let (old, new) = lookups;
        let found = |outcome: &str, count: u64| self.lookups.with_label_values(&[outcome]).inc_by(count);
        found("bloom_miss", new.proven_new - old.proven_new);
        found("exact_hit", new.known - old.known);
        found("bloom_false_positive", new.false_positive - old.false_positive);
    }
}

/// Under which result a rejection is counted; `assay_dlq_total` has every reason by its name.
fn result(reason: Reason) -> &'static str {
    match reason {
        Reason::Late | Reason::Future | Reason::UnknownExperiment => reason.name(),
        Reason::Malformed | Reason::UnknownSchema => "invalid",
        _ => "rejected",
    }
}
