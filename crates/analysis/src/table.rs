//! Results and sums as rows for ClickHouse, as JSON lines: a few hundred rows every few seconds, so legible beats compact.

use crate::fold::Analysis;
use crate::json::finite;
use crate::results::{Arm, ExperimentResult, MetricResult, Results};
use assay_experiment::Timestamp;
use serde_json::{Value as Json, json};

/// Columns that [`aggregate_rows`] fills.
pub const AGGREGATE_COLUMNS: &str = "experiment_id, salt, metric, variant, segment, segment_value, hour, units, nonzero, sum, \
    sum_squares, other_sum, other_squares, products, look, log, partition, next_offset";
/// Columns that [`result_rows`] fills.
pub const RESULT_COLUMNS: &str = "look, experiment_id, salt, metric, variant, segment, segment_value, control, units, sum, mean, variance, \
    difference, lift, status, p_value, p_value_running, ln_e, low, high, lift_low, lift_high, srm_p_value, split_ln_e, split_p_value, split_counts, \
    config_version, offsets";

/// Sums that changed since the last call, absolute, per partition.
pub fn aggregate_rows(analysis: &mut Analysis) -> Vec<u8> {
    let mut out = Vec::new();
    let Analysis { parts, sums, .. } = analysis;
    for (partition, part) in parts.iter_mut().enumerate() {
        let Some(head) = &part.head else { continue };
        let look = part.applied.unwrap_or_default();
        for (phase, known) in &mut part.experiments {
            let Some(sums) = sums.get(phase) else { continue };
            for key in std::mem::take(&mut known.changed) {
                let Some(block) = known.blocks.get(&key) else { continue };
                let metrics = block.cells.len().checked_div(block.units.len()).unwrap_or(0);
                let Some(variant) = sums.experiment.variants.get(usize::from(block.variant)) else { continue };
                for (row, about) in sums.rows.iter().enumerate().take(block.units.len()) {
                    let (segment, value) = about.segment.clone().unwrap_or_default();
                    // A partition has its metrics in the order in which it learned of them.
                    for (at, metric) in known.metrics.iter().enumerate().take(metrics) {
                        let cell = &block.cells[row * metrics + at];
                        let json = json!({
                            "experiment_id": phase.0, "salt": phase.1, "metric": metric, "variant": variant.name,
                            "segment": segment, "segment_value": value, "hour": block.hour.saturating_mul(3_600),
                            "units": cell.units, "nonzero": cell.nonzero, "sum": cell.y.to_string(),
                            "sum_squares": cell.yy.to_string(), "other_sum": cell.x.to_string(),
                            "other_squares": cell.xx.to_string(), "products": cell.xy.to_string(), "look": time(look),
                            "log": head.log, "partition": partition, "next_offset": head.next_offset,
                        });
                        line(&mut out, &json);
                    }
                }
            }
        }
    }
    out
}

/// Every number of a look.
pub fn result_rows(results: &Results) -> Vec<u8> {
    let mut out = Vec::new();
    let offsets: serde_json::Map<String, Json> = results
        .offsets
        .iter()
        .map(|(partition, (start, next, _))| (partition.to_string(), json!([start, next])))
        .collect();
    let offsets = Json::from(offsets).to_string();
    for experiment in &results.experiments {
        let mut rows = |segment: &str, value: &str, metrics: &[MetricResult]| {
            let (ln_e, p_value, counts) = split(experiment, segment, value);
            for metric in metrics {
                for arm in &metric.arms {
                    let mut json = arm_row(arm);
                    json["look"] = time(results.look);
                    json["experiment_id"] = json!(experiment.id);
                    json["salt"] = json!(experiment.salt);
                    json["metric"] = json!(metric.id);
                    json["segment"] = json!(segment);
                    json["segment_value"] = json!(value);
                    json["srm_p_value"] = json!(experiment.srm.p_value_running);
                    json["split_ln_e"] = finite(ln_e);
                    json["split_p_value"] = json!(p_value);
                    json["split_counts"] = json!(counts);
                    json["config_version"] = json!(results.config_version);
                    json["offsets"] = json!(offsets);
                    line(&mut out, &json);
                }
            }
        };
        rows("", "", &experiment.metrics);
        for segment in &experiment.segments {
            rows(&segment.attribute, &segment.value, &segment.metrics);
        }
    }
    out
}

/// Evidence on the split, its running p, and units per variant: of all units, or within the value of a segment.
fn split<'a>(experiment: &'a ExperimentResult, attribute: &str, value: &str) -> (f64, f64, &'a [i64]) {
    let srm = &experiment.srm;
    let within = srm.segments.iter().find(|it| it.attribute == attribute && it.value == value);
    let segment = experiment.segments.iter().find(|it| it.attribute == attribute && it.value == value);
    match within.zip(segment) {
        Some((split, segment)) => (split.ln_e, split.p_value_running, &segment.units),
        None => (srm.ln_e, srm.p_value_running, &srm.counts),
    }
}

fn arm_row(arm: &Arm) -> Json {
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    let mut json = json!({
        "variant": arm.variant, "control": arm.control, "units": arm.units, "sum": arm.sum, "mean": finite(arm.mean),
        "variance": finite(arm.variance), "status": "",
    });
    if let Some(comparison) = &arm.comparison {
        let full = arm.to_json();
        let look = &full["always_valid"];
        for name in ["p_value", "p_value_running", "ln_e", "low", "high", "lift_low", "lift_high", "status"] {
            json[name] = look[name].clone();
        }
        json["difference"] = json!(finite(comparison.difference));
        json["lift"] = json!(finite(comparison.lift));
    }
    json
}

/// DateTime64(3) reads seconds with a fraction.
fn time(at: Timestamp) -> Json {
    let millis = at.millis().max(0);
    json!(format!("{}.{:03}", millis / 1_000, millis % 1_000))
}

fn line(out: &mut Vec<u8>, json: &Json) {
    out.extend_from_slice(json.to_string().as_bytes());
    out.push(b'\n');
}
