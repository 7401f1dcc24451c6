//! Results as a table for people: plain text, aligned by characters.

use crate::grid;
use assay_analysis::{
    Arm, ExperimentResult, MetricResult, Results, Said, Verdict, kind_name, role_name, status_name, text_of,
};
use assay_experiment::format_time;
use std::fmt::Write;

/// Sentences are no wider than this, whatever is beside them: the eye loses longer lines.
const TEXT_WIDTH: usize = 100;

/// All experiments.
pub fn render(results: &Results) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "as of {}", format_time(results.look));
    for experiment in &results.experiments {
        render_experiment(experiment, results, &mut out);
    }
    let [exposures, conversions, retractions] = results.counters.originals;
    let rejected: u64 = results.counters.rejected.iter().sum();
    let _ = writeln!(
        out,
        "\nevents: {exposures} exposures, {conversions} conversions, {retractions} retractions; {} duplicates, {rejected} rejected, {} unattributed",
        results.counters.duplicates,
        results.counters.unattributed()
    );
    out
}

/// `control 21306, mens 21307`
pub fn units_by_variant(experiment: &ExperimentResult) -> String {
    let arms = experiment.variants.iter().zip(&experiment.units);
    arms.map(|((name, ..), units)| format!("{name} {units}")).collect::<Vec<_>>().join(", ")
}

fn render_experiment(experiment: &ExperimentResult, results: &Results, out: &mut String) {
    let _ = writeln!(out, "\n{} ({})", experiment.id, status_name(experiment.status));
    render_words(&Said::of(experiment, &Verdict::of(experiment), results.look), out);
    let units = units_by_variant(experiment);
    let split = if experiment.srm.alarm { "SPLIT BROKEN" } else { "split fine" };
    let _ = writeln!(
        out,
        "  {}s: {}; crossed {}; {split} (sequential p {}, chi-square p {})",
        experiment.unit_name,
        units,
        experiment.crossed,
        number(experiment.srm.p_value_running),
        number(experiment.srm.p_value_fixed)
    );
    let mut rows = vec![
        ["metric", "variant", "units", "sum", "mean", "lift", "always-valid interval", "p (running)", ""]
            .map(str::to_owned),
    ];
    for metric in &experiment.metrics {
        rows.extend(metric.arms.iter().map(|arm| row(metric, arm)));
    }
    let widths: Vec<usize> =
        (0..rows[0].len()).map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)).collect();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(
                |(at, (cell, &width))| {
                    if at < 2 || at == 8 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                },
            )
            .collect();
        let _ = writeln!(out, "  {}", cells.join("  ").trim_end());
    }
}

/// The verdict as everybody reads it: the sentence, what has to be known with it, the four answers.
fn render_words(said: &Said, out: &mut String) {
    for text in [text_of(&said.sentence), said.caveats.join(" ")] {
        for line in grid::wrapped(&text, TEXT_WIDTH) {
            let _ = writeln!(out, "  {line}");
        }
    }
    let answers = &said.answers;
    let _ = writeln!(
        out,
        "  Is it safe? {}. Is it working? {}. Can I stop? {}. Why believe it? {}.",
        answers.safe.word, answers.working.word, answers.stop.word, answers.why.word
    );
}

fn row(metric: &MetricResult, arm: &Arm) -> [String; 9] {
    let label = if arm.control {
        format!("{} ({}, {})", metric.id, kind_name(&metric.kind), role_name(metric.role))
    } else {
        String::new()
    };
    let mut cells = [
        label,
        arm.variant.clone(),
        arm.units.to_string(),
        number(arm.sum),
        arm.mean.map_or("–".to_owned(), number),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
    ];
    if let Some(comparison) = &arm.comparison {
        let look = &comparison.always_valid;
        cells[5] = comparison.lift.map_or("–".to_owned(), |lift| format!("{:+.2}%", 100.0 * lift));
        cells[6] = if look.low.is_finite() {
            format!("{} … {}", signed(look.low), signed(look.high))
        } else {
            "–".to_owned()
        };
        cells[7] = number(comparison.remembered.map_or(look.p_value, |remembered| remembered.running.p_value));
        cells[8] = comparison.status().to_owned();
    }
    cells
}

fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", number(value)) } else { number(value) }
}

/// Six significant digits, without a tail of zeros.
pub fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { "–".to_owned() };
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-5..15).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = (5 - magnitude).clamp(0, 12) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
