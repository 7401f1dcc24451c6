//! Sample ratio mismatch (§5): do the arms have the sizes that the weights promise?

use crate::special::{ln_gamma_tail, stirling_rest};
use libm::{exp, log, log1p};

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
        let expected = total * share / weight;
        if expected > 0.0 { (count - expected) * (count - expected) / expected } else { 0.0 }
    };
    let statistic: f64 = counts.iter().zip(weights).map(term).sum();
    let ln_p_value = ln_gamma_tail(0.5 * df, 0.5 * statistic).min(0.0);
    ChiSquare { statistic, df, p_value: exp(ln_p_value), ln_p_value }
}

/// ln E of the sequential multinomial test with a Dirichlet prior (Lindon and Malek, 2011.03567), for the counts so far.
///
/// `lnB(Kw + counts) - lnB(Kw) - Σ counts ln w`, with the large terms of Stirling's formula cancelled on paper: what remains is exact
/// for a thousand millions of units. Units in an arm of weight 0 give infinity.
pub fn sequential_ln_e(counts: &[f64], weights: &[f64], concentration: f64) -> f64 {
    let weight: f64 = weights.iter().sum();
    let total: f64 = counts.iter().sum();
    if total <= 0.0 {
        return 0.0;
    }
    let mut sum = 0.0;
    for (&count, &share) in counts.iter().zip(weights) {
        let share = share / weight;
        if share <= 0.0 {
            if count > 0.0 {
                return f64::INFINITY;
            }
            continue;
        }
        let prior = concentration * share;
        let surprise = log1p((count - share * total) / (share * (concentration + total)));
        sum += count * surprise + (prior - 0.5) * log1p(count / prior) + stirling_rest(prior + count)
            - stirling_rest(prior);
    }
    sum - (concentration - 0.5) * log1p(total / concentration) - stirling_rest(concentration + total)
        + stirling_rest(concentration)
}

/// min(1, 1/E).
pub fn p_value(ln_e: f64) -> f64 {
    exp(-ln_e.max(0.0))
}

/// ln of a p-value's alarm threshold in terms of E.
pub fn ln_alarm() -> f64 {
    -log(ALARM)
}
