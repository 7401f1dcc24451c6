//! The sequential test as growthbook/growthbook shows it, for comparing the two side by side.
//!
//! The formula of [`super::normal_mixture`] with the approximate rule for ρ, plain Welch variance (of rates: p(1-p)/n, without the n - 1), no
//! waiting period and, for relative effects, the delta method. It keeps the type I error near alpha in balanced designs; at 90/10 with rare
//! events it does not (§1.5), which is why none of this is the default.

use super::normal_mixture::{ln_e, multiplier};
use super::p_value;
use crate::alpha::Alpha;
use crate::lift::{self, Mean};
use libm::sqrt;

/// What is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Treatment minus control.
    Absolute,
    /// Treatment over control, less one, by the delta method.
    Relative,
}

/// What that engine shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sequential {
    /// Of the effect.
    pub estimate: f64,
    /// Of the estimate.
    pub standard_error: f64,
    /// ln E of no effect.
    pub ln_e: f64,
    /// min(1, 1/E).
    pub p_value: f64,
    /// Confidence sequence.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// `units` is the total of both arms. `None` without variance, or for a relative effect when the control's mean is 0.
pub fn compare(
    control: &Mean,
    treatment: &Mean,
    units: f64,
    effect: Effect,
    rho2: f64,
    alpha: Alpha,
) -> Option<Sequential> {
    let (estimate, variance) = match effect {
        Effect::Absolute => (treatment.mean - control.mean, control.variance + treatment.variance),
        Effect::Relative => lift::delta_of_means(control, treatment)?,
    };
    if !(variance > 0.0 && variance.is_finite() && estimate.is_finite()) {
        return None;
    }
    let standard_error = sqrt(variance);
    let ln_e = ln_e(estimate, variance, units, rho2, 0.0);
    let half = multiplier(units, rho2, alpha) * standard_error;
    Some(Sequential {
        estimate,
        standard_error,
        ln_e,
        p_value: p_value(ln_e),
        low: estimate - half,
        high: estimate + half,
    })
}
