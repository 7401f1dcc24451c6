//! A report as tables for people.

use super::compare::{Finding, Method, Plan};
use super::measure::{ArmResult, MeasureResult};
use super::report::Report;
use super::segments::{SegmentResult, SegmentedMeasure};
use crate::grid::{aligned, percent, whole};
use crate::table::number;
use std::fmt::Write;

/// What a method's columns are called.
pub fn heads(method: Method, adjusted: &str) -> [String; 2] {
    let (interval, value) = match method {
        Method::AlwaysValid => ("always-valid interval", "p"),
        Method::FixedHorizon => ("one-look interval", "p"),
        Method::GroupSequential => ("repeated interval", "repeated p"),
        Method::Bayesian => ("lift, credible interval", "chance better"),
    };
    let value = if adjusted.is_empty() || method == Method::Bayesian {
        value.to_owned()
    } else {
        format!("{value} ({adjusted})")
    };
    [interval.to_owned(), value]
}

/// By what the p of the main table are adjusted.
pub fn adjustment(report: &Report) -> &'static str {
    if report.variants.len() > 2 { "Holm" } else { "" }
}

/// The whole report.
pub fn report(report: &Report) -> String {
    let mut out = String::new();
    let counts: Vec<String> =
        report.order.iter().map(|&at| format!("{} {}", report.variants[at], whole(report.counts[at] as f64))).collect();
    let _ = writeln!(
        out,
        "{}: {} rows; control is '{}'",
        report.file,
        whole(report.rows as f64),
        report.variants[report.control]
    );
    let _ = writeln!(
        out,
        "units: {}; crossed {}; {} (sequential p {}, chi-square p {})",
        counts.join(", "),
        report.crossed,
        if report.split.alarm { "SPLIT BROKEN" } else { "split fine" },
        number(report.split.p_value),
        number(report.split.chi_square.p_value)
    );
    let _ = writeln!(
        out,
        "{} decides, at alpha {}, N* {} of a pair; p and verdict adjusted by Holm for several treatments\n",
        method_words(report.plan.method),
        number(report.plan.alpha.value()),
        whole(report.plan.planned)
    );
    for alarm in report.alarms() {
        let _ = writeln!(out, "ALARM: {alarm}\n");
    }
    out += &main_table(report);
    for segment in &report.segments {
        out += &segment_tables(report, segment);
    }
    if !report.notes.is_empty() {
        out += "\nnotes\n";
        for note in &report.notes {
            let _ = writeln!(out, "  - {note}");
        }
    }
    out
}

/// A method as the subject of a sentence.
pub fn method_words(method: Method) -> &'static str {
    match method {
        Method::AlwaysValid => "the always-valid method",
        Method::FixedHorizon => "the test for one planned look",
        Method::GroupSequential => "the first look of a group sequential test (O'Brien-Fleming)",
        Method::Bayesian => "nothing (a posterior describes; stopping on it has no bounded error)",
    }
}

/// A metric's name with what was done to it.
pub fn label(measure: &MeasureResult) -> String {
    let kind = measure.measure.kind.name();
    match &measure.measure.about {
        Some(about) => format!("{} ({kind}, {about})", measure.measure.name),
        None => format!("{} ({kind})", measure.measure.name),
    }
}

fn main_table(report: &Report) -> String {
    let [interval, p] = heads(report.plan.method, adjustment(report));
    let head = ["metric", "variant", "units", "sum", "mean", "lift", &interval, &p, "one-look p", "verdict"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for measure in &report.measures {
        for (place, &at) in report.order.iter().enumerate() {
            let arm = &measure.arms[at];
            let first = if place == 0 { label(measure) } else { String::new() };
            rows.push(row(first, &report.variants[at], arm, &report.plan));
        }
    }
    let mut out = aligned(&rows, &[0, 1, 9]);
    let mut extra = Vec::new();
    for measure in &report.measures {
        for &at in &report.order {
            extra.extend(
                details(&measure.arms[at])
                    .map(|details| format!("  {} {}: {details}", label(measure), report.variants[at])),
            );
        }
    }
    if !extra.is_empty() {
        out += "\n";
        out += &extra.join("\n");
        out += "\n";
    }
    out
}

fn row(label: String, variant: &str, arm: &ArmResult, plan: &Plan) -> Vec<String> {
    let optional = |value: Option<f64>| value.map_or("–".to_owned(), number);
    let mut row = vec![label, variant.to_owned(), arm.units.to_string(), optional(arm.sum), optional(arm.mean)];
    match &arm.finding {
        None => row.extend((0..5).map(|_| String::new())),
        Some(finding) => row.extend(said(finding, plan)),
    }
    row
}

/// Lift, interval, p, p of one look, verdict.
pub fn said(finding: &Finding, plan: &Plan) -> [String; 5] {
    let said = finding.said(plan.method);
    let bounds = if said.low.is_finite() || said.high.is_finite() {
        if plan.method == Method::Bayesian {
            format!("{} … {}", signed_percent(said.low), signed_percent(said.high))
        } else {
            format!("{} … {}", signed(said.low), signed(said.high))
        }
    } else {
        "–".to_owned()
    };
    let verdict = finding.verdict(plan).to_owned();
    [
        finding.lift.map_or("–".to_owned(), signed_percent),
        bounds,
        finding.p_adjusted.or(said.value).map_or("–".to_owned(), number),
        finding.fixed.map_or("–".to_owned(), |test| number(test.p_value)),
        verdict,
    ]
}

/// What does not fit into the table.
pub fn details(arm: &ArmResult) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(reduction) = arm.finding.as_ref().and_then(|finding| finding.variance_reduction) {
        parts.push(format!("the covariate takes off {} of the variance", percent(reduction)));
    }
    if let Some(capped) = arm.capped {
        parts.push(format!("{capped} units are cut"));
    }
    if let Some(clusters) = arm.clusters {
        parts.push(format!("{clusters} clusters"));
    }
    if let Some(lifts) = arm.parts
        && let (Some(rate), Some(payer)) = (lifts.lift_rate, lifts.lift_per_payer)
    {
        parts.push(format!(
            "share of units with a value {}, mean of those {} (described only: they are different units)",
            signed_percent(rate),
            signed_percent(payer)
        ));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn segment_tables(report: &Report, segment: &SegmentResult) -> String {
    let mut out = format!(
        "\nby {} ({}; chi-square p {}, Cramér's V {}); exploratory, p adjusted by Benjamini and Hochberg\n",
        segment.column,
        if balanced(segment) { "balanced" } else { "UNBALANCED" },
        number(segment.balance.test.p_value),
        number(segment.balance.cramers_v)
    );
    let [interval, p] = heads(report.plan.method, "BH");
    let head = ["metric", "variant", &segment.column, "units", "mean", "lift", &interval, &p, "one-look p", "verdict"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for measure in &segment.measures {
        let mut first = Some(segment_label(measure));
        for &variant in report.order.iter().filter(|&&variant| variant != report.control) {
            for (value, (name, counts)) in segment.values.iter().enumerate() {
                let Some(finding) = &measure.findings[value][variant] else { continue };
                let mut row = vec![first.take().unwrap_or_default(), report.variants[variant].clone(), name.clone()];
                row.push(counts[variant].to_string());
                row.push(measure.means[value][variant].map_or("–".to_owned(), number));
                row.extend(said(finding, &report.plan));
                rows.push(row);
            }
        }
    }
    out += &aligned(&rows, &[0, 1, 2, 9]);
    for measure in &segment.measures {
        for line in together_lines(report, measure) {
            let _ = writeln!(out, "  {line}");
        }
    }
    out
}

/// Whether chance explains how the values are spread.
pub fn balanced(segment: &SegmentResult) -> bool {
    segment.balance.test.p_value >= assay_statistics::heterogeneity::balance::ALARM
}

/// As [`label`].
pub fn segment_label(measure: &SegmentedMeasure) -> String {
    match &measure.about {
        Some(about) => format!("{} ({about})", measure.name),
        None => measure.name.clone(),
    }
}

/// What the segments say together, a line per treatment and one for all.
pub fn together_lines(report: &Report, measure: &SegmentedMeasure) -> Vec<String> {
    let mut lines = Vec::new();
    for &variant in &report.order {
        let Some(it) = &measure.together[variant] else { continue };
        let mut line =
            format!("{} {}, post-stratified: {}", segment_label(measure), report.variants[variant], signed(it.effect));
        if let (Some((low, high)), Some(test)) = (it.interval, it.test) {
            let _ = write!(line, " ({} … {}, one-look p {})", signed(low), signed(high), number(test.p_value));
        }
        if let Some(reduction) = it.variance_reduction {
            let _ = write!(line, ", {} less variance", percent(reduction));
        }
        if let Some(heterogeneity) = &it.heterogeneity {
            let _ = write!(
                line,
                "; effects differ with p {} (Cochran's Q {}, I² {})",
                number(heterogeneity.q.p_value),
                number(heterogeneity.q.statistic),
                percent(heterogeneity.i_squared)
            );
        }
        if let Some(ratio) = it.ratios.and_then(|ratios| ratios.odds_ratio).filter(|ratio| ratio.is_finite()) {
            let _ = write!(line, "; common odds ratio {}", number(ratio));
            if let Some(common) = it.common {
                let _ = write!(line, " (Breslow-Day-Tarone p {})", number(common.tarone.p_value));
            }
        }
        if !it.merged.is_empty() {
            let _ = write!(line, "; too small to stand alone: {}", it.merged.join(", "));
        }
        lines.push(line);
    }
    if let Some(test) = measure.interaction {
        lines.push(format!(
            "{}, all variants by segment: interaction chi-square {} with {} df, p {}",
            segment_label(measure),
            number(test.statistic),
            test.df,
            number(test.p_value)
        ));
    }
    lines
}

/// With its sign; infinite where nothing is ruled out.
pub fn signed(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "∞".to_owned() } else { "-∞".to_owned() };
    }
    if value > 0.0 { format!("+{}", number(value)) } else { number(value) }
}

/// A lift as a percentage with its sign.
pub fn signed_percent(share: f64) -> String {
    if share.is_infinite() { signed(share) } else { format!("{:+.2}%", 100.0 * share) }
}
