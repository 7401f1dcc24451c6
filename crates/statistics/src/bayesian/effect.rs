//! From the sums of two arms to a normal posterior of their effect, absolute or relative (§4).
//!
//! Absolute: d = ȳ_t - ȳ_c with V = s_c²/n_c + s_t²/n_t. Relative by the delta method: d = ȳ_t/ȳ_c - 1 with
//! V = s_t²/(n_t ȳ_c²) + s_c² ȳ_t²/(n_c ȳ_c⁴). The prior is on the same scale. Where the control's mean is near 0 the delta method
//! promises nothing; Fieller's set does.

use super::{NormalPosterior, PosteriorError, Prior, conjugate};
use libm::sqrt;

/// An arm of an effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EffectArm {
    /// Number of units.
    pub n: f64,
    /// Mean per unit.
    pub mean: f64,
    /// Variance of a unit: p (1 - p) for rates, with n - 1 for means.
    pub variance: f64,
}

impl EffectArm {
    /// Units that did or did not convert.
    pub fn of_proportion(n: f64, sum: f64) -> EffectArm {
        let mean = sum / n;
        EffectArm { n, mean, variance: mean * (1.0 - mean) }
    }

    /// Units with values, from Σy and Σy².
    pub fn of_mean(n: f64, sum: f64, sum_of_squares: f64) -> EffectArm {
        let mean = sum / n;
        EffectArm { n, mean, variance: ((sum_of_squares - sum * mean) / (n - 1.0)).max(0.0) }
    }
}

/// The scale of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectScale {
    /// Treatment minus control.
    Absolute,
    /// Treatment over control, minus 1.
    Relative,
}

/// The posterior of the effect. `Ok(None)` where the arms give no estimate: an empty arm, no variance, or a relative effect on a mean of 0.
pub fn effect(
    control: &EffectArm,
    treatment: &EffectArm,
    scale: EffectScale,
    prior: Prior,
    level: f64,
) -> Result<Option<NormalPosterior>, PosteriorError> {
    let (vc, vt) = (control.variance / control.n, treatment.variance / treatment.n);
    let (estimate, variance) = match scale {
        EffectScale::Absolute => (treatment.mean - control.mean, vc + vt),
        EffectScale::Relative => {
            let ratio = treatment.mean / control.mean;
            (ratio - 1.0, (vt + vc * ratio * ratio) / (control.mean * control.mean))
        }
    };
    let counted = control.n > 0.0 && treatment.n > 0.0;
    let (estimate, variance) = if counted { (estimate, variance) } else { (f64::NAN, f64::NAN) };
    conjugate(estimate, sqrt(variance), prior, level)
}
