//! Results by segment: whether segments are balanced, what each says, what they say together, and whether they contradict each other.

use super::compare::{Finding, Method, Plan, arms};
use super::measure::Measure;
use super::spec::Kind;
use super::units::{Labels, Units};
use anyhow::Result;
use assay_statistics::heterogeneity::balance::{Balance, categorical};
use assay_statistics::heterogeneity::breslow_day::{BreslowDay, breslow_day};
use assay_statistics::heterogeneity::interaction::wald;
use assay_statistics::heterogeneity::mantel_haenszel::{MantelHaenszel, Table, mantel_haenszel};
use assay_statistics::heterogeneity::meta_analysis::{Heterogeneity, heterogeneity};
use assay_statistics::heterogeneity::post_stratification::{Stratum, post_stratify, unstratified};
use assay_statistics::heterogeneity::simpson::{Simpson, simpson};
use assay_statistics::heterogeneity::{ChiSquareTest, NormalTest};
use assay_statistics::moments::{Arm, Sums};
use assay_statistics::multiplicity::{Procedure, adjust};

/// A column of segments.
pub struct SegmentResult {
    /// Name of the column.
    pub column: String,
    /// Its values with the units of each variant, in alphabetical order.
    pub values: Vec<(String, Vec<u64>)>,
    /// Whether chance spread the values over the variants.
    pub balance: Balance,
    /// By measure.
    pub measures: Vec<SegmentedMeasure>,
}

/// A measure by segment.
pub struct SegmentedMeasure {
    /// Name of the metric.
    pub name: String,
    /// What was done to it.
    pub about: Option<String>,
    /// By value, then variant.
    pub means: Vec<Vec<Option<f64>>>,
    /// By value, then variant; `None` for the control.
    pub findings: Vec<Vec<Option<Finding>>>,
    /// By variant; `None` for the control, and where strata cannot be compared.
    pub together: Vec<Option<Together>>,
    /// All arms and values at once: whether effects differ between values.
    pub interaction: Option<ChiSquareTest>,
}

/// What the segments say together about one treatment.
pub struct Together {
    /// The effect as an average over segments.
    pub effect: f64,
    /// Its variance.
    pub variance: f64,
    /// For one look.
    pub test: Option<NormalTest>,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
    /// 1 - V/V of the plain comparison.
    pub variance_reduction: Option<f64>,
    /// Values too small to stand alone.
    pub merged: Vec<String>,
    /// Whether the segments contradict their sum.
    pub simpson: Option<Simpson>,
    /// Whether effects differ between segments.
    pub heterogeneity: Option<Heterogeneity>,
    /// Common ratios, of conversions.
    pub ratios: Option<MantelHaenszel>,
    /// Whether the odds ratio is common, of conversions.
    pub common: Option<BreslowDay>,
}

/// All measures by one column.
pub fn segment(
    column: &str,
    labels: &Labels,
    units: &Units,
    measures: &[Measure],
    control: usize,
    plan: &Plan,
) -> Result<SegmentResult> {
    let mut order: Vec<usize> = (0..labels.names.len()).collect();
    order.sort_by(|&one, &other| labels.names[one].cmp(&labels.names[other]));
    let mut counts = vec![vec![0u64; units.variants.len()]; order.len()];
    units.assigned().for_each(|(unit, variant)| counts[labels.of[unit] as usize][variant] += 1);
    // Values that only units without an arm have are none.
    order.retain(|&value| counts[value].iter().any(|&count| count > 0));
    let values: Vec<(String, Vec<u64>)> =
        order.iter().map(|&value| (labels.names[value].clone(), counts[value].clone())).collect();
    let table: Vec<Vec<f64>> = (0..units.variants.len())
        .map(|variant| values.iter().map(|(_, counts)| counts[variant] as f64).collect())
        .collect();
    let balance = categorical(&table);
    let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
    let measures = measures
        .iter()
        .filter(|measure| !measure.adjusted && !matches!(measure.kind, Kind::Quantile(_)))
        .map(|measure| {
            let all = measure.sums(units, Some(labels))?;
            let sums: Vec<&Vec<Sums>> = order.iter().map(|&value| &all[value]).collect();
            Ok(measured(measure, &sums, &names, &balance, control, plan))
        })
        .collect::<Result<_>>()?;
    Ok(SegmentResult { column: column.to_owned(), values, balance, measures })
}

fn measured(
    measure: &Measure,
    sums: &[&Vec<Sums>],
    names: &[&str],
    balance: &Balance,
    control: usize,
    plan: &Plan,
) -> SegmentedMeasure {
    let variants = sums.first().map_or(0, |sums| sums.len());
    let arm = |value: usize, variant: usize| measure.arm(&sums[value][variant]);
    let mut findings: Vec<Vec<Option<Finding>>> = (0..sums.len())
        .map(|value| {
            let compare = |variant: usize| {
                let share = measure.share(&sums[value][control], &sums[value][variant]);
                (variant != control).then(|| arms(arm(value, control), arm(value, variant), share, plan))
            };
            (0..variants).map(compare).collect()
        })
        .collect();
    benjamini_hochberg(&mut findings, plan);
    let together =
        (0..variants)
            .map(|variant| {
                if variant == control { None } else { together(measure, sums, names, balance, control, variant, plan) }
            })
            .collect();
    let cells: Vec<Vec<Arm>> = (0..variants)
        .map(|variant| (0..sums.len()).map(|value| arm(value, variant).unwrap_or(Arm::EMPTY)).collect())
        .collect();
    SegmentedMeasure {
        name: measure.name.clone(),
        about: measure.about.clone(),
        means: (0..sums.len())
            .map(|value| (0..variants).map(|variant| arm(value, variant).map(|arm| arm.mean)).collect())
            .collect(),
        findings,
        together,
        interaction: if sums.len() > 1 { wald(&cells) } else { None },
    }
}

/// Segments are exploratory: the false discovery rate over all of a measure's comparisons in a column.
fn benjamini_hochberg(findings: &mut [Vec<Option<Finding>>], plan: &Plan) {
    if plan.method == Method::Bayesian {
        return;
    }
    let mut all: Vec<&mut Finding> = findings.iter_mut().flatten().flatten().collect();
    let p_values: Vec<f64> = all.iter().map(|finding| finding.said(plan.method).value.unwrap_or(1.0)).collect();
    let adjusted = adjust(&p_values, Procedure::BenjaminiHochberg, plan.alpha);
    for (finding, p_value) in all.iter_mut().zip(adjusted.p_values) {
        finding.p_adjusted = Some(p_value);
    }
}

fn together(
    measure: &Measure,
    sums: &[&Vec<Sums>],
    names: &[&str],
    balance: &Balance,
    control: usize,
    variant: usize,
    plan: &Plan,
) -> Option<Together> {
    // Ratios of sums are not averages of the segments' ratios: segments are compared (the interaction), but not averaged.
    if matches!(measure.kind, Kind::Ratio { .. }) {
        return None;
    }
    let arm = |sums: &Sums| measure.arm(sums).unwrap_or(Arm::EMPTY);
    let strata: Vec<Stratum> =
        sums.iter().map(|sums| Stratum { control: arm(&sums[control]), treatment: arm(&sums[variant]) }).collect();
    let post = post_stratify(&strata, None)?;
    let plain = unstratified(&strata).map(|whole| whole.variance()).filter(|&variance| variance > 0.0);
    let effects: Vec<(f64, f64)> =
        post.strata.iter().map(|stratum| (stratum.effect(), stratum.variance())).filter(|(_, v)| *v > 0.0).collect();
    let tables: Option<Vec<Table>> = (measure.kind == Kind::Conversion).then(|| {
        let table = |sums: &&Vec<Sums>| Table {
            control_n: sums[control].n as f64,
            control_conversions: sums[control].nonzero as f64,
            treatment_n: sums[variant].n as f64,
            treatment_conversions: sums[variant].nonzero as f64,
        };
        sums.iter().map(table).collect()
    });
    Some(Together {
        effect: post.effect,
        variance: post.variance,
        test: post.test(),
        interval: post.interval(plan.alpha),
        variance_reduction: plain.map(|plain| 1.0 - post.variance / plain),
        merged: post.merged.iter().map(|&at| names[at].to_owned()).collect(),
        simpson: simpson(&strata, balance.test.p_value),
        heterogeneity: heterogeneity(&effects),
        ratios: tables.as_deref().map(mantel_haenszel),
        common: tables.as_deref().and_then(breslow_day),
    })
}
