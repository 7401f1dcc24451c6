//! Results as JSON: the same from the command line, over HTTP and in the results topic. `schemas/json/results.schema.json` says what each
//! field means.

use crate::findable::INFLATION;
use crate::results::{Arm, Cohort, Comparison, ExperimentResult, Freshness, MetricResult, Results, SegmentResult, Srm};
use crate::service::View;
use crate::told;
use crate::verdict::{Verdict, arm};
use crate::words::{Said, checks_json, of_events, pill};
use assay_aggregates::{Counters, Reason};
use assay_experiment::{Direction, Maturity, Method, MetricKind, Role, Status as ExperimentStatus, format_time};
use assay_statistics::always_valid::Status;
use assay_statistics::lift::Lift;
use serde_json::{Map, Value as Json, json};

impl View {
    /// The aligned results with how fresh they are, and the provisional ones beside them where there are any.
    pub fn to_json(&self, build: &str) -> Json {
        let mut json = self.aligned.to_json(build);
        for experiment in json["experiments"].as_array_mut().into_iter().flatten() {
            self.freshness.amend(experiment);
        }
        self.freshness.write(&mut json["freshness"]);
        json["provisional"] = self.provisional.as_ref().map_or(Json::Null, |newer| newer.to_json(build));
        json
    }
}

impl Freshness {
    fn write(&self, out: &mut Json) {
        out["age_ms"] = json!(self.age.0 / 1_000);
        out["held_by"] = json!(self.held_by);
        out["versions_differ"] = json!(self.versions_differ);
        out["state"] = json!(self.state());
    }
}

impl Results {
    /// Everything at this look; nothing in it depends on when or where it was computed.
    pub fn to_json(&self, build: &str) -> Json {
        let experiments = self.experiments.iter().map(|it| it.to_json(self)).collect();
        self.with(experiments, build)
    }

    /// The same with these experiments.
    pub(crate) fn with(&self, experiments: Vec<Json>, build: &str) -> Json {
        let offsets: Map<String, Json> = self
            .offsets
            .iter()
            .map(|(partition, (start, next, _))| (partition.to_string(), json!([start, next])))
            .collect();
        let log_time = self.offsets.values().map(|(_, _, time)| *time).min().unwrap_or_default();
        json!({
            "look": format_time(self.look),
            "experiments": experiments,
            "events": events(&self.counters),
            "freshness": {
                "kind": if self.aligned { "aligned" } else { "provisional" },
                "log_time": format_time(log_time),
                "partitions": self.partitions,
                "closed": self.closed,
            },
            "provenance": {
                "log": self.log, "semantics": self.semantics, "epoch": self.epoch, "config_version": self.config_version,
                "offsets": offsets, "build": build,
            },
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
        "rejected": rejected, "said": checks_json(&of_events(counters)),
    })
}

impl ExperimentResult {
    /// The experiment's part of the results.
    pub fn to_json(&self, results: &Results) -> Json {
        let mut json = self.head(results);
        json["metrics"] = self.metrics.iter().map(|it| self.metric(it, true)).collect();
        json["segments"] = self.segments.iter().map(|it| self.segment(it, it.metrics.iter().collect())).collect();
        json
    }

    /// Everything but the metrics.
    pub(crate) fn head(&self, results: &Results) -> Json {
        let misbucketed: Vec<Json> = self
            .misbucketed
            .iter()
            .map(|((variant, sdk), count)| {
                let shown = self.variants.get(usize::from(*variant)).map(|it| &it.0);
                json!({"variant": shown, "sdk": sdk, "exposures": count, "share": *count as f64 / self.exposures.max(1) as f64})
            })
            .collect();
        let variant = |((variant, control, weight), title): (&(String, bool, f64), &String)| json!({"variant": variant, "name": title, "control": control, "weight": weight});
        let variants: Vec<Json> = self.variants.iter().zip(&self.titles).map(variant).collect();
        let verdict = Verdict::of(self);
        json!({
            "experiment": self.id, "salt": self.salt, "in_force": self.in_force,
            "title": self.title, "hypothesis": self.hypothesis, "owner": self.owner, "plan_hash": self.plan_hash,
            "days_running": optional(self.days_running), "shares": told::shares(self), "verdict": verdict.to_json(), "said": Said::of(self, &verdict, results.look).to_json(),
            "unit": self.unit, "unit_name": self.unit_name,
            "status": status_name(self.status), "config_version": results.config_version,
            "variants": variants, "started": self.started.map(format_time), "units_per_day": optional(self.units_per_day),
            "units": self.by_variant(&self.units), "crossed_units": self.crossed,
            "exposures": self.exposures, "exposures_outside": self.outside, "exposures_lost": self.lost,
            "misbucketed": misbucketed, "rejected": told::rejected(&self.rejected),
            "planned_units": self.planned_units, "max_units": self.max_units(),
            "alpha": self.alpha, "looks_evaluated": self.looks,
            "method": method_name(self.method), "deciding": deciding(self.method),
            "srm": self.srm(&self.srm),
            "balance": self.balance.iter().map(told::balance).collect::<Vec<_>>(),
            "heterogeneity": self.heterogeneity.iter().map(told::heterogeneity).collect::<Vec<_>>(),
            "stratified": self.stratified.iter().map(told::stratified).collect::<Vec<_>>(),
        })
    }

    /// A segment with some of its metrics.
    pub(crate) fn segment(&self, segment: &SegmentResult, metrics: Vec<&MetricResult>) -> Json {
        json!({
            "attribute": segment.attribute, "value": segment.value, "units": self.by_variant(&segment.units),
            "planned_units": self.planned_units,
            "metrics": metrics.into_iter().map(|it| self.metric(it, false)).collect::<Vec<_>>(),
        })
    }

    /// A metric with what can be said of each arm; in words too where it is over all units, because segments decide nothing and are many.
    pub(crate) fn metric(&self, metric: &MetricResult, in_words: bool) -> Json {
        let mut json = metric.to_json();
        for (it, out) in metric.arms.iter().zip(json["variants"].as_array_mut().into_iter().flatten()) {
            if let Some(finding) = arm(self, metric, it) {
                out["verdict"] = finding.to_json();
                if in_words {
                    let share = |millionths: Option<i64>| millionths.map(|it| it as f64 / 1e6);
                    let said = pill(&finding, share(metric.minimum_effect), share(metric.margin));
                    out["verdict"]["said"] = said.to_json();
                }
            }
            if let Some((compared, projected)) = it.comparison.as_ref().and_then(|it| Some((it, it.projected?))) {
                out["projected"] = told::projected(self, compared.always_valid.units as u64, &projected);
            }
        }
        json
    }

    /// Units of the pair at which its plan is used up; `None` where the plan is its only size.
    pub(crate) fn max_units(&self) -> Option<u64> {
        (self.method == Method::AlwaysValid).then(|| (INFLATION * self.planned_units as f64).ceil() as u64)
    }

    fn by_variant(&self, values: &[i64]) -> Map<String, Json> {
        self.variants.iter().zip(values).map(|((name, ..), units)| (name.clone(), json!(units))).collect()
    }

    fn srm(&self, srm: &Srm) -> Json {
        let total: f64 = self.variants.iter().map(|it| it.2).sum();
        let expected: Map<String, Json> = self.variants.iter().map(|it| (it.0.clone(), finite(it.2 / total))).collect();
        json!({
            "ln_e": finite(srm.ln_e), "p_value": srm.p_value, "p_value_running": srm.p_value_running,
            "p_value_fixed": srm.p_value_fixed, "threshold": srm.threshold, "alarm": srm.alarm,
            "counts": self.by_variant(&srm.counts), "expected": expected,
            "segments": srm.segments.iter().map(told::split).collect::<Vec<_>>(),
        })
    }
}

impl MetricResult {
    pub(crate) fn to_json(&self) -> Json {
        let mut out = json!({
            "metric": self.id, "name": self.name, "type": kind_name(&self.kind), "role": role_name(self.role),
            "unit": unit_of(self),
            "direction": if self.direction == Direction::Increase { "increase" } else { "decrease" },
            "maturity": if self.maturity == Maturity::Open { "open" } else { "matured" },
            "window_seconds": self.window.map(|window| window.0 / 1_000_000),
            "cap": self.cap.map(|cap| cap.0 as f64 / 1e6),
            "minimum_effect": self.minimum_effect.map(|effect| effect as f64 / 1e6),
            "margin": self.margin.map(|margin| margin as f64 / 1e6),
            "variants": self.arms.iter().map(Arm::to_json).collect::<Vec<_>>(),
        });
        if let Some((inside, all)) = self.inside {
            let share = if all > 0 { json!(inside as f64 / all as f64) } else { Json::Null };
            out["inside_window"] = json!({"units": inside, "share": share});
        }
        if !self.cohorts.is_empty() {
            out["cohorts"] = self.cohorts.iter().map(|it| (it.name.to_owned(), self.cohort(it))).collect();
            out["weeks"] = self.weeks.iter().map(|it| told::week(&self.arms, it)).collect();
        }
        out
    }

    fn cohort(&self, cohort: &Cohort) -> Json {
        let arms: Map<String, Json> = self
            .arms
            .iter()
            .zip(&cohort.arms)
            .map(|(arm, it)| {
                (arm.variant.clone(), json!({"units": it.units, "sum": it.sum, "mean": optional(it.mean)}))
            })
            .collect();
        json!({"from": format_time(cohort.from), "to": format_time(cohort.to), "variants": arms})
    }
}

impl Arm {
    pub(crate) fn to_json(&self) -> Json {
        let error = self.variance.map(|variance| (variance / self.units as f64).sqrt());
        let mut out = json!({
            "variant": self.variant, "units": self.units, "sum": self.sum, "mean": optional(self.mean), "variance": optional(self.variance),
            "standard_error": optional(error),
        });
        if let Some(denominator) = self.denominator {
            out["denominator"] = json!(denominator);
        }
        if self.control {
            out["control"] = json!(true);
        }
        if let Some(comparison) = &self.comparison {
            out["difference"] = optional(comparison.difference);
            out["lift"] = optional(comparison.lift);
            out["always_valid"] = comparison.always_valid();
            out["fixed_horizon"] = comparison.fixed_horizon();
            out["bayesian"] = comparison.bayesian();
            if let Some(guardrail) = &comparison.guardrail {
                out["guardrail"] = told::guardrail(guardrail);
            }
            if let Some(findable) = &comparison.findable {
                out["findable"] = told::findable(findable.as_ref(), comparison.unsupported);
            }
        }
        out
    }
}

impl Comparison {
    fn always_valid(&self) -> Json {
        let (lift_low, lift_high) = lift_ends(self.lift_set);
        let look = &self.always_valid;
        let known = |value: Json| if self.unsupported { Json::Null } else { value };
        let mut out = json!({
            "status": self.status(),
            "p_value": known(json!(look.p_value)),
            "ln_e": known(finite(look.ln_e)), "low": finite(look.low), "high": finite(look.high),
            "lift_low": lift_low, "lift_high": lift_high, "lift_shape": self.lift_set.map(|set| set.shape()),
            "standard_error": look.variance.map(|variance| variance.floor.sqrt()),
        });
        if let Some(remembered) = &self.remembered {
            out["p_value_running"] = known(json!(remembered.running.p_value));
            out["intersection"] =
                json!({"low": finite(remembered.running.low), "high": finite(remembered.running.high)});
            out["drift_suspected"] = json!(remembered.running.drift_suspected());
            out["crossed"] = remembered.crossed.map_or(
                Json::Null,
                |it| json!({"look": format_time(it.look), "units": it.units, "lift": optional(it.lift)}),
            );
        }
        if let Some(adjusted) = self.p_value_adjusted {
            out["p_value_adjusted"] = known(json!(adjusted));
        }
        if !self.unsupported && look.status == Status::BurnIn {
            let (units, events, has_units, has_events) = self.burn_in_needs;
            out["burn_in"] = json!({
                "units_have": has_units, "units_need": units,
                "events_have": has_events, "events_need": has_events.map(|_| events),
            });
        }
        out
    }

    fn fixed_horizon(&self) -> Json {
        match &self.fixed_horizon {
            Some(test) => json!({"p_value": test.p_value, "low": finite(test.low), "high": finite(test.high)}),
            None if self.unsupported => {
                json!({"p_value": null, "low": null, "high": null, "status": self.status()})
            }
            None => json!({"p_value": 1.0, "low": null, "high": null, "status": "degenerate"}),
        }
    }

    fn bayesian(&self) -> Json {
        match &self.posterior {
            Some(it) => json!({"chance_to_win": it.chance_to_win, "expected_loss": it.expected_loss}),
            None => json!({"chance_to_win": null, "expected_loss": null, "status": self.posterior_status()}),
        }
    }

    /// Why there is no posterior.
    fn posterior_status(&self) -> &'static str {
        match self.always_valid.status {
            _ if self.unsupported => "unsupported",
            // The prior is on the lift, which a control without mean does not have.
            Status::Ok => "no_lift",
            status => status.name(),
        }
    }
}

/// Infinite and missing numbers are null; the status beside them says why.
pub(crate) fn finite(value: f64) -> Json {
    if value.is_finite() { json!(value) } else { Json::Null }
}

pub(crate) fn optional(value: Option<f64>) -> Json {
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

pub(crate) fn method_name(method: Method) -> &'static str {
    match method {
        Method::AlwaysValid => "always_valid",
        Method::FixedHorizon => "fixed_horizon",
        Method::GroupSequential => "group_sequential",
        Method::Bayesian => "bayesian",
    }
}

/// Which of the numbers decide. The other methods are not computed yet: then the always-valid numbers are shown and decide nothing.
fn deciding(method: Method) -> &'static str {
    match method {
        Method::AlwaysValid => "always_valid",
        Method::FixedHorizon => "fixed_horizon",
        Method::GroupSequential | Method::Bayesian => "nothing",
    }
}

/// Where a set of lifts ends, or what its middle is that it leaves out; null where it has no such end.
pub(crate) fn lift_ends(set: Option<Lift>) -> (Json, Json) {
    match set {
        Some(Lift::Bounded { low, high } | Lift::Exclusive { low, high }) => (finite(low), finite(high)),
        _ => (Json::Null, Json::Null),
    }
}

/// What a mean of the metric is.
pub(crate) fn unit_of(metric: &MetricResult) -> &str {
    match &metric.kind {
        _ if !metric.unit.is_empty() => &metric.unit,
        MetricKind::Conversion(_) | MetricKind::Retention { .. } => "rate",
        MetricKind::Ratio { .. } => "ratio",
        MetricKind::Count(_) => "events",
        MetricKind::Sum(_) | MetricKind::Quantile { .. } => "value",
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
