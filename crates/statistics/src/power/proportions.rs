//! Sample size, power and minimum detectable effect of a comparison of two proportions.
//!
//! With p1 of the control, p2 of the treatment, r treatment units per control unit and z the quantiles of alpha per side and of beta, the control
//! needs `n = (z_alpha + z_beta)² (p1 q1 + p2 q2 / r) / (p2 - p1)²`; the treatment r times that. With the variance pooled under the null:
//! `n = (z_alpha sqrt(pq (1 + 1/r)) + z_beta sqrt(p1 q1 + p2 q2 / r))² / (p2 - p1)²`, p the average rate. 5 % to 5.5 % at 5 % and 80 % takes 31,231
//! units per arm (31,196 with z rounded to 1.96 and 0.84); the 72,281 that is often printed beside this formula is not what it gives.
//!
//! Normal approximation: below about 10 expected conversions per arm the true power differs.

use super::{PlanError, Promise, SampleSize, check_ratio};
use crate::alpha::Alpha;
use crate::sides::Sides;
use crate::special::ln_normal_tail;
use libm::{exp, fabs, sqrt};

/// The variance in the denominator of the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateVariance {
    /// Each arm's own.
    Unpooled,
    /// Of the average rate, as a pooled z test uses it.
    PooledNull,
}

/// Units to find `target` against `baseline`.
///
/// With several `treatments` each is compared with the control; `promise.comparisons` says whether alpha is divided among them.
pub fn sample_size(
    baseline: f64,
    target: f64,
    variance: RateVariance,
    promise: &Promise,
    ratio: f64,
    treatments: u32,
) -> Result<SampleSize, PlanError> {
    promise.check()?;
    check_ratio(ratio)?;
    if treatments == 0 || treatments > 1_000 {
        return Err(PlanError::Treatments);
    }
    let difference = effect(baseline, target)?;
    let own = own_variance(baseline, target, ratio);
    let root = match variance {
        RateVariance::Unpooled => promise.drift() * sqrt(own),
        RateVariance::PooledNull => {
            let pooled = pooled_variance(baseline, target, ratio);
            promise.z_alpha() * sqrt(pooled) + promise.z_beta() * sqrt(own)
        }
    };
    Ok(SampleSize::of((root / difference) * (root / difference), ratio, treatments, 1.0))
}

/// The size of the control in a textbook that rounds its quantiles.
pub fn sample_size_rounded_z(baseline: f64, target: f64, z_alpha: f64, z_beta: f64) -> Result<SampleSize, PlanError> {
    if !((z_alpha + z_beta).is_finite() && z_alpha + z_beta > 0.0) {
        return Err(PlanError::Power);
    }
    let difference = effect(baseline, target)?;
    let root = (z_alpha + z_beta) / difference;
    Ok(SampleSize::of(root * root * own_variance(baseline, target, 1.0), 1.0, 1, 1.0))
}

/// The chance that the test rejects when the rates are these, over its sides: with two, the wrong one counts too and the least is alpha.
pub fn power(
    baseline: f64,
    target: f64,
    n_control: f64,
    n_treatment: f64,
    variance: RateVariance,
    alpha: Alpha,
    sides: Sides,
) -> Result<f64, PlanError> {
    let difference = match effect(baseline, target) {
        Err(PlanError::NoEffect) => 0.0,
        other => fabs(other?),
    };
    if !(n_control >= 1.0 && n_treatment >= 1.0 && n_control.is_finite() && n_treatment.is_finite()) {
        return Err(PlanError::Size);
    }
    let ratio = n_treatment / n_control;
    let own = sqrt(own_variance(baseline, target, ratio) / n_control);
    let tested = match variance {
        RateVariance::Unpooled => own,
        RateVariance::PooledNull => sqrt(pooled_variance(baseline, target, ratio) / n_control),
    };
    let critical = sides.critical(alpha) * tested;
    if own == 0.0 {
        // The arms cannot vary: they differ for sure, or never.
        return Ok(if difference > critical { 1.0 } else { 0.0 });
    }
    let right = exp(ln_normal_tail((critical - difference) / own));
    let wrong = if sides == Sides::Two { exp(ln_normal_tail((critical + difference) / own)) } else { 0.0 };
    Ok((right + wrong).min(1.0))
}

/// The smallest effects that a given sample finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateMde {
    /// Upwards, as a difference of rates; `None` if even a rate of 1 would not be found.
    pub up: Option<f64>,
    /// Downwards, negative; `None` if even a rate of 0 would not be found.
    pub down: Option<f64>,
}

/// The effects at which [`sample_size`] (unpooled) gives `n_control`: with K = (z_alpha + z_beta)², the roots of
/// `(n + K/r) d² - (K/r) (1 - 2p) d - K p q (1 + 1/r) = 0`.
pub fn mde(baseline: f64, n_control: f64, promise: &Promise, ratio: f64) -> Result<RateMde, PlanError> {
    promise.check()?;
    check_ratio(ratio)?;
    if !(0.0..=1.0).contains(&baseline) {
        return Err(PlanError::Rate);
    }
    if !(n_control >= 1.0 && n_control.is_finite()) {
        return Err(PlanError::Size);
    }
    let k = promise.drift() * promise.drift();
    let (a, half_b) = (n_control + k / ratio, 0.5 * k / ratio * (1.0 - 2.0 * baseline));
    let c = k * baseline * (1.0 - baseline) * (1.0 + 1.0 / ratio);
    let root = sqrt(half_b * half_b + a * c);
    // The root where the terms would cancel comes from the product of the roots, -c/a.
    let (up, down) = if half_b >= 0.0 {
        ((half_b + root) / a, -c / (half_b + root))
    } else {
        (c / (root - half_b), (half_b - root) / a)
    };
    let found = |d: f64, sign: f64| (d * sign > 0.0 && (0.0..=1.0).contains(&(baseline + d))).then_some(d);
    Ok(RateMde { up: found(up, 1.0), down: found(down, -1.0) })
}

fn effect(baseline: f64, target: f64) -> Result<f64, PlanError> {
    let rate = |p: f64| (0.0..=1.0).contains(&p);
    if !(rate(baseline) && rate(target)) {
        return Err(PlanError::Rate);
    }
    if baseline == target { Err(PlanError::NoEffect) } else { Ok(target - baseline) }
}

/// Of a control unit's share in the difference: p1 q1 + p2 q2 / r.
fn own_variance(p1: f64, p2: f64, ratio: f64) -> f64 {
    p1 * (1.0 - p1) + p2 * (1.0 - p2) / ratio
}

fn pooled_variance(p1: f64, p2: f64, ratio: f64) -> f64 {
    let p = (p1 + ratio * p2) / (1.0 + ratio);
    p * (1.0 - p) * (1.0 + 1.0 / ratio)
}
