//! What segments say about the whole: whether the split holds within them, whether the effect differs between them, and whether they
//! contradict their total.

use crate::infer::{Memory, Pair, control, pair};
use crate::results::{Balance, Heterogeneity, SegmentSplit, Stratified};
use crate::sums::Sums;
use assay_experiment::Role;
use assay_statistics::alpha::Alpha;
use assay_statistics::heterogeneity::post_stratification::{Stratum, post_stratify};
use assay_statistics::heterogeneity::{balance, meta_analysis, simpson};
use assay_statistics::multiplicity::{self, Procedure};
use assay_statistics::srm;

/// Counts a look at the split within every segment value.
pub(crate) fn observe(sums: &Sums, memory: &mut Memory) {
    memory.segments.resize(sums.rows.len(), 1.0);
    for row in 1..sums.rows.len() {
        let least = &mut memory.segments[row];
        *least = least.min(srm::p_value(ln_e(sums, row)));
    }
}

fn ln_e(sums: &Sums, row: usize) -> f64 {
    let counts: Vec<f64> = (0..sums.experiment.variants.len()).map(|variant| sums.units(variant, row) as f64).collect();
    srm::sequential_ln_e(&counts, &weights(sums), srm::CONCENTRATION)
}

fn weights(sums: &Sums) -> Vec<f64> {
    sums.experiment.variants.iter().map(|variant| variant.weight as f64).collect()
}

/// The split within every segment value. All values are one family, because a broken split in any of them blocks.
pub(crate) fn splits(sums: &Sums, memory: Option<&Memory>) -> Vec<SegmentSplit> {
    let rows = 1..sums.rows.len();
    let evidence: Vec<f64> = rows.clone().map(|row| ln_e(sums, row)).collect();
    let known = |row: usize| memory.and_then(|memory| memory.segments.get(row)).copied();
    let running: Vec<f64> =
        rows.clone().map(|row| known(row).unwrap_or_else(|| srm::p_value(evidence[row - 1]))).collect();
    let adjusted = multiplicity::holm(&running);
    rows.map(|row| {
        let (attribute, value) = sums.rows[row].segment.clone().unwrap_or_default();
        let (ln_e, p_value_running, p_value_adjusted) = (evidence[row - 1], running[row - 1], adjusted[row - 1]);
        let alarm = p_value_adjusted <= srm::ALARM;
        SegmentSplit { attribute, value, ln_e, p_value_running, p_value_adjusted, alarm }
    })
    .collect()
}

/// The rows of each attribute, in the order of the definition.
fn attributes(sums: &Sums) -> Vec<(String, Vec<usize>)> {
    let mut found: Vec<(String, Vec<usize>)> = Vec::new();
    for (row, about) in sums.rows.iter().enumerate() {
        let Some((attribute, _)) = &about.segment else { continue };
        match found.last_mut().filter(|last| last.0 == *attribute) {
            Some(last) => last.1.push(row),
            None => found.push((attribute.clone(), vec![row])),
        }
    }
    found
}

/// How many units each arm has of each value.
fn counts(sums: &Sums, rows: &[usize]) -> Vec<Vec<f64>> {
    let arms = 0..sums.experiment.variants.len();
    arms.map(|variant| rows.iter().map(|&row| sums.units(variant, row) as f64).collect()).collect()
}

/// Per segment attribute, how evenly its values fall on the arms.
pub(crate) fn balances(sums: &Sums, splits: &[SegmentSplit]) -> Vec<Balance> {
    let (control, arms) = (control(sums), sums.experiment.variants.len());
    let share = |variant: usize, row: usize| sums.units(variant, row) as f64 / sums.units(variant, 0) as f64;
    let difference = |variant: usize, row: usize| {
        let (c, t) = (share(control, row), share(variant, row));
        let spread = ((c * (1.0 - c) + t * (1.0 - t)) / 2.0).sqrt();
        // Without any spread one arm has only such units and the other none, or there is no difference.
        if t == c { 0.0 } else { (t - c).abs() / spread }
    };
    let has = |variant: usize| sums.units(variant, 0) > 0;
    let one = |(attribute, rows): (String, Vec<usize>)| {
        let pairs = (0..arms).filter(|&it| it != control && has(it) && has(control));
        let largest = pairs.flat_map(|variant| rows.iter().map(move |&row| (variant, row)));
        let running: Vec<f64> = rows.iter().map(|&row| splits[row - 1].p_value_running).collect();
        Balance {
            std_difference: largest.map(|(variant, row)| difference(variant, row)).fold(0.0, f64::max),
            p_value_fixed: balance::categorical(&counts(sums, &rows)).test.p_value,
            p_value_running: multiplicity::holm(&running).into_iter().fold(1.0, f64::min),
            attribute,
        }
    };
    attributes(sums).into_iter().map(one).collect()
}

/// Positions of the primary metrics.
fn primary(sums: &Sums) -> Vec<usize> {
    let is_primary =
        |id: &str| sums.experiment.metrics.iter().any(|used| used.metric == id && used.role == Role::Primary);
    (0..sums.metrics.len()).filter(|&metric| is_primary(&sums.metrics[metric].id)).collect()
}

/// Of each primary metric, attribute and treatment.
fn families(sums: &Sums) -> impl Iterator<Item = (usize, String, Vec<usize>, usize)> {
    let (control, arms) = (control(sums), sums.experiment.variants.len());
    let attributes = attributes(sums);
    primary(sums).into_iter().flat_map(move |metric| {
        let attributes = attributes.clone();
        attributes.into_iter().flat_map(move |(attribute, rows)| {
            let treatments = (0..arms).filter(move |&variant| variant != control);
            treatments.map(move |variant| (metric, attribute.clone(), rows.clone(), variant))
        })
    })
}

fn strata(sums: &Sums, metric: usize, rows: &[usize], variant: usize) -> Vec<Stratum> {
    let stratum = |&row: &usize| {
        let Pair { control, treatment, .. } = pair(sums, metric, variant, row)?;
        Some(Stratum { control, treatment })
    };
    rows.iter().filter_map(stratum).filter(|it| it.units() > 0.0).collect()
}

/// Whether the effects on the primary metrics differ between the values of an attribute. Exploratory, so all entries are one family of false
/// discoveries.
pub(crate) fn heterogeneity(sums: &Sums) -> Vec<Heterogeneity> {
    let mut all: Vec<Heterogeneity> = families(sums)
        .map(|(metric, attribute, rows, variant)| {
            let strata = strata(sums, metric, &rows, variant);
            let effects = strata.iter().filter(|it| !it.thin()).map(|it| (it.effect(), it.variance()));
            let effects: Vec<(f64, f64)> = effects.filter(|it| it.1 > 0.0).collect();
            let found = meta_analysis::heterogeneity(&effects).filter(|_| effects.len() > 1);
            Heterogeneity {
                metric: sums.metrics[metric].id.clone(),
                attribute,
                variant: sums.experiment.variants[variant].name.clone(),
                supported: crate::infer::is_supported(&sums.metrics[metric].kind),
                values: effects.len(),
                test: found.map(|it| (it.q.statistic, it.q.df, it.i_squared, it.q.p_value)),
                p_value_bh: None,
            }
        })
        .collect();
    let known: Vec<f64> = all.iter().filter_map(|it| it.test.map(|test| test.3)).collect();
    let adjusted = multiplicity::adjust(&known, Procedure::BenjaminiHochberg, Alpha::FIVE_PERCENT).p_values;
    let tested = all.iter_mut().filter(|it| it.test.is_some());
    tested.zip(adjusted).for_each(|(it, adjusted)| it.p_value_bh = Some(adjusted));
    all
}

/// The effects on the primary metrics as averages over the values of each attribute.
pub(crate) fn stratified(sums: &Sums) -> Vec<Stratified> {
    families(sums)
        .map(|(metric, attribute, rows, variant)| {
            let strata = strata(sums, metric, &rows, variant);
            let p_value = balance::categorical(&counts(sums, &rows)).test.p_value;
            let total = simpson::simpson(&strata, p_value).filter(|it| it.unstratified_effect.is_finite());
            Stratified {
                metric: sums.metrics[metric].id.clone(),
                attribute,
                variant: sums.experiment.variants[variant].name.clone(),
                supported: crate::infer::is_supported(&sums.metrics[metric].kind),
                average: post_stratify(&strata, None).map(|it| (it.effect, it.variance.sqrt())),
                total: total.map(|it| it.unstratified_effect),
                reversal: total.is_some_and(|it| it.reversal),
                shifted: total.is_some_and(|it| it.shifted),
            }
        })
        .collect()
}
