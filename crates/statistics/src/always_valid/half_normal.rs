//! The one-sided normal mixture (§7.3): evidence that an effect is above a bound, for guardrails.
//!
//! `ln E = ln 2 - ln(1+x)/2 + s²/2 + ln Φ(s)`, `s = z √(x/(1+x))`: the mixture of [`super::normal_mixture`] over positive effects only, a
//! half-normal one (Howard, Ramdas, McAuliffe and Sekhon, 1810.08240). Spending alpha on one side, it is tuned at twice alpha. `z` is the
//! distance from the bound in standard errors. Evidence is small for `z < 0` but never nothing: at z = -50 the logarithm is about -5,
//! because `s²/2` and `ln Φ(s)`, each in the thousands, are taken together as the logarithm of Mills' ratio.

use super::normal_mixture::share;
use super::{Rule, tuned};
use crate::alpha::{Alpha, NotAlpha};
use crate::special::{LN_SQRT_2PI, ln_mills_ratio, ln_normal_tail};
use libm::{exp, fabs, log1p, sqrt};
use std::f64::consts::LN_2;

/// ln E of a standardised estimate `z` at `x` = N ρ²: against the null that the effect is at or below the bound.
pub fn ln_e(z: f64, x: f64) -> f64 {
    let x = x.clamp(f64::MIN_POSITIVE, f64::MAX);
    LN_2 - 0.5 * log1p(x) + ln_scaled_cdf(z * sqrt(share(x)))
}

/// How many standard errors below the estimate the one-sided confidence sequence begins: the `z` at which E reaches 1/alpha.
pub fn multiplier(x: f64, alpha: Alpha) -> f64 {
    let x = x.clamp(f64::MIN_POSITIVE, f64::MAX);
    ln_scaled_cdf_inverse(0.5 * log1p(x) - alpha.ln() - LN_2) / sqrt(share(x))
}

/// x*: the two-sided value at twice alpha. Fails for an alpha from one half, where that would be no probability any more.
pub fn tuned_one_sided(alpha: Alpha, rule: Rule) -> Result<f64, NotAlpha> {
    Ok(tuned(Alpha::new(2.0 * alpha.value())?, rule))
}

/// s²/2 + ln Φ(s).
pub(super) fn ln_scaled_cdf(s: f64) -> f64 {
    // Below this the two would cancel; above it Mills' ratio would need many terms.
    if s < -5.0 { ln_mills_ratio(-s) - LN_SQRT_2PI } else { 0.5 * s * s + ln_normal_tail(-s) }
}

/// The s ≥ 0 with s²/2 + ln Φ(s) = `target`, for a target from -ln 2, its value at 0.
pub(super) fn ln_scaled_cdf_inverse(target: f64) -> f64 {
    // Convex and rising: Newton from the left overshoots once and then comes down to the root. √(2 target) is left, since ln Φ < 0.
    let mut s = sqrt(2.0 * target.max(0.0));
    for _ in 0..60 {
        let value = ln_scaled_cdf(s);
        let step = (value - target) / (s + exp(-LN_SQRT_2PI - value));
        s = (s - step).max(0.0);
        if fabs(step) <= 1e-16 * s {
            break;
        }
    }
    s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_on_the_wrong_side_evidence_stays_finite() {
        assert!((ln_e(-50.0, 8.0) - -5.177_984_623_783_062).abs() < 1e-12, "{}", ln_e(-50.0, 8.0));
        assert!(ln_e(-1e200, 8.0).is_finite());
        assert_eq!(ln_e(1e200, 8.0), f64::INFINITY);
    }

    #[test]
    fn the_multiplier_is_where_evidence_reaches_its_threshold() {
        for alpha in [0.999, 0.5, 0.05, 1e-10, 1e-300] {
            let alpha = Alpha::new(alpha).unwrap();
            for x in [1e-8, 0.1, 8.0, 1e9] {
                let got = ln_e(multiplier(x, alpha), x);
                assert!((got + alpha.ln()).abs() < 1e-10 * (1.0 - alpha.ln()), "{got} at {x}, {alpha:?}");
            }
        }
    }
}
