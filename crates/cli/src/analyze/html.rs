//! Reports as pages: the tables of the terminal, and plots of every interval and of every comparison over time.

use super::compare::{Finding, Method, Plan};
use super::long::{READING, left_out, planned, remark, tally_lines};
use super::page::{page, paragraph, table};
use super::plot::{Bar, Moment, escape, intervals, over_time};
use super::report::Report;
use super::segments::SegmentResult;
use super::series::Series;
use super::summaries::Summaries;
use super::text::{
    adjustment, details, heads, label, method_words, said, segment_label, signed, signed_percent, together_lines,
};
use crate::grid::whole;
use crate::table::number;

/// Comparisons over time that are shown at once; the others open on demand.
const OPEN_MAX: usize = 12;

/// A file of units.
pub fn report(report: &Report) -> String {
    let title =
        format!("{}: {} against {}", super::title(&report.file), treatments(report), report.variants[report.control]);
    let mut body = format!("<h1>{}</h1>\n", escape(&title));
    body += &paragraph("", &reading(report));
    for alarm in report.alarms() {
        body += &paragraph("alarm", &format!("Alarm: {alarm}"));
    }
    body += &split(report);
    body += "<h2>Metrics</h2>\n<div class=\"cards\">\n";
    for measure in &report.measures {
        let bars: Vec<Bar> = report
            .order
            .iter()
            .filter_map(|&at| {
                measure.arms[at].finding.as_ref().map(|finding| bar(&report.variants[at], finding, &report.plan))
            })
            .collect();
        body += &figure(&label(measure), &bars);
    }
    body += "</div>\n";
    body += &paragraph("soft", legend(report.plan.method));
    body += &metrics_table(report);
    for segment in &report.segments {
        body += &segmented(report, segment);
    }
    if !report.notes.is_empty() {
        body += "<h2>Notes</h2>\n<ul>\n";
        report.notes.iter().for_each(|note| body += &format!("<li>{}</li>\n", escape(note)));
        body += "</ul>\n";
    }
    page(&title, &body)
}

fn treatments(report: &Report) -> String {
    let names: Vec<&str> =
        report.order.iter().filter(|&&at| at != report.control).map(|&at| report.variants[at].as_str()).collect();
    names.join(", ")
}

fn reading(report: &Report) -> String {
    format!(
        "{} units of {} rows. {} decides, at alpha {}, tuned to {} units of a pair. Several treatments are adjusted by Holm.",
        whole(report.counts.iter().sum::<u64>() as f64),
        whole(report.rows as f64),
        capitalised(method_words(report.plan.method)),
        number(report.plan.alpha.value()),
        whole(report.plan.planned)
    )
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn legend(method: Method) -> &'static str {
    match method {
        Method::AlwaysValid => {
            "Thin line with ends: the always-valid interval of the difference, which holds at every look. Thick pale line: the interval of a single planned look. Blue: the difference is shown."
        }
        Method::Bayesian => {
            "Thin line with ends: the credible interval of the lift under the prior N(0, 0.05²). It describes; stopping on it has no bounded error."
        }
        _ => {
            "Thin line with ends: the interval of the method that decides, of the difference. Thick pale line: the interval of a single planned look. Blue: the difference is shown."
        }
    }
}

fn split(report: &Report) -> String {
    let total: f64 = report.weights.iter().sum();
    let all: u64 = report.counts.iter().sum();
    let rows: Vec<Vec<String>> = report
        .order
        .iter()
        .map(|&at| {
            let share = report.counts[at] as f64 / (all as f64).max(1.0);
            let meant = report.weights[at] / total;
            vec![
                report.variants[at].clone(),
                whole(report.counts[at] as f64),
                format!("{:.3}%", 100.0 * share),
                format!("{:.3}%", 100.0 * meant),
            ]
        })
        .collect();
    let words = format!(
        "{}: sequential p {} (an alarm at {} or below), chi-square p {} for one look. {} units were seen in two variants.",
        if report.split.alarm { "The split is broken" } else { "The split is as promised" },
        number(report.split.p_value),
        number(assay_statistics::srm::ALARM),
        number(report.split.chi_square.p_value),
        report.crossed
    );
    format!(
        "<h2>Split</h2>\n{}{}",
        paragraph("", &words),
        table(&["variant", "units", "share", "promised"], &rows, &[0])
    )
}

fn bar(name: &str, finding: &Finding, plan: &Plan) -> Bar {
    let said = finding.said(plan.method);
    let [lift, ..] = super::text::said(finding, plan);
    let estimate = match plan.method {
        Method::Bayesian => finding.posterior.map_or(f64::NAN, |posterior| posterior.mean),
        _ => finding.difference.unwrap_or(f64::NAN),
    };
    let narrow = finding
        .fixed
        .filter(|_| !matches!(plan.method, Method::FixedHorizon | Method::Bayesian))
        .map(|test| (test.low, test.high));
    let shown = if plan.method == Method::Bayesian { signed_percent(estimate) } else { signed(estimate) };
    Bar {
        label: if estimate.is_finite() { format!("{name}: {shown} (lift {lift})") } else { name.to_owned() },
        estimate,
        wide: (said.low, said.high),
        narrow,
        decided: matches!(finding.verdict(plan), "higher" | "lower"),
    }
}

fn figure(title: &str, bars: &[Bar]) -> String {
    format!("<figure><figcaption>{}</figcaption>{}</figure>\n", escape(title), intervals(title, bars))
}

fn metrics_table(report: &Report) -> String {
    let [interval, p] = heads(report.plan.method, adjustment(report));
    let head = ["metric", "variant", "units", "sum", "mean", "lift", &interval, &p, "one-look p", "verdict"];
    let optional = |value: Option<f64>| value.map_or("–".to_owned(), number);
    let mut rows = Vec::new();
    let mut more = Vec::new();
    for measure in &report.measures {
        for &at in &report.order {
            let arm = &measure.arms[at];
            let mut row = vec![
                label(measure),
                report.variants[at].clone(),
                whole(arm.units as f64),
                optional(arm.sum),
                optional(arm.mean),
            ];
            match &arm.finding {
                None => row.extend((0..5).map(|_| String::new())),
                Some(finding) => row.extend(said(finding, &report.plan)),
            }
            rows.push(row);
            more.extend(details(arm).map(|details| format!("{} {}: {details}", label(measure), report.variants[at])));
        }
    }
    let mut out = table(&head, &rows, &[0, 1, 9]);
    more.iter().for_each(|line| out += &paragraph("soft", line));
    out
}

fn segmented(report: &Report, segment: &SegmentResult) -> String {
    let mut out = format!("<h2>By {}</h2>\n", escape(&segment.column));
    let class = if super::text::balanced(segment) { "" } else { "alarm" };
    out += &paragraph(
        class,
        &format!(
            "{}: chi-square p {}, Cramér's V {}. Exploratory; p adjusted by Benjamini and Hochberg over the comparisons of a metric.",
            if super::text::balanced(segment) {
                "Balanced over the variants"
            } else {
                "Not balanced over the variants"
            },
            number(segment.balance.test.p_value),
            number(segment.balance.cramers_v)
        ),
    );
    out += "<div class=\"cards\">\n";
    for measure in &segment.measures {
        for &variant in report.order.iter().filter(|&&variant| variant != report.control) {
            let bars: Vec<Bar> = segment
                .values
                .iter()
                .enumerate()
                .filter_map(|(value, (name, _))| {
                    measure.findings[value][variant].as_ref().map(|finding| bar(name, finding, &report.plan))
                })
                .collect();
            out += &figure(&format!("{}, {}", segment_label(measure), report.variants[variant]), &bars);
        }
    }
    out += "</div>\n";
    for measure in &segment.measures {
        together_lines(report, measure).iter().for_each(|line| out += &paragraph("soft", line));
    }
    out + &format!(
        "<details><summary>All numbers by {}</summary>\n{}</details>\n",
        escape(&segment.column),
        segment_table(report, segment)
    )
}

fn segment_table(report: &Report, segment: &SegmentResult) -> String {
    let [interval, p] = heads(report.plan.method, "BH");
    let head = ["metric", "variant", "value", "units", "mean", "lift", &interval, &p, "one-look p", "verdict"];
    let mut rows = Vec::new();
    for measure in &segment.measures {
        for &variant in &report.order {
            for (value, (name, counts)) in segment.values.iter().enumerate() {
                let mean = measure.means[value][variant].map_or("–".to_owned(), number);
                let mut row = vec![
                    segment_label(measure),
                    report.variants[variant].clone(),
                    name.clone(),
                    whole(counts[variant] as f64),
                    mean,
                ];
                match &measure.findings[value][variant] {
                    None => row.extend((0..5).map(|_| String::new())),
                    Some(finding) => row.extend(said(finding, &report.plan)),
                }
                rows.push(row);
            }
        }
    }
    table(&head, &rows, &[0, 1, 2, 9])
}

/// A file of summaries over time.
pub fn summaries(it: &Summaries) -> String {
    let title =
        format!("{}: {} comparisons over time", super::title(&it.file), whole((it.series.len() + it.empty) as f64));
    let mut body = format!("<h1>{}</h1>\n", escape(&title));
    let words = format!(
        "{} rows; {}. Alpha {}, {}.",
        whole(it.rows as f64),
        left_out(it),
        number(it.alpha.value()),
        planned(it.planned)
    );
    body += &paragraph("", &words);
    let lines = tally_lines(it);
    lines.chunks(2).enumerate().for_each(|(place, pair)| {
        body += &paragraph(
            if place == 0 { "" } else { "soft" },
            pair.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").as_str(),
        );
    });
    body += &paragraph("soft", READING);
    body += "<h2>Over time</h2>\n";
    body += &paragraph(
        "soft",
        "Pale band: the always-valid interval of the difference. Darker band: the interval of a single look, repeated, which is what misleads. The lines mark where each p first fell below alpha.",
    );
    let mut start = 0;
    while start < it.series.len() {
        let first = it.series[start].key.first();
        let count = it.series[start..].iter().take_while(|series| series.key.first() == first).count();
        let all_fit = it.series.len() <= OPEN_MAX;
        let name = first.map(|(name, value)| format!("{name} {value}")).unwrap_or_default();
        let crossed = it.series[start..start + count].iter().filter(|series| series.crossed.is_some()).count();
        body += &format!(
            "<details{}><summary>{}: {count} comparisons, {crossed} crossed</summary>\n<div class=\"cards\">\n",
            if all_fit { " open" } else { "" },
            escape(&name)
        );
        it.series[start..start + count].iter().for_each(|series| body += &plotted(series));
        body += "</div>\n</details>\n";
        start += count;
    }
    body += "<h2>At the last look</h2>\n";
    body += &last_looks(it);
    page(&title, &body)
}

fn name(series: &Series) -> String {
    series.key.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

fn plotted(series: &Series) -> String {
    let moments: Vec<Moment> = series
        .looks
        .iter()
        .map(|look| Moment {
            x: look.x,
            at: look.at.clone(),
            estimate: look.valid.difference,
            wide: (look.valid.low, look.valid.high),
            narrow: look.naive.map(|test| (test.low, test.high)),
        })
        .collect();
    let last = series.last();
    let remark = remark(series);
    let caption = format!(
        "{}: {} ({} looks, running p {}){}",
        name(series),
        signed(last.valid.difference),
        series.looks.len(),
        number(series.running.p_value),
        if remark.is_empty() { String::new() } else { format!("; {remark}") }
    );
    format!(
        "<figure><figcaption>{}</figcaption>{}</figure>\n",
        escape(&caption),
        over_time(&name(series), &moments, series.crossed, series.naive_crossed)
    )
}

fn last_looks(it: &Summaries) -> String {
    let mut head: Vec<&str> =
        it.series.first().map(|series| series.key.iter().map(|(name, _)| name.as_str()).collect()).unwrap_or_default();
    let keys = head.len();
    head.extend([
        "looks",
        "units",
        "difference",
        "naive p",
        "always-valid interval",
        "running p",
        "crossed at",
        "remark",
    ]);
    let rows: Vec<Vec<String>> = it
        .series
        .iter()
        .map(|series| {
            let last = series.last();
            let mut row: Vec<String> = series.key.iter().map(|(_, value)| value.clone()).collect();
            row.extend([
                series.looks.len().to_string(),
                whole(last.control.n + last.treatment.n),
                signed(last.valid.difference),
                last.naive.map_or("–".to_owned(), |test| number(test.p_value)),
                if last.valid.low.is_finite() {
                    format!("{} … {}", signed(last.valid.low), signed(last.valid.high))
                } else {
                    "–".to_owned()
                },
                number(series.running.p_value),
                series.crossed.map_or("–".to_owned(), |at| series.looks[at].at.clone()),
                remark(series),
            ]);
            row
        })
        .collect();
    let text: Vec<usize> = (0..keys).chain([keys + 7]).collect();
    table(&head, &rows, &text)
}
