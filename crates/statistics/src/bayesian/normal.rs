//! A normal posterior of an effect: likelihood N(d, V), prior N(m0, s0²), combined by precision (§4).
//!
//! With m and s the posterior mean and standard deviation: chance to win `Phi(m/s)`, expected loss of choosing the treatment
//! `E(max(0, -effect)) = s phi(m/s) - m Phi(-m/s)`, and of choosing the control that plus m. Descriptive: stopping when the chance is high
//! has no bounded error.

use super::{PosteriorError, outside};
use crate::special::{ln_normal_tail, normal_upper_quantile};
use libm::{exp, fabs, sqrt};

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
    let prior = Prior::Normal { mean: 0.0, sd: prior_sd };
    let got = conjugate(estimate, sqrt(variance), prior, 0.95).ok().flatten()?;
    let (mean, sd) = (got.mean, got.sd);
    Some(Posterior { chance_to_win: got.chance_to_win, expected_loss: got.loss_choose_treatment, mean, sd })
}

/// What is believed of an effect before the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Prior {
    /// Nothing: the posterior is the likelihood. Improper, so nothing about it is calibrated.
    Flat,
    /// N(mean, sd²).
    Normal {
        /// Usually 0.
        mean: f64,
        /// Above 0.
        sd: f64,
    },
}

impl Prior {
    /// The default for lifts: two thirds of all effects within 5 %, which is what most programmes of experiments see.
    pub const LIFT: Prior = Prior::Normal { mean: 0.0, sd: 0.05 };
}

/// The posterior of an effect, in full.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalPosterior {
    /// Posterior mean.
    pub mean: f64,
    /// Posterior standard deviation.
    pub sd: f64,
    /// P(effect > 0).
    pub chance_to_win: f64,
    /// ln P(effect < 0), which says more than a chance of 1.
    pub ln_chance_to_lose: f64,
    /// E(max(0, -effect)).
    pub loss_choose_treatment: f64,
    /// E(max(0, effect)).
    pub loss_choose_control: f64,
    /// Lower end of the equal-tailed interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The posterior of an effect estimated as `estimate` with `standard_error`. `Ok(None)` where there is no likelihood: no variance at all,
/// or a number that is not finite.
pub fn conjugate(
    estimate: f64,
    standard_error: f64,
    prior: Prior,
    level: f64,
) -> Result<Option<NormalPosterior>, PosteriorError> {
    let outside = outside(level)?;
    let (mean, sd) = match prior {
        Prior::Normal { mean, sd } if !(sd > 0.0 && mean.is_finite()) => return Err(PosteriorError::NormalPrior),
        _ if !(standard_error > 0.0 && standard_error.is_finite() && estimate.is_finite()) => return Ok(None),
        Prior::Flat => (estimate, standard_error),
        Prior::Normal { sd, .. } if sd == f64::INFINITY => (estimate, standard_error),
        Prior::Normal { mean, sd } => combined(estimate, standard_error, mean, sd),
    };
    let z = mean / sd;
    let half = normal_upper_quantile(outside) * sd;
    // The smaller loss from the tail, the larger as that plus the mean.
    let small = sd * standard_loss(fabs(z));
    let (treatment, control) = if z >= 0.0 { (small, small + mean) } else { (small - mean, small) };
    Ok(Some(NormalPosterior {
        mean,
        sd,
        chance_to_win: exp(ln_normal_tail(-z)),
        ln_chance_to_lose: ln_normal_tail(z),
        loss_choose_treatment: treatment,
        loss_choose_control: control,
        low: mean - half,
        high: mean + half,
    }))
}

/// Weighted by precision, through the ratio of the standard deviations because their squares may leave the range of doubles.
fn combined(estimate: f64, standard_error: f64, mean: f64, sd: f64) -> (f64, f64) {
    let (from, wide, to, narrow) =
        if standard_error <= sd { (mean, sd, estimate, standard_error) } else { (estimate, standard_error, mean, sd) };
    let ratio = narrow / wide;
    let square = ratio * ratio;
    let share = square / (1.0 + square);
    (to / (1.0 + square) + from * share, narrow / sqrt(1.0 + square))
}

/// phi(z) - z Phi-bar(z) for z >= 0: the expected shortfall of a standard normal below -z.
fn standard_loss(z: f64) -> f64 {
    let density = exp(-0.5 * z * z) / sqrt(2.0 * std::f64::consts::PI);
    if z < 3.0 {
        return density - z * exp(ln_normal_tail(z));
    }
    // The two terms would cancel; by the continued fraction of Mills' ratio, 1/(z + k), it is phi(z) k/(z + k).
    let k = (2..=120).rev().fold(0.0, |fraction, i| f64::from(i) / (z + fraction));
    let k = 1.0 / (z + k);
    density * k / (z + k)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, expected: f64) {
        assert!(fabs(got / expected - 1.0) < 1e-11, "{got} is not {expected}");
    }

    #[test]
    fn losses_keep_their_digits() {
        near(standard_loss(0.0), 0.398_942_280_401_432_7);
        near(standard_loss(2.9), 0.000_541_673_848_662_143_8);
        near(standard_loss(3.0), 0.000_382_154_317_047_723_6);
        near(standard_loss(10.0), 7.474_560_254_589_328e-25);
    }

    #[test]
    fn scales_far_apart_stay_finite() {
        for (se, sd) in [(1e-200, 1e200), (1e200, 1e-200), (1e300, 1e300), (5e-324, 1.0)] {
            let got = conjugate(1.0, se, Prior::Normal { mean: 0.0, sd }, 0.95).unwrap().unwrap();
            assert!(!got.mean.is_nan() && got.sd > 0.0 && !got.loss_choose_control.is_nan(), "{got:?}");
        }
    }
}
