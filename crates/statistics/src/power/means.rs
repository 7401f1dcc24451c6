//! Sample size, power and minimum detectable effect of a comparison of two means.
//!
//! Normal: `n = (z_alpha + z_beta)² (sd_c² + sd_t² / r) / delta²` in the control. With Student's t and a common sd the power is the tail of the
//! noncentral t distribution with n(1 + r) - 2 degrees of freedom and noncentrality `delta / (sd sqrt(1/n + 1/(r n)))`, and the size is where
//! that reaches the promise; it exceeds the normal one by about z²/4 units, which matters below a hundred. Units of sd and delta are those
//! of the metric. Heavy tails need more than either says.

use super::{PlanError, Promise, SampleSize, check_ratio};
use crate::alpha::Alpha;
use crate::root::root;
use crate::sides::Sides;
use crate::special::noncentral_t::noncentral_t_tail;
use crate::special::{ln_normal_tail, student_upper_quantile};
use libm::{exp, fabs, fmax, sqrt};

/// Above this many units per control arm, t and normal sizes agree to nine digits.
const NORMAL_FROM: f64 = 1e10;

/// Degrees of freedom below which no t test is planned.
const DF_MIN: f64 = 1.0;

/// Units to find a difference of `delta`, by normal quantiles.
pub fn sample_size_normal(
    sd_control: f64,
    sd_treatment: f64,
    delta: f64,
    promise: &Promise,
    ratio: f64,
) -> Result<SampleSize, PlanError> {
    promise.check()?;
    check(sd_control, delta, ratio)?;
    check(sd_treatment, delta, ratio)?;
    Ok(SampleSize::of(exact_normal(sd_control, sd_treatment, delta, promise, ratio)?, ratio, 1, 1.0))
}

/// Units to find a difference of `delta` by a t test with common standard deviation.
pub fn sample_size_t(sd: f64, delta: f64, promise: &Promise, ratio: f64) -> Result<SampleSize, PlanError> {
    promise.check()?;
    check(sd, delta, ratio)?;
    let normal = exact_normal(sd, sd, delta, promise, ratio)?;
    let alpha = promise.alpha.divided(promise.comparisons);
    let lowest = (DF_MIN + 2.0) / (1.0 + ratio);
    let excess = |n: f64| t_power(sd, delta, n, ratio, alpha, promise.sides) - promise.power;
    let exact = if normal > NORMAL_FROM {
        normal
    } else if excess(lowest) >= 0.0 {
        lowest
    } else {
        // The t test needs more than the normal one, by few units.
        let low = fmax(lowest, normal);
        let mut high = low + fmax(4.0, promise.z_alpha() * promise.z_alpha());
        while excess(high) < 0.0 && high < 4.0 * NORMAL_FROM {
            high *= 2.0;
        }
        let low = if excess(low) > 0.0 { lowest } else { low };
        root(low, high, 1e-10, excess).ok_or(PlanError::OutOfReach)?
    };
    Ok(SampleSize::of(exact, ratio, 1, 2.0))
}

/// The chance that a z test rejects when the means differ by `delta`.
pub fn power_normal(
    sd_control: f64,
    sd_treatment: f64,
    delta: f64,
    n_control: f64,
    n_treatment: f64,
    alpha: Alpha,
    sides: Sides,
) -> Result<f64, PlanError> {
    check_sizes(n_control, n_treatment, 1.0)?;
    check(sd_control, 1.0, 1.0)?;
    check(sd_treatment, 1.0, 1.0)?;
    if !delta.is_finite() {
        return Err(PlanError::NoEffect);
    }
    let drift = fabs(delta) / sqrt(sd_control * sd_control / n_control + sd_treatment * sd_treatment / n_treatment);
    let critical = sides.critical(alpha);
    let wrong = if sides == Sides::Two { exp(ln_normal_tail(critical + drift)) } else { 0.0 };
    Ok((exp(ln_normal_tail(critical - drift)) + wrong).min(1.0))
}

/// The chance that a t test with common standard deviation rejects when the means differ by `delta`.
pub fn power_t(
    sd: f64,
    delta: f64,
    n_control: f64,
    n_treatment: f64,
    alpha: Alpha,
    sides: Sides,
) -> Result<f64, PlanError> {
    check_sizes(n_control, n_treatment, 2.0)?;
    check(sd, 1.0, 1.0)?;
    if !delta.is_finite() {
        return Err(PlanError::NoEffect);
    }
    Ok(t_power(sd, delta, n_control, n_treatment / n_control, alpha, sides))
}

/// The smallest difference that `n_control` units (and `ratio` times as many in the treatment) find, by normal quantiles.
pub fn mde(
    sd_control: f64,
    sd_treatment: f64,
    n_control: f64,
    promise: &Promise,
    ratio: f64,
) -> Result<f64, PlanError> {
    promise.check()?;
    check(sd_control, 1.0, ratio)?;
    check(sd_treatment, 1.0, ratio)?;
    check_sizes(n_control, n_control, 1.0)?;
    Ok(promise.drift() * sqrt(unit_variance(sd_control, sd_treatment, ratio) / n_control))
}

fn t_power(sd: f64, delta: f64, n: f64, ratio: f64, alpha: Alpha, sides: Sides) -> f64 {
    let df = n * (1.0 + ratio) - 2.0;
    let drift = fabs(delta) / sd * sqrt(n / (1.0 + 1.0 / ratio));
    let critical = student_upper_quantile(sides.share(alpha).value(), df);
    let wrong = if sides == Sides::Two { noncentral_t_tail(critical, df, -drift) } else { 0.0 };
    (noncentral_t_tail(critical, df, drift) + wrong).min(1.0)
}

fn exact_normal(sd_c: f64, sd_t: f64, delta: f64, promise: &Promise, ratio: f64) -> Result<f64, PlanError> {
    // The quotient first, because squares of tiny numbers underflow.
    let root = promise.drift() / fabs(delta);
    let (c, t) = (root * sd_c, root * sd_t);
    let exact = c * c + t * t / ratio;
    if exact.is_finite() { Ok(exact) } else { Err(PlanError::OutOfReach) }
}

fn unit_variance(sd_c: f64, sd_t: f64, ratio: f64) -> f64 {
    sd_c * sd_c + sd_t * sd_t / ratio
}

fn check(sd: f64, delta: f64, ratio: f64) -> Result<(), PlanError> {
    check_ratio(ratio)?;
    if !(sd > 0.0 && sd.is_finite()) {
        return Err(PlanError::Deviation);
    }
    if delta == 0.0 || !delta.is_finite() { Err(PlanError::NoEffect) } else { Ok(()) }
}

fn check_sizes(n_control: f64, n_treatment: f64, least: f64) -> Result<(), PlanError> {
    let fine = |n: f64| n >= least && n.is_finite();
    if fine(n_control) && fine(n_treatment) { Ok(()) } else { Err(PlanError::Size) }
}
