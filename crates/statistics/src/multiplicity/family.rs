//! Adjusted p-values of a family that is complete.
//!
//! With the p-values in ascending order, rank i from 1 to m:
//!
//! | procedure | adjusted | rejects | holds under |
//! | --- | --- | --- | --- |
//! | Bonferroni | m p | p ≤ α/m | any dependence, family-wise |
//! | Šidák | 1 - (1-p)^m | p ≤ 1 - (1-α)^{1/m} | independence, family-wise |
//! | Holm (1979) | running maximum of (m-i+1) p | stepping down while p ≤ α/(m-i+1) | any dependence, family-wise |
//! | Hochberg (1988) | running minimum from the top of (m-i+1) p | all up to the last p ≤ α/(m-i+1) | independence, family-wise |
//! | Benjamini–Hochberg (1995) | running minimum from the top of m p/i | all up to the last p ≤ α i/m | independence, false discoveries |
//! | Benjamini–Yekutieli (2001) | the same times Σ 1/j | all up to the last p ≤ α i/(m Σ 1/j) | any dependence, false discoveries |
//!
//! Running p-values may be given to Holm: each is valid at all times, so the result is too. The others' guarantees are for one look.

use crate::alpha::Alpha;
use libm::{expm1, log1p};

/// How a family is adjusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Procedure {
    /// Each p times the number of hypotheses.
    Bonferroni,
    /// Bonferroni for independent hypotheses.
    Sidak,
    /// Bonferroni, stepping down.
    Holm,
    /// Holm's levels, stepping up.
    Hochberg,
    /// False discovery rate under independence.
    BenjaminiHochberg,
    /// False discovery rate under any dependence.
    BenjaminiYekutieli,
}

/// A family after adjustment, in the order given.
#[derive(Debug, Clone, PartialEq)]
pub struct Adjusted {
    /// The smallest alpha at which each would be rejected.
    pub p_values: Vec<f64>,
    /// Decisions at alpha.
    pub rejected: Vec<bool>,
}

/// Adjusts a family of p-values.
pub fn adjust(p_values: &[f64], procedure: Procedure, alpha: Alpha) -> Adjusted {
    let order = ascending(p_values);
    let sorted: Vec<f64> = order.iter().map(|&at| p_values[at]).collect();
    let values = adjusted(&sorted, procedure);
    let rejections = rejections(&sorted, procedure, alpha.value());
    let mut all = Adjusted { p_values: vec![1.0; sorted.len()], rejected: vec![false; sorted.len()] };
    for (rank, &at) in order.iter().enumerate() {
        all.p_values[at] = values[rank];
        all.rejected[at] = rank < rejections;
    }
    all
}

/// The adjusted p-value of each rank.
fn adjusted(sorted: &[f64], procedure: Procedure) -> Vec<f64> {
    let m = sorted.len();
    let scaled = |factor: &dyn Fn(usize) -> f64| -> Vec<f64> {
        sorted.iter().enumerate().map(|(rank, p)| (p * factor(rank)).min(1.0)).collect()
    };
    let left = |rank: usize| (m - rank) as f64;
    let share = |rank: usize| m as f64 / (rank + 1) as f64;
    match procedure {
        Procedure::Bonferroni => scaled(&|_| m as f64),
        Procedure::Sidak => sorted.iter().map(|&p| -expm1(m as f64 * log1p(-p))).collect(),
        Procedure::Holm => rising(scaled(&left)),
        Procedure::Hochberg => falling(scaled(&left)),
        Procedure::BenjaminiHochberg => falling(scaled(&share)),
        Procedure::BenjaminiYekutieli => {
            let harmonic = harmonic(m);
            falling(scaled(&|rank| share(rank) * harmonic))
        }
    }
}

/// How many ranks are rejected, by the levels themselves: a p-value on its level is rejected, and an adjusted one may be an ulp off.
fn rejections(sorted: &[f64], procedure: Procedure, alpha: f64) -> usize {
    let (m, harmonic) = (sorted.len(), harmonic(sorted.len()));
    let level = |rank: usize| match procedure {
        Procedure::Bonferroni => alpha / m as f64,
        Procedure::Sidak => -expm1(log1p(-alpha) / m as f64),
        Procedure::Holm | Procedure::Hochberg => alpha / (m - rank) as f64,
        Procedure::BenjaminiHochberg => (rank + 1) as f64 / m as f64 * alpha,
        Procedure::BenjaminiYekutieli => (rank + 1) as f64 / m as f64 / harmonic * alpha,
    };
    let within = |&rank: &usize| sorted[rank] <= level(rank);
    match procedure {
        Procedure::Bonferroni | Procedure::Sidak | Procedure::Holm => (0..m).take_while(within).count(),
        _ => (0..m).rev().find(within).map_or(0, |rank| rank + 1),
    }
}

/// Holm's adjusted p-values, in the order given.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    adjust(p_values, Procedure::Holm, Alpha::FIVE_PERCENT).p_values
}

fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&one, &other| p_values[one].total_cmp(&p_values[other]));
    order
}

/// Running maximum: a step-down never rejects what comes after what it kept.
fn rising(mut values: Vec<f64>) -> Vec<f64> {
    let mut most = 0.0f64;
    for value in &mut values {
        most = most.max(*value);
        *value = most;
    }
    values
}

/// Running minimum from the top: a step-up rejects all before what it rejects.
fn falling(mut values: Vec<f64>) -> Vec<f64> {
    let mut least = 1.0f64;
    for value in values.iter_mut().rev() {
        least = least.min(*value);
        *value = least;
    }
    values
}

fn harmonic(m: usize) -> f64 {
    (1..=m).map(|rank| 1.0 / rank as f64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holm_steps_down() {
        assert_eq!(holm(&[0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
        assert_eq!(adjust(&[0.01, 0.04, 0.03], Procedure::Holm, Alpha::FIVE_PERCENT).rejected, [true, false, false]);
    }

    #[test]
    fn nothing_is_adjusted_to_nothing() {
        assert!(adjust(&[], Procedure::BenjaminiYekutieli, Alpha::FIVE_PERCENT).p_values.is_empty());
    }
}
