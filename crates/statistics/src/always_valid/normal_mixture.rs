//! The normal mixture (§1.1): evidence and interval from an estimate, its variance and the number of units.
//!
//! `ln E(δ) = -ln(1+x)/2 + z²/2 · x/(1+x)` with `x = N ρ²` and `z = (d-δ)/√V`, `d` the estimate of treatment minus control, `V` its variance
//! and `N` the units of the pair; the interval is `d ∓ √V √((1 + 1/x)(ln(1+x) - 2 ln α))`. It is the mSPRT of Johari, Koomen, Pekelis and
//! Walsh (1512.04922) with mixture N(0, τ²), τ² = ρ² N V, and the two-sided asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha,
//! Kennedy and Ramdas (2103.06476). Scale free: `d` and `√V` carry the unit of the metric, `x` and `z` have none.
//!
//! It promises at most alpha false positives however often one looks, in the limit of a waiting period. It does not promise that an
//! estimate at a stopping time is unbiased, and it needs each unit to enter once, with its final value.

use crate::alpha::Alpha;
use libm::{log1p, sqrt};

/// x = N ρ², kept inside the finite positive numbers so that no product below is 0 · ∞.
pub(super) fn information(units: f64, rho2: f64) -> f64 {
    (units * rho2).clamp(f64::MIN_POSITIVE, f64::MAX)
}

/// x/(1+x), for x up to the largest number.
pub(super) fn share(x: f64) -> f64 {
    1.0 / (1.0 + 1.0 / x)
}

/// ln E(null); 0, that is no evidence, where `variance` is not above 0.
pub fn ln_e(difference: f64, variance: f64, units: f64, rho2: f64, null: f64) -> f64 {
    if variance > 0.0 { ln_e_of((difference - null) / sqrt(variance), information(units, rho2)) } else { 0.0 }
}

/// ln E of a standardised estimate `z` at `x` = N ρ².
pub fn ln_e_of(z: f64, x: f64) -> f64 {
    evidence(z, x, log1p(x))
}

/// Half width of the interval in standard errors.
pub fn multiplier(units: f64, rho2: f64, alpha: Alpha) -> f64 {
    let x = information(units, rho2);
    half_width(x, log1p(x), -2.0 * alpha.ln())
}

/// ln E, given ln(1+x).
pub(super) fn evidence(z: f64, x: f64, log1p_x: f64) -> f64 {
    0.5 * (z * z) * share(x) - 0.5 * log1p_x
}

/// The multiplier, given ln(1+x) and -2 ln α.
pub(super) fn half_width(x: f64, log1p_x: f64, threshold: f64) -> f64 {
    sqrt((1.0 + 1.0 / x) * (log1p_x + threshold))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::always_valid::{Rule, tuned};

    /// The row of §1.2: a wrong N* is cheap upwards and dear downwards.
    #[test]
    fn multipliers_away_from_the_planned_units() {
        let alpha = Alpha::FIVE_PERCENT;
        let x = tuned(alpha, Rule::Exact);
        for (ratio, expected) in [(0.01, 8.94), (0.1, 3.82), (0.5, 3.08), (1.0, 3.035), (4.0, 3.13), (100.0, 3.57)] {
            let got = multiplier(ratio, x, alpha);
            assert!((got - expected).abs() < 0.0051, "{got} is not {expected}");
        }
    }

    #[test]
    fn nothing_overflows_into_nothing() {
        for units in [0.0, 5e-324, 1.0, f64::MAX] {
            for rho2 in [5e-324, 1.0, f64::MAX] {
                for difference in [0.0, -f64::MAX, 1e-300] {
                    for variance in [0.0, 5e-324, 1.0, f64::MAX] {
                        assert!(!ln_e(difference, variance, units, rho2, f64::MAX).is_nan());
                    }
                }
                assert!(multiplier(units, rho2, Alpha::FIVE_PERCENT) > 0.0);
            }
        }
    }
}
