//! What the demonstration says while the simulated shop is open.

use crate::shop::{DEFINITIONS, Tally};
use assay_analysis::{Brief, ExperimentResult, Results, Verdict, text_of};
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
    let said = Brief::of(experiment, &Verdict::of(experiment), &[]).sentence;
    format!("{units:>7} visitors; {}", text_of(&said))
}
