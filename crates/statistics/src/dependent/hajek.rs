//! Hájek's estimate of an effect under exposure conditions (§9.3).
//!
//! Units are weighted by `w = 1/π`, with π the probability of the condition they were in ([`super::exposure`]). Per condition
//!
//! ```text
//! μ = Σ w y / Σ w,   Var μ = Σ (w (y - μ))² / (Σ w)²,   effective n = (Σ w)² / Σ w²
//! ```
//!
//! (Hájek, 1971; Aronow and Samii, 1305.6156; the variance by linearisation). When assignment came by clusters, the terms of a cluster are
//! summed before squaring, over both conditions together. μ is in units of the metric; the Horvitz-Thompson total `Σ w y` estimates the sum
//! over all units and is far noisier.
//!
//! Units of which either condition has a probability below [`PROBABILITY_MIN`] are left out, from both sides so that both speak of the
//! same units, and their share is reported. Dependence through the graph beyond clusters is not in the variance, which is too small where
//! neighbours' conditions go together.

use super::exposure::{Condition, ExposureProbabilities};
use crate::special::normal_two_sided;
use std::collections::BTreeMap;

/// Probability below which a unit's weight, above 100, would rule the estimate.
pub const PROBABILITY_MIN: f64 = 0.01;

/// A unit with its condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExposedUnit {
    /// The metric.
    pub y: f64,
    /// What it was exposed to.
    pub condition: Condition,
    /// How probable both conditions were.
    pub probabilities: ExposureProbabilities,
    /// The cluster that was assigned; `None` when units were assigned one by one.
    pub cluster: Option<u64>,
}

/// The mean of a condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HajekMean {
    /// Units in the condition.
    pub units: usize,
    /// μ.
    pub mean: f64,
    /// Var μ; 0 for one unit, which knows nothing about it.
    pub variance: f64,
    /// Units of equal weight that would be as good.
    pub effective_n: f64,
    /// Σ w y.
    pub horvitz_thompson_total: f64,
}

/// Both conditions and their difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hajek {
    /// `None` without units.
    pub treated_exposed: Option<HajekMean>,
    /// `None` without units.
    pub control_unexposed: Option<HajekMean>,
    /// Treated less control.
    pub difference: Option<f64>,
    /// Variance of it.
    pub variance: Option<f64>,
    /// z, its two-sided p-value and the logarithm of that; `None` (degenerate) without variance.
    pub test: Option<(f64, f64, f64)>,
    /// Share of units left out.
    pub dropped_share: f64,
}

/// Weighs and compares. `probability_min` is usually [`PROBABILITY_MIN`].
pub fn hajek(units: &[ExposedUnit], probability_min: f64) -> Hajek {
    let likely = |unit: &&ExposedUnit| {
        let both = unit.probabilities;
        both.treated_exposed.min(both.control_unexposed) >= probability_min
    };
    let kept: Vec<&ExposedUnit> = units.iter().filter(likely).collect();
    let dropped_share = if units.is_empty() { 0.0 } else { (units.len() - kept.len()) as f64 / units.len() as f64 };
    let side = |condition| Side::new(&kept, condition);
    let (treated, control) = (side(Condition::TreatedExposed), side(Condition::ControlUnexposed));
    let difference = treated.mean().zip(control.mean()).map(|(one, other)| one - other);
    let both = treated.terms.iter().copied().chain(control.terms.iter().map(|&(cluster, term)| (cluster, -term)));
    let variance = difference.map(|_| sum_of_squares(both));
    let test = difference.zip(variance).and_then(|(difference, variance)| {
        let z = difference / variance.sqrt();
        let (p_value, ln_p_value) = normal_two_sided(z);
        (variance > 0.0 && z.is_finite()).then_some((z, p_value, ln_p_value))
    });
    Hajek {
        treated_exposed: treated.result,
        control_unexposed: control.result,
        difference,
        variance,
        test,
        dropped_share,
    }
}

/// A condition, with what each unit adds to the linearised mean.
struct Side {
    result: Option<HajekMean>,
    terms: Vec<(Option<u64>, f64)>,
}

impl Side {
    fn new(units: &[&ExposedUnit], condition: Condition) -> Side {
        let probability = |unit: &ExposedUnit| match condition {
            Condition::TreatedExposed => unit.probabilities.treated_exposed,
            _ => unit.probabilities.control_unexposed,
        };
        let chosen: Vec<(&ExposedUnit, f64)> = units
            .iter()
            .filter(|unit| unit.condition == condition && probability(unit) > 0.0)
            .map(|&unit| (unit, 1.0 / probability(unit)))
            .collect();
        let total: f64 = chosen.iter().map(|(_, weight)| weight).sum();
        if chosen.is_empty() {
            return Side { result: None, terms: Vec::new() };
        }
        let shares = || chosen.iter().map(|(unit, weight)| (unit, weight / total));
        let mean: f64 = shares().map(|(unit, share)| share * unit.y).sum();
        let terms: Vec<(Option<u64>, f64)> =
            shares().map(|(unit, share)| (unit.cluster, share * (unit.y - mean))).collect();
        let result = HajekMean {
            units: chosen.len(),
            mean,
            variance: sum_of_squares(terms.iter().copied()),
            effective_n: 1.0 / shares().map(|(_, share)| share * share).sum::<f64>(),
            horvitz_thompson_total: chosen.iter().map(|(unit, weight)| weight * unit.y).sum(),
        };
        Side { result: mean.is_finite().then_some(result), terms }
    }

    fn mean(&self) -> Option<f64> {
        self.result.map(|result| result.mean)
    }
}

/// Terms of a cluster are added before squaring.
fn sum_of_squares(terms: impl Iterator<Item = (Option<u64>, f64)>) -> f64 {
    let (mut alone, mut together) = (0.0, BTreeMap::<u64, f64>::new());
    for (cluster, term) in terms {
        match cluster {
            None => alone += term * term,
            Some(cluster) => *together.entry(cluster).or_default() += term,
        }
    }
    alone + together.values().map(|sum| sum * sum).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(condition: Condition, y: f64, p: f64, cluster: Option<u64>) -> ExposedUnit {
        let probabilities = ExposureProbabilities { treated_exposed: p, control_unexposed: p };
        ExposedUnit { y, condition, probabilities, cluster }
    }

    #[test]
    fn equal_probabilities_are_a_plain_mean() {
        let units: Vec<ExposedUnit> =
            [1.0, 2.0, 6.0].iter().map(|&y| unit(Condition::TreatedExposed, y, 0.2, None)).collect();
        let treated = hajek(&units, PROBABILITY_MIN).treated_exposed.unwrap();
        assert!((treated.mean - 3.0).abs() < 1e-15 && (treated.effective_n - 3.0).abs() < 1e-14);
        assert!((treated.variance - 14.0 / 9.0).abs() < 1e-14);
        assert!((treated.horvitz_thompson_total - 45.0).abs() < 1e-13);
    }

    #[test]
    fn a_cluster_that_moves_together_counts_once() {
        let units = |cluster: fn(usize) -> Option<u64>| {
            let values = [1.0, 1.0, 5.0, 5.0].iter().enumerate();
            values.map(|(k, &y)| unit(Condition::ControlUnexposed, y, 0.5, cluster(k))).collect::<Vec<_>>()
        };
        let of = |units: &[ExposedUnit]| hajek(units, PROBABILITY_MIN).control_unexposed.unwrap().variance;
        assert_eq!(of(&units(|k| Some(k as u64 / 2))), 2.0 * of(&units(|_| None)));
    }

    #[test]
    fn improbable_units_are_left_out_and_counted() {
        let units =
            [unit(Condition::TreatedExposed, 1.0, 0.5, None), unit(Condition::ControlUnexposed, 9.0, 0.001, None)];
        let result = hajek(&units, PROBABILITY_MIN);
        assert_eq!((result.control_unexposed, result.dropped_share, result.test), (None, 0.5, None));
    }
}
