//! Comparisons over time as tables for people.

use super::series::{Planned, Series, Tally};
use super::summaries::Summaries;
use super::text::signed;
use crate::grid::{aligned, whole};
use crate::table::number;
use std::fmt::Write;

/// What to make of it.
pub const READING: &str = "The naive p holds at one planned look only. A crossing of the always-valid p stands; where the last look taken alone covers 0 the difference has\nshrunk since, by chance, by novelty wearing off, or because values over open windows keep growing, which makes the p approximate.";

/// Everything.
pub fn text(it: &Summaries) -> String {
    let mut out = format!(
        "{}: {} rows, {} comparisons over time; alpha {}, {}\n",
        it.file,
        whole(it.rows as f64),
        whole((it.series.len() + it.empty) as f64),
        number(it.alpha.value()),
        planned(it.planned)
    );
    if it.skipped > 0 {
        let _ = writeln!(out, "{}", left_out(it));
    }
    out += "\n";
    let names: Vec<String> =
        it.series.first().map(|series| series.key.iter().map(|(name, _)| name.clone()).collect()).unwrap_or_default();
    let keys = names.len();
    let mut head = names;
    head.extend(
        [
            "looks",
            "units",
            "difference",
            "naive p",
            "first < alpha",
            "always-valid interval",
            "p",
            "running p",
            "crossed at",
            "",
        ]
        .map(str::to_owned),
    );
    let mut rows = vec![head];
    rows.extend(it.series.iter().map(row));
    let left: Vec<usize> = (0..keys).chain([keys + 9]).collect();
    out += &aligned(&rows, &left);
    out += "\n";
    for line in tally_lines(it) {
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(out, "\n{READING}");
    out
}

/// Rows without numbers, in words.
pub fn left_out(it: &Summaries) -> String {
    format!(
        "{} rows lack a mean or variance and are left out; {} comparisons have no other rows",
        whole(it.skipped as f64),
        it.empty
    )
}

/// N* in words.
pub fn planned(planned: Planned) -> String {
    match planned {
        Planned::Units(units) => format!("N* {} of a pair", whole(units)),
        Planned::Last => "N* the units of the last look (as if its time had been planned)".to_owned(),
    }
}

fn row(series: &Series) -> Vec<String> {
    let last = series.last();
    let at = |look: Option<usize>| look.map_or("–".to_owned(), |look| series.looks[look].at.clone());
    let mut row: Vec<String> = series.key.iter().map(|(_, value)| value.clone()).collect();
    row.extend([
        series.looks.len().to_string(),
        whole(last.control.n + last.treatment.n),
        signed(last.valid.difference),
        last.naive.map_or("–".to_owned(), |test| number(test.p_value)),
        at(series.naive_crossed),
        if last.valid.low.is_finite() {
            format!("{} … {}", signed(last.valid.low), signed(last.valid.high))
        } else {
            "–".to_owned()
        },
        number(last.valid.p_value),
        number(series.running.p_value),
        at(series.crossed),
        remark(series),
    ]);
    row
}

/// What happened on the way.
pub fn remark(series: &Series) -> String {
    let mut remarks = Vec::new();
    if series.naive_crossed.is_some() && !series.naive_end() {
        remarks.push("naive p came back");
    }
    if series.crossed.is_some() && !series.valid_end() {
        remarks.push("crossed, and the last look alone covers 0");
    }
    if series.running.drift_suspected() {
        remarks.push("drift suspected");
    }
    remarks.join("; ")
}

/// What the comparisons say together.
pub fn tally_lines(it: &Summaries) -> Vec<String> {
    let mut lines =
        tally(&format!("Of {} comparisons with numbers", whole(it.series.len() as f64)), &it.tally(), it.alpha.value());
    for (column, value, found) in it.tallies() {
        lines.extend(tally(&format!("  {column} {value}: of {}", found.comparisons), &found, it.alpha.value()));
    }
    lines
}

fn tally(start: &str, it: &Tally, alpha: f64) -> Vec<String> {
    let alpha = number(alpha);
    vec![
        format!(
            "{start}, the naive p is below {alpha} at some look for {}, and for {} of these not at the last look ({} significant at the end);",
            it.naive_ever, it.naive_lost, it.naive_end
        ),
        format!(
            "{}the always-valid p is below {alpha} at some look for {}, and for {} of these not at the last look taken alone ({} at the end).",
            if start.starts_with(' ') { "    " } else { "" },
            it.valid_ever,
            it.valid_lost,
            it.valid_end
        ),
    ]
}
