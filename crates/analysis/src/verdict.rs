//! What can be said of an experiment: codes with arguments, from its results alone; `words` makes sentences of them.
//!
//! A comparison gets a code first ([`arm`]); the experiment's code is that of its best arm on the first primary metric; then come the four answers:
//! is it safe, is it working, can it be stopped, why believe it. In each the first rule that matches holds. Nothing here decides anew: decisions
//! are running p-values, and what they have decided stays.

use crate::findable::INFLATION;
use crate::guardrails::{Decision, GuardrailResult};
use crate::json::{finite, lift_ends, optional};
use crate::results::{Arm, Comparison, ExperimentResult, MetricResult};
use assay_experiment::{Direction, Maturity, Method, Role, Status as ExperimentStatus, format_time};
use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid::Status;
use assay_statistics::guardrail::{Better, Guardrail, Margin};
use assay_statistics::lift::{Lift, Mean, fieller};
use assay_statistics::moments;
use assay_statistics::multiplicity;
use assay_statistics::sides::Sides;
use serde_json::{Map, Value as Json, json};

/// A code, and what it needs to become a sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What; see the schema of results.
    pub code: &'static str,
    /// Names and numbers.
    pub arguments: Map<String, Json>,
}

/// Everything that can be said.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// About the primary metric.
    pub code: &'static str,
    /// The arm that it is about.
    pub variant: Option<String>,
    /// Each treatment on the first primary metric: its name, the metric, and what is found.
    pub arms: Vec<(String, String, Finding)>,
    /// Is it safe?
    pub safe: Finding,
    /// Is it working?
    pub working: Finding,
    /// Can it be stopped?
    pub stop: Finding,
    /// Why believe it?
    pub why: Finding,
    /// Why decisions are refused.
    pub blocked_by: Vec<Finding>,
}

/// A decision within the first week may rest on weekdays only.
const WEEK_DAYS: f64 = 7.0;
/// Shares above which numbers are to be taken with care.
const REJECTED_MAX: f64 = 0.001;
const CROSSED_MAX: f64 = 0.005;
const LATE_MAX: f64 = 0.01;
/// Codes from the best to the worst: the experiment's is that of its best arm.
const RANK: [&str; 11] = [
    "better",
    "better_may_be_small",
    "drift",
    "not_shown",
    "before_plan",
    "waiting",
    "no_difference",
    "worse",
    "no_method",
    "degenerate",
    "unsupported",
];

impl Finding {
    fn new(code: &'static str, arguments: Json) -> Finding {
        let arguments = match arguments {
            Json::Object(arguments) => arguments,
            _ => Map::new(),
        };
        Finding { code, arguments }
    }

    fn plain(code: &'static str) -> Finding {
        Finding { code, arguments: Map::new() }
    }

    fn with(mut self, name: &str, value: Json) -> Finding {
        self.arguments.insert(name.to_owned(), value);
        self
    }

    /// As in results.
    pub fn to_json(&self) -> Json {
        json!({"code": self.code, "arguments": self.arguments})
    }
}

impl Verdict {
    /// Of an experiment at a look.
    pub fn of(experiment: &ExperimentResult) -> Verdict {
        let blocked_by = blocked_by(experiment);
        let primary = experiment.metrics.iter().find(|metric| metric.role == Role::Primary);
        let arms: Vec<(String, String, Finding)> = primary.map_or_else(Vec::new, |metric| {
            let treatments = metric.arms.iter().filter(|arm| !arm.control);
            treatments
                .filter_map(|it| Some((it.variant.clone(), metric.id.clone(), arm(experiment, metric, it)?)))
                .collect()
        });
        let rank = |code: &str| RANK.iter().position(|known| *known == code).unwrap_or(RANK.len());
        let best = arms.iter().min_by_key(|(_, _, finding)| rank(finding.code));
        let nobody = experiment.units.iter().sum::<i64>() + experiment.crossed == 0;
        let (code, variant) = match best {
            _ if nobody => ("no_data", None),
            _ if !blocked_by.is_empty() => ("blocked", None),
            None => ("no_primary", None),
            Some((variant, _, finding)) => (finding.code, Some(variant.clone())),
        };
        let safe = safe(experiment, &blocked_by);
        let stop = stop(experiment, primary, code, &arms);
        Verdict { working: working(code, best), code, variant, safe, stop, why: why(experiment), blocked_by, arms }
    }

    /// As in results.
    pub fn to_json(&self) -> Json {
        let arm = |(variant, metric, finding): &(String, String, Finding)| json!({"variant": variant, "metric": metric, "code": finding.code, "arguments": finding.arguments});
        json!({
            "code": self.code, "variant": self.variant, "arms": self.arms.iter().map(arm).collect::<Vec<_>>(),
            "safe": self.safe.to_json(), "working": self.working.to_json(), "stop": self.stop.to_json(), "why": self.why.to_json(),
            "blocked_by": self.blocked_by.iter().map(Finding::to_json).collect::<Vec<_>>(),
        })
    }
}

/// Why decisions are refused: the split, the split within a segment, segments that contradict their total where the total has decided something.
fn blocked_by(experiment: &ExperimentResult) -> Vec<Finding> {
    let mut found = Vec::new();
    let srm = &experiment.srm;
    let total: f64 = experiment.variants.iter().map(|it| it.2).sum();
    let expected =
        || -> Map<String, Json> { experiment.variants.iter().map(|it| (it.0.clone(), finite(it.2 / total))).collect() };
    let counted = |counts: &[i64]| -> Map<String, Json> {
        experiment.variants.iter().zip(counts).map(|(it, count)| (it.0.clone(), json!(count))).collect()
    };
    if srm.alarm {
        let arguments = json!({"p_value": srm.p_value_running, "counts": counted(&srm.counts), "expected": expected()});
        found.push(Finding::new("srm", arguments));
    }
    for it in srm.segments.iter().filter(|it| it.alarm) {
        let segment =
            experiment.segments.iter().find(|known| known.attribute == it.attribute && known.value == it.value);
        let arguments = json!({
            "attribute": it.attribute, "value": it.value, "p_value": it.p_value_adjusted,
            "counts": counted(segment.map_or(&[], |it| &it.units)), "expected": expected(),
        });
        found.push(Finding::new("srm_segment", arguments));
    }
    for it in experiment.stratified.iter().filter(|it| it.alarm()) {
        let metric = experiment.metrics.iter().find(|metric| metric.id == it.metric);
        let arm = metric.and_then(|metric| Some((metric, metric.arms.iter().find(|arm| arm.variant == it.variant)?)));
        // Around zero the signs of segments are noise; what must not happen is that a decision rests on a mixture.
        let decided = arm.is_some_and(|(metric, arm)| is_decided(experiment, metric, arm));
        if decided {
            let arguments = json!({
                "attribute": it.attribute, "variant": it.variant, "metric": it.metric, "total": optional(it.total),
                "stratified": optional(it.average.map(|it| it.0)),
            });
            found.push(Finding::new("simpson", arguments));
        }
    }
    found
}

/// The p-value that decides about an arm by the experiment's method; `None` where none does.
fn deciding_p(experiment: &ExperimentResult, metric: &MetricResult, arm: &Arm) -> Option<f64> {
    let comparison = arm.comparison.as_ref()?;
    match experiment.method {
        Method::AlwaysValid => {
            let running = comparison.remembered.map_or(comparison.always_valid.p_value, |it| it.running.p_value);
            Some(comparison.p_value_adjusted.unwrap_or(running))
        }
        Method::FixedHorizon if at_plan(experiment, comparison) => {
            // One family, as for running values: the treatments of the primary metric.
            let of = |arm: &&Arm| arm.comparison.as_ref().map(|it| it.fixed_horizon.map_or(1.0, |test| test.p_value));
            let treatments: Vec<&Arm> = metric.arms.iter().filter(|arm| !arm.control).collect();
            let p_values: Vec<f64> = treatments.iter().filter_map(of).collect();
            let adjusted = if metric.role == Role::Primary { multiplicity::holm(&p_values) } else { p_values };
            let position = treatments.iter().position(|it| it.variant == arm.variant)?;
            adjusted.get(position).copied()
        }
        Method::FixedHorizon | Method::GroupSequential | Method::Bayesian => None,
    }
}

fn at_plan(experiment: &ExperimentResult, comparison: &Comparison) -> bool {
    comparison.always_valid.units >= experiment.planned_units as f64
}

fn is_decided(experiment: &ExperimentResult, metric: &MetricResult, arm: &Arm) -> bool {
    deciding_p(experiment, metric, arm).is_some_and(|p| p < experiment.alpha)
}

/// What can be said of a treatment on a metric; `None` for the control.
pub(crate) fn arm(experiment: &ExperimentResult, metric: &MetricResult, arm: &Arm) -> Option<Finding> {
    let comparison = arm.comparison.as_ref()?;
    let base = metric.arms.iter().find(|arm| arm.control)?;
    let finding = |code| numbers(code, experiment, metric, base, arm, comparison);
    if let Some(guardrail) = &comparison.guardrail {
        return Some(guarded(finding(guardrail.decision.name()), guardrail, comparison));
    }
    if comparison.unsupported {
        return Some(Finding::new("unsupported", json!({"metric": metric.id, "variant": arm.variant})));
    }
    let decided = is_decided(experiment, metric, arm);
    if comparison.srm_blocked {
        return Some(finding("blocked"));
    }
    match comparison.always_valid.status {
        Status::BurnIn if !decided => return Some(waiting(finding("waiting"), comparison)),
        Status::Degenerate if !decided => return Some(finding("degenerate")),
        _ => {}
    }
    match experiment.method {
        Method::GroupSequential | Method::Bayesian => Some(finding("no_method")),
        Method::FixedHorizon if !at_plan(experiment, comparison) => {
            let (units, planned) = (comparison.always_valid.units, experiment.planned_units);
            let finding =
                finding("before_plan").with("units", json!(units as u64)).with("planned_units", json!(planned));
            Some(finding.with("share", json!(units / planned as f64)))
        }
        Method::FixedHorizon => Some(concluded(finding(""), metric, comparison, decided)),
        Method::AlwaysValid if !decided && drifts(metric, comparison) => Some(finding("drift")),
        Method::AlwaysValid => {
            let mut found = concluded(finding(""), metric, comparison, decided);
            // What was decided stays decided, and people have to know that no single effect fits.
            if drifts(metric, comparison) {
                found = found.with("drift_suspected", json!(true));
            }
            let alone = comparison.remembered.map_or(comparison.always_valid.p_value, |it| it.running.p_value);
            if !decided && alone < experiment.alpha {
                found = found.with("excludes_zero_before_correction", json!(true));
            }
            Some(found)
        }
    }
}

/// Whether intervals of different times do not overlap, where that says something: means of open metrics grow with the age of their units
/// whatever the effect does, so that their intervals may well move.
pub(crate) fn drifts(metric: &MetricResult, comparison: &Comparison) -> bool {
    metric.maturity == Maturity::Matured && comparison.remembered.is_some_and(|it| it.running.drift_suspected())
}

/// The interval that decides, and the arguments that every comparison has.
fn numbers(
    code: &'static str,
    experiment: &ExperimentResult,
    metric: &MetricResult,
    base: &Arm,
    arm: &Arm,
    comparison: &Comparison,
) -> Finding {
    let fixed = experiment.method == Method::FixedHorizon && at_plan(experiment, comparison);
    let (low, high) = match &comparison.fixed_horizon {
        Some(test) if fixed => (test.low, test.high),
        _ => (comparison.always_valid.low, comparison.always_valid.high),
    };
    let lifts = if fixed { fixed_lifts(experiment, base, arm) } else { comparison.lift_set };
    let (lift_low, lift_high) = lift_ends(lifts);
    Finding::new(
        code,
        json!({
            "metric": metric.id, "variant": arm.variant, "difference": optional(comparison.difference), "lift": optional(comparison.lift),
            "low": finite(low), "high": finite(high), "lift_low": lift_low, "lift_high": lift_high,
            "lift_shape": lifts.map(|set| set.shape()), "minimum_effect": metric.minimum_effect.map(|it| it as f64 / 1e6),
            "control_mean": optional(base.mean), "mean": optional(arm.mean),
        }),
    )
}

/// Fieller's set by the normal quantile, for a plan that is at its end.
fn fixed_lifts(experiment: &ExperimentResult, base: &Arm, arm: &Arm) -> Option<Lift> {
    let mean = |arm: &Arm| Some(Mean { mean: arm.mean?, variance: arm.variance? / arm.units as f64 });
    let (c, t) = (mean(base)?, mean(arm)?);
    let critical = Sides::Two.critical(Alpha::new(experiment.alpha).ok()?);
    Some(fieller(c.mean, c.variance, t.mean, t.variance, critical))
}

fn waiting(finding: Finding, comparison: &Comparison) -> Finding {
    let (units_need, events_need, units_have, events_have) = comparison.burn_in_needs;
    let (have, need, of) = match events_have {
        Some(events) if units_have >= units_need => (events, events_need, "events"),
        _ => (units_have, units_need, "units"),
    };
    finding.with("have", json!(have)).with("need", json!(need)).with("of", json!(of))
}

/// Better, worse, no difference that matters, or not shown yet.
fn concluded(mut finding: Finding, metric: &MetricResult, comparison: &Comparison, decided: bool) -> Finding {
    let number = |finding: &Finding, name: &str| finding.arguments[name].as_f64();
    let bounded = finding.arguments["lift_shape"] == "bounded";
    let (lift_low, lift_high) =
        (number(&finding, "lift_low").filter(|_| bounded), number(&finding, "lift_high").filter(|_| bounded));
    let minimum = metric.minimum_effect.map(|it| it as f64 / 1e6);
    let within = minimum.zip(lift_low.zip(lift_high)).map(|(minimum, (low, high))| -minimum < low && high < minimum);
    if let Some(within) = within {
        finding = finding.with("within_minimum", json!(within));
    }
    if !decided {
        finding.code = if within == Some(true) { "no_difference" } else { "not_shown" };
        return finding;
    }
    let (low, high) = (number(&finding, "low"), number(&finding, "high"));
    let up = upwards(comparison, low, high);
    let better = up == (metric.direction == Direction::Increase);
    let bound = if up { lift_low } else { lift_high };
    // The interval of today, because what is at least true is what today's numbers leave.
    let covers_zero = low.is_none_or(|low| low <= 0.0) && high.is_none_or(|high| high >= 0.0);
    let clears = minimum.map(|minimum| !covers_zero && bound.is_some_and(|bound| bound.abs() >= minimum));
    finding.code = match (better, clears) {
        (false, _) => "worse",
        (true, Some(false)) => "better_may_be_small",
        (true, _) => "better",
    };
    finding = finding
        .with("direction", json!(if up { "increase" } else { "decrease" }))
        .with("bound", optional(bound.filter(|_| !covers_zero)))
        .with("covers_zero", json!(covers_zero));
    if let Some(clears) = clears {
        finding = finding.with("clears_minimum", json!(clears));
    }
    if let Some(crossed) = comparison.remembered.and_then(|it| it.crossed) {
        finding = finding
            .with("decided_at", json!(format_time(crossed.look)))
            .with("decided_units", json!(crossed.units))
            .with("decided_lift", optional(crossed.lift));
    }
    finding
}

/// On which side of zero a decided comparison is: where all looks together leave it, else where it was when it was decided.
fn upwards(comparison: &Comparison, low: Option<f64>, high: Option<f64>) -> bool {
    let running = comparison.remembered.map(|it| it.running);
    match running {
        Some(running) if running.low > 0.0 => true,
        Some(running) if running.high < 0.0 => false,
        _ if low.is_some_and(|low| low > 0.0) => true,
        _ if high.is_some_and(|high| high < 0.0) => false,
        _ => comparison.difference.unwrap_or_default() > 0.0,
    }
}

fn guarded(mut finding: Finding, guardrail: &GuardrailResult, comparison: &Comparison) -> Finding {
    finding = finding.with("margin", optional(guardrail.margin));
    match guardrail.status() {
        "unsupported" => Finding { code: "unsupported", ..finding },
        _ if guardrail.decision != Decision::NotKnown && guardrail.decision != Decision::NoMargin => finding,
        "burn_in" => waiting(Finding { code: "waiting", ..finding }, comparison),
        "degenerate" => Finding { code: "degenerate", ..finding },
        _ => finding,
    }
}

/// Every treatment on every guardrail.
fn guardrails(experiment: &ExperimentResult) -> impl Iterator<Item = (&MetricResult, &Arm, Finding)> {
    let metrics = experiment.metrics.iter().filter(|metric| metric.role == Role::Guardrail);
    let pairs = metrics.flat_map(|metric| metric.arms.iter().map(move |arm| (metric, arm)));
    pairs.filter_map(|(metric, it)| Some((metric, it, arm(experiment, metric, it)?)))
}

fn safe(experiment: &ExperimentResult, blocked_by: &[Finding]) -> Finding {
    let all: Vec<_> = guardrails(experiment).collect();
    let first = |codes: &[&str]| all.iter().find(|(_, _, finding)| codes.contains(&finding.code));
    if let Some((_, _, found)) = first(&["harm"]) {
        return Finding { code: "no", arguments: found.arguments.clone() };
    }
    if let Some(reason) = blocked_by.first() {
        return Finding::new("cannot_say", json!({"reason": reason.code}));
    }
    if let Some((_, _, found)) = first(&["degenerate", "unsupported"]) {
        return Finding { code: "cannot_say", arguments: found.arguments.clone() }.with("reason", json!(found.code));
    }
    if let Some((metric, arm, found)) = first(&["not_known", "no_margin", "waiting"]) {
        let finding =
            Finding { code: "not_known_yet", arguments: found.arguments.clone() }.with("reason", json!(found.code));
        let needed = units_needed(experiment, metric, arm).filter(|_| found.code == "not_known");
        return match needed {
            Some(needed) => finding.with("units_needed", json!(needed)),
            None => finding,
        };
    }
    Finding::plain(if all.is_empty() { "no_guardrail" } else { "yes" })
}

/// Sizes that are tried for [`units_needed`]: each a tenth larger, up to about a hundred times the present one.
const STEPS: usize = 48;

/// Units of the pair at which a guardrail would be found safe, if the present estimate were true and the spread stayed.
fn units_needed(experiment: &ExperimentResult, metric: &MetricResult, arm: &Arm) -> Option<u64> {
    let guardrail = arm.comparison.as_ref()?.guardrail.as_ref()?;
    let base = metric.arms.iter().find(|arm| arm.control)?;
    let better = if metric.direction == Direction::Increase { Better::More } else { Better::Less };
    let (alpha, planned) = (Alpha::new(experiment.alpha).ok()?, experiment.planned_units as f64);
    let plan = Guardrail::new(Margin::Relative(guardrail.margin?), better, alpha, planned).ok()?;
    let scaled = |arm: &Arm, factor: f64| {
        let n = arm.units as f64 * factor;
        Some(moments::Arm { n, mean: arm.mean?, m2: arm.variance? * (n - 1.0) })
    };
    let sizes = std::iter::successors(Some(1.0), |factor| Some(factor * 1.1)).take(STEPS);
    for factor in sizes {
        let (c, t) = (scaled(base, factor)?, scaled(arm, factor)?);
        if plan.look(&c, &t, None).safe.p_value <= alpha.value() {
            return Some((c.n + t.n).ceil() as u64);
        }
    }
    None
}

fn working(code: &'static str, best: Option<&(String, String, Finding)>) -> Finding {
    let answer = match code {
        "better" | "better_may_be_small" => "yes",
        "worse" => "worse",
        "no_difference" => "no_difference",
        "waiting" | "no_data" => "waiting",
        "not_shown" | "before_plan" | "drift" => "not_shown",
        _ => "cannot_say",
    };
    match best {
        Some((_, _, finding)) if answer != "cannot_say" => {
            Finding { code: answer, arguments: finding.arguments.clone() }
        }
        _ => Finding::plain(answer).with("reason", json!(code)),
    }
}

/// Units of the smallest pair of the primary metric, or of all exposed ones.
pub(crate) fn pair_units(experiment: &ExperimentResult, primary: Option<&MetricResult>) -> u64 {
    let control = experiment.variants.iter().position(|it| it.1).unwrap_or(0);
    let exposed = || {
        let treatments = experiment.units.iter().enumerate().filter(|(at, _)| *at != control).map(|(_, units)| *units);
        treatments.min().unwrap_or(0) + experiment.units.get(control).copied().unwrap_or(0)
    };
    let of_primary = primary.and_then(|metric| {
        let compared = metric.arms.iter().filter_map(|arm| arm.comparison.as_ref());
        compared.map(|it| it.always_valid.units as u64).min()
    });
    of_primary.unwrap_or_else(|| exposed().max(0) as u64)
}

/// Units a day of a pair that has so many now, by its share of all units; `None` where nothing comes.
pub(crate) fn pace(experiment: &ExperimentResult, units: u64) -> Option<f64> {
    let all: i64 = experiment.units.iter().sum();
    let pace = experiment.units_per_day.filter(|_| all > 0).map(|pace| pace * units as f64 / all as f64);
    pace.filter(|pace| *pace > 0.0)
}

fn stop(
    experiment: &ExperimentResult,
    primary: Option<&MetricResult>,
    code: &'static str,
    arms: &[(String, String, Finding)],
) -> Finding {
    if experiment.status == ExperimentStatus::Stopped {
        return Finding::plain("already");
    }
    if code == "blocked" {
        return Finding::plain("repair");
    }
    let is_decided =
        |finding: &Finding| ["better", "better_may_be_small", "worse", "no_difference"].contains(&finding.code);
    let undecided: Vec<&str> = arms.iter().filter(|it| !is_decided(&it.2)).map(|it| it.0.as_str()).collect();
    let days = experiment.days_running.unwrap_or_default();
    let some = !arms.is_empty() && undecided.len() < arms.len();
    if some && undecided.is_empty() {
        let answer = if days >= WEEK_DAYS { "yes" } else { "first_week" };
        return Finding::new(answer, json!({"days": days}));
    }
    let units = pair_units(experiment, primary);
    let end = match experiment.method {
        Method::AlwaysValid => (INFLATION * experiment.planned_units as f64).ceil() as u64,
        _ => experiment.planned_units,
    };
    let plan =
        json!({"units": units, "planned_units": experiment.planned_units, "max_units": end, "undecided": undecided});
    if some {
        return Finding::new("some_undecided", plan).with("days", json!(days));
    }
    if ["no_data", "no_primary", "waiting", "degenerate", "unsupported", "no_method"].contains(&code) {
        return Finding::new("not_yet", plan).with("reason", json!(code));
    }
    if units >= end {
        return Finding::new("plan_used_up", plan);
    }
    let left = end - units;
    let days_left = pace(experiment, units).map(|pace| left as f64 / pace);
    let findable = primary.and_then(|metric| metric.arms.iter().find_map(|arm| arm.comparison.as_ref()?.findable?));
    let lift = findable.filter(|it| it.control_mean != 0.0).map(|it| it.then / it.control_mean.abs());
    Finding::new("may", plan)
        .with("units_left", json!(left))
        .with("days_left", optional(days_left))
        .with("findable_lift", optional(lift))
}

fn why(experiment: &ExperimentResult) -> Finding {
    if !experiment.aligned {
        return Finding::plain("provisional");
    }
    let deciding = experiment.metrics.iter().filter(|it| it.role != Role::Secondary && it.maturity == Maturity::Open);
    let open = deciding.filter_map(|metric| {
        let (inside, all) = metric.inside.filter(|(inside, _)| *inside > 0)?;
        Some((metric, inside as f64 / all.max(1) as f64))
    });
    if let Some((metric, share)) = open.max_by(|one, other| one.1.total_cmp(&other.1)) {
        return Finding::new("approximate", json!({"metric": metric.id, "share": share}));
    }
    let units = experiment.units.iter().sum::<i64>() + experiment.crossed;
    let crossed = (units > 0).then(|| experiment.crossed as f64 / units as f64);
    let shares = [
        ("late", experiment.late_share, LATE_MAX),
        ("crossed", crossed, CROSSED_MAX),
        ("rejected", experiment.rejected_share, REJECTED_MAX),
    ];
    let much = shares.into_iter().find(|(_, share, most)| share.is_some_and(|share| share > *most));
    match much {
        Some((reason, share, _)) => Finding::new("with_care", json!({"reason": reason, "share": optional(share)})),
        None => Finding::plain("complete"),
    }
}
