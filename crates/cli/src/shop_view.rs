//! What the demonstration says while the simulated shop is open.

use crate::shop::{DEFINITIONS, Tally};
use crate::table;
use assay_analysis::{ExperimentResult, Results};
use std::fmt::Write;
use std::sync::atomic::Ordering;

/// The shop in a line, and one for each of its experiments.
pub fn lines(tally: &Tally, results: &Results) -> String {
    let count = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
    let mut text = String::new();
    let _ = write!(
        text,
        "{} visits, {} orders; a client lost {} exposures",
        count(&tally.visits),
        count(&tally.orders),
        count(&tally.lost)
    );
    for (number, what) in
        [(count(&tally.failed), "visits failed"), (count(&tally.turned_away), "visitors found the shop full")]
    {
        if number > 0 {
            let _ = write!(text, "; {number} {what}");
        }
    }
    text.push('\n');
    let shops = |experiment: &&ExperimentResult| DEFINITIONS.contains(&format!("id: {}\n", experiment.id));
    for experiment in results.experiments.iter().filter(shops) {
        let _ = writeln!(text, "  {:<18} {}", experiment.id, sentence(experiment));
    }
    text
}

fn sentence(experiment: &ExperimentResult) -> String {
    let units: i64 = experiment.units.iter().sum();
    let arm = experiment.metrics.first().and_then(|metric| metric.arms.iter().find(|arm| !arm.control));
    let Some(comparison) = arm.and_then(|arm| arm.comparison.as_ref()) else { return format!("{units:>7} visitors") };
    if experiment.srm.alarm {
        let arms: Vec<String> = experiment.units.iter().map(ToString::to_string).collect();
        let p = table::number(experiment.srm.p_value_running);
        return format!("{units:>7} visitors; no verdict: the split is off, {} (p {p})", arms.join(" : "));
    }
    let look = &comparison.always_valid;
    let lift = comparison.lift.map_or_else(|| "–".to_owned(), |lift| format!("{:+.1}%", 100.0 * lift));
    let p = comparison.remembered.map_or(1.0, |remembered| remembered.running.p_value);
    let words = match comparison.status() {
        "ok" if p < experiment.alpha => "decided",
        "ok" => "not shown yet",
        status => status,
    };
    let range = match look.low.is_finite() && look.high.is_finite() {
        true => format!(", difference {:+.4} … {:+.4}", look.low, look.high),
        false => String::new(),
    };
    format!("{units:>7} visitors; lift {lift}{range}, p {} ({words})", table::number(p))
}
