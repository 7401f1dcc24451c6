//! An experiment in a row of a list, and what is wrong with it.

use crate::json::{lift_ends, optional, status_name, unit_of};
use crate::results::{ExperimentResult, MetricResult};
use crate::verdict::{Finding, Verdict, arm, drifts, pair_units};
use crate::words::Brief;
use assay_experiment::{Direction, Role, Status, format_time};
use serde_json::{Value as Json, json};

/// Share of exposures whose variant is not the hash's from which people have to be told.
const MISBUCKETED_MAX: f64 = 0.005;

/// What a list shows.
#[derive(Debug, Clone)]
pub struct Summary {
    /// A row.
    pub row: Json,
    /// Which part of the list it belongs to: `attention`, `decided`, `undecided` or `stopped`.
    pub group: &'static str,
    /// What is wrong, the worst first.
    pub alarms: Vec<Finding>,
}

impl Summary {
    /// Of an experiment at a look.
    pub fn of(experiment: &ExperimentResult) -> Summary {
        let verdict = Verdict::of(experiment);
        let alarms = alarms(experiment, &verdict);
        let group = match verdict.code {
            _ if experiment.status == Status::Stopped => "stopped",
            _ if !alarms.is_empty() => "attention",
            "better" | "better_may_be_small" | "worse" | "no_difference" => "decided",
            _ => "undecided",
        };
        let primary = experiment.metrics.iter().find(|metric| metric.role == Role::Primary);
        let mut codes: Vec<&str> = alarms.iter().map(|it| it.code).collect();
        codes.dedup();
        let shown = primary.and_then(|metric| comparison(metric, verdict.variant.as_deref()));
        let said = Brief::of(experiment, &verdict, &codes);
        let row = json!({
            "experiment": experiment.id, "title": experiment.title, "owner": experiment.owner, "unit_name": experiment.unit_name,
            "status": status_name(experiment.status), "group": group, "started": experiment.started.map(format_time),
            "days_running": optional(experiment.days_running), "units": experiment.units.iter().sum::<i64>(),
            "pair_units": pair_units(experiment, primary), "planned_units": experiment.planned_units,
            "verdict": verdict.to_json(), "primary": shown, "alarms": codes,
            "said": said.to_json(),
        });
        Summary { row, group, alarms }
    }
}

/// What people have to be told at once.
fn alarms(experiment: &ExperimentResult, verdict: &Verdict) -> Vec<Finding> {
    let metrics = || experiment.metrics.iter().flat_map(|metric| metric.arms.iter().map(move |it| (metric, it)));
    let harm = metrics().filter(|(metric, _)| metric.role == Role::Guardrail).filter_map(|(metric, it)| {
        let finding = arm(experiment, metric, it)?;
        (finding.code == "harm").then_some(Finding { code: "guardrail_harm", ..finding })
    });
    let drift = metrics().filter(|(metric, it)| {
        metric.role == Role::Primary && it.comparison.as_ref().is_some_and(|it| drifts(metric, it))
    });
    let drift = drift.filter_map(|(metric, it)| Some(Finding { code: "drift", ..arm(experiment, metric, it)? }));
    let mut found: Vec<Finding> = harm.chain(verdict.blocked_by.iter().cloned()).chain(drift).collect();
    let misbucketed: u64 = experiment.misbucketed.values().sum();
    let share = misbucketed as f64 / experiment.exposures.max(1) as f64;
    if share > MISBUCKETED_MAX {
        let arguments = json!({"share": share});
        found.push(Finding { code: "misbucketed", arguments: arguments.as_object().cloned().unwrap_or_default() });
    }
    found
}

/// The arm that the verdict is about, or the first treatment.
fn comparison(metric: &MetricResult, variant: Option<&str>) -> Option<Json> {
    let treatments = || metric.arms.iter().filter(|arm| !arm.control);
    let arm = treatments().find(|arm| Some(arm.variant.as_str()) == variant).or_else(|| treatments().next())?;
    let compared = arm.comparison.as_ref()?;
    let (low, high) = lift_ends(compared.lift_set);
    Some(json!({
        "metric": metric.id, "name": metric.name, "unit": unit_of(metric), "variant": arm.variant,
        "direction": if metric.direction == Direction::Increase { "increase" } else { "decrease" },
        "lift": optional(compared.lift), "lift_low": low, "lift_high": high, "lift_shape": compared.lift_set.map(|set| set.shape()),
        "status": compared.status(), "minimum_effect": metric.minimum_effect.map(|it| it as f64 / 1e6),
    }))
}
