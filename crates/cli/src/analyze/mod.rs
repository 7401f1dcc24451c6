//! `assay analyze`: experiments from CSV files, with every method of the engine and nothing else installed.

mod compare;
mod html;
mod json;
mod long;
mod measure;
mod page;
mod plot;
mod report;
mod segments;
mod series;
mod source;
mod spec;
mod summaries;
mod text;
mod units;

use crate::grid::share;
use crate::{WrongUse, table};
use anyhow::{Context, Result};
use assay_experiment::nearest;
use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid::Design;
use compare::{Method, Plan};
use measure::{Measure, SCALE, percentile_cap};
use report::{Asked, Report};
use source::Source;
use spec::{Cap, CapSpec, CovariateSpec, Kind, MetricSpec};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use units::{Reads, Units, Wanted};

/// Analyse an experiment from a CSV file: one row per unit, rows of events per unit, or (--summaries) counts, means and variances over time.
///
/// With --unit the rows of a unit become one: a conversion is yes if any row says yes; sums, counts and both parts of a ratio are added up; a
/// covariate, segment or cluster is that of the unit's first row that has one; empty cells add nothing; a unit seen in two variants is left out
/// and counted. Without --unit every row is a unit. Numbers are decimals, read exactly; conversions are 1 or 0, true or false, yes or no.
///
/// Every metric is shown with the always-valid interval and p (which hold however often you look), the p of a single planned look, and which of
/// them decides. Treatments are adjusted for each other by Holm, segments by Benjamini and Hochberg.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  assay analyze hillstrom.csv.gz --variant segment --control 'No E-Mail' --planned-units 42000 \\\n    --metric visit:conversion --metric spend:sum --covariate history --segment zip_code --segment channel\n  assay analyze cookie_cats.csv.gz --unit userid --variant version --control gate_30 --metric retention_7:conversion \\\n    --metric sum_game_rounds:sum --cap sum_game_rounds=p99.9 --planned-units 90000 --html report.html\n  assay analyze asos.csv.gz --summaries --html over-time.html\n\nTypes of metrics: conversion; sum (a mean per unit); count (a sum of whole numbers); NAME=COLUMN/COLUMN:ratio; p95 and other percentiles.\n\n--summaries wants the columns count_c, count_t, mean_c, mean_t, variance_c, variance_t and a time, one row per look; or, with --variant and\n--control, the columns count, mean and variance and one row per look and arm. All other columns name the comparison."
)]
pub struct Arguments {
    /// CSV with a header; .gz and .zst are unpacked, - is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Column of the unit's id; without it every row is a unit.
    #[arg(long, value_name = "COLUMN")]
    unit: Option<String>,
    /// Column of the variant.
    #[arg(long, value_name = "COLUMN", required_unless_present = "summaries", requires = "control")]
    variant: Option<String>,
    /// The variant that the others are compared with.
    #[arg(long, value_name = "VARIANT", requires = "variant")]
    control: Option<String>,
    /// A metric: NAME:TYPE where NAME is a column, or NAME=COLUMN:TYPE.
    #[arg(long, value_name = "NAME:TYPE", value_parser = spec::metric, required_unless_present = "summaries")]
    metric: Vec<MetricSpec>,
    /// A column known before the exposure by whose values results are shown, too.
    #[arg(long, value_name = "COLUMN")]
    segment: Vec<String>,
    /// A column known before the exposure that takes off variance (CUPED, by Lin's regression): for all metrics, or METRIC=COLUMN.
    #[arg(long, value_name = "[METRIC=]COLUMN", value_parser = spec::covariate)]
    covariate: Vec<CovariateSpec>,
    /// Column of the cluster, where whole clusters were randomised; --planned-units then counts clusters.
    #[arg(long, value_name = "COLUMN", conflicts_with = "covariate")]
    cluster: Option<String>,
    /// Unit totals above it count as it, shown beside the raw metric: METRIC=VALUE, or METRIC=p99.9 of the units that have a value.
    #[arg(long, value_name = "METRIC=CAP", value_parser = spec::cap)]
    cap: Vec<CapSpec>,
    /// What share of units a variant was meant to get, relative to the others; 1 where none is given.
    #[arg(long, value_name = "VARIANT=WEIGHT", value_parser = spec::weight)]
    weight: Vec<(String, f64)>,
    /// What decides.
    #[arg(long, value_name = "METHOD", value_enum, default_value = "always-valid")]
    method: Method,
    /// N*, the units of a pair that were planned: where the always-valid interval is narrowest. With --summaries also `last`, the units of the
    /// last look, which is honest only if the end did not depend on the results.
    #[arg(long, value_name = "N")]
    planned_units: Option<String>,
    /// Share of false positives that is tolerated.
    #[arg(long, value_name = "ALPHA", default_value = "0.05", value_parser = share)]
    alpha: f64,
    /// The file has counts, means and variances over time.
    #[arg(long, conflicts_with_all = ["unit", "metric", "segment", "covariate", "cluster", "cap", "weight"])]
    summaries: bool,
    /// Column of the time of a look.
    #[arg(long, value_name = "COLUMN", requires = "summaries")]
    time: Option<String>,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
    /// Write a report to this file: one page of HTML that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let alpha = Alpha::new(arguments.alpha).map_err(|problem| WrongUse(problem.to_string()))?;
    if arguments.summaries {
        return summaries(arguments, alpha);
    }
    let report = report(arguments, alpha)?;
    tell(arguments, || json::report(&report), || text::report(&report), || html::report(&report))
}

fn summaries(arguments: &Arguments, alpha: Alpha) -> Result<ExitCode> {
    if !matches!(arguments.method, Method::AlwaysValid | Method::FixedHorizon) {
        return Err(WrongUse(
            "--summaries shows always-valid and fixed-horizon results side by side; leave out --method".to_owned(),
        )
        .into());
    }
    let planned = match arguments.planned_units.as_deref() {
        Some("last") => series::Planned::Last,
        Some(text) => series::Planned::Units(units(text)?),
        None => series::Planned::Units(Design::PLANNED_UNITS),
    };
    let pair = arguments.variant.as_deref().zip(arguments.control.as_deref());
    let found = summaries::read(&arguments.file, pair, arguments.time.as_deref(), planned, alpha)?;
    tell(arguments, || json::summaries(&found), || long::text(&found), || html::summaries(&found))
}

fn tell(
    arguments: &Arguments,
    json: impl Fn() -> serde_json::Value,
    text: impl Fn() -> String,
    html: impl Fn() -> String,
) -> Result<ExitCode> {
    if let Some(path) = &arguments.html {
        std::fs::write(path, html()).with_context(|| format!("writing {}", path.display()))?;
        eprintln!("assay: the report is in {}", path.display());
    }
    if arguments.json {
        println!("{}", json());
    } else {
        print!("{}", text());
    }
    Ok(ExitCode::SUCCESS)
}

fn units(text: &str) -> Result<f64> {
    match text.parse::<u64>() {
        Ok(units) if units > 0 => Ok(units as f64),
        _ => Err(WrongUse(format!("--planned-units is a whole number above 0, and '{text}' is none")).into()),
    }
}

/// The columns to read, and what is compared.
struct Columns {
    wanted: Wanted,
    /// By metric: the columns of y and x among those read.
    metrics: Vec<(usize, Option<usize>)>,
    /// By metric: the column of the covariate among those read, and its name.
    covariates: Vec<Option<(usize, String)>>,
}

fn report(arguments: &Arguments, alpha: Alpha) -> Result<Report> {
    let mut source = Source::open(&arguments.file)?;
    let columns = columns(arguments, &source)?;
    let read = Units::read(&mut source, &columns.wanted)?;
    let name = arguments.control.as_deref().unwrap_or_default();
    let known = || read.variants.iter().map(String::as_str);
    let control = read.variants.iter().position(|known| known == name).ok_or_else(|| {
        WrongUse(format!(
            "{} has no variant '{name}' in its column '{}'{}; it has {}",
            source.file(),
            arguments.variant.as_deref().unwrap_or_default(),
            nearest(name, known()),
            read.variants.join(", ")
        ))
    })?;
    if read.variants.len() < 2 {
        return Err(
            WrongUse(format!("{} has one variant, '{name}', and nothing to compare it with", source.file())).into()
        );
    }
    let mut weights = vec![1.0; read.variants.len()];
    for (variant, weight) in &arguments.weight {
        match read.variants.iter().position(|known| known == variant) {
            Some(at) => weights[at] = *weight,
            None => {
                return Err(WrongUse(format!(
                    "there is no variant '{variant}' for a --weight{}",
                    nearest(variant, known())
                ))
                .into());
            }
        }
    }
    let mut notes = Vec::new();
    let planned = match arguments.planned_units.as_deref() {
        Some(text) => units(text)?,
        None => {
            notes.push(format!(
                "no --planned-units: the always-valid interval is narrowest at {} units of a pair; a plan made before the start makes it narrower where it counts",
                Design::PLANNED_UNITS
            ));
            Design::PLANNED_UNITS
        }
    };
    let measures = measures(arguments, &columns, &read, &mut notes);
    Report::new(Asked {
        file: source.file(),
        units: &read,
        control,
        weights,
        measures: &measures,
        segments: &arguments.segment,
        plan: Plan::new(arguments.method, alpha, planned),
        notes,
    })
}

/// Finds every column that was named, once each and in one way of reading.
fn columns(arguments: &Arguments, source: &Source) -> Result<Columns> {
    let mut values: Vec<(usize, Reads)> = Vec::new();
    let mut column = |name: &str, reads: Reads| -> Result<usize> {
        let at = source.column(name)?;
        Ok(values.iter().position(|&it| it == (at, reads)).unwrap_or_else(|| {
            values.push((at, reads));
            values.len() - 1
        }))
    };
    let names: Vec<&str> = arguments.metric.iter().map(|metric| metric.name.as_str()).collect();
    if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        return Err(WrongUse(format!("there are two metrics '{}': name one NAME=COLUMN:TYPE", twice.1)).into());
    }
    let known = |name: &str, what: &str| match names.contains(&name) {
        true => Ok(()),
        false => {
            Err(WrongUse(format!("there is no metric '{name}' for {what}{}", nearest(name, names.iter().copied()))))
        }
    };
    for cap in &arguments.cap {
        known(&cap.metric, "a --cap")?;
        let capped = arguments.metric.iter().filter(|metric| metric.name == cap.metric);
        if capped.clone().any(|metric| !matches!(metric.kind, Kind::Sum | Kind::Count)) {
            return Err(WrongUse(format!("a cap limits sums and counts, and '{}' is none", cap.metric)).into());
        }
    }
    let (mut metrics, mut covariates) = (Vec::new(), Vec::new());
    for metric in &arguments.metric {
        if arguments.cluster.is_some() && matches!(metric.kind, Kind::Ratio { .. } | Kind::Quantile(_)) {
            return Err(WrongUse(format!(
                "clusters compare conversions, sums and counts, and '{}' is none",
                metric.name
            ))
            .into());
        }
        let y = column(
            &metric.column,
            match metric.kind {
                Kind::Conversion => Reads::Yes,
                Kind::Sum | Kind::Ratio { .. } => Reads::Sum,
                Kind::Count => Reads::Count,
                Kind::Quantile(_) => Reads::Single,
            },
        )?;
        let x = match &metric.kind {
            Kind::Ratio { denominator } => Some(column(denominator, Reads::Sum)?),
            _ => None,
        };
        metrics.push((y, x));
    }
    for spec in &arguments.covariate {
        if let Some(name) = &spec.metric {
            known(name, "a --covariate")?;
        }
    }
    for metric in &arguments.metric {
        // What names the metric comes before what is for all.
        let own = arguments.covariate.iter().find(|spec| spec.metric.as_deref() == Some(metric.name.as_str()));
        let spec = own.or_else(|| arguments.covariate.iter().find(|spec| spec.metric.is_none()));
        let plain = !matches!(metric.kind, Kind::Ratio { .. } | Kind::Quantile(_));
        covariates.push(match spec {
            Some(_) if !plain && own.is_some() => {
                return Err(WrongUse(format!(
                    "a covariate adjusts conversions, sums and counts, and '{}' is none",
                    metric.name
                ))
                .into());
            }
            Some(spec) if plain => Some((column(&spec.column, Reads::First)?, spec.column.clone())),
            _ => None,
        });
    }
    let segments = arguments.segment.iter().map(|name| source.column(name)).collect::<Result<_>>()?;
    let find = |name: &Option<String>| name.as_deref().map(|name| source.column(name)).transpose();
    let wanted = Wanted {
        unit: find(&arguments.unit)?,
        variant: find(&arguments.variant)?.unwrap_or_default(),
        values,
        segments,
        cluster: find(&arguments.cluster)?,
    };
    Ok(Columns { wanted, metrics, covariates })
}

/// Raw, capped and adjusted rows of each metric, beside each other.
fn measures(arguments: &Arguments, columns: &Columns, units: &Units, notes: &mut Vec<String>) -> Vec<Measure> {
    let mut measures = Vec::new();
    for ((spec, &(y, x)), covariate) in arguments.metric.iter().zip(&columns.metrics).zip(&columns.covariates) {
        let raw =
            Measure { name: spec.name.clone(), kind: spec.kind.clone(), about: None, y, x, cap: None, adjusted: false };
        measures.push(raw.clone());
        for cap in arguments.cap.iter().filter(|cap| cap.metric == spec.name) {
            let (cap, how) = match cap.cap {
                Cap::Fixed(cap) => (Some(cap), String::new()),
                Cap::Percentile(q) => {
                    (percentile_cap(units, y, q), format!(", p{} of non-zero units", table::number(100.0 * q)))
                }
            };
            match cap {
                Some(cap) => {
                    let about = format!("capped at {}{how}", table::number(cap as f64 / SCALE));
                    measures.push(Measure { about: Some(about), cap: Some(cap), ..raw.clone() });
                }
                None => notes.push(format!("{}: no unit has a value, so there is no cap", spec.name)),
            }
        }
        if let Some((column, name)) = covariate {
            let about = Some(format!("adjusted for {name}"));
            measures.push(Measure { about, x: Some(*column), adjusted: true, ..raw });
        }
    }
    if arguments.cap.iter().any(|cap| matches!(cap.cap, Cap::Percentile(_))) {
        notes.push(
            "a cap taken from the data at the end holds for this look; for many looks fix it beforehand".to_owned(),
        );
    }
    measures
}

/// A file's name without its directories, for titles.
fn title(file: &str) -> &str {
    Path::new(file).file_name().and_then(|name| name.to_str()).unwrap_or(file)
}
