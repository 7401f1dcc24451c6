//! Lifts inside sentences: with the decimals that their interval is worth.

use super::numbers::{Ends, decimals_of_group, lift, range};
use super::subject::Compared;
use crate::verdict::Finding;

/// Decimals for lifts that are named together.
pub(super) fn decimals(all: &[Compared<'_>]) -> usize {
    decimals_of_group(all.iter().map(|it| ends(it.finding)), 100.0)
}

/// Without sign: the verb says which way.
pub(super) fn size(value: f64, decimals: usize) -> String {
    lift(value.abs(), decimals, false)
}

fn ends(finding: &Finding) -> Ends {
    (finding.number("lift_low"), finding.number("lift_high"))
}

/// The lifts that are not ruled out.
pub(super) fn interval(finding: &Finding, decimals: usize) -> String {
    let (low, high) = ends(finding);
    range(low, high, finding.text("lift_shape").unwrap_or_default(), |value| lift(value, decimals, true))
}

/// "The lift lies between −4.1% and +11.6%.", and what there is to say of intervals that have not two ends.
pub(super) fn lies(finding: &Finding, decimals: usize, subject: &str) -> String {
    let of = |value: f64| lift(value, decimals, true);
    match ends(finding) {
        (None, None) => format!("{subject} has no limit yet."),
        _ if finding.text("lift_shape") == Some("exclusive") => {
            format!("{subject} is {}.", interval(finding, decimals))
        }
        (None, Some(high)) => format!("{subject} is at most {}.", of(high)),
        (Some(low), None) => format!("{subject} is at least {}.", of(low)),
        (Some(low), Some(high)) => format!("{subject} lies between {} and {}.", of(low), of(high)),
    }
}

/// A minimum or a margin is written as people gave it: 20%, 2.5%.
pub(super) fn as_given(minimum: f64) -> String {
    let share = minimum.abs() * 100.0;
    let is_whole = |decimals: &i32| {
        let scaled = share * 10f64.powi(*decimals);
        (scaled - scaled.round()).abs() < 1e-7
    };
    size(minimum, (0..3).find(is_whole).unwrap_or(3) as usize)
}

/// A lift that a plan speaks of: one decimal where it is small.
pub(super) fn planned(value: f64) -> String {
    lift(value, usize::from(value.abs() < 0.1), false)
}
