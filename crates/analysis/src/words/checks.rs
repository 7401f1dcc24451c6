//! The health checks in words: what was looked at, and what was found.

use super::blocked::in_short;
use super::numbers::{count, fixed, p_value, percent, plural};
use super::part::{capital, units};
use super::subject::{Subject, Variant};
use crate::results::{Balance, ExperimentResult};
use assay_aggregates::{Counters, Reason};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// What was found by one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name, for people and for readers that treat it in their own way.
    pub name: &'static str,
    /// `good`, `none` (nothing to find fault with), `off` or `bad`.
    pub state: &'static str,
    /// In a few words.
    pub result: String,
    /// In one or two sentences.
    pub detail: String,
}

impl Check {
    /// As in results.
    fn to_json(&self) -> Json {
        json!({"name": self.name, "state": self.state, "result": self.result, "detail": self.detail})
    }
}

/// Checks as in results.
pub(crate) fn to_json(checks: &[Check]) -> Json {
    checks.iter().map(Check::to_json).collect()
}

/// What the checks of an experiment look at.
#[derive(Debug, Clone)]
pub(super) struct Evidence<'a> {
    /// First exposures of each variant, and the share that it should have.
    pub split: Vec<(i64, f64)>,
    pub split_p: f64,
    pub threshold: f64,
    /// Segment values whose split is looked at.
    pub segments: usize,
    pub balance: &'a [Balance],
    pub alpha: f64,
    pub units: i64,
    pub crossed: i64,
    pub exposures: u64,
    pub outside: u64,
    pub lost: u64,
    /// Variant shown, if it is one; library; exposures.
    pub misbucketed: Vec<(Option<&'a str>, &'a str, u64)>,
    /// Exposures that named it and were rejected: reason, how many, partition and offset of the last one.
    pub rejected: Vec<(&'a str, u64, u32, u64)>,
}

impl<'a> Evidence<'a> {
    pub fn of(experiment: &'a ExperimentResult) -> Evidence<'a> {
        let total: f64 = experiment.variants.iter().map(|it| it.2).sum();
        let shares = experiment.variants.iter().map(|it| it.2 / total);
        let shown = |index: u8| experiment.variants.get(usize::from(index)).map(|it| it.0.as_str());
        let wrong = experiment.misbucketed.iter();
        Evidence {
            split: experiment.srm.counts.iter().copied().zip(shares).collect(),
            split_p: experiment.srm.p_value_running,
            threshold: experiment.srm.threshold,
            segments: experiment.srm.segments.len(),
            balance: &experiment.balance,
            alpha: experiment.alpha,
            units: experiment.units.iter().sum::<i64>() + experiment.crossed,
            crossed: experiment.crossed,
            exposures: experiment.exposures,
            outside: experiment.outside,
            lost: experiment.lost,
            misbucketed: wrong.map(|((variant, sdk), n)| (shown(*variant), sdk.as_str(), *n)).collect(),
            rejected: experiment
                .rejected
                .iter()
                .map(|(reason, it)| (reason.name(), it.exposures, it.partition, it.offset))
                .collect(),
        }
    }
}

/// Shares from which on a check is worth a look; as in the verdict's own words of care.
const CROSSED_MAX: f64 = 0.005;
const REJECTED_MAX: f64 = 0.001;
const LATE_MAX: f64 = 0.01;
/// The usual line for standardised differences.
const BALANCE_MAX: f64 = 0.1;

/// Of an experiment.
pub(super) fn checks(subject: &Subject<'_>, evidence: &Evidence<'_>) -> Vec<Check> {
    let always =
        [split(subject, evidence), balance(evidence), crossed(subject, evidence), assignment(subject, evidence)];
    always.into_iter().chain(lost(evidence)).chain(rejected(evidence)).chain(outside(evidence)).collect()
}

fn split(subject: &Subject<'_>, evidence: &Evidence<'_>) -> Check {
    let total = evidence.split.iter().map(|it| it.0).sum::<i64>().max(1) as f64;
    let list = |shares: Vec<String>| shares.join(" / ");
    let seen = list(evidence.split.iter().map(|it| percent(it.0 as f64 / total, 2)).collect());
    let planned = list(evidence.split.iter().map(|it| percent(it.1, 2)).collect());
    let detail = format!("{seen} against {planned}. Running p {}.", p_value(evidence.split_p));
    if let Some(off) = subject.verdict.blocked_by.iter().find(|it| it.code != "simpson") {
        let result = in_short(off).to_lowercase();
        return Check { name: "Split", state: "bad", result, detail: format!("{detail} Decisions are refused.") };
    }
    let inside = match evidence.segments {
        0 => String::new(),
        n => format!(" {} looked at as well.", plural(n as f64, "segment value", "segment values")),
    };
    Check { name: "Split", state: "good", result: "as planned".to_owned(), detail: detail + &inside }
}

fn balance(evidence: &Evidence<'_>) -> Check {
    let known = evidence.balance;
    let Some(worst) = known.iter().max_by(|a, b| a.std_difference.total_cmp(&b.std_difference)) else {
        let detail = "No attributes are kept at exposure.".to_owned();
        return Check { name: "Balance", state: "none", result: "not checked".to_owned(), detail };
    };
    let size = match worst.std_difference {
        size if size.is_finite() => fixed(size, 3, false),
        _ => "without limit".to_owned(),
    };
    let detail = format!(
        "{} known at exposure; largest standardised difference {size}, {}.",
        plural(known.len() as f64, "attribute", "attributes"),
        worst.attribute.replace('_', " ")
    );
    let is_off = |it: &Balance| {
        it.p_value_running < evidence.threshold
            || (it.std_difference > BALANCE_MAX && it.p_value_running < evidence.alpha)
    };
    let (state, result) =
        if known.iter().any(is_off) { ("off", "arms differ") } else { ("good", "nothing stands out") };
    Check { name: "Balance", state, result: result.to_owned(), detail }
}

fn crossed(subject: &Subject<'_>, evidence: &Evidence<'_>) -> Check {
    let share = evidence.crossed as f64 / evidence.units.max(1) as f64;
    let detail = match evidence.crossed {
        0 => format!("No {} was seen in two arms.", subject.unit),
        _ => format!("{} were seen in several arms and are left out of the metrics.", percent(share, 2)),
    };
    let result = plural(evidence.crossed as f64, subject.unit, &units(subject.unit));
    Check { name: "Crossed", state: if share > CROSSED_MAX { "off" } else { "good" }, result, detail }
}

fn assignment(subject: &Subject<'_>, evidence: &Evidence<'_>) -> Check {
    let wrong = &evidence.misbucketed;
    let Some((variant, sdk, most)) = wrong.iter().max_by_key(|it| it.2) else {
        let detail = "Every exposure showed the variant that the hash gives.".to_owned();
        return Check { name: "Assignment", state: "good", result: "as computed".to_owned(), detail };
    };
    let named = |id: &str| subject.variants.iter().find(|it: &&Variant<'_>| it.id == id).map(|it| it.name);
    let arm = variant.and_then(named).unwrap_or("an unknown variant");
    let total: u64 = wrong.iter().map(|it| it.2).sum();
    let share = percent(*most as f64 / evidence.exposures.max(1) as f64, 2);
    let libraries = wrong.iter().map(|it| it.1).collect::<BTreeSet<_>>().len();
    let detail = format!(
        "Showed a variant that the hash does not give; most from {sdk}, {arm} ({}, {share}). {} in all.",
        count(*most as f64),
        plural(libraries as f64, "library", "libraries")
    );
    Check { name: "Assignment", state: "bad", result: plural(total as f64, "exposure", "exposures"), detail }
}

fn lost(evidence: &Evidence<'_>) -> Option<Check> {
    let result = plural(evidence.lost as f64, "exposure", "exposures");
    let detail = "Shown by an edge that could not write them to the log; they are in no other number.".to_owned();
    (evidence.lost > 0).then_some(Check { name: "Lost", state: "off", result, detail })
}

fn rejected(evidence: &Evidence<'_>) -> Option<Check> {
    let total: u64 = evidence.rejected.iter().map(|it| it.1).sum();
    let each = evidence.rejected.iter().map(|(reason, exposures, partition, offset)| {
        let reason = reason.replace('_', " ");
        format!("{reason} {} (last: partition {partition}, offset {offset})", count(*exposures as f64))
    });
    let detail = format!("They named this experiment: {}.", each.collect::<Vec<_>>().join(", "));
    let result = plural(total as f64, "exposure", "exposures");
    (total > 0).then_some(Check { name: "Rejected here", state: "none", result, detail })
}

fn outside(evidence: &Evidence<'_>) -> Option<Check> {
    let share = percent(evidence.outside as f64 / evidence.exposures.max(1) as f64, 2);
    let result = plural(evidence.outside as f64, "exposure", "exposures");
    let detail = format!("From before the start or after the end ({share}): accepted, and without effect.");
    (evidence.outside > 0).then_some(Check { name: "Outside", state: "none", result, detail })
}

/// Of everything in the log.
#[derive(Debug, Clone)]
pub(super) struct Log {
    pub records: u64,
    pub conversions: u64,
    pub duplicates: u64,
    pub unattributed: u64,
    /// Reason and events.
    pub rejected: Vec<(&'static str, u64)>,
}

impl Log {
    fn of(counters: &Counters) -> Log {
        Log {
            records: counters.records,
            conversions: counters.originals[1],
            duplicates: counters.duplicates,
            unattributed: counters.unattributed(),
            rejected: Reason::ALL.iter().map(|reason| (reason.name(), counters.rejected(*reason))).collect(),
        }
    }

    pub fn checks(&self) -> Vec<Check> {
        let removed = format!("{} removed", count(self.duplicates as f64));
        let proven = "Every event’s id is proven new inside the deduplication window; older ones are rejected as late.";
        let duplicates = Check { name: "Duplicates", state: "good", result: removed, detail: proven.to_owned() };
        vec![duplicates, self.rejected(), self.unattributed()]
    }

    fn rejected(&self) -> Check {
        let total: u64 = self.rejected.iter().map(|it| it.1).sum();
        let share = |n: u64| n as f64 / self.records.max(1) as f64;
        let late = self.rejected.iter().find(|it| it.0 == "late").map_or(0, |it| it.1);
        let state = match total {
            _ if share(total) > REJECTED_MAX || share(late) > LATE_MAX => "off",
            0 => "good",
            _ => "none",
        };
        let reasons = self.rejected.iter().filter(|it| it.1 > 0);
        let each: Vec<String> =
            reasons.map(|(reason, n)| format!("{} {}", reason.replace('_', " "), count(*n as f64))).collect();
        let detail = match total {
            0 => "Nothing was rejected.".to_owned(),
            _ => format!("{}. Of all experiments.", capital(&each.join(", "))),
        };
        Check { name: "Rejected", state, result: plural(total as f64, "event", "events"), detail }
    }

    fn unattributed(&self) -> Check {
        let n = self.unattributed as f64;
        let share = percent(n / self.conversions.max(1) as f64, 1);
        let (state, detail) = match self.unattributed {
            0 => ("good", "Every conversion belongs to an exposed unit.".to_owned()),
            _ => (
                "none",
                format!(
                    "{share} of the conversions count nowhere: their unit was not exposed before, or their window had ended. Of all experiments."
                ),
            ),
        };
        Check { name: "Unattributed", state, result: plural(n, "conversion", "conversions"), detail }
    }
}

/// Of all events of a look.
pub(crate) fn of_events(counters: &Counters) -> Vec<Check> {
    Log::of(counters).checks()
}
