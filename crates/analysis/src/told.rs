//! Evidence beside the comparisons, as JSON: guardrails, segments, balance, shares, how late the numbers are.

use crate::findable::Findable;
use crate::guardrails::GuardrailResult;
use crate::json::{finite, lift_ends, optional};
use crate::projected::Projected;
use crate::results::{Arm, Balance, ExperimentResult, Freshness, Heterogeneity, SegmentSplit, Stratified};
use crate::weeks::{Week, WeekArm};
use crate::words::waits;
use assay_aggregates::{ByReason, Rejected};
use assay_experiment::format_time;
use serde_json::{Value as Json, json};

impl Freshness {
    /// A cut that a partition holds back is what people have to know before anything else about why to believe it.
    pub(crate) fn amend(&self, experiment: &mut Json) {
        if self.is_late() {
            let mut arguments = json!({"age_ms": self.age.0 / 1_000});
            if let Some(partition) = self.held_by {
                arguments["partition"] = json!(partition);
            }
            experiment["verdict"]["why"] = json!({"code": "wait", "arguments": arguments});
            experiment["said"]["answers"]["why"] = waits(self.age, self.held_by).to_json();
        }
    }
}

/// Shares that should be small.
pub(crate) fn shares(experiment: &ExperimentResult) -> Json {
    let units = experiment.units.iter().sum::<i64>() + experiment.crossed;
    let exposures = experiment.exposures;
    let of = |count: u64| if exposures > 0 { json!(count as f64 / exposures as f64) } else { Json::Null };
    let crossed = if units > 0 { json!(experiment.crossed as f64 / units as f64) } else { Json::Null };
    json!({"crossed": crossed, "misbucketed": of(experiment.misbucketed.values().sum()), "outside": of(experiment.outside)})
}

/// One attribute's balance.
pub(crate) fn balance(it: &Balance) -> Json {
    json!({
        "attribute": it.attribute, "std_difference": finite(it.std_difference), "p_value_fixed": it.p_value_fixed,
        "p_value_running": it.p_value_running,
    })
}

/// The split within a segment value.
pub(crate) fn split(it: &SegmentSplit) -> Json {
    json!({
        "attribute": it.attribute, "value": it.value, "ln_e": finite(it.ln_e), "p_value_running": it.p_value_running,
        "p_value_adjusted": it.p_value_adjusted, "alarm": it.alarm,
    })
}

/// Differences between segments.
pub(crate) fn heterogeneity(it: &Heterogeneity) -> Json {
    let (q, df, i_squared, p_value) =
        it.test.map_or((None, 0, None, None), |(q, df, i, p)| (Some(q), df, Some(i), Some(p)));
    json!({
        "metric": it.metric, "attribute": it.attribute, "variant": it.variant, "status": status(it.supported, it.test.is_some()),
        "values": it.values, "q": optional(q), "df": df, "i_squared": optional(i_squared), "p_value_fixed": optional(p_value),
        "p_value_bh": optional(it.p_value_bh),
    })
}

/// The effect as an average over segments.
pub(crate) fn stratified(it: &Stratified) -> Json {
    json!({
        "metric": it.metric, "attribute": it.attribute, "variant": it.variant, "status": status(it.supported, it.average.is_some()),
        "total": optional(it.total), "stratified": optional(it.average.map(|it| it.0)),
        "standard_error": optional(it.average.map(|it| it.1)), "reversal": it.reversal, "shifted": it.shifted, "alarm": it.alarm(),
    })
}

/// One-sided evidence.
pub(crate) fn guardrail(it: &GuardrailResult) -> Json {
    json!({
        "margin": optional(it.margin), "status": it.status(),
        "safe_ln_e": optional(it.look.filter(|_| it.margin.is_some()).map(|look| look.safe.ln_e)),
        "harm_ln_e": optional(it.look.map(|look| look.harm.ln_e)),
        "safe_p_value_running": if it.margin.is_some() { it.running.safe } else { 1.0 }, "harm_p_value_running": it.running.harm,
        "decision": it.decision.name(),
    })
}

/// What can still be found.
pub(crate) fn findable(it: Option<&Findable>, unsupported: bool) -> Json {
    let lift = |effect: Option<f64>| {
        let relative =
            it.filter(|it| it.control_mean != 0.0).zip(effect).map(|(it, effect)| effect / it.control_mean.abs());
        optional(relative)
    };
    let (then, now) = (it.map(|it| it.then), it.map(|it| it.now));
    json!({
        "status": status(!unsupported, it.is_some()), "units": it.map_or(0, |it| it.units), "difference": optional(then),
        "lift": lift(then), "difference_now": optional(now), "lift_now": lift(now),
    })
}

/// When a comparison of a pair with so many units would be clear of its minimum.
pub(crate) fn projected(experiment: &ExperimentResult, units: u64, it: &Projected) -> Json {
    let left = it.units_left(units);
    json!({"status": it.status(), "units": it.units(), "units_left": left, "days_left": optional(it.days_left(experiment, units))})
}

/// Rejected exposures by reason, with the place of the last one.
pub(crate) fn rejected(all: &ByReason) -> Json {
    let one = |it: &Rejected| json!({"exposures": it.exposures, "partition": it.partition, "offset": it.offset});
    all.iter().map(|(reason, it)| (reason.name().to_owned(), one(it))).collect::<serde_json::Map<_, _>>().into()
}

/// One week, on its own.
pub(crate) fn week(arms: &[Arm], it: &Week) -> Json {
    let variants: Vec<Json> = arms.iter().zip(&it.arms).map(|(arm, own)| week_arm(&arm.variant, own)).collect();
    json!({"week": it.number, "from": format_time(it.from), "to": format_time(it.to), "variants": variants})
}

fn week_arm(variant: &str, it: &WeekArm) -> Json {
    let mut out = json!({"variant": variant, "units": it.units, "mean": optional(it.mean)});
    if let Some(compared) = &it.compared {
        let (lift_low, lift_high) = lift_ends(compared.lift_set);
        out["difference"] = optional(compared.test.map(|test| test.difference));
        out["low"] = optional(compared.test.map(|test| test.low));
        out["high"] = optional(compared.test.map(|test| test.high));
        out["lift"] = optional(compared.lift);
        out["lift_low"] = lift_low;
        out["lift_high"] = lift_high;
        out["lift_shape"] = json!(compared.lift_set.map(|set| set.shape()));
    }
    out
}

fn status(supported: bool, known: bool) -> &'static str {
    match (supported, known) {
        (false, _) => "unsupported",
        (_, false) => "too_few",
        _ => "ok",
    }
}
