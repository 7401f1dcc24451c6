//! Results, and their JSON: the same from the command line, over HTTP and in the results topic.

use crate::infer::Remembered;
use assay_aggregates::{Counters, Reason};
use assay_experiment::{
    Direction, Maturity, Method, MetricKind, Role, Span, Status as ExperimentStatus, Timestamp, Value, format_time,
};
use assay_statistics::always_valid::{self, Status};
use assay_statistics::bayesian::Posterior;
use assay_statistics::fixed_horizon::Test;
use assay_statistics::lift::Lift;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Everything at one look.
#[derive(Debug, Clone)]
pub struct Results {
    /// End of the look: the instant that the numbers are as of.
    pub look: Timestamp,
    /// Whether all partitions have closed this look; else some lag, and nothing may act on it.
    pub aligned: bool,
    /// Version of the definitions in force.
    pub config_version: u64,
    /// By id and start.
    pub experiments: Vec<ExperimentResult>,
    /// Over all partitions.
    pub counters: Counters,
    /// Per partition: first offset covered, one beyond the last, log time.
    pub offsets: BTreeMap<u32, (u64, u64, Timestamp)>,
    /// Identity of the log.
    pub log: String,
    /// Meaning of the fold.
    pub semantics: u32,
    /// Goes up when running values had to start anew.
    pub epoch: u64,
}

/// One experiment.
#[derive(Debug, Clone)]
pub struct ExperimentResult {
    /// Its id.
    pub id: String,
    /// For people.
    pub title: String,
    /// Who answers for it.
    pub owner: String,
    /// What is randomised.
    pub unit: String,
    /// Whether units enter.
    pub status: ExperimentStatus,
    /// Tells phases apart.
    pub salt: String,
    /// Name, whether it is the control, weight.
    pub variants: Vec<(String, bool, f64)>,
    /// Exposed, uncrossed units per variant.
    pub units: Vec<i64>,
    /// Units seen in several variants.
    pub crossed: i64,
    /// Exposures accepted.
    pub exposures: u64,
    /// By variant shown and library.
    pub misbucketed: BTreeMap<(u8, String), u64>,
    /// N*.
    pub planned_units: u64,
    /// Of the primary metric.
    pub alpha: f64,
    /// Which numbers decide.
    pub method: Method,
    /// Looks that counted for the running values.
    pub looks: u64,
    /// The split.
    pub srm: Srm,
    /// Over all units.
    pub metrics: Vec<MetricResult>,
    /// By segment value.
    pub segments: Vec<SegmentResult>,
}

/// Whether the arms have the sizes that the weights promise.
#[derive(Debug, Clone)]
pub struct Srm {
    /// Of the sequential test.
    pub ln_e: f64,
    /// Of this look.
    pub p_value: f64,
    /// The least so far, which decides.
    pub p_value_running: f64,
    /// Chi-square, for a declared look only.
    pub p_value_fixed: f64,
    /// Whether the split is broken.
    pub alarm: bool,
    /// First exposures per variant, crossed units too.
    pub counts: Vec<i64>,
}

/// A metric of an experiment.
#[derive(Debug, Clone)]
pub struct MetricResult {
    /// Its id.
    pub id: String,
    /// For people.
    pub name: String,
    /// What is computed.
    pub kind: MetricKind,
    /// What it is for.
    pub role: Role,
    /// Which way is better.
    pub direction: Direction,
    /// Which units are in n.
    pub maturity: Maturity,
    /// From the first exposure.
    pub window: Option<Span>,
    /// Upper limit of a unit's total.
    pub cap: Option<Value>,
    /// In millionths.
    pub minimum_effect: Option<i64>,
    /// In millionths.
    pub margin: Option<i64>,
    /// In the order of the variants.
    pub arms: Vec<Arm>,
    /// Units exposed lately.
    pub cohorts: Vec<Cohort>,
}

/// Units exposed in the last hours: units and sum per variant.
#[derive(Debug, Clone)]
pub struct Cohort {
    /// `24h` or `7d`.
    pub name: &'static str,
    /// In the order of the variants.
    pub arms: Vec<(i64, f64)>,
}

/// A variant's numbers.
#[derive(Debug, Clone)]
pub struct Arm {
    /// Its name.
    pub variant: String,
    /// Whether the others are compared with it.
    pub control: bool,
    /// Units in the metric's n.
    pub units: i64,
    /// Of the units' values, or of numerators.
    pub sum: f64,
    /// Of denominators.
    pub denominator: Option<f64>,
    /// Per unit, or the ratio.
    pub mean: Option<f64>,
    /// Between units.
    pub variance: Option<f64>,
    /// With the control; the control has none.
    pub comparison: Option<Comparison>,
}

/// A treatment compared with the control.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Treatment minus control.
    pub difference: Option<f64>,
    /// Treatment by control, minus 1.
    pub lift: Option<f64>,
    /// Lifts that are not ruled out.
    pub lift_set: Option<Lift>,
    /// Of this look.
    pub always_valid: always_valid::Comparison,
    /// Over all looks so far; `None` in provisional results.
    pub remembered: Option<Remembered>,
    /// Holm over the treatments.
    pub p_value_adjusted: f64,
    /// Valid at the planned end only.
    pub fixed_horizon: Option<Test>,
    /// Descriptive.
    pub posterior: Option<Posterior>,
    /// Units and events that an arm needs, and those that the smaller arm has.
    pub burn_in_needs: (f64, f64, f64, Option<f64>),
    /// The split is broken: decisions are refused.
    pub srm_blocked: bool,
}

/// Results of one segment value.
#[derive(Debug, Clone)]
pub struct SegmentResult {
    /// The attribute.
    pub attribute: String,
    /// Its value, or `other`.
    pub value: String,
    /// Per variant.
    pub units: Vec<i64>,
    /// As for all units.
    pub metrics: Vec<MetricResult>,
}

impl Results {
    /// As documented in `schemas/json/results.schema.json`.
    pub fn to_json(&self, build: &str) -> Json {
        let offsets: Map<String, Json> = self
            .offsets
            .iter()
            .map(|(partition, (start, next, _))| (partition.to_string(), json!([start, next])))
            .collect();
        let log_time = self.offsets.values().map(|(_, _, time)| *time).min().unwrap_or_default();
        json!({
            "look": format_time(self.look),
            "experiments": self.experiments.iter().map(|it| it.to_json(self.config_version)).collect::<Vec<_>>(),
            "events": events(&self.counters),
            "freshness": {
                "kind": if self.aligned { "aligned" } else { "provisional" },
                "log_time": format_time(log_time),
                "partitions": self.offsets.len(),
            },
            "provenance": {"log": self.log, "semantics": self.semantics, "epoch": self.epoch, "offsets": offsets, "build": build},
        })
    }
}

fn events(counters: &Counters) -> Json {
    // The two that people look for first are always there.
    let always = [Reason::Malformed, Reason::Late];
    let rejected: Map<String, Json> = Reason::ALL
        .iter()
        .map(|&reason| (reason, counters.rejected(reason)))
        .filter(|(reason, count)| *count > 0 || always.contains(reason))
        .map(|(reason, count)| (reason.name().to_owned(), json!(count)))
        .collect();
    let [exposures, conversions, retractions] = counters.originals;
    json!({
        "exposures": exposures, "conversions": conversions, "retractions": retractions,
        "duplicates": counters.duplicates, "unattributed": counters.unattributed(),
        "retracted": counters.retracted, "void_retractions": counters.void_retractions,
        "contradictions": counters.contradictions, "records": counters.records, "control": counters.control,
        "rejected": rejected,
    })
}

impl ExperimentResult {
    /// The experiment's part of the results.
    pub fn to_json(&self, config_version: u64) -> Json {
        let names = |values: &[i64]| -> Map<String, Json> {
            self.variants.iter().zip(values).map(|((name, ..), units)| (name.clone(), json!(units))).collect()
        };
        let misbucketed: Vec<Json> = self
            .misbucketed
            .iter()
            .map(|((variant, sdk), count)| json!({"variant": self.variants.get(usize::from(*variant)).map(|it| &it.0), "sdk": sdk, "exposures": count}))
            .collect();
        let total: f64 = self.variants.iter().map(|it| it.2).sum();
        let weights: Map<String, Json> = self.variants.iter().map(|it| (it.0.clone(), json!(it.2 / total))).collect();
        json!({
            "experiment": self.id, "title": self.title, "owner": self.owner, "unit": self.unit,
            "status": status_name(self.status), "config_version": config_version,
            "units": names(&self.units), "crossed_units": self.crossed, "exposures": self.exposures,
            "misbucketed": misbucketed, "planned_units": self.planned_units, "alpha": self.alpha, "looks_evaluated": self.looks,
            "method": method_name(self.method),
            "srm": {
                "ln_e": finite(self.srm.ln_e), "p_value": self.srm.p_value, "p_value_running": self.srm.p_value_running,
                "p_value_fixed": self.srm.p_value_fixed, "alarm": self.srm.alarm, "counts": names(&self.srm.counts), "expected": weights,
            },
            "metrics": self.metrics.iter().map(MetricResult::to_json).collect::<Vec<_>>(),
            "segments": self.segments.iter().map(|it| json!({
                "attribute": it.attribute, "value": it.value, "units": names(&it.units),
                "metrics": it.metrics.iter().map(MetricResult::to_json).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        })
    }
}

impl MetricResult {
    fn to_json(&self) -> Json {
        let cohorts: Map<String, Json> = self
            .cohorts
            .iter()
            .map(|cohort| {
                let arms: Map<String, Json> = self
                    .arms
                    .iter()
                    .zip(&cohort.arms)
                    .map(|(arm, (units, sum))| (arm.variant.clone(), json!({"units": units, "sum": sum})))
                    .collect();
                (cohort.name.to_owned(), arms.into())
            })
            .collect();
        let mut out = json!({
            "metric": self.id, "name": self.name, "type": kind_name(&self.kind), "role": role_name(self.role),
            "direction": if self.direction == Direction::Increase { "increase" } else { "decrease" },
            "maturity": if self.maturity == Maturity::Open { "open" } else { "matured" },
            "window_seconds": self.window.map(|window| window.0 / 1_000_000),
            "cap": self.cap.map(|cap| cap.0 as f64 / 1e6),
            "minimum_effect": self.minimum_effect.map(|effect| effect as f64 / 1e6),
            "margin": self.margin.map(|margin| margin as f64 / 1e6),
            "variants": self.arms.iter().map(Arm::to_json).collect::<Vec<_>>(),
        });
        if !cohorts.is_empty() {
            out["cohorts"] = cohorts.into();
        }
        out
    }
}

impl Arm {
    pub(crate) fn to_json(&self) -> Json {
        let mut out = json!({
            "variant": self.variant, "units": self.units, "sum": self.sum, "mean": optional(self.mean), "variance": optional(self.variance),
        });
        if let Some(denominator) = self.denominator {
            out["denominator"] = json!(denominator);
        }
        if self.control {
            out["control"] = json!(true);
        }
        if let Some(comparison) = &self.comparison {
            comparison.write(&mut out);
        }
        out
    }
}

impl Comparison {
    fn write(&self, out: &mut Json) {
        let (lift_low, lift_high) = match self.lift_set {
            Some(Lift::Bounded { low, high } | Lift::Exclusive { low, high }) => (finite(low), finite(high)),
            _ => (Json::Null, Json::Null),
        };
        let look = &self.always_valid;
        let mut always_valid = json!({
            "status": if self.srm_blocked { "srm_blocked" } else { look.status.name() },
            "p_value": look.p_value,
            "ln_e": finite(look.ln_e), "low": finite(look.low), "high": finite(look.high),
            "lift_low": lift_low, "lift_high": lift_high, "lift_shape": self.lift_set.map(|set| set.shape()),
            "standard_error": look.variance.map(|variance| variance.floor.sqrt()),
        });
        if let Some(remembered) = &self.remembered {
            always_valid["p_value_running"] = json!(remembered.running.p_value);
            always_valid["p_value_adjusted"] = json!(self.p_value_adjusted);
            always_valid["intersection"] =
                json!({"low": finite(remembered.running.low), "high": finite(remembered.running.high)});
            always_valid["drift_suspected"] = json!(remembered.running.drift_suspected());
            always_valid["crossed"] = remembered
                .crossed
                .map_or(Json::Null, |(look, units)| json!({"look": format_time(look), "units": units}));
        }
        if look.status == Status::BurnIn {
            let (units, events, has_units, has_events) = self.burn_in_needs;
            always_valid["burn_in"] = json!({"units_have": has_units, "units_need": units, "events_have": has_events, "events_need": has_events.map(|_| events)});
        }
        out["difference"] = optional(self.difference);
        out["lift"] = optional(self.lift);
        out["always_valid"] = always_valid;
        out["fixed_horizon"] = match &self.fixed_horizon {
            Some(test) => json!({"p_value": test.p_value, "low": finite(test.low), "high": finite(test.high)}),
            None => json!({"p_value": 1.0, "low": null, "high": null, "status": "degenerate"}),
        };
        out["bayesian"] = match &self.posterior {
            Some(posterior) => {
                json!({"chance_to_win": posterior.chance_to_win, "expected_loss": posterior.expected_loss})
            }
            None => json!({"chance_to_win": null, "expected_loss": null, "status": look.status.name()}),
        };
    }
}

/// Infinite and missing numbers are null; the status beside them says why.
fn finite(value: f64) -> Json {
    if value.is_finite() { json!(value) } else { Json::Null }
}

fn optional(value: Option<f64>) -> Json {
    value.map_or(Json::Null, finite)
}

/// As in definitions.
pub fn status_name(status: ExperimentStatus) -> &'static str {
    match status {
        ExperimentStatus::Draft => "draft",
        ExperimentStatus::Running => "running",
        ExperimentStatus::Paused => "paused",
        ExperimentStatus::Stopped => "stopped",
    }
}

fn method_name(method: Method) -> &'static str {
    match method {
        Method::AlwaysValid => "always_valid",
        Method::FixedHorizon => "fixed_horizon",
        Method::GroupSequential => "group_sequential",
        Method::Bayesian => "bayesian",
    }
}

/// As in definitions.
pub fn kind_name(kind: &MetricKind) -> &'static str {
    match kind {
        MetricKind::Conversion(_) => "conversion",
        MetricKind::Count(_) => "count",
        MetricKind::Sum(_) => "sum",
        MetricKind::Ratio { .. } => "ratio",
        MetricKind::Retention { .. } => "retention",
        MetricKind::Quantile { .. } => "quantile",
    }
}

/// As in definitions.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Primary => "primary",
        Role::Secondary => "secondary",
        Role::Guardrail => "guardrail",
    }
}
