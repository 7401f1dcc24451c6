//! The mixture sequential probability ratio test with an absolute mixing variance τ² (Johari, Koomen, Pekelis and Walsh, 1512.04922).
//!
//! `ln E = ½ ln(V/(V+τ²)) + τ² (d-θ₀)²/(2 V (V+τ²))`, with τ in units of the effect: "effects are about this large". It is
//! [`super::normal_mixture`] at `x = τ²/V`, so it is offered for those who think in τ; about 1.02 times the minimum detectable effect is the
//! same as N* at 80 % power. Unlike ρ it depends on the unit of the metric, which is why it is not the default.

use super::normal_mixture;
use crate::alpha::Alpha;
use libm::sqrt;

/// x = τ²/V.
fn information(variance: f64, tau2: f64) -> f64 {
    (tau2 / variance).clamp(f64::MIN_POSITIVE, f64::MAX)
}

/// ln E(null); 0, that is no evidence, where `variance` is not above 0.
pub fn ln_e(difference: f64, variance: f64, tau2: f64, null: f64) -> f64 {
    if variance > 0.0 {
        normal_mixture::ln_e_of((difference - null) / sqrt(variance), information(variance, tau2))
    } else {
        0.0
    }
}

/// Half width of the confidence sequence, in units of the effect; infinite where `variance` is not above 0.
pub fn half_width(variance: f64, tau2: f64, alpha: Alpha) -> f64 {
    if variance > 0.0 {
        normal_mixture::multiplier(1.0, information(variance, tau2), alpha) * sqrt(variance)
    } else {
        f64::INFINITY
    }
}
