//! A normal posterior of an effect (§4). Descriptive: stopping when the chance is high has no bounded error.

use crate::special::ln_normal_tail;
use libm::exp;

/// Chance to win and expected loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Posterior {
    /// P(effect > 0).
    pub chance_to_win: f64,
    /// E(max(0, -effect)): what choosing the treatment costs on average if that is wrong, in units of the effect.
    pub expected_loss: f64,
    /// Posterior mean.
    pub mean: f64,
    /// Posterior standard deviation.
    pub sd: f64,
}

/// Posterior of an effect estimated as `estimate` with `variance`, under the prior N(0, `prior_sd`²).
///
/// The default prior is 0.05 on the lift. `None` without variance.
pub fn normal(estimate: f64, variance: f64, prior_sd: f64) -> Option<Posterior> {
    if !(variance > 0.0 && variance.is_finite() && estimate.is_finite()) {
        return None;
    }
    let precision = 1.0 / variance + 1.0 / (prior_sd * prior_sd);
    let mean = estimate / variance / precision;
    let sd = (1.0 / precision).sqrt();
    let z = mean / sd;
    let density = exp(-0.5 * z * z) / (2.0 * std::f64::consts::PI).sqrt();
    let chance_to_win = exp(ln_normal_tail(-z));
    let expected_loss = (sd * density - mean * exp(ln_normal_tail(z))).max(0.0);
    Some(Posterior { chance_to_win, expected_loss, mean, sd })
}
