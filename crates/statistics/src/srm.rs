//! Sample ratio mismatch (§5): do the arms have the sizes that the weights promise?
//!
//! [`sequential_ln_e`] holds at every look: a Dirichlet(K w) mixture over what the shares could be instead (Lindon and Malek, 2011.03567). With
//! K = 1,000 it raises a false alarm at p ≤ 0.01 in 0.6 % of A/A experiments and finds 52/48 after some 7,100 units. [`chi_square`] is for one
//! declared look: re-checked at a thousand looks its alarm at 0.001 is false 27 times as often as it says. An alarm blocks decisions, not results.

use crate::dirichlet;
use crate::special::ln_gamma_tail;
use libm::{exp, log};

/// Concentration of the sequential test's prior: smaller finds gross breakage sooner, larger finds small bias better.
pub const CONCENTRATION: f64 = 1_000.0;
/// The running p at which the split is called broken.
pub const ALARM: f64 = 0.01;

/// Pearson's chi-square against the weights. For one declared look only.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquare {
    /// Σ(O-E)²/E over arms with weight.
    pub statistic: f64,
    /// Arms with weight, less one.
    pub df: f64,
    /// Upper tail.
    pub p_value: f64,
    /// Its logarithm, which does not underflow.
    pub ln_p_value: f64,
}

/// Pearson's chi-square. Units in an arm of weight 0 are impossible: p is 0.
pub fn chi_square(counts: &[f64], weights: &[f64]) -> ChiSquare {
    let (total, weight): (f64, f64) = (counts.iter().sum(), weights.iter().sum());
    let live = weights.iter().filter(|&&weight| weight > 0.0).count();
    let df = live.saturating_sub(1) as f64;
    let impossible = counts.iter().zip(weights).any(|(&count, &weight)| weight <= 0.0 && count > 0.0);
    if impossible {
        return ChiSquare { statistic: f64::INFINITY, df, p_value: 0.0, ln_p_value: f64::NEG_INFINITY };
    }
    if total <= 0.0 || df < 1.0 {
        return ChiSquare { statistic: 0.0, df, p_value: 1.0, ln_p_value: 0.0 };
    }
    let term = |(&count, &share): (&f64, &f64)| {
        let expected = total * (share / weight);
        // In this order no square overflows.
        if expected > 0.0 {
            (count - expected) / expected * (count - expected)
        } else if count > 0.0 {
            f64::INFINITY
        } else {
            0.0
        }
    };
    let statistic: f64 = counts.iter().zip(weights).map(term).sum();
    let ln_p_value =
        if statistic.is_finite() { ln_gamma_tail(0.5 * df, 0.5 * statistic).min(0.0) } else { f64::NEG_INFINITY };
    ChiSquare { statistic, df, p_value: exp(ln_p_value), ln_p_value }
}

/// ln E of the sequential multinomial test with a Dirichlet prior (Lindon and Malek, 2011.03567), for the counts so far.
///
/// `lnB(Kw + counts) - lnB(Kw) - Σ counts ln w`, exact for a thousand million units. Units in an arm of weight 0 give infinity: an alarm at once.
pub fn sequential_ln_e(counts: &[f64], weights: &[f64], concentration: f64) -> f64 {
    let weight: f64 = weights.iter().sum();
    let total: f64 = counts.iter().sum();
    if total <= 0.0 {
        return 0.0;
    }
    let all = concentration + total;
    let mut sum = dirichlet::totals(total, concentration);
    for (&count, &share) in counts.iter().zip(weights) {
        let share = share / weight;
        if share <= 0.0 {
            if count > 0.0 {
                return f64::INFINITY;
            }
            continue;
        }
        let posterior = (concentration * share + count) / all;
        sum += all * dirichlet::divergence(posterior, share, (count - share * total) / all)
            + dirichlet::rest(count, concentration * share);
    }
    sum
}

/// First exposures and weights of an epoch: targeting, exclusion groups and holdouts change the weights, never the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split<'a> {
    /// First exposures per arm.
    pub counts: &'a [f64],
    /// What the epoch's allocation promised; any scale.
    pub weights: &'a [f64],
}

/// ln E over epochs: within each the counts are tested against its own weights, and the E's multiply.
///
/// Per segment, call this for each and adjust the running p-values by [`crate::multiplicity::holm`].
pub fn epochs_ln_e(epochs: &[Split], concentration: f64) -> f64 {
    epochs.iter().map(|epoch| sequential_ln_e(epoch.counts, epoch.weights, concentration)).sum()
}

/// min(1, 1/E).
pub fn p_value(ln_e: f64) -> f64 {
    exp(-ln_e.max(0.0))
}

/// ln of a p-value's alarm threshold in terms of E.
pub fn ln_alarm() -> f64 {
    -log(ALARM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_multiplies_over_epochs() {
        let (early, late) = ([600.0, 90.0], [500.0, 400.0]);
        let epochs = [Split { counts: &early, weights: &[0.9, 0.1] }, Split { counts: &late, weights: &[1.0, 1.0] }];
        let apart =
            sequential_ln_e(&early, &[0.9, 0.1], CONCENTRATION) + sequential_ln_e(&late, &[0.5, 0.5], CONCENTRATION);
        assert_eq!(epochs_ln_e(&epochs, CONCENTRATION), apart);
        assert_eq!(epochs_ln_e(&[], CONCENTRATION), 0.0);
    }

    #[test]
    fn a_unit_where_none_can_be_is_an_alarm_at_once() {
        assert_eq!(sequential_ln_e(&[100.0, 100.0, 1.0], &[1.0, 1.0, 0.0], CONCENTRATION), f64::INFINITY);
        assert!(sequential_ln_e(&[100.0, 100.0, 0.0], &[1.0, 1.0, 0.0], CONCENTRATION) < 0.0);
    }

    #[test]
    fn vanishing_weights_are_no_nan() {
        for count in [0.0, 1.0, 1e9] {
            assert!(!sequential_ln_e(&[1e9, count], &[1.0, 5e-324], CONCENTRATION).is_nan());
            assert!(!sequential_ln_e(&[1e9, count], &[1.0, 1e-300], 1e-300).is_nan());
        }
    }
}
